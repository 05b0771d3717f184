"""What checking one result costs follows the change, not the registry: counts are compared, never a time."""

from pathlib import Path

from benchmarks import bench_check, registry
from medperf_git.policy.verdict import Outcome
from medperf_git.registry.cache import Verified
from medperf_git.registry.objects import Store
from medperf_git.registry.steps import judge_step
from medperf_git.registry.sync import audit
from medperf_git.registry.whole import check_whole


def test_one_result_costs_the_same_among_20_and_among_400(tmp_path: Path) -> None:
    counts = [bench_check.count(registry.make(tmp_path / f"{size}.git", size)) for size in (20, 400)]
    assert [one.verdict for one in counts] == ["pass", "pass"]
    assert bench_check.compare(counts) == []
    assert counts[0].objects["total"] < 100
    assert counts[0].size["tree"] < counts[1].size["tree"], "only folders grow"


def test_every_step_of_a_generated_registry_passes(tmp_path: Path) -> None:
    made = registry.make(tmp_path / "20.git", 20, merges=5)
    store = Store.open(made.path)
    main = store.ref("refs/heads/main") or ""
    report = audit(store, main, expected=made.id)
    assert report.stopped is None
    assert report.verified == 13
    assert check_whole(store, main, known=Verified()).findings == ()


def test_one_merge_more_is_judged_with_as_little_whatever_came_before(tmp_path: Path) -> None:
    costs = []
    for merges in (5, 60):
        made = registry.make(tmp_path / f"{merges}.git", 64, merges=merges)
        store = Store.open(made.path)
        judged = judge_step(store, store.ref("refs/heads/main") or "")
        assert judged.outcome is Outcome.PASS
        costs.append(judged.meter.objects_read)
    assert costs[0] == costs[1]
