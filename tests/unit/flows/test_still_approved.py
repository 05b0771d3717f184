"""A record that is absent on Saturday stops its own model alone."""

from types import SimpleNamespace

import pytest

from medperf_git.flows.naming import at_ref
from medperf_git.flows.still_approved import StillApproved
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.names import Ref
from medperf_git.records.view import MemoryView
from tests.unit.flows.test_reviewing import BASE, BENCHMARK, COHORT, made  # noqa: F401  (a fixture)


@pytest.mark.parametrize("gone", [layout.cube_path(BASE), None])
def test_a_model_that_is_quarantined_while_others_run_is_passed_over(made, monkeypatch, gone):  # noqa: F811
    registry, home, _ = made
    cubes = {name: at_ref(registry.view, m.Cube, Ref("ana", name, 1)).reference for name in ("base", "score")}
    plan = SimpleNamespace(
        benchmark=SimpleNamespace(ref=BENCHMARK), dataset=SimpleNamespace(ref=COHORT), metrics_cube=cubes["score"]
    )
    monkeypatch.setattr("medperf_git.flows.still_approved.replace", lambda context, **_: context)
    ask = StillApproved(SimpleNamespace(context=SimpleNamespace(say=print), alias="main"), plan, home)
    view = MemoryView({path: data for path, data in registry.files.items() if path != gone})
    monkeypatch.setattr(ask, "_newest", lambda: view)
    said = ask(SimpleNamespace(model=cubes["base"]))
    assert ("there is no cube ana/base@1" in said) == bool(gone)
    assert bool(said) == bool(gone)
