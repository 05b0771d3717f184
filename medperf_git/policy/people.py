"""Rules about members and the keys that speak for them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from medperf_git.errors import MedperfGitError
from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.findings import Finding
from medperf_git.records.folds import member_state, members, registry_state
from medperf_git.records.record import Stored
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import chain
from medperf_git.signing.age import check_recipient
from medperf_git.signing.keys import PublicKey


def check_keys(case: Case) -> Iterator[Finding]:
    """Refuse keys that are no sound Ed25519 keys, or that the registry has seen before."""
    if not any(case.of(models.Member)):
        return
    seen = _keys_of_all(case)
    for stored, member in case.of(models.Member):
        given_up = _given_up(case, member.member)
        for pointer, line in _lines(member):
            if fault := _key_fault(line, pointer):
                yield Finding("key", fault.message, path=stored.path, pointer=pointer, fix=fault.hint)
            # Encryption keys prove no possession: who copies one must not keep its holder out.
            holders = set() if "/encryption/" in pointer else seen.get(line, set()) - {member.member}
            if holders:
                who = ", ".join(sorted(holders))
                fix = "use a key that nobody has used here; `medperf-git key new` makes one"
                yield Finding("key", f"this key is already used by {who}", path=stored.path, pointer=pointer, fix=fix)
            if line in given_up:
                message, fix = "this key was given up before and never comes back", "make a new one: key new"
                yield Finding("key", message, path=stored.path, pointer=pointer, fix=fix)
        for pointer, text in _ends(member):
            if wrong := fault_of_time(text):
                yield Finding("key", wrong, path=stored.path, pointer=pointer, fix="write a time that exists")


def _key_fault(line: str, pointer: str) -> MedperfGitError | None:
    try:
        check_recipient(line) if "/encryption/" in pointer else PublicKey.from_record(line)
    except MedperfGitError as error:
        return error
    return None


def fault_of_time(text: str) -> str:
    """Say what is wrong with a time; empty when nothing is."""
    try:
        parse_time(text)
    except ValueError as error:
        return str(error)
    return ""


def _given_up(case: Case, name: str) -> set[str]:
    """Return the keys that a member had once and has no longer."""
    links = [link.record for link in chain(case.change.before, layout.member_folder(name))]
    lines = [{line for _, line in _lines_in(link.keys, "/keys")} for link in links if isinstance(link, models.Member)]
    return set().union(*lines) - lines[-1] if lines else set()


def _keys_of_all(case: Case) -> dict[str, set[str]]:
    """Return every key that any member has ever had, with its holders, the added records included."""
    seen: dict[str, set[str]] = {}
    registry = registry_state(case.change.after)
    if registry is not None and registry.checkpoint is not None:
        seen[registry.checkpoint.key] = {"the registry's checkpoints"}
    for name in members(case.change.after):
        for link in chain(case.change.after, layout.member_folder(name)):
            if isinstance(link.record, models.Member):
                for _, line in _lines(link.record):
                    seen.setdefault(line, set()).add(name)
    return seen


def _lines(member: models.Member) -> Iterator[tuple[str, str]]:
    yield from _lines_in(member.keys, "/keys")
    if member.pending is not None:
        yield from _lines_in(member.pending, "/pending")


def _lines_in(keys: models.Keys, where: str) -> Iterator[tuple[str, str]]:
    yield from ((f"{pointer}/key", entry.key) for pointer, entry in _entries(keys, where))


def _ends(member: models.Member) -> Iterator[tuple[str, str]]:
    for keys, where in ((member.keys, "/keys"), (member.pending, "/pending")):
        for pointer, entry in _entries(keys, where) if keys else ():
            if entry.expires is not None:
                yield f"{pointer}/expires", entry.expires


def _entries(keys: models.Keys, where: str) -> Iterator[tuple[str, models.KeyEntry]]:
    for use in ("signing", "recovery", "encryption"):
        for number, entry in enumerate(getattr(keys, use) or ()):
            yield f"{where}/{use}/{number}", entry


def check_checkpoint_key(case: Case) -> Iterator[Finding]:
    """Refuse a checkpoint key that is unsound or a member's: it vouches for freshness and for nothing else."""
    for stored, registry in case.of(models.Registry):
        if registry.checkpoint is None:
            continue
        line, pointer = registry.checkpoint.key, "/checkpoint/key"
        if fault := _key_fault(line, pointer):
            yield Finding("checkpoint-key", fault.message, path=stored.path, pointer=pointer, fix=fault.hint)
        members_with = {name for name, lines in _keys_by_member(case).items() if line in lines}
        if members_with:
            message = f"this key is {', '.join(sorted(members_with))}'s"
            fix = "make a key of its own for checkpoints: `medperf-git key new`"
            yield Finding("checkpoint-key", message, path=stored.path, pointer=pointer, fix=fix)


