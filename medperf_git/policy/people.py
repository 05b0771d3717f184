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
        own: set[str] = set()
        for pointer, line in _lines(member):
            try:
                PublicKey.from_record(line)
            except MedperfGitError as error:
                yield Finding("key", error.message, path=stored.path, pointer=pointer, fix=error.hint)
            holders = seen.get(line, set()) - {member.member}
            if holders or line in own:
                who = ", ".join(sorted(holders)) or "this record itself"
                fix = "use a key that nobody has used here; `medperf-git key new` makes one"
                yield Finding("key", f"this key is already used by {who}", path=stored.path, pointer=pointer, fix=fix)
            own.add(line)


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
    for use in ("signing", "recovery"):
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
