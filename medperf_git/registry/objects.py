"""Open a Git repository and read raw objects from it, measured and limited.

Nothing but the repository itself is obeyed: no system or user configuration, no `GIT_*` variable, no work tree,
no hook (libgit2 runs none). The size of an object is read from its header before its content; an object that
is hostile raises `BadObject` with a finding, one that is missing or corrupt is not the author's fault and
raises an error of our own family. libgit2 verifies the hash of everything it reads.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Protocol, Self

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, RepositoryOpenFlag

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.records.findings import Finding

MAX_TREE_BYTES = 4 * 1024 * 1024
MAX_COMMIT_BYTES = 64 * 1024

_CACHED_COMMITS = 4096
_RECENT_BYTES = 4 * 1024 * 1024
_RECENT_OBJECT = 64 * 1024
_WINDOW_BYTES = 8 * 1024 * 1024
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author [^\n\0]*\n"
    rb"committer [^\n\0]*> ([0-9]{1,12}) [+-][0-9]{4}\n"
)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a record's time can express


class BadObject(Exception):
    """A Git object breaks a rule; carries one finding."""

    def __init__(self, rule: str, message: str, *, path: str = "", got: str = "", expected: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(rule, message, path=path, got=got, expected=expected, fix="build the commit anew")

    def about(self, path: str) -> Finding:
        """Return the finding as one about `path`."""
        return replace(self.finding, path=path)


@dataclass(slots=True)
class Meter:
    """Counts what was read from the object database; trees apart from commits and blobs."""

    trees_read: int = 0
    tree_bytes: int = 0
    others_read: int = 0
    other_bytes: int = 0

    @property
    def objects_read(self) -> int:
        """Objects whose content was read."""
        return self.trees_read + self.others_read

    @property
    def bytes_read(self) -> int:
        """Bytes of content read, uncompressed."""
        return self.tree_bytes + self.other_bytes

    def mark(self) -> "Meter":
        """Return the counts of now."""
        return replace(self)

    def since(self, mark: "Meter") -> "Meter":
        """Return what was read after `mark`."""
        return Meter(
            self.trees_read - mark.trees_read,
            self.tree_bytes - mark.tree_bytes,
            self.others_read - mark.others_read,
            self.other_bytes - mark.other_bytes,
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """What judging needs of one commit: ids are 40 hexadecimal digits, `tree` is the 20 raw bytes."""

    id: str
    tree: bytes
    parents: tuple[str, ...]
    time: datetime


class Below(Enum):
    """What comes along with a folder that a light copy asks for."""

    NOTHING = "nothing"
    NAMES = "names"
    ALL = "all"


class Supply(Protocol):
    """Brings what a light copy lacks; each call is one question to the other side (EnvironmentProblem: no answer)."""

    def bring(self, ids: Sequence[bytes], below: Below = Below.NOTHING) -> None:
        """Bring trees and blobs by their raw ids, and what lies below the trees."""
        ...

    def bring_older(self) -> bool:
        """Bring a piece of older history, commits alone; False when there was none to bring."""
        ...

    def bring_history(self) -> None:
        """Bring all of the history, commits alone."""
        ...


class Store:
    """Guards one repository: every object read by this program passes here.

    A light copy has a `supply`, which is asked once for what is not here; `asked` counts what was brought below which
    folder (`gathering`).
    """

    def __init__(self, repository: pygit2.Repository, path: Path) -> None:
        self.repository = repository
        self.path = path
        self.meter = Meter()
        self._odb = repository.odb
        self._commits: OrderedDict[str, Commit] = OrderedDict()
        self._recent = _Recent()
        self.supply: Supply | None = None
        self.asked: Counter[tuple[str, Below]] = Counter()

    @classmethod
    def open(cls, path: Path, *, quarantine: Path | None = None, trust_owner: bool = False) -> Self:
        """Open the repository at `path` itself, never one in a folder above it.

        `quarantine` is the object folder of a push that is not accepted yet. `trust_owner` allows a
        repository of another user, as in a hook, where Git has asked that question already.
        EnvironmentProblem: there is none, or it belongs to somebody else.
        """
        try:
            with _owner_validation(enabled=not trust_owner):
                repository = pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH)
        except (pygit2.GitError, KeyError) as error:
            hint = "name the folder of a Git repository that belongs to you; `medperf-git sync` makes a new copy"
            raise EnvironmentProblem(f"no usable Git repository at {path}: {error}", hint=hint) from error
        if quarantine is not None:
            repository.odb.add_disk_alternate(str(quarantine))
        return cls(repository, Path(repository.path))

    def close(self) -> None:
        """Let go of the repository's files, so that its folder can be moved on any system."""
        self.repository.free()

    @property
    def shallow(self) -> bool:
        """Whether older history was left out of this copy."""
        return self.repository.is_shallow

    def setting(self, name: str, default: int) -> int:
        """Return a whole number of the repository's own configuration; what is not one counts as not set."""
        try:
            return self.repository.config.get_int(name)
        except (KeyError, ValueError, pygit2.GitError):
            return default

    def has_commit(self, commit_id: str) -> bool:
        """Tell whether `commit_id` is the full id of a commit that is here."""
        if not _COMMIT_ID.fullmatch(commit_id) or not self._odb.exists(commit_id):
            return False
        return self._odb.read_header(commit_id)[0] == ObjectType.COMMIT

    def find_commit(self, commit_id: str) -> bool:
        """Tell whether `commit_id` is the full id of a commit, looked for in all older history of a light copy."""
        return self.has_commit(commit_id) or (self.lacks_history and self._bring_commit(commit_id))

    @property
    def lacks_history(self) -> bool:
        """Whether this is a light copy that could bring older history."""
        return self.supply is not None and self.shallow

    def has(self, raw_id: bytes) -> bool:
        """Tell whether an object is here, without asking anybody for it."""
        return pygit2.Oid(raw=raw_id) in self._odb

    def prefetch(self, raw_ids: Iterable[bytes]) -> None:
        """Bring, at once, those of these trees and blobs that a light copy lacks; a whole copy lacks none."""
        if self.supply is not None and (missing := [one for one in dict.fromkeys(raw_ids) if not self.has(one)]):
            self.supply.bring(missing)

    def commit(self, commit_id: str) -> Commit:
        """Read one commit; `BadObject` when it is none that a registry can hold."""
        if (known := self._commits.get(commit_id)) is not None:
            self._commits.move_to_end(commit_id)
            return known
        data = self._read(pygit2.Oid(hex=commit_id), ObjectType.COMMIT, MAX_COMMIT_BYTES)
        commit = _parse_commit(commit_id, data)
        self._commits[commit_id] = commit
        if len(self._commits) > _CACHED_COMMITS:
            self._commits.popitem(last=False)
        return commit

    def message(self, commit_id: str) -> str:
        """Return the message of a commit."""
        data = self._read(pygit2.Oid(hex=commit_id), ObjectType.COMMIT, MAX_COMMIT_BYTES)
        return data.partition(b"\n\n")[2].decode("utf-8", "replace")

    def author(self, commit_id: str) -> str:
        """Return the name of a commit's author, as it stands there."""
        data = self._read(pygit2.Oid(hex=commit_id), ObjectType.COMMIT, MAX_COMMIT_BYTES)
        found = re.search(rb"^author ([^\n<]*) <", data, re.MULTILINE)
        return found.group(1).decode("utf-8", "replace") if found else ""

    def tree(self, raw_id: bytes) -> bytes:
        """Return the raw bytes of a tree."""
        return self._read(pygit2.Oid(raw=raw_id), ObjectType.TREE, MAX_TREE_BYTES)

    def blob(self, raw_id: bytes, *, limit: int) -> bytes:
        """Return the bytes of a blob of at most `limit` bytes."""
        return self._read(pygit2.Oid(raw=raw_id), ObjectType.BLOB, limit)

    def ref(self, name: str) -> str | None:
        """Return the commit id a full ref name points to, or None where there is no such ref."""
        if name not in self.repository.references:
            return None
        return str(self.repository.references[name].resolve().target)

    def commit_of(self, name: str) -> str | None:
        """Return the commit that a full ref name leads to, through annotated tags; None where it leads to none."""
        try:
            return str(self.repository.references[name].peel(pygit2.Commit).id)
        except (KeyError, ValueError):  # no such ref, no name of one, or one of no commit
            return None

    def refs(self, prefix: str) -> dict[str, str]:
        """Return every ref under `prefix` with the id it points to, sorted by name."""
        names = sorted(name for name in self.repository.references if name.startswith(prefix))
        return {name: str(self.repository.references[name].resolve().target) for name in names}

    def merge_base(self, one: str, other: str) -> str | None:
        """Return a best common ancestor, or None for unrelated histories."""
        self._complete_history()
        found = self.repository.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return str(found) if found else None

    def descends(self, commit_id: str, ancestor: str) -> bool:
        """Tell whether `ancestor` is `commit_id` or an ancestor of it."""
        self._complete_history()
        return commit_id == ancestor or self.repository.descendant_of(
            pygit2.Oid(hex=commit_id), pygit2.Oid(hex=ancestor)
        )

    def iter_beyond(self, head: str, base: str) -> Iterator[str]:
        """Yield the commits reachable from `head` and not from `base`."""
        self._complete_history()
        walker = self.repository.walk(pygit2.Oid(hex=head))
        walker.hide(pygit2.Oid(hex=base))
        return (str(commit.id) for commit in walker)

    def _read(self, oid: pygit2.Oid, kind: ObjectType, limit: int) -> bytes:
        if (known := self._recent.get(oid)) is not None:
            _refuse_unfit(oid, kind, limit, found=known[0], size=len(known[1]))
            return known[1]
        if self.supply is not None and oid not in self._odb:
            if kind == ObjectType.COMMIT:
                self._bring_commit(str(oid))
            else:
                self.supply.bring([oid.raw])
        try:
            found, size = self._odb.read_header(oid)
            _refuse_unfit(oid, kind, limit, found=found, size=size)
            data: bytes = self._odb.read(oid)[1]
        except KeyError as error:
            hint = "fetch again with the whole history (no --depth, no --filter)"
            if self.supply is not None:
                hint = "run `medperf-git sync --full`, which fetches and verifies everything"
            raise EnvironmentProblem(f"Git object {oid} is missing from {self.path}", hint=hint) from error
        except pygit2.GitError as error:
            hint = "remove this copy and fetch it again"
            raise IntegrityBroken(f"Git object {oid} in {self.path} is damaged: {error}", hint=hint) from error
        self._count(kind, len(data))
        self._recent.keep(oid, kind, data)
        return data

    def _bring_commit(self, commit_id: str) -> bool:
        """Bring older history until a commit is there; tell whether it is."""
        while self.lacks_history and not self.has_commit(commit_id):
            if self.supply is None or not self.supply.bring_older():
                break
        return self.has_commit(commit_id)

    def _complete_history(self) -> None:
        """Let libgit2, which walks commits by itself, see all of them."""
        if self.supply is not None and self.shallow:
            self.supply.bring_history()
            self.repository = pygit2.Repository(str(self.path), RepositoryOpenFlag.NO_SEARCH)
            self._odb = self.repository.odb

    def _count(self, kind: ObjectType, size: int) -> None:
        if kind == ObjectType.TREE:
            self.meter.trees_read += 1
            self.meter.tree_bytes += size
        else:
            self.meter.others_read += 1
            self.meter.other_bytes += size


