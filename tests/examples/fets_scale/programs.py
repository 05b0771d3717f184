"""The example's programs: imported for their functions, or run as the engine of plain processes runs them."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "fets-scale"


def load(*names: str, folder: str = "") -> tuple[ModuleType, ...]:
    """Import programs of the example, leaving no trace of their names, which other examples use as well."""
    before = set(sys.modules)
    sys.path[:0] = [str(EXAMPLE / folder), str(EXAMPLE)]
    try:
        return tuple(importlib.import_module(name) for name in names)
    finally:
        del sys.path[:2]
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(EXAMPLE):
                del sys.modules[name]


def run_container(folder: str, program: str, *words: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a container's program with its mounts below a folder."""
    for name in (
        "input/data",
        "input/labels",
        "input/predictions",
        "output/data",
        "output/labels",
        "output/predictions",
    ):
        with contextlib.suppress(FileExistsError):
            (root / name).mkdir(parents=True)
    command = [sys.executable, "-I", "-S", str(EXAMPLE / folder / program), *words]
    return subprocess.run(
        command, env={"CONTAINER_ROOT": str(root)}, capture_output=True, text=True, check=False, timeout=60
    )
