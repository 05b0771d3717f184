"""Rules about results: approved, bound to the five records they rest on, and no more than was declared."""

from collections.abc import Iterator
from decimal import Decimal

from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.canonical import format_number
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.folds import Status, association_state, is_associated_model, policy_state
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import record_at


def check_approved(case: Case) -> Iterator[Finding]:
    """Refuse results of a dataset or model that was not approved before."""
    for stored, result in case.of(models.Result):
        benchmark, before = result.benchmark.ref, case.change.before
        dataset = association_state(before, benchmark, "dataset", result.dataset.ref)
        if dataset.status is not Status.APPROVED or dataset.subject != result.dataset.digest:
            message = f"the dataset {result.dataset.ref} is not approved for {benchmark}"
            fix = "ask with `medperf-git association request`, and wait for the committee's yes"
            got = dataset.status
            yield Finding("not-approved", message, path=stored.path, pointer="/dataset", got=got, fix=fix)
        if not is_associated_model(before, benchmark, result.model.ref):
            message = f"the model {result.model.ref} is not approved for {benchmark}"
            got = association_state(before, benchmark, "cube", result.model.ref).status
            fix = "run only approved models"
            yield Finding("not-approved", message, path=stored.path, pointer="/model", got=got, fix=fix)


def check_open(case: Case) -> Iterator[Finding]:
    """Refuse results before a benchmark opens and after it closes, by the time of the step."""
    for stored, result in case.of(models.Result):
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


def check_bound(case: Case) -> Iterator[Finding]:
    """Refuse a result whose preparator, metrics, images or parameters are not those of its records."""
    for stored, result in case.of(models.Result):
        for pointer, expected, got in _bindings(case, result):
            if expected != got:
                message = "this is not what the named records say"
                fix = "submit what `medperf-git run` made, unchanged"
                yield Finding(
                    "result-binding", message, path=stored.path, pointer=pointer, expected=expected, got=got, fix=fix
                )


