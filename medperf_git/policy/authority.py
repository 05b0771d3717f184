"""Whose signatures each record needs: DESIGN's table as one tuple of rows.

Keys, thresholds and approvals come from the tree before the change; only the keys that a member record itself
introduces are taken from that record, and they merely prove possession. A retired member counts for nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain as joined
from typing import TypeAlias

from medperf_git.errors import MedperfGitError
from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.folds import association_state, marks_of, member_state, policy_state
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.times import parse_time
from medperf_git.records.view import R, chain, folders, record_at, stored_at, versions_of
from medperf_git.signing.keys import PublicKey

Holder: TypeAlias = tuple[str, PublicKey]


@dataclass(frozen=True, slots=True)
class Need:
    """So many of these must sign: `count` distinct members with distinct keys, or `count` keys of one member.

    `brought`: a key that a known member's record itself brings; it proves possession and gives no say.
    """

    who: str
    members: tuple[str, ...]
    count: int
    holders: tuple[Holder, ...]
    keys_of_one: bool = False
    brought: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: which records it is about, whose signatures they need, in words and as a function."""

    change: str
    signatures: str
    applies: Callable[[Case, Stored], bool]
    needs: Callable[[Case, Stored], Iterable[Need]]


def row_of(case: Case, stored: Stored) -> Row:
    """Return the row of the table that a record falls under; every record falls under one."""
    return next(row for row in AUTHORITY if row.applies(case, stored))


def needs_of(case: Case, stored: Stored) -> tuple[Need, ...]:
    """Return every need of one added record; a rule about its contents refuses it when nobody could sign it."""
    return tuple(row_of(case, stored).needs(case, stored))


def keys_in(member: models.Member, *, recovery: bool) -> Iterator[PublicKey]:
    """Yield the sound signing keys of a member record, and with `recovery` its recovery keys too."""
    yield from _all_in(member.keys, recovery=recovery)


def _all_in(keys: models.Keys, *, recovery: bool) -> Iterator[PublicKey]:
    for entry in joined(keys.signing, (keys.recovery or ()) if recovery else ()):
        yield from _sound(entry)


def _sound(entry: models.KeyEntry) -> Iterator[PublicKey]:
    with suppress(MedperfGitError):  # the rule `key` reports it
        yield PublicKey.from_record(entry.key)


def _holders(case: Case, members: Iterable[str], *, update: bool = False) -> tuple[Holder, ...]:
    """Return who may sign at the time of the step.

    For an `update` of a member recovery keys count too, and those of a retired one.
    """
    found: list[Holder] = []
    for name in members:
        state = member_state(case.change.after if case.is_genesis else case.change.before, name)
        if state is not None and (update or state.status == "active"):
            entries = (*state.keys.signing, *((state.keys.recovery or ()) if update else ()))
            found += [(name, key) for key in _usable(case, entries)]
    return tuple(found)


def _usable(case: Case, entries: Iterable[models.KeyEntry]) -> Iterator[PublicKey]:
    """Yield the sound keys that have not expired."""
    for entry in entries:
        if entry.expires is None or (_time(entry.expires) or case.change.at) > case.change.at:
            yield from _sound(entry)


def _time(text: str) -> datetime | None:
    try:
        return parse_time(text)
    except ValueError:  # the rule `key` reports it; such a key never counts
        return None


def _group(case: Case, who: str, members: Iterable[str], *, count: int) -> Need:
    names = tuple(dict.fromkeys(members))
    return Need(who, names, count, _holders(case, names))


def _owner(case: Case, member: str, *, kind: str = "") -> Need:
    keys = _cosigning(case, member, kind)
    who = f"the owner {member}" + (f" with {keys} of its keys" if keys > 1 else "")
    return Need(who, (member,), keys, _holders(case, [member]), keys_of_one=True)


def _cosigning(case: Case, member: str, kind: str) -> int:
    state = member_state(case.change.before, member)
    return int(getattr(state.cosigning if state else None, kind, 1))


