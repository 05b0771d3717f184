"""How a result stands among the others: places, intervals, outliers, copies; nothing of other benchmarks is read."""

import numpy as np
import pytest

from medperf_git.leaderboard import comparison
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.comparison import Place, RobustZ, compare_results, place_at, robust_z
from medperf_git.leaderboard.reading import read_benchmark, read_tables
from medperf_git.leaderboard.tables import CellState
from medperf_git.records.view import MemoryView
from tests.support import leaderboard_registry as lr

VALUES = {"auroc": 0.9, "sensitivity": 0.8, "brier": 0.1}


def numbers(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def results_of(registry: lr.Registry) -> list[str]:
    return [path for path in registry.files if path.startswith("results/") and path.endswith(".yaml")]


@pytest.mark.parametrize("registry", [lr.demo(), lr.demo("mean-then-rank"), lr.wide()], ids=["three", "cases", "seven"])
def test_place_score_and_interval_are_those_of_the_page_for_every_result(registry: lr.Registry) -> None:
    (table,) = read_tables(registry.view()).benchmarks
    standings = {row.model.ref: row for row in analyse(table).standings}
    found = compare_results(registry.view(), registry.view(), results_of(registry))
    assert len(found.results) == table.shown
    for one in found.results:
        row = standings[one.result.model]
        assert (one.overall.rank if isinstance(one.overall, Place) else None) == row.rank
        assert one.overall == one.overall_before
        for metric, score in zip(one.metrics, row.scores, strict=True):
            assert (metric.metric, metric.score, metric.interval) == (score.metric, score.value, score.interval)


def test_the_place_at_a_site_is_among_those_that_count_there() -> None:
    registry = lr.demo()
    (river,) = [path for path in results_of(registry) if "river.tumours.1/ben.forest.1/0002" in path]
    (one,) = compare_results(registry.view(), registry.view(), [river]).results
    # 0.974, 0.961 (this one), 0.952, 0.874 (partial)
    assert one.metrics[0].place == Place(2, 4)
    assert (one.metrics[0].value, one.metrics[0].earlier) == (0.961, 0.951)
    assert one.replaces


def test_ties_share_the_smallest_place_and_lower_may_be_better() -> None:
    values = numbers(0.3, 0.1, np.nan, 0.1, 0.2)
    assert place_at(values, 1, higher_is_better=False) == Place(1, 4, shared=1)
    assert place_at(values, 4, higher_is_better=False) == Place(3, 4)
    assert place_at(values, 0, higher_is_better=True) == Place(1, 4)
    assert isinstance(place_at(values, 2, higher_is_better=True), un.Undefined)


def test_robust_z_is_the_modified_z_score_of_iglewicz_and_hoaglin() -> None:
    found = robust_z(numbers(1, 2, 3, 4, 100), 4)
    assert isinstance(found, RobustZ)
    assert found.z == pytest.approx(0.6745 * (100 - 3) / 1, rel=1e-4)
    assert found.outlying
    assert found.values == 5
    low = robust_z(numbers(1, 2, 3, 4, -100), 4)
    assert isinstance(low, RobustZ)
    assert low.outlying
    assert low.z < 0


@pytest.mark.parametrize(("z", "outlying"), [(3.49, False), (3.5, False), (3.51, True), (-3.51, True)])
def test_the_rule_is_more_than_three_and_a_half(z: float, outlying: bool) -> None:
    assert RobustZ(z, 5).outlying is outlying


def test_fewer_than_five_values_are_too_few_to_say() -> None:
    found = robust_z(numbers(1, 2, np.nan, 3, 100), 4)
    assert isinstance(found, un.Undefined)
    assert found.reason.startswith("too few to say: 4 of the 5 values")


def test_where_most_values_are_the_same_the_rule_tells_only_of_those() -> None:
    assert robust_z(numbers(1, 1, 1, 1, 2), 0) == RobustZ(0.0, 5)
    found = robust_z(numbers(1, 1, 1, 1, 2), 4)
    assert isinstance(found, un.Undefined)
    assert "the same" in found.reason


def test_float_noise_makes_no_outlier() -> None:
    noisy = numbers(0.1 + 0.2, 0.3, 0.3, 0.3, 0.3)
    assert robust_z(noisy, 0) == RobustZ(0.0, 5)


def test_a_copy_of_another_models_numbers_is_seen_and_whether_the_image_is_the_same() -> None:
    registry = lr.Registry()
    registry.site("north", cases=60)
    for name in ("one", "two"):
        registry.model(name)
    registry.result("one", "north", VALUES)
    path = registry.result("two", "north", {**VALUES, "auroc": 0.9000004})
    (found,) = compare_results(registry.view(), registry.view(), [path]).results
    assert [(str(twin.model), twin.same_image) for twin in found.twins] == [("ben/one@1", False)]
    path = registry.result("two", "north", {**VALUES, "auroc": 0.900001})
    (found,) = compare_results(registry.view(), registry.view(), [path]).results
    assert found.twins == ()


def test_every_metric_must_be_the_same_and_what_failed_is_no_copy() -> None:
    registry = lr.Registry()
    registry.site("north", cases=60)
    for name in ("one", "two", "three"):
        registry.model(name)
    registry.result("one", "north", VALUES)
    less = registry.result("two", "north", {"auroc": 0.9})
    failed = registry.result("three", "north", outcome="failed", reason="timeout")
    also = registry.result("one-feature", "north", outcome="failed", reason="timeout")
    found = compare_results(registry.view(), registry.view(), [less, failed, also]).results
    assert [one.twins for one in found] == [(), (), ()]
    assert [one.result.state for one in found if not one.result.values] == [CellState.FAILED] * 2


def test_a_failed_result_has_no_place_and_says_why() -> None:
    registry = lr.demo()
    (path,) = [path for path in results_of(registry) if "summit.tumours.1/ben.near.1/0001" in path]
    (one,) = compare_results(registry.view(), registry.view(), [path]).results
    assert isinstance(one.metrics[0].place, un.Undefined)
    assert one.result.reason == "it needed more memory than it was given"


def test_the_place_before_is_that_of_the_tree_before() -> None:
    registry = lr.wide()
    before = registry.view()
    path = registry.result("net-8", "site-a", {"auroc": 1.0, "sensitivity": 0.9, "brier": 0.1})
    (one,) = compare_results(before, registry.view(), [path]).results
    assert isinstance(one.overall_before, Place)
    assert isinstance(one.overall, Place)
    assert one.overall_before.rank > one.overall.rank
    assert one.overall == compare_results(registry.view(), registry.view(), [path]).results[0].overall_before


def test_a_first_result_had_no_place_before() -> None:
    registry = lr.Registry()
    registry.site("north", cases=60)
    registry.model("one")
    before = registry.view()
    path = registry.result("one", "north", VALUES)
    (one,) = compare_results(before, registry.view(), [path]).results
    assert isinstance(one.overall_before, un.Undefined)
    assert one.overall == Place(1, 1)


def test_a_link_that_the_same_proposal_supersedes_is_named_and_not_compared() -> None:
    registry = lr.Registry()
    registry.site("north", cases=60)
    registry.model("one")
    paths = [registry.result("one", "north", VALUES) for _ in range(2)]
    found = compare_results(lr.Registry().view(), registry.view(), paths)
    assert [one.result.source.path for one in found.results] == paths[1:]
    assert [one.path for one in found.left] == paths[:1]
    assert found.left[0].reason.startswith("superseded by ")


def test_what_cannot_be_read_is_named_with_the_reason() -> None:
    registry = lr.demo()
    path = results_of(registry)[0]
    registry.files[path] = b"kind: result\n"
    nowhere = "results/ana/other/1/north.tumours.1/ben.logit.1/0001.yaml"
    found = compare_results(registry.view(), registry.view(), [path, nowhere])
    assert found.results == ()
    assert {one.path: one.reason.partition(":")[0] for one in found.left} == {
        path: "the record cannot be read",
        nowhere: "the benchmark ana/other@1 cannot be read",
    }


def test_a_benchmark_too_large_to_read_in_time_is_left_to_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = lr.demo()
    path = results_of(registry)[0]
    monkeypatch.setattr(comparison, "MOST_RESULTS", 3)
    found = compare_results(registry.view(), registry.view(), [path])
    assert found.results == ()
    assert "at most 3 are compared here" in found.left[0].reason


class Watched(MemoryView):
    """Notes what is read."""

    def __init__(self, registry: lr.Registry) -> None:
        super().__init__(registry.files)
        self.read: list[str] = []

    def blob(self, path: str) -> bytes | None:
        self.read.append(path)
        return super().blob(path)


def test_nothing_of_other_benchmarks_is_read_and_no_signature_of_a_result() -> None:
    registry = lr.demo()
    elsewhere = {
        path.replace("/breast/", "/other/"): data for path, data in registry.files.items() if "/breast/" in path
    }
    registry.files |= elsewhere
    view = Watched(registry)
    compare_results(view, view, [path for path in results_of(registry) if "/breast/" in path][:1])
    assert not [path for path in view.read if "/other/" in path]
    assert not [path for path in view.read if path.startswith("results/") and path.endswith(".sigstore.json")]


def test_a_benchmark_read_alone_counts_like_its_page() -> None:
    view = lr.demo().view()
    (whole,) = read_tables(view).benchmarks
    alone = read_benchmark(view, lr.BENCHMARK)
    assert alone is not None
    assert {key: (cell.state, cell.counts, cell.marks) for key, cell in alone.cells.items()} == {
        key: (cell.state, cell.counts, cell.marks) for key, cell in whole.cells.items()
    }
    assert [one.reason for one in alone.hidden] == [one.reason for one in whole.hidden]
    assert analyse(alone).headline == analyse(whole).headline


def test_values_for_programs_say_what_is_unknown_and_why() -> None:
    registry = lr.demo()
    path = results_of(registry)[0]
    value = compare_results(registry.view(), registry.view(), [path]).as_value()
    (one,) = value["results"]
    assert one["place"].keys() == {"rank", "of", "shared"}
    assert one["metrics"][0]["among_sites"]["unknown"].startswith("too few to say")
