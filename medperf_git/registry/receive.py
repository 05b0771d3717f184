"""Judge a push on the server side, before Git accepts it.

The new objects lie in quarantine: `open_received` reads where, opens the repository by path, and clears `GIT_*`.
`submit/<id>` may be created and moved forward when its verdict is pass or needs-a-person and its name fits its
files; `main` moves forward by passing steps only and begins with a genesis; a proposal may be deleted when main
has all its files; every other ref is refused. Nothing is printed here.
"""

import re
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.judge import judge as judge_by_policy
from medperf_git.policy.verdict import Outcome
from medperf_git.records.findings import Finding
from medperf_git.records.times import format_time
from medperf_git.registry.changes import read_proposal
from medperf_git.registry.commits import submission_id
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.objects import BadObject, Store, is_commit_id
from medperf_git.registry.quarantine import standing_behind
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.standing import SOUND, Standing
from medperf_git.registry.steps import CLOCK_SLACK, Judge, Judgement, future_faults, judge_proposal, judge_step
from medperf_git.registry.sync import sync, walk_main

MAIN = "refs/heads/main"
# How old a step may be that is pushed to main, by the setting of the repository that a mirror may raise, in seconds:
# who merges writes the time by which opening and closing are judged.
STEP_AGE = "medperf-git.stepAge"

