"""The models are trained as at image build, differ honestly, and what they lack shows in the results."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from medperf_git.records.models import Counts, Metric, Range
from medperf_git.runner.reduce import reduce_results

from .conftest import PILOT, metrics

MODELS = ("clock", "frames", "viterbi")
PARAMETERS = metrics.read_parameters(PILOT / "metrics" / "parameters.yaml")


def run_script(script: Path, *arguments: str | Path) -> None:
    """Run a model's script in this process, with its folder as the image has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        patch.syspath_prepend(str(script.parent))
        try:
            runpy.run_path(str(script), run_name="__main__")
        finally:
            sys.modules.pop("pictures", None)


@pytest.fixture(scope="module")
def results(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict]:
    """The results file's content by model and site, of models trained on eight development videos."""
    out = tmp_path_factory.mktemp("models")
    found = {}
    for model in MODELS:
        app = out / model
        app.mkdir()
        for path in (PILOT / "models" / "pictures.py", PILOT / "models" / model / f"{model}.py"):
            shutil.copy(path, app)
        development = prepared / "development"
        run_script(app / f"{model}.py", "train", development / "data", development / "labels")
        for site in ("milan-like", "naples-like"):
            predictions = out / f"{model}-{site}"
            predictions.mkdir()
            run_script(app / f"{model}.py", "infer", prepared / site / "data", predictions)
            phases = PARAMETERS.phases
            truth = metrics.read_phases(prepared / site / "labels" / "labels.csv", phases)
            predicted = metrics.read_phases(predictions / "predictions.csv", phases)
            found[model, site] = metrics.evaluate(metrics.confusion_by_video(truth, predicted, 6), PARAMETERS)
    return found


def test_the_model_that_knows_the_order_is_better_than_the_clock_and_than_single_pictures(results):
    score = {key: found["over_videos"]["macro_f1"]["mean"] for key, found in results.items()}
    for site in ("milan-like", "naples-like"):
        assert score["clock", site] > 0.35
        assert score["frames", site] < score["viterbi", site] - 0.1
    assert sum(score["viterbi", s] for s in ("milan-like", "naples-like")) > sum(
        score["clock", s] for s in ("milan-like", "naples-like")
    )


def test_a_video_without_a_dark_border_fails_with_the_model_that_looks_for_it(results):
    assert results["frames", "milan-like"]["videos"]["video02"] is None
    assert results["frames", "milan-like"]["videos"]["video01"] is not None
    assert results["viterbi", "milan-like"]["videos"]["video02"] is not None


def test_the_benchmark_finds_all_its_metrics_and_an_absent_phase_is_missing(results):
    told = yaml.safe_load((PILOT / "benchmark.yaml").read_text(encoding="utf-8"))["metrics"]
    for row in told:
        row["range"] = Range(**row["range"])
        row["counts"] = Counts(**row["counts"]) if "counts" in row else None
    declared = [Metric(**row) for row in told]
    reduced = reduce_results(results["frames", "milan-like"], declared, cases=2).values
    assert (reduced["video-macro-f1"].n, reduced["video-macro-f1"].n_failed) == (2, 1)
    assert len(reduced["frame-macro-f1"].counts) == 24
    reduced = reduce_results(results["viterbi", "naples-like"], declared, cases=2).values
    assert reduced["recall-cleaning-coagulation"].value is None
    assert reduced["recall-clipping-cutting"].value is not None
    lacking = {name for name, value in reduced.items() if value.value is None}
    assert lacking == {"recall-cleaning-coagulation"}
