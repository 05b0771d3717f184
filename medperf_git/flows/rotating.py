"""The life of a member's keys: more of them, other ones, revoked ones, new ones after all were lost.

Each is one new member record, signed by what the judge will ask for and this machine holds.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.keyring import gather_keys, keys_folder, make_key
from medperf_git.flows.propose import Draft, Proposed, next_link, propose
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.folds import is_suspect, member_state, registry_state
from medperf_git.records.models import Cosigning, KeyEntry, Keys, Member, Recovered, RevokedKey
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import RecordView, chain, iter_results, iter_versions
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.snapshot import Overlay, Snapshot
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.signers import FileSigner, Signer

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


Reason: TypeAlias = Literal["stolen", "lost", "left", "other"]


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of a member update: the proposal, keys made on the way, sentences about what follows."""

    proposed: Proposed
    made: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new key: its public half, and who signs with it where its private half is here."""

    public: PublicKey
    signer: Signer | None
    made: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What shall change: a key file to bring (None makes one), keys to drop, when others end, how many must sign."""

    key: Path | None = None
    keep_old: bool = False
    overlap_days: int = 30
    drop: tuple[str, ...] = ()
    cosigning: Cosigning | None = None
    add: bool = True


def rotate(workspace: Workspace, wish: Rotation, *, recovery: Path | None = None, dry_run: bool = False) -> Updated:
    """Bring a new signing key; the old ones end after the overlap, unless they are kept or dropped at once."""
    state = _me(workspace)
    fresh = _fresh(workspace, wish.key, dry_run=dry_run) if wish.add else None
    dropped = {_named(state.keys.signing, text).key for text in wish.drop}
    end = format_time(workspace.context.clock() + timedelta(days=wish.overlap_days))
    old = [entry for entry in state.keys.signing if entry.key not in dropped]
    kept = old if wish.keep_old or fresh is None else [_ending(entry, end) for entry in old]
    new = [KeyEntry(fresh.public.openssh)] if fresh else []
    record = _next(
        workspace, state, keys=replace(state.keys, signing=(*kept, *new)), cosigning=wish.cosigning or state.cosigning
    )
    signers = _signers(workspace, state, fresh=fresh, without=dropped, recovery=recovery)
    notes = () if wish.keep_old or not kept or fresh is None else (f"the keys there were sign until {end}",)
    return _send(
        workspace, record, signers, title=f"Rotate keys of {state.member}", fresh=fresh, notes=notes, dry=dry_run
    )


def revoke(
    workspace: Workspace,
    key: str,
    *,
    since: str | None,
    reason: Reason,
    recovery: Path | None = None,
    dry_run: bool = False,
) -> Updated:
    """Let a key count no more, and dispute what it signed after the step `since` (None: up to now all stands).

    A member left without a signing key gets a new one.
    """
    state = _me(workspace)
    entry = _named(state.keys.signing, key)
    commit = _step(workspace, since) if since else workspace.head
    others = tuple(one for one in state.keys.signing if one.key != entry.key)
    fresh = None if others else _fresh(workspace, None, dry_run=dry_run)
    signing = others or ((KeyEntry(fresh.public.openssh),) if fresh else ())
    revoked = (*(state.revoked or ()), RevokedKey(entry.key, commit, reason))
    wish = state.cosigning
    most = len(signing)
    if wish is not None and max(wish.dataset, wish.result) > most:
        wish = Cosigning(min(wish.dataset, most), min(wish.result, most))
    record = _next(workspace, state, keys=replace(state.keys, signing=signing), revoked=revoked, cosigning=wish)
    signers = _signers(workspace, state, fresh=fresh, without={entry.key}, recovery=recovery)
    disputed = tuple(f"disputed from now on: {path}" for path in _disputed_by(workspace, record))
    title = f"Revoke a key of {state.member}"
    return _send(workspace, record, signers, title=title, fresh=fresh, notes=disputed, dry=dry_run)


def retire(workspace: Workspace, *, recovery: Path | None = None, dry_run: bool = False) -> Updated:
    """Leave the registry: nothing new is signed in the member's name; what stands stays."""
    state = _me(workspace)
    record = _next(workspace, state, status="retired")
    signers = _signers(workspace, state, fresh=None, without=set(), recovery=recovery)
    return _send(workspace, record, signers, title=f"Retire {state.member}", fresh=None, dry=dry_run)


