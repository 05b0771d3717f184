"""A view of a registry → its tables.

Rules kept here: every `.yaml` below `results/` is counted once, as a cell or as hidden with a reason; the last
link of a chain is the cell, the links before it are superseded; what is withdrawn or disputed keeps its place,
marked, and counts in no ranking. Nothing is verified here: `sync` has judged the commit.
"""

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medperf_git.leaderboard.compared import read_comparisons
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    Cell,
    CellState,
    Hidden,
    Measured,
    MetricInfo,
    Notice,
    PolicyFacts,
    RankingSpec,
    Reference,
    RegistryTables,
    ResultEntry,
    Signature,
    Source,
    Subject,
)
from medperf_git.records import folds, layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.ranking_rules import RULES, alpha_of
from medperf_git.records.record import Stored, read_record
from medperf_git.records.standings import iter_associated
from medperf_git.records.view import RecordView, bundles_of, chain, iter_versions, record_at, stored_at

_KEY_LINE = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+=*")
REASONS: Mapping[str, str] = {
    "exit-code": "the container ended with an error",
    "out-of-memory": "it needed more memory than it was given",
    "timeout": "it did not end in time",
    "disk": "it filled its disk space",
    "invalid-output": "its output was not what the benchmark asks for",
    "sandbox": "it tried what the sandbox forbids",
    "needs-gpu": "it needs a GPU, and the site has none",
    "image-unavailable": "its image could not be had",
    "declined": "the site declined to run it",
}


def read_tables(view: RecordView) -> RegistryTables:
    """Read everything a site shows; a broken record hides what rests on it, with the reason."""
    registry = folds.registry_state(view)
    files = tuple(_iter_result_files(view, "results"))
    by_benchmark: dict[Ref | None, list[str]] = defaultdict(list)
    for path in files:
        by_benchmark[benchmark_of(path)].append(path)
    tables = [
        _benchmark_table(view, stored, stored.record, by_benchmark.pop(ref, []))
        for ref in iter_versions(view, "benchmarks")
        if (stored := stored_at(view, layout.benchmark_path(ref))) and isinstance(stored.record, models.Benchmark)
    ]
    strays = [Hidden(path, _why_stray(view, path)) for paths in by_benchmark.values() for path in paths]
    return RegistryTables(
        name=registry.name if registry else "",
        title=registry.title if registry else "A registry without a readable record",
        maintainers=tuple(registry.maintainers) if registry else (),
        members={name: _member_title(view, name) for name in folds.members(view)},
        benchmarks=tuple(tables),
        strays=tuple(sorted(strays, key=lambda stray: stray.path)),
        seen=len(files),
    )


def read_benchmark(view: RecordView, ref: Ref) -> BenchmarkTable | None:
    """Read one benchmark as its page counts it, without signatures and references; None when it cannot be read.

    Nothing of other benchmarks is read.
    """
    stored = stored_at(view, layout.benchmark_path(ref))
    if stored is None or not isinstance(stored.record, models.Benchmark):
        return None
    files = list(_iter_result_files(view, f"results/{ref.path}"))
    return _benchmark_table(view, stored, stored.record, files, brief=True)


def count_results(view: RecordView, ref: Ref) -> int:
    """Count the result records of a benchmark, by the names of files alone."""
    return sum(1 for _ in _iter_result_files(view, f"results/{ref.path}"))


def source_of(view: RecordView, stored: Stored, *, brief: bool = False) -> Source:
    """Gather a record's path, digest and the signatures beside it (without those in brief)."""
    signatures = () if brief else tuple(_signature(view, path) for path in bundles_of(view, stored.path))
    return Source(stored.path, stored.digest, signatures)


def _iter_result_files(view: RecordView, folder: str) -> Iterator[str]:
    for name in view.names(folder):
        path = f"{folder}/{name}"
        if name.endswith("/"):
            yield from _iter_result_files(view, path[:-1])
        elif name.endswith(".yaml"):
            yield path


