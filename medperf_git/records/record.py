"""Bytes ↔ one record: read strictly, checked against its schema, its path and its canonical form."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache

from medperf_git.records.canonical import Emitter
from medperf_git.records.convert import record_from_value, value_of
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.entries import accept
from medperf_git.records.findings import Finding
from medperf_git.records.layout import CHAINS, Kind, Place, expected_folder, place_of
from medperf_git.records.models import Record
from medperf_git.records.schemas import SPEC, check_shape, schema_of
from medperf_git.records.selfcheck import check_itself
from medperf_git.records.strict_yaml import (
    MAX_BYTES,
    MAX_COMPARISON_BYTES,
    MAX_COMPARISON_NODES,
    MAX_NODES,
    Document,
    Unreadable,
    Value,
    parse_yaml,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it lies in a registry."""

    place: Place
    record: Record
    digest: Digest

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.place.path


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a file: the record if there is one, and all that is wrong with it."""

    stored: Stored | None
    findings: tuple[Finding, ...]


def write_record(record: Record) -> bytes:
    """Return the canonical bytes of a record."""
    return write_value(record.KIND, value_of(record))


def write_value(kind: Kind, value: dict[str, Value]) -> bytes:
    """Return the canonical bytes of a record given as plain values."""
    return _emitter(kind).emit(value)


@cache
def _emitter(kind: Kind) -> Emitter:
    return Emitter(schema_of(kind))


def read_record(path: str, data: bytes) -> Reading:
    """Read the record file at `path`; every fault is a finding, nothing is raised."""
    match path.partition("/")[0]:
        case "comparisons":
            return _read_large(path, data)
        case "results":
            return _read_many(path, data)
    return _read_known(path, data)


def _read(path: str, data: bytes) -> Reading:
    place = place_of(path)
    if place is None:
        return _refused(Finding("layout", "this is no path of a record", path=path, fix="see registry_spec/layout.md"))
    if (record := _accepted(place, data)) is not None:
        return Reading(Stored(place, record, digest_of(data)), ())
    return _read_carefully(place, data)


_read_known = lru_cache(maxsize=4096)(_read)
_read_many = lru_cache(maxsize=512)(_read)  # of a million results few are read twice
_read_large = lru_cache(maxsize=64)(_read)  # a comparison may hold thousands of numbers


def check_record(path: str, data: bytes) -> tuple[Finding, ...]:
    """Return what is wrong with the record file at `path`, as `read_record` does; one without fault is not kept."""
    place = place_of(path)
    if place is not None and _accepted(place, data) is not None:
        return ()
    return read_record(path, data).findings


def _accepted(place: Place, data: bytes) -> Record | None:
    """Return a record without fault, the quick way; None when only the careful way can tell."""
    max_bytes, max_nodes = _bounds(place.kind)
    found = accept(data, place.kind, max_bytes=max_bytes, max_nodes=max_nodes)
    return None if found is None or _check_identity(Document(found.value), place) else found.record


def _read_carefully(place: Place, data: bytes) -> Reading:
    path = place.path
    try:
        document = parse_document(data, place.kind)
    except Unreadable as error:
        return _refused(error.finding.at(path))
    findings = check_document(document, place.kind)
    if not findings:
        findings = _check_identity(document, place) + _check_canonical(document, place, data)
    if findings:
        return Reading(None, tuple(replace(finding, path=path) for finding in findings))
    return Reading(Stored(place, record_from_value(place.kind, document.value), digest_of(data)), ())


def parse_document(data: bytes, kind: Kind) -> Document:
    """Read the text of a record of a kind, within the bounds of that kind; raise `Unreadable` as `parse_yaml`."""
    max_bytes, max_nodes = _bounds(kind)
    return parse_yaml(data, max_bytes=max_bytes, max_nodes=max_nodes)


def _bounds(kind: Kind) -> tuple[int, int]:
    """Return the most bytes and nodes of a record."""
    return (MAX_COMPARISON_BYTES, MAX_COMPARISON_NODES) if kind is Kind.COMPARISON else (MAX_BYTES, MAX_NODES)


def check_document(document: Document, kind: Kind) -> list[Finding]:
    """Return what is wrong with a document as a record of `kind`: kind, schema version, shape, then its own sense."""
    value = document.value
    if value.get("kind") != str(kind):
        expected = f"kind: {kind}"
        line, got = document.line_of("/kind"), _shown(value.get("kind"))
        fix = f"write `{expected}`"
        return [Finding("kind", "wrong kind", pointer="/kind", line=line, expected=expected, got=got, fix=fix)]
    if value.get("spec") != SPEC:
        got = _shown(value.get("spec"))
        line, message = document.line_of("/spec"), f"schema version {got} is not known to this client"
        fix = "use a newer medperf-git that knows it" if "spec" in value else f"write `spec: {SPEC}`"
        return [Finding("spec", message, pointer="/spec", line=line, expected=f"spec: {SPEC}", got=got, fix=fix)]
    return check_shape(document, kind) or check_itself(document, kind)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)[:120]


def _refused(finding: Finding) -> Reading:
    return Reading(None, (finding,))


def _check_identity(document: Document, place: Place) -> list[Finding]:
    value = document.value
    findings = []
    expected = expected_folder(place.kind, value)  # raises nothing: `check_itself` has read every name in it
    if expected != (place.folder if place.kind in CHAINS else place.path):
        message = "the record's own words belong at another path"
        fix = "move the file, or correct its fields"
        findings.append(Finding("path", message, expected=expected, got=place.path, fix=fix))
    if place.number == 1 and "previous" in value:  # what a later one says there is judged beside its chain
        fix = "the first of a chain has no `previous`"
        message, line, got = "`previous` does not fit the number", document.line_of("/previous"), f"{place.number:04d}"
        findings.append(Finding("chain", message, pointer="/previous", line=line, got=got, fix=fix))
    return findings


def _check_canonical(document: Document, place: Place, data: bytes) -> list[Finding]:
    canonical = write_value(place.kind, document.value)  # raises nothing: schemas allow no empty collection
    if canonical == data:
        return []
    pairs = zip(canonical.split(b"\n"), data.split(b"\n"), strict=False)
    line, expected, got = next(
        ((n, a, b) for n, (a, b) in enumerate(pairs, start=1) if a != b),
        (min(canonical.count(b"\n"), data.count(b"\n")) + 1, b"", b""),
    )
    return [
        Finding(
            "canonical",
            "the file is not in canonical form",
            line=line,
            expected=expected.decode("utf-8", "replace")[:120],
            got=got.decode("utf-8", "replace")[:120],
            fix="run `medperf-git fmt` on it",
        )
    ]
