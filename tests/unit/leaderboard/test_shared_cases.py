"""Comparisons that a ranking may rest on: live ones of live, counted results; all others named with the reason."""

import numpy as np
import pytest

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard.block import block_of, mean_ranks_among, signed_ranks_among
from medperf_git.leaderboard.compared import shared_cases
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.statistics import cases as by_case
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of
from tests.unit.leaderboard.test_by_rule import analysed

SITES = drawn(11, sites=(30, 40), models=3)
BLOCK = "comparisons/ana/breast/1/s0.tumours.1/dice/0001.yaml"
RESULT = "results/ana/breast/1/s0.tumours.1/ben.m1.1/0001.yaml"
S0 = Ref("s0", "tumours", 1)


def shared(registry: ComparedRegistry):
    (table,) = read_tables(registry.view()).benchmarks
    return shared_cases(table, "dice")


def aside(registry: ComparedRegistry) -> list[str]:
    return [one.reason for one in shared(registry).aside]


def test_a_live_comparison_gives_all_its_numbers():
    registry = registry_of(SITES)
    block = shared(registry).blocks[S0]
    values = SITES[0][0]
    assert [ref.name for ref in block.models] == ["m0", "m1", "m2"]
    assert (block.n, aside(registry)) == (30, [])
    assert block.means == pytest.approx(values.mean(axis=1), abs=1e-4)
    assert block.covariance == pytest.approx(np.cov(values), abs=1e-8)
    assert block.mean_ranks == pytest.approx(by_case.case_ranks(values).mean(axis=1), abs=1e-6)
    assert (block.wins + block.ties + block.losses).tolist() == block.pair_n.tolist() == [30, 30, 30]
    assert block.difference[1] == pytest.approx(values[0].mean() - values[2].mean(), abs=1e-4)


def withdraw_result(registry: ComparedRegistry) -> None:
    registry.notice(RESULT, "withdraw", by="s0", side="owner")


def dispute_result(registry: ComparedRegistry) -> None:
    registry.notice(RESULT, "dispute", by="ana", side="committee")


def supersede_result(registry: ComparedRegistry) -> None:
    registry.measured("m1", "s0", {"dice": [0.5, 0.6] * 15})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda house: house.notice(BLOCK, "withdraw", by="s0", side="owner"), "its comparison is withdrawn"),
        (lambda house: house.notice(BLOCK, "dispute", by="ana", side="committee"), "its comparison is disputed"),
        (withdraw_result, "its comparison rests on a result that is not the live one"),
        (supersede_result, "its comparison rests on a result that is not the live one"),
        (dispute_result, "its comparison rests on a result of ben/m1@1 that is disputed"),
        (lambda house: house.files.pop(BLOCK), "it has published no comparison by Dice"),
    ],
)
def test_no_ranking_rests_on_what_is_not_live_and_the_reason_is_told(change, why):
    registry = registry_of(SITES, rule="rank-then-mean")
    change(registry)
    assert aside(registry) == [why]
    found = analysed(registry)
    assert isinstance(found.ranking, rk.Ranking)
    assert found.ranking.counted.sites_out[0] == rk.LeftOut("s0/tumours@1", why)
    assert found.shared[0].aside[0].reason == why


def test_a_newer_comparison_takes_the_place_of_the_older_one():
    registry = registry_of(SITES)
    registry.comparison("s0", "dice", {name: SITES[0][0, row].tolist() for row, name in enumerate(("m0", "m1"))})
    assert [ref.name for ref in shared(registry).blocks[S0].models] == ["m0", "m1"]
    (table,) = read_tables(registry.view()).benchmarks
    states = [one.state for one in table.comparisons if one.dataset == S0 and one.metric == "dice"]
    assert states == ["superseded", "live"]


def test_a_withdrawn_comparison_does_not_bring_back_the_one_before_it():
    registry = registry_of(SITES)
    newer = registry.comparison(
        "s0", "dice", {name: SITES[0][0, row].tolist() for row, name in enumerate(("m0", "m1"))}
    )
    registry.notice(newer, "withdraw", by="s0", side="owner")
    assert S0 not in shared(registry).blocks
    assert aside(registry) == ["its comparison is withdrawn"]


def test_when_no_site_has_one_that_counts_each_site_is_named():
    registry = registry_of(SITES, rule="brats")
    registry.notice(BLOCK, "dispute", by="ana", side="committee")
    registry.files.pop(BLOCK.replace("s0", "s1"))
    found = analysed(registry)
    assert found.headline == "There is no ranking yet."
    assert found.explanation == (
        "No site has a comparison that this rule may rest on "
        "(s0/tumours@1: its comparison is disputed; s1/tumours@1: it has published no comparison by Dice)."
    )


def test_signed_ranks_of_a_pair_turn_with_its_order():
    registry = registry_of(SITES)
    block = block_of(read_record(BLOCK, registry.files[BLOCK]).stored.record)
    order = block.models[::-1]
    w, n, variance = signed_ranks_among(block, block.models)
    turned = signed_ranks_among(block, order)
    assert turned[0][::-1] == pytest.approx(n * (n + 1) / 2 - w)
    assert (turned[1][::-1].tolist(), turned[2][::-1].tolist()) == (n.tolist(), variance.tolist())
    absent = signed_ranks_among(block, (*block.models, Ref("ben", "late", 1)))
    assert np.isnan(absent[0]).tolist() == [False, False, True, False, True, True]


def test_mean_ranks_among_some_models_are_those_without_the_others():
    registry = registry_of(SITES)
    block = block_of(read_record(BLOCK, registry.files[BLOCK]).stored.record)
    chosen = block.models[::2]
    assert mean_ranks_among(block, chosen) == pytest.approx(by_case.case_ranks(SITES[0][0][::2]).mean(axis=1))
    assert mean_ranks_among(block, (Ref("ben", "late", 1),)) is None
