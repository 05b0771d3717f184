"""A view of a registry → its tables.

Rules kept here: every `.yaml` below `results/` is counted once, as a cell or as hidden with a reason; the last
link of a chain is the cell, the links before it are superseded; what is withdrawn or disputed keeps its place,
marked, and counts in no ranking. Nothing is verified here: `sync` has judged the commit.
"""

from collections.abc import Iterable, Iterator, Mapping

from medperf_git.leaderboard.columns import Column
from medperf_git.leaderboard.frames import Frame, iter_result_files, ref_of
from medperf_git.leaderboard.results import REASONS, ResultReader, fingerprint_of
from medperf_git.leaderboard.tables import BenchmarkTable, Hidden, RegistryTables, Source
from medperf_git.records import folds, layout
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, iter_versions

__all__ = ["REASONS", "benchmark_of", "count_results", "fingerprint_of", "read_benchmark", "read_tables", "source_of"]


def read_tables(view: RecordView) -> RegistryTables:
    """Read everything a site shows; a broken record hides what rests on it, with the reason."""
    frames = iter_frames(view)
    return tables_of(view, {frame: read_columns(frame) for frame in frames})


def iter_frames(view: RecordView) -> Iterator[Frame]:
    """Yield every benchmark that can be read, in order."""
    for ref in iter_versions(view, "benchmarks"):
        if (frame := Frame.of(view, ref)) is not None:
            yield frame


def read_columns(frame: Frame, known: Mapping[str, Column] | None = None) -> dict[Ref, Column]:
    """Read every column of a benchmark but those that are `known`, by their folders, to hold what a reader finds."""
    there = known or {}
    return {
        ref: there[folder] if folder in there and there[folder].metrics == frame.metrics else frame.read_column(folder)
        for ref, folder in frame.iter_folders()
    }


def tables_of(view: RecordView, columns: Mapping[Frame, Mapping[Ref, Column]]) -> RegistryTables:
    """Put together what was read of each benchmark."""
    registry = folds.registry_state(view)
    strays = [Hidden(path, _why_stray(view, path)) for path in _iter_strays(view, columns)]
    tables = tuple(frame.table(there) for frame, there in columns.items())
    return RegistryTables(
        name=registry.name if registry else "",
        title=registry.title if registry else "A registry without a readable record",
        maintainers=tuple(registry.maintainers) if registry else (),
        members={name: _member_title(view, name) for name in folds.members(view)},
        benchmarks=tables,
        strays=tuple(sorted(strays, key=lambda stray: stray.path)),
        seen=sum(table.seen for table in tables) + len(strays),
    )


def read_benchmark(
    view: RecordView, ref: Ref, *, brief: bool = True, known: Mapping[str, Column] | None = None
) -> BenchmarkTable | None:
    """Read one benchmark as its page counts it, in brief without signatures and references; None when it is unreadable.

    Nothing of other benchmarks is read; `known` columns are not read again.
    """
    frame = Frame.of(view, ref, brief=brief)
    return frame.table(read_columns(frame, known)) if frame is not None else None


def count_results(view: RecordView, ref: Ref) -> int:
    """Count the result records of a benchmark, by the names of files alone."""
    return sum(1 for _ in iter_result_files(view, f"results/{ref.path}"))


def source_of(view: RecordView, stored: Stored, *, brief: bool = False) -> Source:
    """Gather a record's path, digest and the signatures beside it (without those in brief)."""
    return ResultReader(view, brief=brief).source(stored)


def benchmark_of(path: str) -> Ref | None:
    """Return the benchmark in whose folder a result lies; None where no result may lie."""
    if layout.place_of(path) is None:
        return None
    member, name, version = path.split("/")[1:4]
    return Ref(member, name, int(version))


def _iter_strays(view: RecordView, columns: Mapping[Frame, Mapping[Ref, Column]]) -> Iterator[str]:
    """Yield every result that lies in no column, and those in a column where no result may lie."""
    readable = {f"results/{frame.ref.path}" for frame in columns}
    yield from _outside(view, "results", readable)
    for there in columns.values():
        for column in there.values():
            yield from column.strays


def _outside(view: RecordView, folder: str, readable: Iterable[str]) -> Iterator[str]:
    """Yield every `.yaml` below a folder of `results/`, but not what lies in a column of a readable benchmark."""
    for name in view.names(folder):
        path = f"{folder}/{name}"
        if not name.endswith("/"):
            yield from (path,) if name.endswith(".yaml") else ()
        elif folder in readable:
            yield from () if ref_of(name[:-1]) else iter_result_files(view, path[:-1])
        else:
            yield from _outside(view, path[:-1], readable)


def _why_stray(view: RecordView, path: str) -> str:
    benchmark = benchmark_of(path)
    if benchmark is None:
        return "this is no path of a result"
    there = view.blob(layout.benchmark_path(benchmark)) is not None
    return f"the benchmark {benchmark} {'cannot be read' if there else 'does not exist'}"


def _member_title(view: RecordView, name: str) -> str:
    member = folds.member_state(view, name)
    return member.title if member else name
