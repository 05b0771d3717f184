"""Two states of a registry that people name → what lies between them in the rankings.

Rules kept here: a state is a step of main that was verified here, or an open proposal as merging it into the other
state would leave it; what would be refused is not compared. Only benchmarks whose files differ are read.

difference = diff(workspace, "main~1", "main")
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.merging import find_proposal
from medperf_git.flows.naming import find
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.affected import affected
from medperf_git.leaderboard.difference import Difference, compare_rankings
from medperf_git.leaderboard.sides import Tables
from medperf_git.policy.verdict import Outcome
from medperf_git.records.models import Benchmark
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.registry.differing import iter_differing
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.snapshot import Snapshot

_BACK = re.compile(r"(?:main|HEAD)(?:~([0-9]{1,9}))?|(?:main|HEAD)(\^+)")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class State:
    """A state of the registry: a verified step of main, or an open proposal; `name` is how people call it."""

    name: str
    commit: str
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """Two states and what lies between them."""

    before: State
    after: State
    difference: Difference


def diff(workspace: Workspace, first: str | None, second: str | None, *, benchmark: str | None = None) -> Between:
    """Compare two states, the earlier first: nothing named means the last step of main, one means it beside main.

    Raises `UsageProblem` for what names no state, `Refused` for a proposal that would be refused.
    """
    line = list(iter_ids(line_between(workspace.store, workspace.head, None)))
    before, after = _pair(workspace, line, first, second)
    if before.proposal:
        raise UsageProblem("a proposal comes second: it is set beside main", hint=f"say: diff main {before.name}")
    earlier, later, changed = _views(workspace, before, after)
    refs = affected(earlier, later, changed)
    if benchmark is not None:
        chosen = _benchmark(earlier, later, benchmark, member=workspace.member)
        refs = tuple(ref for ref in refs if ref == chosen)
    return Between(before, after, compare_rankings(Tables(earlier, later), refs))


def find_state(workspace: Workspace, line: list[str], text: str) -> State:
    """Return the state that `main`, `main~2`, digits of a commit of main, a tag, or an open proposal names."""
    if match := _BACK.fullmatch(text):
        back = int(match[1] or 0) + len(match[2] or "")
        if back >= len(line):
            hint = f"main~{len(line) - 1} is the first"
            raise UsageProblem(f"main has {len(line)} steps here, and {text} is before the first of them", hint=hint)
        return State(text, line[-1 - back])
    steps = [step for step in line if step.startswith(text)] if _COMMIT.fullmatch(text) else []
    if len(steps) == 1:
        return State(text[:12], steps[0])
    tag = workspace.store.commit_of(f"refs/tags/{text}")
    if tag is not None and tag in line:
        return State(text, tag)
    try:
        proposal = find_proposal(workspace, text)
    except UsageProblem as problem:
        hint = "say main, main~1, digits of a commit of `medperf-git log`, or an open proposal of `medperf-git inbox`"
        raise UsageProblem(f"{text!r} names no step of main; {problem.message}", hint=hint) from problem
    return State(f"submit/{proposal[:12]}", workspace.proposals()[proposal], proposal)


def _pair(workspace: Workspace, line: list[str], first: str | None, second: str | None) -> tuple[State, State]:
    main = State("main", line[-1])
    if first is None:
        return State("main~1" if len(line) > 1 else "main", line[max(len(line) - 2, 0)]), main
    one = find_state(workspace, line, first)
    if second is None:
        return (main, one) if one.proposal else (one, main)
    return one, find_state(workspace, line, second)


def _views(workspace: Workspace, before: State, after: State) -> tuple[RecordView, RecordView, list[str]]:
    """Return both states, and the paths that differ."""
    earlier = Snapshot.at(workspace.store, before.commit)
    if not after.proposal:
        later = Snapshot.at(workspace.store, after.commit)
        return earlier, later, list(iter_differing(earlier, later))
    judgement = workspace.judge(after.commit)
    if judgement.outcome not in (Outcome.PASS, Outcome.NEEDS_PERSON):
        hint = f"`medperf-git check --head {after.name.removeprefix('submit/')}` says why"
        raise Refused(f"{after.name} would be refused as it is, so it changes nothing", hint=hint)
    change = judgement.change
    main = list(iter_differing(earlier, Snapshot.at(workspace.store, workspace.base)))
    return earlier, change.after, [*main, *change.added]


def _benchmark(earlier: RecordView, later: RecordView, text: str, *, member: str | None) -> Ref:
    """Find a benchmark in the later state, or in the earlier where it is there alone."""
    try:
        return find(later, Benchmark, text, member=member).ref
    except UsageProblem as problem:
        with suppress(UsageProblem):
            return find(earlier, Benchmark, text, member=member).ref
        raise problem from None
