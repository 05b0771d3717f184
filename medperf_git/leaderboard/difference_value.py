"""What a change does to the rankings, as plain values for JSON."""

from dataclasses import fields
from typing import Any

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Score
from medperf_git.leaderboard.difference import (
    BenchmarkDifference,
    CellChange,
    Coverage,
    Difference,
    First,
    Shift,
    Spot,
    rounded,
)


def difference_value(difference: Difference) -> dict[str, Any]:
    """Return a difference for `--json`; what is not there is null."""
    return {
        "ranking_changes": difference.moves_ranking,
        "benchmarks": [_benchmark(one) for one in difference.benchmarks],
        "same": difference.same,
        "left": [{"benchmark": str(ref), "reason": reason} for ref, reason in difference.left],
    }


def _benchmark(one: BenchmarkDifference) -> dict[str, Any]:
    return {
        "benchmark": str(one.ref),
        "title": one.title,
        "fate": str(one.fate),
        "beside": one.beside or None,
        "ranking_changes": one.moves_ranking,
        "headline": dict(zip(("before", "after"), one.headline, strict=True)),
        "first": dict(zip(("before", "after"), map(_first, one.first), strict=True)),
        "models": [_shift(shift) for shift in one.shifts],
        "coverage": dict(zip(("before", "after"), map(_coverage, one.coverage), strict=True)),
        "models_listed": {str(ref): str(fate) for ref, fate in one.models.items()},
        "sites_listed": {str(ref): str(fate) for ref, fate in one.sites.items()},
        "results": [_cell(change) for change in one.cells],
        "rules": [{"what": fact.name, "before": fact.before, "after": fact.after} for fact in one.facts],
        "comparisons_added": one.comparisons,
    }


def _first(first: First) -> dict[str, list[str]]:
    return {
        "first": [str(ref) for ref, _ in first.leaders],
        "cannot_be_told_from_first": [str(ref) for ref, _ in first.group],
    }


def _coverage(coverage: Coverage | None) -> dict[str, int] | None:
    return {one.name: getattr(coverage, one.name) for one in fields(Coverage)} if coverage else None


def _shift(shift: Shift) -> dict[str, Any]:
    sides = {"before": _spot(shift.before), "after": _spot(shift.after)}
    return {"model": str(shift.model), "title": shift.title, "move": str(shift.move), **sides}


def _spot(spot: Spot | None) -> dict[str, Any] | None:
    if spot is None:
        return None
    return {
        "rank": spot.rank,
        "of": spot.of,
        "ranks_without_a_site": list(spot.without) if spot.without else None,
        "ranks_by_tests": list(spot.tested) if spot.tested else None,
        "not_ranked_because": spot.unranked or None,
        "cannot_be_told_from_first": spot.beside_first,
        "scores": [_score(score) for score in spot.scores],
    }


def _score(score: Score) -> dict[str, Any]:
    interval = score.interval if isinstance(score.interval, un.Interval) else None
    return {
        "metric": score.metric.id,
        "score": rounded(score.value),
        "interval": {
            "kind": interval.kind.value,
            "low": rounded(interval.low),
            "high": rounded(interval.high),
            "sites": interval.sites,
        }
        if interval
        else None,
    }


def _cell(change: CellChange) -> dict[str, Any]:
    return {
        "model": str(change.model),
        "dataset": str(change.dataset),
        "event": str(change.event),
        "state": str(change.state),
        "reason": change.reason or None,
        "result": change.result,
        "replaces": change.replaces or None,
    }