def _maintainers(case: Case, count: int | None = None) -> Need:
    registry = case.registry_before
    wanted = count or (registry.threshold if registry else 1)
    who = "a maintainer" if wanted == 1 else f"{wanted} maintainers"
    return _group(case, who, registry.maintainers if registry else (), count=wanted)


def _committee(case: Case, policy: models.Policy | None, threshold: str) -> Need:
    count = int(getattr(policy.thresholds, threshold)) if policy else 1
    who = "a committee member" if count == 1 else f"{count} committee members"
    return _group(case, who, policy.committee if policy else (), count=count)


def _speaker(case: Case, name: str) -> Need:
    """Nobody speaks in another's name: who a record says it is `by` signs it."""
    return Need(f"{name}, in whose name it is", (name,), 1, _holders(case, [name]), keys_of_one=True)


def _genesis_needs(case: Case, stored: Stored) -> Iterator[Need]:
    if isinstance(stored.record, models.Registry):
        names = stored.record.maintainers
        yield _group(case, "every maintainer", names, count=len(names))
    else:
        yield from _possession(case, stored)


def _registry_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = _as(stored, models.Registry)
    yield _maintainers(case)
    yield _group(case, "the maintainers after the change", record.maintainers, count=record.threshold)


def _quarantine_needs(case: Case, _: Stored) -> Iterator[Need]:
    yield _maintainers(case)


def _possession(case: Case, stored: Stored) -> Iterator[Need]:
    """Every key that a member record brings and the member did not have just before signs it."""
    record = stored.record
    if not isinstance(record, models.Member):
        return  # a genesis that brings other records is refused by the rule `genesis`
    old = member_state(case.change.before, record.member)
    known = set(keys_in(old, recovery=True)) if old else set()
    known.update(_all_in(old.pending, recovery=True) if old and old.pending else ())  # proved when they were announced
    brought = joined(keys_in(record, recovery=True), _all_in(record.pending, recovery=True) if record.pending else ())
    for key in brought:
        if key not in known:
            who = f"the new key {key.fingerprint}"
            brings = old is not None and record.pending is None  # who lost every key asks like somebody new
            yield Need(who, (record.member,), 1, ((record.member, key),), brought=brings)


def _new_member_needs(case: Case, stored: Stored) -> Iterator[Need]:
    yield _maintainers(case, 1)
    yield from _possession(case, stored)


def _update_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = _as(stored, models.Member)
    name, old = record.member, member_state(case.change.before, record.member)
    yield Need(f"a key that {name} had before", (name,), 1, _holders(case, [name], update=True))
    if old is not None and _lowers(old, record):
        yield _recovery_or_maintainer(case, old)
    yield from _possession(case, stored)


def _lowers(old: models.Member, new: models.Member) -> bool:
    """Tell whether an update lowers what protects a member from a thief of one signing key."""
    was, now = old.cosigning or models.Cosigning(), new.cosigning or models.Cosigning()
    several = max(was.dataset, was.result) > 1
    before = {entry.key: entry for entry in old.keys.signing}
    added = any(entry.key not in before for entry in new.keys.signing)
    longer = any(_outlives(entry, before[entry.key]) for entry in new.keys.signing if entry.key in before)
    return (
        now.dataset < was.dataset
        or now.result < was.result
        or (old.keys.recovery != new.keys.recovery and bool(old.keys.recovery or several))
        or (added and several)
        or longer
        or len(new.revoked or ()) > len(old.revoked or ())
        or (new.status, old.status) == ("retired", "active")
        or (old.pending is not None and bool(old.keys.recovery))  # ends the maintainers' announcement
    )


def _outlives(new: models.KeyEntry, old: models.KeyEntry) -> bool:
    """Tell whether a key ends later than it did; an end that is no time might be any."""
    if old.expires is None or new.expires == old.expires:
        return False
    then, before = _time(new.expires or ""), _time(old.expires)
    return then is None or before is None or then > before


