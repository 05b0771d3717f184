"""Reviews in memory for the printed pages: one result, or very many, with whatever texts a test wants in them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from medperf_git.flows.associations import build_request
from medperf_git.flows.naming import at_ref
from medperf_git.flows.paper_parts import Where
from medperf_git.flows.propose import Draft
from medperf_git.flows.reviewing import Reviewed, RunReview, build_result
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import record_at
from medperf_git.runner.engine import Profile
from medperf_git.runner.outcome import Outcome
from tests.support.flows_world import ANA, CLINIC, TIME, World, world

R = TypeVar("R", m.Registry, m.Member, m.Cube, m.Benchmark)
WHERE = Where("https://example.org/eval.git", "mg1:" + "ab" * 32)
LOOKS = (("before the run", "2026-11-25T09:00:00Z"), ("after the run", "2026-11-25T12:00:00Z"))
SITE = m.SiteDisclosure(min_cases=20, decimals=2)


def registry(*, models: int = 1, text: str = "") -> World:
    """Return a registry with an approved dataset and models; `text` stands in every field that takes words."""
    made = world()
    for number in range(models):
        made.cube(ANA, f"net-{number}")
    benchmark = made.benchmark(auto="always")
    if text:
        _reword(made, text)
        benchmark = at_ref(made.view, m.Benchmark, benchmark.ref)
    path = layout.dataset_path(Ref("clinic", "cohort", 1))
    cohort = at_ref(made.view, m.Dataset, Ref("clinic", "cohort", 1)).record
    words: dict[str, Any] = {"title": text or "Cohort of 2025", "description": text or None, "terms": text or None}
    made.add(path, replace(cohort, disclosure=SITE, **words))
    cohort_found = at_ref(made.view, m.Dataset, cohort.ref)
    made.put(build_request(made.view, benchmark, cohort_found, member=CLINIC, created=TIME))
    return made


def review(made: World, *, models: int = 1, failed: int = 0, text: str = "") -> RunReview:
    """Return the review of a run of `models` models, of which the last `failed` failed."""
    benchmark = at_ref(made.view, m.Benchmark, Ref("ana", "cells", 1))
    dataset = at_ref(made.view, m.Dataset, Ref("clinic", "cohort", 1))
    records = []
    for number in range(models):
        cube = at_ref(made.view, m.Cube, Ref("ana", f"net-{number}", 1))
        outcome = _outcome(cube.reference, number, fails=number >= models - failed, text=text)
        record, held = build_result(made.view, benchmark, dataset, outcome=outcome, chain=(), cases=60)
        path = layout.numbered(layout.result_folder(benchmark.ref, dataset.ref, cube.ref), 1)
        records.append(Reviewed(Draft(path, record), write_record(record), outcome, held, ""))
    notes = (f"ana/base@1: published already, as 0123456789ab{text}",)
    return RunReview("0123456789abcdef", benchmark.ref, dataset.ref, tuple(records), notes, "everybody", looks=LOOKS)


def _outcome(model: m.Reference, number: int, *, fails: bool, text: str) -> Outcome:
    value = m.MetricValue(value=Decimal("0.9") + Decimal(number % 90) / 1000, n=60 if number % 7 else 15)
    return Outcome(
        model=model,
        outcome="failed" if fails else "complete",
        reason="out-of-memory" if fails else None,
        attempt=1,
        images=m.Images(digest_of(b"m"), digest_of(b"s")),
        parameters=m.ParameterDigests(digest_of(b"p"), None),
        sandbox=Profile.COMPAT if number % 5 == 1 else Profile.STRICT,
        engine=m.EngineUsed("docker", "20.10"),
        started="2026-11-25T10:00:00Z",
        finished="2026-11-25T11:00:00Z",
        infer_key=digest_of(b"i"),
        evaluate_key=digest_of(b"e"),
        explanation=(text or "it needed 5 GiB") if fails else "",
        values=None if fails else {"auroc": value},
        held_back=(text or "patient-7",),
    )


def _reword(made: World, text: str) -> None:
    """Put a text into every field of the registry's records that takes words."""
    registry_record = replace(_read(made, "registry/0001.yaml", m.Registry), title=text)
    made.add("registry/0001.yaml", registry_record)
    for name in ("ana", "bob", "clinic"):
        path = layout.member_path(MemberName(name), 1)
        made.add(path, replace(_read(made, path, m.Member), title=text))
    for path in [path for path in made.files if path.startswith("cubes/")]:
        cube = _read(made, path, m.Cube)
        made.add(path, replace(cube, title=text, description=text))
    path = layout.benchmark_path(Ref("ana", "cells", 1))
    old = _read(made, path, m.Benchmark)
    metric = replace(old.metrics[0], title=text, unit=text[:20])
    changed: dict[str, Any] = {"title": text, "description": text, "metrics": (metric,)}
    references: dict[str, Any] = {
        role: at_ref(made.view, m.Cube, getattr(old, role).ref).reference
        for role in ("data_preparator", "reference_model", "metrics_cube")
    }
    made.add(path, replace(old, **changed, **references))


def _read(made: World, path: str, model: type[R]) -> R:
    found = record_at(made.view, path, model)
    assert found is not None
    return found
