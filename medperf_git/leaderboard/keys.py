"""The public keys of a member, and for how long each is good, from the chain of its records.

Rules kept here: a key is named by its fingerprint; encryption keys have none, and are shown whole (they are public).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medperf_git.leaderboard.reading import fingerprint_of
from medperf_git.records.models import KeyEntry, Member

_REASONS = {
    "stolen": "it was in wrong hands",
    "lost": "it was lost",
    "left": "its holder left",
    "other": "for a reason not told",
}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key: what it is for, how it is called, from when and until when it stands."""

    use: str
    name: str
    since: str
    until: str
    stands: str
    good: bool


def key_lines(records: Sequence[Member]) -> tuple[KeyLine, ...]:
    """List every key a member ever had, in the order of use and of first appearance; `records` oldest first."""
    first: dict[tuple[str, str], Member] = {}
    for record in records:
        for use, entry in _entries(record):
            first.setdefault((use, entry.key), record)
    order = ("signing", "recovery", "encryption")
    keys = sorted(first, key=lambda item: order.index(item[0]))
    return tuple(_line(use, key, first[use, key], records) for use, key in keys)


def _entries(record: Member) -> Iterator[tuple[str, KeyEntry]]:
    for use in ("signing", "recovery", "encryption"):
        for entry in getattr(record.keys, use) or ():
            yield use, entry


def _line(use: str, key: str, since: Member, records: Sequence[Member]) -> KeyLine:
    latest = records[-1]
    now = next((entry for kind, entry in _entries(latest) if (kind, entry.key) == (use, key)), None)
    revoked = next((one for one in latest.revoked or () if one.key == key), None)
    name = key if use == "encryption" else fingerprint_of(key) or key
    if revoked is not None:
        stands = f"revoked: {_REASONS[revoked.reason]}, since the step {revoked.since[:12]}"
        return KeyLine(use, name, since.created, "", stands, good=False)
    if now is None:
        later = records[records.index(since) + 1 :]
        gone = next(record for record in later if (use, key) not in _names(record))
        return KeyLine(use, name, since.created, gone.created, "replaced", good=False)
    stands = "valid" if latest.status == "active" else "its member has retired"
    return KeyLine(use, name, since.created, now.expires or "", stands, good=latest.status == "active")


def _names(record: Member) -> set[tuple[str, str]]:
    return {(use, entry.key) for use, entry in _entries(record)}
