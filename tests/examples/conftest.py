"""The example's programs, run as the containers run them but without a container."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "breast-cancer"
HOSPITALS = ("hospital-north", "hospital-east", "hospital-south")


def load_program(relative: str) -> ModuleType:
    """Import one of the example's programs by path."""
    path = EXAMPLE / relative
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_program(relative: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the example's programs and return code and output."""
    command = [sys.executable, str(EXAMPLE / relative), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def run_prepare(raw: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Prepare a hospital's export into out/data, out/labels and out/metadata."""
    for name in ("data", "labels", "metadata"):
        (out / name).mkdir(parents=True, exist_ok=True)
    return run_program(
        "preparator/prepare.py",
        "prepare",
        *("--data", raw, "--labels", raw),
        *("--out-data", out / "data", "--out-labels", out / "labels", "--out-metadata", out / "metadata"),
    )


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that split.py writes."""
    out = tmp_path_factory.mktemp("raw")
    done = run_program("split.py", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a hospital with prepared data and labels."""
    out = tmp_path_factory.mktemp("prepared")
    for hospital in HOSPITALS:
        done = run_prepare(raw / hospital, out / hospital)
        assert done.returncode == 0, done.stderr
    return out
