"""The programs of the surgical pilot, run as the containers run them but without a container."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PILOT = Path(__file__).resolve().parents[3] / "examples" / "surgical-phases"


def load_program(relative: str) -> ModuleType:
    """Import one of the pilot's programs by path."""
    path = PILOT / relative
    spec = importlib.util.spec_from_file_location(f"surgical_phases_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


maker, preparator, metrics = (
    load_program(name) for name in ("make_data.py", "preparator/prepare.py", "metrics/evaluate.py")
)


def run_program(relative: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the pilot's programs and return code and output."""
    command = [sys.executable, str(PILOT / relative), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def run_prepare(raw: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Prepare a hospital's export into out/data, out/labels and out/metadata, with out/report/report.yaml."""
    for name in ("data", "labels", "metadata", "report"):
        (out / name).mkdir(parents=True, exist_ok=True)
    return run_program(
        "preparator/prepare.py",
        "prepare",
        *("--data", raw / "data", "--labels", raw / "labels"),
        *("--parameters", PILOT / "preparator" / "parameters.yaml"),
        *("--out-data", out / "data", "--out-labels", out / "labels", "--out-metadata", out / "metadata"),
        *("--report", out / "report" / "report.yaml"),
    )


def write_video(raw: Path, name: str, frames: int, *, lines: int | None = None, rate: Fraction = Fraction(5)) -> None:
    """Write a small video whose pictures get brighter, and an annotation of so many lines."""
    for folder in (raw / "data" / "videos", raw / "labels" / "phase_annotations"):
        folder.mkdir(parents=True, exist_ok=True)
    pictures = (np.full((maker.HEIGHT, maker.WIDTH, 3), 7 * count, dtype=np.uint8) for count in range(frames))
    maker.encode(raw / "data" / "videos" / f"{name}.mp4", pictures, rate)
    rows = [f"{count}\t{'Preparation' if count < 12 else 'ClippingCutting'}" for count in range(lines or frames)]
    annotation_of(raw, name).write_text("\n".join(["Frame\tPhase", *rows]) + "\n", encoding="utf-8")


def annotation_of(raw: Path, name: str) -> Path:
    """Return where a video's annotation lies."""
    return raw / "labels" / "phase_annotations" / f"{name}-phase.txt"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made-up hospitals with two videos each, and eight development videos, prepared: <name>/data and labels."""
    out = tmp_path_factory.mktemp("surgery")
    parameters = preparator.read_parameters(PILOT / "preparator" / "parameters.yaml")
    wanted = (
        (maker.DEVELOPMENT, 8),
        *((site, 2) for site in maker.SITES if site.name in {"milan-like", "naples-like"}),
    )
    for site, cases in wanted:
        raw, folder = out / "raw" / site.name, out / site.name
        maker.write_site(site, raw, cases)
        for name in ("data", "labels", "metadata"):
            (folder / name).mkdir(parents=True)
        outputs = (folder / "data", folder / "labels", folder / "metadata", folder / "none" / "report.yaml")
        preparator.prepare(raw / "data", raw / "labels", parameters, *outputs)
    return out
