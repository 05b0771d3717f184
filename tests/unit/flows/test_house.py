"""Which house files a registry gets, and how they are renewed."""

from pathlib import Path

import pytest

from medperf_git.flows import house_pins
from medperf_git.flows.house import PINS, house_files
from medperf_git.flows.house_pins import Pin
from medperf_git.forge.host import Host, host_of
from medperf_git.records.layout import is_house_file
from tests.support.people import Human, Town

FILES = {
    Host.PLAIN: {"README.md"},
    Host.OTHER: {"README.md"},
    Host.GITHUB: {
        *("README.md", ".github/medperf-git.txt", ".github/SETTINGS.md", ".github/pull_request_template.md"),
        *(f".github/workflows/{name}.yml" for name in ("judge", "comment", "merge", "site")),
    },
    Host.GITLAB: {"README.md", ".gitlab-ci.yml", ".github/medperf-git.txt", ".github/SETTINGS.md"},
    Host.FORGEJO: {
        *("README.md", ".forgejo/medperf-git.txt", ".forgejo/SETTINGS.md", ".forgejo/pull_request_template.md"),
        *(f".forgejo/workflows/{name}.yml" for name in ("judge", "comment", "site")),
    },
    Host.PAGURE: {"README.md", ".github/SETTINGS.md"},
}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com/ana/heart", Host.GITHUB),
        ("git@github.com:ana/heart.git", Host.GITHUB),
        ("ssh://git@gitlab.example.org:2222/ana/heart", Host.GITLAB),
        ("https://codeberg.org/ana/heart", Host.FORGEJO),
        ("https://forgejo.clinic.example/ana/heart", Host.FORGEJO),
        ("https://pagure.io/heart", Host.PAGURE),
        ("ssh://git@pagure.clinic.example/heart.git", Host.PAGURE),
        ("https://git.clinic.example/ana/github.com", Host.PLAIN),
        ("https://notgithub.example/ana/heart", Host.PLAIN),
        ("me@server.example:heart.git", Host.PLAIN),
        ("/srv/github.com/heart.git", Host.PLAIN),
    ],
)
def test_the_host_of_an_address_is_known_by_its_name(url: str, host: Host) -> None:
    assert host_of(url) is host


@pytest.mark.parametrize("host", list(Host))
def test_each_host_gets_its_own_files_and_no_others(host: Host) -> None:
    files = house_files("Heart", host=host, pins=b"pins\n")
    assert set(files) == FILES[host]
    assert all(is_house_file(path) for path in files)
    assert all(len(data) < 64 * 1024 for data in files.values())
    assert files["README.md"].startswith(b"# Heart\n")
    if host in PINS:
        assert files[PINS[host]] == b"pins\n"


@pytest.mark.parametrize("host", [Host.GITHUB, Host.GITLAB, Host.FORGEJO])
def test_pages_are_published_with_nothing_remembered(host: Host) -> None:
    whole = b"\n".join(house_files("Heart", host=host, pins=b"pins\n").values()).decode()
    builds = [line for line in whole.splitlines() if "bin/medperf-git leaderboard build" in line]
    assert builds
    assert all(" --no-cache" in line for line in builds)
    assert "actions/cache" not in whole


def test_a_pin_is_looked_for_only_where_a_forge_judges() -> None:
    def never() -> Pin:
        raise AssertionError("no pin is needed")

    assert set(house_pins.house_for("Heart", Host.PLAIN, find=never)) == {"README.md"}
    assert set(house_pins.house_for("Heart", Host.PAGURE, find=never)) == FILES[Host.PAGURE]
    files = house_pins.house_for("Heart", Host.GITHUB, find=lambda: FILLED)
    assert set(files) == FILES[Host.GITHUB]
    assert FILLED.line.encode() in files[PINS[Host.GITHUB]].splitlines()


def test_a_title_stays_one_heading() -> None:
    assert house_files("Heart\n\n<script>")["README.md"].startswith(b"# Heart <script>\n")


@pytest.fixture
def ana(tmp_path: Path) -> Human:
    return Town(tmp_path).found("ana")


def renew(ana: Human, pin: Pin, *argv: str, code: int = 0, host: str = "github") -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house_pins, "find_pin", lambda: pin)
        said = ana.run("doctor", "forge", "--write", "--host", host, "--yes", *argv, code=code)
    return said.out + said.err


OPEN, FILLED = Pin("0.1.0", reason="no network"), Pin("0.1.0", "a" * 64)


def house_of(ana: Human) -> dict[str, bytes]:
    view = ana.workspace().view
    return {path: data for path in FILES[Host.GITHUB] if (data := view.blob(path)) is not None}


def test_house_files_are_proposed_with_the_registry_record_that_lists_them(ana: Human) -> None:
    assert set(house_of(ana)) == {"README.md"}
    before = house_of(ana)["README.md"]
    assert "nothing was sent" in renew(ana, FILLED, "--dry-run")
    assert set(house_of(ana)) == {"README.md"}
    said = renew(ana, FILLED)
    assert "merged" in said
    assert house_of(ana) == house_files("heart", host=Host.GITHUB, pins=house_pins.render_pins(FILLED))
    assert house_of(ana)["README.md"] == before
    ana.run("audit")
    assert "stand as this release writes them" in renew(ana, FILLED, code=1)


def test_an_open_pin_is_said_and_filled_later_and_never_emptied_again(ana: Human) -> None:
    assert "workflows refuse to judge: no network" in renew(ana, OPEN)
    assert b"Not pinned yet (no network)" in house_of(ana)[".github/medperf-git.txt"]
    renew(ana, FILLED)
    assert b"--hash=sha256:" + b"a" * 64 in house_of(ana)[".github/medperf-git.txt"]
    assert "stand as this release writes them" in renew(ana, OPEN, code=1)


def test_at_a_host_that_judges_nothing_the_guide_is_proposed_and_no_pin_is_spoken_of(ana: Human) -> None:
    assert "workflows refuse" not in renew(ana, OPEN, host="pagure")
    assert (
        ana.workspace().view.blob(".github/SETTINGS.md")
        == house_files("heart", host=Host.PAGURE)[".github/SETTINGS.md"]
    )
    assert "nothing to do" in renew(ana, OPEN, host="pagure", code=1)
    ana.run("audit")


def test_only_a_maintainer_can_renew_them(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.found("ana")
    bob = town.join("bob")
    before = town.main
    renew(bob, FILLED, code=1)
    assert town.main == before


def test_a_registry_with_the_house_files_of_an_older_release_stays_valid_and_keeps_its_own(tmp_path: Path) -> None:
    older = {
        "README.md": b"# Heart\n",
        "LICENSE": b"Apache-2.0\n",
        ".github/workflows/judge.yml": b"name: judge\n",
        ".github/workflows/own.yml": b"name: own\n",
    }
    with pytest.MonkeyPatch.context() as patch:
        for module in ("founding", "house_pins"):
            patch.setattr(f"medperf_git.flows.{module}.house_files", lambda *_, **__: older)
        ana = Town(tmp_path).found("ana")
    ana.run("audit")
    renew(ana, FILLED)
    ana.run("audit")
    view = ana.workspace().view
    fresh = house_files("heart", host=Host.GITHUB, pins=house_pins.render_pins(FILLED))
    for path in ("README.md", "LICENSE", ".github/workflows/own.yml"):
        assert view.blob(path) == older[path]
    for path in set(fresh) - {"README.md"}:
        assert view.blob(path) == fresh[path]
