"""The results on one dataset, read once: into arrays, and into the files that are made of nothing else.

Rules kept here: what these files depend on is named (`rests_on`), so that they can be left as they are while it
stays; they know the benchmark and its rows and columns, no other result, no ranking and no commit.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from medperf_git.leaderboard import cell_files
from medperf_git.leaderboard.build_cache import Kept
from medperf_git.leaderboard.columns import Column
from medperf_git.leaderboard.frames import Frame, ref_of
from medperf_git.leaderboard.identified import IdentifiedView
from medperf_git.leaderboard.result_page import ResultPages
from medperf_git.leaderboard.shared_frame import SharedFrames
from medperf_git.leaderboard.tables import Cell
from medperf_git.records import folds, layout
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, folders

Put = Callable[[str, bytes], int]

# Kinds of what a column rests on; each name is one of these and, but for `common`, what it is about.
COMMON, TABLE, SITE, MODEL, FOLDER, BLOB = "common", "table", "site", "model", "folder", "blob"


@dataclass(frozen=True, slots=True)
class Work:
    """One column to be done: the benchmark, the folder of the results on a dataset, and how many chains lie there."""

    benchmark: Ref
    folder: str
    chains: int


class ColumnWriter:
    """Does columns one after the other; every file goes to `put`, which returns a mark of it."""

    def __init__(self, view: RecordView, common: Mapping[str, object], put: Put, frames: Iterable[Frame] = ()) -> None:
        self._view, self._put, self._around = view, put, SharedFrames(common)
        self._frames = {frame.ref: frame for frame in frames}  # any other is read when it is needed

    def write(self, work: Work) -> tuple[Kept, bool]:
        """Read a column and write its files; tell whether that may be kept for the next build."""
        frame = self._frame(work.benchmark)
        frame.reader.touched.clear()
        there = [ref for name in folders(self._view, work.folder) if (ref := ref_of(name)) is not None]
        dataset = Ref.from_folder(work.folder.rpartition("/")[2])
        pages = ResultPages(frame.column_table(dataset, there, {}), self._view)
        files: dict[str, int] = {}

        def on_cell(cell: Cell) -> None:
            for page in pages.iter_pages(cell):
                files[page.url] = self._put(page.url, self._around.render(page))

        column = frame.read_column(work.folder, on_cell)
        for one in cell_files.column_files(frame.table_of_one(column)):
            files[one.url] = self._put(one.url, one.content())
        owner = folds.member_state(self._view, dataset.member)
        kept = Kept(
            column=column,
            rests_on=tuple(sorted(rests_on(frame.ref, column) | frame.reader.touched)),
            files=tuple(files)[len(column.numbers) :],
            marks=np.array(list(files.values()), np.uint64),
        )
        return kept, owner is None or not owner.revoked

    def _frame(self, ref: Ref) -> Frame:
        if ref not in self._frames:
            frame = Frame.of(self._view, ref)
            if frame is None:
                raise LookupError(ref)
            self._frames[ref] = frame
        return self._frames[ref]


def urls_of(kept: Kept) -> Iterator[str]:
    """Yield the address of every file of a column, in the order of its marks."""
    column = kept.column
    numbers, ends = column.numbers.tolist(), column.offsets.tolist()
    for model, start, end in zip(column.models, ends[:-1], ends[1:], strict=True):
        folder = f"{column.folder}/{model.folder}"
        for number in numbers[start:end]:
            yield f"{folder}/{number:04d}.html"
    yield from kept.files


def folders_of(kept: Kept) -> Iterator[str]:
    """Yield the folders that hold pages of a column and nothing else, in the order of their marks."""
    yield kept.column.folder
    yield from map(kept.column.folder_of, range(len(kept.column.models)))


def rests_on(benchmark: Ref, column: Column) -> set[str]:
    """Name what the files of a column are made of, but for what `ResultReader.touched` tells; see `Ids`."""
    owner = layout.member_folder(column.dataset.member)
    folders_ = (column.folder, f"notices/{column.folder}", owner, layout.QUARANTINE)
    return {
        COMMON,
        f"{TABLE} {benchmark}",
        f"{SITE} {benchmark} {column.dataset}",
        *(f"{MODEL} {benchmark} {model}" for model in column.models),
        *(f"{FOLDER} {folder}" for folder in folders_),
    }


class Ids:
    """Gives the id, in this commit, of everything that files of columns depend on."""

    def __init__(self, view: IdentifiedView, frames: Mapping[Ref, Frame], common: Mapping[str, object]) -> None:
        self._view, self._frames = view, {str(ref): frame for ref, frame in frames.items()}
        self._common = common
        self._known: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        if name not in self._known:
            self._known[name] = self._find(*name.split(" "))
        return self._known[name]

    def of_site(self, about: object) -> str:
        """Return what tells a whole site, of all the records there are, from every other."""
        return _hash((self._view.folder_id(""), sorted(self._common.items()), about)).hex()

    def _find(self, kind: str, *names: str) -> bytes:
        match kind:
            case "blob":
                return self._view.blob_id(names[0]) or b""
            case "folder":
                return self._view.folder_id(names[0]) or b""
            case "common":
                return _hash(sorted(self._common.items()))
        frame = self._frames.get(names[0])
        if frame is None:
            return b""
        if kind == TABLE:
            return _hash(frame.bare)
        return _hash((frame.model if kind == MODEL else frame.site)(Ref.parse(names[1])))


def _hash(value: object) -> bytes:
    """Hash what a value of plain data classes, tuples, dictionaries and texts says."""
    return hashlib.blake2b(repr(value).encode(), digest_size=20).digest()
