"""Many decisions → as few proposals as the registry's limits allow."""

from collections.abc import Iterable, Sequence

from medperf_git.flows.decisions import Decision
from medperf_git.records.models import Limits
from medperf_git.records.record import write_record

_BUNDLE = 1600  # bytes of a signature, without the record's path, which it holds in base64


def split_decisions(decisions: Iterable[Decision], limits: Limits) -> list[list[Decision]]:
    """Return the decisions in order, as many in each part as one proposal may hold with all its signatures.

    A decision that is too large by itself is a part of its own, and the judge says so.
    """
    parts: list[list[Decision]] = []
    files = size = 0
    for one in decisions:
        more_files, more_size = 1 + one.signatures, _bytes(one)
        fits = files + more_files <= limits.proposal_files and size + more_size <= limits.proposal_bytes
        if not parts or not fits:
            parts.append([])
            files = size = 0
        parts[-1].append(one)
        files, size = files + more_files, size + more_size
    return parts


def say_parts(parts: Sequence[Sequence[Decision]], limits: Limits) -> str:
    """Say into how many proposals decisions are split, and why; empty for one."""
    if len(parts) < 2:
        return ""
    count = sum(map(len, parts))
    return (
        f"{count} decisions go in {len(parts)} proposals: this registry takes at most {limits.proposal_files} files "
        f"and {limits.proposal_bytes} bytes in one, and each decision is a record with its signatures"
    )


def _bytes(one: Decision) -> int:
    bundle = _BUNDLE + 2 * len(one.draft.path)
    return len(write_record(one.draft.record)) + one.signatures * bundle
