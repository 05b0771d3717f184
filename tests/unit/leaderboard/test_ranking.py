"""Ranking rules, against numbers worked by hand."""

import itertools

import numpy as np
import pytest

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard import ranking as rk
from tests.support.leaderboard_grids import grid, ranked

NAN = float("nan")


def test_mean_of_sites_weighs_sites_equally_and_mean_then_rank_weighs_cases():
    given = grid([[0.9, 0.5], [0.6, 0.7]], cases=[[10, 90]])
    equal, by_cases = ranked(given), ranked(given, rule="mean-then-rank")
    assert equal.scores[0].tolist() == pytest.approx([0.7, 0.65])
    assert equal.ranks == (1, 2)
    assert by_cases.scores[0].tolist() == pytest.approx([0.54, 0.69])
    assert by_cases.ranks == (2, 1)


def test_mean_of_sites_with_registered_case_weights_equals_mean_then_rank():
    given = grid([[0.9, 0.5], [0.6, 0.7]], cases=[[10, 90]])
    assert ranked(given, weights="cases").ranks == ranked(given, rule="mean-then-rank").ranks


def test_sites_may_weigh_by_the_root_of_their_cases_or_by_their_cases_up_to_a_cap():
    given = grid([[1.0, 0.0]], cases=[[4, 36]], cap=12)
    shares = {"equal": 1 / 2, "cases": 4 / 40, "sqrt-cases": 2 / 8, "capped-cases": 4 / 16}
    for weights, share in shares.items():
        assert ranked(given, weights=weights).scores[0, 0] == pytest.approx(share, abs=1e-15)


def test_capped_cases_without_a_cap_are_refused_with_what_to_do():
    with pytest.raises(UsageProblem, match="no cap") as caught:
        ranked(grid([[1.0, 0.0]], cases=[[4, 36]]), weights="capped-cases")
    assert "cap" in caught.value.hint


def test_a_reason_names_some_of_many_and_counts_the_rest():
    values = np.full((12, 2), 0.5)
    values[:, 1] = NAN
    values[0, 1] = 0.1
    (out,) = ranked(grid(values)).counted.sites_out
    assert out.reason == "no value: m1, m2, m3, m4, m5, m6, m7, m8 and 3 more"


def test_lower_is_better_turns_the_order():
    assert ranked(grid([[0.1, 0.1], [0.2, 0.2], [0.05, 0.1]], higher=False)).ranks == (2, 3, 1)


def test_ties_get_the_smallest_rank():
    assert ranked(grid([[0.9], [0.8], [0.8], [0.7]])).ranks == (1, 2, 2, 4)


def test_five_permutations_of_the_same_scores_are_all_rank_one():
    scores = (0.1, 0.2, 0.3, 0.7, 0.9, 1e-3)
    rows = [list(row) for row in itertools.islice(itertools.permutations(scores), 0, 720, 144)]
    assert len({sum(row) for row in rows}) > 1, "the example must hold float noise"
    assert ranked(grid(rows)).ranks == (1, 1, 1, 1, 1)


def test_noise_in_the_thirteenth_decimal_breaks_no_tie():
    assert ranked(grid([[0.3], [0.1 + 0.2]])).ranks == (1, 1)


def test_several_metrics_are_ranked_each_and_their_ranks_averaged():
    values = [[[0.9], [0.8], [0.7]], [[0.1], [0.9], [0.8]]]
    assert ranked(grid(values)).ranks == (2, 1, 3)  # mean ranks 2, 1.5, 2.5


def test_exclude_site_leaves_out_the_site_and_says_who_lacks_it():
    found = ranked(grid([[0.9, 0.1], [0.8, NAN]]))
    assert found.counted.grid.sites == ("s0",)
    assert found.counted.sites_out == (rk.LeftOut("s1", "no value: m1"),)
    assert found.ranks == (1, 2)


def test_exclude_model_leaves_out_the_model_and_says_where():
    found = ranked(grid([[0.9, 0.1], [0.8, NAN]]), missing="exclude-model")
    assert found.counted.models_out == (rk.LeftOut("m1", "no value: s1"),)
    assert found.rank_of("m1") is None
    assert found.rank_of("m0") == 1


def test_worst_puts_the_declared_worst_value():
    found = ranked(grid([[0.5, 0.5], [0.8, NAN]], worst=0.0), missing="worst")
    assert found.scores[0].tolist() == pytest.approx([0.5, 0.4])


def test_worst_weighs_a_missing_cell_with_the_cases_of_its_site():
    found = ranked(grid([[0.5, 0.5], [0.8, NAN]], cases=[[10, 30]], worst=0.0), rule="mean-then-rank", missing="worst")
    assert found.scores[0].tolist() == pytest.approx([0.5, 0.2])


def test_a_model_without_any_value_is_never_ranked_and_costs_no_site():
    found = ranked(grid([[0.9, 0.8], [NAN, NAN]]))
    assert found.counted.models_out == (rk.LeftOut("m1", "no value at any site"),)
    assert found.counted.grid.sites == ("s0", "s1")


def test_weighting_can_reverse_an_order():
    given = grid([[0.95, 0.60], [0.70, 0.80]], cases=[[1, 9]])
    assert ranked(given).ranks == (1, 2)
    assert ranked(given, rule="mean-then-rank").ranks == (2, 1)


def test_relabelling_models_permutes_ranks_and_adding_a_constant_changes_none():
    values = np.random.Generator(np.random.PCG64(7)).random((6, 4)).round(3)
    plain = ranked(grid(values)).ranks
    order = [3, 0, 5, 1, 4, 2]
    assert ranked(grid(values[order])).ranks == tuple(plain[i] for i in order)
    assert ranked(grid(values + 2.5)).ranks == plain


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(UsageProblem) as caught:
        rk.rule_named("fets-2022", 1)
    assert "mean-of-sites 1" in caught.value.hint


def test_an_unknown_missing_rule_is_refused():
    with pytest.raises(UsageProblem):
        rk.apply_missing_rule(grid([[0.1]]), "ignore")


def test_every_rule_is_listed_under_its_own_name():
    assert all((rule.name, rule.version) == key for key, rule in rk.RULES.items())
