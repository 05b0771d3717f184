"""Versions of engine parts with known ways out of a container (T17).

A version that a distribution patched (its name says so: `+`, `~`) is warned of and not refused: the number no longer
tells what was mended.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from medperf_git.errors import Refused

Version: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A published flaw: the first mended version of each release line; older lines stay open.

    One that is not `grave` lets an image harm the host a little, and no container out: it is only warned of.
    """

    component: str
    cve: str
    mended: tuple[Version, ...]
    grave: bool = True


TOOLKIT = "nvidia-container-toolkit"
_NOVEMBER_2025 = ((1, 2, 8), (1, 3, 3), (1, 4, 0))
FLAWS = (
    Flaw("runc", "CVE-2024-21626", ((1, 1, 12),)),
    Flaw("runc", "CVE-2025-31133", _NOVEMBER_2025),
    Flaw("runc", "CVE-2025-52565", _NOVEMBER_2025),
    Flaw("runc", "CVE-2025-52881", _NOVEMBER_2025),
    Flaw("runc", "CVE-2026-41579", ((1, 3, 6), (1, 4, 3), (1, 5, 0)), grave=False),
    Flaw(TOOLKIT, "CVE-2024-0132", ((1, 16, 2),)),
    Flaw(TOOLKIT, "CVE-2025-23359", ((1, 17, 4),)),
    Flaw(TOOLKIT, "CVE-2025-23266", ((1, 17, 8),)),
    Flaw(TOOLKIT, "CVE-2026-24260", ((1, 19, 1),)),
)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A part whose version has a known flaw; `certain` unless a distribution may have mended it."""

    sentence: str
    certain: bool


def suspicions(components: Iterable[tuple[str, str]]) -> tuple[Suspicion, ...]:
    """Return the known flaws of these (name, version) pairs, those of one part in one sentence."""
    found = ((name, version, _flaws_of(name, version)) for name, version in components)
    return tuple(
        Suspicion(
            f"{name} {version} has {', '.join(flaw.cve for flaw in flaws)}",
            certain=any(flaw.grave for flaw in flaws) and not re.search(r"[+~]", version),
        )
        for name, version, flaws in found
        if flaws
    )


def _flaws_of(name: str, version: str) -> tuple[Flaw, ...]:
    return tuple(flaw for flaw in FLAWS if flaw.component == name and _is_open(flaw, _parsed(version)))


def check_toolkit() -> tuple[str, ...]:
    """Refuse GPUs where the toolkit that hands them out has a known way out of a container; return warnings.

    Engines do not tell its version: the command on this machine does, where the engine is this machine's.
    """
    found = suspicions([(TOOLKIT, version)] if (version := _toolkit_version()) else [])
    if certain := [suspicion.sentence for suspicion in found if suspicion.certain]:
        raise Refused(
            f"a container with a GPU can break out of this machine: {'; '.join(certain)}",
            hint="update the NVIDIA Container Toolkit, or run without --gpus",
        )
    return tuple(suspicion.sentence for suspicion in found)


def _toolkit_version() -> str:
    for name in ("nvidia-ctk", "nvidia-container-cli"):
        if (command := shutil.which(name)) is None:
            continue
        try:
            done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.SubprocessError):
            continue
        if told := re.search(r"version:?\s+v?(\d+\.\d+\.\d+\S*)", done.stdout):
            return told[1]
    return ""


def _is_open(flaw: Flaw, version: Version | None) -> bool:
    if version is None:
        return False
    if version >= max(flaw.mended):
        return False
    return not any(version[:2] == mended[:2] and version >= mended for mended in flaw.mended)


def _parsed(text: str) -> Version | None:
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
