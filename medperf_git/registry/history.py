"""Walk the history of main: its first-parent line, and where a proposal left it.

Cost follows the distance walked: what is near the tip is found soon, and only what is not there walks to the root.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from medperf_git.records.findings import Finding
from medperf_git.registry.objects import BadObject, Store, is_commit_id

MAX_PROPOSAL_COMMITS = 1000

_NEAR = 2000


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a proposal left main; `linear` when every commit since has exactly one parent."""

    commit: str
    linear: bool


class FirstParentLine:
    """Guards the answers to "is this commit on the first-parent line of `tip`?", walked as far as asked."""

    def __init__(self, store: Store, tip: str) -> None:
        self._store = store
        self._seen = {tip}
        self._last = store.commit(tip)

    def __contains__(self, commit_id: str) -> bool:
        if commit_id in self._seen:
            return True
        if not (self._store.has_commit(commit_id) or (self._store.lacks_history and is_commit_id(commit_id))):
            return False
        try:
            while self._last.parents:  # steps that were set aside may bear any time, so none ends the search
                self._last = self._store.commit(self._last.parents[0])
                self._seen.add(self._last.id)
                if self._last.id == commit_id:
                    return True
        except BadObject:
            return False
        return False


def fork_point(store: Store, base: str, head: str) -> Fork | None:
    """Return where `head` left the history of `base`, or None where they are unrelated.

    The near case, a straight branch from the first-parent line, is found by walking both sides in step;
    all others by libgit2's merge base.
    """
    line, chain = {base}, {head}
    main: str | None = base
    branch = head
    for _ in range(_NEAR):
        if branch in line:
            return Fork(branch, linear=True)
        if main in chain:
            return Fork(main, linear=True)
        main = _first_parent(store, main)
        parents = store.commit(branch).parents
        if len(parents) == 1:
            branch = parents[0]
            chain.add(branch)
        elif main is None:
            break
        if main is not None:
            line.add(main)
    found = store.merge_base(base, head)
    return Fork(found, linear=False) if found else None


def history_faults(store: Store, base: str, head: str) -> Iterator[Finding]:
    """Find what the commits of `head` beyond `base` may not be: too many, or without a parent."""
    beyond = list(islice(store.iter_beyond(head, base), MAX_PROPOSAL_COMMITS + 1))
    if len(beyond) > MAX_PROPOSAL_COMMITS:
        message = f"the proposal has more than {MAX_PROPOSAL_COMMITS} commits"
        yield Finding("too-large", message, fix="propose the same files in one commit")
    elif any(not store.commit(commit_id).parents for commit_id in beyond):
        yield Finding("history", "the proposal brings in a second root commit", fix="base it on main alone")


def first_beyond(store: Store, base: str, head: str) -> str:
    """Return the oldest commit of a proposal that main lacks; `head` itself where main has all of it."""
    fork = fork_point(store, base, head)
    if fork is None or not fork.linear:
        beyond = list(store.iter_beyond(head, base))
        return beyond[-1] if beyond else head
    while head != fork.commit and store.commit(head).parents[0] != fork.commit:
        head = store.commit(head).parents[0]
    return head


def line_between(store: Store, tip: str, stop: str | None) -> bytearray:
    """Return the first-parent line from after `stop` up to `tip`, oldest first, 20 raw bytes a commit.

    `stop` None means from the root. LookupError: the line does not pass `stop`.
    """
    newest_first = bytearray()
    at: str | None = tip
    while at is not None and at != stop:
        newest_first += bytes.fromhex(at)
        at = _first_parent(store, at)
    if at != stop:
        raise LookupError(stop)
    line = bytearray(len(newest_first))
    for byte in range(20):
        line[byte::20] = newest_first[byte::20][::-1]
    return line


def iter_ids(line: bytearray) -> Iterator[str]:
    """Yield the commit ids of a line."""
    return (line[start : start + 20].hex() for start in range(0, len(line), 20))


def _first_parent(store: Store, commit_id: str | None) -> str | None:
    if commit_id is None:
        return None
    parents = store.commit(commit_id).parents
    return parents[0] if parents else None
