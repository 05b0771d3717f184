"""A registry in which models were compared, and the comparisons of it: numbers that really come from case values.

house = compared()                                      # rules 2, a benchmark that asks for comparisons, two results
house.propose(comparison(house)).sign("north").judge()
house.merge(house.propose(result(house, TREE)).sign("north"))
house.propose(comparison(house, (REFERENCE, MODEL, TREE))).sign("north").judge()
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from medperf_git.records import layout, models
from medperf_git.records.folds import live_result
from medperf_git.records.names import Ref
from medperf_git.runner.comparison import compare_cases
from medperf_git.runner.reduce import reduce_results
from tests.support import registry_builder as rb
from tests.support.registry_builder import CREATED, MODEL, NORTH, REFERENCE, House, there

BENCHMARK = Ref("dora", "heart", 2)
TREE = Ref("moa", "tree", 1)
Undefined = Literal["missing", "worst"]
DICE = models.Metric("dice", "Dice", "/cases/*/dice", "1", models.Range(0, 1), "higher", 3, "missing", "mean", sd=True)
HD95 = models.Metric(
    "hd95", "HD95", "/cases/*/hd95", "mm", models.Range(0, 374), "lower", 2, "worst", "median", sd=False
)
AUROC = models.Metric("auroc", "AUROC", "/auroc", "1", models.Range(0, 1), "higher", 3, "missing", "none", sd=False)


def content(model: Ref, *, cases: int = 60, failed: Sequence[int] = ()) -> dict[str, Any]:
    """Return the results file of a model: always the same values; `failed` cases have none."""
    draws = random.Random(str(model))
    found = {
        f"case-{number:03d}": {"dice": round(draws.uniform(0.4, 0.95), 2), "hd95": round(draws.uniform(1, 90), 1)}
        for number in range(cases)
    }
    return {"auroc": 0.9, "cases": {key: {} if int(key[5:]) in failed else one for key, one in found.items()}}


def metrics(undefined: Undefined = "missing") -> tuple[models.Metric, ...]:
    """Return the metrics of the benchmark."""
    return (replace(DICE, undefined=undefined), HD95, AUROC)


def compared(*, undefined: Undefined = "missing", **changes: Any) -> House:
    """Return the registry, a copy each time; `changes` are those of the benchmark."""
    return _compared(undefined, tuple(sorted(changes.items()))).copy()


@cache
def _compared(undefined: Undefined, changes: tuple[tuple[str, Any], ...]) -> House:
    house = rb.settled()
    house.merge(house.propose(house.registry_now(rules=2)).sign("ana", "ben"))
    house.merge(house.propose(rb.cube(TREE)).sign("moa"))
    ranking = models.Ranking("mean-of-sites", 1, ("dice",), "equal", "exclude-model", 7)
    fields: dict[str, Any] = {"metrics": metrics(undefined), "ranking": ranking, "comparisons": True, **dict(changes)}
    benchmark = house.benchmark(BENCHMARK, **fields)
    always = models.AutoApproval("always")
    policy = house.first_policy(benchmark, auto_approve=models.AutoApprovals(always, always))
    house.merge(house.propose(benchmark, policy).sign("dora", "emil"))
    for subject, kind in ((NORTH, "dataset"), (MODEL, "cube"), (TREE, "cube")):
        house.merge(house.propose(request(house, subject, kind)).sign(subject.member))
    for model in (REFERENCE, MODEL):
        house.merge(house.propose(result(house, model, undefined=undefined)).sign("north"))
    return house


def request(house: House, subject: Ref, kind: Any = "dataset") -> models.Association:
    """Return the request of a dataset or model, which is approved at once."""
    policy = house.digest(layout.numbered(layout.policy_folder(BENCHMARK), 1))
    reference = house.benchmark_reference(BENCHMARK)
    return house.event("request", by=subject.member, subject=subject, kind=kind, benchmark=reference, policy=policy)


def result(
    house: House,
    model: Ref,
    *,
    data: Ref = NORTH,
    cases: int = 60,
    undefined: Undefined = "missing",
    failed: Sequence[int] = (),
    **changes: Any,
) -> models.Result:
    """Return the result of a model on the cases of a dataset, in which some failed."""
    reduced = reduce_results(content(model, cases=cases, failed=failed), metrics(undefined), cases=cases)
    fields: dict[str, Any] = {"cases": models.Cases(exact=cases), "values": reduced.values, **changes}
    return house.result(data, model, **{"benchmark": house.benchmark_reference(BENCHMARK), **fields})


def comparison(
    house: House,
    refs: Sequence[Ref] = (REFERENCE, MODEL),
    *,
    data: Ref = NORTH,
    cases: int = 60,
    metric: models.Metric = DICE,
    failed: dict[Ref, Sequence[int]] | None = None,
    **changes: Any,
) -> models.Comparison:
    """Return the comparison of models by a metric, as it follows from their values."""
    values = [values_of(ref, metric, (failed or {}).get(ref, ()), cases=cases) for ref in refs]
    block = compare_cases(values, higher_is_better=metric.direction == "higher", decimals=metric.decimals)
    compared_models = tuple(
        models.ComparedModel(
            ref,
            house.digest(layout.cube_path(ref)),
            there(live_result(house.view, BENCHMARK, data, ref)).digest,
            mean,
            rank,
        )
        for ref, mean, rank in zip(refs, block.means, block.mean_ranks, strict=True)
    )
    record = models.Comparison(
        created=CREATED,
        benchmark=house.benchmark_reference(BENCHMARK),
        dataset=house.dataset_reference(data),
        metric=metric.id,
        n=block.n,
        models=compared_models,
        covariance=block.covariance,
        pairs=block.pairs,
        client="medperf-git 0.1.0",
    )
    return replace(record, **changes)


def values_of(ref: Ref, metric: models.Metric, failed: Sequence[int] = (), *, cases: int = 60) -> dict[str, float]:
    """Return the values of a model by case; a case that failed is left out, or has the worst one."""
    content_of = content(ref, cases=cases, failed=failed)["cases"]
    found = {key: one.get(metric.id) for key, one in content_of.items()}
    worst = float(metric.worst_value) if metric.undefined == "worst" else None
    chosen = {key: worst if value is None else value for key, value in found.items()}
    return {key: value for key, value in chosen.items() if value is not None}
