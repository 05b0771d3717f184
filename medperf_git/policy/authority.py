"""Whose signatures each record needs: DESIGN's table as functions of the tree before.

Keys, thresholds and approvals come from the tree before the change; only the keys that a member record itself
introduces are taken from that record, and they merely prove possession. A retired member counts for nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain as joined
from typing import TypeAlias

from medperf_git.errors import MedperfGitError
from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.folds import association_state, member_state, newest_version, policy_state
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, record_at, stored_at
from medperf_git.signing.keys import PublicKey

Holder: TypeAlias = tuple[str, PublicKey]


@dataclass(frozen=True, slots=True)
class Need:
    """So many of these must sign: `count` distinct members with distinct keys, or `count` keys of one member."""

    who: str
    members: tuple[str, ...]
    count: int
    holders: tuple[tuple[str, PublicKey], ...]
    keys_of_one: bool = False


def needs_of(case: Case, stored: Stored) -> tuple[Need, ...]:
    """Return every need of one added record; a rule about its contents refuses it when nobody could sign it."""
    record = stored.record
    match record:
        case models.Registry():
            return tuple(_registry_needs(case, record))
        case models.Member():
            return tuple(_member_needs(case, record, stored))
        case models.Cube():
            return (_owner(case, record.member, 1),)
        case models.Dataset():
            return (_owner(case, record.member, _cosigning(case, record.member, "dataset")),)
        case models.Benchmark():
            return tuple(_benchmark_needs(case, record.ref))
        case models.Policy():
            return tuple(_policy_needs(case, record, stored))
        case models.Association():
            return tuple(_association_needs(case, record))
        case models.Result():
            owner = record.dataset.ref.member
            return (_owner(case, owner, _cosigning(case, owner, "result")),)
        case models.Notice():
            return tuple(_notice_needs(case, record))


def keys_in(member: models.Member, *, recovery: bool) -> Iterator[PublicKey]:
    """Yield the usable signing keys of a member record, and with `recovery` its recovery keys too."""
    for entry in joined(member.keys.signing, (member.keys.recovery or ()) if recovery else ()):
        try:
            yield PublicKey.from_record(entry.key)
        except MedperfGitError:
            continue  # the rule `key` reports it


def _holders(view: RecordView, members: Iterable[str], *, recovery: bool = False) -> tuple[Holder, ...]:
    found: list[Holder] = []
    for name in members:
        state = member_state(view, name)
        if state is not None and (recovery or state.status == "active"):
            found += [(name, key) for key in keys_in(state, recovery=recovery)]
    return tuple(found)


def _group(case: Case, who: str, members: Iterable[str], count: int) -> Need:
    names = tuple(dict.fromkeys(members))
    view = case.change.after if case.is_genesis else case.change.before
    return Need(who, names, count, _holders(view, names))


def _owner(case: Case, member: str, keys: int) -> Need:
    who = f"the owner {member}" + (f" with {keys} of its keys" if keys > 1 else "")
    return Need(who, (member,), keys, _holders(case.change.before, [member]), keys_of_one=True)


def _maintainers(case: Case, count: int | None = None) -> Need:
    registry = case.registry_before
    if registry is None:
        return Need("a maintainer", (), 1, ())
    wanted = registry.threshold if count is None else count
    return _group(case, "a maintainer" if wanted == 1 else f"{wanted} maintainers", registry.maintainers, wanted)


def _committee(case: Case, policy: models.Policy | None, count: int) -> Need:
    who = "a committee member" if count == 1 else f"{count} committee members"
    return _group(case, who, policy.committee if policy else (), count)


def _cosigning(case: Case, member: str, kind: str) -> int:
    state = member_state(case.change.before, member)
    wish = state.cosigning if state else None
    if wish is None:
        return 1
    return wish.dataset if kind == "dataset" else wish.result


def _registry_needs(case: Case, record: models.Registry) -> Iterator[Need]:
    if case.is_genesis:
        yield _group(case, "every maintainer", record.maintainers, len(record.maintainers))
        return
    yield _maintainers(case)
    yield _group(case, "the maintainers after the change", record.maintainers, record.threshold)


def _member_needs(case: Case, record: models.Member, stored: Stored) -> Iterator[Need]:
    old = member_state(case.change.before, record.member) if stored.place.number > 1 else None
    known = set(keys_in(old, recovery=True)) if old else set()
    if old is not None:
        yield Need(
            f"a key that {record.member} had before",
            (record.member,),
            1,
            _holders(case.change.before, [record.member], recovery=True),
        )
    elif not case.is_genesis:
        yield _maintainers(case, 1)
    for key in keys_in(record, recovery=True):
        if key not in known:
            yield Need(f"the new key {key.fingerprint}", (record.member,), 1, ((record.member, key),))


def _benchmark_needs(case: Case, benchmark: Ref) -> Iterator[Need]:
    first = record_at(case.change.after, layout.numbered(layout.policy_folder(benchmark), 1), models.Policy)
    yield _committee(case, first, first.thresholds.change if first else 1)
    older = newest_version(case.change.before, "benchmarks", benchmark.member, benchmark.name)
    if older is None:
        yield _owner(case, benchmark.member, 1)
        yield _maintainers(case, 1)
        return
    standing = policy_state(case.change.before, older)
    yield _committee(case, standing, standing.thresholds.change if standing else 1)


def _policy_needs(case: Case, record: models.Policy, stored: Stored) -> Iterator[Need]:
    if stored.place.number == 1:
        yield from _benchmark_needs(case, record.benchmark.ref)
        return
    standing = policy_state(case.change.before, record.benchmark.ref)
    yield _committee(case, standing, standing.thresholds.change if standing else 1)
    yield _committee(case, record, record.thresholds.change)


def _association_needs(case: Case, record: models.Association) -> Iterator[Need]:
    benchmark, subject = record.benchmark.ref, record.subject
    initiator = association_state(case.change.before, benchmark, subject.kind, subject.ref).initiator
    side = record.side
    if record.event == "approve" and initiator is not None:
        side = "committee" if initiator == "owner" else "owner"
    if record.event == "prioritise":
        side = "committee"
    if side == "owner":
        yield _owner(case, subject.ref.member, 1)
    else:
        policy = policy_state(case.change.before, benchmark)
        yield _committee(case, policy, policy.thresholds.events if policy else 1)


def _notice_needs(case: Case, record: models.Notice) -> Iterator[Need]:
    about = stored_at(case.change.before, record.record.path)
    if record.event in ("dispute", "resolve"):
        benchmark = about.record.benchmark.ref if about and isinstance(about.record, models.Result) else None
        policy = policy_state(case.change.before, benchmark) if benchmark else None
        yield _committee(case, policy, policy.thresholds.events if policy else 1)
    elif record.side == "maintainers":
        yield _maintainers(case)
    else:
        yield _notice_owner(case, about)


def _notice_owner(case: Case, about: Stored | None) -> Need:
    match about.record if about else None:
        case models.Benchmark() as benchmark:
            policy = policy_state(case.change.before, benchmark.ref)
            return _committee(case, policy, policy.thresholds.change if policy else 1)
        case models.Result() as result:
            owner = result.dataset.ref.member
            return _owner(case, owner, _cosigning(case, owner, "result"))
        case models.Dataset() as dataset:
            return _owner(case, dataset.member, _cosigning(case, dataset.member, "dataset"))
        case models.Cube() as cube:
            return _owner(case, cube.member, 1)
        case _:
            return Need("its owner", (), 1, ())
