"""Rules about results: approved, open (as comparisons are), bound to the five records they rest on, counted."""

from collections.abc import Iterator

from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.folds import Status, association_state, is_associated_model, policy_state
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import chain, record_at

UNCHANGED = "submit what `medperf-git run` made, unchanged"


def check_approved(case: Case) -> Iterator[Finding]:
    """Refuse results and comparisons of a dataset or model that was not approved before."""
    for stored, result in _of_a_site(case):
        benchmark, before = result.benchmark.ref, case.change.before
        dataset = association_state(before, benchmark, "dataset", result.dataset.ref)
        if dataset.status is not Status.APPROVED or dataset.subject != result.dataset.digest:
            message = f"the dataset {result.dataset.ref} is not approved for {benchmark}"
            fix = "ask with `medperf-git association request`, and wait for the committee's yes"
            got = dataset.status
            yield Finding("not-approved", message, path=stored.path, pointer="/dataset", got=got, fix=fix)
        for pointer, model in _models_of(result):
            if not is_associated_model(before, benchmark, model):
                message = f"the model {model} is not approved for {benchmark}"
                got = association_state(before, benchmark, "cube", model).status
                fix = "run only approved models"
                yield Finding("not-approved", message, path=stored.path, pointer=pointer, got=got, fix=fix)


def check_open(case: Case) -> Iterator[Finding]:
    """Refuse results and comparisons before a benchmark opens and after it closes, by the time of the step."""
    for stored, result in _of_a_site(case):
        policy = policy_state(case.change.before, result.benchmark.ref)
        if policy is None:
            continue
        early = policy.opens is not None and case.change.at < parse_time(policy.opens)
        late = policy.closes is not None and case.change.at > parse_time(policy.closes)
        if early or late:
            want = f"from {policy.opens or 'the start'} to {policy.closes or 'no end'}"
            got, fix = format_time(case.change.at), "ask the committee"
            message = "the benchmark is not open"
            yield Finding("not-open", message, path=stored.path, expected=want, got=got, fix=fix)


def _of_a_site(case: Case) -> Iterator[tuple[Stored, models.Result | models.Comparison]]:
    """Yield what the owner of a dataset says of models."""
    yield from case.of(models.Result)
    yield from case.of(models.Comparison)


def _models_of(record: models.Result | models.Comparison) -> Iterator[tuple[str, Ref]]:
    """Yield the models that a record is about, and where they stand in it."""
    if isinstance(record, models.Result):
        yield "/model", record.model.ref
    else:
        yield from ((f"/models/{number}", model.ref) for number, model in enumerate(record.models))


def check_bound(case: Case) -> Iterator[Finding]:
    """Refuse a result whose preparator, metrics, images or parameters are not those of its records."""
    for stored, result in case.of(models.Result):
        for pointer, expected, got in _bindings(case, result):
            if expected != got:
                message = "this is not what the named records say"
                want, seen = expected or "(none)", got or "(none)"
                yield Finding(
                    "result-binding",
                    message,
                    path=stored.path,
                    pointer=pointer,
                    expected=want,
                    got=seen,
                    fix=UNCHANGED,
                )


def _bindings(case: Case, result: models.Result) -> Iterator[tuple[str, str, str]]:
    after = case.change.after
    benchmark = record_at(after, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
    dataset = record_at(after, layout.dataset_path(result.dataset.ref), models.Dataset)
    if benchmark is None or dataset is None:
        return  # the rule `reference` says so
    yield "/data_preparator", str(benchmark.data_preparator.ref), str(result.data_preparator.ref)
    yield "/metrics_cube", str(benchmark.metrics_cube.ref), str(result.metrics_cube.ref)
    named = result.parameters or models.ParameterDigests()
    for use, ref in (("model", result.model.ref), ("metrics", result.metrics_cube.ref)):
        cube = record_at(after, layout.cube_path(ref), models.Cube)
        if cube is not None:
            yield f"/images/{use}", cube.image.id, getattr(result.images, use)
            expected = digest_of(cube.parameters.encode()) if cube.parameters else ""
            yield f"/parameters/{use}", expected, getattr(named, use) or ""
    yield "/cases", str(dataset.cases), str(result.cases)


def check_attempt(case: Case) -> Iterator[Finding]:
    """Refuse a result that does not count its attempts on from the one it supersedes."""
    for stored, result in case.of(models.Result):
        before = [link.record for link in chain(case.change.before, stored.place.folder)]
        counted = max((one.attempt for one in before if isinstance(one, models.Result)), default=0)
        if result.attempt <= counted:
            message, want = "an attempt is counted once", f"more than {counted}"
            got, pointer = str(result.attempt), "/attempt"
            yield Finding("attempt", message, path=stored.path, pointer=pointer, expected=want, got=got, fix=UNCHANGED)
