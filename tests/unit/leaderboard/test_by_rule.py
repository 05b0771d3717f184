"""Every ranking rule from records to ranks, against the cases themselves; and the reason where there is no rank."""

from decimal import Decimal

import numpy as np
import pytest

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, analyse, rank_table
from medperf_git.leaderboard.reading import read_benchmark, read_tables
from medperf_git.leaderboard.rules import RULES, in_order
from medperf_git.leaderboard.statistics import cases as by_case
from medperf_git.leaderboard.statistics.meta import random_effects
from medperf_git.records import models
from medperf_git.records.names import Ref
from medperf_git.records.ranking_rules import RULES as FACTS
from tests.support import comparison_builder as cb
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of

SITES = drawn(3, sites=(40, 60, 90), models=4)
POOLED = np.concatenate(SITES, axis=2)
TURNED = POOLED * np.array([1.0, -1.0])[:, None, None]
FIRST = Ref("ana", "one-feature", 1)


def analysed(registry: lr.Registry) -> Analysis:
    (table,) = read_tables(registry.view()).benchmarks
    return analyse(table)


def ranks_of(analysis: Analysis) -> list[int | None]:
    """Give the ranks of the models of `drawn`, in their order."""
    ranks = {row.model.ref.name: row.rank for row in analysis.standings}
    return [ranks[f"m{row}"] for row in range(len(ranks) - 1)]


def other(analysis: Analysis, name: str) -> rk.Ranking | un.Undefined:
    return next(one.ranking for one in analysis.others if one.rule.name == name)


def reason(found: object) -> str:
    assert isinstance(found, un.Undefined)
    return found.reason


def ranked(rule: str, weights: str = "cases", sites=SITES, **words) -> Analysis:
    return analysed(registry_of(sites, rule=rule, weights=weights, **words))


def expected(rule: str, metrics: tuple[str, ...]) -> list[int]:
    chosen = TURNED[[("dice", "hd95").index(metric) for metric in metrics]]
    turned = [values * np.array([1.0, -1.0])[:, None, None] for values in SITES]
    match rule:
        case "rank-then-mean":
            return by_case.rank_then_mean(chosen[0]).ranks.tolist()
        case "brats":
            return by_case.brats_ranks(chosen).ranks.tolist()
        case _:
            return by_case.fets_2022_of([values[: len(metrics)] for values in turned]).ranks.tolist()


def test_every_rule_of_the_schema_is_computed_here_and_no_other():
    assert {rule.name for rule in in_order()} == set(FACTS)
    assert all(rule.version == 1 for rule in RULES.values())
    assert [rule.name for rule in in_order()] == list(FACTS)


@pytest.mark.parametrize(
    ("rule", "weights", "metrics"),
    [
        ("rank-then-mean", "cases", ("dice",)),
        ("brats", "cases", ("dice",)),
        ("brats", "cases", ("dice", "hd95")),
        ("fets-2022", "equal", ("dice",)),
        ("fets-2022", "equal", ("dice", "hd95")),
    ],
)
def test_ranks_from_comparisons_are_those_of_the_cases_themselves(rule, weights, metrics):
    found = ranked(rule, weights, metrics=metrics)
    assert ranks_of(found) == expected(rule, metrics)
    assert found.own_name == "mean rank"
    assert {len(row.without) for row in found.standings if row.rank} == {3}


@pytest.mark.parametrize(
    ("rule", "weights", "name"),
    [
        ("rank-then-mean", "cases", "mean rank"),
        ("fets-2022", "equal", "mean rank"),
        ("brats", "cases", "mean rank"),
        ("test-then-rank", "equal", "mean rank over metrics"),
    ],
)
def test_with_several_metrics_what_the_rule_counts_is_what_it_ranks_by(rule, weights, name):
    found = ranked(rule, weights, metrics=("dice", "hd95"))
    assert found.own_name == name
    rows = [(row.rank, row.own) for row in found.standings if row.rank]
    assert [rank for rank, own in rows] == [1 + sum(other < own for _, other in rows) for _, own in rows]


def test_significant_wins_of_one_site_are_those_of_its_cases():
    site = drawn(5, sites=(80,), models=4)
    for adjust in ("none", "holm"):
        found = ranked("test-then-rank", "equal", site, extras={"adjust": adjust, "alpha": Decimal("0.05")})
        places = by_case.test_then_rank(site[0][0], 0.05, adjust)
        assert ranks_of(found) == places.ranks.tolist()
        own = {row.model.ref.name: row.own for row in found.standings}
        assert [own[f"m{row}"] for row in range(4)] == pytest.approx(places.scores.tolist())


