"""Random effects against numbers that others published or computed with R (metafor 3.8, lme4 1.1)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from medperf_git.leaderboard.statistics.intervals import pooled
from medperf_git.leaderboard.statistics.meta import random_effects
from medperf_git.leaderboard.statistics.pairs import paired_meta
from tests.support import published_numbers as pn


def test_the_bcg_trials_give_metafors_published_dersimonian_laird_numbers():
    found = random_effects(*pn.log_risk_ratios())
    assert round(float(found.estimate), 4) == -0.7141
    assert round(float(found.se), 4) == 0.1787
    assert (round(float(found.low), 4), round(float(found.high), 4)) == (-1.0644, -0.3638)
    assert round(float(found.tau2), 4) == 0.3088
    assert round(float(found.i2), 2) == 92.12
    assert round(float(found.q), 3) == 152.233
    assert found.k == 13


def test_the_bcg_trials_agree_with_metafor_to_twelve_digits():
    found = random_effects(*pn.log_risk_ratios())
    given = [found.estimate, found.se, found.low, found.high, found.tau2, found.i2, found.q]
    metafor = [
        -0.714117222073227,
        0.178742089535403,
        -1.064445280084051,
        -0.363789164062403,
        0.308760262862376,
        92.117346854562058,
        152.233008082373289,
    ]
    assert np.array(given) == pytest.approx(metafor, rel=1e-12)


def test_paule_and_mandel_agree_with_metafor():
    found = random_effects(*pn.log_risk_ratios(), method="PM")
    given = [found.estimate, found.se, found.low, found.high, found.tau2, found.i2]
    metafor = [
        -0.714968153493444,
        0.180892191537624,
        -1.069510333991707,
        -0.360425972995181,
        0.318068452205024,
        92.330337954153251,
    ]
    assert np.array(given) == pytest.approx(metafor, rel=1e-11)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [("DL", -1.858153752732168, 0.429919308585714), ("PM", -1.875807082484017, 0.445870775497129)],
)
def test_the_prediction_interval_by_the_normal_quantile_is_metafors(method, low, high):
    found = random_effects(*pn.log_risk_ratios(), method, prediction="z")
    assert (found.prediction_low, found.prediction_high) == pytest.approx((low, high), rel=1e-10)


def test_the_prediction_interval_by_students_t_is_the_published_one_of_table_14_4():
    found = random_effects(*pn.log_odds_ratios())
    assert round(float(np.exp(found.prediction_low)), 4) == 0.1499
    assert round(float(np.exp(found.prediction_high)), 4) == 2.1492


def test_two_more_published_examples_come_out_to_their_digits():
    odds, means = random_effects(*pn.log_odds_ratios()), random_effects(*pn.hedges_g())
    assert [round(float(x), 4) for x in (odds.estimate, odds.se, odds.tau2, odds.q)] == [
        -0.5663,
        0.2388,
        0.1729,
        10.5512,
    ]
    assert round(float(odds.i2), 2) == 52.61
    assert [round(float(x), 4) for x in (odds.low, odds.high)] == [-1.0344, -0.0982]
    assert [round(float(x), 4) for x in (means.estimate, means.se, means.tau2, means.q)] == [
        0.3582,
        0.1052,
        0.0373,
        12.0033,
    ]
    assert round(float(means.i2), 2) == 58.34


def sleepstudy():
    """Split the study as a site would publish it: each person's mean and slope over ten days, and the noise of both.

    The random-intercept model has one slope for all; its residual variance is what is left beside people and days.
    """
    days, times = np.arange(10) - 4.5, pn.SLEEPSTUDY
    means, slopes = times.mean(axis=1), (times * days).sum(axis=1) / (days**2).sum()
    left = times - means[:, None] - slopes.mean() * days
    residual = (left**2).sum() / (times.size - len(times) - 1)
    return means, slopes, residual, float((days**2).sum())


@pytest.mark.parametrize("method", ["DL", "PM"])
def test_people_as_sites_give_the_published_random_intercepts_of_sleepstudy(method):
    means, _, residual, _ = sleepstudy()
    found = random_effects(means, np.full(18, residual / 10), method)
    assert round(float(np.sqrt(residual)), 2) == 30.99
    assert round(float(np.sqrt(found.tau2)), 2) == 37.12
    assert float(found.tau2) == pytest.approx(1378.178513809047, rel=1e-6)  # lmer stops when the likelihood is flat
    assert residual == pytest.approx(960.456578560467, rel=1e-9)


def test_people_as_sites_give_the_published_fixed_effects_of_sleepstudy():
    means, slopes, residual, squares = sleepstudy()
    level = random_effects(means, np.full(18, residual / 10))
    slope = random_effects(slopes, np.full(18, residual / squares))
    common = float(np.sqrt(residual / squares / 18))  # of the one slope, without variance between people
    assert round(float(slope.estimate), 3) == 10.467
    assert common == pytest.approx(0.80422142894524, rel=1e-9)
    assert round(float(level.estimate - 4.5 * slope.estimate), 3) == 251.405
    assert float(np.hypot(level.se, 4.5 * common)) == pytest.approx(9.74671626920939, rel=1e-7)


def test_dersimonian_laird_of_equal_variances_is_the_restricted_maximum_likelihood():
    means, _, residual, _ = sleepstudy()
    v = residual / 10

    def deviance(tau2):
        return len(means) * np.log(tau2 + v) + ((means - means.mean()) ** 2).sum() / (tau2 + v) - np.log(tau2 + v)

    best = minimize_scalar(deviance, bounds=(0, 1e4), method="bounded", options={"xatol": 1e-8}).x
    assert float(random_effects(means, np.full(18, v)).tau2) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("method", ["DL", "PM"])
def test_trap_the_variance_between_sites_is_never_below_zero(method):
    values, variances = np.array([0.5, 0.51, 0.49, 0.5]), np.full(4, 0.04)
    weight = 1 / variances
    q = (weight * (values - values.mean()) ** 2).sum()
    assert (q - 3) / (weight.sum() - (weight**2).sum() / weight.sum()) < 0, "the example must come out below zero"
    found = random_effects(values, variances, method)
    assert found.tau2 == 0
    assert found.i2 == 0
    assert found.estimate == pytest.approx(0.5)


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(1e-4, 1)), min_size=3, max_size=12),
    st.sampled_from(["DL", "PM"]),
    st.floats(-5, 5),
)
@settings(max_examples=60, deadline=None)
def test_moving_every_site_moves_the_estimate_and_nothing_else(sites, method, step):
    y, v = np.array(sites).T
    one, other = random_effects(y, v, method), random_effects(y + step, v, method)
    assert float(other.estimate) == pytest.approx(float(one.estimate) + step, abs=1e-7)
    assert float(other.tau2) == pytest.approx(float(one.tau2), rel=1e-6, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(1e-4, 1)), min_size=3, max_size=12))
@settings(max_examples=60, deadline=None)
def test_paule_and_mandel_meet_their_own_equation(sites):
    y, v = np.array(sites).T
    found = random_effects(y, v, "PM")
    weight = 1 / (v + float(found.tau2))
    q = (weight * (y - (weight * y).sum() / weight.sum()) ** 2).sum()
    assert q == pytest.approx(len(y) - 1, rel=1e-6) if found.tau2 > 0 else q <= len(y) - 1 + 1e-9


def test_tiny_variances_are_solved_as_exactly_as_large_ones():
    y, v = pn.log_risk_ratios()
    small = random_effects(y * 1e-5, v * 1e-10, "PM")
    assert float(small.tau2) == pytest.approx(0.318068452205024e-10, rel=1e-9)


def test_many_models_at_once_are_each_model_alone():
    random = np.random.Generator(np.random.PCG64(2))
    y, v = random.normal(size=(5, 8)), random.random((5, 8)) + 0.01
    y[1, 3] = np.nan
    for method in ("DL", "PM"):
        together = random_effects(y, v, method)
        for model in range(5):
            there = ~np.isnan(y[model])
            alone = random_effects(y[model, there], v[model, there], method)
            assert together.estimate[model] == pytest.approx(float(alone.estimate), abs=1e-12)
            assert together.prediction_low[model] == pytest.approx(float(alone.prediction_low), abs=1e-12)


def test_a_site_without_variance_takes_no_part_and_is_not_counted():
    found = random_effects([0.5, 0.9, 0.7], [0.01, 0.0, np.nan])
    assert found.k == 1
    assert found.estimate == 0.5


def test_one_site_has_an_estimate_and_no_prediction_and_none_has_nothing():
    one, none = random_effects([0.5], [0.01]), random_effects([np.nan], [0.01])
    assert (one.estimate, one.tau2, one.i2) == (0.5, 0, 0)
    assert np.isnan(one.prediction_low)
    assert np.isnan([none.estimate, none.tau2, none.q, none.low]).all()
    assert np.isnan(random_effects([0.5, 0.6], [0.01, 0.01]).prediction_high)


def test_paired_meta_analysis_uses_the_variance_of_each_mean_difference():
    found = paired_meta([0.1, 0.2, 0.15], [0.3, 0.2, 0.25], [30, 50, 40])
    again = random_effects([0.1, 0.2, 0.15], [0.3**2 / 30, 0.2**2 / 50, 0.25**2 / 40])
    assert found == again


def test_pooling_sites_is_the_mean_and_deviation_of_all_cases():
    random = np.random.Generator(np.random.PCG64(4))
    sites = [random.normal(size=n) for n in (2, 17, 1, 40)]
    found = pooled(
        [site.mean() for site in sites],
        [site.std(ddof=1) if len(site) > 1 else np.nan for site in sites],
        [2, 17, 1, 40],
    )
    cases = np.concatenate(sites)
    assert (float(found.n), float(found.mean)) == (60, pytest.approx(cases.mean()))
    assert float(found.sd) == pytest.approx(cases.std(ddof=1), rel=1e-12)


def test_one_case_in_all_has_no_deviation_and_no_case_has_no_mean():
    assert np.isnan(pooled([0.3], [np.nan], [1]).sd)
    assert np.isnan(pooled([np.nan], [np.nan], [0]).mean)