def _recovery_or_maintainer(case: Case, old: models.Member) -> Need:
    registry = case.registry_before
    maintainers = registry.maintainers if registry else ()
    own = tuple((old.member, key) for key in _usable(case, old.keys.recovery or ()))
    who = f"a recovery key of {old.member}, or a maintainer, because it lowers what protects that member"
    return Need(who, tuple(dict.fromkeys((old.member, *maintainers))), 1, (*own, *_holders(case, maintainers)))


def _announced_needs(case: Case, stored: Stored) -> Iterator[Need]:
    yield _maintainers(case)
    yield from _possession(case, stored)


def _recovered_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = _as(stored, models.Member)
    old = member_state(case.change.before, record.member)
    announced = _all_in(old.pending, recovery=False) if old and old.pending else ()
    holders = tuple((record.member, key) for key in announced)
    yield Need(f"a key announced for {record.member}", (record.member,), 1, holders)
    yield from _possession(case, stored)


def _return_needs(case: Case, stored: Stored) -> Iterator[Need]:
    yield _maintainers(case, 1)
    yield from _update_needs(case, stored)


def _owned_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = stored.record
    owned = record if isinstance(record, models.Cube) else _as(stored, models.Dataset)
    yield _owner(case, owned.member, kind=str(owned.KIND))
    if isinstance(owned, models.Dataset) and (twin := _same_content(case, owned)):
        yield replace(_maintainers(case, 1), who=f"a maintainer, because {twin} has the same content")


def _same_content(case: Case, dataset: models.Dataset) -> Ref | None:
    """Return another dataset of the same owner with the same content: its results could be chosen from both."""
    for name in folders(case.change.before, f"datasets/{dataset.member}"):
        for ref in versions_of(case.change.before, "datasets", member=dataset.member, name=name):
            other = record_at(case.change.before, layout.dataset_path(ref), models.Dataset)
            if other is not None and other.content == dataset.content:
                return ref
    return None


def _as(stored: Stored, model: type[R]) -> R:
    """Return the record as what its row says it is."""
    if not isinstance(stored.record, model):
        raise TypeError(f"{stored.path} is no {model.KIND}")
    return stored.record


def _benchmark_of(stored: Stored) -> Ref:
    record = stored.record
    return record.ref if isinstance(record, models.Benchmark) else _as(stored, models.Policy).benchmark.ref


def _older(case: Case, benchmark: Ref) -> Ref | None:
    """Return the newest merged version, withdrawn or not: a name never falls free."""
    view = case.change.before
    versions = versions_of(view, "benchmarks", member=benchmark.member, name=benchmark.name)
    return next((one for one in reversed(versions) if view.blob(layout.benchmark_path(one)) is not None), None)


def _first_committee(case: Case, benchmark: Ref) -> Need:
    path = layout.numbered(layout.policy_folder(benchmark), 1)
    return _committee(case, record_at(case.change.after, path, models.Policy), "change")


def _new_benchmark_needs(case: Case, stored: Stored) -> Iterator[Need]:
    benchmark = _benchmark_of(stored)
    yield _first_committee(case, benchmark)
    yield _owner(case, benchmark.member)
    yield _maintainers(case, 1)


def _next_benchmark_needs(case: Case, stored: Stored) -> Iterator[Need]:
    benchmark = _benchmark_of(stored)
    older = _older(case, benchmark)
    yield _first_committee(case, benchmark)
    yield _committee(case, policy_state(case.change.before, older) if older else None, "change")


def _policy_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = _as(stored, models.Policy)
    before = _committee(case, policy_state(case.change.before, record.benchmark.ref), "change")
    able = {member for member, _ in before.holders}
    yield (
        before
        if len(able) >= before.count
        else replace(
            _maintainers(case), who="the threshold of maintainers, because the committee cannot decide any more"
        )
    )
    yield _committee(case, record, "change")


