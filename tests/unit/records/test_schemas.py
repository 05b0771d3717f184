import json
import re
from decimal import Decimal

import pytest
from jsonschema import Draft202012Validator

from medperf_git.records import models, schemas
from medperf_git.records.canonical import emit
from medperf_git.records.convert import value_of
from medperf_git.records.layout import Kind
from medperf_git.records.schemas import KINDS, asset_folder, check_shape, iter_kinds, schema_of
from medperf_git.records.strict_yaml import Document, parse_yaml

from .examples import COMPLETE, EXAMPLES, MINIMAL


def findings(kind: str, value: dict) -> list:
    found = check_shape(Document(value), kind)
    assert all(finding.rule == "schema" and finding.message and finding.fix for finding in found)
    return found


def changed(path: str, pointer: str, new: object) -> tuple[str, dict]:
    record = EXAMPLES[path]
    value = value_of(record)
    *steps, last = pointer.split("/")[1:]
    inner = value
    for step in steps:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[int(last) if isinstance(inner, list) else last] = new
    return str(record.KIND), value


def walk(schema, where=""):
    if isinstance(schema, dict):
        yield where, schema
        for key, inner in schema.items():
            yield from walk(inner, f"{where}/{key}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from walk(inner, f"{where}/{number}")


def test_there_is_one_schema_for_every_kind():
    assert (
        {kind for kind, _ in iter_kinds()}
        == set(KINDS)
        == {str(kind) for kind in Kind}
        == {str(k) for k in models.MODELS}
    )
    assert {path.name for path in asset_folder("schemas").iterdir()} == {f"{kind}.1.json" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_itself_valid_and_says_which_it_is(kind):
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:medperf-git:schema:{kind}:1"
    assert schema["properties"]["kind"]["const"] == kind
    assert list(schema["properties"])[:3] == ["kind", "spec", "created"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_schema_is_described(kind):
    for where, node in walk(schema_of(kind)):
        for name, inner in node.get("properties", {}).items() if where.endswith(("", "s")) else ():
            if where.rpartition("/")[2] != "if" and "/allOf/" not in where + "/":
                assert inner.get("description", "").endswith("."), f"{where}/{name}"


@pytest.mark.parametrize("kind", KINDS)
def test_t30_schemas_fetch_nothing_and_use_no_costly_or_misleading_keyword(kind):
    for where, node in walk(schema_of(kind)):
        if "$ref" in node:
            assert re.fullmatch(r"#/\$defs/[a-z_]+", node["$ref"]), where
        assert not {"uniqueItems", "multipleOf", "format", "$dynamicRef", "patternProperties"} & set(node), where
        if node.get("type") == "object" or ("properties" in node and "$defs" in node):
            closed = node.get("additionalProperties")
            assert closed is False or isinstance(closed, dict), where
        if isinstance(node.get("pattern"), str):
            assert "\\d" not in node["pattern"]
            assert "\\w" not in node["pattern"]


@pytest.mark.parametrize("kind", KINDS)
def test_t31_no_pattern_accepts_a_trailing_newline(kind):
    samples = [
        "abc",
        "ana/x1@1",
        "sha256:" + "0" * 64,
        "2026-11-25T10:00:00Z",
        "DE",
        "linux/amd64",
        "0" * 64,
        "/a",
        "2g",
    ]
    samples += ["README.md", "members/ana/0001.yaml", "https://example.org/", "A", "ssh-ed25519 " + "A" * 68]
    samples += ["age1" + "q" * 58]
    for where, node in walk(schema_of(kind)):
        if isinstance(pattern := node.get("pattern"), str):
            fitting = [text for text in samples if re.search(pattern, text)]
            assert fitting, f"no sample for {where}: {pattern}"
            assert not [text for text in fitting if re.search(pattern, text + "\n")], where
            assert not re.search(pattern, "\n")


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_fit_their_schema(path):
    assert findings(str(EXAMPLES[path].KIND), value_of(EXAMPLES[path])) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_complete_examples_use_every_field_of_their_schema(kind):
    used = {key for record in EXAMPLES.values() if kind == record.KIND for key in value_of(record)}
    assert used == set(schema_of(kind)["properties"])


@pytest.mark.parametrize("path", MINIMAL)
def test_every_required_key_of_the_minimal_examples_is_asked_for(path):
    record = EXAMPLES[path]
    for key in schema_of(str(record.KIND))["required"]:
        value = value_of(record)
        del value[key]
        found = findings(str(record.KIND), value)
        assert any(f"missing key {key!r}" in finding.message for finding in found), key


DATASET, BENCHMARK = "datasets/hospital-a/cohort/2.yaml", "benchmarks/ana/aspirate/2/benchmark.yaml"
CUBE, MEMBER, RESULT = (
    "cubes/bob/forest/3.yaml",
    "members/hospital-a/0002.yaml",
    next(p for p in COMPLETE if "results/" in p),
)
POLICY = "benchmarks/ana/aspirate/1/policy/0002.yaml"


@pytest.mark.parametrize(
    ("path", "pointer", "new", "said"),
    [
        (DATASET, "/version", True, "is true or false, not integer"),
        (DATASET, "/version", Decimal("1.5"), "is a decimal, not integer"),
        (DATASET, "/version", "1", "is text, not integer"),
        (DATASET, "/version", 0, "less than 1"),
        (DATASET, "/version", 1000000, "more than 999999"),
        (DATASET, "/spec", True, ""),
        (DATASET, "/statistics", {"x": True}, "is true or false, not number"),
        (DATASET, "/statistics", {"x": "1"}, "is text, not number"),
        (DATASET, "/statistics", {"X": 1}, "has not the form"),
        (DATASET, "/statistics", {"x\n": 1}, "has not the form"),
        (DATASET, "/statistics", {}, "0 entries"),
        (DATASET, "/title", "", ""),
        (DATASET, "/title", "a\nb", "has not the form"),
        (DATASET, "/title", "a\n", "has not the form"),
        (DATASET, "/title", 5, "is an integer, not string"),
        (DATASET, "/title", ["x"], "is a list, not string"),
        (DATASET, "/title", {"x": 1}, "is a mapping, not string"),
        (DATASET, "/name", "abc\n", "has not the form"),
        (DATASET, "/name", "a\u0663b", "has not the form"),
        (DATASET, "/created", "２026-11-25T10:00:00Z", "has not the form"),
        (DATASET, "/cases", {"exact": 1, "from": 1, "to": 2}, "not go with"),
        (DATASET, "/cases", {"from": 1}, "missing key"),
        (DATASET, "/cases", {}, "missing key"),
        (DATASET, "/cases", {"exact": True}, "is true or false"),
        (DATASET, "/cases", {"exact": -1}, "less than 0"),
        (DATASET, "/content/method", "md5", "not one of"),
        (DATASET, "/content/digest", "sha256:" + "A" * 64, "has not the form"),
        (DATASET, "/acquisition/country", "De", "has not the form"),
        (DATASET, "/names", "x", "unknown key 'names'"),
        (BENCHMARK, "/metrics", [], "0 entries"),
        (BENCHMARK, "/metrics/0/range/min", False, "is true or false, not number"),
        (BENCHMARK, "/metrics/0/path", "auroc", "has not the form"),
        (BENCHMARK, "/metrics/0/path", "/a//b", "has not the form"),
        (BENCHMARK, "/metrics/0/sd", 1, "is an integer, not boolean"),
        (BENCHMARK, "/visibility", "sealed", "not one of"),
        (CUBE, "/tasks/infer/run_args/command", 5, "not string or array"),
        (CUBE, "/tasks/infer/run_args/shm_size", "2 gigabytes", "has not the form"),
        (CUBE, "/tasks/infer/run_args/privileged", True, "unknown key"),
        (CUBE, "/tasks/infer/input_volumes/data_path/mount_path", "data", "has not the form"),
        (CUBE, "/tasks/infer/input_volumes/data_path/mount_path", "/a:/b", "has not the form"),
        (MEMBER, "/website", "javascript:alert(1)", "has not the form"),
        (MEMBER, "/website", 'https://x"onclick=', "has not the form"),
        (MEMBER, "/keys/signing/0/key", "ssh-rsa AAAA", "has not the form"),
        (RESULT, "/reason", "timeout", "'reason' does not go with"),
        (RESULT, "/outcome", "failed", "'values' does not go with"),
        (RESULT, "/values/auroc", {}, "0 entries"),
        (RESULT, "/values/auroc/sd", Decimal("-0.5"), "less than 0"),
        (POLICY, "/auto_approve/models/members", ["ana"], "'members' does not go with"),
        (POLICY, "/auto_approve/datasets", {"mode": "list"}, "missing key 'members'"),
    ],
)
def test_a_value_outside_its_schema_is_refused_in_words(path, pointer, new, said):
    found = findings(*changed(path, pointer, new))
    assert found
    assert any(said in finding.message for finding in found), [finding.message for finding in found]


@pytest.mark.parametrize("number", [0, 1, -5, Decimal("0.125"), Decimal("-3.5")])
def test_integers_and_decimals_are_numbers(number):
    assert findings(*changed(DATASET, "/statistics", {"x": number})) == []


def test_a_decimal_is_compared_exactly_with_a_limit():
    assert findings(*changed(CUBE, "/resources/seconds_per_case", Decimal("-0.000000001")))
    assert findings(*changed(CUBE, "/resources/seconds_per_case", Decimal("0.000000001"))) == []


def test_a_finding_points_to_its_line():
    path = DATASET
    value = value_of(EXAMPLES[path])
    value["acquisition"]["country"] = "xx"
    document = parse_yaml(emit(value, schema_of("dataset")))
    (finding,) = check_shape(document, "dataset")
    assert finding.pointer == "/acquisition/country"
    assert finding.line == 1 + emit(value, schema_of("dataset")).decode().split("\n").index("  country: xx")
    assert finding.expected == "ISO 3166-1 alpha-2 code."
    assert finding.got == "xx"


def test_long_values_are_cut_in_findings():
    found = findings(*changed(DATASET, "/content/method", "x" * 10_000))
    assert all(len(finding.message) < 400 and len(finding.got) <= 120 for finding in found)
    found = findings(*changed(DATASET, "/" + "k" * 10_000, 1))
    assert all(len(finding.message) < 400 for finding in found)


@pytest.mark.parametrize(("kind", "spec"), [("grant", 1), ("cube", 2), ("../cube", 1)])
def test_an_unknown_kind_or_version_has_no_schema(kind, spec):
    with pytest.raises(KeyError):
        schema_of(kind, spec)


def test_schemas_inside_an_installed_package_are_found_first(tmp_path, monkeypatch):
    (tmp_path / "_assets" / "schemas").mkdir(parents=True)
    monkeypatch.setattr(schemas.resources, "files", lambda _: tmp_path)
    assert asset_folder.__wrapped__("schemas") == tmp_path / "_assets" / "schemas"


def test_schema_files_are_written_in_one_form():
    for path in asset_folder("schemas").iterdir():
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2) + "\n", path.name


@pytest.mark.parametrize("kind", KINDS)
def test_no_schema_accepts_an_empty_collection(kind):
    for where, node in walk(schema_of(kind)):
        if "array" in types_of(node):
            assert node.get("minItems", 0) >= 1, where
        if "object" in types_of(node):
            assert node.get("required") or node.get("oneOf") or node.get("minProperties", 0) >= 1, where


def types_of(node: dict) -> list:
    named = node.get("type", [])
    return named if isinstance(named, list) else [named]
