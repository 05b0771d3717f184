"""The list of benchmarks as data: `index.json`, and further files of the same shape where it would pass the limit.

Rules kept here: the first file names the others and bears the account of all results; it comes last, so that what it
names is there before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.cell_files import FORMAT, MAX_BYTES, render_json
from medperf_git.leaderboard.exports import SCHEMA, hidden_value
from medperf_git.leaderboard.page import DataFile
from medperf_git.leaderboard.site_data import SiteData

FURTHER = "benchmarks/index-{:04d}.json"  # no member's folder: a name has no dot
_HEAD = 100_000  # bytes that are left for what is no entry of a list

_Entry = tuple[str, Mapping[str, Any]]  # the list it stands in, and what it says


def index_files(site: SiteData) -> Iterator[DataFile]:
    """Yield the further files, then the first."""
    entries: list[_Entry] = [("benchmarks", _benchmark(analysis)) for analysis in site.analyses]
    entries += [("hidden", hidden_value(item)) for item in site.tables.strays]
    first, *others = list(_parts(entries)) or [[]]
    names = [FURTHER.format(number) for number, _ in enumerate(others, start=2)]
    for name, part in zip(names, others, strict=True):
        yield DataFile(name, partial(_index, site, part, root="../"))
    yield DataFile("index.json", partial(_index, site, first, more=names))


def _parts(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Split entries so that each part stays below the limit."""
    part: list[_Entry] = []
    size = 0
    for entry in entries:
        length = len(render_json({"": [entry[1]]}))
        if part and size + length > MAX_BYTES - _HEAD:
            yield part
            part, size = [], 0
        part.append(entry)
        size += length
    if part:
        yield part


def _index(site: SiteData, entries: Sequence[_Entry], *, root: str = "", more: Sequence[str] = ()) -> bytes:
    return render_json(
        {
            "format": FORMAT,
            "$schema": root + SCHEMA.format("index"),
            "made_by": "medperf-git leaderboard",
            "registry": {"id": site.registry_id, "name": site.tables.name, "title": site.tables.title},
            "commit": site.commit,
            "step_time": site.step_time,
            **{name: [value for where, value in entries if where == name] for name in ("benchmarks", "hidden")},
            "results": site.tables.seen,
            **({"more": more} if more else {}),
        }
    )


def _benchmark(analysis: Analysis) -> Mapping[str, Any]:
    table = analysis.table
    return {
        "benchmark": str(table.ref),
        "title": table.title,
        "headline": analysis.headline,
        "page": table.url,
        "table": table.url.replace("index.html", "table.json"),
        "counts": {"results": table.seen, "shown": table.shown, "hidden": len(table.hidden)},
    }
