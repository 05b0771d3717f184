"""Every result of a registry is shown or hidden with a reason, whatever lies in it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.errors import IntegrityBroken
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.tables import CellState, RegistryTables
from medperf_git.records.names import Ref
from medperf_git.records.view import MemoryView
from tests.support import leaderboard_registry as lr

LOGIT, NEAR, FOREST, LATE = (Ref("ben", name, 1) for name in ("logit", "near", "forest", "late"))
NORTH, RIVER, SUMMIT = (Ref(name, "tumours", 1) for name in ("north", "river", "summit"))


def table_of(registry):
    (table,) = read_tables(registry.view()).benchmarks
    return table


def test_each_state_of_a_cell_is_told_apart():
    cells = table_of(lr.demo()).cells
    assert cells[LOGIT, NORTH].state is CellState.COMPLETE
    assert cells[Ref("ana", "one-feature", 1), RIVER].state is CellState.PARTIAL
    assert cells[NEAR, SUMMIT].state is CellState.FAILED
    assert cells[NEAR, SUMMIT].reason == "it needed more memory than it was given"
    assert cells[LATE, RIVER].state is CellState.MISSING
    assert cells[LATE, NORTH].state is CellState.DISPUTED
    assert cells[LATE, NORTH].reason == "ana: implausible"


def test_the_counts_of_the_demo_add_up():
    tables = read_tables(lr.demo().view())
    (table,) = tables.benchmarks
    assert (table.seen, table.shown, len(table.hidden)) == (14, 13, 1)
    assert tables.seen == 14


def test_a_superseded_result_is_hidden_and_names_its_successor():
    table = table_of(lr.demo())
    cell = table.cells[FOREST, RIVER]
    assert cell.result.number == 2
    assert [entry.number for entry in cell.earlier] == [1]
    assert table.hidden[0].reason == f"superseded by {cell.result.source.id}"


def test_a_withdrawn_result_keeps_its_place_and_counts_nowhere():
    registry = lr.demo()
    path = "results/ana/breast/1/north.tumours.1/ben.logit.1/0001.yaml"
    registry.notice(path, "withdraw", by="north", side="owner", reason="data-problem")
    cell = table_of(registry).cells[LOGIT, NORTH]
    assert (cell.state, cell.counts, cell.reason) == (CellState.WITHDRAWN, False, "north: data problem")
    registry.notice(path, "reinstate", by="north", side="owner", reason="resolved")
    assert table_of(registry).cells[LOGIT, NORTH].counts


def test_a_resolved_dispute_counts_again():
    registry = lr.demo()
    path = "results/ana/breast/1/north.tumours.1/ben.late.1/0001.yaml"
    registry.notice(path, "resolve", by="ana", side="committee", reason="resolved")
    assert table_of(registry).cells[LATE, NORTH].counts


def test_a_withdrawn_dataset_keeps_its_results_marked():
    registry = lr.demo()
    registry.notice("datasets/north/tumours/1.yaml", "withdraw", by="north", side="owner", reason="consent-withdrawn")
    cell = table_of(registry).cells[LOGIT, NORTH]
    assert cell.counts
    assert cell.marks == ("dataset withdrawn",)


def test_who_waits_for_a_decision_is_listed_and_is_no_row():
    registry = lr.demo()
    registry.site("coast", cases=30, approved=False)
    table = table_of(registry)
    assert table.waiting == ("coast/tumours@1",)
    assert Ref("coast", "tumours", 1) not in {site.ref for site in table.sites}


def test_the_reference_model_is_a_row_without_any_association():
    assert Ref("ana", "one-feature", 1) in {model.ref for model in table_of(lr.Registry()).models}


def test_provenance_holds_record_digest_bundle_signer_and_images():
    registry = lr.demo()
    entry = table_of(registry).cells[LOGIT, NORTH].result
    (signature,) = entry.source.signatures
    assert entry.source.path == "results/ana/breast/1/north.tumours.1/ben.logit.1/0001.yaml"
    assert entry.source.id == entry.source.digest[7:19]
    assert signature.signer == "north"
    assert signature.key == lr.fingerprint("north")
    assert signature.public_key == lr.key_of("north")
    assert entry.images == {"model": lr.sha("logit"), "metrics": lr.sha("scores")}
    assert all(reference.digest == reference.now for reference in entry.references)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"dsseEnvelope":{"payload":"!","signatures":[]}}', b"\xff", b'"x"', b"[" * 100_000]
)
def test_a_bundle_that_cannot_be_read_shows_only_its_path(data):
    registry = lr.demo()
    path = next(path for path in registry.files if path.endswith(".sigstore.json") and path.startswith("results/"))
    registry.files[path] = data
    entries = [cell.result for cell in table_of(registry).cells.values() if cell.result]
    (broken,) = [s for entry in entries for s in entry.source.signatures if s.path == path]
    assert (broken.signer, broken.key) == ("", "")


def test_a_signer_that_is_no_name_finds_no_key():
    registry = lr.demo()
    path = next(path for path in registry.files if path.endswith(".sigstore.json") and path.startswith("results/"))
    registry.files[path] = lr.bundle("x", b"x", "../north")
    entries = [cell.result for cell in table_of(registry).cells.values() if cell.result]
    (claimed,) = [s for entry in entries for s in entry.source.signatures if s.path == path]
    assert (claimed.signer, claimed.public_key) == ("../north", "")


def test_results_of_an_unreadable_benchmark_are_strays_with_the_reason():
    registry = lr.demo()
    registry.files["benchmarks/ana/breast/1/benchmark.yaml"] = b"kind: benchmark\n"
    tables = read_tables(registry.view())
    assert tables.benchmarks == ()
    assert {stray.reason for stray in tables.strays} == {"the benchmark ana/breast@1 cannot be read"}
    assert len(tables.strays) == tables.seen == 14


def test_a_registry_without_anything_is_an_empty_site():
    tables = read_tables(MemoryView({}))
    assert (tables.benchmarks, tables.seen) == ((), 0)


def test_counts_that_do_not_add_up_are_an_error():
    with pytest.raises(IntegrityBroken):
        RegistryTables("n", "t", (), {}, (), (), 1)


BASE = lr.demo().files
PATHS = sorted(path for path in BASE if path.startswith(("results/", "notices/", "benchmarks/", "datasets/")))
STRANGE = (
    "results/ana/breast/1/north.tumours.1/ben.logit.1/0009.yaml",
    "results/ana/breast/1/north.tumours.1/ben.logit.1/readme.yaml",
    "results/ana/other/1/north.tumours.1/ben.logit.1/0001.yaml",
    "results/stray.yaml",
    "results/ana/breast/1/no-ref/ben.logit.1/0001.yaml",
    "associations/ana/breast/1/cubes/strange/0001.yaml",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gone=st.sets(st.sampled_from(PATHS), max_size=6),
    broken=st.dictionaries(st.sampled_from(PATHS), st.sampled_from([b"", b"kind: result\n", b"\xff\xfe"]), max_size=4),
    strange=st.sets(st.sampled_from(STRANGE)),
)
def test_every_result_is_shown_or_hidden_whatever_is_missing_or_broken(gone, broken, strange):
    files = {path: data for path, data in BASE.items() if path not in gone} | broken
    files |= dict.fromkeys(strange, b"kind: result\n")
    tables = read_tables(MemoryView(files))
    there = {path for path in files if path.startswith("results/") and path.endswith(".yaml")}
    shown = {c.result.source.path for t in tables.benchmarks for c in t.cells.values() if c.result}
    hidden = [item.path for t in tables.benchmarks for item in t.hidden] + [stray.path for stray in tables.strays]
    assert len(hidden) == len(set(hidden))
    assert shown.isdisjoint(hidden)
    assert shown | set(hidden) == there
    assert all(item.reason for t in tables.benchmarks for item in (*t.hidden, *tables.strays))


def test_the_bundle_of_the_builder_is_the_one_of_the_design():
    bundle = json.loads(lr.bundle("p", b"d", "north"))
    assert set(bundle["dsseEnvelope"]) == {"payload", "signatures"}
