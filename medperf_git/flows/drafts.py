"""Drafts of cubes: records that are not yet anybody's, kept in the local folder until they are submitted.

A draft bears the member `draft` and version 1; owner, version and time are filled in when it is submitted.
"""

from dataclasses import replace
from pathlib import Path

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import write_file
from medperf_git.records import layout
from medperf_git.records.models import Cube
from medperf_git.records.names import MemberName, Ref, name_fault
from medperf_git.records.record import read_record, write_record

NOBODY = MemberName("draft")


def save_cube(home: Path, cube: Cube) -> Path:
    """Keep a draft under its name, in place of an older one; return its file."""
    path = _path(home, cube.name)
    write_file(path, write_record(replace(cube, member=NOBODY, version=1)))
    return path


def load_cube(home: Path, name: str) -> Cube:
    """Return the draft of that name; `UsageProblem` when there is none."""
    if fault := name_fault(name):
        raise UsageProblem(f"{name!r} is no name of a cube: {fault}", hint="`medperf-git cube ls --drafts` lists them")
    path = _path(home, name)
    if not path.is_file():
        known = ", ".join(list_cubes(home)) or "none"
        hint = f"drafts here: {known}; `medperf-git cube import CONFIG --name {name} --role …` makes one"
        raise UsageProblem(f"there is no draft of a cube called {name}", hint=hint)
    reading = read_record(layout.cube_path(Ref(NOBODY, name, 1)), path.read_bytes())
    if reading.stored is None or not isinstance(reading.stored.record, Cube):
        said = "; ".join(finding.message for finding in reading.findings)
        raise UsageProblem(f"the draft {path} is damaged: {said}", hint="import the container again")
    return reading.stored.record


def has_cube(home: Path, name: str) -> bool:
    """Tell whether there is a draft of that name."""
    return not name_fault(name) and _path(home, name).is_file()


def list_cubes(home: Path) -> list[str]:
    """Return the names of all drafts."""
    return sorted(path.stem for path in (home / "drafts" / "cubes").glob("*.yaml"))


def _path(home: Path, name: str) -> Path:
    return home / "drafts" / "cubes" / f"{name}.yaml"
