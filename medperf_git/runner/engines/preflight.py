"""Versions of engine parts with known ways out of a container (T17).

A version that a distribution patched (its name says so: `+`, `~`) is warned of and not refused: the number no longer
tells what was mended.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Version: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A published flaw: the first mended version of each release line; older lines stay open."""

    component: str
    cve: str
    mended: tuple[Version, ...]


FLAWS = (
    Flaw("runc", "CVE-2024-21626", ((1, 1, 12),)),
    Flaw("runc", "CVE-2025-31133", ((1, 2, 8), (1, 3, 3), (1, 4, 0))),
    Flaw("nvidia-container-toolkit", "CVE-2025-23266", ((1, 17, 8),)),
)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A part whose version has a known flaw; `certain` unless a distribution may have mended it."""

    sentence: str
    certain: bool


def suspicions(components: Iterable[tuple[str, str]]) -> tuple[Suspicion, ...]:
    """Return the known flaws of these (name, version) pairs."""
    return tuple(
        Suspicion(f"{name} {version} has {flaw.cve}", certain=not re.search(r"[+~]", version))
        for name, version in components
        for flaw in FLAWS
        if flaw.component == name and _is_open(flaw, _parsed(version))
    )


def _is_open(flaw: Flaw, version: Version | None) -> bool:
    if version is None:
        return False
    if version >= max(flaw.mended):
        return False
    return not any(version[:2] == mended[:2] and version >= mended for mended in flaw.mended)


def _parsed(text: str) -> Version | None:
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
