"""Random effects and pooled counts of each model, from what sites publish; and the reason where there are none."""

import numpy as np
import pytest

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.effects import Effects
from medperf_git.leaderboard.pooling import PooledCounts
from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.statistics.meta import random_effects
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of
from tests.unit.leaderboard.test_by_rule import analysed, reason

SITES = drawn(3, sites=(40, 60, 90), models=4)


def test_each_model_has_its_random_effects_and_a_prediction_interval():
    found = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal")).effects[0]
    assert isinstance(found, Effects)
    means = np.array([values[0, 2].mean() for values in SITES])
    fit = random_effects(means, [values[0, 2].var(ddof=1) / values.shape[2] for values in SITES])
    row = 1 + 2  # the reference model is first
    assert float(found.fit.tau2[row]) == pytest.approx(float(fit.tau2), abs=1e-4)
    assert float(found.fit.i2[row]) == pytest.approx(float(fit.i2), abs=0.5)
    assert float(found.fit.prediction_low[row]) == pytest.approx(float(fit.prediction_low), abs=2e-3)
    every = np.concatenate([values[0, 2] for values in SITES])
    assert float(found.pooled.mean[row]) == pytest.approx(every.mean(), abs=1e-4)
    assert float(found.pooled.sd[row]) == pytest.approx(every.std(ddof=1), abs=1e-3)


def test_the_table_of_random_effects_has_no_prediction_below_three_sites():
    (table,) = firmness(analysed(registry_of(SITES, rule="brats")))["effects"]
    assert table["heads"][:4] == ["Mean", "95 % interval", "95 % prediction", "τ"]
    assert [row["title"] for row in table["rows"]] == ["M0", "M1", "M2", "M3"]
    (table,) = firmness(analysed(registry_of(SITES[:2], rule="brats")))["effects"]
    assert {row["cells"][2] for row in table["rows"]} == {"–"}
    assert {row["cells"][6] for row in table["rows"]} == {"2"}


def test_what_random_effects_mean_is_explained_once():
    first, second = firmness(analysed(registry_of(SITES, rule="brats", metrics=("dice", "hd95"))))["effects"]
    assert first["caption"].startswith("Random effects over sites (DerSimonian and Laird). The mean is that expected")
    assert second["caption"] == "Random effects over sites (DerSimonian and Laird)."


def test_a_median_over_cases_has_no_random_effects():
    found = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal", reduction="median"))
    assert reason(found.effects[0]) == (
        "Dice is no mean over cases at a site, so its standard deviation says nothing of its precision"
    )


def test_a_metric_without_deviation_has_no_random_effects():
    registry = lr.Registry(metrics=("brier",))
    registry.site("north", cases=50)
    registry.result("one-feature", "north", {"brier": 0.1})
    assert reason(analysed(registry).effects[0]) == (
        "Brier score is published without its standard deviation over cases"
    )


class Counted(lr.Registry):
    """A registry whose sites publish counts beside AUROC or sensitivity."""

    def counted(self, model: str, site: str, values: dict[str, float], counts: dict[str, list[int]]) -> None:
        path = self.result(model, site, values)
        size = self.sizes[site]
        entries = {
            name: {"value": lr.decimal(value), "n": size, **({"counts": counts[name]} if name in counts else {})}
            for name, value in sorted(values.items())
        }
        ComparedRegistry.replace(self, path, values=entries)  # type: ignore[arg-type]


def counted(metric: str, *sites: tuple[float, list[int]]) -> Counted:
    registry = Counted(metrics=(metric,))
    for at, (value, counts) in enumerate(sites):
        registry.site(f"s{at}", cases=100)
        registry.counted("one-feature", f"s{at}", {metric: value}, {metric: counts})
    return registry


def pooled(registry: lr.Registry) -> PooledCounts:
    (found,) = analysed(registry).pools
    assert isinstance(found, PooledCounts)
    return found


def test_sensitivity_is_computed_once_of_the_counts_of_all_sites():
    """8 of 10 at one site and 10 of 40 at the other: 18 of 50 together, not the mean of 0.8 and 0.25."""
    found = pooled(counted("sensitivity", (0.8, [8, 1, 2, 9]), (0.25, [10, 5, 30, 5])))
    assert (found.values[0], found.means[0], found.sites[0]) == (0.36, 0.525, 2)


def test_auroc_is_computed_of_counts_at_every_threshold():
    """Two thresholds; one site has no positive case, so it publishes no AUROC and is missing, not zero."""
    registry = counted("auroc", (0.9, [9, 2, 1, 8, 5, 0, 5, 10]))
    registry.site("empty", cases=50)
    ComparedRegistry.replace(
        registry,  # type: ignore[arg-type]
        registry.result("one-feature", "empty", {"auroc": 0.5}),
        values={"auroc": {"n": 50, "n_undefined": 50}},
    )
    analysis = analysed(registry)
    (found,) = analysis.pools
    assert isinstance(found, PooledCounts)
    assert found.sites[0] == 1
    # (0, 0), (0, 0.5), (0.2, 0.9), (1, 1): trapezia of 0, 0.2 · 0.7 and 0.8 · 0.95
    assert found.values[0] == pytest.approx(0.2 * 0.7 + 0.8 * 0.95)
    assert analysis.standings[0].sites == 1


def test_counts_whose_meaning_is_not_known_are_not_pooled():
    assert reason(analysed(counted("brier", (0.1, [3, 4, 5, 6]))).pools[0]) == (
        "what the counts of Brier score give when they are added up is not known here"
    )
    assert reason(analysed(counted("sensitivity", (0.1, [3, 4, 5]))).pools[0]).startswith("what the counts of Sens")
    assert reason(analysed(lr.demo()).pools[0]) == "AUROC is published without counts"


def test_pooled_counts_stand_beside_the_mean_of_sites_on_the_page():
    registry = counted("sensitivity", (0.8, [8, 1, 2, 9]), (0.25, [10, 5, 30, 5]))
    registry.model("other")
    for at in range(2):
        registry.counted("other", f"s{at}", {"sensitivity": 0.5}, {})
    (table,) = firmness(analysed(registry))["pools"]
    assert [(row["title"], row["cells"]) for row in table["rows"]] == [("One feature", ["0.360", "0.525", "2"])]


def test_a_site_without_spread_takes_no_part_in_random_effects():
    house = ComparedRegistry(rule="meta", weights="equal")
    house.model("m0")
    for site in ("north", "south"):
        house.site(site, cases=20)
        house.measured("m0", site, {"dice": [0.5] * 20})
    found = analysed(house)
    assert isinstance(found.ranking, un.Undefined)
    assert found.explanation == "A model’s value varies over the cases of no site, so no site has a weight."
    assert reason(found.effects[0]) == "no site has more than one case and values that vary"
