"""Many records → as few proposals as the registry's limits allow."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from medperf_git.flows.decisions import Decision
from medperf_git.flows.propose import Draft
from medperf_git.records.models import Limits
from medperf_git.records.record import write_record

T = TypeVar("T")
_BUNDLE = 1600  # bytes of a signature, without the record's path, which it holds in base64


def split_decisions(decisions: Iterable[Decision], limits: Limits) -> list[list[Decision]]:
    """Return the decisions in order, as many in each part as one proposal may hold with all its signatures.

    A decision that is too large by itself is a part of its own, and the judge says so.
    """
    return _split(decisions, limits, lambda one: _cost(one.draft, one.signatures))


def split_drafts(drafts: Iterable[Draft], limits: Limits, *, signatures: int = 1) -> list[list[Draft]]:
    """Return records that do not need one another in order, as many in each part as one proposal may hold."""
    return _split(drafts, limits, lambda one: _cost(one, signatures))


def _split(items: Iterable[T], limits: Limits, cost: Callable[[T], tuple[int, int]]) -> list[list[T]]:
    parts: list[list[T]] = []
    files = size = 0
    for one in items:
        more_files, more_size = cost(one)
        fits = files + more_files <= limits.proposal_files and size + more_size <= limits.proposal_bytes
        if not parts or not fits:
            parts.append([])
            files = size = 0
        parts[-1].append(one)
        files, size = files + more_files, size + more_size
    return parts


def say_parts(parts: Sequence[Sequence[object]], limits: Limits, *, what: str = "decision") -> str:
    """Say into how many proposals records are split, and why; empty for one."""
    if len(parts) < 2:
        return ""
    count = sum(map(len, parts))
    return (
        f"{count} {what}s go in {len(parts)} proposals: this registry takes at most {limits.proposal_files} files "
        f"and {limits.proposal_bytes} bytes in one, and each {what} is a record with its signatures"
    )


def _cost(draft: Draft, signatures: int) -> tuple[int, int]:
    """Return the files and bytes of a record with its signatures."""
    bundle = _BUNDLE + 2 * len(draft.path)
    return 1 + signatures, len(write_record(draft.record)) + signatures * bundle