def _bindings(case: Case, result: models.Result) -> Iterator[tuple[str, str, str]]:
    after = case.change.after
    benchmark = record_at(after, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
    dataset = record_at(after, layout.dataset_path(result.dataset.ref), models.Dataset)
    if benchmark is None or dataset is None:
        return  # the rule `reference` says so
    yield "/data_preparator", str(benchmark.data_preparator.ref), str(result.data_preparator.ref)
    yield "/data_preparator", str(dataset.preparator.ref), str(result.data_preparator.ref)
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
        older_path = layout.numbered(stored.place.folder, stored.place.number - 1)
        older = record_at(case.change.before, older_path, models.Result)
        if older is not None and result.attempt <= older.attempt:
            fix = "submit what `medperf-git run` made, unchanged"
            message, want = "an attempt is counted once", f"more than {older.attempt}"
            got, pointer = str(result.attempt), "/attempt"
            yield Finding("attempt", message, path=stored.path, pointer=pointer, expected=want, got=got, fix=fix)


def check_values(case: Case) -> Iterator[Finding]:
    """Refuse values that were not declared, miss, lie outside their range, or say more digits than allowed."""
    for stored, result in case.of(models.Result):
        benchmark = record_at(case.change.after, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
        if benchmark is None or result.values is None:
            continue
        declared = {metric.id: metric for metric in benchmark.metrics}
        for name in sorted(result.values.keys() - declared.keys()):
            fix, want = "leave it out: only declared metrics leave a site", ", ".join(declared)
            pointer = f"/values/{name}"
            message = f"the benchmark declares no metric {name!r}"
            yield Finding("undeclared-metric", message, path=stored.path, pointer=pointer, expected=want, fix=fix)
        for name in sorted(declared.keys() - result.values.keys()):
            message, fix = f"the declared metric {name!r} is missing", "submit what `medperf-git run` made, unchanged"
            yield Finding("missing-metric", message, path=stored.path, pointer="/values", fix=fix)
        for name in sorted(declared.keys() & result.values.keys()):
            yield from _check_value(case, stored.path, result, declared[name])
        if result.outcome == "partial" and not benchmark.partial:
            message, fix = "this benchmark takes no partial outcomes", "run the missing cases again"
            yield Finding("partial", message, path=stored.path, pointer="/outcome", fix=fix)


def _check_value(case: Case, path: str, result: models.Result, metric: models.Metric) -> Iterator[Finding]:
    entry = (result.values or {})[metric.id]
    pointer, fix = f"/values/{metric.id}", "submit what `medperf-git run` made, unchanged"
    low, high = Decimal(metric.range.min), Decimal(metric.range.max)
    if entry.value is not None and not low <= Decimal(entry.value) <= high:
        want, got = f"{low} to {high}", format_number(entry.value)
        message = f"{metric.id} is out of its range"
        yield Finding("range", message, path=path, pointer=f"{pointer}/value", expected=want, got=got, fix=fix)
    most = allowed_decimals(case, result, metric)
    for field, number in (("value", entry.value), ("sd", entry.sd)):
        if number is not None and _decimals(number) > most:
            message, want = f"{metric.id} says more digits than allowed", f"at most {most} decimals"
            got, where = format_number(number), f"{pointer}/{field}"
            yield Finding("decimals", message, path=path, pointer=where, expected=want, got=got, fix=fix)
    if entry.sd is not None and not metric.sd:
        message = f"{metric.id} publishes no standard deviation"
        yield Finding("undeclared-metric", message, path=path, pointer=f"{pointer}/sd", fix=fix)
    if entry.value is None and not entry.n_undefined and not entry.n_failed:
        message = f"{metric.id} has no value and no count of undefined or failed cases that explains it"
        yield Finding("missing-metric", message, path=path, pointer=pointer, fix=fix)
    if entry.n is not None and result.cases.exact is not None and entry.n > result.cases.exact:
        want = f"at most {result.cases.exact}"
        message = "more cases than the dataset has"
        yield Finding("cases", message, path=path, pointer=f"{pointer}/n", expected=want, got=str(entry.n), fix=fix)


def allowed_decimals(case: Case, result: models.Result, metric: models.Metric) -> int:
    """Return the strictest number of decimals among metric, policy and site."""
    policy = policy_state(case.change.before, result.benchmark.ref)
    dataset = record_at(case.change.after, layout.dataset_path(result.dataset.ref), models.Dataset)
    site = dataset.disclosure.decimals if dataset and dataset.disclosure else None
    limits = [metric.decimals, policy.disclosure.decimals if policy else None, site]
    return min(limit for limit in limits if limit is not None)


def check_disclosed_cases(case: Case) -> Iterator[Finding]:
    """Refuse values that rest on fewer cases than benchmark and site allow, and exact numbers where ranges are due."""
    for stored, result in case.of(models.Result):
        policy = policy_state(case.change.before, result.benchmark.ref)
        dataset = record_at(case.change.after, layout.dataset_path(result.dataset.ref), models.Dataset)
        site = dataset.disclosure.min_cases if dataset and dataset.disclosure else None
        least = max(policy.disclosure.min_cases if policy else 1, site or 1)
        for name, entry in sorted((result.values or {}).items()):
            cases = entry.n if entry.n is not None else result.cases.at_least
            if (entry.value is not None or entry.sd is not None) and cases < least:
                message, fix = f"{name} rests on too few cases to be published", "leave the value out"
                pointer, want = f"/values/{name}", f"at least {least}"
                yield Finding(
                    "few-cases", message, path=stored.path, pointer=pointer, expected=want, got=str(cases), fix=fix
                )
            if policy and policy.disclosure.n == "bucket" and entry.n is not None:
                message, fix = "this benchmark publishes numbers of cases as ranges only", "leave `n` out"
                pointer = f"/values/{name}/n"
                yield Finding("few-cases", message, path=stored.path, pointer=pointer, fix=fix)


def _decimals(number: models.Number) -> int:
    return len(format_number(number).partition(".")[2])
