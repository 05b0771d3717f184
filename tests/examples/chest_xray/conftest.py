"""The programs of the chest X-ray pilot, run as its containers run them but in this process."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

PILOT = Path(__file__).resolve().parents[3] / "examples" / "chest-xray"
SITES = ("cloud-oregon", "cloud-frankfurt", "cloud-mumbai", "cloud-sydney")
JUDGED = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
SHARED = ("common", "regions")  # modules beside a model in its image


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str


def load_program(relative: str) -> ModuleType:
    """Import one of the pilot's programs by path."""
    path = PILOT / relative
    spec = importlib.util.spec_from_file_location(f"chest_xray_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_program(program: Path, *words: str | Path) -> Done:
    """Run a program as `python program words…` would, and return how it ended."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [str(program), *map(str, words)])
        patch.syspath_prepend(str(program.parent))
        try:
            runpy.run_path(str(program), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            err.write("" if isinstance(end.code, int) else f"{end.code}\n")
        finally:
            for name in SHARED:
                sys.modules.pop(name, None)
    return Done(code, out.getvalue(), err.getvalue())


def prepare(
    raw: Path, out: Path, *, labels: Path | None = None, parameters: Path = PILOT / "preparator/parameters.yaml"
) -> Done:
    """Prepare an export into out/data and out/labels, with out/report.yaml, which an engine makes empty at first."""
    for name in ("data", "labels"):
        (out / name).mkdir(parents=True, exist_ok=True)
    (out / "report.yaml").touch()
    places = ("--data", raw, "--labels", labels or raw, "--out-data", out / "data", "--out-labels", out / "labels")
    more = ("--parameters", parameters, "--report", out / "report.yaml")
    return run_program(PILOT / "preparator/prepare.py", "prepare", *places, *more)


@pytest.fixture(scope="session")
def xray_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What make_data.py writes: one export a site, and the demo data."""
    out = tmp_path_factory.mktemp("xray-raw")
    assert run_program(PILOT / "make_data.py", "--out", out).code == 0
    return out


@pytest.fixture(scope="session")
def xray_prepared(xray_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a site with prepared data and labels."""
    out = tmp_path_factory.mktemp("xray-prepared")
    for site in SITES:
        done = prepare(xray_raw / site / "data", out / site)
        assert done.code == 0, done.err
    return out
