"""Make an invalid step of main harmless: by a step that restores exact bytes, or by a quarantine record.

Which of them heals, and where, follows from the steps up to there alone, so that all readers agree whatever came
later: the first step behind the invalid one that either has the tree of the last valid step, or brings a quarantine
record for it, with every step in between valid once what the invalid one added counts as absent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from medperf_git.policy.judge import judge as judge_by_policy
from medperf_git.policy.verdict import Outcome
from medperf_git.records.layout import QUARANTINE, Kind, place_of, split_bundle
from medperf_git.records.models import Quarantine
from medperf_git.records.record import read_record
from medperf_git.registry.changes import added_paths
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.standing import SOUND, Standing
from medperf_git.registry.steps import Judge, future_faults, judge_step

# What may count as absent without anybody's trust or a benchmark's terms hanging on it. All else is restored.
SET_ASIDE = frozenset({Kind.CUBE, Kind.DATASET, Kind.ASSOCIATION, Kind.RESULT, Kind.COMPARISON})
MOST_PATHS = 500


@dataclass(frozen=True, slots=True)
class Healing:
    """The step that heals, and how far behind the invalid one it is (0: the next)."""

    step: str
    place: int


def find_healing(
    store: Store, broken: str, later: Sequence[str], *, valid: str, judge: Judge = judge_by_policy, now: datetime | None
) -> Healing | None:
    """Return what makes the step `broken` harmless among the `later` steps of main, None when nothing does.

    `valid` is the last valid step before it.
    """
    good = store.commit(valid)
    paths = quarantinable(store, broken)
    for place, step in enumerate(later):
        try:
            commit = store.commit(step)
            if now is not None and any(future_faults(store, step, at=now)):
                return None
            if commit.tree == good.tree and commit.time >= good.time:
                return Healing(step, place)
            if paths and _quarantines(
                store, step, later[:place], standing=Standing(paths, {broken: paths}), judge=judge
            ):
                return Healing(step, place)
        except BadObject:
            return None
    return None


def quarantinable(store: Store, commit: str) -> frozenset[str] | None:
    """Return what a step added, when a quarantine record may set it aside; None when only exact bytes mend it.

    It may when the step added records of a few kinds, with their signatures, and did nothing else.
    """
    try:
        paths = added_paths(store, commit)
    except (BadObject, IndexError):
        return None
    if not paths or len(paths) > MOST_PATHS:
        return None
    for path in paths:
        bundle = split_bundle(path)
        place = place_of(bundle[0] if bundle else path)
        if place is None or place.kind not in SET_ASIDE or (bundle and bundle[0] not in paths):
            return None
    return paths


def standing_behind(store: Store, tip: str, *, broken: str) -> Standing:
    """Return how `tip` stands behind the invalid step `broken`: what a quarantine record would set aside.

    It names nothing when no quarantine record could heal main: then a step must restore exact bytes.
    """
    paths = quarantinable(store, broken)
    if not paths:
        return SOUND
    standing = Standing(paths, {broken: paths})
    steps = iter_ids(line_between(store, tip, broken))
    sound = all(judge_step(store, step, standing=Standing(paths)).outcome is Outcome.PASS for step in steps)
    return standing if sound else SOUND


def quarantines_in(added: dict[str, bytes]) -> Iterator[tuple[str, Quarantine]]:
    """Yield path and record of every readable quarantine record among added files."""
    for path in sorted(path for path in added if path.startswith(QUARANTINE + "/")):
        stored = read_record(path, added[path]).stored
        if stored is not None and isinstance(stored.record, Quarantine):
            yield path, stored.record


def _quarantines(store: Store, step: str, between: Sequence[str], *, standing: Standing, judge: Judge) -> bool:
    """Tell whether a step validly sets the pending one aside, and all steps before it are valid without it."""
    parent = store.commit(step).parents[:1]
    if not parent or Snapshot.at(store, step).names(QUARANTINE) == Snapshot.at(store, parent[0]).names(QUARANTINE):
        return False
    judgement = judge_step(store, step, judge=judge, standing=standing)
    brought = {record.commit for _, record in quarantines_in(dict(judgement.change.added))}
    if judgement.outcome is not Outcome.PASS or not brought & set(standing.pending):
        return False
    hidden = Standing(standing.hidden)
    return all(judge_step(store, one, judge=judge, standing=hidden).outcome is Outcome.PASS for one in between)
