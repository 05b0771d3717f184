"""Rules about rankings: what a registered rule is computed from will be there."""

from collections.abc import Iterator

from medperf_git.policy.case import Case
from medperf_git.records import models
from medperf_git.records.findings import Finding
from medperf_git.records.ranking_rules import RULES


def check_basis(case: Case) -> Iterator[Finding]:
    """Refuse a rule that needs comparisons or standard deviations which this benchmark does not ask sites for."""
    for stored, benchmark in case.of(models.Benchmark):
        for pointer, message, want, fix in _lacks(benchmark):
            yield Finding("ranking-basis", message, path=stored.path, pointer=pointer, expected=want, fix=fix)


def _lacks(benchmark: models.Benchmark) -> Iterator[tuple[str, str, str, str]]:
    """Yield pointer, message, what is expected and the fix of each thing that the registered rule lacks."""
    rule, facts = benchmark.ranking.rule, RULES[benchmark.ranking.rule]
    if facts.comparisons and not benchmark.comparisons:
        message = f"{rule} is computed from sites' comparisons, and this benchmark asks for none"
        yield "/ranking/rule", message, "comparisons: true", "write `comparisons: true`, or choose another rule"
    declared = {metric.id: metric for metric in benchmark.metrics}
    for number, name in enumerate(benchmark.ranking.metrics):
        pointer, metric = f"/ranking/metrics/{number}", declared[name]
        if facts.comparisons and not metric.is_per_case:
            message = f"{rule} compares models case by case, and {name} has no value for each case"
            yield pointer, message, "a metric with `*` in its path", "choose another metric, or another rule"
        if facts.spread and not (metric.sd and metric.is_per_case):
            message = f"{rule} needs the standard deviation over cases, which {name} does not publish"
            fix = "write `sd: true` for that metric, or choose another rule"
            yield pointer, message, "a metric with `*` in its path and `sd: true`", fix
