"""One forge for the session, a project of its own on it for each test."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forge_people import Village
from tests.support.pagure_forge import IMAGE, PagureForge, running

ROOT = Path(__file__).parents[2]
PEOPLE = ("ana", "dora", "emil", "moa", "north", "east", "south")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as needing an engine."""
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagureForge]:
    """A forge that runs; without an engine, or what its image is made with, the test fails and says what is missing."""
    for command in ([ROOT / "scripts/ensure-engine.sh"], [Path(__file__).parent / "forge/build.sh", IMAGE]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    with running(tmp_path_factory.mktemp("forge"), PEOPLE) as forge:
        yield forge


@pytest.fixture
def village(forge: PagureForge, tmp_path: Path, request: pytest.FixtureRequest) -> Village:
    """People and an empty place; the project is named for the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40].strip("-")
    return Village(tmp_path, forge, name)
