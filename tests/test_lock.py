"""The lock holds all that pyproject.toml asks for, extras of dependencies too."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCKED = dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+) ", (ROOT / "requirements.lock").read_text(encoding="utf-8")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    *(line for line in (ROOT / "requirements/dev.in").read_text(encoding="utf-8").splitlines() if line[:1].isalpha()),
]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("line", ASKED)
def test_what_is_asked_for_is_locked_with_its_extras(line: str) -> None:
    asked = Requirement(line)
    assert asked.specifier.contains(LOCKED[canonical(asked.name)])
    for inner in map(Requirement, metadata.requires(asked.name) or ()):
        if any(inner.marker and inner.marker.evaluate({"extra": extra}) for extra in asked.extras):
            assert canonical(inner.name) in LOCKED, f"{line} needs {inner.name}"
