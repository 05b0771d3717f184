"""Judge a proposal, or one step of main.

A step of main is a merge commit whose first parent is A, a squash of a proposal on A, or a fast-forward of one
commit on A; a merge commit holds exactly what its proposal adds. Its time is the committer time, never before
its parent's. The root commit is judged as a genesis.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.change import Change, NoHistory
from medperf_git.policy.judge import judge as judge_by_policy
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.findings import Finding, errors_in
from medperf_git.records.layout import QUARANTINE
from medperf_git.records.models import Quarantine
from medperf_git.records.record import read_record
from medperf_git.records.times import format_time
from medperf_git.registry.changes import Proposal, genesis_change, read_proposal, read_step
from medperf_git.registry.objects import BadObject, Commit, Meter, Store
from medperf_git.registry.snapshot import EmptyView
from medperf_git.registry.standing import SOUND, Standing

Judge: TypeAlias = Callable[[Change], Verdict]

CLOCK_SLACK = timedelta(minutes=10)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the change it is about, and what reading it cost.

    `files` are all files that were proposed, by which a proposal is named (`submission_id`).
    """

    verdict: Verdict
    change: Change
    files: Mapping[str, bytes]
    meter: Meter

    @property
    def outcome(self) -> Outcome:
        """The outcome of the verdict."""
        return self.verdict.outcome

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the verdict."""
        return self.verdict.findings


def judge_proposal(
    store: Store, base: str, head: str, *, at: datetime, judge: Judge = judge_by_policy, standing: Standing = SOUND
) -> Judgement:
    """Judge what merging `head` into `base` at the time `at` would do; `standing` says how `base` stands."""
    mark = store.meter.mark()
    try:
        proposal = read_proposal(store, base, head, at=at, hidden=standing.hidden)
        faults = [*future_faults(store, head, at=at), *_quarantine_faults(proposal.change, standing)]
    except BadObject as bad:
        return _judged(store, _nothing(bad.finding, at), mark, judge=judge)
    return _judged(store, _with_faults(proposal.change, faults), mark, judge=judge, files=proposal.files)


def judge_genesis(store: Store, root: str, *, judge: Judge = judge_by_policy) -> Judgement:
    """Judge a root commit as the beginning of a registry."""
    mark = store.meter.mark()
    try:
        commit = store.commit(root)
        change = genesis_change(store, root, at=commit.time)
        if commit.parents:
            change = _with_faults(change, [_form("the genesis has a parent", "start the registry with a root commit")])
    except BadObject as bad:
        change = _nothing(bad.finding, _EPOCH)
    return _judged(store, change, mark, judge=judge)


def judge_step(
    store: Store, commit_id: str, *, judge: Judge = judge_by_policy, standing: Standing = SOUND
) -> Judgement:
    """Judge one commit of the first-parent line of main against its first parent.

    `standing` says how main stands before it. A step that changes nothing and has the right form passes: merging
    twice what was merged, or an empty commit, does no harm.
    """
    mark = store.meter.mark()
    try:
        commit = store.commit(commit_id)
        if not commit.parents:
            return judge_genesis(store, commit_id, judge=judge)
        parent = store.commit(commit.parents[0])
        step = read_step(store, parent.id, commit_id, at=commit.time, hidden=standing.hidden)
        faults = [*_time_faults(commit, parent), *_form_faults(store, commit, step)]
        change = _with_faults(step.change, [*faults, *_quarantine_faults(step.change, standing)])
        if commit.tree == parent.tree and not change.faults:
            return Judgement(Verdict.of(()), change, change.added, store.meter.since(mark))
    except BadObject as bad:
        change = _nothing(bad.finding, _EPOCH)
    return _judged(store, change, mark, judge=judge)


def future_faults(store: Store, commit_id: str, *, at: datetime) -> Iterator[Finding]:
    """Find a commit from the future: as a step of main it would keep everybody from merging until then."""
    time = store.commit(commit_id).time
    if time > at + CLOCK_SLACK:
        message = f"commit {commit_id[:12]} comes from the future"
        expected = f"{format_time(at)} or earlier"
        fix = "set your clock, and make the commit again"
        yield Finding("step-time", message, expected=expected, got=format_time(time), fix=fix)


def _quarantine_faults(change: Change, standing: Standing) -> Iterator[Finding]:
    """Find quarantine records about anything but the step that waits for one, and all that it added."""
    for path in sorted(path for path in change.added if path.startswith(QUARANTINE + "/")):
        stored = read_record(path, change.added[path]).stored
        if stored is None or not isinstance(stored.record, Quarantine):
            continue
        record = stored.record
        added = standing.pending.get(record.commit)
        if added is None:
            message = "no step of main waits to be set aside under this id"
            fix = (
                "name the step at which `medperf-git audit` stops; what changed more is restored byte for byte instead"
            )
            yield Finding("quarantine", message, path=path, pointer="/commit", got=record.commit, fix=fix)
        elif set(record.paths) != added:
            wrong = ", ".join(sorted(added ^ set(record.paths)))[:300]
            message, fix = "these are not the paths that the step added", "name all of them, and no other"
            yield Finding("quarantine", message, path=path, pointer="/paths", got=wrong, fix=fix)


def _time_faults(commit: Commit, parent: Commit) -> Iterator[Finding]:
    if commit.time < parent.time:
        yield Finding(
            "step-time",
            "the commit is older than the one before it on main",
            expected=f"{format_time(parent.time)} or later",
            got=format_time(commit.time),
            fix="merge with a merge commit made now",
        )


def _form_faults(store: Store, commit: Commit, step: Proposal) -> Iterator[Finding]:
    """Find where a merge holds other files than its proposal adds."""
    if len(commit.parents) > 2:
        yield _form("a merge of several proposals at once", "merge one proposal at a time")
    elif len(commit.parents) == 2:
        proposal = read_proposal(store, commit.parents[0], commit.parents[1], at=commit.time)
        yield from proposal.change.faults
        differing = {path for path, _ in proposal.blobs.items() ^ step.blobs.items()}
        for path in sorted(differing):
            side = "the merge" if path in step.blobs else "the proposal"
            finding = _form(f"the merge is not what the proposal adds: see {side}", "merge without editing")
            yield replace(finding, path=path)


def _judged(
    store: Store, change: Change, mark: Meter, *, judge: Judge, files: Mapping[str, bytes] | None = None
) -> Judgement:
    verdict = judge(change)
    if errors_in(change.faults) and verdict.outcome in (Outcome.PASS, Outcome.NEEDS_PERSON):
        raise IntegrityBroken("a judge passed a change that Git shows to be wrong", hint="report this as a bug")
    return Judgement(verdict, change, change.added if files is None else files, store.meter.since(mark))


def _with_faults(change: Change, faults: list[Finding]) -> Change:
    known = set(change.faults)
    return replace(change, faults=(*change.faults, *(fault for fault in faults if fault not in known)))


def _nothing(finding: Finding, at: datetime) -> Change:
    view = EmptyView()
    return Change(before=view, after=view, added={}, faults=(finding,), at=at, history=NoHistory())


def _form(message: str, fix: str) -> Finding:
    return Finding("merge-form", message, fix=fix)
