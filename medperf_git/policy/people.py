"""Rules about members and the keys that speak for them."""

from collections.abc import Iterator

from medperf_git.errors import MedperfGitError
from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.findings import Finding
from medperf_git.records.folds import member_state, members
from medperf_git.records.view import chain
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
            holders = seen.get(line, set()) - {member.member}
            if holders:
                who = ", ".join(sorted(holders))
                fix = "use a key that nobody has used here; `medperf-git key new` makes one"
                yield Finding("key", f"this key is already used by {who}", path=stored.path, pointer=pointer, fix=fix)
            if line in given_up:
                message, fix = "this key was given up before and never comes back", "make a new one: key new"
                yield Finding("key", message, path=stored.path, pointer=pointer, fix=fix)


def _key_fault(line: str, pointer: str) -> MedperfGitError | None:
    try:
        if not pointer.startswith("/keys/encryption"):
            PublicKey.from_record(line)
    except MedperfGitError as error:
        return error
    return None


def _given_up(case: Case, name: str) -> set[str]:
    """Return the keys that a member had once and has no longer."""
    links = [link.record for link in chain(case.change.before, layout.member_folder(name))]
    lines = [{line for _, line in _lines(link)} for link in links if isinstance(link, models.Member)]
    return set().union(*lines) - lines[-1] if lines else set()


def _keys_of_all(case: Case) -> dict[str, set[str]]:
    """Return every key that any member has ever had, with its holders, the added records included."""
    seen: dict[str, set[str]] = {}
    for name in members(case.change.after):
        for link in chain(case.change.after, layout.member_folder(name)):
            if isinstance(link.record, models.Member):
                for _, line in _lines(link.record):
                    seen.setdefault(line, set()).add(name)
    return seen


def _lines(member: models.Member) -> Iterator[tuple[str, str]]:
    for use in ("signing", "recovery", "encryption"):
        for number, entry in enumerate(getattr(member.keys, use) or ()):
            yield f"/keys/{use}/{number}/key", entry.key


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
    """Refuse retirements that leave fewer maintainers than the registry's threshold asks for."""
    registry = case.registry_before
    leaving = {member.member for _, member in case.of(models.Member) if member.status == "retired"}
    if registry is None or not leaving & set(registry.maintainers):
        return
    states = {name: member_state(case.change.after, name) for name in registry.maintainers}
    staying = [name for name, state in states.items() if state is not None and state.status == "active"]
    if len(staying) < registry.threshold:
        for stored, member in case.of(models.Member):
            if member.member in leaving & set(registry.maintainers):
                message = "without this member the maintainers could decide nothing any more"
                want, got = f"{registry.threshold} active maintainers", ", ".join(staying) or "none"
                fix = "change the maintainers in a registry record first"
                yield Finding(
                    "retirement", message, path=stored.path, pointer="/status", expected=want, got=got, fix=fix
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
