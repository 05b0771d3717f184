"""Light copies of a registry: what members do with one through the real hook, and what a host cannot do to one."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.flows import workspace as workspace_module
from medperf_git.flows.propose import propose
from medperf_git.records import layout, models
from medperf_git.records.names import MemberName, Ref
from medperf_git.registry import transport
from medperf_git.registry.commits import Author, set_ref, write_commit, write_merge
from medperf_git.registry.objects import Store
from medperf_git.registry.sync import Pin, read_pin
from tests.support import registry_builder as rb
from tests.support.people import Human, Town
from tests.support.registry_builder import NORTH
from tests.support.story import RESULT, TREE, draft, files_of, house_of, send

LAPTOP = "laptops"


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Light copies go two commits back, so that every older one has to be asked for."""
    monkeypatch.setattr(transport, "LIGHT_DEPTH", 2)


def pinned(town: Town) -> str:
    """Return the address as a maintainer tells it, whatever became of main since."""
    genesis = town.git("show", "main:registry/0001.yaml") + "\n"
    return f"{town.url}#mg1:{hashlib.sha256(genesis.encode()).hexdigest()}"


def laptop(town: Town, name: str, *, member: bool = True) -> Human:
    """Return a member's second machine, new, with a light copy."""
    human = Human(name, town.folder / LAPTOP / name, town.clock)
    if member:
        human.run("join", pinned(town), "--light", "--as", name, "--key", human.key, "--yes", code=1)
    else:
        human.run("registry", "add", pinned(town), "--light")
    assert human.run("registry", "show", "--json").value["light"] is True
    return human


def copy_of(human: Human) -> Path:
    return human.home / "registries/heart/repo.git"


def pin_of(human: Human) -> Pin:
    pin = read_pin(human.home / "registries/heart/pin.json")
    assert pin is not None
    return pin


def holds(human: Human, commit: str) -> bool:
    return Store.open(copy_of(human)).has_commit(commit)


def around_the_hook(town: Town, files: dict[str, bytes], *, merge: bool = False) -> str:
    """Put files on main as whoever has the host could."""
    store, author = Store.open(town.repository), Author("host", "host@example.invalid", town.clock())
    commit = write_commit(store, town.main, files, message="Step\n", author=author)
    if merge:
        commit = write_merge(store, town.main, commit, files=files, message="Merge\n", author=author)
    set_ref(store, "refs/heads/main", commit)
    return commit


@contextmanager
def unplugged(town: Town) -> Iterator[None]:
    away = town.repository.with_name("unplugged")
    town.repository.rename(away)
    yield
    away.rename(town.repository)


# --- what members do


@pytest.mark.usefixtures("shallow")
def test_a_hospital_submits_a_result_from_a_light_copy_and_the_hook_takes_it(town: Town) -> None:
    north = laptop(town, "north")
    genesis = town.git("rev-list", "--max-parents=0", "main")
    assert not holds(north, genesis)
    assert send(north, house_of(town).result(NORTH, TREE)).merged
    assert not holds(north, genesis)
    assert town.git("cat-file", "-t", f"main:{RESULT.replace('moa.forest.1', TREE.folder)}") == "blob"
    north.run("sync")
    assert pin_of(north).commit == town.main
    assert town.founder.run("audit", "--json").value["stopped"] is None


def test_somebody_new_joins_with_a_light_copy_and_is_admitted_from_one(town: Town) -> None:
    zoe = town.human("zoe")
    zoe.run("join", pinned(town), "--light", "--as", "zoe", "--key", zoe.key, "--yes")
    laptop(town, "ana").run("admit", "zoe", "--yes")
    zoe.run("sync")
    assert [row["state"] for row in zoe.run("status", "--json").value] == []
    assert "members/zoe/0001.yaml" in files_of(zoe.workspace().view, "members")


