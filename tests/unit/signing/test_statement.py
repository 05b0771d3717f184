"""The signed sentence: its one form, and every other form refused."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.errors import IntegrityBroken
from medperf_git.signing import statement as quick_or_careful
from medperf_git.signing import strict_json
from medperf_git.signing.statement import PREDICATE_TYPE, Statement, parse_statement

from .conftest import HEAD, MOMENT, PATH, RECORD, REGISTRY


def test_payload_is_these_bytes(statement):
    assert statement.payload() == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"head":"0123456789abcdef0123456789abcdef01234567",'
        b'"registry":"mg1:abababababababababababababababababababababababababababababababab","signedAt":'
        b'"2026-11-25T10:00:00Z","signer":"ana"},"predicateType":"https://medperf-git.github.io/registry-statement/v1",'
        b'"subject":[{"digest":{"sha256":"' + statement.digest.removeprefix("sha256:").encode() + b'"},'
        b'"name":"members/ana/0001.yaml"}]}'
    )
    assert parse_statement(statement.payload()) == statement


def test_the_careful_way_reads_what_the_quick_way_reads(statement):
    payload = statement.payload()
    assert quick_or_careful._accepted(payload) == quick_or_careful._parse_carefully(payload) == statement


def test_genesis_has_an_empty_head():
    genesis = Statement.about("registry/0001.yaml", RECORD, registry=REGISTRY, head="", signer="ana", signed_at=MOMENT)
    assert parse_statement(genesis.payload()) == genesis


def test_time_is_kept_in_utc_and_whole_seconds():
    moment = datetime(2026, 11, 25, 11, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    made = Statement.about(PATH, RECORD, registry=REGISTRY, head=HEAD, signer="ana", signed_at=moment)
    assert made.signed_at == MOMENT
    assert parse_statement(made.payload()) == made


@given(
    st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)), st.from_regex(r"[0-9a-f]{40}", fullmatch=True)
)
def test_every_statement_survives_its_payload(moment, head):
    made = Statement.about(PATH, RECORD, registry=REGISTRY, head=head, signer="ana", signed_at=moment)
    assert parse_statement(made.payload()) == made


BAD_FIELDS = [
    ("path", "members/ana/../0001.yaml", "not the path"),
    ("path", "/members/ana/0001.yaml", "not the path"),
    ("path", "0001.yaml", "not the path"),
    ("path", "members/ana/0001.yaml\n", "not the path"),
    ("path", "members/a\u0430/0001.yaml", "not the path"),
    ("path", "members/" + "a" * 1100 + "/0001.yaml", "not the path"),
    ("digest", "sha256:" + "A" * 64, "not a SHA-256"),
    ("registry", "mg1:", "mg1"),
    ("head", "0" * 39, "neither empty"),
    ("signer", "Ana", "not a member"),
    ("signed_at", datetime(2026, 1, 1), "no time zone"),
]


@pytest.mark.parametrize(("field", "value", "reason"), BAD_FIELDS)
def test_a_field_that_cannot_stand_in_a_payload_is_refused(statement, field, value, reason):
    fields = {name: getattr(statement, name) for name in Statement.__slots__} | {field: value}
    with pytest.raises(IntegrityBroken, match=reason):
        Statement(**fields)


def test_the_longest_path_stands_in_a_payload(statement):
    longest = "members/" + "a" * (1024 - len("members//0001.yaml")) + "/0001.yaml"
    made = Statement(longest, statement.digest, REGISTRY, HEAD, "ana", MOMENT)
    assert parse_statement(made.payload()).path == longest
    with pytest.raises(IntegrityBroken, match="not the path"):
        Statement(longest.replace("a/", "aa/"), statement.digest, REGISTRY, HEAD, "ana", MOMENT)


def changed(statement: Statement, *path: str | int, to: object) -> bytes:
    value = json.loads(statement.payload())
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "_type is"),
        (("predicateType",), "https://slsa.dev/provenance/v1", "predicateType is"),
        (("predicateType",), PREDICATE_TYPE.replace("v1", "v2"), "predicateType is"),
        (("predicateType",), 1, "not a text"),
        (("extra",), "x", "unknown key 'extra'"),
        (("predicate", "extra"), "x", "unknown key"),
        (("subject", 0, "digest", "sha512"), "x", "unknown key"),
        (("subject",), [], "exactly one"),
        (("subject",), {}, "exactly one"),
        (("subject",), {"a": "b"}, "exactly one"),
        (("subject",), "a", "exactly one"),
        (("subject",), ["a", "b"], "exactly one"),
        (("subject", 0), "x", "not an object"),
        (("predicate",), None, "not an object"),
        (("predicate",), {}, "lacks 'head'"),
        (("predicate", "head"), None, "not a text"),
        (("predicate", "signedAt"), "2026-11-25T10:00:00+00:00", "signedAt"),
        (("predicate", "signedAt"), "2026-02-30T10:00:00Z", "signedAt"),
        (("predicate", "signer"), "\ud800", "not a member"),
    ],
)
def test_T56_another_statement_is_refused(statement, path, to, reason):
    with pytest.raises(IntegrityBroken, match=reason):
        parse_statement(changed(statement, *path, to=to))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "strict JSON"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf{}", "strict JSON"),
        (b"[" * 8000, "nested too deeply|strict JSON"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":"1","a":"1"}', "twice"),
        (b'{"a":' + b"1" * 5000 + b"}", "strict JSON"),
        (b" " * 9000, "more than 8192"),
    ],
)
def test_bytes_that_are_no_strict_json_are_refused(data, reason):
    with pytest.raises(IntegrityBroken, match=reason):
        parse_statement(data)


@pytest.mark.parametrize(
    "spelling", [lambda p: p + b"\n", lambda p: p.replace(b":", b": ", 1), lambda p: p.replace(b"ana", rb"\u0061na")]
)
def test_the_same_values_in_other_bytes_are_refused(statement, spelling):
    with pytest.raises(IntegrityBroken, match="canonical"):
        parse_statement(spelling(statement.payload()))


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x7f", "ä", "\ud800"])
def test_text_that_would_need_an_escape_is_never_written(text):
    for value in (text, {text: "a"}, {"a": [text]}):
        with pytest.raises(IntegrityBroken, match="no place"):
            strict_json.canonical(value)


def test_json_is_read_up_to_its_limit():
    assert strict_json.parse_json(b'"abc"', limit=5, what="it") == "abc"
    with pytest.raises(IntegrityBroken, match="more than 4"):
        strict_json.parse_json(b'"abc"', limit=4, what="it")


def test_the_text_that_has_no_place_is_the_one_named():
    with pytest.raises(IntegrityBroken, match=r"'\\n' holds"):
        strict_json.canonical({"a": "good", "b": "\n"})


def test_foreign_text_in_a_message_is_cut_and_escaped():
    assert strict_json.shown("a" * 78) == repr("a" * 78)
    assert strict_json.shown("\x1b") == r"'\x1b'"
    assert len(strict_json.shown("a" * 500)) == 80