def _association_needs(case: Case, stored: Stored) -> Iterator[Need]:
    event = _as(stored, models.Association)
    owner, policy = event.subject.ref.member, policy_state(case.change.before, event.benchmark.ref)
    if _side_that_signs(case, event) == "owner":
        yield _owner(case, owner)
        return
    yield _committee(case, policy, "events")
    yield _speaker(case, event.by)
    others = [name for name in policy.committee if name != owner] if policy else []
    if event.event in ("request", "approve") and policy and others and owner in policy.committee:
        yield _group(case, f"a committee member other than {owner}, whose it is", others, count=1)


def _side_that_signs(case: Case, event: models.Association) -> str:
    if event.event == "prioritise":
        return "committee"
    if event.event == "approve":
        state = association_state(case.change.before, event.benchmark.ref, event.subject.kind, event.subject.ref)
        return "owner" if state.initiator == "committee" else "committee"
    return event.side


def _result_needs(case: Case, stored: Stored) -> Iterator[Need]:
    record = stored.record
    about = record if isinstance(record, models.Comparison) else _as(stored, models.Result)
    yield _owner(case, about.dataset.ref.member, kind="result")
    last = chain(case.change.before, stored.place.folder)[-1:]
    if last and marks_of(case.change.before, last[0].path).withdrawn_by == "maintainers":
        yield replace(_maintainers(case, 1), who="a maintainer, because maintainers withdrew the one before it")


def _dispute_needs(case: Case, stored: Stored) -> Iterator[Need]:
    notice = _as(stored, models.Notice)
    about = stored_at(case.change.before, notice.record.path)
    record = about.record if about else None
    benchmark = record.benchmark.ref if isinstance(record, models.Result | models.Comparison) else None
    yield _committee(case, policy_state(case.change.before, benchmark) if benchmark else None, "events")
    yield _speaker(case, notice.by)


def _maintainer_notice_needs(case: Case, stored: Stored) -> Iterator[Need]:
    yield _maintainers(case)
    yield _speaker(case, _as(stored, models.Notice).by)


def _owner_notice_needs(case: Case, stored: Stored) -> Iterator[Need]:
    notice = _as(stored, models.Notice)
    about = stored_at(case.change.before, notice.record.path)
    match about.record if about else None:
        case models.Benchmark() as benchmark:
            yield _committee(case, policy_state(case.change.before, benchmark.ref), "change")
            yield _speaker(case, notice.by)
        case models.Result() | models.Comparison() as result:
            yield _owner(case, result.dataset.ref.member, kind="result")
        case models.Dataset() | models.Cube() as owned:
            yield _owner(case, owned.member, kind=str(owned.KIND))
        case _:
            yield Need("its owner", (), 1, ())


def _is_new(case: Case, stored: Stored) -> bool:
    return not chain(case.change.before, stored.place.folder)


def _announces(_: Case, stored: Stored) -> bool:
    return isinstance(stored.record, models.Member) and stored.record.pending is not None


def _puts_in_force(_: Case, stored: Stored) -> bool:
    return isinstance(stored.record, models.Member) and stored.record.recovered is not None


def _is_return(case: Case, stored: Stored) -> bool:
    old = member_state(case.change.before, getattr(stored.record, "member", ""))
    return old is not None and old.status == "retired"


def _is(*kinds: type[models.Record]) -> Callable[[Case, Stored], bool]:
    return lambda _, stored: isinstance(stored.record, kinds)


def _brings_benchmark(_: Case, stored: Stored) -> bool:
    record = stored.record
    return isinstance(record, models.Benchmark) or (isinstance(record, models.Policy) and stored.place.number == 1)


def _event(*events: str) -> Callable[[Case, Stored], bool]:
    return lambda _, stored: getattr(stored.record, "event", "") in events