def recover(workspace: Workspace, *, key: Path | None = None, dry_run: bool = False) -> Updated:
    """After all keys were lost: announce new ones to the maintainers; after the waiting period put them in force."""
    state = _me(workspace)
    if state.pending is None:
        fresh = _fresh(workspace, key, dry_run=dry_run)
        record = _next(workspace, state, pending=Keys((KeyEntry(fresh.public.openssh),)))
        registry = registry_state(workspace.view)
        days = registry.recovery_wait.days if registry else 0
        notes = (f"after the maintainers' threshold has signed: wait {days} days, then run the same command again",)
        signers = [fresh.signer] if fresh.signer else []
        title = f"Announce new keys of {state.member}"
        return _send(workspace, record, signers, title=title, fresh=fresh, notes=notes, dry=dry_run)
    announced = [entry.key for entry in state.pending.signing]
    ring = gather_keys(workspace.context, extra=str(key) if key else None)
    mine = [signer for signer in ring.signers if signer.public.openssh in announced]
    if not mine:
        hint = "run this where the announced key is, or give it with --key"
        raise Refused("none of the announced keys is here", hint=hint)
    since = _announced_at(workspace, state)
    record = _next(workspace, state, keys=state.pending, pending=None, recovered=Recovered(since))
    fresh = Fresh(mine[0].public, mine[0])
    return _send(workspace, record, mine[:1], title=f"Recover {state.member}", fresh=fresh, dry=dry_run)


def cosigning_of(workspace: Workspace, *, dataset: int | None, result: int | None) -> Cosigning | None:
    """Return how many of its keys the member wants, changed where something is given; None when nothing is."""
    if dataset is None and result is None:
        return None
    state = member_state(workspace.view, workspace.require_member())
    now = (state.cosigning if state else None) or Cosigning()
    return Cosigning(dataset or now.dataset, result or now.result)


def _me(workspace: Workspace) -> Member:
    name = workspace.require_member()
    state = member_state(workspace.view, name)
    if state is None:
        raise Refused(f"{name} is no member of {workspace.alias}", hint="run `medperf-git join`")
    return state


def _next(workspace: Workspace, state: Member, **changes: object) -> Member:
    _, previous = next_link(workspace.view, layout.member_folder(state.member))
    fixed = {"created": format_time(workspace.context.clock()), "previous": previous}
    if "pending" not in changes:
        fixed["pending"] = None  # an update ends an announcement that somebody made without reason
    return replace(state, **{"recovered": None, **fixed, **changes})  # type: ignore[arg-type]  # fields of a member


def _fresh(workspace: Workspace, key: Path | None, *, dry_run: bool) -> Fresh:
    """Return the key of a file (a public one leaves the signing to its holder), or make one."""
    if key is not None:
        text = _read(key)
        if text.startswith("ssh-"):
            return Fresh(PublicKey.from_openssh(text), None)
        signer = FileSigner.load(
            key, passphrase=lambda file: workspace.context.person.passphrase(f"Passphrase of {file}")
        )
        return Fresh(signer.public, signer)
    if dry_run:
        raise UsageProblem("a dry run makes no key", hint="give one with --key, or leave --dry-run out")
    folder, stem = keys_folder(workspace.context.home), f"{workspace.alias}-{workspace.member}"
    number = next(n for n in range(2, 10_000) if not (folder / f"{stem}-{n}").exists())
    path, public = make_key(workspace.context, f"{stem}-{number}", path=None)
    signer = FileSigner.load(path, passphrase=lambda file: workspace.context.person.passphrase(f"Passphrase of {file}"))
    return Fresh(public, signer, (path,))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}", hint="give a key file or a .pub file") from error


def _signers(
    workspace: Workspace, state: Member, *, fresh: Fresh | None, without: set[str], recovery: Path | None
) -> list[Signer]:
    """Return one old key that stays, the recovery key where it is here, and the new key."""
    extra = [str(recovery)] if recovery else [str(keys_folder(workspace.context.home) / _recovery_name(workspace))]
    ring = gather_keys(workspace.context, extra=extra[0] if Path(extra[0]).exists() else workspace.known.key_file)
    here = {signer.public.openssh: signer for signer in [*ring.signers, *_chosen(workspace)]}
    signing = [here[one.key] for one in state.keys.signing if one.key in here and one.key not in without]
    recovering = [here[one.key] for one in state.keys.recovery or () if one.key in here]
    found = [*signing[:1], *recovering[:1], *([fresh.signer] if fresh and fresh.signer else [])]
    if not signing and not recovering:
        hint = "use the machine that has one, give the recovery key with --recovery FILE, or `member rotate --lost`"
        raise Refused(f"no key of {state.member} that stays is on this machine", hint=hint)
    return found


