"""A tree of records as readers see it, wherever it lies: Git objects, memory, a tree with additions."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol, TypeVar

from medperf_git.records import layout, models
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored, read_record

R = TypeVar("R", bound=models.Record)


class RecordView(Protocol):
    """What every reader of records needs of a tree."""

    def blob(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none."""
        ...

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the sorted entry names of a folder, sub-folders ending in `/`; `""` is the root; () if absent.

        A file that counts as absent (quarantined) is listed and has no bytes, so that its number stays used.
        """
        ...

    def earlier(self, commit: str) -> "RecordView | None":
        """Return the records as an earlier step of main left them, None where that step is not known here."""
        ...


class MemoryView:
    """A `RecordView` over files in memory."""

    def __init__(self, files: Mapping[str, bytes], steps: "Mapping[str, RecordView] | None" = None) -> None:
        self._files = dict(files)
        self._steps = dict(steps or {})

    def blob(self, path: str) -> bytes | None:
        """See `RecordView.blob`."""
        return self._files.get(path)

    def names(self, folder: str) -> tuple[str, ...]:
        """See `RecordView.names`."""
        start = f"{folder}/" if folder else ""
        found = set()
        for path in self._files:
            if path.startswith(start):
                head, slash, _ = path[len(start) :].partition("/")
                found.add(head + slash)
        return tuple(sorted(found))

    def earlier(self, commit: str) -> "RecordView | None":
        """See `RecordView.earlier`."""
        return self._steps.get(commit)


def stored_at(view: RecordView, path: str) -> Stored | None:
    """Return the record at `path`; None when the file is absent or broken (a broken one is `check`'s to report)."""
    data = view.blob(path)
    return None if data is None else read_record(path, data).stored


def record_at(view: RecordView, path: str, model: type[R]) -> R | None:
    """Return the record at `path` when it is one of type `model`."""
    stored = stored_at(view, path)
    return stored.record if stored is not None and isinstance(stored.record, model) else None


def chain(view: RecordView, folder: str) -> tuple[Stored, ...]:
    """Return the links of a chain from 0001 on, up to the first gap or broken link, without those quarantined."""
    links: list[Stored] = []
    for number in range(1, next_number(view, folder)):
        path = layout.numbered(folder, number)
        data = view.blob(path)
        if data is None:
            continue
        stored = read_record(path, data).stored
        last = links[-1].digest if links else None
        if stored is None or getattr(stored.record, "previous", None) != last:
            break
        links.append(stored)
    return tuple(links)


def next_number(view: RecordView, folder: str) -> int:
    """Return the number that the next link of a chain takes: the first that no file bears, quarantined or not."""
    names, number = {name.rstrip("/") for name in view.names(folder)}, 1
    while f"{number:04d}.yaml" in names:
        number += 1
    return number


def bundles_of(view: RecordView, record_path: str) -> Iterator[str]:
    """Yield the paths of the signatures that lie beside a record."""
    folder, _, name = record_path.rpartition("/")
    for entry in view.names(folder):
        path = f"{folder}/{entry}"
        if entry.startswith(name + ".") and layout.split_bundle(path) and view.blob(path) is not None:
            yield path


def folders(view: RecordView, folder: str) -> tuple[str, ...]:
    """Return the names of the sub-folders of a folder, without their slash."""
    return tuple(name[:-1] for name in view.names(folder) if name.endswith("/"))


def iter_versions(view: RecordView, folder: str) -> Iterator[Ref]:
    """Yield every version of every cube, dataset or benchmark below `cubes`, `datasets` or `benchmarks`, in order."""
    for member in folders(view, folder):
        for name in folders(view, f"{folder}/{member}"):
            yield from versions_of(view, folder, member=member, name=name)


def versions_of(view: RecordView, folder: str, *, member: str, name: str) -> tuple[Ref, ...]:
    """Return the versions of one thing below `cubes`, `datasets` or `benchmarks`, oldest first; reads one folder."""
    end = "/" if folder == "benchmarks" else ".yaml"
    entries = view.names(f"{folder}/{member}/{name}")
    texts = [entry.removesuffix(end) for entry in entries if entry.endswith(end)]
    return tuple(sorted(_refs(f"{member}.{name}.{text}" for text in texts)))


def iter_results(view: RecordView, benchmark: Ref) -> Iterator[tuple[Ref, Ref]]:
    """Yield (dataset, model) of every chain of results of a benchmark, in order."""
    top = f"results/{benchmark.path}"
    for dataset in _refs(folders(view, top)):
        for model in _refs(folders(view, f"{top}/{dataset.folder}")):
            yield dataset, model


def iter_comparisons(view: RecordView, benchmark: Ref) -> Iterator[tuple[Ref, str]]:
    """Yield (dataset, metric) of every chain of comparisons of a benchmark, in order."""
    top = f"comparisons/{benchmark.path}"
    for dataset in _refs(folders(view, top)):
        for metric in folders(view, f"{top}/{dataset.folder}"):
            yield dataset, metric


def _refs(names: Iterable[str]) -> Iterator[Ref]:
    """Yield what folder names refer to; a name that is none is `check`'s to report and does not stop a reader."""
    for name in names:
        with suppress(ValueError):
            yield Ref.from_folder(name)