def benchmark_of(path: str) -> Ref | None:
    """Return the benchmark in whose folder a result lies; None where no result may lie."""
    if layout.place_of(path) is None:
        return None
    member, name, version = path.split("/")[1:4]
    return Ref(member, name, int(version))


def _why_stray(view: RecordView, path: str) -> str:
    benchmark = benchmark_of(path)
    if benchmark is None:
        return "this is no path of a result"
    there = view.blob(layout.benchmark_path(benchmark)) is not None
    return f"the benchmark {benchmark} {'cannot be read' if there else 'does not exist'}"


def _member_title(view: RecordView, name: str) -> str:
    member = folds.member_state(view, name)
    return member.title if member else name


def _benchmark_table(
    view: RecordView, stored: Stored, record: models.Benchmark, files: list[str], *, brief: bool = False
) -> BenchmarkTable:
    ref = record.ref
    chains = _chains(view, files, brief=brief)
    broken = _broken(view, files, chains)
    model_refs = _subjects(view, ref, "cube") | {record.reference_model.ref} | {model for _, model in chains}
    site_refs = _subjects(view, ref, "dataset") | {dataset for dataset, _ in chains}
    rows = tuple(_model(view, record, model) for model in sorted(model_refs))
    columns = tuple(_site(view, record, site) for site in sorted(site_refs))
    cells = {(m.ref, s.ref): _cell(m, s, chains.get((s.ref, m.ref), ())) for m in rows for s in columns}
    superseded = [
        Hidden(entry.source.path, f"superseded by {cell.result.source.id}", entry)
        for cell in cells.values()
        if cell.result is not None
        for entry in cell.earlier
    ]
    return BenchmarkTable(
        ref=ref,
        source=source_of(view, stored, brief=brief),
        title=record.title,
        description=record.description,
        predecessor=str(record.predecessor.ref) if record.predecessor else "",
        partial_allowed=record.partial,
        cubes=(
            _reference(view, "data preparator", record.data_preparator),
            _reference(view, "reference model", record.reference_model),
            _reference(view, "metrics", record.metrics_cube),
        ),
        reference_model=record.reference_model.ref,
        metrics=tuple(_metric(metric) for metric in record.metrics),
        ranking=_ranking(record.ranking),
        policy=_policy(view, ref),
        bias=dict(sorted((record.bias or {}).items())),
        marks=_marks(view, stored.path, ""),
        models=rows,
        sites=columns,
        waiting=tuple(_iter_waiting(view, ref)),
        cells=cells,
        hidden=tuple(sorted([*broken, *superseded], key=lambda item: item.path)),
        seen=len(files),
        comparisons=read_comparisons(view, ref) if not brief or RULES[record.ranking.rule].comparisons else (),
    )


def _chains(view: RecordView, files: Iterable[str], *, brief: bool) -> dict[tuple[Ref, Ref], tuple[ResultEntry, ...]]:
    """Read every chain of results, by (dataset, model); a chain whose first link is broken is left out."""
    found = {}
    for folder in sorted({path.rpartition("/")[0] for path in files}):
        dataset, model = folder.split("/")[4:6]
        links = [link for link in chain(view, folder) if isinstance(link.record, models.Result)]
        if links:
            found[Ref.from_folder(dataset), Ref.from_folder(model)] = tuple(
                _entry(view, link, brief=brief) for link in links
            )
    return found


def _broken(
    view: RecordView, files: Iterable[str], chains: Mapping[tuple[Ref, Ref], tuple[ResultEntry, ...]]
) -> list[Hidden]:
    good = {entry.source.path for entries in chains.values() for entry in entries}
    return [Hidden(path, _why_broken(view, path)) for path in files if path not in good]


def _why_broken(view: RecordView, path: str) -> str:
    findings = read_record(path, view.blob(path) or b"").findings
    if findings:
        return f"the record cannot be read: {findings[0].message}"
    return "it stands after a gap or an unreadable record in its chain"


