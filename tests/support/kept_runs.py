"""What a run leaves on a site's machine, written without an engine: plan, results file, mark and outcome.

keep_run(human, house, MODEL, content(MODEL))       # as if the model had run and been evaluated
"""

import json
from pathlib import Path
from typing import Any

from medperf_git.records import models
from medperf_git.records.digests import digest_of
from medperf_git.records.models import EngineUsed, Images
from medperf_git.records.names import Ref
from medperf_git.runner.collect import TakenFile
from medperf_git.runner.engine import Profile
from medperf_git.runner.outcome import Outcome, outcome_to_plain
from medperf_git.runner.plan import run_id_of
from medperf_git.runner.reduce import reduce_results
from medperf_git.runner.store import Mark, RunFolder, RunStore
from tests.support.comparison_builder import BENCHMARK, metrics
from tests.support.people import Human
from tests.support.registry_builder import CREATED, IMAGE, NORTH, House

FINISHED = "2026-11-25T11:00:00Z"
KEY = digest_of(b"the step")


def keep_run(
    human: Human, house: House, model: Ref, content: Any, *, benchmark: Ref = BENCHMARK, dataset: Ref = NORTH
) -> RunFolder:
    """Keep a complete run of a model, with this results file and all that follows from it."""
    about, data = house.benchmark_reference(benchmark), house.dataset_reference(dataset)
    run = RunStore(human.home / "runs").run(run_id_of(about, data))
    for folder in (run.path.parent, run.path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan = {"benchmark": _plain(about), "dataset": _plain(data), "cases": 60, "models": []}
    (run.path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    state = run.model(model)
    state.begin_attempt()
    write_results(state.results, content)
    state.write_mark("evaluate", mark_of(state.results))
    state.write_outcome(
        outcome_to_plain(
            Outcome(
                model=house.cube_reference(model),
                outcome="complete",
                attempt=1,
                images=Images(IMAGE, IMAGE),
                parameters=None,
                sandbox=Profile.STRICT,
                engine=EngineUsed("docker", "27.1"),
                started=CREATED,
                finished=FINISHED,
                infer_key=KEY,
                evaluate_key=KEY,
                values=reduce_results(content, metrics(), cases=60).values,
            )
        )
    )
    return run


def write_results(path: Path, content: Any) -> None:
    """Write a results file."""
    path.write_text(json.dumps(content), encoding="utf-8")


def mark_of(path: Path) -> Mark:
    """Return the mark of a finished evaluation with this results file."""
    data = path.read_bytes()
    return Mark(
        key=KEY,
        attempt=1,
        files=(TakenFile("results", len(data), digest_of(data)),),
        exit_code=0,
        seconds=1.0,
        peak_memory=None,
        peak_disk=None,
        started=CREATED,
        finished=FINISHED,
    )


def _plain(reference: models.Reference) -> dict[str, str]:
    return {"ref": str(reference.ref), "digest": reference.digest}
