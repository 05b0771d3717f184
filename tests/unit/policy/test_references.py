"""Every reference of every kind of record, and rankings."""

from dataclasses import replace
from typing import Any

import pytest

from medperf_git.records import models
from tests.support import registry_builder as rb
from tests.support.registry_builder import BENCHMARK, House, Proposal

from .examples import DATASET, SECOND, WRONG, Example, a_benchmark, after, an_event, with_disclosure
from .judging import judged, rules


@pytest.mark.parametrize("field", ["data_preparator", "reference_model", "metrics_cube", "predecessor"])
def test_a_benchmark_names_the_very_bytes_of_its_records(field: str) -> None:
    def example(house: House) -> Proposal:
        good = house.benchmark(SECOND, predecessor=house.benchmark_reference())
        bad: Any = {field: replace(getattr(good, field), digest=WRONG)}
        benchmark = replace(good, **bad)
        return house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil")

    found = [one.pointer for one in judged(example).findings if one.rule == "reference"]
    assert found == [f"/{field}/digest"]


@pytest.mark.parametrize(
    "example",
    [
        lambda house: house.propose(replace(house.policy_now(), benchmark=models.Reference(BENCHMARK, WRONG))).sign(
            "dora", "emil"
        ),
        an_event("request", "south", benchmark=models.Reference(BENCHMARK, WRONG)),
        lambda house: house.propose(
            replace(house.notice("withdraw", DATASET, by="north"), record=models.About(DATASET, WRONG))
        ).sign("north"),
    ],
)
def test_what_is_about_a_record_names_its_very_bytes(example: Example) -> None:
    assert rules(example) == ["reference"]


def test_only_a_model_is_associated() -> None:
    found = rules(an_event("request", "dora", subject=rb.METRICS, kind="cube"))
    assert found == ["reference"]


@pytest.mark.parametrize(
    ("rule", "weights", "found"),
    [
        ("mean-of-sites", "equal", []),
        ("mean-of-sites", "cases", ["ranking"]),
        ("mean-then-rank", "equal", ["ranking"]),
    ],
)
def test_a_ranking_by_numbers_of_cases_needs_them(rule: Any, weights: Any, found: list[str]) -> None:
    ranking = models.Ranking(rule, 1, ("auroc",), weights, "exclude-model", 7)
    kept_back = {"disclosure": models.Disclosure(10, 3, "bucket")}
    assert rules(a_benchmark(ranking=ranking, policy=kept_back)) == found
    assert rules(a_benchmark(ranking=ranking)) == []


def test_a_policy_that_keeps_numbers_back_may_tighten_further() -> None:
    kept_back = after(with_disclosure(n="bucket"))
    assert judged(kept_back(with_disclosure(min_cases=20))).findings == ()
    assert rules(kept_back(with_disclosure(n="exact"))) == ["disclosure"]
