"""By which bytes a registry's workflows judge: every file that they install, pinned by its SHA-256.

The dependencies come from the lock that ships with this release. The release itself cannot hold its own hash: it is
taken from the very file that this machine's package installer fetches, and only when the code in it is the code that
runs here; else from the file that was installed, where the installer noted it. Where neither can be had the pin stays
open, and the workflows refuse to judge and say which command fills it.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import medperf_git
from medperf_git.flows.house import PINS, house_files
from medperf_git.forge.host import Host
from medperf_git.records.schemas import asset_folder

FILL = "medperf-git doctor forge --write"
_SECONDS = 90
_HEAD = """\
# What judges this registry. Workflows on main install exactly these files; a proposal cannot change them.
# Newer release: install it, then `medperf-git doctor forge --write` proposes the new list with your signature.
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A release and the SHA-256 of its wheel; `sha256` is empty, with a reason, where it is not known."""

    version: str
    sha256: str = ""
    reason: str = ""

    @property
    def line(self) -> str:
        """The requirement as pip reads it; one without a hash is refused by every workflow."""
        if not self.sha256:
            return f"# Not pinned yet ({self.reason}). A maintainer runs: {FILL}\nmedperf-git=={self.version}"
        return f"medperf-git=={self.version} --hash=sha256:{self.sha256}"


def render_pins(pin: Pin) -> bytes:
    """Return the file of pins: this program and everything that it needs, for Linux."""
    lock = (asset_folder("requirements") / "judge.lock").read_text(encoding="utf-8")
    wanted = "".join(line for line in lock.splitlines(keepends=True) if not line.startswith("#"))
    return f"{_HEAD}{pin.line}\n{wanted}".encode()


def house_for(title: str, host: Host, *, find: Callable[[], Pin] | None = None) -> dict[str, bytes]:
    """Return the house files for a kind of host; only a forge's workflows need a pin to be found."""
    if host not in PINS:
        return house_files(title, host=host)
    return house_files(title, host=host, pins=render_pins((find or find_pin)()))


def find_pin(*, fetch: Callable[[str, Path], str] | None = None) -> Pin:
    """Find the hash of the release that runs here; its absence is a value with its reason."""
    version = medperf_git.__version__
    with tempfile.TemporaryDirectory() as folder:
        trouble = (fetch or _download)(version, Path(folder))
        for wheel in sorted(Path(folder).glob("*.whl")):
            if _runs_here(wheel):
                return Pin(version, hashlib.sha256(wheel.read_bytes()).hexdigest())
            trouble = f"the released {version} is not the code that runs here"
    noted = _noted_by_installer()
    return Pin(version, noted) if noted else Pin(version, reason=trouble or f"no wheel of {version} was found")


def _download(version: str, folder: Path) -> str:
    """Let this machine's installer fetch the release into a folder; return its trouble in one line."""
    words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", *words, "--dest", str(folder), f"medperf-git=={version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "the package installer did not answer"
    return "" if done.returncode == 0 else f"the package installer did not find a release {version}"


def _runs_here(wheel: Path) -> bool:
    """Tell whether a wheel holds the modules that this process was started from, byte for byte; not the demo's."""
    here = Path(medperf_git.__file__).parent
    paths = (path for path in here.rglob("*.py") if (here / "_assets") not in path.parents)
    mine = {path.relative_to(here.parent).as_posix(): path.read_bytes() for path in paths}
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith("medperf_git/") and name.endswith(".py")]
            theirs = {name: archive.read(name) for name in names if not name.startswith("medperf_git/_assets/")}
    except (OSError, zipfile.BadZipFile):
        return False
    return mine == theirs


def _noted_by_installer() -> str:
    """Return the SHA-256 that the installer verified for the wheel it was given (PEP 610), empty without one."""
    try:
        text = metadata.distribution("medperf-git").read_text("direct_url.json")
        noted = json.loads(text or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return ""
    if not str(noted.get("url", "")).endswith(".whl"):
        return ""
    return str(noted.get("archive_info", {}).get("hashes", {}).get("sha256", ""))
