"""One server with its certificates, and one registry with a proposal that waits, for all tests of a session."""

from collections.abc import Iterator

import pytest

from tests.support.far_registry import template
from tests.support.faulty import Faulty, standing
from tests.support.people import Town
from tests.support.small_forge import Asked


def _nobody(_: Asked) -> object:
    raise AssertionError("no forge stands behind it")


@pytest.fixture(scope="session")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with standing(_nobody, tmp_path_factory.mktemp("secure")) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return template(tmp_path_factory.mktemp("signed"))
