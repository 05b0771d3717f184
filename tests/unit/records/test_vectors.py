import json
import time
from pathlib import Path

import pytest

from medperf_git.records.digests import digest_of
from medperf_git.records.layout import place_of
from medperf_git.records.record import read_record, write_record
from medperf_git.records.schemas import KINDS

VECTORS = Path(__file__).resolve().parents[3] / "registry_spec" / "vectors"
VALID = sorted(VECTORS.glob("valid/*/*.yaml"))
INVALID = sorted(VECTORS.glob("invalid/*/*.yaml"))


def name_of(path: Path) -> str:
    return "/".join(path.parts[-2:])


def expectation(path: Path) -> dict:
    return json.loads(path.with_suffix(".expect.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", VALID, ids=name_of)
def test_a_valid_vector_is_read_and_written_byte_for_byte(file):
    expected, data = expectation(file), file.read_bytes()
    reading = read_record(expected["path"], data)
    assert reading.findings == ()
    assert reading.stored is not None
    assert reading.stored.digest == digest_of(data) == expected["digest"]
    assert file.parent.name == reading.stored.record.KIND
    assert write_record(reading.stored.record) == data


@pytest.mark.parametrize("file", INVALID, ids=name_of)
def test_an_invalid_vector_is_refused_for_its_reason_and_quickly(file):
    expected, data = expectation(file), file.read_bytes()
    start = time.process_time()
    reading = read_record(expected["path"], data)
    assert time.process_time() - start < 0.5
    assert reading.stored is None
    found = [(finding.rule, finding.pointer, finding.line) for finding in reading.findings]
    assert found == [(expected["rule"], expected["pointer"], expected["line"])]
    assert expected["rule"] == file.parent.name
    assert all(finding.message and finding.fix for finding in reading.findings)


def test_there_are_vectors_of_every_kind_and_each_has_its_expectation():
    assert {file.parent.name for file in VALID} == set(KINDS)
    assert len(INVALID) > 100
    beside = {file.with_suffix(".expect.json") for file in VALID + INVALID}
    assert beside == set(VECTORS.rglob("*.json"))


def test_valid_vectors_lie_at_record_paths():
    assert all(place_of(expectation(file)["path"]) for file in VALID)


def test_the_specification_names_no_machine():
    for file in VECTORS.parent.rglob("*.md"):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("/work", "/tmp", "/home", "/root", "/usr") if word in text], file.name