class _Recent:
    """Keeps the small objects read last: one step of a history needs nearly the trees and records of the one before."""

    def __init__(self) -> None:
        self._kept: OrderedDict[pygit2.Oid, tuple[ObjectType, bytes]] = OrderedDict()
        self._size = 0

    def get(self, oid: pygit2.Oid) -> tuple[ObjectType, bytes] | None:
        """Return kind and bytes of an object, None when it is not kept."""
        found = self._kept.get(oid)
        if found is not None:
            self._kept.move_to_end(oid)
        return found

    def keep(self, oid: pygit2.Oid, kind: ObjectType, data: bytes) -> None:
        """Keep an object, and forget the oldest beyond the limit."""
        if len(data) > _RECENT_OBJECT:
            return
        self._kept[oid] = (kind, data)
        self._size += len(data)
        while self._size > _RECENT_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._size -= len(oldest)


def _refuse_unfit(oid: pygit2.Oid, kind: ObjectType, limit: int, *, found: ObjectType, size: int) -> None:
    if found != kind:
        raise BadObject("git-object", f"object {oid} is not a {kind.name.lower()}", got=f"type {int(found)}")
    if size > limit:
        raise BadObject("too-large", f"{size} bytes where {limit} are allowed", expected=f"{limit}", got=f"{size}")