def _entry(view: RecordView, link: Stored, *, brief: bool) -> ResultEntry:
    record = link.record
    assert isinstance(record, models.Result)  # noqa: S101 - narrowed by the caller
    marks = folds.marks_of(view, link.path)
    state = CellState(record.outcome)
    if marks.withdrawn or marks.disputed:
        state = CellState.WITHDRAWN if marks.withdrawn else CellState.DISPUTED
    parameters = record.parameters or models.ParameterDigests()
    return ResultEntry(
        source=source_of(view, link, brief=brief),
        benchmark=record.benchmark.ref,
        model=record.model.ref,
        dataset=record.dataset.ref,
        number=link.place.number,
        state=state,
        reason=REASONS.get(record.reason, record.reason) if record.reason else "",
        values={name: _measured(value) for name, value in (record.values or {}).items()},
        cases=str(record.cases),
        attempt=record.attempt,
        references=()
        if brief
        else (
            _reference(view, "benchmark", record.benchmark),
            _reference(view, "dataset", record.dataset),
            _reference(view, "model", record.model),
            _reference(view, "data preparator", record.data_preparator),
            _reference(view, "metrics", record.metrics_cube),
        ),
        images={"model": record.images.model, "metrics": record.images.metrics},
        parameters={
            role: digest for role, digest in (("model", parameters.model), ("metrics", parameters.metrics)) if digest
        },
        sandbox=record.sandbox,
        engine=f"{record.engine.name} {record.engine.version}",
        client=record.client,
        started=record.started,
        finished=record.finished,
        created=record.created,
        assurance=record.assurance,
        notices=tuple(_iter_notices(view, link.path)),
    )


def _cell(model: Subject, site: Subject, entries: tuple[ResultEntry, ...]) -> Cell:
    around = (*(f"model {mark}" for mark in model.marks), *(f"dataset {mark}" for mark in site.marks))
    if not entries:
        return Cell(model.ref, site.ref, CellState.MISSING, "no result yet", around)
    live = entries[-1]
    reason = live.reason
    if live.state in (CellState.WITHDRAWN, CellState.DISPUTED):
        event = "withdraw" if live.state is CellState.WITHDRAWN else "dispute"
        told = [notice for notice in live.notices if notice.event == event]
        reason = f"{told[-1].by}: {told[-1].reason.replace('-', ' ')}" if told else reason
    return Cell(model.ref, site.ref, live.state, reason, around, live, entries[:-1])


def _subjects(view: RecordView, benchmark: Ref, kind: str) -> set[Ref]:
    return {
        ref
        for ref in iter_associated(view, benchmark, kind)
        if folds.association_state(view, benchmark, kind, ref).status is folds.Status.APPROVED
    }


def _iter_waiting(view: RecordView, benchmark: Ref) -> Iterator[str]:
    for kind in ("cube", "dataset"):
        for ref in iter_associated(view, benchmark, kind):
            if folds.association_state(view, benchmark, kind, ref).status is folds.Status.PENDING:
                yield str(ref)


def _model(view: RecordView, benchmark: models.Benchmark, ref: Ref) -> Subject:
    record = record_at(view, layout.cube_path(ref), models.Cube)
    reference = ref == benchmark.reference_model.ref
    status = folds.association_state(view, benchmark.ref, "cube", ref).status
    standing = "reference model" if reference else str(status)
    marks = _marks(view, layout.cube_path(ref), "" if reference else _lost(status))
    return Subject(ref, record.title if record else str(ref), standing, marks=marks)


def _site(view: RecordView, benchmark: models.Benchmark, ref: Ref) -> Subject:
    record = record_at(view, layout.dataset_path(ref), models.Dataset)
    status = folds.association_state(view, benchmark.ref, "dataset", ref).status
    marks = _marks(view, layout.dataset_path(ref), _lost(status))
    if record is None:
        return Subject(ref, str(ref), str(status), None, "unknown", marks)
    return Subject(ref, record.title, str(status), record.cases.exact, str(record.cases), marks)


def _lost(status: folds.Status) -> str:
    return "" if status is folds.Status.APPROVED else "no longer approved"