def _keys_by_member(case: Case) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in members(case.change.after):
        links = chain(case.change.after, layout.member_folder(name))
        records = [link.record for link in links if isinstance(link.record, models.Member)]
        found[name] = {line for record in records for _, line in _lines(record)}
    return found


def check_revocations(case: Case) -> Iterator[Finding]:
    """Refuse revocations that vanish, name a key that was never the member's or still is, or a step not on main."""
    for stored, member in case.of(models.Member):
        links = [link.record for link in chain(case.change.before, layout.member_folder(member.member))]
        past = [link for link in links if isinstance(link, models.Member)]
        standing = (past[-1].revoked or ()) if past else ()
        now = member.revoked or ()
        if now[: len(standing)] != standing:
            message, fix = "a revocation that stands never vanishes or changes", "keep the earlier entries first"
            yield Finding("revocation", message, path=stored.path, pointer="/revoked", fix=fix)
            continue
        once = {line for link in past for _, line in _lines_in(link.keys, "/keys")}
        held = {line for _, line in _lines(member)}
        for number, entry in enumerate(now[len(standing) :], start=len(standing)):
            pointer = f"/revoked/{number}"
            for wrong, where, message, fix in (
                (entry.key not in once, "key", "this key was never the member's", "name a key of the member"),
                (entry.key in held, "key", "a revoked key cannot stay a key", "take it out of the keys"),
                (entry.since not in case.change.history, "since", "this is no step of main", "name a step of main"),
            ):
                if wrong:
                    yield Finding("revocation", message, path=stored.path, pointer=f"{pointer}/{where}", fix=fix)


def check_recovery(case: Case) -> Iterator[Finding]:
    """Refuse new keys for a member who lost every key without announcement and waiting, and what else hides there."""
    for stored, member in case.of(models.Member):
        old = member_state(case.change.before, member.member)
        for pointer, message, fix in _recovery_faults(case, stored, member, old):
            yield Finding("recovery", message, path=stored.path, pointer=pointer, fix=fix)


def _recovery_faults(
    case: Case, stored: Stored, member: models.Member, old: models.Member | None
) -> Iterator[tuple[str, str, str]]:
    if old is None:
        if member.pending or member.recovered:
            yield "/pending", "a new member has lost no key", "bring the keys as `keys`"
        return
    if member.pending is not None:
        if old.pending is not None:
            yield "/pending", "new keys are announced already", "wait, or end it with an update without `pending`"
        elif replace(member, pending=None) != _renewed(old, member):
            yield "/pending", "an announcement changes nothing else", "leave the rest as it was"
    elif member.recovered is not None:
        yield from _in_force_faults(case, stored, member, old, since=member.recovered.since)


