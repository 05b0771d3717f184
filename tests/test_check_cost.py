"""What checking one result costs follows the change, not the registry: counts are compared, never a time."""

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from medperf_git.policy.verdict import Outcome
from medperf_git.registry.objects import Store
from medperf_git.registry.steps import judge_step

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """Load benchmarks/registry.py under a name of its own."""
    specification = spec_from_file_location("bench_registry", ROOT / "benchmarks" / "registry.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


def test_one_result_costs_the_same_among_20_and_among_400(bench: ModuleType, tmp_path: Path) -> None:
    made = [bench.make(tmp_path / f"{size}.git", size) for size in (20, 400)]
    costs = [bench.check(one) for one in made]
    assert [cost.verdict for cost in costs] == ["pass", "pass"]
    assert bench.compare(costs) == []
    assert costs[0].objects["total"] < 200
    assert costs[0].size["tree"] < costs[1].size["tree"], "only folders grow"


def test_every_step_of_the_generated_registry_passes(bench: ModuleType, tmp_path: Path) -> None:
    made = bench.make(tmp_path / "20.git", 20)
    store = Store.open(made.path)
    commit = store.ref("refs/heads/main")
    steps = 0
    while commit:
        judgement = judge_step(store, commit)
        assert judgement.outcome is Outcome.PASS, judgement.findings
        steps, parents = steps + 1, store.commit(commit).parents
        commit = parents[0] if parents else None
    assert steps == 8
