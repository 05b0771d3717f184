"""What checking one result costs follows the change, not the registry: counts are compared, never a time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bench_check, registry
from benchmarks.measure import environment
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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> registry.Made:
    return registry.make(tmp_path_factory.mktemp("compared") / "20.git", 20)


def check(made: registry.Made, home: Path, *more: str) -> str:
    """Check the proposed result; see that what compares was loaded only when it was asked for."""
    words = bench_check.command(made)
    script = (
        "import atexit, runpy, sys; atexit.register(lambda: print('numpy' in sys.modules, file=sys.stderr)); "
        "runpy.run_module('medperf_git', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-P", "-c", script, *words[words.index("check") :], *more]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True)
    assert done.stderr == f"{'--compare' in more}\n"
    return done.stdout


def test_comparing_costs_nothing_where_nobody_asked_and_changes_no_verdict(made: registry.Made, tmp_path: Path) -> None:
    plain = json.loads(check(made, tmp_path))
    compared = json.loads(check(made, tmp_path, "--compare"))
    (result,) = compared.pop("comparison")["results"]
    assert result["path"] == made.proposed
    ranking = compared.pop("ranking")
    assert [one["benchmark"] for one in ranking["benchmarks"]] == [result["benchmark"]]
    assert [one["event"] for one in ranking["benchmarks"][0]["results"]] == ["new"]
    assert compared == plain


def test_the_comment_on_a_real_proposal_tells_its_place(made: registry.Made, tmp_path: Path) -> None:
    words = bench_check.command(made)
    words.remove("--json")
    text = subprocess.run(
        [*words, "--format", "markdown"], env=environment(tmp_path), capture_output=True, text=True, check=True
    ).stdout
    assert text.startswith("### pass: it would be accepted\n\nNothing is wrong and no signature is missing.")
    assert "#### How it compares" in text
    assert "#### What this does to the ranking\n\nNothing in any ranking changes.\n" in text
    assert " at this site" in text