def test_a_committee_member_decides_from_a_light_copy(town: Town) -> None:
    south = laptop(town, "south")
    south.run("association", "request", "dora/heart", "--dataset", "south/wards", "--yes")
    emil = laptop(town, "emil")
    assert "south/wards@1" in emil.run("inbox").out
    emil.run("approve", "south/wards", "--yes")
    south.run("sync")
    assert "approved" in south.run("association", "ls").out


def test_a_second_signature_is_added_from_a_light_copy(town: Town) -> None:
    proposed = send(town.human("dora"), house_of(town).policy_now(closes="2026-12-31T00:00:00Z"))
    assert not proposed.merged
    laptop(town, "emil").run("sign", proposed.id, "--yes")
    assert house_of(town).policy_now().closes == "2026-12-31T00:00:00Z"


@pytest.mark.usefixtures("shallow")
def test_a_light_copy_finds_a_new_place_after_it_lost_a_race(town: Town) -> None:
    emil = laptop(town, "emil")
    emil.run("registry", "use", "heart", "--merge", "manual")
    lost = send(emil, prioritise(town, 7, by="emil"))
    assert send(town.human("dora"), prioritise(town, 3, by="dora")).merged
    emil.run("sync")
    said = emil.run("submit", "--resume", "--yes", "--json").value
    town.founder.run("merge", said[0]["id"] if isinstance(said, list) else said["proposals"][0]["id"])
    chain = layout.association_folder(rb.BENCHMARK, "dataset", NORTH)
    assert b"priority: 7" in house_of(town).files[layout.numbered(chain, 4)]
    assert lost.merged is False


def prioritise(town: Town, priority: int, *, by: str) -> models.Association:
    return house_of(town).event("prioritise", by=by, side="committee", subject=NORTH, kind="dataset", priority=priority)


def test_what_is_read_from_a_light_copy_is_what_a_whole_one_says(town: Town) -> None:
    north, reader = laptop(town, "north"), town.human("reader")
    reader.run("registry", "add", pinned(town))
    for command in (
        ["result", "ls"],
        ["benchmark", "status", "dora/heart"],
        ["dataset", "ls"],
        ["log"],
        ["member", "ls"],
        ["leaderboard", "diff", "main~2"],
    ):
        assert north.run(*command, "--json").value == reader.run(*command, "--json").value, command
    for human in (north, reader):
        human.run("leaderboard", "build", "--at", town.main, "--out", human.folder / "site")
    sites = [
        {file.name: file.read_bytes() for file in (human.folder / "site").rglob("*") if file.is_file()}
        for human in (north, reader)
    ]
    assert sites[0] == sites[1]


def test_a_light_copy_follows_three_hundred_merges(town: Town, shallow: None) -> None:
    north = laptop(town, "north")
    house = house_of(town)
    for number in range(1, 301):
        proposal = house.propose(rb.cube(Ref("moa", "grown", number))).sign("moa", head=town.main)
        house.files |= proposal.files
        around_the_hook(town, proposal.files, merge=True)
    said = north.run("sync", "--json").value
    assert (said["head"], said["verified"]) == (town.main, 300)
    assert pin_of(north).trusted is not None


def test_a_result_is_carried_out_of_a_light_copy_in_a_file(town: Town, tmp_path: Path) -> None:
    north, file = laptop(town, "north"), tmp_path / "result.bundle"
    workspace = north.workspace()
    record = draft(workspace.view, house_of(town).result(NORTH, TREE))
    propose(workspace, [record], title="Add", dry_run=True)
    with unplugged(town):
        with pytest.raises(EnvironmentProblem, match="not sent"):
            propose(workspace, [record], title="Add")
        north.run("submit", "--no-push", "--out", file)
    light = laptop(town, "post", member=False)
    assert "a light copy takes in no bundle" in light.run("submit", "--from-bundle", file, "--yes", code=2).err
    town.add("mail").run("submit", "--from-bundle", file, "--yes")
    assert town.git("cat-file", "-t", f"main:{record.path}") == "blob"


# --- a copy made whole