def _chosen(workspace: Workspace) -> Iterator[Signer]:
    known = workspace.known.key_file
    if known and Path(known).exists():
        yield FileSigner.load(
            Path(known), passphrase=lambda file: workspace.context.person.passphrase(f"Passphrase of {file}")
        )


def _recovery_name(workspace: Workspace) -> str:
    return f"{workspace.alias}-{workspace.member}-recovery"


def _named(entries: Sequence[KeyEntry], text: str) -> KeyEntry:
    """Return the key whose fingerprint or line begins with `text`; `UsageProblem` when not exactly one does."""
    prints = {PublicKey.from_record(entry.key).fingerprint: entry for entry in entries}
    wanted = text if text.startswith(("SHA256:", "ssh-")) else f"SHA256:{text}"
    found = [entry for shown, entry in prints.items() if shown.startswith(wanted) or entry.key == text.strip()]
    if len(found) != 1:
        hint = "its signing keys: " + ", ".join(prints)
        raise UsageProblem(f"{len(found) or 'no'} signing key of yours begins with {text!r}", hint=hint)
    return found[0]


def _ending(entry: KeyEntry, end: str) -> KeyEntry:
    sooner = entry.expires is not None and parse_time(entry.expires) <= parse_time(end)
    return entry if sooner else replace(entry, expires=end)


def _step(workspace: Workspace, text: str) -> str:
    """Return the step of main that a commit's first digits name, or the last one before a day or time."""
    steps = list(iter_ids(line_between(workspace.store, workspace.head, None)))
    if _DAY.match(text):
        try:
            moment = parse_time(text if "T" in text else f"{text}T00:00:00Z")
        except ValueError as error:
            raise UsageProblem(str(error), hint="write 2026-11-25 or 2026-11-25T10:00:00Z") from error
        found = [step for step in steps if workspace.store.commit(step).time < moment][-1:]
    else:
        found = [step for step in steps if len(text) >= 7 and step.startswith(text)]
    if len(found) != 1:
        raise UsageProblem(f"no one step of main is {text!r}", hint="`medperf-git log` lists them; a day does too")
    return found[0]


def _announced_at(workspace: Workspace, state: Member) -> str:
    """Return the step that merged the announcement: the first whose tree has it."""
    folder = layout.member_folder(state.member)
    path = chain(workspace.view, folder)[-1].path
    steps = list(iter_ids(line_between(workspace.store, workspace.head, None)))
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if Snapshot.at(workspace.store, steps[middle]).blob(path) is None:
            low = middle + 1
        else:
            high = middle
    return steps[low]


def _disputed_by(workspace: Workspace, record: Member) -> Iterator[str]:
    """Yield every result of a member that its new record makes suspect and that is not yet."""
    number, _ = next_link(workspace.view, layout.member_folder(record.member))
    after = Overlay(workspace.view, {layout.member_path(record.member, number): write_record(record)})
    for benchmark in iter_versions(workspace.view, "benchmarks"):
        for dataset, model in iter_results(workspace.view, benchmark):
            if dataset.member == record.member:
                yield from _suspects(workspace.view, after, benchmark, dataset, model)


def _suspects(before: RecordView, after: RecordView, benchmark: Ref, dataset: Ref, model: Ref) -> Iterator[str]:
    for link in chain(before, layout.result_folder(benchmark, dataset, model)):
        if is_suspect(after, link.path) and not is_suspect(before, link.path):
            yield link.path


def _send(
    workspace: Workspace,
    record: Member,
    signers: Sequence[Signer],
    *,
    title: str,
    fresh: Fresh | None,
    notes: tuple[str, ...] = (),
    dry: bool,
) -> Updated:
    number, _ = next_link(workspace.view, layout.member_folder(record.member))
    draft = Draft(layout.member_path(record.member, number), record)
    gone = record.status != "active"
    question = f"Leave {workspace.alias}? {record.member} cannot come back." if gone else f"{title}?"
    proposed = propose(workspace, [draft], title=title, dry_run=dry, signers=signers, confirm=question)
    if not dry and fresh is not None and fresh.signer is not None and record.pending is None:
        path = fresh.signer.path if isinstance(fresh.signer, FileSigner) else None
        key_file = str(path.absolute()) if path and path.parent != keys_folder(workspace.context.home) else None
        workspace.remember(replace(workspace.known, key=fresh.public.fingerprint, key_file=key_file))
    waits: tuple[str, ...] = ()
    if fresh is not None and fresh.signer is None:
        shown = f"medperf-git sign {proposed.id[:12]} --as {record.member} --key FILE"
        waits = (f"the holder of {fresh.public.fingerprint} signs as well: {shown}",)
    return Updated(proposed, fresh.made if fresh else (), (*notes, *waits))
