"""What the hook takes when somebody went around it: real records, the real judge, in this process."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from medperf_git.registry.commits import proposal_ref, submission_id
from medperf_git.registry.objects import Store
from medperf_git.registry.receive import MAIN, RefUpdate, RefVerdict, judge_push
from medperf_git.registry.sync import read_pin
from tests.support import registry_builder as rb

from .hand import START, add, genesis, moved
from .test_quarantine import FORGED, PATH, joining, setting_aside, valid_member

NOTHING = "0" * 40


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    return tmp_path / "pin.json"


@pytest.fixture
def root(store: Store) -> str:
    return moved(store, genesis(store, rb.founded().files))


@pytest.fixture
def forged(store: Store, root: str) -> str:
    return moved(store, add(store, root, FORGED))


def push(store: Store, old: str, new: str, ref: str, pin_file: Path | None, *, minutes: int = 2) -> RefVerdict:
    at = START + timedelta(minutes=minutes)
    return judge_push(store, [RefUpdate(old, new, ref)], at=at, pin_file=pin_file)[0]


def propose(store: Store, base: str, files: Mapping[str, bytes], pin_file: Path | None) -> RefVerdict:
    head = add(store, base, files, minutes=2)
    return push(store, NOTHING, head, proposal_ref(submission_id(files)), pin_file)


def test_a_main_that_is_valid_takes_what_passes(store: Store, root: str, pin_file: Path) -> None:
    good = add(store, root, valid_member(root))
    assert push(store, root, good, MAIN, pin_file).accepted
    pin = read_pin(pin_file)
    assert pin is not None
    assert pin.commit == root


def test_a_main_set_back_by_an_administrator_is_verified_anew(store: Store, root: str, pin_file: Path) -> None:
    good = moved(store, add(store, root, valid_member(root)))
    assert push(store, good, good, MAIN, pin_file).accepted
    moved(store, root)
    assert push(store, root, good, MAIN, pin_file).accepted
    pin = read_pin(pin_file)
    assert pin is not None
    assert pin.commit == root


def test_without_a_file_main_is_believed(store: Store, root: str, forged: str) -> None:
    assert push(store, forged, add(store, forged, valid_member(root), minutes=2), MAIN, None).accepted


def test_behind_a_forged_step_main_takes_what_heals_and_nothing_else(
    store: Store, root: str, forged: str, pin_file: Path
) -> None:
    good = add(store, forged, valid_member(root), minutes=2)
    refused = push(store, forged, good, MAIN, pin_file)
    assert not refused.accepted
    assert f"commit {forged[:12]} of main is not valid, and this does not heal it" in " ".join(
        finding.message for finding in refused.findings
    )
    assert {finding.rule for finding in refused.findings} == {"unsigned", "main-only-passes"}
    aside = setting_aside(forged, PATH, head=root)
    found = push(store, forged, add(store, forged, aside, minutes=2), MAIN, pin_file)
    assert found.accepted, found.findings
    assert push(store, forged, add(store, good, aside, minutes=3), MAIN, pin_file).accepted


@pytest.mark.parametrize("minutes", [20, -20])
def test_what_heals_is_of_now(store: Store, root: str, forged: str, pin_file: Path, minutes: int) -> None:
    step = add(store, forged, setting_aside(forged, PATH, head=root), minutes=2)
    found = push(store, forged, step, MAIN, pin_file, minutes=2 + minutes)
    assert not found.accepted
    assert "step-time" in {finding.rule for finding in found.findings}


def test_behind_a_forged_step_proposals_are_judged_as_if_it_were_not_there(
    store: Store, root: str, forged: str, pin_file: Path
) -> None:
    assert propose(store, forged, setting_aside(forged, PATH, head=root), pin_file).accepted
    assert not propose(store, forged, setting_aside(forged, PATH, head=root), None).accepted
    assert propose(store, forged, valid_member(root), pin_file).accepted
    assert not propose(store, forged, joining(root), pin_file).accepted


def test_behind_a_step_that_only_exact_bytes_mend_no_record_is_set_aside(
    store: Store, root: str, pin_file: Path
) -> None:
    broken = moved(store, add(store, root, joining(root)))
    aside = setting_aside(broken, *joining(root), head=root)
    assert not propose(store, broken, aside, pin_file).accepted
    assert not push(store, broken, add(store, broken, aside, minutes=2), MAIN, pin_file).accepted


def test_a_main_whose_first_step_is_not_valid_takes_nothing(store: Store, pin_file: Path) -> None:
    files = {name: data for name, data in rb.founded().files.items() if not name.startswith("registry/0001.yaml.")}
    root = moved(store, genesis(store, files))
    found = push(store, root, add(store, root, valid_member(root), minutes=2), MAIN, pin_file)
    assert not found.accepted
    assert "commit the first one of main is not valid" in found.findings[0].message


def test_a_first_main_is_taken_where_nothing_was_verified_yet(store: Store, pin_file: Path) -> None:
    assert push(store, NOTHING, genesis(store, rb.founded().files), MAIN, pin_file).accepted
