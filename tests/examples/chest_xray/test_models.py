"""The models are trained as in their images, differ honestly, and give the same numbers each time."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from sklearn.metrics import roc_auc_score

from .conftest import JUDGED, PILOT, SITES, prepare, run_program

MODELS = ("intensity", "regions", "boosting")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def build_app(model: str, folder: Path, development: Path) -> Path:
    """Lay out /app as the Dockerfile does, and train."""
    app = folder / model
    app.mkdir(parents=True)
    for source in ("common.py", "regions.py", f"{model}/model.py"):
        shutil.copy(PILOT / "models" / source, app)
    common = (app / "common.py").read_text(encoding="utf-8")
    assert common.count('Path("/tmp/development")') == 1
    (app / "common.py").write_text(common.replace("/tmp/development", str(development)), encoding="utf-8")
    done = run_program(app / "model.py", "train")
    assert done.code == 0, done.err
    return app


def prepared_development(folder: Path, *words: str) -> Path:
    assert run_program(PILOT / "make_data.py", "--development", folder / "raw", *words).code == 0
    for raw in sorted((folder / "raw").iterdir()):
        assert prepare(raw, folder / "prepared" / raw.name).code == 0
    return folder / "prepared"


def test_models_that_know_where_are_better_than_one_that_knows_how_bright(xray_prepared: Path, tmp_path: Path):
    development = prepared_development(tmp_path)
    auroc: dict[tuple[str, str, str], float] = {}
    for model in MODELS:
        app = build_app(model, tmp_path / "apps", development)
        for site in SITES:
            out = tmp_path / f"{model}-{site}"
            out.mkdir()
            assert run_program(app / "model.py", xray_prepared / site / "data", out).code == 0
            predicted, truth = rows_of(out / "predictions.csv"), rows_of(xray_prepared / site / "labels/labels.csv")
            assert [row["case"] for row in predicted] == [row["case"] for row in truth]
            assert len(predicted[0]) == 1 + 14
            for finding in JUDGED:
                told = [
                    (int(t[finding]), float(p[finding])) for t, p in zip(truth, predicted, strict=True) if t[finding]
                ]
                if len({label for label, _ in told}) == 2:
                    auroc[model, site, finding] = roc_auc_score(*zip(*told, strict=True))
    assert len(auroc) == 3 * (4 * 5 - 1)  # cloud-sydney has no consolidation
    mean = {model: sum(v for (m, _, _), v in auroc.items() if m == model) / 19 for model in MODELS}
    assert 0.55 < mean["intensity"] < 0.85, mean
    assert mean["intensity"] + 0.1 < min(mean["regions"], mean["boosting"]), mean
    assert max(mean.values()) < 0.98, mean


def test_training_twice_gives_the_same_predictions(xray_prepared: Path, tmp_path: Path):
    development = prepared_development(tmp_path, "--reduced")
    seen = []
    for attempt in ("first", "second"):
        app = build_app("boosting", tmp_path / attempt, development)
        assert run_program(app / "model.py", xray_prepared / "cloud-mumbai" / "data", app).code == 0
        seen.append((app / "predictions.csv").read_bytes())
    assert seen[0] == seen[1]


def test_images_have_the_three_styles_of_entry_point():
    styles = {}
    for folder in ("preparator", "metrics", *(f"models/{model}" for model in MODELS)):
        lines = (PILOT / folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
        styles[folder.rpartition("/")[2]] = next((line for line in lines if line.startswith("ENTRYPOINT")), "")
    assert styles == {
        "preparator": 'ENTRYPOINT ["python3"]',
        "metrics": "",
        "intensity": 'ENTRYPOINT ["python3", "/app/model.py"]',
        "regions": 'ENTRYPOINT ["python3"]',
        "boosting": "",
    }
