"""What would leave this house: the exact bytes of every result record of a run, and plain words about them.

A record is built from an outcome, the records it rests on and the disclosure limits; the digest of each reviewed
record is kept, and nothing but those bytes can be submitted.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from medperf_git import __version__
from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.disclosure import hold_back_near, limits_of, publishable, who_sees
from medperf_git.flows.naming import Found, V, at_ref
from medperf_git.flows.prepared import prepared_for
from medperf_git.flows.propose import Draft
from medperf_git.flows.runbook import find_run, outcomes_of
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.digests import digest_of, short
from medperf_git.records.folds import Status, association_state, is_associated_model, result_chain
from medperf_git.records.models import Benchmark, Dataset, Result
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored, read_record, write_record
from medperf_git.records.times import format_time
from medperf_git.records.view import RecordView, next_number
from medperf_git.runner.durable import write_json
from medperf_git.runner.execute import verify_after_run
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.store import RunFolder

_FILE = "reviewed.json"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One result as it would leave: its bytes, what is held back, what it supersedes."""

    draft: Draft
    data: bytes
    outcome: Outcome
    held_back: tuple[str, ...]
    supersedes: str

    @property
    def result(self) -> Result:
        """The record."""
        if not isinstance(self.draft.record, Result):
            raise TypeError("a review is about results")
        return self.draft.record


@dataclass(frozen=True, slots=True)
class RunReview:
    """Every result of a run that is not published yet, and sentences about the others.

    `looks` says when the data were found unchanged: (moment, time), oldest first.
    """

    run_id: str
    benchmark: Ref
    dataset: Ref
    records: tuple[Reviewed, ...]
    notes: tuple[str, ...]
    seen_by: str
    looks: tuple[tuple[str, str], ...] = ()

    def lines(self) -> Iterator[str]:
        """Say in plain words and exact bytes what would leave."""
        yield f"Run {self.run_id}: {self.dataset} in {self.benchmark}"
        yield from self.notes
        if not self.records:
            yield "Nothing of it would leave: there is no result that is not published yet."
            return
        yield f"{len(self.records)} record(s) would leave, and nothing else. Seen by {self.seen_by}."
        for one in self.records:
            yield from _lines_of(one)
        yield "Data, labels, predictions, logs and values of single cases stay here."

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        records = [
            {
                "path": one.draft.path,
                "digest": digest_of(one.data),
                "record": one.data.decode(),
                "held_back": list(one.held_back),
                "supersedes": one.supersedes,
            }
            for one in self.records
        ]
        return {"run": self.run_id, "records": records, "notes": list(self.notes), "seen_by": self.seen_by}


def review_run(workspace: Workspace, text: str | None) -> RunReview:
    """Build what a run would publish, and note the digests of exactly these bytes as reviewed."""
    run = find_run(workspace.context.home, text)
    if unverified_outcomes(run):
        _verify(workspace, run)
    review = build_review(workspace.view, run)
    write_json(run.path / _FILE, {one.draft.path: digest_of(one.data) for one in review.records})
    return review


def unverified_outcomes(run: RunFolder) -> list[Ref]:
    """Return the models with an outcome after which the dataset was not looked at again (T14)."""
    waiting = run.unverified()
    return [outcome.model.ref for outcome in outcomes_of(run) if outcome.model.ref in waiting]


def _verify(workspace: Workspace, run: RunFolder) -> None:
    """Look at the data of an interrupted run again; IntegrityBroken when they have changed, which undoes it."""
    dataset = at_ref(workspace.view, Dataset, Ref.parse(run.plan()["dataset"]["ref"])).record
    prepared = prepared_for(workspace.context.home, dataset)
    workspace.context.say(f"looking at the data of {dataset.ref} again, since the run was interrupted")
    with run.held():
        verify_after_run(run, prepared.roots, prepared.content, moment="after the run")
        run.note_look("after the run, at its review", format_time(workspace.context.clock()))


def build_review(view: RecordView, run: RunFolder) -> RunReview:
    """Build the result records of a run against the present state of the registry; pure.

    Raises `Refused` while the dataset was not looked at again after models ran on it.
    """
    plan = run.plan()
    if waiting := unverified_outcomes(run):
        said = ", ".join(map(str, waiting))
        raise Refused(
            f"the data was not looked at again since {said} ran, so nothing of run {run.run_id} can leave",
            hint=f"look at it now: medperf-git review {run.run_id}",
        )
    try:
        benchmark = _registered(view, run, Benchmark, Ref.parse(plan["benchmark"]["ref"]))
        dataset = _registered(view, run, Dataset, Ref.parse(plan["dataset"]["ref"]))
        cases = int(plan["cases"])
        _refuse_other_bytes(run, plan["benchmark"], benchmark)
        _refuse_other_bytes(run, plan["dataset"], dataset)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageProblem(f"the notes of run {run.run_id} are damaged", hint="run it again") from error
    records, notes = [], []
    state = association_state(view, benchmark.ref, "dataset", dataset.ref).status
    if state is not Status.APPROVED:
        notes.append(f"{dataset.ref} is not approved for {benchmark.ref} ({state}); until it is, all of it stays here")
    for outcome in outcomes_of(run) if state is Status.APPROVED else ():
        chain = result_chain(view, benchmark.ref, dataset.ref, outcome.model.ref)
        published = _published(chain, outcome)
        if published is not None:
            notes.append(f"{outcome.model.ref}: published already, as {short(published.digest)}")
        elif not is_associated_model(view, benchmark.ref, outcome.model.ref):
            notes.append(f"{outcome.model.ref}: stays here, it is not approved any more")
        else:
            records.append(_reviewed(view, benchmark, dataset, outcome=outcome, chain=chain, cases=cases))
    seen_by = who_sees(view, benchmark.ref)
    return RunReview(run.run_id, benchmark.ref, dataset.ref, tuple(records), tuple(notes), seen_by, looks=run.looks())


