"""Large tables: the same numbers as the plain way, stated bounds, and an order without each site."""

import numpy as np
import pytest

from medperf_git.leaderboard import by_rule, intervals_of, resampling, without
from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.rules import Settings
from medperf_git.leaderboard.section_firm import firmness
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import drawn, registry_of
from tests.support.leaderboard_grids import grid, ranked
from tests.unit.leaderboard.test_by_rule import analysed, reason


def computed(found: rk.Ranking) -> by_rule.Computed:
    return by_rule.Computed(found, Settings(), found, None, lambda sites: ())


def table(models: int, sites: int) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(9))
    return np.round(0.8 - 0.003 * np.arange(models)[:, None] + random.normal(0, 0.02, (models, sites)), 3)


def test_the_order_without_each_site_is_that_of_ranking_again():
    found = ranked(grid(table(6, 8), cases=np.arange(10, 18)[None]), rule="mean-then-rank")
    orders = without.leave_one_out(computed(found))
    assert isinstance(orders, dict)
    assert orders == {site: again.ranks for site, again in un.leave_one_out(found)}
    alone = without.one_site_each(computed(found))
    assert alone == {site: again.ranks for site, again in un.one_site_each(found)}


@pytest.mark.parametrize("rule", ["test-then-rank", "meta"])
def test_rules_that_are_no_mean_over_sites_are_computed_again_without_each(rule):
    sites = drawn(3, sites=(40, 60, 90), models=4)
    found = analysed(registry_of(sites, rule=rule, weights="equal"))
    less = analysed(registry_of(sites[1:], rule=rule, weights="equal"))
    ranks = {row.model.ref.name: row.without.get("s0/tumours@1") for row in found.standings}
    assert [ranks[row.model.ref.name] for row in less.standings] == [row.rank for row in less.standings]


def test_what_is_too_large_is_left_out_with_the_reason(monkeypatch):
    registry = lr.wide(models=5, sites=12)
    for module in (intervals_of, resampling):
        monkeypatch.setattr(module, "MOST", 20)
    monkeypatch.setattr(without, "MOST_CELLS", 20)
    found = analysed(registry)
    told = "models at 12 sites are too many to be resampled; the data are in results.csv"
    assert reason(found.contest) == f"5 {told}"
    assert reason(found.standings[0].scores[0].interval) == f"6 {told}"
    assert found.without == "5 models at 12 sites are too many to rank again without each site"
    assert found.standings[0].rank == 1
    assert firmness(found)["text"].startswith("5 models at 12 sites are too many to rank again without each site; ")


def test_models_with_many_different_sets_of_sites_have_no_intervals_in_a_large_table(monkeypatch):
    registry = lr.wide(models=4, sites=8)
    for path in [
        path for path in registry.files if path.startswith("results/") and "site-a" in path and "net-2" in path
    ]:
        registry.files.pop(path)
    assert isinstance(analysed(registry).standings[0].scores[0].interval, un.Interval)
    monkeypatch.setattr(intervals_of, "MOST_WORK", 20)
    told = reason(analysed(registry).standings[0].scores[0].interval)
    assert told == "models have 3 different sets of sites, too many to resample each"


def test_a_slow_rule_is_not_computed_again_for_every_site(monkeypatch):
    monkeypatch.setattr(without, "MOST_FITS", 5)
    sites = drawn(3, sites=(40, 60, 90), models=4)
    found = analysed(registry_of(sites, rule="meta", weights="equal", extras={"method": "PM"}))
    assert found.without == "this rule is too slow to be computed again for 4 models without each of 3 sites"
    assert not any(row.without for row in found.standings)


def test_many_sites_show_the_lowest_and_the_highest_rank_and_name_the_file():
    context = firmness(analysed(lr.wide(models=5, sites=14)))
    assert context["ends"]
    assert (context["without"], context["alone"]) == ([], [])
    assert any(
        "lowest and the highest rank without one of 14 sites; each is in table.json" in n for n in context["notes"]
    )
    assert len(context["rows"][0]["ranks"]) == len(context["taus"]) == 1 + len(context["others"]) + 2


def test_one_more_identical_site_narrows_no_interval_below_the_exact_one():
    values = table(3, 6)
    more = np.concatenate([values, values[:, :1]], axis=1)
    for row in range(3):
        exact = un.own_interval(grid(values), "equal", metric=0, model=row, seed=1)
        again = un.own_interval(grid(more), "equal", metric=0, model=row, seed=1)
        assert again.high - again.low > 0.5 * (exact.high - exact.low)