def test_random_effects_rank_by_the_estimate_and_name_its_interval():
    found = ranked("meta", "equal", extras={"method": "PM"})
    means = np.array([[values[0, row].mean() for values in SITES] for row in range(4)])
    variances = np.array([[values[0, row].var(ddof=1) / values.shape[2] for values in SITES] for row in range(4)])
    fit = random_effects(means, variances, "PM")
    scores = {row.model.ref.name: row.scores[0] for row in found.standings}
    assert [scores[f"m{row}"].value for row in range(4)] == pytest.approx(fit.estimate.tolist(), abs=2e-4)
    assert scores["m0"].interval.kind is un.IntervalKind.EFFECTS
    assert scores["m0"].interval.low == pytest.approx(float(fit.low[0]), abs=2e-4)
    assert not scores["m0"].own_sites_differ


def test_weights_of_sites_turn_an_order_and_both_are_shown():
    """North is small and likes m0, south is large and likes m1."""
    house = ComparedRegistry(rule="mean-of-sites", weights="equal")
    for name in ("m0", "m1"):
        house.model(name)
    for site, size, values in (("north", 20, (0.9, 0.6)), ("south", 400, (0.7, 0.8))):
        house.site(site, cases=size)
        house.cases(site, {f"m{k}": {"dice": [value] * size} for k, value in enumerate(values)})
    found = analysed(house)
    assert [row.model.ref.name for row in found.standings][:2] == ["m0", "m1"]
    assert [(one.by_sites.name, one.by_cases.name) for one in found.reversals] == [("m0", "m1")]
    by_cases = other(found, "mean-then-rank")
    assert isinstance(by_cases, rk.Ranking)
    assert by_cases.rank_of("ben/m1@1") == 1


@pytest.mark.parametrize(
    ("weights", "extras", "score", "words"),
    [
        ("equal", {}, (0.9 + 0.5) / 2, "every site weighing the same"),
        ("cases", {}, (16 * 0.9 + 100 * 0.5) / 116, "each site weighing its cases"),
        ("sqrt-cases", {}, (4 * 0.9 + 10 * 0.5) / 14, "each site weighing the square root of its cases"),
        ("capped-cases", {"cap": 24}, (16 * 0.9 + 24 * 0.5) / 40, "each site weighing its cases, 24 cases at most"),
    ],
)
def test_sites_weigh_as_registered_and_the_sentence_says_so(weights, extras, score, words):
    house = ComparedRegistry(rule="mean-of-sites", weights=weights, extras=extras)
    house.model("m0")
    for site, size, value in (("north", 16, 0.9), ("south", 100, 0.5)):
        house.site(site, cases=size)
        house.measured("m0", site, {"dice": [value] * size})
    found = analysed(house)
    assert found.standings[0].scores[0].value == pytest.approx(score)
    assert f"averaged over 2 sites, {words}." in found.explanation
    equal = other(found, "mean-of-sites") if weights != "equal" else found.ranking
    assert isinstance(equal, rk.Ranking)
    assert equal.scores[0, 0] == pytest.approx(0.7)


def test_what_the_judge_lets_through_is_ranked_by_the_registered_rule():
    """From a proposal of the benchmark on: every record here was judged and merged."""
    ranking = models.Ranking("fets-2022", 1, ("dice",), "equal", "exclude-site", 7, alpha=Decimal("0.01"))
    house = cb.compared(ranking=ranking)
    table = read_benchmark(house.view, cb.BENCHMARK)
    assert table is not None
    assert reason(rank_table(table)).startswith("this rule needs comparisons of models on the same cases")
    house.merge(house.propose(cb.comparison(house)).sign("north"))
    table = next(one for one in read_tables(house.view).benchmarks if one.ref == cb.BENCHMARK)
    found = analyse(table)
    assert found.settings.alpha == 0.01
    values = [cb.values_of(ref, cb.DICE) for ref in (cb.REFERENCE, cb.MODEL)]
    better = sum(values[0][case] > values[1][case] for case in values[0])
    worse = sum(values[0][case] < values[1][case] for case in values[0])
    first = cb.REFERENCE if better > worse else cb.MODEL
    assert [row.model.ref for row in found.standings if row.rank == 1] == [first]
    assert found.headline.endswith("at a single site: no claim beyond it can be made.")


def test_a_brief_table_holds_the_comparisons_that_its_rule_needs():
    registry = registry_of(SITES, rule="brats")
    table = read_benchmark(registry.view(), lr.BENCHMARK)
    assert table is not None
    found = rank_table(table)
    assert isinstance(found, rk.Ranking)
    assert list(found.ranks) == expected("brats", ("dice",))


