"""What a change does to a ranking: who entered, left or moved, on what it rests, and what is read for it."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.leaderboard import difference as df
from medperf_git.leaderboard import sides
from medperf_git.leaderboard.affected import affected
from medperf_git.leaderboard.difference import Difference, Event, Fate, Move, Tables, compare_rankings, compare_tables
from medperf_git.leaderboard.difference_value import difference_value
from medperf_git.leaderboard.reading import read_benchmark
from medperf_git.records.view import MemoryView, RecordView
from tests.support import leaderboard_registry as lr

HERE = (lr.BENCHMARK,)


def changed(before: RecordView, registry: lr.Registry) -> list[str]:
    return sorted(path for path, data in registry.files.items() if before.blob(path) != data)


def difference(before: RecordView, registry: lr.Registry) -> Difference:
    after = registry.view()
    return compare_rankings(Tables(before, after), affected(before, after, changed(before, registry)))


def only(before: RecordView, registry: lr.Registry) -> df.BenchmarkDifference:
    (one,) = difference(before, registry).benchmarks
    return one


def moves(one: df.BenchmarkDifference) -> dict[str, tuple[Move, int | None, int | None]]:
    sides = {shift.model.name: (shift.before, shift.after) for shift in one.shifts}
    kinds = {shift.model.name: shift.move for shift in one.shifts}
    return {name: (kinds[name], a.rank if a else None, b.rank if b else None) for name, (a, b) in sides.items()}


def numbers(auroc: float) -> dict[str, float]:
    return {"auroc": auroc, "sensitivity": 0.9, "brier": 0.1}


def test_a_better_result_moves_its_model_up_and_the_others_down() -> None:
    registry = lr.wide(models=3, sites=5)
    registry.model("net-9")
    for site in "abcde":
        registry.result("net-9", f"site-{site}", numbers(0.5))
    before = registry.view()
    for site in "abcde":
        registry.result("net-9", f"site-{site}", numbers(0.99))
    one = only(before, registry)
    assert one.moves_ranking
    assert moves(one)["net-9"] == (Move.UP, 4, 1)
    assert {moves(one)[f"net-{n}"][0] for n in (1, 2, 3)} == {Move.DOWN}
    assert [ref.name for ref, _ in one.first[1].leaders] == ["net-9"]
    assert [change.event for change in one.cells] == [Event.SUPERSEDED] * 5
    assert all(change.replaces and change.replaces != change.result for change in one.cells)


def test_a_first_result_lets_a_model_enter_and_a_withdrawal_lets_it_leave() -> None:
    registry = lr.Registry(missing="exclude-model")
    registry.site("north", cases=60)
    registry.model("forest")
    registry.result("one-feature", "north", numbers(0.8))
    alone = registry.view()
    path = registry.result("forest", "north", numbers(0.9))
    entered = only(alone, registry)
    assert moves(entered) == {"forest": (Move.ENTERED, None, 1), "one-feature": (Move.DOWN, 1, 2)}
    before = registry.view()
    registry.notice(path, "withdraw", by="north", side="owner")
    left = only(before, registry)
    assert moves(left) == {"forest": (Move.LEFT, 1, None), "one-feature": (Move.UP, 2, 1)}
    assert [(change.event, change.reason) for change in left.cells] == [(Event.WITHDRAWN, "north: error found")]
    before = registry.view()
    registry.notice(path, "reinstate", by="north", side="owner")
    assert [change.event for change in only(before, registry).cells] == [Event.RESTORED]


def test_a_dispute_and_a_failed_run_are_told_and_move_nothing_that_did_not_count() -> None:
    registry = lr.Registry(missing="exclude-model")
    registry.site("north", cases=60)
    registry.model("forest")
    registry.result("one-feature", "north", numbers(0.8))
    before = registry.view()
    registry.result("forest", "north", outcome="failed", reason="timeout")
    one = only(before, registry)
    assert not one.moves_ranking
    assert [(change.event, change.state) for change in one.cells] == [(Event.NEW, "failed")]
    assert one.coverage[0] is not None
    assert one.coverage[1] is not None
    assert (one.coverage[0].results, one.coverage[1].results) == (1, 2)


def test_a_site_that_joins_is_named_and_the_ranking_stands() -> None:
    registry = lr.wide(models=3, sites=5)
    before = registry.view()
    registry.site("zeta", cases=50)
    found = difference(before, registry)
    assert not found.moves_ranking
    (one,) = found.benchmarks
    assert {str(ref): fate for ref, fate in one.sites.items()} == {"zeta/tumours@1": Fate.NEW}
    assert one.shifts == ()


def test_a_benchmark_that_comes_is_new_and_its_models_enter() -> None:
    registry = lr.demo()
    one = only(MemoryView({}), registry)
    assert one.fate is Fate.NEW
    assert {move for move, _, _ in moves(one).values()} == {Move.ENTERED, Move.UNRANKED}
    assert one.coverage[0] is None
    gone = compare_tables(read_benchmark(registry.view(), lr.BENCHMARK), None)
    assert gone.fate is Fate.GONE
    with pytest.raises(ValueError, match="no benchmark on either side"):
        compare_tables(None, None)


def test_the_same_records_differ_in_nothing() -> None:
    view = lr.demo().view()
    found = compare_rankings(Tables(view, view), HERE)
    assert (found.benchmarks, found.same, found.moves_ranking) == ((), 1, False)


def test_rules_and_policy_that_changed_are_named_with_both_values() -> None:
    old, new = lr.demo().view(), lr.Registry(rule="mean-then-rank", missing="worst", n="bucket").view()
    one = compare_tables(read_benchmark(old, lr.BENCHMARK), read_benchmark(new, lr.BENCHMARK))
    facts = {fact.name: (fact.before, fact.after) for fact in one.facts}
    assert facts["ranking rule"] == ("mean-of-sites", "mean-then-rank")
    assert facts["missing"] == ("exclude-site", "worst")
    assert facts["exact numbers of cases"] == ("yes", "no")


def test_a_new_version_is_set_beside_the_one_it_replaces() -> None:
    old, new = lr.demo().view(), lr.Registry(rule="mean-then-rank").view()
    beside = read_benchmark(old, lr.BENCHMARK)
    one = compare_tables(None, read_benchmark(new, lr.BENCHMARK), beside=beside)
    assert (one.fate, one.beside) == (Fate.NEW, "ana/breast@1")
    assert [(fact.before, fact.after) for fact in one.facts] == [("mean-of-sites", "mean-then-rank")]


def test_a_benchmark_with_too_many_results_is_left_out_with_the_reason() -> None:
    view = lr.demo().view()
    found = compare_rankings(Tables(view, view), HERE, most_results=3)
    assert found.left == ((lr.BENCHMARK, "it has 14 results, and at most 3 are compared here"),)


def test_json_holds_every_figure_and_null_for_what_is_not_there() -> None:
    registry = lr.wide(models=3, sites=5)
    before = registry.view()
    registry.result("net-3", "site-a", numbers(0.1))
    value = difference_value(difference(before, registry))
    (one,) = value["benchmarks"]
    third = next(row for row in one["models"] if row["model"] == "ben/net-3@1")
    assert (third["move"], third["before"]["rank"], third["after"]["rank"]) == ("down", 1, 3)
    assert set(third["after"]["scores"][0]["interval"]) == {"kind", "low", "high", "sites"}
    assert one["results"][0]["event"] == "superseded"
    assert value["ranking_changes"] is True


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["results/ana/breast/1/north.tumours.1/ben.logit.1/0001.yaml"], HERE),
        (["results/ana/breast/1/"], HERE),
        (["results/"], HERE),
        (["results/ana/breast/10/"], ()),
        (["results/ana/brea/1/"], ()),
        (["associations/ana/breast/1/cubes/ben.logit.1/0003.yaml"], HERE),
        (["comparisons/ana/breast/1/north.tumours.1/auroc/0001.yaml"], HERE),
        (["benchmarks/ana/breast/1/policy/0002.yaml"], HERE),
        (["notices/results/ana/breast/1/north.tumours.1/ben.logit.1/0001/0001.yaml"], HERE),
        (["notices/results/ana/breast/1/"], HERE),
        (["notices/cubes/ben/logit/1/0001.yaml"], HERE),
        (["notices/datasets/north/tumours/1/"], HERE),
        (["notices/datasets/"], HERE),
        (["cubes/ana/scores/1.yaml"], HERE),
        (["cubes/ben/logit/2.yaml"], ()),
        (["cubes/zoe/else/1.yaml"], ()),
        (["members/north/0002.yaml"], HERE),
        (["members/zoe/0001.yaml"], ()),
        (["registry/0002.yaml", "README.md"], ()),
        (["registry/quarantine/0001.yaml"], HERE),
        ([], ()),
    ],
)
def test_a_change_touches_the_benchmarks_it_can_reach_and_no_other(paths: Iterable[str], found: object) -> None:
    view = lr.demo().view()
    assert affected(view, view, paths) == found


def test_only_the_benchmarks_that_are_touched_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    view = lr.demo().view()
    monkeypatch.setattr(sides, "read_benchmark", lambda *_, **__: pytest.fail("a table was read"))
    found = compare_rankings(Tables(view, view), affected(view, view, ["members/zoe/0001.yaml"]))
    assert found.benchmarks == ()


MIRRORED = {
    Move.ENTERED: Move.LEFT,
    Move.LEFT: Move.ENTERED,
    Move.UP: Move.DOWN,
    Move.DOWN: Move.UP,
    Move.RESCORED: Move.RESCORED,
}
VALUES = st.lists(st.sampled_from([None, 0.1, 0.2, 0.2, 0.5, 0.9]), min_size=9, max_size=9)


def small(values: list[float | None], missing: str) -> lr.Registry:
    registry = lr.Registry(missing=missing)
    for site in ("north", "river", "summit"):
        registry.site(site, cases=50)
    for model in ("forest", "logit"):
        registry.model(model)
    places = ((model, site) for model in ("one-feature", "forest", "logit") for site in ("north", "river", "summit"))
    for (model, site), value in zip(places, values, strict=True):
        if value is not None:
            registry.result(model, site, numbers(value))
    return registry


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.sampled_from(["exclude-site", "exclude-model", "worst"]))
def test_going_back_undoes_every_move(one: list[float | None], other: list[float | None], missing: str) -> None:
    tables = [read_benchmark(small(values, missing).view(), lr.BENCHMARK) for values in (one, other)]
    there, back = compare_tables(*tables), compare_tables(*reversed(tables))
    moved = {shift.model: shift.move for shift in there.shifts if shift.move is not Move.UNRANKED}
    undone = {shift.model: shift.move for shift in back.shifts if shift.move is not Move.UNRANKED}
    assert undone == {model: MIRRORED[move] for model, move in moved.items()}
    assert there.first == tuple(reversed(back.first))
    assert there.moves_ranking == back.moves_ranking
    assert compare_tables(tables[0], tables[0]).empty
