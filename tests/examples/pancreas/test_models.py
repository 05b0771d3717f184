"""Both models predict what the metrics can score; the better one is better, and says where it does not know."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml

from .conftest import PILOT, loaded, run_main, run_process, write

MODELS = ("atlas", "coarse-to-fine")


@pytest.fixture(scope="module")
def patients(maker: ModuleType) -> dict[str, Any]:
    """Three patients of the sites' kinds, seen by no model."""
    styles = (maker.HARVARD, maker.HARVARD, maker.DFCI)
    return {f"000{n}": maker.make_abdomen(500 + n, style) for n, style in enumerate(styles, start=1)}


@pytest.fixture(scope="module")
def prepared(maker: ModuleType, patients: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared form of these patients."""
    folder = tmp_path_factory.mktemp("prepared")
    for case, one in patients.items():
        mask = (one.labels == maker.PANCREAS).astype(np.uint8)
        image, label = maker.render_nifti(one.hu, one.affine), maker.render_nifti(mask, one.affine)
        write(folder, {f"data/{case}.nii.gz": image, f"labels/{case}.nii.gz": label})
    return folder


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each model's /app, laid out and trained as its Dockerfile does."""
    folder = tmp_path_factory.mktemp("apps")
    for model in MODELS:
        app = folder / model
        shutil.copytree(PILOT / "models" / model, app)
        for name in ("make_data.py", "models/prepared.py"):
            shutil.copy(PILOT / name, app)
        done = run_process(app / "train.py")
        assert done.returncode == 0, done.stderr
    return folder


def test_the_better_model_is_better_and_its_fine_stage_better_than_its_coarse(
    apps: Path, prepared: Path, patients: dict[str, Any], tmp_path: Path
) -> None:
    means: dict[tuple[str, str], float] = {}
    for model in MODELS:
        out = tmp_path / model
        done = run_process(apps / model / "infer.py", prepared / "data", out)
        assert done.returncode == 0, done.stderr
        assert "3 cases predicted" in done.stdout
        files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz"))
        assert files == sorted(
            f"{s}/{c}.nii.gz" for s in ("coarse/X", "coarse/Y", "coarse/Z", "fine") for c in patients
        )
        scan, mask = (nib.load(folder / "0003.nii.gz") for folder in (prepared / "data", out / "fine"))
        assert (mask.shape, mask.get_data_dtype()) == (scan.shape, np.uint8)
        assert np.allclose(mask.affine, scan.affine)
        places = ("--predictions", out, "--labels", prepared / "labels", "--out", out / "results.yaml")
        scored = run_main(loaded("evaluate"), *places, "--parameters", PILOT / "metrics" / "parameters.yaml")
        assert scored.returncode == 0, scored.stderr
        cases = yaml.safe_load((out / "results.yaml").read_text(encoding="utf-8"))["cases"].values()
        means[model, "coarse"] = float(np.mean([case["coarse"]["vote"]["dice"] for case in cases]))
        means[model, "fine"] = float(np.mean([case["fine"]["dice"] for case in cases]))
    assert 0.5 < means["atlas", "fine"] < means["coarse-to-fine", "fine"] < 0.97, means
    for model in MODELS:
        assert means[model, "coarse"] < means[model, "fine"], means


def test_a_scan_in_which_the_planes_do_not_agree_is_left_out_and_named(
    apps: Path, maker: ModuleType, patients: dict[str, Any], tmp_path: Path
) -> None:
    """Fat alone: there is nothing that could be a pancreas."""
    one = patients["0001"]
    fat = np.where(one.hu > -500, np.int16(-100), np.int16(-1000))
    write(tmp_path, {"data/0009.nii.gz": maker.render_nifti(fat, one.affine)})
    done = run_process(apps / "coarse-to-fine" / "infer.py", tmp_path / "data", tmp_path / "out")
    assert done.returncode == 1
    assert "case 0009: the three planes do not agree where a pancreas lies" in done.stdout
    assert done.stderr == "no case could be predicted: the three planes did not agree in any of them\n"
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_training_twice_gives_the_same_predictions(maker: ModuleType, patients: dict[str, Any]) -> None:
    atlas, planes = loaded("atlas"), loaded("planes")
    cases = [(planes.Scan(o.hu.astype(np.float32), o.affine), o.labels == 11) for o in list(patients.values())[:2]]
    seen = []
    for _ in range(2):
        coarse, fine = planes.predict(cases[0][0], planes.train(cases, rounds=20))
        seen.append([*coarse.values(), fine, *atlas.predict(cases[0][0], atlas.build_atlas(cases))])
    assert all(np.array_equal(one, other) for one, other in zip(*seen, strict=True))
    assert seen[0][3].any()


def test_a_finer_scan_is_thinned_out_and_its_mask_comes_back_on_its_own_grid(patients: dict[str, Any]) -> None:
    planes = loaded("planes")
    cases = [(planes.Scan(o.hu.astype(np.float32), o.affine), o.labels == 11) for o in list(patients.values())[:2]]
    stages = planes.train(cases, rounds=20)
    scan, label = cases[0]
    fine = planes.Scan(scan.hu.repeat(2, 0).repeat(2, 1).repeat(2, 2), scan.affine @ np.diag([0.5, 0.5, 0.5, 1]))
    assert planes.thinned(fine).spacing.min() > 3
    atlas = loaded("atlas")
    for mask in (*atlas.predict(fine, atlas.build_atlas(cases)), *planes.predict(fine, stages)[0].values()):
        assert mask.shape == fine.hu.shape
        assert mask.any()
    _, found = planes.predict(fine, stages)
    truth = label.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert found.shape == fine.hu.shape
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.6


def test_an_unreadable_scan_ends_a_model_with_a_sentence(apps: Path, tmp_path: Path) -> None:
    write(tmp_path, {"data/0001.nii.gz": b"nothing"})
    done = run_process(apps / "atlas" / "infer.py", tmp_path / "data", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("refused: case 0001: 0001.nii.gz cannot be read")
    assert "Traceback" not in done.stderr


def test_images_have_the_three_styles_of_entry_point() -> None:
    """The committee's containers and the models between them: interpreter, none, whole command, interpreter."""
    seen = {}
    for name in ("preparator", "metrics", "models/atlas", "models/coarse-to-fine"):
        lines = (PILOT / name / "Dockerfile").read_text(encoding="utf-8").splitlines()
        entry = [line.partition(" ")[2] for line in lines if line.startswith("ENTRYPOINT")]
        command = [
            (task.get("run_args") or {}).get("command", "")
            for task in yaml.safe_load((PILOT / name / "container_config.yaml").read_text())["tasks"].values()
        ]
        seen[name] = (entry, command[0])
    assert seen == {
        "preparator": (['["python3"]'], "/app/prepare.py prepare"),
        "metrics": ([], "python3 /app/evaluate.py"),
        "models/atlas": (['["python3", "/app/infer.py"]'], ""),
        "models/coarse-to-fine": (['["python3"]'], "/app/infer.py"),
    }
