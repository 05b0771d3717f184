from datetime import UTC, datetime, timedelta, timezone

import pytest

from medperf_git.records.digests import bare_hex, digest_of, is_digest, short
from medperf_git.records.findings import Finding, Severity, errors_in
from medperf_git.records.models import Cases
from medperf_git.records.times import format_time, parse_time


def test_a_digest_is_sha256_in_lower_case_hexadecimal():
    digest = digest_of(b"abc")
    assert digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert is_digest(digest)
    assert bare_hex(digest) == digest[7:]
    assert short(digest) == "ba7816bf8f01"


@pytest.mark.parametrize("spoil", [str.upper, lambda d: d + "\n", lambda d: d[:-1], lambda d: d[7:], lambda d: d + "0"])
def test_another_text_is_no_digest(spoil):
    assert not is_digest(spoil(digest_of(b"")))


def test_times_are_written_in_utc_and_whole_seconds():
    moment = datetime(2026, 11, 25, 12, 0, 0, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2026-11-25T10:00:00Z"
    assert parse_time("2026-11-25T10:00:00Z") == datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert format_time(datetime(987, 1, 1, tzinfo=UTC)) == "0987-01-01T00:00:00Z"
    assert format_time(parse_time("0987-01-01T00:00:00Z")) == "0987-01-01T00:00:00Z"


def test_a_time_without_a_zone_is_not_guessed():
    with pytest.raises(ValueError, match="no time zone"):
        format_time(datetime(2026, 11, 25))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25",
        "2026-11-25T10:00:00",
        "2026-11-25 10:00:00Z",
        "2026-11-25T10:00:00+00:00",
        "2026-11-25T10:00:00.5Z",
        "2026-11-25T10:00:00Z\n",
        "2026-11-25T10:00:00z",
        "２０26-11-25T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-25T24:00:00Z",
        "2026-11-25T10:00:60Z",
        "0000-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "",
    ],
)
def test_another_text_is_no_time(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_a_finding_can_be_placed_and_printed_without_its_empty_fields():
    finding = Finding("schema", "wrong", line=3).at("members/ana/0001.yaml")
    assert finding.as_value() == {
        "rule": "schema",
        "message": "wrong",
        "path": "members/ana/0001.yaml",
        "line": 3,
        "severity": "error",
    }


def test_only_errors_make_a_change_unacceptable():
    findings = [Finding("a", "a", severity=severity) for severity in Severity]
    assert [finding.severity for finding in errors_in(findings)] == [Severity.ERROR]


def test_a_number_of_cases_is_exact_or_a_range():
    assert (str(Cases(exact=5)), Cases(exact=5).at_least, Cases(exact=0).at_least) == ("5", 5, 0)
    assert (str(Cases(low=10, high=19)), Cases(low=10, high=19).at_least) == ("10–19", 10)
