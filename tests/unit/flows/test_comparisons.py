"""Cases of several models laid beside each other, and what became of a comparison that lost its place."""

from dataclasses import replace
from typing import Any

from medperf_git.flows.comparisons import values_of
from medperf_git.flows.kept_results import Kept
from medperf_git.flows.reapplying import Became, fate_of
from medperf_git.leaderboard.reading import read_tables
from medperf_git.records import models
from medperf_git.records.folds import live_result
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from tests.support import comparison_builder as cb
from tests.support.comparison_builder import BENCHMARK, DICE, TREE
from tests.support.registry_builder import MODEL, NORTH, REFERENCE, there

WORST = replace(DICE, undefined="worst")


def kept(ref: Ref, cases: Any, *, count: int = 3) -> Kept:
    stored = there(live_result(cb.compared().view, BENCHMARK, NORTH, MODEL))
    assert isinstance(stored.record, models.Result)
    return Kept(ref, stored.digest, stored, stored.record, {"cases": cases}, count)


def dice(*values: object) -> list[dict[str, object]]:
    return [{"dice": value} for value in values]


def named(**values: object) -> dict[str, dict[str, object]]:
    return {name: {"dice": value} for name, value in values.items()}


def why(left: list[Any]) -> dict[Ref, str]:
    return {one.model: one.why for one in left}


def test_cases_are_laid_beside_each_other_by_their_names() -> None:
    found, left = values_of([kept(MODEL, named(a=0.5, b=0.25)), kept(TREE, named(b=1, c=0.75))], DICE)
    assert found == {MODEL: {"a": 0.5, "b": 0.25}, TREE: {"b": 1.0, "c": 0.75}}
    assert left == []


def test_under_worst_every_case_of_the_dataset_has_a_value() -> None:
    both = [kept(MODEL, named(a=0.5), count=4), kept(TREE, named(b=float("nan"), a=1), count=4)]
    found, _ = values_of(both, WORST)
    assert sorted(found[MODEL].values()) == [0, 0, 0, 0.5]
    assert sorted(found[TREE].values()) == [0, 0, 0, 1]
    assert found[MODEL].keys() == found[TREE].keys()
    explicit, _ = values_of(both, replace(WORST, worst=1))
    assert sorted(explicit[MODEL].values()) == [0.5, 1, 1, 1]


def test_a_list_is_laid_beside_another_only_when_none_is_missing() -> None:
    whole, short = kept(MODEL, dice(0.5, 0.25, 1)), kept(TREE, dice(0.5, 0.25))
    found, left = values_of([whole, short], DICE)
    assert found == {MODEL: {"0": 0.5, "1": 0.25, "2": 1.0}}
    assert "does not name the cases" in why(left)[TREE]
    found, left = values_of([whole, kept(TREE, named(a=1, b=1, c=1))], DICE)
    assert (list(found), "does not name the cases" in why(left)[MODEL]) == ([TREE], True)


def test_more_names_than_cases_cannot_be_laid_beside_each_other() -> None:
    found, left = values_of([kept(MODEL, named(a=1, b=1, c=1)), kept(TREE, named(d=1))], DICE)
    assert found == {}
    assert set(why(left).values()) == {"the results files of the models name different cases"}


def test_a_comparison_that_lost_its_place_is_given_up() -> None:
    house = cb.compared()
    mine = house.propose(cb.comparison(house)).sign("north")
    house.merge(house.propose(cb.comparison(house, client="medperf-git 0.2.0")).sign("north"))
    fate = fate_of(house.view, mine.path, mine.files[mine.path])
    assert fate.became is Became.LAPSED
    assert f"run `medperf-git compare {BENCHMARK} --dataset {NORTH}`" in fate.note
    merged = house.files[mine.path]
    assert fate_of(house.view, mine.path, merged).became is Became.STANDS


def test_the_leaderboard_lists_comparisons_with_their_state() -> None:
    house = cb.compared()
    house.merge(house.propose(cb.comparison(house)).sign("north"))
    house.merge(house.propose(cb.result(house, TREE)).sign("north"))
    second = house.propose(cb.comparison(house, (REFERENCE, MODEL, TREE))).sign("north")
    house.merge(second)
    table = next(one for one in read_tables(house.view).benchmarks if one.ref == BENCHMARK)
    assert [(one.state, one.n, len(one.models)) for one in table.comparisons] == [
        ("superseded", 60, 2),
        ("live", 60, 3),
    ]
    house.merge(house.propose(cb.result(house, MODEL, attempt=2)).sign("north"))
    table = next(one for one in read_tables(house.view).benchmarks if one.ref == BENCHMARK)
    assert table.comparisons[-1].state == "rests on a result that is not the live one"
    house.merge(house.propose(house.notice("withdraw", second.path, by="north")).sign("north"))
    table = next(one for one in read_tables(house.view).benchmarks if one.ref == BENCHMARK)
    assert table.comparisons[-1].state == "withdrawn"
    assert write_record(cb.comparison(house)).count(b"result:") == 2
