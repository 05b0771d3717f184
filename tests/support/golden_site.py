"""The site of a registry that the demo once made, kept whole: what a commit's pages, tables and data were last time.

`make golden` writes it anew; then `git diff` shows what a change does to what readers see. The assets that are copied
as they stand are left out, and our version reads 0.0.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from unittest import mock

from medperf_git.flows.sites import build_from_repository

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "registry_spec/vectors/registries/2026-11-three-hospitals.bundle"
GOLDEN = ROOT / "tests/golden/three-hospitals"
ASSETS = ROOT / "medperf_git/leaderboard/assets"
COMMAND = "make golden"


def clone_of_demo(folder: Path) -> Path:
    """Clone the registry of the demo, bare, with nothing of this machine's Git settings."""
    target = folder / "eval.git"
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "clone", "-q", "--bare", str(BUNDLE), str(target)], check=True, env=environ)
    return target


def files_under(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder, by its path in it."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name].read_bytes() for name in sorted(found)}


def build(folder: Path) -> Mapping[str, bytes]:
    """Build the site of the demo's registry as `leaderboard build` does; copied assets are left out."""
    with _version("0.0"):
        build_from_repository(clone_of_demo(folder), at="main", out=folder / "site")
    built = files_under(folder / "site")
    return {name: data for name, data in built.items() if not is_copied(name, data)}


def is_copied(name: str, data: bytes) -> bool:
    """Tell whether a file of a site is an asset just as it lies in the package."""
    source = ASSETS / name.removeprefix("assets/")
    return name.startswith("assets/") and source.is_file() and source.read_bytes() == data


def write(files: Mapping[str, bytes]) -> None:
    """Put a site in place of the one that is kept."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, data in files.items():
        (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_bytes(data)


@contextmanager
def _version(text: str) -> Iterator[None]:
    """Let the leaderboard say another version of ours, wherever it is said."""
    import_module("medperf_git.leaderboard.rest")  # which a build loads only when it makes pages
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("medperf_git.leaderboard.") and hasattr(module, "__version__"):
                stack.enter_context(mock.patch.object(module, "__version__", text))
        yield


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(build(Path(scratch)))
    print(f"{len(files_under(GOLDEN))} files are in {GOLDEN.relative_to(ROOT)}; look at them with git diff")
