"""Tests of every pair of models: of the cases that sites compared, else of sites’ values, else none and why."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, wilcoxon

from medperf_git.leaderboard import pairwise as pw
from medperf_git.leaderboard import section_pairs
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.section_pairs import has_pairs, pairs_csv
from medperf_git.leaderboard.statistics.pairs import holm
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of
from tests.unit.leaderboard.test_by_rule import analysed, reason

SITES = drawn(3, sites=(40, 60, 90), models=4)


def pairs_of(registry: lr.Registry) -> pw.Pairwise:
    (found,) = analysed(registry).pairs
    assert isinstance(found, pw.Pairwise)
    return found


def two_sided(sites: list[np.ndarray]) -> float:
    """Test the differences of two models, each site ranked by itself, worked out by hand."""
    w, variance = 0.0, 0.0
    for given in sites:
        kept = given[given != 0]
        sizes = np.abs(kept)
        ranks = np.array([(sizes < one).sum() + ((sizes == one).sum() + 1) / 2 for one in sizes])
        w += ranks[kept > 0].sum() - len(kept) * (len(kept) + 1) / 4
        variance += (ranks**2).sum() / 4
    return float(2 * norm.sf((abs(w) - 0.5) / np.sqrt(variance)))


def test_signed_ranks_of_all_sites_are_added_up_each_site_ranking_its_own():
    found = pairs_of(registry_of(SITES, rule="mean-of-sites", weights="equal"))
    assert (found.kind, found.cases, len(found.sites), found.tests) == (pw.Tested.CASES, 190, 3, 6)
    rows, columns = np.triu_indices(4, 1)
    every = [two_sided([np.round(v[0, i] - v[0, j], 12) for v in SITES]) for i, j in zip(rows, columns, strict=True)]
    assert found.p[rows, columns] == pytest.approx(holm(every))
    assert found.beaten_by(found.models[0], found.models[3]) is True
    assert found.beaten_by(found.models[3], found.models[0]) is False


def test_the_rank_interval_counts_who_is_significantly_better_and_worse():
    analysis = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal"))
    intervals = {row.model.ref.name: row.rank_interval for row in analysis.standings if row.rank}
    assert intervals == {"m0": (1, 2), "m1": (1, 2), "m2": (3, 3), "m3": (4, 4)}
    late = next(row for row in analysis.standings if row.rank is None)
    assert reason(late.rank_interval) == "not ranked"


def test_with_several_metrics_each_has_its_own_rank_interval():
    analysis = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal", metrics=("dice", "hd95")))
    first = analysis.standings[0]
    assert reason(first.rank_interval) == "several metrics rank, and each has rank intervals of its own"
    assert all(isinstance(score.ranks, tuple) for score in first.scores)
    assert [one.metric.id for one in analysis.pairs] == ["dice", "hd95"]


def test_lower_is_better_turns_the_pairs():
    found = pairs_of(registry_of(SITES, rule="mean-of-sites", weights="equal", metrics=("hd95",)))
    assert found.better[0, 3]
    assert not found.better[3, 0]


def test_one_site_has_no_test_and_says_so():
    analysis = analysed(registry_of(SITES[:1], rule="rank-then-mean"))
    assert (
        reason(analysis.pairs[0]) == "one site: what holds among its cases may hold nowhere else, so nothing is tested"
    )
    assert analysis.headline == "M0 is first of four, at a single site: no claim beyond it can be made."
    assert reason(analysis.standings[0].rank_interval).startswith("one site")
    assert not has_pairs(analysis)


def test_fewer_than_five_sites_without_comparisons_allow_no_test():
    assert reason(analysed(lr.demo()).pairs[0]) == (
        "no comparisons of cases, and 3 sites: fewer than five sites’ values allow no test"
    )


def test_a_comparison_at_one_of_few_sites_is_no_test_of_all():
    registry = registry_of(SITES, rule="mean-of-sites", weights="equal")
    for site in ("s1", "s2"):
        registry.files.pop(f"comparisons/ana/breast/1/{site}.tumours.1/dice/0001.yaml")
    assert reason(analysed(registry).pairs[0]).startswith("a comparison of cases at one site only, and 3 sites")


def test_from_five_sites_on_their_values_are_tested_and_give_no_rank_interval():
    registry = lr.wide(models=4, sites=9)
    found = pairs_of(registry)
    assert (found.kind, found.cases, len(found.sites)) == (pw.Tested.SITES, None, 9)
    analysis = analysed(registry)
    assert reason(analysis.standings[0].rank_interval) == (
        "sites publish no comparisons of cases, and tests of sites’ values are too coarse for one"
    )
    grid = {row.model.ref: list(row.scores[0].per_site.values()) for row in analysis.standings}
    every = [
        wilcoxon(
            np.round(np.subtract(grid[found.models[i]], grid[found.models[j]]), 12),
            method="asymptotic",
            correction=True,
            zero_method="wilcox",
        ).pvalue
        for i in range(4)
        for j in range(i + 1, 4)
        if grid[found.models[i]] != grid[found.models[j]]
    ]
    rows, columns = np.triu_indices(4, 1)
    assert found.p[rows, columns] == pytest.approx(holm(every))


def test_five_sites_can_never_be_significant_once_several_pairs_are_adjusted():
    """The smallest p of five sites is 0.059: honest, but it tells nobody apart."""
    found = pairs_of(lr.wide(models=4, sites=5))
    assert not found.beats().any()
    assert np.nanmin(found.p) > 0.05


def test_models_that_share_too_few_sites_are_not_tested():
    registry = lr.Registry()
    registry.model("aa")
    registry.model("bb")
    for place in range(8):
        registry.site(f"s{place}", cases=30)
        registry.result("aa", f"s{place}", {"auroc": round(0.9 - place / 100, 2)})
        if place < 3:
            registry.result("bb", f"s{place}", {"auroc": 0.8})
    assert reason(analysed(registry).pairs[0]) == (
        "no comparisons of cases, and 3 sites: fewer than five sites’ values allow no test"
    )


def test_more_models_than_can_be_tested_are_named_as_the_reason(monkeypatch):
    monkeypatch.setattr(pw, "MOST_MODELS", 3)
    found = analysed(lr.wide(models=4, sites=5)).pairs[0]
    assert reason(found) == "4 models are too many to test every pair; up to 3 are"


def test_all_tied_models_are_not_tested_at_all():
    house = ComparedRegistry(rule="mean-of-sites", weights="equal")
    for name in ("m0", "m1"):
        house.model(name)
    for site in ("s0", "s1"):
        house.site(site, cases=20)
        house.cases(site, {name: {"dice": [0.5, 0.7] * 10} for name in ("m0", "m1")})
    found = pairs_of(house)
    assert (found.tests, np.isnan(found.p).all()) == (0, True)
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1], [2, 2])
    assert found.beaten_by(*found.models) is None


def test_pairs_of_different_sites_rest_on_the_sites_that_compared_both():
    registry = registry_of(SITES, rule="mean-of-sites", weights="equal")
    registry.comparison("s2", "dice", {name: SITES[2][0, row].tolist() for row, name in enumerate(("m0", "m1"))})
    found = pairs_of(registry)
    without = pairs_of(registry_of(SITES[:2], rule="mean-of-sites", weights="equal"))
    assert found.tests == 6
    ratio = found.p[0, 3] / without.p[0, 3]
    assert ratio == pytest.approx(1)  # the pair (m0, m3) was compared at s0 and s1 only


def test_every_pair_is_a_line_of_the_csv_and_says_who_is_better():
    analysis = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal", metrics=("dice", "hd95")))
    rows = list(csv.DictReader(io.StringIO(pairs_csv(analysis).decode())))
    assert len(rows) == 12
    assert {row["metric"] for row in rows} == {"dice", "hd95"}
    far = next(row for row in rows if (row["first"], row["second"]) == ("ben/m0@1", "ben/m3@1"))
    assert (far["better"], far["significant"], far["tested_by"], far["sites"]) == ("ben/m0@1", "yes", "cases", "3")
    near = next(row for row in rows if (row["first"], row["second"]) == ("ben/m0@1", "ben/m1@1"))
    assert near["significant"] == "no"


def test_the_matrix_shows_a_mark_a_word_and_the_ranks_left_open():
    context = firmness(analysed(registry_of(SITES, rule="mean-of-sites", weights="equal")))
    (table,) = context["pairs"]
    assert [row["interval"] for row in table["rows"]] == ["1–2", "1–2", "3", "4"]
    assert [cell["word"] for cell in table["rows"][0]["cells"]] == ["itself", "not told apart", "better", "better"]
    assert [cell["word"] for cell in table["rows"][3]["cells"]] == ["worse", "worse", "worse", "itself"]
    assert "190 cases of 3 sites" in table["caption"]


def test_a_matrix_of_many_models_shows_the_first_and_names_the_file(monkeypatch):
    monkeypatch.setattr(section_pairs, "MOST_SHOWN", 3)
    context = firmness(analysed(registry_of(SITES, rule="mean-of-sites", weights="equal")))
    (table,) = context["pairs"]
    assert (len(table["rows"]), len(table["heads"]), len(table["rows"][0]["cells"])) == (3, 3, 3)
    assert table["notes"] == ["The first 3 of 4 models; every pair is in pairs.csv."]


def test_a_page_has_room_for_three_matrices(monkeypatch):
    monkeypatch.setattr(section_pairs, "MOST_TABLES", 1)
    found = firmness(analysed(registry_of(SITES, rule="brats", metrics=("dice", "hd95"))))["pairs"]
    assert [bool(one["rows"]) for one in found] == [True, False]
    assert found[1]["why"] == "The page has room for 1 metric; this one is in pairs.csv."


def test_where_nobody_differs_one_sentence_says_so():
    (table,) = firmness(analysed(lr.wide(models=4, sites=5)))["pairs"]
    assert table["rows"] == []
    assert table["why"] == (
        "No two models differ significantly (signed ranks of sites’ values, over 5 sites: each site counts once; "
        "two-sided, 6 tests adjusted together by Holm, level 0.05). "
        "5 sites are too few for any difference, however large, to be significant by these tests."
    )


@pytest.mark.parametrize(("sites", "tests", "few"), [(5, 1, False), (5, 2, True), (6, 6, True), (9, 6, False)])
def test_sites_are_too_few_only_where_not_even_the_clearest_difference_passes(sites, tests, few):
    (found,) = analysed(lr.wide(models=4, sites=5)).pairs
    told = section_pairs._too_few(replace(found, sites=found.sites[:1] * sites, tests=tests))
    least = wilcoxon(np.ones(sites), method="asymptotic", correction=True, zero_method="wilcox").pvalue
    assert (least * tests > found.alpha) == few == bool(told)


def test_a_sign_of_a_difference_alone_counts_no_site_twice():
    differences = np.array([[0.1, -0.2, 0.0, 0.3, np.nan]])
    w, n, variance = pw.signed_ranks_of(differences)
    assert (w[0, 0], n[0, 0], variance[0, 0]) == (4.0, 3.0, 14 / 4)


def test_an_undefined_contest_leaves_first_place_to_the_tests():
    analysis = analysed(registry_of(SITES, rule="meta", weights="equal"))
    assert isinstance(analysis.contest, un.Undefined)
    beside = [row.model.ref.name for row in analysis.standings if row.beside_first]
    assert beside == ["m0", "m1"]
    assert analysis.headline == "M0 is first of four, but M1 cannot be told from it by tests on the same cases."
