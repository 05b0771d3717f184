"""A preparator's report: which case is at which stage, and which waits for a person. Hostile until read (T24).

MedPerf's form is a table as YAML: column → case → value, with the columns `status` (a number; a negative one waits for
a person), `status_name`, `comment`, `data_path`, `labels_path`. The same table by rows, or as a list of rows, is read
as well; further columns are passed over. Nothing here raises: what cannot be read is a fault to be shown. The report
holds names of cases and stays at the site.
"""

import math
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.records.foreign import MAX_BYTES, load_foreign_yaml
from medperf_git.records.strict_yaml import Unreadable

_COLUMNS = ("status", "status_name", "comment", "data_path", "labels_path")
_NAMES = ("case", "id", "index", "subject", "subject_id", "name")
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
_MOST_CASES, _MOST_TEXT, _MOST_OTHER = 200_000, 500, 20
_DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCase:
    """One case: its number and name of the stage, what the preparator says, where its files lie for the container."""

    case: str
    status: float | None = None
    stage: str = ""
    comment: str = ""
    data_path: str = ""
    labels_path: str = ""

    @property
    def waits(self) -> bool:
        """Whether a person must do something."""
        return self.status is not None and self.status < 0


@dataclass(frozen=True, slots=True)
class Stage:
    """How many cases are at one stage; `percent` of all, to one decimal."""

    status: float | None
    stage: str
    cases: int
    percent: float
    waits: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says; `other` are lines of one that is no table, `fault` is why it could not be read."""

    cases: tuple[ReportCase, ...] = ()
    other: tuple[str, ...] = ()
    fault: str = ""

    @property
    def waiting(self) -> tuple[ReportCase, ...]:
        """The cases that wait for a person."""
        return tuple(case for case in self.cases if case.waits)

    @property
    def done(self) -> int:
        """How many cases are finished, where the preparator names that stage DONE as MedPerf's do."""
        return sum(case.stage.casefold() == _DONE for case in self.cases)

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages with at least one case, in the order of their numbers without the sign."""
        counts = Counter((case.status, case.stage) for case in self.cases)

        def order(key: tuple[float | None, str]) -> tuple[float, float, str]:
            status, stage = key
            return (math.inf, 0, stage) if status is None else (abs(status), status, stage)

        return tuple(
            Stage(status, stage, count, round(100 * count / len(self.cases), 1), status is not None and status < 0)
            for (status, stage), count in sorted(counts.items(), key=lambda item: order(item[0]))
        )


def read_report(path: Path) -> Report | None:
    """Read a report file that a container may be writing; None where there is none yet."""
    try:
        handle = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Report(fault=f"it cannot be opened: {error.strerror}")
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return Report(fault="it is no regular file")
        data = _read_all(handle, MAX_BYTES + 1)
    except OSError as error:
        return Report(fault=f"it cannot be read: {error.strerror}")
    finally:
        os.close(handle)
    return parse_report(data) if data.strip() else None


def parse_report(data: bytes) -> Report:
    """Return what a report's bytes say."""
    try:
        value = load_foreign_yaml(data)
    except Unreadable as error:
        return Report(fault=str(error))
    rows = _rows(value)
    if rows is None:
        return Report(other=tuple(_other(value)))
    cases: list[ReportCase] = []
    for case, row in rows:
        if len(cases) == _MOST_CASES:
            return Report(tuple(cases), fault=f"it has more than {_MOST_CASES} cases; the others are not shown")
        cases.append(_case(case, row))
    return Report(tuple(cases))


def placed(path: str, mounts: Mapping[str, Path], *, within: Path | None) -> Path | None:
    """Return where a path that a container wrote lies here: below a mount, else below `within`; None for no place.

    `mounts` maps a path inside to a path here. The path is put together, never looked at, and cannot lead outside.
    """
    if not path or "\0" in path or ".." in path.split("/"):
        return None
    for inside, here in sorted(mounts.items(), reverse=True):
        if path == inside or path.startswith(inside.rstrip("/") + "/"):
            return here / path[len(inside) :].lstrip("/")
    if path.startswith("/") or within is None:
        return None
    return within / path


def _read_all(handle: int, most: int) -> bytes:
    pieces: list[bytes] = []
    while most > 0 and (piece := os.read(handle, min(most, 1 << 20))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _rows(value: Any) -> "Iterator[tuple[object, Mapping[Any, Any]]] | None":
    """Yield (case, row) of a table in any of its three forms; None when it is no table."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return ((_named(row, number), row) for number, row in enumerate(value))
    if not isinstance(value, dict):
        return None
    columns = {name: value[name] for name in _COLUMNS if isinstance(value.get(name), dict | list)}
    if "status" in columns or "status_name" in columns:
        return _by_columns({name: _as_column(column) for name, column in columns.items()})
    if value and all(isinstance(row, dict) and ("status" in row or "status_name" in row) for row in value.values()):
        return iter(value.items())
    return None


def _by_columns(columns: Mapping[str, Mapping[Any, Any]]) -> Iterator[tuple[object, Mapping[Any, Any]]]:
    for case in dict.fromkeys(case for column in columns.values() for case in column):
        yield case, {name: column.get(case) for name, column in columns.items()}


def _as_column(column: Any) -> Mapping[Any, Any]:
    return column if isinstance(column, dict) else dict(enumerate(column))


def _named(row: Mapping[Any, Any], number: int) -> object:
    return next((row[name] for name in _NAMES if isinstance(row.get(name), str | int)), number)


def _case(case: object, row: Mapping[Any, Any]) -> ReportCase:
    return ReportCase(
        case=_text(case),
        status=_number(row.get("status")),
        stage=_text(row.get("status_name")),
        comment=_text(row.get("comment")),
        data_path=_path(row.get("data_path")),
        labels_path=_path(row.get("labels_path")),
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """Return a scalar as one line of bounded length; nothing for what is absent, or no scalar."""
    if value is None or isinstance(value, dict | list) or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value) if not isinstance(value, str) else value
    return " ".join(text[: 4 * _MOST_TEXT].split())[:_MOST_TEXT]


def _path(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 else ""


def _other(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield "it is no table of cases"
        return
    for key, inner in list(value.items())[:_MOST_OTHER]:
        if not isinstance(inner, dict | list):
            yield f"{_text(key)}: {_text(inner)}"
