"""Results as they were reviewed → one proposal; other bytes than those reviewed are refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.batches import say_parts, split_drafts
from medperf_git.flows.naming import at_ref, find
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.propose import Draft
from medperf_git.flows.reviewing import Reviewed, RunReview, build_review, reviewed_digests
from medperf_git.flows.run_rows import outcome_row
from medperf_git.flows.runbook import find_run
from medperf_git.flows.workspace import Workspace
from medperf_git.records.digests import digest_of
from medperf_git.records.folds import member_state, registry_state
from medperf_git.records.models import Benchmark, Cube, Result
from medperf_git.records.record import write_record


@dataclass(frozen=True, slots=True)
class Submission:
    """What would be submitted of a run."""

    review: RunReview
    records: tuple[Reviewed, ...]

    @property
    def drafts(self) -> list[Draft]:
        """The records, each where it belongs."""
        return [one.draft for one in self.records]

    def parts(self, workspace: Workspace) -> tuple[list[list[Draft]], str]:
        """Return the records in as few proposals as the limits allow, and a sentence where they are several."""
        registry = registry_state(workspace.view)
        if registry is None:
            return [self.drafts], ""
        parts = split_drafts(self.drafts, registry.limits, signatures=self.keys(workspace))
        return parts, say_parts(parts, registry.limits, what="result")

    def keys(self, workspace: Workspace) -> int:
        """Return how many of its own keys the dataset's owner wants on a result."""
        owner = member_state(workspace.view, self.review.dataset.member)
        return owner.cosigning.result if owner and owner.cosigning else 1

    @property
    def benchmark(self) -> str:
        """Which benchmark they are about."""
        return str(self.review.benchmark)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is not submitted."""
        return self.review.notes

    @property
    def title(self) -> str:
        """One line about the proposal."""
        count = len(self.records)
        what = f"{count} results" if count > 1 else f"the result of {self.records[0].result.model.ref}"
        return f"Submit {what} on {self.review.dataset}" if count else "Nothing to submit"

    def next_step(self, workspace: Workspace) -> str:
        """Return what can be done once it is merged."""
        after = f"medperf-git leaderboard show {self.benchmark}"
        record = at_ref(workspace.view, Benchmark, self.review.benchmark).record
        if not record.comparisons or not any(metric.is_per_case for metric in record.metrics):
            return after
        return f"{after}; once all are merged: medperf-git compare {self.benchmark} --dataset {self.review.dataset}"

    def rows(self) -> list[dict[str, Any]]:
        """Return one line for each result."""
        return [
            outcome_row(one.outcome) | {"attempt": one.result.attempt, "values": _values(one), "path": one.draft.path}
            for one in self.records
        ]


def build_submission(workspace: Workspace, text: str | None, *, models: Sequence[str] = ()) -> Submission:
    """Return what was reviewed of a run and is not published yet, or of it only the results of `models`.

    Raises `Refused` when nothing was reviewed, or when the bytes are others than those reviewed.
    """
    run = find_run(workspace.context.home, text)
    reviewed = reviewed_digests(run)
    review = build_review(workspace.view, run)
    chosen = _chosen(workspace, review, models) if models else review.records
    for one in chosen:
        refuse_unreviewed(one, reviewed, run.run_id)
    return Submission(review, chosen)


def waiting_elsewhere(workspace: Workspace, drafts: Sequence[Draft]) -> Iterator[str]:
    """Say which of the results wait in another open proposal of this machine: of the two only one can be merged."""
    files = {draft.path: write_record(draft.record) for draft in drafts}
    models = {draft.path: str(draft.record.model.ref) for draft in drafts if isinstance(draft.record, Result)}
    for entry in Outbox.of(workspace.context.home, workspace.alias).entries():
        is_open = entry.state == "ready" or (entry.state == "sent" and entry.id in workspace.proposals())
        shared = [path for path in models if path in entry.records]
        if not is_open or not shared or entry.records == files:
            continue
        others = [models[path] for path in shared if entry.records[path] != files[path]]
        named = ", ".join(others or [models[path] for path in shared])
        kind = "an earlier result" if others else "the same result"
        yield f"beware: {kind} of {named} waits in your proposal {entry.id[:12]}; only one of the two can be merged"


def _chosen(workspace: Workspace, review: RunReview, models: Sequence[str]) -> tuple[Reviewed, ...]:
    """Return the results of some models; UsageProblem where one has none that is not published yet."""
    there = {one.result.model.ref: one for one in review.records}
    wanted = dict.fromkeys(find(workspace.view, Cube, text, member=workspace.member).ref for text in models)
    if absent := [str(ref) for ref in wanted if ref not in there]:
        waiting = ", ".join(map(str, there)) or "none"
        message = f"run {review.run_id} has no result of {', '.join(absent)} that would leave"
        raise UsageProblem(message, hint=f"those that would: {waiting}")
    return tuple(there[ref] for ref in wanted)


def refuse_unreviewed(one: Reviewed, reviewed: dict[str, str], run_id: str) -> None:
    """Raise `Refused` unless exactly these bytes were reviewed."""
    expected = reviewed.get(one.draft.path)
    if expected is None:
        message = f"the result of {one.result.model.ref} was not reviewed"
        raise Refused(message, hint=f"look at what would leave: medperf-git review {run_id}")
    if expected != digest_of(one.data):
        message = f"the result of {one.result.model.ref} is not what was reviewed: expected {expected[:19]}…"
        raise Refused(
            f"{message}, got {digest_of(one.data)[:19]}…", hint=f"review it again: medperf-git review {run_id}"
        )


def _values(one: Reviewed) -> str:
    values = one.result.values or {}
    return ", ".join(f"{key} {value.value}" for key, value in values.items() if value.value is not None)
