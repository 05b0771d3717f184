"""The programs of the pancreas pilot, run as the containers run them but without a container."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PILOT = Path(__file__).resolve().parents[3] / "examples" / "pancreas"
APPS = {
    "make_data": (".",),
    "prepare": ("preparator",),
    "volumes": ("preparator",),
    "evaluate": ("metrics",),
    "atlas": ("models/atlas", "models", "."),
    "planes": ("models/coarse-to-fine", "models", "."),
    "prepared": ("models",),
}


def load_program(name: str) -> ModuleType:
    """Import one of the pilot's programs with its neighbours, and leave none of their short names behind."""
    folders = [PILOT / folder for folder in APPS[name]]
    short = {path.stem for folder in folders for path in folder.glob("*.py")}
    spec = importlib.util.spec_from_file_location(f"pancreas_{name}", folders[0] / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        for folder in reversed(folders):
            patch.syspath_prepend(str(folder))
        for other in short:
            patch.delitem(sys.modules, other, raising=False)
        spec.loader.exec_module(module)
        for other in short:
            sys.modules.pop(other, None)
    return module


@cache
def loaded(name: str) -> ModuleType:
    """Return a program that is imported once in a process."""
    return load_program(name)


@dataclass(frozen=True)
class Ended:
    """What a program returned and said."""

    returncode: int
    stdout: str
    stderr: str


def run_main(program: ModuleType, *arguments: str | Path) -> Ended:
    """Run a program's `main` in this process, to the end that a process would have: a container starts faster than
    numpy is imported anew for every one of some fifty runs."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [program.__name__, *map(str, arguments)])
        try:
            program.main()
        except SystemExit as end:
            said = end.code if isinstance(end.code, str) else ""
            return Ended(1 if said else int(end.code or 0), out.getvalue(), err.getvalue() + f"{said}\n")
    return Ended(0, out.getvalue(), err.getvalue())


def run_process(relative: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the pilot's programs as a process and return code and output."""
    command = [sys.executable, str(PILOT / relative), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def run_prepare(raw: Path, out: Path, *more: str | Path) -> Ended:
    """Prepare raw/data and raw/labels into out/data, out/labels and out/metadata, with out/report.yaml as the engine
    has it: there, and empty at the first start."""
    for name in ("data", "labels", "metadata"):
        (out / name).mkdir(parents=True, exist_ok=True)
    (out / "report.yaml").touch()
    return run_main(
        loaded("prepare"),
        "prepare",
        *("--data", raw / "data", "--labels", raw / "labels", "--report", out / "report.yaml"),
        *("--out-data", out / "data", "--out-labels", out / "labels", "--out-metadata", out / "metadata", *more),
    )


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by path below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    """The program that makes the synthetic abdomens."""
    return loaded("make_data")


@pytest.fixture(scope="session")
def patient(maker: ModuleType) -> object:
    """One synthetic patient that no site and no model has seen."""
    return maker.make_abdomen(77, maker.DFCI)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two arrays are equal in shape, type and every value."""
    return one.dtype == other.dtype and np.array_equal(one, other)
