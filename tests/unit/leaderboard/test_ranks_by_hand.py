"""Small registries whose ranking is worked out by hand: ties at the top, gaps, failures, sites without spread."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from medperf_git.flows.comparing import _score
from medperf_git.leaderboard import pairwise as pw
from medperf_git.leaderboard import pooling as pl
from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.comparison import compare_results
from medperf_git.leaderboard.exports import ranking_csv, table_json
from medperf_git.leaderboard.pages import benchmark_context
from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.section_ranking import interval_name
from medperf_git.leaderboard.standing_words import interval_kind
from medperf_git.leaderboard.statistics.intervals import pooled
from medperf_git.leaderboard.statistics.meta import random_effects
from medperf_git.records.convert import value_of
from medperf_git.records.ranking_rules import RULES
from medperf_git.records.record import read_record
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of
from tests.support.leaderboard_grids import grid, ranked
from tests.unit.leaderboard.test_by_rule import analysed


def house_of(values, *, cases=20, **words) -> ComparedRegistry:
    """Return a registry of Dice at sites `s0`, `s1`, …; a number is the same in every case, None is a failure."""
    house = ComparedRegistry(**words)
    sizes = cases if isinstance(cases, list) else [cases] * len(next(iter(values.values())))
    for at, size in enumerate(sizes):
        house.site(f"s{at}", cases=size)
    for name, there in values.items():
        house.model(name)
        for at, value in enumerate(there):
            if value is None:
                house.result(name, f"s{at}", outcome="failed", reason="out-of-memory")
            else:
                house.measured(name, f"s{at}", {"dice": value if isinstance(value, list) else [value] * sizes[at]})
    return house


def lines_of(analysis) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(io.StringIO(ranking_csv(analysis).decode("utf-8-sig")))
    return {row["model"].partition("/")[2].partition("@")[0]: row for row in rows}


def around(mean: float, n: int = 20) -> list[float]:
    """Give values of n cases that vary around a mean."""
    return [round(mean + (0.05 if at % 2 else -0.05), 4) for at in range(n)]


def test_random_effects_do_not_reward_a_model_that_failed_on_every_case_of_a_site():
    """With 0 on every case there is no spread, so that site has no weight: it must not vanish for that model alone."""
    house = house_of(
        {"bold": [around(0.8), around(0.8), 0.0], "calm": [around(0.7), around(0.7), around(0.7)]},
        rule="meta",
        weights="equal",
    )
    found = analysed(house)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.grid.sites == ("s0/tumours@1", "s1/tumours@1")
    assert [(out.name, out.reason) for out in found.ranking.counted.sites_out] == [
        ("s2/tumours@1", "cases do not vary: ben/bold@1")
    ]
    house = house_of(
        {"bold": [around(0.8), around(0.8), 0.0], "calm": [around(0.7), around(0.7), around(0.7)]},
        rule="meta",
        weights="equal",
        missing="exclude-model",
    )
    lines = lines_of(analysed(house))
    assert (lines["bold"]["rank"], lines["bold"]["not_ranked_because"]) == ("", "cases do not vary: s2/tumours@1")
    assert (lines["calm"]["rank"], lines["calm"]["score"]) == ("1", "0.7")


def test_random_effects_rank_nobody_where_no_site_has_spread_of_every_model():
    house = house_of({"ma": [around(0.8), 0.5], "mb": [0.5, around(0.7)]}, rule="meta", weights="equal")
    found = analysed(house)
    assert isinstance(found.ranking, un.Undefined)
    assert found.ranking.reason == "at no site do the values of every model vary"


def test_who_shares_first_place_is_at_least_as_good_as_it_whatever_it_is_called():
    """Two share first place; the third is not behind one of them at one site, and the order of names says nothing."""
    rows = [[0.9, 0.5, 0.7], [0.5, 0.9, 0.7], [0.6, 0.6, 0.6]]
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0], [2, 0, 1]):
        contest = un.contest(ranked(grid([rows[at] for at in order])), seed=1)
        assert dict(zip(order, contest.not_behind, strict=True)) == {0: 1, 1: 1, 2: pytest.approx(2 / 3)}
        assert contest.within == (True, True, True)


def test_names_of_tied_leaders_change_no_cell_of_the_ranking():
    values = {"first": [0.9, 0.5, 0.7], "second": [0.5, 0.9, 0.7], "third": [0.4, 0.6, 0.7]}
    told = ("rank", "score", "low", "high", "beside_first")
    for names in (("ma", "mb", "mc"), ("mb", "ma", "mc"), ("mc", "mb", "ma")):
        lines = lines_of(
            analysed(house_of(dict(zip(names, values.values(), strict=True)), rule="mean-of-sites", weights="equal"))
        )
        assert [tuple(lines[name][one] for one in told) for name in names] == [
            ("1", "0.7", "0.5", "0.9", "yes"),
            ("1", "0.7", "0.5", "0.9", "yes"),
            ("3", "0.566666666667", "0.4", "0.7", "yes"),
        ]


def test_a_turned_order_is_found_behind_a_tie():
    """Equal weights: a 0.8, then b and c with 0.6 each. By cases: c 0.9 first, then a 0.8, then b 0.3."""
    house = house_of(
        {"ma": [0.8, 0.8], "mb": [0.9, 0.3], "mc": [0.3, 0.9]}, cases=[10, 1000], rule="mean-of-sites", weights="equal"
    )
    found = analysed(house)
    assert [(one.by_sites.name, one.by_cases.name) for one in found.reversals] == [("ma", "mc")]


@dataclass
class Declaring(ComparedRegistry):
    """A registry whose benchmark declares what counts as the worst value of a metric."""

    worst: Mapping[str, Any] = field(default_factory=dict)

    def _add(self, path: str, kind: str, value: Mapping[str, Any], *, signer: str = "") -> None:
        if kind == "benchmark":
            declared = {name: {"undefined": "worst", "worst": worst} for name, worst in self.worst.items()}
            value = {**value, "metrics": [{**one, **declared.get(one["id"], {})} for one in value["metrics"]]}
        super()._add(path, kind, value, signer=signer)


@pytest.mark.parametrize(
    ("metric", "worst", "expected"),
    [("dice", {}, 0), ("dice", {"dice": Decimal("0.2")}, 0.2), ("hd95", {}, 374), ("hd95", {"hd95": 90}, 90)],
)
def test_a_gap_under_worst_counts_as_the_worst_value_that_the_benchmark_declares(metric, worst, expected):
    house = Declaring(rule="mean-of-sites", weights="cases", missing="worst", metrics=(metric,), worst=worst)
    for name in ("here", "gone"):
        house.model(name)
    for site, size in (("north", 10), ("south", 30)):
        house.site(site, cases=size)
        house.measured("here", site, {metric: [0.5] * size})
    house.measured("gone", "north", {metric: [0.5] * 10})
    house.result("gone", "south", outcome="failed", reason="out-of-memory")
    lines = lines_of(analysed(house))
    assert float(lines["gone"]["score"]) == pytest.approx((10 * 0.5 + 30 * expected) / 40)
    assert [lines[name]["rank"] for name in ("here", "gone")] == ["1", "2"]


def test_first_place_that_is_shared_without_one_site_is_not_the_same():
    """Without s2 both have 0.7: first place does depend on the sites."""
    house = house_of({"ma": [0.9, 0.5, 0.9], "mb": [0.5, 0.9, 0.7]}, rule="mean-of-sites", weights="equal")
    assert firmness(analysed(house))["text"].startswith("First place depends on the sites; ")
    house = house_of({"ma": [0.9, 0.8, 0.9], "mb": [0.5, 0.7, 0.7]}, rule="mean-of-sites", weights="equal")
    assert firmness(analysed(house))["text"].startswith("First place stays the same whichever site is left out; ")


def test_an_interval_of_random_effects_is_named_an_interval():
    assert interval_name(analysed(registry_of(drawn(3, sites=(9, 9), models=2), rule="meta", weights="equal"))) == (
        "95 % interval"
    )


def test_results_without_numbers_of_cases_break_no_page_of_a_rule_by_comparisons():
    sites = drawn(3, sites=(12, 15), models=3)
    house = registry_of(sites, rule="rank-then-mean", weights="cases")
    compared = [path for path in house.files if path.startswith("comparisons/")]
    for path in [path for path in house.files if path.startswith("results/") and path.endswith(".yaml")]:
        stored = read_record(path, house.files[path]).stored
        assert stored is not None
        values = value_of(stored.record)["values"]
        house.replace(path, values={name: {k: v for k, v in one.items() if k != "n"} for name, one in values.items()})
    for path in compared:
        del house.files[path]
    for at, values in enumerate(sites):
        house.comparison(f"s{at}", "dice", {f"m{row}": values[0, row].tolist() for row in range(3)})
    found = analysed(house)
    assert found.explanation.startswith(
        "Ranked by Dice, case by case: a model’s rank is its mean rank over the cases at 2"
    )
    assert [row["rank"] for row in benchmark_context(found)["rows"]][:3] == ["1", "2", "3"]
    told = json.loads(table_json(found, {}))["ranking"]["models"][0]["scores"]
    assert told[0]["score"] is None


@pytest.mark.parametrize(
    ("metric", "counts", "value"),
    [
        ("balanced-accuracy", [8, 5, 2, 85], (0.8 + 85 / 90) / 2),
        ("accuracy", [8, 5, 2, 85], 0.93),
        ("lesion_sensitivity", [8, 5, 2, 85], 0.8),
        ("average-precision", [8, 5, 2, 85], None),
        ("top-accuracy", [8, 5, 2, 85], None),
        ("weighted-f1", [8, 5, 2, 85], None),
        ("macro-f1", [8, 5, 2, 85, 85, 2, 5, 8], (16 / 23 + 170 / 177) / 2),
        ("tumour-macro-f1", [8, 5, 2, 85, 85, 2, 5, 8], (16 / 23 + 170 / 177) / 2),
        ("partial-auroc", [8, 5, 2, 85], None),
        ("auroc", [8, 5, 2, 85], (0.8 + 85 / 90) / 2),
    ],
)
def test_counts_give_the_metric_of_the_whole_name_or_none(metric, counts, value):
    known = pl._computing(metric, len(counts))
    assert (known is None) == (value is None)
    if known is not None:
        groups = np.array(counts, dtype=float).reshape(1, -1, 4)
        compute, parts = known
        assert compute(*(groups[..., part] for part in parts)).reshape(-1)[0] == pytest.approx(value)


@pytest.mark.parametrize("rule", ["meta", "brats", "test-then-rank"])
def test_what_a_proposal_is_told_of_a_result_is_what_the_page_says(rule):
    house = registry_of(drawn(3, sites=(12, 15, 20), models=3), rule=rule, weights=RULES[rule].weights[0])
    standings = {row.model.ref: row for row in analysed(house).standings}
    paths = [path for path in house.files if path.startswith("results/") and path.endswith(".yaml")]
    found = compare_results(house.view(), house.view(), paths)
    assert len(found.results) == 9
    for one in found.results:
        (score,) = standings[one.result.model].scores
        assert (one.metrics[0].score, one.metrics[0].interval) == (score.value, score.interval)


def test_a_model_that_is_better_by_another_metric_is_not_told_from_first_place():
    """m0 is far better by HD95, m1 by Dice: each is significantly better somewhere, so neither is behind the other."""
    random = np.random.Generator(np.random.PCG64(1))
    sites = []
    for _ in range(3):
        dice = np.stack([random.uniform(0.5, 0.6, 30), random.uniform(0.8, 0.9, 30), random.uniform(0.1, 0.2, 30)])
        hd95 = np.stack([random.uniform(1, 2, 30), random.uniform(5, 6, 30), random.uniform(2, 3, 30)])
        sites.append(np.round(np.stack([dice, hd95]), 2))
    house = registry_of(sites, rule="meta", weights="equal", metrics=("dice", "hd95"))
    found = analysed(house)
    assert [(row.model.ref.name, row.rank, row.beside_first) for row in found.standings[:3]] == [
        ("m0", 1, True),
        ("m1", 2, True),
        ("m2", 3, False),
    ]
    assert found.headline == "M0 is first of three, but M1 cannot be told from it by tests on the same cases."


def test_no_order_of_sites_changes_a_digit_of_random_effects_or_of_all_cases_together():
    random = np.random.Generator(np.random.PCG64(2))
    means, sds, n = random.uniform(0, 374, (50, 7)), random.uniform(1, 90, (50, 7)), random.integers(2, 90, (50, 7))
    means[random.random((50, 7)) < 0.2] = np.nan
    back = slice(None, None, -1)
    for method in ("DL", "PM"):
        one = random_effects(means, sds**2 / n, method)
        other = random_effects(means[:, back], (sds**2 / n)[:, back], method)
        assert all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in one.__slots__)
    whole, turned = pooled(means, sds, n), pooled(means[:, back], sds[:, back], n[:, back])
    assert np.array_equal(whole.mean, turned.mean)
    assert np.array_equal(whole.sd, turned.sd)


def test_an_interval_of_random_effects_is_no_range_in_any_words():
    found = analysed(registry_of(drawn(3, sites=(9, 9, 9), models=2), rule="meta", weights="equal"))
    assert interval_kind(found.standings[0].scores[0]) == "95\N{NO-BREAK SPACE}% interval over its sites"
    house = registry_of(drawn(3, sites=(9, 9, 9), models=2), rule="meta", weights="equal")
    paths = [path for path in house.files if path.startswith("results/") and path.endswith(".yaml")]
    (one, *_) = compare_results(house.view(), house.view(), paths).results
    assert "over its 3 sites (random effects)" in _score(one.metrics[0], one.counted)


def test_a_site_that_weighs_far_more_than_all_others_hides_no_difference():
    """Over two sites both estimates of tau² are (d² - v₁ - v₂) / 2; one weight is 10^17 times the other."""
    house = ComparedRegistry(rule="meta", weights="equal", metrics=("hd95",))
    house.model("ma")
    for site, value, sd, n in (("north", 10, Decimal("0.0001"), 100_000), ("south", 360, 300, 10)):
        house.site(site, cases=n)
        house.replace(house.result("ma", site, {"hd95": 1}), values={"hd95": {"value": value, "n": n, "sd": sd}})
    fit = analysed(house).effects[0].fit
    assert float(fit.tau2[1]) == pytest.approx((350**2 - 9000) / 2)
    assert float(fit.estimate[1]) == pytest.approx((10 / 56750 + 360 / 65750) / (1 / 56750 + 1 / 65750))
    assert float(fit.i2[1]) == pytest.approx(100 * (1 - 1 / (350**2 / 9000)))


def test_where_numbers_of_cases_are_kept_back_no_test_rests_on_cases():
    """A policy may tighten to ranges after sites have published comparisons."""
    house = registry_of(drawn(5, sites=(12, 15, 18), models=3), rule="mean-of-sites", weights="equal", n="bucket")
    (found,) = analysed(house).pairs
    assert isinstance(found, un.Undefined)
    assert found.reason == (
        "numbers of cases are published as ranges only, and 3 sites: fewer than five sites’ values allow no test"
    )
    house = registry_of(drawn(5, sites=(12,) * 6, models=3), rule="mean-of-sites", weights="equal", n="bucket")
    (found,) = analysed(house).pairs
    assert isinstance(found, pw.Pairwise)
    assert (found.kind, found.cases, len(found.sites)) == (pw.Tested.SITES, None, 6)
