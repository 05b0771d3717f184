"""Cells as data: a line of CSV for each metric, an object of JSON; in as many files as the limit asks for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from medperf_git.leaderboard.cells import Cells
from medperf_git.leaderboard.columns import ABSENT, FACTS, Column
from medperf_git.leaderboard.page import DataFile
from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, Measured

FORMAT = 1
MAX_BYTES = 1_000_000
RESULT_COLUMNS = (
    *("benchmark", "model", "dataset", "metric", "state", "counted", "reason", "marks"),
    *("value", "sd", "n", "n_failed", "n_undefined"),
    *("result", "record", "record_sha256", *FACTS),
)


def render_json(value: Mapping[str, object]) -> bytes:
    """Write an object as JSON, UTF-8, in the order given: a line for each key, and for each item of its lists.

    (The quick encoder of the standard library knows no indentation, and the slow one is too slow for large tables.)
    """
    return ("{\n" + ",\n".join(f" {_text(key)}: {_value(inner)}" for key, inner in value.items()) + "\n}\n").encode()


def _value(value: object) -> str:
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(f"  {_text(item)}" for item in value) + "\n ]"
    if isinstance(value, Mapping) and any(isinstance(inner, list | tuple) and inner for inner in value.values()):
        return "{\n" + ",\n".join(f"  {_text(key)}: {_items(inner)}" for key, inner in value.items()) + "\n }"
    return _text(value)


def _items(value: object) -> str:
    if isinstance(value, list | tuple) and value and not isinstance(value[0], str | int | float):
        return "[\n" + ",\n".join(f"   {_text(item)}" for item in value) + "\n  ]"
    return _text(value)


_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def column_files(table: BenchmarkTable) -> Iterator[DataFile]:
    """Yield the results on one dataset as CSV and JSON; `table` holds this column alone."""
    folder, dataset = f"benchmarks/{table.ref.path}", table.sites[0].ref.folder
    rows = [row for placed in iter_placed(table) for row in iter_lines(table, *placed)]
    yield from csv_files(f"{folder}/results/{dataset}", RESULT_COLUMNS, rows)
    cells = [cell_value(*placed) for placed in iter_placed(table)]
    about = {"format": FORMAT, "benchmark": str(table.ref), "dataset": str(table.sites[0].ref)}
    yield from json_files(f"{folder}/table/{dataset}", about, cells)


def csv_files(base: str, columns: Sequence[str], rows: Sequence[Sequence[CellText]]) -> Iterator[DataFile]:
    """Yield `base.csv`, and `base-0002.csv` and so on where one file would pass the limit."""
    yield from _split(base, ".csv", rows, partial(render_csv, columns))


def json_files(base: str, about: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> Iterator[DataFile]:
    """Yield a JSON file, a cell on each line, and more of them where one would pass the limit."""
    head = _text(about)[:-1]
    lines = [_text(cell) for cell in cells]
    end = "\n]}\n"
    yield from _split(base, ".json", lines, lambda part: (f'{head}, "cells": [\n' + ",\n".join(part) + end).encode())


def _split(base: str, end: str, rows: Sequence[Any], render: Any) -> Iterator[DataFile]:
    whole = render(rows)
    parts = -(-len(whole) // MAX_BYTES)
    pieces = [whole] if parts == 1 or len(rows) < 2 else list(_pieces(rows, render, parts + 1))
    for place, piece in enumerate(pieces, start=1):
        name = base if place == 1 else f"{base}-{place:04d}"
        yield DataFile(name + end, partial(bytes, piece))


def _pieces(rows: Sequence[Any], render: Any, parts: int) -> Iterator[bytes]:
    """Render rows in pieces of the same number, halving one that is still too large."""
    size = max(1, -(-len(rows) // parts))
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        data: bytes = render(piece)
        if len(data) <= MAX_BYTES or len(piece) == 1:
            yield data
        else:
            yield from _pieces(piece, render, 2)


def iter_placed(table: BenchmarkTable) -> Iterator[tuple[Cell, Column | None, int]]:
    """Yield every cell of a table, with the column and the row of its result."""
    if isinstance(table.cells, Cells):
        yield from table.cells.iter_placed()


def iter_lines(table: BenchmarkTable, cell: Cell, column: Column | None, row: int) -> Iterator[Sequence[CellText]]:
    """Yield a cell's line for each metric."""
    origin: tuple[CellText, ...] = (None,) * (3 + len(FACTS))
    if column is not None and row != ABSENT:
        digest = column.digest_of(row).removeprefix("sha256:")
        origin = (
            digest[:12],
            f"{column.folder_of(row)}/{column.numbers_of(row)[-1]:04d}.yaml",
            digest,
            *column.facts_of(row),
        )
    names = str(table.ref), str(cell.model), str(cell.dataset)
    for metric in table.metrics:
        measured = cell.measured(metric.id)
        numbers: tuple[CellText, ...] = (None,) * 5
        if measured:
            numbers = measured.value, measured.sd, measured.n, measured.n_failed, measured.n_undefined
        counted = cell.counts and measured is not None and measured.value is not None
        yield (*names, metric.id, str(cell.state), counted, cell.reason, "; ".join(cell.marks), *numbers, *origin)


def cell_value(cell: Cell, column: Column | None, row: int) -> Mapping[str, Any]:
    """Return a cell as plain values for JSON."""
    there = column is not None and row != ABSENT
    return {
        "model": str(cell.model),
        "dataset": str(cell.dataset),
        "state": str(cell.state),
        "counted": cell.counts,
        "reason": cell.reason or None,
        "marks": list(cell.marks),
        "result": _result(column, row) if column is not None and there else None,
        "superseded": [f"{column.folder_of(row)}/{n:04d}.yaml" for n in column.numbers_of(row)[:-1]]
        if column is not None and there
        else [],
    }


def _result(column: Column, row: int) -> Mapping[str, Any]:
    digest, number = column.digest_of(row), column.numbers_of(row)[-1]
    path = f"{column.folder_of(row)}/{number:04d}"
    values = ((name, column.measured(row, k)) for k, name in enumerate(column.metrics))
    signers, model, metrics, assurance = column.facts_of(row)
    return {
        "id": digest[7:19],
        "path": f"{path}.yaml",
        "digest": digest,
        "page": f"{path}.html",
        "values": {name: _measured(one) for name, one in values if one is not None},
        "signers": signers.split(),
        "images": {"model": model, "metrics": metrics},
        "assurance": assurance,
    }


def _measured(one: Measured) -> Mapping[str, Any]:
    return {"value": one.value, "sd": one.sd, "n": one.n, "n_failed": one.n_failed, "n_undefined": one.n_undefined}