def _in_force_faults(
    case: Case, stored: Stored, member: models.Member, old: models.Member, *, since: str
) -> Iterator[tuple[str, str, str]]:
    if old.pending is None:
        yield "/recovered", "no new keys were announced", "let the maintainers announce them first"
        return
    if replace(member, recovered=None) != replace(_renewed(old, member), keys=old.pending, pending=None):
        yield "/keys", "these are not the announced keys, or something else changes too", "take what was announced"
    history = case.change.history
    announced = chain(case.change.before, stored.place.folder)[-1]
    if since not in history or not history.held_since(since, announced.path):
        yield "/recovered/since", "this is no step at which the announcement stood", "name the step that merged it"
        return
    registry = case.registry_before
    ready = history.time(since) + (registry.recovery_wait if registry else timedelta(days=models.RECOVERY_DAYS))
    if case.change.at < ready:
        yield "/recovered", f"the waiting period lasts until {format_time(ready)}", "wait until then"


def _renewed(old: models.Member, new: models.Member) -> models.Member:
    """Return the old record with what every new link of a chain has of its own."""
    return replace(old, created=new.created, previous=new.previous, recovered=None)


def check_offices(case: Case) -> Iterator[Finding]:
    """Refuse maintainers and committee members who are no active members."""
    view = case.change.after if case.is_genesis else case.change.before
    for stored in case.records.values():
        record = stored.record
        if isinstance(record, models.Registry):
            office, names = "maintainers", record.maintainers
        elif isinstance(record, models.Policy):
            office, names = "committee", record.committee
        else:
            continue
        for number, name in enumerate(names):
            state = member_state(view, name)
            if state is None or state.status != "active":
                fix = f"admit {name} first"
                pointer = f"/{office}/{number}"
                yield Finding("office", f"{name} is no active member", path=stored.path, pointer=pointer, fix=fix)


def check_retirement(case: Case) -> Iterator[Finding]:
    """Refuse what leaves fewer maintainers than the threshold asks for: retirements, and keys that all end."""
    registry = case.registry_before
    leaving = {member.member for _, member in case.of(models.Member) if not _stays(member)}
    if registry is None or not leaving & set(registry.maintainers):
        return
    states = {name: member_state(case.change.after, name) for name in registry.maintainers}
    staying = [name for name, state in states.items() if state is not None and _stays(state)]
    if len(staying) < registry.threshold:
        for stored, member in case.of(models.Member):
            if member.member in leaving & set(registry.maintainers):
                message = "without this member the maintainers could decide nothing any more, now or when its keys end"
                want, got = f"{registry.threshold} active maintainers", ", ".join(staying) or "none"
                fix = "change the maintainers in a registry record first"
                yield Finding(
                    "retirement", message, path=stored.path, pointer="/status", expected=want, got=got, fix=fix
                )


def _stays(member: models.Member) -> bool:
    """Tell whether a member can speak for ever: active, with a key that does not end."""
    return member.status == "active" and any(
        entry.expires is None for entry in (*member.keys.signing, *(member.keys.recovery or ()))
    )


def check_cosigning(case: Case) -> Iterator[Finding]:
    """Refuse a wish for more of one's own keys than one has."""
    for stored, member in case.of(models.Member):
        for kind in ("dataset", "result"):
            wish = int(getattr(member.cosigning, kind, 1))
            if wish > len(member.keys.signing):
                message, fix = "more keys are asked for than there are", "add a signing key, or ask for fewer"
                pointer, most = f"/cosigning/{kind}", f"at most {len(member.keys.signing)}"
                yield Finding(
                    "cosigning", message, path=stored.path, pointer=pointer, expected=most, got=str(wish), fix=fix
                )


def check_owner(case: Case) -> Iterator[Finding]:
    """Refuse things of somebody who is no active member."""
    for stored in case.records.values():
        record = stored.record
        if isinstance(record, models.Cube | models.Dataset | models.Benchmark):
            state = member_state(case.change.before, record.member)
            if state is None or state.status != "active":
                fix = "join first: `medperf-git join`, and wait to be admitted"
                message = f"{record.member} is no active member"
                yield Finding("owner", message, path=stored.path, pointer="/member", fix=fix)
