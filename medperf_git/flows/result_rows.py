"""One line about every result, for listings.

A line follows from the results of one dataset, the notices about them, their owner's member record and what is
quarantined: while those trees stay as they are, the line that was made before is the line.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from medperf_git.flows.kept_rows import Cells, KeptRows
from medperf_git.flows.workspace import Workspace, registry_folder
from medperf_git.records import layout
from medperf_git.records.digests import Digest, short
from medperf_git.records.folds import Marks, marks_of, member_state
from medperf_git.records.models import Result
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, folders, iter_versions, stored_at
from medperf_git.registry.folder_ids import FolderIds

COLUMNS = ("result", "benchmark", "dataset", "model", "outcome", "state", "cases", "values", "finished", "path")


def list_results(workspace: Workspace, benchmark: Ref | None = None) -> list[dict[str, str]]:
    """Return what `result_rows` does of the verified records, reading only what changed since the last time."""
    view = workspace.view
    kept = KeptRows.load(registry_folder(workspace.context.home, workspace.alias) / "result-rows", code=Path(__file__))
    ids = FolderIds(workspace.store, view.tree)
    cells: list[Cells] = []
    for one, dataset in _datasets(view, benchmark):
        folder = f"results/{one.path}/{dataset.folder}"
        key = _key(ids, folder, dataset)
        known = kept.find(folder, key)
        if known is None:
            known = _cells_of(view, one, dataset)
            if not _has_revoked(view, dataset):  # else its lines follow from earlier steps too
                kept.keep(folder, key, known)
        cells += known
    kept.save()
    return _rows(cells)


def result_rows(view: RecordView, benchmark: Ref | None = None) -> list[dict[str, str]]:
    """Return one line for each result, superseded ones too."""
    return _rows(cells for one, dataset in _datasets(view, benchmark) for cells in _cells_of(view, one, dataset))


def path_called(workspace: Workspace, text: str) -> str:
    """Return the path of the one result whose digest starts with `text`; `text` itself when there is no such one."""
    if layout.place_of(text) is not None or len(text) < 4:
        return text
    paths = [row["path"] for row in list_results(workspace) if row["result"].startswith(text[:12])]
    return paths[0] if len(paths) == 1 else text


def _rows(cells: Iterable[Cells]) -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells]


def _key(ids: FolderIds, folder: str, dataset: Ref) -> str:
    """Return the ids of all folders that the lines about one dataset's results follow from."""
    sources = (folder, f"notices/{folder}", f"members/{dataset.member}", layout.QUARANTINE)
    return " ".join(ids.of(source).hex() for source in sources)


def _datasets(view: RecordView, benchmark: Ref | None) -> Iterator[tuple[Ref, Ref]]:
    """Yield every (benchmark, dataset) that has a folder of results, in order."""
    for one in [benchmark] if benchmark else iter_versions(view, "benchmarks"):
        for dataset in _refs_below(view, f"results/{one.path}"):
            yield one, dataset


def _refs_below(view: RecordView, folder: str) -> Iterator[Ref]:
    """Yield what the names of folders refer to; a name that is none is `check`'s to report."""
    for name in folders(view, folder):
        with suppress(ValueError):
            yield Ref.from_folder(name)


def _cells_of(view: RecordView, benchmark: Ref, dataset: Ref) -> list[Cells]:
    """Return the lines about the results on one dataset, oldest first within a chain."""
    top = f"results/{benchmark.path}/{dataset.folder}"
    unmarked = not view.names(f"notices/{top}") and not _has_revoked(view, dataset)
    cells = []
    for model in _refs_below(view, top):
        chain = list(_results_in(view, f"{top}/{model.folder}"))
        for stored, result in chain:
            marks = Marks() if unmarked else marks_of(view, stored.path)
            cells.append(_cells(stored.path, stored.digest, result, _state(marks, newest=stored is chain[-1][0])))
    return cells


def _results_in(view: RecordView, folder: str) -> Iterator[tuple[Stored, Result]]:
    for name in view.names(folder):
        stored = stored_at(view, f"{folder}/{name}") if name.endswith(".yaml") else None
        if stored is not None and isinstance(stored.record, Result):
            yield stored, stored.record


def _has_revoked(view: RecordView, dataset: Ref) -> bool:
    """Tell whether the owner of a dataset ever revoked a key, which may make results suspect."""
    owner = member_state(view, dataset.member)
    return owner is not None and bool(owner.revoked)


def _state(marks: Marks, *, newest: bool) -> str:
    if marks.withdrawn:
        return "withdrawn"
    if marks.disputed:
        return "disputed"
    return "live" if newest else "superseded"


def _cells(path: str, digest: Digest, result: Result, state: str) -> Cells:
    """Return the texts of one line, by `COLUMNS`."""
    values = {key: str(inner.value) for key, inner in (result.values or {}).items() if inner.value is not None}
    return [
        short(digest),
        str(result.benchmark.ref),
        str(result.dataset.ref),
        str(result.model.ref),
        result.outcome if result.reason is None else f"{result.outcome}: {result.reason}",
        state,
        str(result.cases),
        ", ".join(f"{key} {value}" for key, value in values.items()),
        result.finished,
        path,
    ]