def is_commit_id(text: str) -> bool:
    """Tell whether `text` is a full commit id."""
    return _COMMIT_ID.fullmatch(text) is not None


def _parse_commit(commit_id: str, data: bytes) -> Commit:
    match = _COMMIT.match(data)
    if match is None or int(match.group(3)) > _LAST_SECOND:
        raise BadObject("git-object", f"commit {commit_id} is malformed")
    parents = tuple(line[7:].decode("ascii") for line in match.group(2).splitlines())
    time = datetime.fromtimestamp(int(match.group(3)), UTC)
    return Commit(commit_id, bytes.fromhex(match.group(1).decode("ascii")), parents, time)


@contextmanager
def _owner_validation(*, enabled: bool) -> Iterator[None]:
    before = pygit2.settings.owner_validation
    pygit2.settings.owner_validation = enabled
    try:
        yield
    finally:
        pygit2.settings.owner_validation = before


def _harden() -> None:
    """Cut libgit2 off from every configuration outside the repository; write durably, keep little.

    Its cache would hold up to 256 MiB of a history's trees and commits; what is soon read again is kept in `_Recent`.
    Of a pack, however large, it maps this much at once.
    """
    for level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
    pygit2.settings.enable_fsync_gitdir(True)
    pygit2.settings.enable_caching(False)
    pygit2.settings.mwindow_size = _WINDOW_BYTES
    pygit2.settings.mwindow_mapped_limit = 4 * _WINDOW_BYTES


_harden()
