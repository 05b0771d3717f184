"""The three models find tumours on the grid of the scans, and one gives up a patient whose tumour does not enhance."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from .conftest import EXAMPLE, read_voxels, write_volume

# As in the image, but for the number of patients: two are enough to see that training and inference fit together.
TRAIN = """
import dataclasses, make_data, train
make_data.DEVELOPMENT = (dataclasses.replace(make_data.DEVELOPMENT[0], cases=2),)
train.main()
"""


@pytest.fixture(scope="module")
def data(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prepared patients of upenn-like; the tumour of the second does not enhance."""
    out = tmp_path_factory.mktemp("models")
    for number in (1, 2):
        patient = generator.make_patient(generator.SITES[0], number)
        for name, volume in patient.volumes.items():
            path = out / "data" / patient.name / f"{patient.name}_{name}.nii.gz"
            write_volume(path, np.rint(volume).astype(np.int16), patient.affine)
        write_volume(out / "labels" / f"{patient.name}_seg.nii.gz", patient.labels, patient.affine)
    return out


def build_app(model: str, folder: Path) -> Path:
    """Lay out /app as the model's Dockerfile does."""
    app = folder / "app"
    app.mkdir()
    dockerfile = (EXAMPLE / "models" / model / "Dockerfile").read_text(encoding="utf-8")
    for words in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE):
        *sources, target = words.split()
        for source in sources:
            if (EXAMPLE / source).is_dir():
                shutil.copytree(EXAMPLE / source, app / target)
            else:
                shutil.copy(EXAMPLE / source, app)
    return app


def run_python(app: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(("model", "given_up"), [("threshold", False), ("forest", False), ("mixture", True)])
def test_a_model_segments_on_the_grid_of_the_scans(data: Path, tmp_path: Path, model: str, given_up: bool):
    app, out = build_app(model, tmp_path), tmp_path / "predictions"
    out.mkdir()
    if model == "forest":
        run_python(app, "-c", TRAIN)
    done = run_python(app, "infer.py", "--data", data / "data", "--out", out)
    first, second = (f"synthetic-upl-00{number}" for number in (1, 2))
    assert {path.name for path in out.iterdir()} == {f"{first}.nii.gz", *([] if given_up else [f"{second}.nii.gz"])}
    said = f"case {second}: no segmentation, nothing in it enhances, so that core and oedema cannot be told apart\n"
    assert done.stderr == (said if given_up else "")
    found, truth = nib.load(out / f"{first}.nii.gz"), nib.load(data / "labels" / f"{first}_seg.nii.gz")
    assert np.array_equal(found.affine, truth.affine)
    found, truth = read_voxels(out / f"{first}.nii.gz"), read_voxels(data / "labels" / f"{first}_seg.nii.gz")
    assert set(np.unique(found)) == {0, 1, 2, 4}
    for values, least in (((1, 2, 4), 0.7), ((1, 4), 0.5)):
        a, b = np.isin(found, values), np.isin(truth, values)
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > least
