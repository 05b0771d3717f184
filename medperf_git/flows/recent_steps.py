"""The last steps of main with the paths each added, for the news of a site."""

from dataclasses import dataclass

from medperf_git.records.times import format_time
from medperf_git.registry.batches import prefetch_changes
from medperf_git.registry.objects import BadObject, Commit, Store
from medperf_git.registry.trees import compare_trees

MOST = 50


@dataclass(frozen=True, slots=True)
class RecentStep:
    """One step of main; `paths` are those it added, sorted. A `leaderboard.steps.Step`."""

    commit: str
    time: str
    paths: tuple[str, ...]


def recent_steps(store: Store, commit: str, *, most: int = MOST) -> tuple[RecentStep, ...]:
    """Return the last first-parent steps up to `commit`, the newest first; a step too large to look at adds nothing.

    A light copy brings what it lacks: older history, and what the steps differ in, all of them together.
    """
    line = _line(store, commit, most + 1)
    older = line[1:]
    pairs = [(older[at].tree if at < len(older) else None, step.tree) for at, step in enumerate(line[:most])]
    if store.supply is not None:
        prefetch_changes(store, pairs)
    return tuple(
        RecentStep(step.id, format_time(step.time), _added(store, before, after))
        for step, (before, after) in zip(line, pairs, strict=False)
    )


def _line(store: Store, commit: str, most: int) -> list[Commit]:
    found: list[Commit] = []
    at: str | None = commit
    while at is not None and len(found) < most and store.find_commit(at):
        found.append(store.commit(at))
        at = next(iter(found[-1].parents), None)
    return found


def _added(store: Store, before: bytes | None, after: bytes) -> tuple[str, ...]:
    try:
        return tuple(sorted(compare_trees(store, before, after=after).added))
    except BadObject:
        return ()
