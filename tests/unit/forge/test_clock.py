"""The time at a host: told where it is said, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.forge import clock
from medperf_git.forge.clock import read_clock
from tests.support.faulty import BADS, Bad, Faulty, standing
from tests.support.small_forge import Answered, Asked

NOON = "Fri, 27 Nov 2026 12:00:00 GMT"


class Host:
    """Answers with what it is given, and keeps what was asked."""

    def __init__(self) -> None:
        self.answer = Answered(200, (("Date", NOON),), b"")
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        return self.answer


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def server(host: Host, tmp_path: Path) -> Iterator[Faulty]:
    with standing(host, tmp_path) as found:
        yield found


def clock_of(server: Faulty) -> datetime | None:
    environ = {"SSL_CERT_FILE": str(server.certificate), "MEDPERF_GIT_TOKEN": "s3cret"}
    return read_clock(f"{server.url}/ana/heart", environ)


@pytest.mark.parametrize("status", [200, 302, 403, 404, 405, 500])
def test_whatever_answers_says_the_time_and_is_told_no_token(server: Faulty, host: Host, status: int) -> None:
    host.answer = Answered(status, (("Date", NOON), ("Location", "https://elsewhere.example/")))
    assert clock_of(server) == datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    (asked,) = host.asked
    assert (asked.method, asked.target) == ("HEAD", "/")
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("said", ["", "noon", "2026-11-27", "Fri, 99 Nov 2026 12:00:00 GMT"])
def test_a_time_that_is_none_is_none(server: Faulty, host: Host, said: str) -> None:
    host.answer = Answered(200, (("Date", said),))
    assert clock_of(server) is None


def test_another_zone_is_the_same_moment(server: Faulty, host: Host) -> None:
    host.answer = Answered(200, (("Date", "Fri, 27 Nov 2026 14:00:00 +0200"),))
    told = clock_of(server)
    assert told == datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    assert told is not None
    assert told.utcoffset() == timedelta(0)


@pytest.mark.parametrize("bad", [one for one in BADS if one.connect or one.name in ("no answer", "no HTTP")], ids=str)
def test_a_host_that_answers_nothing_says_no_time_and_stops_nobody(
    server: Faulty, bad: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "SECONDS", 0.5)
    server.plan(bad, "fetch", gone=True)
    assert clock_of(server) is None


@pytest.mark.parametrize("url", ["/srv/registry.git", "git@forge.example:org/registry", "ssh://git@forge.example/r"])
def test_who_is_not_reached_by_https_is_not_asked(url: str) -> None:
    assert read_clock(url, {}) is None
