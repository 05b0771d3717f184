"""The life of keys through people's own commands: rotation, two keys of one member, revocation, loss of all keys."""

from datetime import timedelta
from pathlib import Path

import pytest

from medperf_git.records.folds import marks_of, member_state
from medperf_git.records.models import Member
from tests.support.clock import START, TestClock
from tests.support.people import Human, Town, write_key
from tests.support.story import RESULT, play


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path, clock=TestClock(START - timedelta(days=60)))  # waiting must not lead into the future
    town.found("ana")
    town.join("bob")
    return town


def state(town: Town, name: str) -> Member:
    found = member_state(town.founder.workspace().view, name)
    assert found is not None
    return found


def fingerprint(human: Human) -> str:
    return str(human.run("whoami", "--json").value["key"])


def test_a_rotation_overlaps_and_the_old_key_ends(town: Town) -> None:
    bob = town.human("bob")
    old = fingerprint(bob)
    said = bob.run("member", "rotate", "--overlap", "30", "--yes").out
    assert "the keys there were sign until 2026-10-26" in said
    assert "merged" in said
    assert fingerprint(bob) != old
    keys = state(town, "bob").keys.signing
    assert [entry.expires is not None for entry in keys] == [True, False]
    shown = bob.run("member", "show", "--json").value
    assert len(shown["signing"]) == 2
    assert len(shown["ends"]) == 1
    bob.run("member", "rotate", "--drop", old, "--no-key", "--yes")
    assert len(state(town, "bob").keys.signing) == 1


def test_a_second_key_of_a_privacy_officer_is_brought_by_its_holder(town: Town, tmp_path: Path) -> None:
    bob, officer = town.human("bob"), town.human("officer")
    write_key(tmp_path / "officer", "the officer")
    public = tmp_path / "officer.pub"
    said = bob.run("member", "rotate", "--key", public, "--keep", "--yes").out
    assert "medperf-git sign" in said
    proposal = town.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit")
    officer.run("registry", "add", town.url)
    officer.run("sign", proposal, "--as", "bob", "--key", tmp_path / "officer", "--yes")
    assert len(state(town, "bob").keys.signing) == 2
    bob.run("sync")
    bob.run("member", "rotate", "--no-key", "--cosign-results", "2", "--yes")
    wish = state(town, "bob").cosigning
    assert wish is not None
    assert (wish.dataset, wish.result) == (1, 2)


def test_fewer_keys_asked_for_waits_for_a_maintainer_when_the_recovery_key_is_away(town: Town) -> None:
    bob = town.human("bob")
    bob.run("member", "rotate", "--keep", "--yes")
    bob.run("member", "rotate", "--no-key", "--cosign-results", "2", "--yes")
    (recovery,) = (bob.home / "keys").glob("*-recovery")
    recovery.rename(bob.folder / "safe")
    said = bob.run("member", "rotate", "--no-key", "--cosign-results", "1", "--yes").out
    assert "waits for: a recovery key of bob, or a maintainer" in said
    bob.run("member", "rotate", "--no-key", "--cosign-results", "1", "--recovery", bob.folder / "safe", "--yes")
    assert state(town, "bob").cosigning.result == 1  # type: ignore[union-attr]  # it has a wish


def test_a_stolen_key_is_revoked_from_a_step_on_and_its_results_become_disputed(tmp_path: Path) -> None:
    town = play(tmp_path / "town")
    north = town.human("north")
    stolen = fingerprint(north)
    before = north.run("log", "-n", "2", "--json").value[-1]["commit"]
    said = north.run("member", "revoke", stolen, "--since", before, "--yes").out
    assert f"disputed from now on: {RESULT}" in said
    assert "new key: " in said
    view = north.workspace().view
    assert marks_of(view, RESULT).suspect
    assert north.run("result", "ls", "--json").value[0]["state"] == "disputed"
    assert state(town, "north").revoked[0].reason == "stolen"  # type: ignore[index]  # it was just revoked
    assert fingerprint(north) != stolen
    town.human("east").run("audit")


def test_all_keys_lost_maintainers_announce_and_the_waiting_period_is_kept(town: Town) -> None:
    bob = Human("bob again", town.folder / "people" / "bob-again", town.clock)
    bob.run("registry", "add", town.url)
    said = bob.run("member", "rotate", "--lost", "--as", "bob", "--yes").out
    assert "wait 14 days" in said
    proposal = town.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit")
    town.human("ana").run("sign", proposal, "--yes")
    assert state(town, "bob").pending is not None
    early = bob.run("member", "rotate", "--lost", "--as", "bob", "--yes", code=1)
    assert "the waiting period lasts until" in early.err
    town.clock.moment += timedelta(days=15)
    bob.run("member", "rotate", "--lost", "--as", "bob", "--yes")
    assert state(town, "bob").pending is None
    assert state(town, "bob").recovered is not None
    assert bob.run("whoami", "--json").value["status"] == "active"
    town.human("ana").run("audit")


def test_an_announcement_that_nobody_lost_keys_for_is_ended_by_the_member(town: Town) -> None:
    ana, bob = town.human("ana"), town.human("bob")
    thief = Human("thief", town.folder / "people" / "thief", town.clock)
    thief.run("registry", "add", town.url)
    thief.run("member", "rotate", "--lost", "--as", "bob", "--yes")
    proposal = town.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit")
    ana.run("sign", proposal, "--yes")
    bob.run("sync")
    bob.run("member", "rotate", "--no-key", "--yes")
    assert state(town, "bob").pending is None
    town.clock.moment += timedelta(days=15)
    thief.run("member", "rotate", "--lost", "--as", "bob", "--yes")  # asks again, and is not let in
    assert state(town, "bob").recovered is None


def test_a_member_leaves_and_wrong_words_are_answered(town: Town) -> None:
    bob = town.human("bob")
    assert "name one KEY" in bob.run("member", "revoke", "--yes", code=2).err
    assert "begins with 'SHA256:nothing'" in bob.run("member", "revoke", "SHA256:nothing", "--yes", code=2).err
    key = fingerprint(bob)
    assert "no one step of main" in bob.run("member", "revoke", key, "--since", "0000000", "--yes", code=2).err
    assert "no one step of main" in bob.run("member", "revoke", key, "--since", "2001-01-01", "--yes", code=2).err
    bob.run("member", "revoke", "--all", "--yes")
    assert state(town, "bob").status == "retired"
