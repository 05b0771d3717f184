"""What a host could do to its clients: forge around the hook, rewind, serve an old copy, show another registry."""

import shutil
from pathlib import Path

import pytest

from medperf_git.registry.sync import read_pin
from tests.support.people import Human, Town
from tests.support.story import RESULT, Clone, house_of, send
from tests.support.story_attacks import ROWS, ask


@pytest.fixture
def east(town: Town) -> Human:
    """A hospital that has verified main as it stands."""
    human = town.human("east")
    human.run("sync")
    assert pinned(human) == town.main
    return human


def pinned(human: Human) -> str:
    pin = read_pin(human.home / "registries/heart/pin.json")
    assert pin is not None
    return pin.commit


def without_hook(town: Town) -> None:
    (town.repository / "hooks" / "pre-receive").unlink()


def refuses(human: Human, *words: str) -> None:
    """Assert that a sync, and what would sign something, end with 5, say why, and move nothing."""
    before = pinned(human)
    for command in (("sync",), ("association", "request", "dora/heart", "--dataset", "east/wards", "--yes")):
        said = human.run(*command, code=5)
        assert "do now: " in said.err
        for word in words:
            assert word in said.err, said.err
    assert pinned(human) == before


FORGED = [row for row in ROWS if row.rule in ("not-approved", "append-only", "unsigned", "signature")]


@pytest.mark.parametrize("row", FORGED, ids=lambda row: row.name.replace(" ", "-"))
def test_t05_a_commit_forged_around_the_hook_is_refused_by_every_client(
    town: Town, clone: Clone, east: Human, row: object
) -> None:
    assert hasattr(row, "files")
    commit = clone.commit(row.files(clone.house, clone.main))
    without_hook(town)
    assert clone.push(commit, "refs/heads/main").returncode == 0
    refuses(east, f"commit {commit[:12]} of main is not valid", getattr(row, "rule", ""))


def test_what_follows_a_forged_commit_is_not_believed_either(town: Town, clone: Clone, east: Human) -> None:
    house = clone.house
    forged = clone.commit({RESULT: house.files[RESULT].replace(b"0.912", b"0.999")})
    later = house.propose(house.result(attempt=2)).sign("north", head=clone.main)
    after = clone.commit(dict(later.files), base=forged)
    without_hook(town)
    assert clone.push(after, "refs/heads/main").returncode == 0
    refuses(east, f"commit {forged[:12]} of main is not valid")
    newcomer = town.human("zoe")
    newcomer.run("registry", "add", town.url, code=5)
    assert newcomer.run("registry", "ls", "--json").value == []


def test_t05_a_rewind_of_main_is_refused_after_a_valid_step_was_seen(town: Town, clone: Clone, east: Human) -> None:
    without_hook(town)
    assert clone.push(clone.git("rev-parse", "origin/main~1"), "refs/heads/main", "--force").returncode == 0
    refuses(east)


def test_a_forced_push_of_another_line_is_refused_even_when_each_step_is_valid(
    town: Town, clone: Clone, east: Human
) -> None:
    without_hook(town)
    house, old = house_of(town), clone.git("rev-parse", "origin/main~1")
    other = house.propose().add(house.result(created="2026-11-25T10:00:07Z"), path=RESULT, link=False)
    commit = clone.commit(other.sign("north", head=old).files, base=old)
    assert clone.push(commit, "refs/heads/main", "--force").returncode == 0
    refuses(east)
    town.human("zoe").run("registry", "add", town.url)  # by itself that line is valid: only who saw more can tell


def test_t06_an_old_copy_served_again_is_refused(town: Town, east: Human, tmp_path: Path) -> None:
    shutil.copytree(town.repository, tmp_path / "old.git")
    ask(town)
    east.run("sync")
    shutil.rmtree(town.repository)
    shutil.copytree(tmp_path / "old.git", town.repository)
    refuses(east)


def test_another_registry_in_the_same_place_is_refused(town: Town, beside: Town, east: Human) -> None:
    shutil.rmtree(town.repository)
    shutil.copytree(beside.repository, town.repository)
    refuses(east)


def test_a_pinned_address_of_another_registry_is_refused_and_the_right_one_is_taken(town: Town) -> None:
    zoe = town.human("zoe")
    right = town.founder.run("registry", "show", "--json").value["id"]
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    said = zoe.run("registry", "add", f"{town.url}#{wrong}", code=5)
    assert wrong in said.err
    assert right in said.err
    assert zoe.run("registry", "ls", "--json").value == []
    assert not (zoe.home / "registries" / "heart").exists()
    zoe.run("registry", "add", f"{town.url}#{right}")


def test_an_unreachable_host_leaves_what_was_verified_to_read(town: Town, east: Human) -> None:
    results = east.run("result", "ls", "--json").value
    town.repository.rename(town.repository.with_name("gone.git"))
    said = east.run("result", "ls", "--json")
    assert said.value == results
    assert "working with what was verified before" in said.err


def test_a_result_signed_on_one_line_and_merged_on_another_is_refused(town: Town, clone: Clone, tmp_path: Path) -> None:
    house, here = house_of(town), clone.main
    fork = clone.commit({"README.md": b"# Another\n"})
    commit = clone.commit(house.propose(house.result(attempt=2)).sign("north", head=fork).files, base=here)
    done = clone.push(commit, clone.branch_of(commit))
    assert done.returncode != 0
    assert "[head]" in done.stderr


def test_a_proposal_of_a_stranger_changes_nothing_for_those_who_sync(town: Town, clone: Clone, east: Human) -> None:
    without_hook(town)
    commit = clone.commit({RESULT: None})
    assert clone.push(commit, f"refs/heads/submit/{'0' * 32}").returncode == 0
    east.run("sync")
    assert pinned(east) == town.main
    east.run("inbox")
    east.run("status")
    send(town.human("north"), house_of(town).result(attempt=2))
