"""Verify main step by step, and remember how far.

Every first-parent step since the pin is judged; the pin then moves, atomically and durably. A history that does
not pass through the pin went back or was forked, and is refused. The first sync begins at the genesis, whose
`registry/0001.yaml` is the registry's id. Twenty bytes a step are all that is held of a history.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.judge import judge as judge_by_policy
from medperf_git.policy.verdict import Outcome
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.registry.history import FirstParentLine, iter_ids, line_between
from medperf_git.registry.objects import BadObject, Store, is_commit_id
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.steps import Judge, Judgement, judge_step

GENESIS_RECORD = "registry/0001.yaml"

_PIN_EVERY = 256

Progress: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, slots=True)
class Pin:
    """How far a registry was verified: its id, the last valid commit of main, steps from the genesis on."""

    registry: str
    commit: str
    steps: int


@dataclass(frozen=True, slots=True)
class StoppedAt:
    """The first step that is not valid."""

    commit: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync found: the pin as it stands now, the steps verified in this run, where it stopped if it did."""

    pin: Pin | None
    verified: int
    stopped: StoppedAt | None = None


def registry_id(store: Store, root: str) -> str:
    """Return the id of the registry that begins with the commit `root`: `mg1:` and 64 hexadecimal digits.

    IntegrityBroken: the commit is no beginning of a registry.
    """
    try:
        record = None if store.commit(root).parents else Snapshot.at(store, root).blob(GENESIS_RECORD)
    except BadObject as bad:
        raise IntegrityBroken(bad.finding.message, hint="ask a maintainer which repository is the right one") from bad
    if record is None:
        hint = "this is not a medperf-git registry; check the address"
        raise IntegrityBroken(f"the first commit {root} holds no {GENESIS_RECORD}", hint=hint)
    return "mg1:" + bare_hex(digest_of(record))


def sync(
    store: Store,
    tip: str,
    *,
    pin_file: Path,
    expected: str | None = None,
    judge: Judge = judge_by_policy,
    progress: Progress | None = None,
) -> SyncReport:
    """Verify main up to the commit `tip` and move the pin in `pin_file` as far as it is valid.

    `expected` is the registry id the caller pinned. IntegrityBroken: another registry, or a history that does
    not continue from the pin. An invalid step is a value: `SyncReport.stopped`.
    """
    pin = read_pin(pin_file)
    try:
        return _verify(store, tip, pin, expected=expected, judge=judge, progress=progress, keep=pin_file)
    except BadObject as bad:
        raise _unreadable(bad) from bad


def audit(
    store: Store,
    tip: str,
    *,
    expected: str | None = None,
    judge: Judge = judge_by_policy,
    progress: Progress | None = None,
) -> SyncReport:
    """Verify the whole history of main from its genesis up to `tip`; no pin is read or written."""
    try:
        return _verify(store, tip, None, expected=expected, judge=judge, progress=progress, keep=None)
    except BadObject as bad:
        raise _unreadable(bad) from bad


def read_pin(path: Path) -> Pin | None:
    """Read a pin, None where there is none yet; IntegrityBroken when the file is not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        pin = Pin(value["registry"], value["commit"], value["steps"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityBroken(
            f"{path} is not a pin", hint="restore it from a backup, or `registry rm` and add"
        ) from error
    if not (isinstance(pin.commit, str) and is_commit_id(pin.commit) and isinstance(pin.steps, int)):
        raise IntegrityBroken(f"{path} is not a pin", hint="restore it from a backup, or `registry rm` and add")
    return pin


def write_pin(path: Path, pin: Pin) -> None:
    """Write a pin so that after a crash either the old or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps({"registry": pin.registry, "commit": pin.commit, "steps": pin.steps}, indent=1) + "\n"
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    with suppress(OSError, AttributeError):  # some systems open no folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _verify(
    store: Store,
    tip: str,
    pin: Pin | None,
    *,
    expected: str | None,
    judge: Judge,
    progress: Progress | None,
    keep: Path | None,
) -> SyncReport:
    line = _line(store, tip, pin)
    known = pin.registry if pin is not None else registry_id(store, line[:20].hex())
    if expected is not None and known != expected:
        hint = "do not use it; ask a maintainer for the id of the registry, over another way than this address"
        raise IntegrityBroken(f"this is another registry: expected {expected}, found {known}", hint=hint)
    place, verified, stopped = pin, 0, None
    steps = len(line) // 20
    try:
        for commit in iter_ids(line):
            judgement = judge_step(store, commit, judge=judge)
            # A later quarantine record (DESIGN "Checking a change") will be asked here whether this step is ignored.
            if judgement.outcome is not Outcome.PASS:
                stopped = StoppedAt(commit, judgement)
                break
            place = Pin(known, commit, (place.steps if place else 0) + 1)
            verified += 1
            if progress is not None:
                progress(verified, steps)
            if keep is not None and verified % _PIN_EVERY == 0:
                write_pin(keep, place)
    finally:
        if keep is not None and place is not None and verified:
            write_pin(keep, place)
    return SyncReport(place, verified, stopped)


def _line(store: Store, tip: str, pin: Pin | None) -> bytearray:
    try:
        return line_between(store, tip, pin.commit if pin else None)
    except LookupError as error:
        assert pin is not None  # noqa: S101  (without a place to stop at, the walk ends at the root)
        raise IntegrityBroken(
            f"the history of main {_how_broken(store, tip, pin)}: verified here up to {pin.commit} (step {pin.steps}), "
            f"now main is {tip}, which does not continue from there",
            hint="do not use this copy; ask a maintainer, and show them these two commits",
        ) from error


def _how_broken(store: Store, tip: str, pin: Pin) -> str:
    if not store.has_commit(pin.commit):
        return "was replaced"
    return "went back" if tip in FirstParentLine(store, pin.commit) else "was forked"


def _unreadable(bad: BadObject) -> IntegrityBroken:
    return IntegrityBroken(f"the history of main is unreadable: {bad.finding.message}", hint="ask a maintainer")
