"""Compare two trees by their raw bytes, and refuse what no registry tree may hold.

Modes are taken as written (libgit2 normalises some): `40000` and `100644` only. A name is ASCII letters, digits
and `._+@=,-`, which leaves out every form of `.git` that HFS or NTFS would understand. Only differing folders
are read, a removed folder is not entered, and entries and bytes are counted, so that a tree that names 10^10
files costs no more than one that names too many.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from medperf_git.records.findings import Finding
from medperf_git.registry.objects import BadObject, Store

FOLDER = b"40000"
FILE = b"100644"
MAX_ENTRIES = 10_000
MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 12
MAX_NAME = 200

Entry: TypeAlias = tuple[bytes, bytes, bytes]  # mode, name, the 20 raw bytes of the id

_TREE = re.compile(rb"(?:[0-9]++ [^\0]*+\0.{20})*+", re.DOTALL)  # never goes back, so hostile bytes cost no time
_ENTRY = re.compile(rb"([0-9]+) ([^\0]*)\0(.{20})", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z0-9._+@=,-]+")
_DEVICE = re.compile(rb"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_GIT_OWN = re.compile(rb"\.git.*", re.IGNORECASE)
_GIT_ALLOWED = frozenset({b".github", b".gitlab-ci.yml"})
_SHORT_NAME = re.compile(rb"git~[0-9]+|gi[0-9a-f]{4}~[0-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TreeDifference:
    """What `after` has that `before` has not: paths with raw blob ids, removed paths (folders end in `/`), faults."""

    added: dict[str, bytes]
    changed: dict[str, bytes]
    removed: tuple[str, ...]
    faults: tuple[Finding, ...]


def parse_tree(data: bytes) -> list[Entry]:
    """Split raw tree bytes into entries; `BadObject` when bytes are left over."""
    if not _TREE.fullmatch(data):
        raise BadObject("git-object", "the tree is malformed")
    entries: list[Entry] = _ENTRY.findall(data)
    return entries


def compare_trees(
    store: Store, before: bytes | None, *, after: bytes, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
) -> TreeDifference:
    """Return the difference between two trees given by raw id; `before` None is the empty tree."""
    walk = _Comparison(store, max_entries, max_bytes)
    if before != after:
        try:
            walk.enter("", before, after=after, depth=0)
        except BadObject as stop:
            walk.faults.append(stop.finding)
    return TreeDifference(walk.added, walk.changed, tuple(walk.removed), tuple(walk.faults))


def entry_fault(mode: bytes, name: bytes) -> str:
    """Say why an entry may not stand in a registry tree, or return an empty string."""
    if mode not in (FOLDER, FILE):
        return f"mode {mode.decode('ascii')} is neither a plain file (100644) nor a folder (40000)"
    return _name_fault(name)


def order_fault(entries: Iterable[Entry]) -> str:
    """Say why a list of entries is no sorted list of unique names, or return an empty string."""
    entries = list(entries)
    names = [name for _, name, _ in entries]
    if len(set(names)) != len(names):
        return "a name stands twice in one folder"
    if len({name.lower() for name in names}) != len(names):
        return "two names in one folder differ only in upper and lower case"
    keys = [name + b"/" if mode == FOLDER else name for mode, name, _ in entries]
    return "" if keys == sorted(keys) else "the entries of a folder are not in Git's order"


@dataclass(slots=True)
class _Comparison:
    """One walk over two trees, with what it may still spend."""

    store: Store
    entries_left: int
    bytes_left: int
    added: dict[str, bytes] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)

    def enter(self, prefix: str, before: bytes | None, *, after: bytes, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise BadObject("too-large", f"folders are nested deeper than {MAX_DEPTH}", path=prefix)
        try:
            old = self._entries(before) if before is not None else []
            new = self._entries(after)
        except BadObject as bad:
            if self.bytes_left < 0:
                raise
            self.faults.append(bad.about(prefix))
            return
        self.faults.extend(_folder_faults(prefix, new))
        kept = set(old) & set(new)
        self._differing(prefix, [e for e in old if e not in kept], [e for e in new if e not in kept], depth)

    def _differing(self, prefix: str, old: list[Entry], new: list[Entry], depth: int) -> None:
        self.entries_left -= len(old) + len(new)
        if self.entries_left < 0:
            raise BadObject("too-large", "the change touches too many files to be looked at", path=prefix)
        gone = {name: (mode, oid) for mode, name, oid in old}
        if self.store.supply is not None:
            inner = {name: oid for mode, name, oid in new if mode == FOLDER}
            outer = (oid for name, (mode, oid) in gone.items() if mode == FOLDER and name in inner)
            self.store.prefetch([*inner.values(), *outer])
        for mode, name, oid in new:
            if fault := entry_fault(mode, name):
                self.faults.append(_entry_finding(prefix, name, fault))
                gone.pop(name, None)
                continue
            self._one(prefix + name.decode("ascii"), mode, oid, gone.pop(name, None), depth)
        self.removed.extend(prefix + _shown(name) + _slash(mode) for name, (mode, _) in gone.items())

    def _one(self, path: str, mode: bytes, oid: bytes, previous: tuple[bytes, bytes] | None, depth: int) -> None:
        if previous is not None and previous[0] != mode:
            self.removed.append(path + _slash(previous[0]))
            previous = None
        if mode == FOLDER:
            self.enter(path + "/", previous[1] if previous else None, after=oid, depth=depth + 1)
        elif previous is None:
            self.added[path] = oid
        else:
            self.changed[path] = oid

    def _entries(self, raw_id: bytes) -> list[Entry]:
        data = self.store.tree(raw_id)
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise BadObject("too-large", "the change has too many or too long folders to be looked at")
        return parse_tree(data)


def _folder_faults(prefix: str, entries: list[Entry]) -> Iterator[Finding]:
    if prefix and not entries:
        yield _folder_finding(prefix, "a folder is empty")
    if fault := order_fault(entries):
        yield _folder_finding(prefix, fault)


def _folder_finding(prefix: str, message: str) -> Finding:
    return Finding("git-object", message, path=prefix, fix="make the commit with Git or medperf-git, not by hand")


def _entry_finding(prefix: str, name: bytes, fault: str) -> Finding:
    return Finding("git-object", fault, path=prefix + _shown(name), fix="leave this entry out of the commit")


def _name_fault(name: bytes) -> str:
    if name in (b"", b".", b".."):
        return "this name is no name of a file"
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        return f"a name has at most {MAX_NAME} of A-Z, a-z, 0-9 and ._+@=,-"
    if name.endswith(b".") or _DEVICE.fullmatch(name) or _SHORT_NAME.fullmatch(name):
        return "some systems take this name for another one"
    if _GIT_OWN.fullmatch(name) and name not in _GIT_ALLOWED:
        return "Git gives this name a meaning of its own"
    return ""


def _slash(mode: bytes) -> str:
    return "/" if mode == FOLDER else ""


def _shown(name: bytes) -> str:
    """Return a name as text that no terminal acts upon."""
    return name.decode("ascii", "backslashreplace").encode("unicode_escape").decode("ascii")
