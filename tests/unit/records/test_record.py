import socket
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from medperf_git.errors import Refused
from medperf_git.records import models as m
from medperf_git.records.layout import Kind
from medperf_git.records.record import check_document, read_record, write_record, write_value
from medperf_git.records.strict_yaml import parse_yaml

from .examples import COMPLETE, DEMO, EXAMPLES, KEY, MINIMAL, OTHER_KEY


def read(path: str, data: bytes) -> m.Record:
    reading = read_record(path, data)
    assert reading.findings == ()
    assert reading.stored is not None
    assert reading.stored.path == path
    return reading.stored.record


def only_finding(path: str, data: bytes) -> Any:
    reading = read_record(path, data)
    assert reading.stored is None
    assert len(reading.findings) == 1, [f"{f.rule}: {f.message}" for f in reading.findings]
    finding = reading.findings[0]
    assert finding.path == path
    assert finding.fix
    return finding


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_written_record_reads_as_itself_and_writes_the_same_bytes(path):
    data = write_record(EXAMPLES[path])
    record = read(path, data)
    assert record == EXAMPLES[path]
    assert write_record(record) == data


def test_the_examples_cover_every_kind_complete_and_minimal():
    assert {record.KIND for record in COMPLETE.values()} == set(Kind)
    assert {record.KIND for record in MINIMAL.values()} == set(Kind)


def test_whole_decimals_are_written_as_integers_and_compare_equal():
    record = EXAMPLES["datasets/hospital-a/cohort/2.yaml"]
    assert isinstance(record, m.Dataset)
    whole = replace(record, statistics={"age.mean": Decimal("61.50"), "women": Decimal("80.000")})
    data = write_record(whole)
    assert b"age.mean: 61.5\n" in data
    assert b"women: 80\n" in data
    assert read("datasets/hospital-a/cohort/2.yaml", data) == whole


@pytest.mark.parametrize(
    ("path", "change", "where"),
    [
        ("registry/0001.yaml", {"maintainers": ()}, "/maintainers"),
        ("registry/0001.yaml", {"house_files": {}}, "/house_files"),
        ("members/ana/0001.yaml", {"keys": m.Keys((m.KeyEntry(KEY),), ())}, "/keys/recovery"),
        ("cubes/ana/prepare/1.yaml", {"tasks": {"prepare": m.Task()}}, "/tasks/prepare"),
        ("cubes/ana/prepare/1.yaml", {"tasks": {"t": m.Task(m.RunArgs(command=()))}}, "/tasks/t/run_args/command"),
        ("cubes/ana/prepare/1.yaml", {"resources": m.Resources()}, "/resources"),
        ("datasets/ana/one/1.yaml", {"cases": m.Cases()}, "/cases"),
        ("datasets/ana/one/1.yaml", {"title": "a\u202eb"}, "/title"),
        ("datasets/ana/one/1.yaml", {"statistics": {"x": Decimal("NaN")}}, "/statistics/x"),
        ("datasets/ana/one/1.yaml", {"statistics": {"x": 0.5}}, "/statistics/x"),
    ],
)
def test_what_no_record_can_hold_is_refused_at_writing_with_its_place(path, change, where):
    with pytest.raises(ValueError, match=f"at {where}") as caught:
        write_record(replace(EXAMPLES[path], **change))
    assert isinstance(caught.value, Refused)
    assert caught.value.hint


def test_a_cosigning_that_names_only_one_number_is_refused():
    data = write_record(COMPLETE["members/hospital-a/0002.yaml"]).replace(b"  dataset: 1\n", b"")
    finding = only_finding("members/hospital-a/0002.yaml", data)
    assert (finding.rule, finding.pointer) == ("schema", "/cosigning")
    assert "'dataset'" in finding.message


def test_cosigning_defaults_are_written_out():
    member = replace(COMPLETE["members/hospital-a/0002.yaml"], cosigning=m.Cosigning())
    data = write_record(member)
    assert data.endswith(b"cosigning:\n  dataset: 1\n  result: 1\n")
    assert read("members/hospital-a/0002.yaml", data) == member


def test_a_path_that_is_no_record_path_is_refused():
    assert only_finding("members/ana.yaml", b"kind: member\n").rule == "layout"


def test_an_unreadable_file_is_a_finding_with_its_path_and_line():
    finding = only_finding("members/ana/0001.yaml", b"kind: member\nspec: no\n")
    assert (finding.rule, finding.line, finding.pointer) == ("yaml-scalar", 2, "/spec")


@pytest.mark.parametrize("kind", [b"kind: cube\n", b"", b"kind: 5\n"])
def test_another_kind_than_the_path_says_is_refused(kind):
    finding = only_finding("members/ana/0001.yaml", kind + b"spec: 1\n")
    assert (finding.rule, finding.expected) == ("kind", "kind: member")


@pytest.mark.parametrize("spec", [b"spec: 2\n", b'spec: "1"\n', b"", b"spec: 1.5\n", b"spec:\n  a: 1\n"])
def test_an_unknown_schema_version_is_refused_and_says_which_is_known(spec):
    finding = only_finding("members/ana/0001.yaml", b"kind: member\n" + spec)
    assert (finding.rule, finding.expected) == ("spec", "spec: 1")


