"""Look at the records of one commit without a checkout.

Folders are read when asked for and the latest few hundred are kept. An entry that no registry may hold (another
mode, a blob over its limit) is listed by `names`, so that its number stays used, and has no bytes; nor has what a
quarantine record names.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, Self, TypeAlias

from medperf_git.records.layout import QUARANTINE
from medperf_git.records.models import Quarantine
from medperf_git.records.record import read_record
from medperf_git.records.strict_yaml import MAX_BYTES, MAX_COMPARISON_BYTES
from medperf_git.records.view import RecordView
from medperf_git.registry.batches import bring_files, bring_folder
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.trees import FILE, FOLDER, parse_tree

MAX_RECORD = MAX_BYTES
MAX_COMPARISON = MAX_COMPARISON_BYTES
MAX_BUNDLE = 16 * 1024

_CACHED_FOLDERS = 512
_CACHED_ENTRIES = 60_000  # in all of these, but the latest few stay however large
_FEW_FOLDERS = 32  # three chains of folders: of a result, of its notices, of its signer

Entries: TypeAlias = Mapping[str, tuple[bytes, bytes]]  # name -> mode, raw id


class Folder(NamedTuple):
    """What lies in a folder, and the sorted names of it; names of folders end with `/`."""

    entries: Entries
    names: tuple[str, ...]

    @classmethod
    def of(cls, entries: Entries) -> Self:
        """Return the folder that has these entries."""
        names = sorted(name + "/" if mode == FOLDER else name for name, (mode, _) in entries.items())
        return cls(entries, tuple(names))


_NO_FOLDER = Folder({}, ())


def size_limit(path: str) -> int:
    """Return how many bytes the file at `path` may have."""
    if path.endswith(".sigstore.json"):
        return MAX_BUNDLE
    return MAX_COMPARISON if path.startswith("comparisons/") else MAX_RECORD


class Snapshot:
    """The records in the tree of one commit; a `RecordView`."""

    def __init__(self, store: Store, tree: bytes, *, hidden: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self._store = store
        self._folders: OrderedDict[str, Folder] = OrderedDict()
        self._entries = 0  # in all of them
        self._extra = hidden

    @classmethod
    def at(cls, store: Store, commit: str, *, hidden: frozenset[str] = frozenset()) -> Self:
        """Return the snapshot of a commit, given by its full id; `hidden` paths count as absent.

        So do those that its quarantine records name: they took effect when they were merged.
        """
        return cls(store, store.commit(commit).tree, hidden=hidden)

    def blob(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, or None where there is none that counts."""
        return None if path in self._hidden else self._bytes(path)

    def earlier(self, commit: str) -> RecordView | None:
        """See `RecordView.earlier`."""
        return Snapshot.at(self._store, commit, hidden=self._hidden) if self._store.find_commit(commit) else None

    @cached_property
    def _hidden(self) -> frozenset[str]:
        if QUARANTINE.partition("/")[2] + "/" not in self.names("registry"):
            return self._extra
        return self._extra.union(*(quarantined_by(path, self._bytes(path)) for path in self._quarantine_paths()))

    def _quarantine_paths(self) -> list[str]:
        return [f"{QUARANTINE}/{name}" for name in self.names(QUARANTINE) if name.endswith(".yaml")]

    def _bytes(self, path: str) -> bytes | None:
        raw_id = self.blob_id(path)
        if raw_id is None:
            return None
        if self._store.supply is not None:
            folder = path.rpartition("/")[0]
            beside = [oid for mode, oid in self._folder(folder).entries.values() if mode == FILE]
            bring_files(self._store, folder, beside, id_of=self._tree_of)
        try:
            return self._store.blob(raw_id, limit=size_limit(path))
        except BadObject:
            return None

    def blob_id(self, path: str) -> bytes | None:
        """Return the 20 raw bytes of the id of the file at `path`, or None where there is none."""
        folder, _, name = path.rpartition("/")
        mode, raw_id = self._folder(folder).entries.get(name, (b"", b""))
        return raw_id if mode == FILE else None

    def folder_id(self, path: str) -> bytes:
        """Return the 20 raw bytes of the id of a folder's tree, no bytes where there is no folder."""
        return self._tree_of(path.strip("/"))

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the sorted entry names of a folder; names of folders end with `/`."""
        return self._folder(folder.strip("/")).names

    def iter_blob_ids(self, folder: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield path and raw blob id of every file under `folder`, in order of path segments."""
        folder = folder.strip("/")
        prefix = folder + "/" if folder else ""
        for name, (mode, raw_id) in sorted(self._folder(folder).entries.items()):
            if mode == FOLDER:
                yield from self.iter_blob_ids(prefix + name)
            elif mode == FILE:
                yield prefix + name, raw_id

    def _folder(self, path: str) -> Folder:
        if (known := self._folders.get(path)) is not None:
            self._folders.move_to_end(path)
            return known
        found = self._load(path)
        self._folders[path] = found
        self._entries += len(found.names)
        while len(self._folders) > (_CACHED_FOLDERS if self._entries <= _CACHED_ENTRIES else _FEW_FOLDERS):
            self._entries -= len(self._folders.popitem(last=False)[1].names)
        return found

    def _tree_of(self, path: str) -> bytes:
        """Return the raw id of the tree of a folder, no bytes when there is none."""
        if not path:
            return self.tree
        parent, _, name = path.rpartition("/")
        mode, raw_id = self._folder(parent).entries.get(name, (b"", b""))
        return raw_id if mode == FOLDER else b""

    def _load(self, path: str) -> Folder:
        raw_id = self._tree_of(path)
        if not raw_id:
            return _NO_FOLDER
        bring_folder(self._store, path, raw_id, id_of=self._tree_of)
        try:
            entries = parse_tree(self._store.tree(raw_id))
        except BadObject:
            return _NO_FOLDER
        return Folder.of({name.decode("utf-8", "backslashreplace"): (mode, oid) for mode, name, oid in entries})


def quarantined_by(path: str, data: bytes | None) -> tuple[str, ...]:
    """Return the paths that a quarantine record names; none when there is no such record."""
    stored = read_record(path, data).stored if data is not None else None
    return stored.record.paths if stored is not None and isinstance(stored.record, Quarantine) else ()


class EmptyView:
    """No records at all: what was before the genesis."""

    def earlier(self, commit: str) -> RecordView | None:  # noqa: ARG002
        """Return None: there was no step."""
        return None

    def blob(self, path: str) -> bytes | None:  # noqa: ARG002
        """Return None: there is no file."""
        return None

    def names(self, folder: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return no names."""
        return ()


class Overlay:
    """A view with files laid over it; the files win."""

    def __init__(self, view: RecordView, added: Mapping[str, bytes]) -> None:
        self._view = view
        self._added = added
        self._folders: dict[str, set[str]] = {}
        for path in added:
            self._enter(path)

    def blob(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, or None where there is none."""
        return self._added[path] if path in self._added else self._view.blob(path)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the sorted entry names of a folder; names of folders end with `/`."""
        below = self._view.names(folder)
        here = self._folders.get(folder.strip("/"))
        return tuple(sorted(here.union(below))) if here else below

    def earlier(self, commit: str) -> RecordView | None:
        """See `RecordView.earlier`."""
        return self._view.earlier(commit)

    def _enter(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._folders.setdefault(folder, set()).add(name)
        while folder:
            parent, _, name = folder.rpartition("/")
            self._folders.setdefault(parent, set()).add(name + "/")
            folder = parent
