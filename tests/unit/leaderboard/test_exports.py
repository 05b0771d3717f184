"""The tables as data: of the published shape, no file over 1 MB, and every line safe in a spreadsheet."""

import csv
import io
import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry

from medperf_git.leaderboard import cell_files, exports
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.build import build_site
from medperf_git.leaderboard.index_files import index_files
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.tables import CellState, Hidden
from medperf_git.records.names import Ref
from tests.support import leaderboard_registry as lr

FOLDER = "benchmarks/ana/breast/1/"


def site_of(registry):
    return build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)


def faults(files, name, schema):
    validator = Draft202012Validator(json.loads(files[f"schemas/leaderboard-{schema}.1.json"]), registry=Registry())
    return [error.message for error in validator.iter_errors(json.loads(files[name]))]


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("registry", [lr.demo(), lr.wide(3, 6), lr.Registry()], ids=["demo", "wide", "empty"])
def test_every_json_file_has_the_shape_that_is_published_beside_it(registry):
    files = site_of(registry)
    assert faults(files, "index.json", "index") == []
    assert faults(files, FOLDER + "table.json", "table") == []
    assert faults(files, FOLDER + "firm.json", "firm") == []
    shards = [name for name in files if name.startswith(FOLDER + "table/")]
    assert all(faults(files, name, "cells") == [] for name in shards)
    assert len(shards) == len(json.loads(files[FOLDER + "table.json"])["shards"])


def test_the_schemas_are_schemas_and_know_every_state():
    for name in ("table", "cells", "index", "firm"):
        Draft202012Validator.check_schema(json.loads(site_of(lr.Registry())[f"schemas/leaderboard-{name}.1.json"]))
    cells = json.loads(site_of(lr.Registry())["schemas/leaderboard-cells.1.json"])
    assert cells["$defs"]["cell"]["properties"]["state"]["enum"] == [str(state) for state in CellState]


def test_a_list_of_very_many_benchmarks_goes_on_in_further_files_of_the_same_shape():
    registry = lr.demo()
    tables = read_tables(registry.view())
    one, strays = tables.benchmarks[0], tuple(Hidden(f"results/x/{number}.yaml", "why") for number in range(9000))
    benchmarks = tuple(replace(one, ref=Ref("ana", "breast", version)) for version in range(1, 3001))
    many = replace(tables, benchmarks=benchmarks, strays=strays, seen=3000 * one.seen + 9000)
    analysis = analyse(one)
    analyses = tuple(replace(analysis, table=table) for table in benchmarks)
    files = {
        file.url: file.content()
        for file in index_files(SiteData(registry.view(), many, analyses, lr.COMMIT, lr.REGISTRY_ID, lr.STEP_TIME))
    }
    *further, last = files
    assert last == "index.json"
    assert len(further) > 1
    names = [f"benchmarks/index-{number:04d}.json" for number in range(2, len(further) + 2)]
    assert json.loads(files[last])["more"] == further == names
    assert max(map(len, files.values())) <= 1_000_000
    there = site_of(registry)
    assert all(faults({**there, **files}, name, "index") == [] for name in files)
    parts = [json.loads(files[name]) for name in (last, *further)]
    assert [entry["benchmark"] for part in parts for entry in part["benchmarks"]] == [
        str(one.ref) for one in benchmarks
    ]
    assert [entry["path"] for part in parts for entry in part["hidden"]] == [stray.path for stray in strays]
    assert {part["results"] for part in parts} == {many.seen}


def test_shards_and_the_whole_table_say_the_same():
    files = site_of(lr.demo())
    whole = [row for row in rows_of(files[FOLDER + "results.csv"]) if row["record"]]
    shards = [row for name in sorted(files) if name.startswith(FOLDER + "results/") for row in rows_of(files[name])]
    order = lambda row: (row["dataset"], row["model"], row["metric"])  # noqa: E731
    assert sorted(whole, key=order) == sorted(shards, key=order)
    table = json.loads(files[FOLDER + "table.json"])
    there = [cell for cell in table["cells"] if cell["result"]]
    parts = [c for one in table["shards"] for name in one["json"] for c in json.loads(files[FOLDER + name])["cells"]]
    assert sorted(there, key=str) == sorted(parts, key=str)


def test_the_wide_table_holds_counted_values_by_model_and_site():
    rows = {row["model"]: row for row in rows_of(site_of(lr.demo())[FOLDER + "wide/auroc.csv"])}
    assert rows["ben/logit@1"] == {
        "model": "ben/logit@1",
        "north/tumours@1": "0.981",
        "river/tumours@1": "0.974",
        "summit/tumours@1": "0.992",
    }
    assert rows["ben/near@1"]["summit/tumours@1"] == ""  # failed
    assert rows["ben/late@1"]["north/tumours@1"] == ""  # disputed


def test_hidden_results_stand_in_a_file_of_their_own():
    (row,) = rows_of(site_of(lr.demo())[FOLDER + "hidden.csv"])
    assert row["record"].endswith("river.tumours.1/ben.forest.1/0001.yaml")
    assert row["reason"].startswith("superseded by ")


def test_a_table_too_large_for_one_file_lies_in_shards_that_small_files_name(monkeypatch):
    monkeypatch.setattr(exports, "WHOLE", 10)
    monkeypatch.setattr(cell_files, "MAX_BYTES", 3000)
    files = site_of(lr.wide(6, 5))
    table = json.loads(files[FOLDER + "table.json"])
    assert table["cells"] is None
    assert faults(files, FOLDER + "table.json", "table") == []
    listed = rows_of(files[FOLDER + "results.csv"])
    assert [row["shard"] for row in listed] == [name for one in table["shards"] for name in one["csv"]]
    rows = [row for line in listed for row in rows_of(files[FOLDER + line["shard"]])]
    assert len(rows) == 6 * 5 * 3
    shards = [name for name in files if name.startswith((FOLDER + "results/", FOLDER + "table/", FOLDER + "wide/"))]
    assert any(name.endswith("-0002.csv") for name in shards)
    assert max(len(files[name]) for name in shards) <= 3000


def test_a_row_larger_than_the_limit_stands_alone_rather_than_nowhere(monkeypatch):
    monkeypatch.setattr(cell_files, "MAX_BYTES", 10)
    pieces = list(cell_files.csv_files("x", ("a",), [("1" * 30,), ("2",), ("3",)]))
    assert [one.url for one in pieces] == ["x.csv", "x-0002.csv", "x-0003.csv"]
    assert b"".join(one.content() for one in pieces).count(b"a\n") == 3