def test_five_permutations_of_the_same_scores_are_all_first_under_every_rule_by_means():
    sites = [np.stack([np.roll((0.1, 0.2, 0.3, 0.7, 0.9), row) for row in range(5)])[None] for _ in range(3)]
    doubled = [np.concatenate([values, values]) for values in sites]
    for rule in ("mean-of-sites", "mean-then-rank", "meta"):
        found = ranked(rule, "cases" if rule == "mean-then-rank" else "equal", doubled)
        assert ranks_of(found) == [1, 1, 1, 1, 1]
        assert found.headline == "M0, M1, M2, M3 and M4 share first place of five."
        assert all(
            reason(one.tau) == "all models are tied" for one in found.others if isinstance(one.ranking, rk.Ranking)
        )


def test_a_model_without_comparisons_is_named_and_the_others_are_ranked():
    registry = registry_of(SITES, rule="fets-2022", weights="equal")
    registry.model("late")
    registry.measured("late", "s0", {"dice": [0.9] * 40})
    found = analysed(registry)
    late = next(row for row in found.standings if row.model.ref.name == "late")
    assert (late.rank, late.unranked) == (None, "not compared at any site")
    assert found.standings[0].rank == 1


def test_a_site_whose_comparison_lacks_a_model_is_left_out_under_exclude_site():
    registry = registry_of(SITES, rule="rank-then-mean")
    names = ["m0", "m1", "m2"]
    registry.comparison("s2", "dice", {name: SITES[2][0, row].tolist() for row, name in enumerate(names)})
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.sites_out == (rk.LeftOut("s2/tumours@1", "not compared there: ben/m3@1"),)
    assert "1 site left out of the ranking because not every model was compared there." in found.explanation
    both = np.concatenate([SITES[0][0], SITES[1][0]], axis=1)
    assert ranks_of(found) == by_case.rank_then_mean(both).ranks.tolist()


def test_under_exclude_model_ranks_are_those_among_the_models_that_every_site_compared():
    registry = registry_of(SITES, rule="rank-then-mean", missing="exclude-model")
    names = ["m0", "m1", "m2"]
    registry.comparison("s2", "dice", {name: SITES[2][0, row].tolist() for row, name in enumerate(names)})
    found = analysed(registry)
    assert [row.unranked for row in found.standings if row.model.ref.name == "m3"] == [
        "not compared there: s2/tumours@1"
    ]
    assert ranks_of(found)[:3] == by_case.rank_then_mean(POOLED[0, :3]).ranks.tolist()
    own = {row.model.ref.name: row.own for row in found.standings}
    pooled = by_case.rank_then_mean(POOLED[0, :3]).scores
    assert [own[name] for name in names] == pytest.approx(pooled.tolist())


def test_under_worst_a_model_that_was_not_compared_is_last_in_every_case():
    registry = registry_of(SITES, rule="brats", missing="worst")
    registry.comparison("s2", "dice", {name: SITES[2][0, row].tolist() for row, name in enumerate(("m1", "m2", "m3"))})
    found = analysed(registry)
    values = POOLED[:1].copy()
    values[0, 0, 100:] = np.nan
    assert ranks_of(found) == by_case.brats_ranks(values).ranks.tolist()


def test_models_that_rest_on_different_cases_give_no_ranks_among_some_of_them():
    """Under `missing` two pairs may share other cases; mean ranks of a part of the models are then not told."""
    registry = registry_of(SITES[:2], rule="rank-then-mean", missing="exclude-model")
    three = {name: SITES[1][0, row].tolist() for row, name in enumerate(("m0", "m1", "m2"))}
    registry.comparison("s1", "dice", {**three, "m2": three["m2"][:-12]})
    registry.comparison("s0", "dice", {name: SITES[0][0, row].tolist() for row, name in enumerate(("m0", "m2"))})
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.grid.sites == ("s0/tumours@1", "s1/tumours@1")  # the two share what all three share
    registry.comparison("s0", "dice", {name: SITES[0][0, row].tolist() for row, name in enumerate(("m0", "m1"))})
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.sites_out == (
        rk.LeftOut("s1/tumours@1", "its models rest on different cases, so ranks among some of them are not told"),
    )


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("exclude-site", "No site has compared every model."),
        ("exclude-model", "No model was compared at every site."),
    ],
)
@pytest.mark.parametrize(("rule", "weights"), [("rank-then-mean", "cases"), ("test-then-rank", "equal")])
def test_sites_that_compared_other_models_each_rank_nobody(rule, weights, missing, why):
    registry = registry_of(SITES[:2], rule=rule, weights=weights, missing=missing)
    for site, names in (("s0", ("m0", "m1")), ("s1", ("m2", "m3"))):
        rows = SITES[int(site[1])][0]
        registry.comparison(site, "dice", {name: rows[int(name[1])].tolist() for name in names})
    found = analysed(registry)
    assert found.explanation == why
    assert [row.rank for row in found.standings] == [None] * 5


