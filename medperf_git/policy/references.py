"""Rules about references: what a record names exists, has that digest, that role, and is not withdrawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.digests import Digest
from medperf_git.records.findings import Finding
from medperf_git.records.folds import marks_of, policy_state
from medperf_git.records.ranking_rules import needs_cases
from medperf_git.records.view import record_at, stored_at


@dataclass(frozen=True, slots=True)
class Named:
    """One reference of a record: where it stands, the path it means, the digest it gives, the role it needs."""

    pointer: str
    path: str
    digest: Digest
    role: str = ""


def references_of(record: models.Record) -> Iterator[Named]:
    """Yield every reference of a record to another."""
    match record:
        case models.Dataset():
            yield _cube("/preparator", record.preparator, "data-preparator")
        case models.Benchmark():
            yield _cube("/data_preparator", record.data_preparator, "data-preparator")
            yield _cube("/reference_model", record.reference_model, "model")
            yield _cube("/metrics_cube", record.metrics_cube, "metrics")
            if record.predecessor:
                yield _benchmark("/predecessor", record.predecessor)
        case models.Policy():
            yield _benchmark("/benchmark", record.benchmark)
        case models.Association():
            yield _benchmark("/benchmark", record.benchmark)
            yield _subject(record.subject)
        case models.Result():
            yield _benchmark("/benchmark", record.benchmark)
            path = layout.dataset_path(record.dataset.ref)
            yield Named("/dataset", path, record.dataset.digest)
            yield _cube("/model", record.model, "model")
            yield _cube("/data_preparator", record.data_preparator, "data-preparator")
            yield _cube("/metrics_cube", record.metrics_cube, "metrics")
        case models.Comparison():
            yield _benchmark("/benchmark", record.benchmark)
            yield Named("/dataset", layout.dataset_path(record.dataset.ref), record.dataset.digest)
            for number, model in enumerate(record.models):
                yield _cube(f"/models/{number}", models.Reference(model.ref, model.digest), "model")
        case models.Notice():
            yield Named("/record", record.record.path, record.record.digest)
        case models.Registry() | models.Quarantine() | models.Member() | models.Cube():
            return
        case _:
            assert_never(record)


def check_references(case: Case) -> Iterator[Finding]:
    """Refuse references to what is not there, has other bytes, or has another role."""
    for stored in case.records.values():
        for named in references_of(stored.record):
            target = stored_at(case.change.after, named.path)
            if target is None:
                message = f"{named.path} is not in this registry"
                fix = "propose it first, or in the same proposal"
                yield Finding("reference", message, path=stored.path, pointer=named.pointer, fix=fix)
            elif target.digest != named.digest:
                message = f"the digest is not that of {named.path}"
                yield Finding(
                    "reference",
                    message,
                    path=stored.path,
                    pointer=f"{named.pointer}/digest",
                    expected=target.digest,
                    got=named.digest,
                    fix="make the record anew with medperf-git, which fills digests",
                )
            elif named.role and getattr(target.record, "role", "") != named.role:
                message, got = f"{named.path} has another role", str(getattr(target.record, "role", ""))
                fix = f"name a cube whose role is {named.role}"
                pointer = named.pointer
                yield Finding(
                    "reference", message, path=stored.path, pointer=pointer, expected=named.role, got=got, fix=fix
                )


def check_withdrawn(case: Case) -> Iterator[Finding]:
    """Refuse new things that build on something withdrawn; ending and marking them stays possible."""
    for stored in case.records.values():
        record = stored.record
        if isinstance(record, models.Notice) or _is_ending(record):
            continue
        for named in references_of(record):
            if named.pointer == "/predecessor":
                continue  # a mended benchmark names the one it mends
            if marks_of(case.change.before, named.path).withdrawn:
                message = f"{named.path} was withdrawn and takes part in nothing new"
                fix = "use a version that is not withdrawn"
                yield Finding("withdrawn", message, path=stored.path, pointer=named.pointer, fix=fix)


def _is_ending(record: models.Record) -> bool:
    """Tell whether a record begins nothing: it ends something, or changes who decides about what stands."""
    ends = isinstance(record, models.Association) and record.event in ("reject", "withdraw")
    return ends or isinstance(record, models.Policy)


def check_benchmark_pair(case: Case) -> Iterator[Finding]:
    """Refuse a benchmark without its first policy and a first policy without its benchmark."""
    for stored, benchmark in case.of(models.Benchmark):
        path = layout.numbered(layout.policy_folder(benchmark.ref), 1)
        if path not in case.change.added:
            fix = "submit both in one proposal"
            message = "a benchmark comes with its first policy"
            yield Finding("benchmark-policy", message, path=stored.path, expected=path, fix=fix)
    for stored, policy in case.of(models.Policy):
        path = layout.benchmark_path(policy.benchmark.ref)
        if stored.place.number == 1 and path not in case.change.added:
            fix = "submit both in one proposal"
            message = "a first policy comes with its benchmark"
            yield Finding("benchmark-policy", message, path=stored.path, expected=path, fix=fix)


def check_disclosure_loosened(case: Case) -> Iterator[Finding]:
    """Refuse a later policy that publishes more than an earlier one promised."""
    for stored, policy in case.of(models.Policy):
        older = policy_state(case.change.before, policy.benchmark.ref)
        if older is None:
            continue
        was, now = older.disclosure, policy.disclosure
        for field, loosened in (
            ("min_cases", now.min_cases < was.min_cases),
            ("decimals", now.decimals > was.decimals),
            ("n", was.n == "bucket" and now.n == "exact"),
        ):
            if loosened:
                message, fix = "disclosure limits may tighten, never loosen", "keep the earlier limit or a stricter one"
                pointer, want, got = f"/disclosure/{field}", str(getattr(was, field)), str(getattr(now, field))
                yield Finding("disclosure", message, path=stored.path, pointer=pointer, expected=want, got=got, fix=fix)


def check_ranking(case: Case) -> Iterator[Finding]:
    """Refuse a ranking by numbers of cases under a policy that publishes no exact numbers of cases."""
    for stored, policy in case.of(models.Policy):
        benchmark = record_at(case.change.after, layout.benchmark_path(policy.benchmark.ref), models.Benchmark)
        ranking = benchmark.ranking if benchmark else None
        if ranking is not None and needs_cases(ranking) and policy.disclosure.n == "bucket":
            message = "the benchmark ranks by numbers of cases, which this policy keeps back"
            fix = "publish exact numbers, or rank by the mean of sites with equal weights"
            pointer = "/disclosure/n"
            yield Finding(
                "ranking", message, path=stored.path, pointer=pointer, expected="exact", got="bucket", fix=fix
            )


def _cube(pointer: str, reference: models.Reference, role: str) -> Named:
    return Named(pointer, layout.cube_path(reference.ref), reference.digest, role)


def _benchmark(pointer: str, reference: models.Reference) -> Named:
    return Named(pointer, layout.benchmark_path(reference.ref), reference.digest)


def _subject(subject: models.Subject) -> Named:
    path = layout.dataset_path(subject.ref) if subject.kind == "dataset" else layout.cube_path(subject.ref)
    return Named("/subject", path, subject.digest, "model" if subject.kind == "cube" else "")