def _marks(view: RecordView, path: str, standing: str) -> tuple[str, ...]:
    marks = folds.marks_of(view, path)
    words = ("withdrawn" if marks.withdrawn else "", "disputed" if marks.disputed else "", standing)
    return tuple(filter(None, words))


def _metric(metric: models.Metric) -> MetricInfo:
    return MetricInfo(
        id=metric.id,
        title=metric.title,
        unit=metric.unit,
        higher_is_better=metric.direction == "higher",
        decimals=metric.decimals,
        low=float(metric.range.min),
        high=float(metric.range.max),
        reduction=metric.reduction,
    )


def _measured(value: models.MetricValue) -> Measured:
    number = None if value.value is None else float(value.value)
    sd = None if value.sd is None else float(value.sd)
    return Measured(number, sd, value.n, value.n_failed, value.n_undefined, value.counts)


def _ranking(ranking: models.Ranking) -> RankingSpec:
    return RankingSpec(
        rule=ranking.rule,
        version=ranking.version,
        metrics=ranking.metrics,
        weights=ranking.weights,
        missing=ranking.missing,
        seed=ranking.seed,
        cap=ranking.cap,
        alpha=float(alpha_of(ranking)),
        adjust=ranking.adjust or "holm",
        method=ranking.method or "DL",
    )


def _policy(view: RecordView, benchmark: Ref) -> PolicyFacts | None:
    links = chain(view, layout.policy_folder(benchmark))
    record = links[-1].record if links else None
    if not isinstance(record, models.Policy):
        return None
    return PolicyFacts(
        source=source_of(view, links[-1]),
        committee=tuple(record.committee),
        change=record.thresholds.change,
        events=record.thresholds.events,
        auto_datasets=_auto(record.auto_approve.datasets),
        auto_models=_auto(record.auto_approve.models),
        opens=record.opens or "",
        closes=record.closes or "",
        min_cases=record.disclosure.min_cases,
        decimals=record.disclosure.decimals,
        exact_n=record.disclosure.n == "exact",
    )


def _auto(rule: models.AutoApproval) -> str:
    return f"those of {', '.join(rule.members or ())}" if rule.mode == "list" else rule.mode


def _reference(view: RecordView, role: str, reference: models.Reference) -> Reference:
    folder = {"benchmark": "benchmarks", "dataset": "datasets"}.get(role, "cubes")
    path = folds.versioned_path(folder, reference.ref)
    data = view.blob(path)
    return Reference(role, reference.ref, path, reference.digest, "" if data is None else digest_of(data))


def _iter_notices(view: RecordView, record_path: str) -> Iterator[Notice]:
    for link in chain(view, layout.notice_folder(record_path)):
        if isinstance(link.record, models.Notice):
            record = link.record
            yield Notice(link.path, record.event, record.by, record.reason, record.created)


def _signature(view: RecordView, path: str) -> Signature:
    """Read what a bundle claims; a bundle that cannot be read shows only its path."""
    try:
        envelope = json.loads(view.blob(path) or b"")["dsseEnvelope"]
        predicate: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
        key = str(envelope["signatures"][0]["keyid"])
        signer, signed_at, head = (str(predicate.get(name, "")) for name in ("signer", "signedAt", "head"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Signature(path, "", "", "", "")
    return Signature(path, signer, key, signed_at, head, _public_key(view, signer, key))


def _public_key(view: RecordView, signer: str, fingerprint: str) -> str:
    """Find the key line with an OpenSSH fingerprint among all keys a member ever had, empty if there is none."""
    if name_fault(signer):
        return ""
    for link in chain(view, layout.member_folder(signer)):
        keys = link.record.keys if isinstance(link.record, models.Member) else models.Keys(())
        for entry in (*keys.signing, *(keys.recovery or ())):
            line = " ".join(entry.key.split()[:2])
            if _KEY_LINE.fullmatch(line) and _fingerprint(line) == fingerprint:
                return line
    return ""


def _fingerprint(line: str) -> str:
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except ValueError:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
