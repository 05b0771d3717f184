"""Verify main step by step, and remember how far.

Every first-parent step since the pin is judged; the pin then moves, atomically and durably. A history that does
not pass through the pin went back or was forked, and is refused. The first sync begins at the genesis, whose
`registry/0001.yaml` is the registry's id. Twenty bytes a step are all that is held of a history.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.judge import judge as judge_by_policy
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.registry.batches import prefetch_steps
from medperf_git.registry.history import FirstParentLine, line_between
from medperf_git.registry.objects import BadObject, Store, is_commit_id
from medperf_git.registry.quarantine import find_healing
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.steps import Judge, Judgement, future_faults, judge_step

GENESIS_RECORD = "registry/0001.yaml"

_PIN_EVERY = 256
_BATCH = 128

Progress: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, slots=True)
class Pin:
    """How far a registry was verified: its id, the last valid commit of main, steps from the genesis on.

    `trusted` is the commit that a light copy began at: main was believed as it stood there, and steps count from it.
    """

    registry: str
    commit: str
    steps: int
    trusted: str | None = None


@dataclass(frozen=True, slots=True)
class StoppedAt:
    """The first step that is not valid."""

    commit: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync found: the pin as it stands now, the steps verified in this run, where it stopped if it did.

    `set_aside` are invalid steps that a quarantine record or a step that restored exact bytes made harmless.
    """

    pin: Pin | None
    verified: int
    stopped: StoppedAt | None = None
    set_aside: tuple[str, ...] = ()


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
    now: datetime | None = None,
) -> SyncReport:
    """Verify main up to the commit `tip` and move the pin in `pin_file` as far as it is valid.

    `expected` is the registry id the caller pinned. IntegrityBroken: another registry, or a history that does
    not continue from the pin. An invalid step is a value: `SyncReport.stopped`; so is one later than `now`.
    """
    pin = read_pin(pin_file)
    try:
        return _verify(store, tip, pin, expected=expected, judge=judge, progress=progress, keep=pin_file, now=now)
    except BadObject as bad:
        raise _unreadable(bad) from bad


def audit(
    store: Store,
    tip: str,
    *,
    expected: str | None = None,
    judge: Judge = judge_by_policy,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> SyncReport:
    """Verify the whole history of main from its genesis up to `tip`; no pin is read or written."""
    try:
        return _verify(store, tip, None, expected=expected, judge=judge, progress=progress, keep=None, now=now)
    except BadObject as bad:
        raise _unreadable(bad) from bad


def walk_main(
    store: Store, tip: str, *, valid: str, judge: Judge = judge_by_policy, now: datetime | None = None
) -> StoppedAt | None:
    """Judge main behind the `valid` step up to `tip`; return where it stops, None when all of it is valid or healed."""
    walk = _Walk(store, line_between(store, tip, valid), valid, judge=judge)
    while walk.step(now) is not None:
        pass
    return walk.stopped


def read_pin(path: Path) -> Pin | None:
    """Read a pin, None where there is none yet; IntegrityBroken when the file is not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        pin = Pin(value["registry"], value["commit"], value["steps"], value.get("trusted"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityBroken(
            f"{path} is not a pin", hint="restore it from a backup, or `registry rm` and add"
        ) from error
    named = [pin.commit, *([] if pin.trusted is None else [pin.trusted])]
    if not (all(isinstance(one, str) and is_commit_id(one) for one in named) and isinstance(pin.steps, int)):
        raise IntegrityBroken(f"{path} is not a pin", hint="restore it from a backup, or `registry rm` and add")
    return pin


def write_pin(path: Path, pin: Pin) -> None:
    """Write a pin so that after a crash either the old or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    begun = {"trusted": pin.trusted} if pin.trusted else {}
    text = json.dumps({"registry": pin.registry, "commit": pin.commit, "steps": pin.steps, **begun}, indent=1) + "\n"
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
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
    now: datetime | None,
) -> SyncReport:
    line = _line(store, tip, pin)
    known = pin.registry if pin is not None else registry_id(store, line[:20].hex())
    if expected is not None and known != expected:
        hint = "do not use it; ask a maintainer for the id of the registry, over another way than this address"
        raise IntegrityBroken(f"this is another registry: expected {expected}, found {known}", hint=hint)
    walk = _Walk(store, line, pin.commit if pin else "", judge=judge)
    before, steps = pin.steps if pin else 0, len(line) // 20
    place, written = pin, 0
    try:
        while (verified := walk.step(now)) is not None:
            place = Pin(known, walk.valid, before + verified, pin.trusted if pin else None)
            if progress is not None:
                progress(verified, steps)
            if keep is not None and place is not None and verified - written >= _PIN_EVERY:
                write_pin(keep, place)
                written = verified
    finally:
        if keep is not None and place is not None and place != pin:
            write_pin(keep, place)
    return SyncReport(place, place.steps - before if place else 0, walk.stopped, tuple(walk.set_aside))


class _Walk:
    """Guards one walk along main: the last valid step, which were set aside, why it stopped."""

    def __init__(self, store: Store, line: bytearray, valid: str, *, judge: Judge) -> None:
        self._store = store
        self._line = line
        self._judge = judge
        self._at = self._brought = 0
        self.valid = valid
        self.stopped: StoppedAt | None = None
        self.set_aside: list[str] = []

    def step(self, now: datetime | None) -> int | None:
        """Judge the next step and return how many are behind; None at the end, or where it stopped."""
        if self.stopped is not None or self._at * 20 >= len(self._line):
            return None
        if self._at >= self._brought:
            self._bring()
        commit = self._commit(self._at)
        judgement = judge_step(self._store, commit, judge=self._judge)
        if judgement.outcome is not Outcome.PASS:
            if not self._heal(commit, now):
                self._stop(commit, judgement)
        elif late := tuple(future_faults(self._store, commit, at=now)) if now is not None else ():
            # Nothing heals it, or readers would disagree once its time has come; the host may still take it away.
            self._stop(commit, replace(judgement, verdict=Verdict.of((*judgement.findings, *late))))
        else:
            self.valid, self._at = commit, self._at + 1
        return None if self.stopped else self._at

    def _bring(self) -> None:
        """Bring what the next steps changed, where this is a light copy."""
        self._brought = min(self._at + _BATCH, len(self._line) // 20)
        prefetch_steps(self._store, [self._commit(number) for number in range(self._at, self._brought)])

    def _stop(self, commit: str, judgement: Judgement) -> None:
        self.stopped = StoppedAt(commit, judgement)

    def _heal(self, commit: str, now: datetime | None) -> bool:
        """Go on behind the step that makes an invalid one harmless; tell whether there is one."""
        if not self.valid:
            return False
        later = [self._commit(number) for number in range(self._at + 1, len(self._line) // 20)]
        healing = find_healing(self._store, commit, later, valid=self.valid, judge=self._judge, now=now)
        if healing is None:
            return False
        self.set_aside.append(commit)
        self.valid, self._at = healing.step, self._at + 2 + healing.place
        return True

    def _commit(self, number: int) -> str:
        return self._line[number * 20 : number * 20 + 20].hex()


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
