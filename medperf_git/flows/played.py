"""Play the example that comes with this program: build its containers, then its story, as `make demo` does."""

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.home import home_folder
from medperf_git.records.schemas import asset_folder

_RECORDED = "`medperf-git demo --recorded` shows a recorded run and needs no engine"


def play(out: Path, *, environ: Mapping[str, str]) -> tuple[int, Path]:
    """Build the images and play the story in `out`; return its exit code, and where the leaderboard then is.

    EnvironmentProblem: this machine cannot run containers, or lacks what builds them.
    """
    _refuse_without_means()
    example = asset_folder("examples") / "breast-cancer"
    told = {**environ, "PYTHON": sys.executable, "MEDPERF_GIT_CACHE": str(home_folder(environ) / "cache" / "demo")}
    built = subprocess.run(["bash", str(example / "build.sh")], env=told, check=False)
    if built.returncode:
        hint = f"see what it said above and run `medperf-git doctor`; {_RECORDED}"
        raise EnvironmentProblem("the images of the demo could not be built", hint=hint)
    story = subprocess.run([sys.executable, str(example / "demo.py"), "--out", str(out)], env=told, check=False)
    return story.returncode, out.resolve() / "site" / "index.html"


def _refuse_without_means() -> None:
    if platform.system() != "Linux":
        raise EnvironmentProblem("containers are run on Linux only (WSL2 too)", hint=_RECORDED)
    for program in ("bash", "docker", "git"):
        if shutil.which(program) is None:
            raise EnvironmentProblem(f"there is no `{program}` on this machine", hint=f"install it, or: {_RECORDED}")
    if importlib.util.find_spec("pip") is None:
        hint = f"install pip into this environment (the images get their libraries by it), or: {_RECORDED}"
        raise EnvironmentProblem(f"{sys.executable} has no pip", hint=hint)
