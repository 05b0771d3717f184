"""What is measured and by which rules, as plain values for the benchmark page."""

from collections.abc import Sequence

from medperf_git.leaderboard.bias import checklist, opening
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    MetricInfo,
    PolicyFacts,
    Reference,
    Source,
)
from medperf_git.leaderboard.text import NOTHING, some, whole
from medperf_git.leaderboard.words import REDUCTIONS, Context
from medperf_git.records.names import Ref


def definition(metric: MetricInfo, ranking: tuple[str, ...]) -> Context:
    """Say one metric as the committee defined it."""
    low = NOTHING if metric.low is None else f"{metric.low:g}"
    high = NOTHING if metric.high is None else f"{metric.high:g}"
    return {
        **metric_facts(metric),
        "unit": metric.unit,
        "better": f"{metric.arrow} {'higher' if metric.higher_is_better else 'lower'}",
        "range": f"{low} to {high}",
        "reduction": REDUCTIONS.get(metric.reduction, metric.reduction),
        "ranks": "yes" if metric.id in ranking else "no",
    }


def policy_facts(table: BenchmarkTable) -> list[Context]:
    """Say rule and policy as pairs."""
    spec, policy = table.ranking, table.policy
    pairs = [
        (
            "Ranking rule",
            f"{spec.rule}, version {spec.version}; weights {spec.weights}; missing {spec.missing}; seed {spec.seed}",
        ),
        ("Reference model", str(table.reference_model)),
        ("Partial results", "allowed, and marked" if table.partial_allowed else "not allowed"),
    ]
    if table.predecessor:
        pairs.append(("Follows", table.predecessor))
    if policy is None:
        return [{"name": name, "text": text} for name, text in [*pairs, ("Policy", "no readable policy record")]]
    pairs += [
        ("Committee", ", ".join(policy.committee)),
        ("Signatures", f"{some(policy.change, 'member')} for a change, {policy.events} for a decision"),
        ("Open", opening(policy.opens, policy.closes)),
        ("Approved at once", f"datasets: {policy.auto_datasets}; models: {policy.auto_models}"),
        ("Published", _published(policy)),
    ]
    return [{"name": name, "text": text} for name, text in pairs]


def _published(policy: PolicyFacts) -> str:
    cases = "exact" if policy.exact_n else "as a range"
    return f"from {some(policy.min_cases, 'case')} on, {policy.decimals} decimals, number of cases {cases}"


def bias_facts(table: BenchmarkTable) -> Context:
    """Say the checklist of a benchmark's design with its gaps."""
    found = checklist(table)
    return {"sentence": found.sentence, "answers": found.answers, "gaps": found.gaps}


def version_facts(table: BenchmarkTable, versions: Sequence[Ref]) -> list[Context]:
    """List the versions of the same benchmark that have a page, newest first; one alone needs no list."""
    same = [ref for ref in versions if ref.unversioned == table.ref.unversioned]
    newest = max((ref.version for ref in same), default=table.ref.version)
    return [
        {
            "ref": ref,
            "url": f"benchmarks/{ref.path}/index.html",
            "here": ref == table.ref,
            "newest": ref.version == newest,
        }
        for ref in sorted(same, key=lambda ref: -ref.version)
        if len(same) > 1
    ]


def records_behind(table: BenchmarkTable) -> list[Context]:
    """List the records that made the page."""
    found: list[tuple[str, Source | Reference]] = [("benchmark", table.source)]
    if table.policy:
        found.append(("policy", table.policy.source))
    found += [(cube.role, cube) for cube in table.cubes]
    return [{"role": role, "path": record.path, "digest": record.digest} for role, record in found]


def key_facts(table: BenchmarkTable) -> list[Context]:
    """Count models, sites, cases and cells."""
    sizes = [site.cases for site in table.sites]
    cells, pairs = table.counted, len(table.cells)
    facts = [
        (whole(len(table.models)), "model" if len(table.models) == 1 else "models"),
        (whole(len(table.sites)), "site" if len(table.sites) == 1 else "sites"),
    ]
    if sizes and all(size is not None for size in sizes):
        facts.append((whole(sum(size or 0 for size in sizes)), "cases"))
    facts.append((f"{whole(cells)} of {whole(pairs)}", "cells counted"))
    return [{"number": number, "noun": noun} for number, noun in facts]


def metric_facts(metric: MetricInfo) -> Context:
    """Say a metric and its direction."""
    return {
        "id": metric.id,
        "title": metric.title,
        "unit": "" if metric.unit in ("1", "-") else metric.unit,
        "arrow": metric.arrow,
        "better": "higher is better" if metric.higher_is_better else "lower is better",
    }