def test_ranks_among_some_models_that_no_site_tells_are_no_ranking():
    registry = registry_of(SITES[:1], rule="rank-then-mean", missing="exclude-model")
    rows = {f"m{row}": SITES[0][0, row].tolist() for row in range(4)}
    registry.comparison("s0", "dice", {**rows, "m3": rows["m3"][:-9]})
    registry.notice("results/ana/breast/1/s0.tumours.1/ben.m3.1/0001.yaml", "dispute", by="ana", side="committee")
    found = analysed(registry)
    assert found.explanation == (
        "No site has a comparison that this rule may rest on "
        "(s0/tumours@1: its comparison rests on a result of ben/m3@1 that is disputed)."
    )


def test_brats_leaves_out_a_site_whose_metrics_rest_on_different_cases():
    registry = registry_of(SITES[:2], rule="brats", metrics=("dice", "hd95"))
    registry.comparison("s1", "hd95", {f"m{row}": SITES[1][1, row, :-15].tolist() for row in range(4)})
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.sites_out[0].reason.startswith("its metrics rest on different cases")


@pytest.mark.parametrize(
    ("rule", "weights", "why"),
    [
        ("rank-then-mean", "cases", "these rules need comparisons"),
        ("fets-2022", "equal", "these rules need comparisons"),
        ("meta", "equal", "AUROC is no mean over cases at a site"),
        ("mean-then-rank", "cases", ""),
    ],
)
def test_a_registered_rule_without_what_it_needs_ranks_nobody_and_says_why(rule, weights, why):
    registry = lr.demo(rule) if rule == "mean-then-rank" else lr.demo()
    registry.rule, registry.weights = rule, weights
    registry._benchmark()
    found = analysed(registry)
    if not why:
        assert found.standings[0].rank == 1
        return
    assert all(row.rank is None for row in found.standings)
    assert found.headline == "There is no ranking yet."
    assert why.replace("these rules need", "This rule needs") in found.explanation
    assert all(row.scores[0].per_site for row in found.standings if row.sites)


def test_numbers_kept_back_leave_only_the_mean_of_sites():
    registry = registry_of(SITES, rule="mean-of-sites", weights="equal", n="bucket")
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    reasons = {reason(one.ranking) for one in found.others}
    assert reasons == {"this rule needs the number of cases, which the policy publishes only as a range"}
    assert found.explanation.endswith("published as ranges only, so nothing here is weighed by them.")
    assert reason(found.effects[0]) == "it needs the number of cases, which the policy publishes only as a range"
    assert found.reversals == ()


def test_an_unknown_version_of_a_rule_is_a_sentence_and_no_trace():
    registry = lr.demo()
    (table,) = read_tables(registry.view()).benchmarks
    object.__setattr__(table.ranking, "version", 9)
    found = analyse(table)
    assert found.headline == "There is no ranking."
    assert found.explanation.startswith(
        "ranking rule mean-of-sites version 9 is not known here; known are mean-of-sites 1"
    )
    assert reason(rank_table(table)).startswith("ranking rule mean-of-sites version 9 is not known here")
    assert len(found.pairs) == len(found.effects) == 1


@pytest.mark.parametrize("rule", ["rank-then-mean", "fets-2022", "brats", "test-then-rank", "meta"])
def test_relabelling_models_permutes_ranks_under_every_rule(rule):
    weights = FACTS[rule].weights[0]
    order = [2, 0, 3, 1]
    plain = ranks_of(ranked(rule, weights))
    turned = ranks_of(ranked(rule, weights, [values[:, order] for values in SITES]))
    assert turned == [plain[row] for row in order]


@pytest.mark.parametrize("rule", ["mean-of-sites", "rank-then-mean", "fets-2022", "brats", "test-then-rank", "meta"])
def test_adding_a_constant_changes_no_rank_under_any_rule(rule):
    weights = FACTS[rule].weights[0]
    shifted = [np.stack([np.round(values[0] / 2 + 0.25, 4), values[1]]) for values in SITES]
    halves = [np.stack([np.round(values[0] / 2, 4), values[1]]) for values in SITES]
    assert ranks_of(ranked(rule, weights, shifted)) == ranks_of(ranked(rule, weights, halves))