@pytest.mark.usefixtures("shallow")
def test_a_copy_made_whole_is_verified_from_the_genesis_and_pinned_as_any_other(town: Town) -> None:
    north, reader = laptop(town, "north"), town.human("reader")
    for command in (["audit"], ["audit", "--records"]):
        assert "medperf-git sync --full" in north.run(*command, code=2).err
    said = north.run("sync", "--full", "--json").value
    assert (said["light"], said["reached"]) == (False, True)
    reader.run("registry", "add", pinned(town))
    assert pin_of(north) == pin_of(reader)
    assert north.run("audit", "--json").value == reader.run("audit", "--json").value
    assert north.run("audit", "--records", "--json").value["findings"] == []
    assert {path.name for path in copy_of(north).parent.iterdir()} == {
        path.name for path in copy_of(reader).parent.iterdir()
    } | {"verified"}
    assert send(north, house_of(town).result(NORTH, TREE)).merged


def test_a_copy_stays_light_while_it_cannot_be_made_whole(town: Town) -> None:
    north = laptop(town, "north")
    with unplugged(town):
        north.run("sync", "--full", code=3)
    assert north.run("registry", "show", "--json").value["light"] is True
    north.run("sync")


def test_a_copy_that_was_cut_short_of_becoming_whole_becomes_so_the_next_time(town: Town) -> None:
    north = laptop(town, "north")
    copy_of(north).rename(copy_of(north).with_name("light.git"))  # between the two renamings the machine went down
    assert "dora/heart" in north.run("benchmark", "ls").out
    north.run("sync", "--full")
    assert north.run("registry", "show", "--json").value["light"] is False
    assert sorted(one.name for one in copy_of(north).parent.glob("*.git")) == ["repo.git"]


def test_a_false_start_is_found_when_the_copy_is_made_whole(town: Town) -> None:
    house = house_of(town)
    forged = house.propose(rb.cube(Ref("moa", "forged", 1))).sign("north", head=town.main)
    commit = around_the_hook(town, forged.files)
    north = laptop(town, "north")
    assert pin_of(north).trusted == commit
    said = north.run("sync", "--full", code=5)
    assert f"commit {commit[:12]} of main is not valid" in said.err
    assert north.run("registry", "show", "--json").value["light"] is True


@pytest.mark.usefixtures("shallow")
def test_a_start_that_the_host_takes_back_is_found_when_the_copy_is_made_whole(town: Town) -> None:
    before = town.main
    house = house_of(town)
    around_the_hook(town, house.propose(rb.cube(Ref("moa", "other", 1))).sign("moa", head=before).files)
    north = laptop(town, "north")
    store = Store.open(town.repository)
    set_ref(store, "refs/heads/main", before)
    around_the_hook(town, house.propose(rb.cube(Ref("moa", "another", 1))).sign("moa", head=before).files)
    assert "was forked" in north.run("sync", code=5).err
    assert "is no step of main" in north.run("sync", "--full", code=5).err


# --- what a host cannot do


def test_without_the_id_of_the_registry_there_is_no_light_copy(town: Town) -> None:
    said = town.human("zoe").run("registry", "add", town.url, "--light", code=2)
    assert "a light copy needs the registry's id" in said.err
    said = town.human("zoe").run("join", "--light", "--as", "zoe", code=2)
    assert "--light is for a registry that is added" in said.err


def test_another_registry_is_refused(town: Town, beside: Town) -> None:
    zoe = town.human("zoe")
    other = f"{town.url}#mg1:{'0' * 64}"
    assert "this is another registry" in zoe.run("registry", "add", other, "--light", code=5).err
    wrong = f"{beside.url}#{pinned(town).partition('#')[2]}"
    assert pinned(beside) != wrong
    assert "this is another registry" in zoe.run("registry", "add", wrong, "--light", code=5).err
    assert zoe.run("registry", "ls", "--json").value == []


