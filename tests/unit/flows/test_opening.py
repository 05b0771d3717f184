"""The page on which a thing can be looked at, for a registry on each kind of host, and the browser."""

import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.flows.opening import Page, Target, find_target, page_of, show
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.browser import Browser
from medperf_git.forge.host import Host, host_of
from medperf_git.registry.remotes import Remote
from tests.support import registry_builder as rb
from tests.support.people import Town
from tests.support.story import build, send

PROPOSAL = "0123456789abcdef0123456789abcdef"
CUBE = Target("cube", "moa/forest@1", "cubes/moa/forest/1.yaml")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("opening") / "town")


def at(town: Town, url: str) -> Workspace:
    """Return the founder's copy, as it would be if the registry lay at an address."""
    workspace = town.founder.workspace()
    kind = Host.OTHER if "forge.example" in url else host_of(url)
    workspace.remember(replace(workspace.known, url=url, host=kind), only_here=True)
    workspace.forge = Browser(Remote.parse(url), host=kind)
    return workspace


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://github.com/org/eval", "https://github.com/org/eval/blob/main/cubes/moa/forest/1.yaml"),
        ("git@gitlab.com:org/eval.git", "https://gitlab.com/org/eval/-/blob/main/cubes/moa/forest/1.yaml"),
        ("https://codeberg.org/org/eval", "https://codeberg.org/org/eval/src/branch/main/cubes/moa/forest/1.yaml"),
        ("https://pagure.io/eval.git", "https://pagure.io/eval/blob/main/f/cubes/moa/forest/1.yaml"),
    ],
)
def test_on_a_forge_a_record_is_looked_at_on_the_forge(town: Town, url: str, page: str) -> None:
    assert page_of(at(town, url), CUBE) == Page(page)


def test_on_a_forge_a_proposal_is_looked_at_on_the_forge(town: Town) -> None:
    workspace = at(town, "https://github.com/org/eval")
    page = page_of(workspace, Target("proposal", PROPOSAL[:12], proposal=PROPOSAL))
    assert page == Page(workspace.forge.page_of(PROPOSAL))


def test_a_host_that_is_not_known_shows_records_here_and_proposals_there(town: Town) -> None:
    workspace = at(town, "https://forge.example/org/eval")
    assert page_of(workspace, CUBE).address.startswith("file://")
    page = page_of(workspace, Target("proposal", PROPOSAL[:12], proposal=PROPOSAL))
    assert page.address.startswith("https://forge.example/")


def test_each_thing_is_found_by_what_people_call_it(town: Town) -> None:
    workspace = town.founder.workspace()
    assert find_target(workspace, "moa/forest") == CUBE
    assert find_target(workspace, "moa/forest@1") == CUBE
    assert find_target(workspace, CUBE.path) == Target("cube", CUBE.path, CUBE.path)
    assert find_target(workspace, "dora/heart").path == "benchmarks/dora/heart/1/benchmark.yaml"
    assert find_target(workspace, "north/wards").kind == "dataset"
    assert find_target(workspace, "north") == Target("member", "north", "members/north/0001.yaml")


def test_an_open_proposal_is_found_by_its_first_digits(town: Town) -> None:
    moa = town.human("moa")
    moa.run("registry", "use", "heart", "--merge", "manual")
    made = send(moa, rb.cube(rb.Ref("moa", "late", 1)))
    workspace = town.founder.workspace()
    wanted = Target("proposal", made.id[:12], proposal=made.id)
    assert find_target(workspace, made.id[:8]) == find_target(workspace, f"submit/{made.id}") == wanted


def test_the_browser_is_told_the_address_and_whether_it_opened_is_told_back() -> None:
    asked: list[str] = []

    def recorder(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    assert show(Page("https://example.org/"), browser=recorder)
    assert not show(Page("https://example.org/"), browser=recorder)
    assert asked == ["https://example.org/"] * 2


@pytest.mark.parametrize("trouble", [webbrowser.Error("could not locate runnable browser"), OSError("no such file")])
def test_a_browser_that_cannot_be_started_is_no_failure(trouble: Exception) -> None:
    def broken(address: str) -> bool:
        raise trouble

    assert not show(Page("https://example.org/"), browser=broken)


def test_a_cached_site_that_was_emptied_is_built_again(town: Town, tmp_path: Path) -> None:
    workspace = town.founder.workspace()
    page = page_of(workspace, CUBE).address
    site = workspace.context.home / "cache" / "sites" / workspace.alias
    assert page == (site / "models/moa/forest/1/index.html").as_uri()
    for path in sorted(site.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    site.rmdir()
    assert page_of(workspace, CUBE).address == page
    assert (site / "index.html").is_file()
