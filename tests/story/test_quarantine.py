"""The brick attack (T69): one invalid commit stops every client, and the maintainers heal the registry."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from medperf_git.records import layout, models
from medperf_git.records.names import MemberName
from medperf_git.records.record import write_record
from tests.support import registry_builder as rb
from tests.support.people import Human, Town
from tests.support.story import RESULT, Clone, house_of, send

FORGED = layout.numbered(layout.result_folder(rb.BENCHMARK, rb.SOUTH, rb.REFERENCE), 1)


@pytest.fixture
def two(town: Town) -> Town:
    """The same registry with two maintainers who decide together, at a later hour."""
    town.clock.moment = datetime(2026, 11, 25, 14, tzinfo=UTC)
    ana, dora = town.human("ana"), town.human("dora")
    names = tuple(map(MemberName, ("ana", "dora")))
    send(ana, house_of(town).registry_now(maintainers=names, threshold=2))
    dora.run("sign", proposal(town), "--yes")
    return town


@pytest.fixture
def east(two: Town, clone: Clone) -> Human:
    """A hospital that has verified main as it stands; so has whoever attacks."""
    clone.git("fetch", "-q")
    human = two.human("east")
    human.run("sync")
    return human


@pytest.fixture
def forged(town: Town, clone: Clone, east: Human) -> str:
    """A host puts an unsigned result onto main, around the hook; everybody else was there before."""
    assert east.workspace().head == clone.main
    house = clone.house
    record = house.result(rb.SOUTH, rb.REFERENCE)
    commit = clone.commit({FORGED: write_record(record)})
    on_main(town, clone, commit)
    return commit


def on_main(town: Town, clone: Clone, commit: str) -> None:
    """Push around the hook, which an administrator can."""
    hook = town.repository / "hooks" / "pre-receive"
    hook.rename(hook.with_suffix(".away"))
    assert clone.push(commit, "refs/heads/main").returncode == 0
    hook.with_suffix(".away").rename(hook)


def test_t69_a_forged_commit_stops_everybody_until_the_threshold_of_maintainers_sets_it_aside(
    town: Town, forged: str, east: Human
) -> None:
    stopped = east.run("sync", code=5)
    assert f"commit {forged[:12]} of main is not valid" in stopped.err
    assert f"medperf-git withdraw {forged[:12]}" in stopped.err
    ana, dora = town.human("ana"), town.human("dora")
    said = ana.run("withdraw", forged[:12], "--reason", "forged", "--yes")
    assert "waits for: 2 maintainers: dora" in said.out
    east.run("sync", code=5)
    assert dora.run("inbox", "--json").value[0]["what"] == "sign"
    dora.run("sign", proposal(town), "--yes")
    east.run("sync")
    assert pinned_is_main(east, town)
    view = east.workspace().view
    assert view.blob(FORGED) is None
    assert "0001.yaml" in view.names(FORGED.rpartition("/")[0]), "its number stays used"
    assert FORGED not in {row["path"] for row in east.run("result", "ls", "--json").value}
    assert "set aside" in east.run("audit").out
    newcomer = town.human("zoe")
    newcomer.run("registry", "add", town.url)
    assert newcomer.workspace().view.blob(FORGED) is None


def test_t69_after_it_work_goes_on(town: Town, forged: str) -> None:
    heal(town, forged)
    north = town.human("north")
    north.run("sync")
    house = house_of(town)
    assert send(north, house.result(attempt=2)).merged


def test_t69_one_maintainer_or_an_outsider_alone_heals_nothing(town: Town, forged: str, east: Human) -> None:
    assert "signed by 2 maintainers" in east.run("withdraw", forged[:12], "--yes", code=1).err
    town.human("ana").run("withdraw", forged[:12], "--yes")
    east.run("sync", code=5)
    assert town.human("ana").run("merge", "--json").value[0]["merged"] is False
    east.run("sync", code=5)


def test_t69_a_quarantine_made_by_keys_that_the_invalid_step_brought_is_not_believed(
    town: Town, clone: Clone, east: Human
) -> None:
    house = clone.house
    mine = house.registry_now(maintainers=(MemberName("mal"),), threshold=1)
    mallory = replace(rb.member("mal"), keys=rb.keys("mal"))
    evil = clone.commit(
        {layout.registry_path(3): write_record(mine), layout.member_path("mal", 1): write_record(mallory)}
    )
    record = models.Quarantine(
        created=rb.CREATED,
        commit=evil,
        paths=(layout.member_path("mal", 1), layout.registry_path(3)),
        reason="accident",
    )
    proposal = house.propose(record).sign("mal", head=clone.main)
    after = clone.commit(dict(proposal.files), base=evil)
    on_main(town, clone, after)
    assert f"commit {evil[:12]} of main is not valid" in east.run("sync", code=5).err


def test_t69_exact_bytes_restored_heal_a_change_of_what_was_merged(town: Town, clone: Clone, east: Human) -> None:
    good = clone.house.files[RESULT]
    edited = clone.commit({RESULT: good.replace(b"0.912", b"0.999")})
    on_main(town, clone, edited)
    assert "never changes" in east.run("sync", code=5).err
    refused = town.human("ana").run("withdraw", edited[:12], "--yes", code=1)
    assert "no record can set it aside" in refused.err
    later = {"GIT_COMMITTER_DATE": "2026-11-25T14:05:00Z"}
    restored = clone.git("commit-tree", f"{edited}~1^{{tree}}", "-p", edited, "-m", "Back", env=later)
    on_main(town, clone, restored)
    east.run("sync")
    assert pinned_is_main(east, town)
    assert east.workspace().view.blob(RESULT) == good


def test_t69_a_valid_step_cannot_be_set_aside(town: Town, clone: Clone, east: Human) -> None:
    assert east.workspace().head == clone.main
    house = clone.house
    step = town.git("rev-list", "--first-parent", "-n", "1", "main", "--", RESULT)
    paths = town.git("diff", "--name-only", f"{step}~1", step).split()
    record = models.Quarantine(created=rb.CREATED, commit=step, paths=tuple(sorted(paths)), reason="forged")
    proposal = house.propose(record).sign("ana", "dora", head=clone.main)
    said = clone.push(clone.commit(dict(proposal.files)), "refs/heads/main")
    assert said.returncode != 0
    assert "no step of main waits to be set aside" in said.stderr


def test_an_empty_step_and_a_merge_of_what_was_merged_stop_nobody(town: Town, clone: Clone, east: Human) -> None:
    later = {"GIT_COMMITTER_DATE": "2026-11-25T14:05:00Z"}
    empty = clone.git("commit-tree", f"{clone.main}^{{tree}}", "-p", clone.main, "-m", "Nothing", env=later)
    said = clone.push(empty, "refs/heads/main")
    assert "changes nothing" in said.stderr
    on_main(town, clone, empty)
    east.run("sync")
    assert pinned_is_main(east, town)


def heal(town: Town, commit: str) -> None:
    town.human("ana").run("withdraw", commit[:12], "--yes")
    town.human("dora").run("sign", proposal(town), "--yes")


def proposal(town: Town) -> str:
    return town.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit").split()[0]


def pinned_is_main(human: Human, town: Town) -> bool:
    return bool(human.workspace().head == town.main)
