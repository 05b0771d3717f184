"""One registry is built per session and copied for each test: its hook runs for every push as it would anywhere."""

from pathlib import Path

import pytest

from tests.support.people import Town
from tests.support.story import Clone, build, copy_town


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("story") / "town")


@pytest.fixture
def town(template: Town, tmp_path: Path) -> Town:
    return copy_town(template, tmp_path / "town")


@pytest.fixture
def clone(town: Town, tmp_path: Path) -> Clone:
    return Clone.of(town, tmp_path / "clone")


@pytest.fixture(scope="session")
def second_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("story") / "second", result=False)


@pytest.fixture
def beside(second_town: Town, tmp_path: Path) -> Town:
    return copy_town(second_town, tmp_path / "beside")


@pytest.fixture(scope="module")
def shared_town(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A copy for all tests of a module, where none of them may change anything."""
    return copy_town(template, tmp_path_factory.mktemp("shared") / "town")