_PROPOSAL = re.compile(r"refs/heads/submit/([0-9a-f]{32})")
_NONE = "0" * 40


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One line of what a push asks for; 40 zeros stand for no commit."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        """Whether the ref is not there yet."""
        return self.old == _NONE

    @property
    def deletes(self) -> bool:
        """Whether the ref would go."""
        return self.new == _NONE


@dataclass(frozen=True, slots=True)
class RefVerdict:
    """Whether one update may happen, and why; `judgements` are the changes judged for it, in order."""

    update: RefUpdate
    accepted: bool
    findings: tuple[Finding, ...] = ()
    judgements: tuple[Judgement, ...] = ()


def open_received(environment: MutableMapping[str, str], folder: Path) -> Store:
    """Open the repository of a hook run in `folder`, quarantine included, and clear `GIT_*` of `environment`."""
    objects = environment.get("GIT_OBJECT_DIRECTORY")
    repository = folder / environment.get("GIT_DIR", ".")
    for name in [name for name in environment if name.startswith("GIT_")]:
        del environment[name]
    # Git itself has asked whether this repository's owner is trusted before it ran the hook.
    return Store.open(repository, quarantine=folder / objects if objects else None, trust_owner=True)


def parse_updates(text: str) -> tuple[RefUpdate, ...]:
    """Read the `old new ref` lines that Git gives to the hook; ValueError names a line that is none."""
    updates = []
    for line in text.splitlines():
        old, _, rest = line.partition(" ")
        new, _, ref = rest.partition(" ")
        if not (is_commit_id(old) and is_commit_id(new) and ref):
            raise ValueError(f"{line!r} is not a line of pre-receive")
        updates.append(RefUpdate(old, new, ref))
    return tuple(updates)


@dataclass(frozen=True, slots=True)
class Main:
    """Main as this host knows it: its tip, the last step that is valid, and how the tip stands behind it."""

    tip: str | None
    valid: str | None
    standing: Standing = SOUND

    @property
    def broken(self) -> bool:
        """Whether a step of it is invalid: somebody went around the hook."""
        return self.tip != self.valid

    @classmethod
    def of(cls, store: Store, *, pin_file: Path | None, at: datetime, judge: Judge) -> Self:
        """Verify main behind the step up to which it was verified at an earlier push; without a file it is believed."""
        tip = store.ref(MAIN)
        if tip is None or pin_file is None:
            return cls(tip, tip)
        try:
            report = sync(store, tip, pin_file=pin_file, judge=judge, now=at)
        except IntegrityBroken:  # an administrator set main back: all of it is verified anew
            pin_file.unlink(missing_ok=True)
            report = sync(store, tip, pin_file=pin_file, judge=judge, now=at)
        if report.stopped is None:
            return cls(tip, tip)
        standing = standing_behind(store, tip, broken=report.stopped.commit)
        return cls(tip, report.pin.commit if report.pin else None, standing)


def judge_push(
    store: Store,
    updates: Iterable[RefUpdate],
    *,
    at: datetime,
    judge: Judge = judge_by_policy,
    pin_file: Path | None = None,
) -> list[RefVerdict]:
    """Judge every update of a push against main as it stands; the caller refuses all when one is refused.

    `pin_file` keeps up to which step this host has verified main.
    """
    main = Main.of(store, pin_file=pin_file, at=at, judge=judge)
    verdicts = []
    for update in updates:
        try:
            verdicts.append(_judge_update(store, update, main, at=at, judge=judge))
        except BadObject as bad:
            verdicts.append(RefVerdict(update, accepted=False, findings=(bad.finding,)))
    return verdicts


def _judge_update(store: Store, update: RefUpdate, main: Main, *, at: datetime, judge: Judge) -> RefVerdict:
    if update.ref == MAIN:
        return _judge_main(store, update, main, at=at, judge=judge)
    proposal = _PROPOSAL.fullmatch(update.ref)
    if proposal is None:
        return _refuse(update, "no other branch or tag lives here", "push to submit/<id> with `medperf-git submit`")
    if main.tip is None:
        return _refuse(update, "the registry has no main yet", "push its genesis first: `medperf-git init`")
    if update.deletes:
        return _judge_deletion(store, update, main.tip, at=at)
    return _judge_submission(store, update, main, proposal=proposal.group(1), at=at, judge=judge)


def _judge_main(store: Store, update: RefUpdate, main: Main, *, at: datetime, judge: Judge) -> RefVerdict:
    if update.deletes:
        return _refuse(update, "main is never deleted", "keep it")
    if not store.has_commit(update.new):
        return _refuse(update, "main must point to a commit", "push a commit")
    try:
        steps = line_between(store, update.new, None if update.creates else update.old)
    except LookupError:
        return _refuse(update, "main only moves forward along its first parents", "merge into main as it stands now")
    if main.broken:
        return _judge_healing(store, update, main, list(iter_ids(steps)), at=at, judge=judge)
    judgements: list[Judgement] = []
    for step in iter_ids(steps):
        wrong = (*future_faults(store, step, at=at), *(() if update.creates else _past_faults(store, step, at=at)))
        if wrong:
            return RefVerdict(update, accepted=False, findings=wrong, judgements=tuple(judgements))
        judgements.append(judge_step(store, step, judge=judge))
        if judgements[-1].outcome is not Outcome.PASS:
            findings = (*judgements[-1].findings, _not_passed(step))
            return RefVerdict(update, accepted=False, findings=findings, judgements=tuple(judgements))
    return RefVerdict(update, accepted=True, judgements=tuple(judgements))


def _judge_healing(
    store: Store, update: RefUpdate, main: Main, steps: list[str], *, at: datetime, judge: Judge
) -> RefVerdict:
    """Behind an invalid step take only what makes all of main valid again."""
    wrong = [
        fault for step in steps for fault in (*future_faults(store, step, at=at), *_past_faults(store, step, at=at))
    ]
    stopped = walk_main(store, update.new, valid=main.valid, judge=judge, now=at) if main.valid else None
    if main.valid is None or stopped is not None:
        broken = stopped.commit[:12] if stopped else "the first one"
        message = f"commit {broken} of main is not valid, and this does not heal it"
        fix = f"the maintainers set it aside with `medperf-git withdraw {broken}`, or the administrator sets main back"
        wrong = [
            *(stopped.judgement.findings if stopped else ()),
            Finding("main-only-passes", message, fix=fix),
            *wrong,
        ]
    return RefVerdict(update, accepted=not wrong, findings=tuple(wrong))


def _judge_submission(
    store: Store, update: RefUpdate, main: Main, *, proposal: str, at: datetime, judge: Judge
) -> RefVerdict:
    if not store.has_commit(update.new):
        return _refuse(update, "a proposal must point to a commit", "push a commit")
    if not update.creates and not store.descends(update.new, update.old):
        return _refuse(update, "a proposal only moves forward", "fetch it and add your commit on top")
    if main.tip is None:
        raise AssertionError("a proposal is judged against a main")
    judgement = judge_proposal(store, main.tip, update.new, at=at, judge=judge, standing=main.standing)
    fitting = submission_id(judgement.files)
    lost = () if update.creates else tuple(_lost(store, update, judgement, main, at=at, judge=judge))
    findings = (*judgement.findings, *lost)
    if fitting != proposal:
        wrong = Finding("proposal-id", "the branch is not named after its files", fix=f"push to submit/{fitting}")
        findings = (*findings, replace(wrong, expected=fitting, got=proposal))
    accepted = judgement.outcome in (Outcome.PASS, Outcome.NEEDS_PERSON) and fitting == proposal and not lost
    return RefVerdict(update, accepted=accepted, findings=findings, judgements=(judgement,))


def _lost(
    store: Store, update: RefUpdate, judgement: Judgement, main: Main, *, at: datetime, judge: Judge
) -> Iterator[Finding]:
    """Find signatures that the proposal had and would lose; only one that counts for nothing any more may go."""
    old = judge_proposal(store, main.tip or "", update.old, at=at, judge=judge, standing=main.standing)
    worthless = {finding.path for finding in old.findings if finding.rule in ("signature", "head")}
    for path in sorted(old.files.keys() - judgement.files.keys() - worthless):
        message, fix = "others have signed this proposal, and their signatures stay", "add yours on top of them"
        yield Finding("ref", message, path=path, fix=fix)


def _judge_deletion(store: Store, update: RefUpdate, main: str, *, at: datetime) -> RefVerdict:
    """Allow it when main went through it, or has everything that it adds with the same bytes."""
    if update.creates:
        return _refuse(update, "there is no such proposal", "nothing to do")
    proposal = read_proposal(store, main, update.old, at=at)
    if proposal.fork == update.old:  # main was moved forward to this very commit
        return RefVerdict(update, accepted=True)
    here = Snapshot.at(store, main)
    missing = [path for path, data in proposal.files.items() if here.blob(path) != data]
    if missing or not proposal.files or proposal.change.faults:
        fix = "merge it first; a proposal that is not wanted may stay"
        return _refuse(update, "only a merged proposal may be deleted", fix)
    return RefVerdict(update, accepted=True)


def _past_faults(store: Store, commit: str, *, at: datetime) -> Iterator[Finding]:
    """Find a step that claims to be older than it can be, and one that changes nothing."""
    step = store.commit(commit)
    slack = timedelta(seconds=store.setting(STEP_AGE, int(CLOCK_SLACK.total_seconds())))
    if step.time < at - slack:
        message, expected = f"commit {commit[:12]} claims to be old", f"{format_time(at - slack)} or later"
        fix = f"merge again now; an administrator who copies a history here sets {STEP_AGE} for that time"
        yield Finding("step-time", message, expected=expected, got=format_time(step.time), fix=fix)
    if step.parents and store.commit(step.parents[0]).tree == step.tree:
        yield Finding("main-only-passes", f"commit {commit[:12]} changes nothing", fix="leave it out")


def _not_passed(commit: str) -> Finding:
    message = f"commit {commit[:12]} did not pass, and main takes nothing else"
    return Finding("main-only-passes", message, fix="mend what is named here, then merge again")


def _refuse(update: RefUpdate, message: str, fix: str) -> RefVerdict:
    return RefVerdict(update, accepted=False, findings=(Finding("ref", f"{update.ref}: {message}", fix=fix),))
