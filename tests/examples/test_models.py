"""The four models are trained as at image build, differ honestly, and one of them crashes where it must."""

from __future__ import annotations

import csv
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from .conftest import EXAMPLE, HOSPITALS

MODELS = ("logreg", "forest", "knn", "concavity-baseline")
SHARED = ("development.csv", "tables.py", "trained.py")


def run_script(script: Path, *arguments: Path) -> None:
    """Run a model's script in this process, with its folder as the image has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        patch.syspath_prepend(str(script.parent))
        try:
            runpy.run_path(str(script), run_name="__main__")
        finally:
            for name in ("tables", "trained"):
                sys.modules.pop(name, None)


def build_app(model: str, folder: Path) -> Path:
    """Lay out /app as the Dockerfile does, and train."""
    app = folder / model
    shutil.copytree(EXAMPLE / "models" / model, app)
    for name in SHARED:
        shutil.copy(EXAMPLE / "models" / name, app / name)
    run_script(app / "train.py")
    return app


def read_column(path: Path, column: str) -> list[float]:
    with path.open(encoding="utf-8") as file:
        return [float(row[column]) for row in csv.DictReader(file)]


def test_models_differ_honestly_and_the_baseline_crashes_at_one_hospital(prepared: Path, tmp_path: Path):
    auroc: dict[tuple[str, str], float] = {}
    for model in MODELS:
        app = build_app(model, tmp_path)
        for hospital in HOSPITALS:
            out = tmp_path / f"{model}-{hospital}"
            out.mkdir()
            if (model, hospital) == ("concavity-baseline", "hospital-south"):
                with pytest.raises(ValueError, match=r"math domain error|expected a positive input"):
                    run_script(app / "infer.py", prepared / hospital / "data", out)
                continue
            run_script(app / "infer.py", prepared / hospital / "data", out)
            truth = read_column(prepared / hospital / "labels" / "labels.csv", "malignant")
            auroc[model, hospital] = roc_auc_score(truth, read_column(out / "predictions.csv", "probability"))
    assert len(auroc) == 11
    assert all(0.8 < value < 1 for value in auroc.values()), auroc
    assert len({round(value, 3) for value in auroc.values()}) == 11, auroc
    means = {model: sum(v for (m, _), v in auroc.items() if m == model) for model in MODELS[:3]}
    assert max(means, key=means.__getitem__) == "logreg"


def test_training_twice_gives_the_same_predictions(prepared: Path, tmp_path: Path):
    seen = []
    for attempt in ("first", "second"):
        app = build_app("forest", tmp_path / attempt)
        run_script(app / "infer.py", prepared / "hospital-north" / "data", app)
        seen.append((app / "predictions.csv").read_bytes())
    assert seen[0] == seen[1]
