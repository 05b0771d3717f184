"""Read a change out of Git: what stands before, what is added, what stands after.

M is where the proposal left main; what it adds is in B and not in M. What A already has with the same bytes is
fine and no longer part of the change; with other bytes its number is taken. Nothing may be changed or removed,
house files apart, which may change and never vanish. Sizes come from object headers before any content.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from medperf_git.policy.change import Change, NoHistory
from medperf_git.records.findings import Finding
from medperf_git.records.layout import is_house_file
from medperf_git.records.view import RecordView
from medperf_git.registry.batches import prefetch_path
from medperf_git.registry.history import FirstParentLine, Fork, fork_point, history_faults
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.snapshot import EmptyView, Overlay, Snapshot, size_limit
from medperf_git.registry.trees import TreeDifference, compare_trees

MAX_CHANGE_BYTES = 16 * 1024 * 1024

_NOTHING = TreeDifference({}, {}, (), ())


class MainLine:
    """The first-parent line of main up to `tip`; a `History`."""

    def __init__(self, store: Store, tip: str) -> None:
        self._store = store
        self._line = FirstParentLine(store, tip)
        self._tip = tip

    def __contains__(self, commit: str) -> bool:
        """See `History.__contains__`."""
        return commit in self._line

    def time(self, commit: str) -> datetime:
        """See `History.time`."""
        return self._store.commit(self._known(commit)).time

    def view(self, commit: str) -> RecordView:
        """See `History.view`."""
        return Snapshot.at(self._store, self._known(commit))

    def held_since(self, commit: str, path: str) -> bool:
        """See `History.held_since`."""
        self._known(commit)
        self._prefetch(commit, path)
        wanted, step = Snapshot.at(self._store, self._tip).blob_id(path), self._tip
        while wanted is not None and Snapshot.at(self._store, step).blob_id(path) == wanted:
            if step == commit:
                return True
            step = self._store.commit(step).parents[0]
        return False

    def _prefetch(self, commit: str, path: str) -> None:
        if self._store.supply is not None:
            step, trees = self._tip, []
            while step != commit:
                trees.append(self._store.commit(step).tree)
                step = self._store.commit(step).parents[0]
            prefetch_path(self._store, [*trees, self._store.commit(commit).tree], path)

    def _known(self, commit: str) -> str:
        if commit not in self:
            raise KeyError(commit)
        return commit


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change as Git holds it: what is judged, and what was proposed.

    `files` are all files that B has and M has not (changed house files too), by which a proposal is named;
    `blobs` are the raw ids of `change.added`; `fork` is M, None for a genesis or an unrelated history.
    """

    change: Change
    files: Mapping[str, bytes]
    blobs: Mapping[str, bytes]
    fork: str | None


def change_between(store: Store, base: str, head: str, *, at: datetime) -> Change:
    """Return the change that merging `head` into `base` would make, at the time `at`."""
    return read_proposal(store, base, head, at=at).change


def genesis_change(store: Store, root: str, *, at: datetime) -> Change:
    """Return the change from nothing to the tree of `root`."""
    tree = store.commit(root).tree
    difference = compare_trees(store, None, after=tree)
    files, faults = _read_files(store, difference.added)
    everything = (*_shape_faults(difference), *faults)
    view = EmptyView()
    return Change(before=view, after=Overlay(view, files), added=files, faults=everything, at=at, history=NoHistory())


def read_proposal(
    store: Store, base: str, head: str, *, at: datetime, hidden: frozenset[str] = frozenset()
) -> Proposal:
    """Read what `head` proposes to `base`, in which `hidden` paths count as absent; commits by full id.

    EnvironmentProblem: this copy lacks the history that is needed.
    """
    fork = fork_point(store, base, head)
    if fork is None:
        finding = Finding("history", "the proposal shares no history with main", fix="start again from main")
        return _assemble(store, base, _NOTHING, (finding,), fork=None, at=at, hidden=hidden)
    faults = () if fork.linear else tuple(history_faults(store, base, head))
    return _read_from(store, base, head, fork=fork, faults=faults, at=at, hidden=hidden)


def read_step(
    store: Store, parent: str, commit: str, *, at: datetime, hidden: frozenset[str] = frozenset()
) -> Proposal:
    """Read what a commit on main did to the tree of its first parent, in which `hidden` paths count as absent."""
    return _read_from(store, parent, commit, fork=Fork(parent, linear=True), faults=(), at=at, hidden=hidden)


def added_paths(store: Store, commit: str) -> frozenset[str] | None:
    """Return every path that a commit on main added to the tree of its first parent; None when it did anything else."""
    step = store.commit(commit)
    difference = compare_trees(store, store.commit(step.parents[0]).tree, after=step.tree)
    clean = not (difference.changed or difference.removed or difference.faults)
    return frozenset(difference.added) if clean else None


def _read_from(
    store: Store,
    base: str,
    head: str,
    *,
    fork: Fork,
    faults: tuple[Finding, ...],
    at: datetime,
    hidden: frozenset[str] = frozenset(),
) -> Proposal:
    difference = compare_trees(store, store.commit(fork.commit).tree, after=store.commit(head).tree)
    return _assemble(store, base, difference, faults, fork=fork.commit, at=at, hidden=hidden)


def _assemble(
    store: Store,
    base: str,
    difference: TreeDifference,
    faults: tuple[Finding, ...],
    *,
    fork: str | None,
    at: datetime,
    hidden: frozenset[str] = frozenset(),
) -> Proposal:
    before = Snapshot.at(store, base, hidden=hidden)
    changed_house = {path: blob for path, blob in difference.changed.items() if is_house_file(path)}
    wanted = difference.added | changed_house
    files, unreadable = _read_files(store, wanted)
    standing = {path: before.blob_id(path) for path in wanted}
    taken = {path for path, blob in standing.items() if blob not in (None, wanted[path]) and not is_house_file(path)}
    new = {path: data for path, data in files.items() if path not in taken and standing[path] != wanted[path]}
    everything = (*faults, *_shape_faults(difference), *unreadable, *_taken_faults(taken))
    change = Change(
        before=before,
        after=Overlay(before, new),
        added=new,
        faults=everything,
        at=at,
        history=MainLine(store, base),
    )
    return Proposal(change, files, {path: wanted[path] for path in new}, fork)


def _shape_faults(difference: TreeDifference) -> Iterator[Finding]:
    yield from difference.faults
    for path in difference.changed:
        if not is_house_file(path):
            fix = "leave it as it is; what is new is a record with the next number"
            yield Finding("append-only", "a merged record never changes", path=path, fix=fix)
    for path in difference.removed:
        yield Finding("append-only", "what is merged is never removed", path=path, fix="put it back as it was")


def _taken_faults(paths: set[str]) -> Iterator[Finding]:
    for path in sorted(paths):
        fix = "run `medperf-git submit --resume`: it takes the next number and signs again"
        yield Finding("number-taken", "somebody else's record with this number was merged first", path=path, fix=fix)


def _read_files(store: Store, wanted: Mapping[str, bytes]) -> tuple[dict[str, bytes], tuple[Finding, ...]]:
    files: dict[str, bytes] = {}
    faults: list[Finding] = []
    left = MAX_CHANGE_BYTES
    store.prefetch(wanted.values())
    for path, raw_id in sorted(wanted.items()):
        try:
            files[path] = store.blob(raw_id, limit=min(size_limit(path), left))
            left -= len(files[path])
        except BadObject as bad:
            faults.append(bad.about(path))
    return files, tuple(faults)
