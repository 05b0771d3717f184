import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import IntegrityBroken
from medperf_git.registry.objects import Store
from medperf_git.registry.sync import Pin, audit, read_pin, registry_id, sync, write_pin

from .hand import GENESIS, add, believing_git, genesis, merge

ID = "mg1:" + hashlib.sha256(GENESIS["registry/0001.yaml"]).hexdigest()


def main_of(store: Store, steps: int) -> list[str]:
    line = [genesis(store)]
    for number in range(1, steps):
        files = {f"notes/{number}.yaml": b"%d" % number}
        side = add(store, line[-1], files, minutes=number)
        line.append(merge(store, line[-1], side, files, minutes=number))
    return line


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pin.json"


def test_the_first_sync_begins_with_the_genesis(store: Store, pin_file: Path) -> None:
    line = main_of(store, 4)
    seen: list[tuple[int, int]] = []
    report = sync(
        store, line[-1], pin_file=pin_file, expected=ID, judge=believing_git, progress=lambda *at: seen.append(at)
    )
    assert report.pin == Pin(ID, line[-1], 4) == read_pin(pin_file)
    assert (report.verified, report.stopped) == (4, None)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_later_sync_judges_only_what_is_new(store: Store, pin_file: Path) -> None:
    line = main_of(store, 6)
    sync(store, line[2], pin_file=pin_file, judge=believing_git)
    judged: list[object] = []
    report = sync(store, line[5], pin_file=pin_file, judge=lambda change: judged.append(1) or believing_git(change))
    assert len(judged) == report.verified == 3
    assert report.pin == Pin(ID, line[5], 6)
    assert sync(store, line[5], pin_file=pin_file, judge=believing_git).verified == 0


def test_another_registry_is_refused(store: Store, pin_file: Path) -> None:
    line = main_of(store, 2)
    with pytest.raises(IntegrityBroken, match="another registry"):
        sync(store, line[-1], pin_file=pin_file, expected="mg1:" + "0" * 64, judge=believing_git)
    assert read_pin(pin_file) is None


def test_a_history_that_went_back_is_refused(store: Store, pin_file: Path) -> None:
    line = main_of(store, 4)
    sync(store, line[3], pin_file=pin_file, judge=believing_git)
    with pytest.raises(IntegrityBroken, match="went back") as caught:
        sync(store, line[1], pin_file=pin_file, judge=believing_git)
    assert line[3] in str(caught.value)
    assert line[1] in str(caught.value)
    assert read_pin(pin_file) == Pin(ID, line[3], 4)


def test_a_forked_history_is_refused(store: Store, pin_file: Path) -> None:
    line = main_of(store, 4)
    sync(store, line[3], pin_file=pin_file, judge=believing_git)
    fork = add(store, line[1], {"other.yaml": b"o"}, minutes=9)
    with pytest.raises(IntegrityBroken, match="was forked"):
        sync(store, fork, pin_file=pin_file, judge=believing_git)


def test_a_main_that_only_merged_the_pin_in_is_refused(store: Store, pin_file: Path) -> None:
    line = main_of(store, 3)
    sync(store, line[2], pin_file=pin_file, judge=believing_git)
    side = add(store, line[1], {"other.yaml": b"o"}, minutes=9)
    swapped = merge(store, side, line[2], {"notes/2.yaml": b"2"}, minutes=10)
    with pytest.raises(IntegrityBroken, match="was forked"):
        sync(store, swapped, pin_file=pin_file, judge=believing_git)


def test_a_history_without_the_pinned_commit_is_refused(store: Store, pin_file: Path) -> None:
    line = main_of(store, 2)
    write_pin(pin_file, Pin(ID, "1" * 40, 7))
    with pytest.raises(IntegrityBroken, match="was replaced"):
        sync(store, line[-1], pin_file=pin_file, judge=believing_git)


def test_sync_stops_at_an_invalid_step_and_keeps_what_was_valid(store: Store, pin_file: Path) -> None:
    line = main_of(store, 3)
    bad = add(store, line[-1], {"bad.yaml": b"b"}, minutes=8)
    tip = add(store, bad, {"good.yaml": b"g"}, minutes=9)
    report = sync(store, tip, pin_file=pin_file, judge=believing_git)
    assert report.stopped is not None
    assert report.stopped.commit == bad
    assert [finding.rule for finding in report.stopped.judgement.findings] == ["bad"]
    assert read_pin(pin_file) == Pin(ID, line[-1], 3)


def test_a_step_that_waits_for_a_person_is_not_valid_on_main(store: Store, pin_file: Path) -> None:
    tip = add(store, genesis(store), {"wait.yaml": b"w"})
    report = sync(store, tip, pin_file=pin_file, judge=believing_git)
    assert report.stopped is not None
    assert report.stopped.commit == tip


def test_an_interrupted_sync_keeps_what_it_had(store: Store, pin_file: Path) -> None:
    line = main_of(store, 5)

    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(store, line[-1], pin_file=pin_file, judge=believing_git, progress=interrupt)
    assert read_pin(pin_file) == Pin(ID, line[2], 3)


def test_an_audit_needs_no_pin(store: Store) -> None:
    line = main_of(store, 5)
    assert audit(store, line[-1], expected=ID, judge=believing_git).pin == Pin(ID, line[-1], 5)


def test_the_registry_id_comes_from_the_genesis_alone(store: Store) -> None:
    line = main_of(store, 2)
    assert registry_id(store, line[0]) == ID
    for other in (line[1], genesis(store, {"README.md": b"x"})):
        with pytest.raises(IntegrityBroken):
            registry_id(store, other)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"registry": "mg1:0", "commit": "x", "steps": 1}'])
def test_a_damaged_pin_is_never_taken_for_a_first_sync(pin_file: Path, text: str) -> None:
    pin_file.parent.mkdir()
    pin_file.write_text(text)
    with pytest.raises(IntegrityBroken):
        read_pin(pin_file)


def test_a_pin_is_replaced_whole(pin_file: Path) -> None:
    pin = Pin(ID, "1" * 40, 1)
    write_pin(pin_file, pin)
    write_pin(pin_file, replace(pin, steps=2))
    assert read_pin(pin_file) == replace(pin, steps=2)
    assert [entry.name for entry in pin_file.parent.iterdir()] == ["pin.json"]