FORGED: dict[str, tuple[models.Record, str, str]] = {
    "a member whom nobody admitted": (rb.member("zoe"), "zoe zoe:recovery", "members/zoe/0001.yaml"),
    "a key for somebody else": (
        rb.member("north", "north:9"),
        "north:9",
        "members/north/0002.yaml",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_office_in_main_as_it_stands_is_refused(town: Town, case: str) -> None:
    record, seeds, told = FORGED[case]
    around_the_hook(town, house_of(town).propose(record).sign(*seeds.split(), head=town.main).files)
    said = town.human("zoe").run("registry", "add", pinned(town), "--light", code=5)
    assert f"{told} does not bear the signatures that it needs" in said.err


def test_forged_maintainers_in_main_as_it_stands_are_refused(town: Town) -> None:
    house = house_of(town)
    taken = house.registry_now(maintainers=(MemberName("north"),))
    around_the_hook(town, house.propose(taken).sign("north", head=town.main).files)
    said = town.human("zoe").run("registry", "add", pinned(town), "--light", code=5)
    assert "registry/0002.yaml does not bear the signatures that it needs" in said.err


def test_a_later_step_that_is_forged_stops_a_light_copy(town: Town) -> None:
    north = laptop(town, "north")
    before = pin_of(north)
    house = house_of(town)
    commit = around_the_hook(town, house.propose(rb.cube(Ref("moa", "forged", 1))).sign("north", head=town.main).files)
    assert f"commit {commit[:12]} of main is not valid" in north.run("sync", code=5).err
    assert pin_of(north) == before


def test_a_main_from_the_future_is_no_start(town: Town) -> None:
    house = house_of(town)
    files = house.propose(rb.cube(Ref("moa", "late", 1))).sign("moa", head=town.main).files
    town.clock.moment += timedelta(days=3)
    around_the_hook(town, files)
    town.clock.moment -= timedelta(days=3)
    said = town.human("zoe").run("registry", "add", pinned(town), "--light", code=5)
    assert "comes from the future" in said.err


# --- bad days of a network


def test_a_host_that_leaves_nothing_out_is_fetched_whole_and_it_is_said(town: Town) -> None:
    town.git("config", "uploadpack.allowFilter", "false")
    zoe = town.human("zoe")
    said = zoe.run("registry", "add", pinned(town), "--light")
    assert "no light copy is to be had" in said.err
    assert "22 steps verified" in said.out
    assert zoe.run("registry", "show", "--json").value["light"] is False
    zoe.run("audit")


def test_what_a_light_copy_lacks_is_named_when_the_host_cannot_be_reached(town: Town) -> None:
    north = laptop(town, "north")
    with unplugged(town):
        north.run("member", "ls")
        said = north.run("result", "ls", code=3)
        assert "this light copy lacks 1 objects, which could not be fetched" in said.err
        assert "medperf-git sync --full" in said.err
        assert "working with what was verified before" in north.run("sync").err + north.run("sync").out
    assert "0.912" in north.run("result", "ls").out


def test_a_fetch_that_is_cut_loses_nothing(town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    north = laptop(town, "north")
    tools = tmp_path / "tools"
    tools.mkdir()
    real = shutil.which("git")
    cut = (
        f'#!/bin/sh\ncase "$*" in *--stdin*) {real} "$@" & sleep 0.02; kill -9 $!; exit 137;; esac\nexec {real} "$@"\n'
    )
    (tools / "git").write_text(cut)
    (tools / "git").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        assert "could not be fetched" in north.run("result", "ls", code=3).err
    assert "0.912" in north.run("result", "ls").out
    north.run("sync", "--full")
    north.run("audit")


def test_a_start_that_is_cut_leaves_nothing_behind(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    zoe, address = town.human("zoe"), pinned(town)

    def cut(*_: object, **__: object) -> Pin:
        raise IntegrityBroken("cut")

    with monkeypatch.context() as patch:
        patch.setattr(workspace_module, "begin_at", cut)
        zoe.run("registry", "add", address, "--light", code=5)
    assert not (zoe.home / "registries/heart").exists()
    zoe.run("registry", "add", address, "--light")