def test_true_is_no_schema_version():
    path = "notices/members/ana/0001/0001.yaml"
    data = write_record(EXAMPLES[path]).replace(b"spec: 1\n", b"spec: true\n")
    assert only_finding(path, data).pointer == "/spec"


def test_a_record_at_the_path_of_another_is_refused_and_says_where_it_belongs():
    data = write_record(EXAMPLES["cubes/ana/prepare/1.yaml"])
    finding = only_finding("cubes/ana/prepare/2.yaml", data)
    assert (finding.rule, finding.expected) == ("path", "cubes/ana/prepare/1.yaml")


def test_previous_does_not_stand_in_the_first_link():
    data = write_record(EXAMPLES["members/hospital-a/0002.yaml"])
    assert only_finding("members/hospital-a/0001.yaml", data).rule == "chain"


def test_the_first_line_that_is_not_canonical_is_shown_with_what_it_should_be():
    path = "notices/members/ana/0001/0001.yaml"
    data = write_record(EXAMPLES[path])
    finding = only_finding(path, data.replace(b"event: resolve", b'event: "resolve"'))
    assert (finding.rule, finding.expected, finding.got) == ("canonical", "event: resolve", 'event: "resolve"')
    assert finding.line == data[: data.index(b"event:")].count(b"\n") + 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"...\n",
        lambda data: b"---\n" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data + b"# comment\n",
        lambda data: data.replace(b"by: ana\n", b"by:  ana\n"),
        lambda data: data.replace(b"by: ana\n", b"by: ana \n"),
        lambda data: data.replace(b"by: ana\n", b"by:\n  ana\n"),
        lambda data: data.replace(b"by: ana\n", b"? by\n: ana\n"),
        lambda data: data.replace(b"by: ana\n", b"by: 'ana'\n"),
        lambda data: data.replace(b"by: ana\n", b"by: |-\n  ana\n"),
        lambda data: data.replace(b"by: ana\n", b'by: "\\u0061na"\n'),
        lambda data: data.replace(b"by: ana\n", b"").replace(b"spec: 1\n", b"spec: 1\nby: ana\n"),
        lambda data: data.replace(b"record:\n  path: ", b"record: {path: ").replace(b"\n  digest", b", digest", 1),
    ],
)
def test_any_other_way_of_writing_the_same_record_is_refused(spoil):
    path = "notices/members/ana/0001/0001.yaml"
    data = spoil(write_record(EXAMPLES[path]))
    finding = only_finding(path, data)
    assert finding.rule in ("canonical", "yaml-syntax")
    if finding.rule == "canonical":
        assert finding.fix == "run `medperf-git fmt` on it"


def test_an_empty_collection_in_a_file_is_a_finding():
    path = "members/ana/0001.yaml"
    data = write_record(EXAMPLES[path]) + b"cosigning: {}\n"
    assert only_finding(path, data).pointer == "/cosigning"


def test_a_list_in_a_list_is_a_finding_not_a_crash():
    path = "cubes/ana/prepare/1.yaml"
    data = write_record(EXAMPLES[path]).replace(b"title: P\n", b"title: [[P]]\n")
    assert only_finding(path, data).pointer == "/title"


def test_a_reserved_name_is_refused_wherever_it_stands():
    path = "datasets/ana/one/1.yaml"
    data = write_record(EXAMPLES[path]).replace(b"ana/prepare@1", b"ana/head@1")
    finding = only_finding(path, data)
    assert (finding.rule, finding.pointer) == ("name", "/preparator/ref")
    assert "reserved" in finding.message


def test_checking_a_draft_gathers_every_finding_of_its_shape():
    document = parse_yaml(b"kind: policy\nspec: 1\ncolour: red\ncommittee: []\n")
    findings = check_document(document, Kind.POLICY)
    assert {finding.pointer for finding in findings} == {"", "/committee"}
    assert all(finding.message and finding.fix for finding in findings)


def test_plain_values_are_written_in_schema_order():
    value = {"title": "T", "created": "x", "spec": 1, "kind": "cube"}
    assert write_value(Kind.CUBE, value).splitlines()[0] == b"kind: cube"


def test_no_record_carries_a_schema_or_a_pattern_and_no_socket_is_opened(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    path = "benchmarks/ana/aspirate/1/benchmark.yaml"
    data = write_record(EXAMPLES[path])
    for key in (b'"$schema"', b'"$ref"', b"pattern"):
        spoilt = data + key + b': "https://example.org/schema.json"\n'
        finding = only_finding(path, spoilt)
        assert (finding.rule, finding.pointer) == ("schema", "")
        assert "unknown key" in finding.message


def test_a_member_with_two_equal_keys_is_refused():
    path = "members/ana/0001.yaml"
    member = replace(MINIMAL[path], keys=m.Keys((m.KeyEntry(KEY), m.KeyEntry(OTHER_KEY)), (m.KeyEntry(KEY),)))
    finding = only_finding(path, write_record(member))
    assert (finding.rule, finding.pointer) == ("duplicate-entry", "/keys/recovery/0/key")


def test_an_asset_of_no_bytes_is_refused():
    path = "cubes/ana/prepare/1.yaml"
    cube = replace(MINIMAL[path], additional_files=replace(DEMO, size=0))
    finding = only_finding(path, write_record(cube))
    assert (finding.rule, finding.pointer) == ("schema", "/additional_files/size")
    assert "less than 1" in finding.message