def _registered(view: RecordView, run: RunFolder, model: type[V], ref: Ref) -> Found[V]:
    """Return what a run was about; `Refused` where this registry has no such record, as before a trial is submitted."""
    try:
        return at_ref(view, model, ref)
    except UsageProblem as error:
        raise Refused(
            f"run {run.run_id} was about the {model.KIND} {ref}, which is not in this registry: nothing of it leaves",
            hint="name another run: `medperf-git runs ls` lists them; or register what it was about, then repeat",
        ) from error


def _refuse_other_bytes(run: RunFolder, planned: Mapping[str, Any], found: Found[Benchmark] | Found[Dataset]) -> None:
    """Raise `Refused` when a run was about other bytes than are registered under that name now."""
    if planned.get("digest", found.stored.digest) != found.stored.digest:
        raise Refused(
            f"run {run.run_id} was about another {found.ref} than the registered one, so nothing of it can leave",
            hint=f"run it on the registered one: medperf-git run BENCHMARK --dataset {found.record.name}",
        )


def reviewed_digests(run: RunFolder) -> dict[str, str]:
    """Return what was reviewed of a run: path → digest of the bytes."""
    try:
        value = json.loads((run.path / _FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(path): str(digest) for path, digest in value.items()} if isinstance(value, dict) else {}


def _reviewed(
    view: RecordView,
    benchmark: Found[Benchmark],
    dataset: Found[Dataset],
    *,
    outcome: Outcome,
    chain: tuple[Stored, ...],
    cases: int,
) -> Reviewed:
    record, held_back = build_result(view, benchmark, dataset, outcome=outcome, chain=chain, cases=cases)
    folder = layout.result_folder(benchmark.ref, dataset.ref, outcome.model.ref)
    path = layout.numbered(folder, next_number(view, folder))
    limits = limits_of(view, benchmark.ref, dataset.record.disclosure)
    record, near = hold_back_near(view, path, record, min_cases=limits.min_cases)
    held_back, data = (*held_back, *near), write_record(record)
    findings = read_record(path, data).findings
    if findings:
        said = "; ".join(f"{finding.pointer}: {finding.message}" for finding in findings)
        raise UsageProblem(f"the result of {outcome.model.ref} has no valid form: {said}", hint="run it again")
    supersedes = short(chain[-1].digest) if chain else ""
    return Reviewed(Draft(path, record), data, outcome, held_back, supersedes)


def build_result(
    view: RecordView,
    benchmark: Found[Benchmark],
    dataset: Found[Dataset],
    *,
    outcome: Outcome,
    chain: tuple[Stored, ...],
    cases: int,
) -> tuple[Result, tuple[str, ...]]:
    """Compose the record of an outcome, and say what is held back; `cases` is the true number."""
    limits = limits_of(view, benchmark.ref, dataset.record.disclosure)
    shown = publishable(outcome.values or {}, benchmark.record.metrics, limits, cases=cases)
    kept = [f"not declared by the benchmark, so it stays here: {key}" for key in outcome.held_back]
    record = Result(
        created=outcome.finished,
        previous=chain[-1].digest if chain else None,
        benchmark=benchmark.reference,
        dataset=dataset.reference,
        model=outcome.model,
        data_preparator=benchmark.record.data_preparator,
        metrics_cube=benchmark.record.metrics_cube,
        images=outcome.images,
        parameters=outcome.parameters,
        outcome=outcome.outcome,
        reason=outcome.reason,
        attempt=max(outcome.attempt, _last_attempt(chain) + 1),
        cases=dataset.record.cases,
        values=shown.values or None,
        sandbox=outcome.sandbox.value,
        engine=outcome.engine,
        started=outcome.started,
        finished=outcome.finished,
        client=f"medperf-git {__version__}",
        assurance="self-attested",
    )
    return record, (*shown.held_back, *kept)


def _published(chain: tuple[Stored, ...], outcome: Outcome) -> Stored | None:
    """Return the published result of exactly this attempt."""
    for link in chain:
        record = link.record
        if isinstance(record, Result) and (record.started, record.finished) == (outcome.started, outcome.finished):
            return link
    return None


def _last_attempt(chain: tuple[Stored, ...]) -> int:
    return max((link.record.attempt for link in chain if isinstance(link.record, Result)), default=0)


def _lines_of(one: Reviewed) -> Iterator[str]:
    result = one.result
    yield ""
    said = result.outcome if result.reason is None else f"failed ({result.reason})"
    yield f"— {result.model.ref}: {said}, attempt {result.attempt}"
    if one.supersedes:
        yield f"It supersedes the result {one.supersedes}, which stays in the history."
    yield from (f"Held back: {sentence}" for sentence in one.held_back)
    if one.outcome.explanation:
        yield f"Stays here: {one.outcome.explanation}"
    yield f"{one.draft.path} ({len(one.data)} bytes, SHA-256 {digest_of(one.data)[7:19]}…):"
    yield from ("  " + line for line in one.data.decode().splitlines())
