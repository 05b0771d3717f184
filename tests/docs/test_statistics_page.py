"""The page of the statistics: each number of its table of checks is computed here, now, as it stands there."""

from pathlib import Path

import numpy as np
from scipy.special import expit

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.statistics import cases
from medperf_git.leaderboard.statistics.meta import MetaResult, random_effects
from medperf_git.leaderboard.statistics.pairs import holm, stratified_signed_rank
from tests.support import published_numbers as pn
from tests.support.r_random import RRandom

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "statistics.md"
UNIFORM = [(0.9, 1.0), (0.8, 0.89), (0.7, 0.79), (0.6, 0.69), (0.5, 0.59)]


def rows() -> list[list[str]]:
    table = PAGE.read_text(encoding="utf-8").partition("| what | published | here |\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def text(value: object, decimals: int) -> str:
    return f"{float(value):.{decimals}f}".replace("-", "−")


def plain(values: np.ndarray, decimals: int = 4) -> str:
    return ", ".join(f"{round(float(value), decimals):g}" for value in values)


def span(low: object, high: object, decimals: int) -> str:
    return f"{text(low, decimals)} to {text(high, decimals)}"


def heterogeneity(found: MetaResult) -> str:
    return f"{text(found.tau2, 4)}, {text(found.i2, 2)} %, {text(found.q, 4)}"


def meta_rows() -> list[str]:
    bcg, again = random_effects(*pn.log_risk_ratios()), random_effects(*pn.log_risk_ratios(), "PM")
    normal = random_effects(*pn.log_risk_ratios(), prediction="z")
    odds, means = random_effects(*pn.log_odds_ratios()), random_effects(*pn.hedges_g())
    return [
        text(bcg.estimate, 4),
        text(bcg.se, 4),
        span(bcg.low, bcg.high, 4),
        text(bcg.tau2, 4),
        f"{text(bcg.i2, 2)} %",
        text(bcg.q, 3),
        text(again.estimate, 12),
        text(again.tau2, 12),
        span(normal.prediction_low, normal.prediction_high, 6),
        text(odds.estimate, 4),
        heterogeneity(odds),
        span(np.exp(odds.prediction_low), np.exp(odds.prediction_high), 4),
        text(means.estimate, 4),
        heterogeneity(means),
    ]


def sleepstudy_rows() -> list[str]:
    days = np.arange(10) - 4.5
    means, slopes = pn.SLEEPSTUDY.mean(axis=1), (pn.SLEEPSTUDY * days).sum(axis=1) / (days**2).sum()
    left = pn.SLEEPSTUDY - means[:, None] - slopes.mean() * days
    residual = (left**2).sum() / (180 - 18 - 1)
    level = random_effects(means, np.full(18, residual / 10))
    se = np.sqrt(residual / (days**2).sum() / 18)
    slope = random_effects(slopes, np.full(18, residual / (days**2).sum())).estimate
    return [
        text(np.sqrt(level.tau2), 2),
        text(np.sqrt(residual), 2),
        f"{text(level.estimate - 4.5 * slope, 3)}, {text(np.hypot(level.se, 4.5 * se), 3)}",
        f"{text(slope, 3)}, {text(se, 3)}",
    ]


def task_rows() -> list[str]:
    random = RRandom(4)
    random.runif(50)
    ideal = np.array([random.runif(50, low, high) for low, high in UNIFORM])
    noise = expit(RRandom(1).rnorm(250, 1.5, 1.0)).reshape(5, 50)
    orders = np.array(np.meshgrid(*[range(5)] * 5)).reshape(5, -1)
    worst = 0.8 + 0.05 * orders[:, [len(set(order)) == 5 for order in orders.T]]

    def ranks(values: np.ndarray) -> list[list[int]]:
        found = [cases.mean_then_rank(values), cases.rank_then_mean(values)]
        found += [cases.test_then_rank(values, 0.05, adjust) for adjust in ("none", "holm")]
        return [one.ranks.tolist() for one in found]

    p = cases.wilcoxon_p_greater(noise)
    assert ranks(worst) == [[1] * 5] * 4
    return [
        plain(cases.rank_then_mean(ideal).scores),
        plain(cases.test_then_rank(ideal, 0.05, "none").scores),
        plain(cases.rank_then_mean(noise).scores),
        "; ".join(" ".join(map(str, one)) for one in ranks(noise)),
        f"{np.nanmin(p):.10f}, {np.nanmin(holm(p)):.10f}",
        f"{plain(cases.rank_then_mean(worst).scores)}; all 1",
    ]


def small_rows() -> list[str]:
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    differences = before - after
    order = np.argsort(np.argsort(np.abs(differences))) + 1.0
    test = stratified_signed_rank([order[differences > 0].sum()], [9], [(order**2).sum() / 4], correction=True)
    return [
        plain(cases.fets_2022_of([pn.FETS_EXAMPLE]).scores),
        plain(cases.brats_ranks(pn.FETS_EXAMPLE).scores),
        f"{float(test.p_greater):.10f}, {float(test.p_two_sided):.10f}",
        f"{un.kendall_tau((1, 2, 2, 4, 5), (2, 1, 2, 4, 4)):.12f}",
    ]


def test_every_number_of_the_table_is_computed_and_is_the_published_one() -> None:
    computed = [*meta_rows(), *sleepstudy_rows(), *task_rows(), *small_rows()]
    found = rows()
    assert [row[2] for row in found] == computed
    assert [row[1] for row in found] == computed