AUTHORITY: tuple[Row, ...] = (
    Row(
        "genesis",
        "every maintainer signs the registry record; every key of a founding member signs its member record",
        lambda case, _: case.is_genesis,
        _genesis_needs,
    ),
    Row(
        "registry update",
        "the threshold of maintainers before, and the threshold of maintainers after",
        _is(models.Registry),
        _registry_needs,
    ),
    Row("quarantine", "the threshold of maintainers", _is(models.Quarantine), _quarantine_needs),
    Row(
        "new member",
        "each of its keys, and one maintainer",
        lambda case, stored: isinstance(stored.record, models.Member) and _is_new(case, stored),
        _new_member_needs,
    ),
    Row(
        "new keys announced for a member who lost every key",
        "the threshold of maintainers, and each announced key",
        _announces,
        _announced_needs,
    ),
    Row(
        "announced keys put in force",
        "an announced key, after the waiting period",
        _puts_in_force,
        _recovered_needs,
    ),
    Row(
        "return of a retired member",
        "one signing or recovery key it had before, each new key, and one maintainer",
        lambda case, stored: isinstance(stored.record, models.Member) and _is_return(case, stored),
        _return_needs,
    ),
    Row(
        "member update",
        "one signing or recovery key active before, and each new key; what lowers the member's protection "
        "(ADR 6) also a recovery key it had before, or one maintainer",
        _is(models.Member),
        _update_needs,
    ),
    Row(
        "cube or dataset, a new version of them",
        "the member that owns the name; for a dataset with as many of its keys as it wishes, and one maintainer where "
        "another dataset of that member has the same content",
        _is(models.Cube, models.Dataset),
        _owned_needs,
    ),
    Row(
        "new benchmark with its first policy",
        "the `change` threshold of its committee, the member that owns the name, and one maintainer",
        lambda case, stored: _brings_benchmark(case, stored) and _older(case, _benchmark_of(stored)) is None,
        _new_benchmark_needs,
    ),
    Row(
        "next version of a benchmark with its first policy",
        "the `change` threshold of its committee, and of the committee of the version before",
        _brings_benchmark,
        _next_benchmark_needs,
    ),
    Row(
        "later policy",
        "the `change` threshold of the committee before (the threshold of maintainers where too few of it are active "
        "members), and of the committee after",
        _is(models.Policy),
        _policy_needs,
    ),
    Row(
        "association request",
        "the owner of the dataset or model, or the committee's `events` threshold (an invitation); an invitation of "
        "something that a committee member owns also needs another committee member",
        lambda _, stored: isinstance(stored.record, models.Association) and stored.record.event == "request",
        _association_needs,
    ),
    Row(
        "approval",
        "the side that did not ask; of something that a committee member owns also another committee member",
        lambda _, stored: isinstance(stored.record, models.Association) and stored.record.event == "approve",
        _association_needs,
    ),
    Row(
        "rejection or withdrawal of an association",
        "either side, the committee with its `events` threshold",
        lambda _, stored: isinstance(stored.record, models.Association) and stored.record.event != "prioritise",
        _association_needs,
    ),
    Row("priority", "the committee's `events` threshold", _is(models.Association), _association_needs),
    Row(
        "result, comparison",
        "the owner of the dataset, with as many of its keys as it wishes for results; one maintainer where maintainers "
        "withdrew the one before it",
        _is(models.Result, models.Comparison),
        _result_needs,
    ),
    Row("dispute, resolve", "the committee's `events` threshold", _event("dispute", "resolve"), _dispute_needs),
    Row(
        "withdraw, reinstate somebody else's record",
        "the threshold of maintainers",
        lambda _, stored: getattr(stored.record, "side", "") == "maintainers",
        _maintainer_notice_needs,
    ),
    Row(
        "withdraw, reinstate one's own record",
        "its owner; of a benchmark the `change` threshold of its committee",
        _is(models.Notice),
        _owner_notice_needs,
    ),
)
