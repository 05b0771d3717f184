"""Ask for what a light copy lacks in few large batches, each of which is one question to the other side.

A folder comes alone, its files together. From the fourth folder below one parent on, all below the parent comes at
once, and so on upwards: whoever reads much soon has it. What many steps change comes level by level. In a whole copy
nothing is lacking, and every function here returns at once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from medperf_git.registry.objects import BadObject, Below, Store
from medperf_git.registry.trees import FILE, FOLDER, MAX_DEPTH, parse_tree

FEW = 3

IdOf: TypeAlias = Callable[[str], bytes]  # the raw id of the tree of a folder
Entries: TypeAlias = dict[bytes, tuple[bytes, bytes]]  # name -> mode, raw id
Trees: TypeAlias = tuple[bytes | None, bytes]  # before and after


def bring_folder(store: Store, path: str, raw_id: bytes, *, id_of: IdOf) -> None:
    """Bring the tree of one folder, or the trees of all below the parent of which many were asked for."""
    if store.supply is None or store.has(raw_id):
        return
    wide = _widened(store, path, Below.NAMES)
    if wide == path:
        store.prefetch([raw_id])
    else:
        bring_below(store, [id_of(wide)], Below.NAMES)


def bring_files(store: Store, folder: str, raw_ids: Sequence[bytes], *, id_of: IdOf) -> None:
    """Bring the files of one folder, or all below the parent of which many were asked for."""
    if store.supply is None or all(map(store.has, raw_ids)):
        return
    wide = _widened(store, folder, Below.ALL)
    if wide == folder:
        store.prefetch(raw_ids)
    else:
        bring_below(store, [id_of(wide)], Below.ALL)


def bring_below(store: Store, trees: Iterable[bytes], below: Below) -> None:
    """Bring trees with what lies below them; of those that are here already, what is lacking below."""
    lacking = list(dict.fromkeys(_lacking(store, trees, below)))
    if store.supply is not None and lacking:
        store.supply.bring(lacking, below)


def prefetch_steps(store: Store, commits: Sequence[str]) -> None:
    """Bring what steps of main changed, on main and in the proposals that they merged."""
    if store.supply is not None:
        prefetch_proposals(store, [head for one in commits for head in (one, *store.commit(one).parents[1:])])


def prefetch_proposals(store: Store, commits: Sequence[str]) -> None:
    """Bring what commits changed since their first parents."""
    if store.supply is not None:
        prefetch_changes(store, [pair for one in commits if (pair := _parent_and_self(store, one))])


def prefetch_changes(store: Store, changes: Sequence[Trees]) -> None:
    """Bring what differs between pairs of trees, all pairs together, level by level."""
    files: set[bytes] = set()
    for _ in range(MAX_DEPTH + 2):
        store.prefetch([*files, *(tree for pair in changes for tree in pair if tree)])
        files = set()
        deeper: dict[Trees, None] = {}
        for before, after in changes:
            _differing(_entries(store, before), _entries(store, after), files, deeper)
        changes = list(deeper)


def prefetch_path(store: Store, trees: Iterable[bytes], path: str) -> None:
    """Bring the folders that lead to one file in several trees."""
    level = set(trees)
    for name in path.split("/")[:-1]:
        store.prefetch(level)
        level = {oid for tree in level for mode, oid in [_entries(store, tree).get(name.encode(), (b"", b""))] if oid}
    store.prefetch(level)


def _widened(store: Store, path: str, below: Below) -> str:
    """Return what to ask for: this folder, or the highest above it below which many were asked for; never the root."""
    parent = path.rpartition("/")[0]
    if not parent:
        return path
    store.asked[parent, below] += 1
    return path if store.asked[parent, below] <= FEW else _widened(store, parent, below)


def _lacking(store: Store, trees: Iterable[bytes], below: Below) -> Iterable[bytes]:
    """Yield what is not here; a folder that lies in many places is looked into once."""
    waiting = list(trees)
    seen = set(waiting)
    while waiting:
        tree = waiting.pop()
        if not store.has(tree):
            yield tree
            continue
        for mode, oid in _entries(store, tree).values():
            if mode == FOLDER and oid not in seen:
                seen.add(oid)
                waiting.append(oid)
            elif mode == FILE and below is Below.ALL and not store.has(oid):
                yield oid


def _entries(store: Store, tree: bytes | None) -> Entries:
    try:
        return {name: (mode, oid) for mode, name, oid in parse_tree(store.tree(tree))} if tree else {}
    except BadObject:  # the judge reports it
        return {}


def _differing(old: Entries, new: Entries, files: set[bytes], deeper: dict[Trees, None]) -> None:
    for name, (mode, oid) in new.items():
        before = old.get(name, (b"", b""))
        if before == (mode, oid):
            continue
        if mode == FOLDER:
            deeper[before[1] if before[0] == FOLDER else None, oid] = None
        elif mode == FILE:
            files.add(oid)


def _parent_and_self(store: Store, commit_id: str) -> Trees | None:
    try:
        commit = store.commit(commit_id)
        return (store.commit(commit.parents[0]).tree, commit.tree) if commit.parents else None
    except BadObject:  # the judge reports it
        return None
