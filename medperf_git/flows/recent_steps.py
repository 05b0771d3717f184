"""The last steps of main with the paths each added, for the news of a site."""

from dataclasses import dataclass

from medperf_git.records.times import format_time
from medperf_git.registry.objects import BadObject, Store
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

    A light copy brings the older history it lacks.
    """
    found: list[RecentStep] = []
    at: str | None = commit
    while at is not None and len(found) < most and store.find_commit(at):
        step = store.commit(at)
        parent = step.parents[0] if step.parents else None
        found.append(RecentStep(at, format_time(step.time), _added(store, step.tree, parent)))
        at = parent
    return tuple(found)


def _added(store: Store, tree: bytes, parent: str | None) -> tuple[str, ...]:
    try:
        before = store.commit(parent).tree if parent and store.find_commit(parent) else None
        return tuple(sorted(compare_trees(store, before, after=tree).added))
    except BadObject:
        return ()
