"""Who I am: find or make my keys, and propose my membership."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.flows.keyring import gather_keys, keys_folder
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.propose import Draft, Proposed, propose
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.folds import member_state, members
from medperf_git.records.models import KeyEntry, Keys, Member
from medperf_git.records.names import MemberName, name_fault
from medperf_git.records.record import read_record
from medperf_git.records.times import format_time
from medperf_git.records.view import RecordView, chain
from medperf_git.signing.signers import FileSigner, Signer, generate_key


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """My signing key and my recovery key; `made` are the files that were written just now."""

    signing: Signer
    recovery: FileSigner
    made: tuple[Path, ...]
    key_file: str | None


def check_name(name: str) -> MemberName:
    """Return a name a member may bear; UsageProblem says why it is none."""
    if fault := name_fault(name):
        raise UsageProblem(f"{name!r} cannot be a member's name: {fault}", hint="for example: university-hospital")
    return MemberName(name)


def obtain_keys(
    context: Context, label: str, *, key: str | None, taken: frozenset[str] = frozenset(), trial: Path | None = None
) -> OwnKeys:
    """Find my signing key, or make one; make the recovery key.

    `key` is a file to use; else the first Ed25519 key of the agent or `~/.ssh` that is not `taken` (keys belong to one
    member of a registry), else `keys/<label>` is made. The recovery key is `keys/<label>-recovery`.
    With `trial`, what would be made is made in that folder, for a dry run.
    """
    made: list[Path] = []
    folder = trial or keys_folder(context.home)
    signing = _named(context, key) if key else _present(context, label, taken)
    if signing is None:
        path = folder / label
        made.append(path)
        signing = _make(context, path, "signing key")
    name = f"{label}-recovery"
    if (keys_folder(context.home) / name).exists():
        recovery = _load(context, keys_folder(context.home) / name)
    else:
        recovery = _make(context, folder / name, "recovery key")
        made.append(folder / name)
    return OwnKeys(signing, recovery, tuple(made), str(Path(key).absolute()) if key else None)


def introduction(context: Context, name: str, *, title: str, keys: OwnKeys, **more: str | None) -> Member:
    """Return the first record of a member; `more` are country and website."""
    return Member(
        created=format_time(context.clock()),
        member=check_name(name),
        title=title,
        country=more.get("country"),
        website=more.get("website"),
        status="active",
        keys=Keys(signing=(KeyEntry(keys.signing.public.openssh),), recovery=(KeyEntry(keys.recovery.public.openssh),)),
    )


def join(
    workspace: Workspace, name: str, *, title: str, key: str | None, dry_run: bool = False, **more: str | None
) -> tuple[Proposed, OwnKeys]:
    """Propose to become a member; Refused when the name is taken."""
    check_name(name)
    if member_state(workspace.view, name) is not None:
        return _again(workspace, name, key=key)
    if workspace.member not in (None, name):
        raise Refused(
            f"you have joined {workspace.alias} as {workspace.member} already",
            hint="one home folder is one member; set MEDPERF_GIT_HOME for another",
        )
    with tempfile.TemporaryDirectory() as trial:
        label, taken = f"{workspace.alias}-{name}", used_keys(workspace.view)
        # For a dry run keys are made for this moment only, so no passphrase is asked for them.
        context = replace(workspace.context, assume_yes=True) if dry_run else workspace.context
        keys = obtain_keys(context, label, key=key, taken=taken, trial=Path(trial) if dry_run else None)
    known = replace(workspace.known, member=name, key=keys.signing.public.fingerprint, key_file=keys.key_file)
    workspace.remember(known, only_here=dry_run)
    record = _kept_introduction(workspace, introduction(workspace.context, name, title=title, keys=keys, **more))
    proposed = propose(
        workspace,
        [Draft(layout.member_path(name, 1), record)],
        title=f"Introduce member {name}",
        dry_run=dry_run,
        signers=(keys.signing, keys.recovery),
        confirm=f"Ask {workspace.url} to admit you as {name}, with the key {keys.signing.public.fingerprint}?",
    )
    return proposed, keys


def used_keys(view: RecordView) -> frozenset[str]:
    """Return every key that any member has ever had."""
    found: set[str] = set()
    for name in members(view):
        for link in chain(view, layout.member_folder(name)):
            if isinstance(link.record, Member):
                keys = link.record.keys
                found |= {entry.key for entry in (*keys.signing, *(keys.recovery or ()))}
    return frozenset(found)


def _again(workspace: Workspace, name: str, *, key: str | None) -> tuple[Proposed, OwnKeys]:
    """Recognise somebody who is a member already and holds one of the keys."""
    state = member_state(workspace.view, name)
    own = [entry.key for entry in state.keys.signing] if state else []
    ring = gather_keys(workspace.context, extra=key)
    mine = next((signer for signer in ring.signers if signer.public.openssh in own), None)
    if mine is None:
        raise Refused(f"{name} is a member already, and none of its keys is here", hint="choose another name")
    workspace.remember(replace(workspace.known, member=name, key=mine.public.fingerprint, key_file=key))
    raise Refused(f"{name} is a member already and this is one of its keys; nothing to do", hint="go on as you like")


def _kept_introduction(workspace: Workspace, fresh: Member) -> Member:
    """Return the introduction that was proposed before with the same words, so that joining twice is joining once."""
    path = layout.member_path(fresh.member, 1)
    for entry in Outbox.of(workspace.context.home, workspace.alias).entries():
        data = entry.records.get(path)
        stored = read_record(path, data).stored if data else None
        if stored and isinstance(stored.record, Member) and replace(stored.record, created=fresh.created) == fresh:
            return stored.record
    return fresh


def _named(context: Context, key: str) -> Signer:
    if not Path(key).exists():
        hint = "check the path that you gave, or leave --key out: a key is found or made"
        raise UsageProblem(f"there is no key file {key}", hint=hint)
    return _load(context, Path(key))


def _present(context: Context, label: str, taken: frozenset[str]) -> Signer | None:
    """Return the key made before under this label, else the first free one of the agent or `~/.ssh`."""
    ring = gather_keys(context)
    made_here = keys_folder(context.home)
    own = made_here / label
    if own.exists():
        return _load(context, own)
    free = [signer for signer in ring.signers if signer.public.openssh not in taken]
    return next((signer for signer in free if not _lies_in(signer, made_here)), None)


def _lies_in(signer: Signer, folder: Path) -> bool:
    return isinstance(signer, FileSigner) and signer.path.parent == folder


def _make(context: Context, path: Path, what: str) -> FileSigner:
    asked = f"Passphrase for your new {what} (empty for none)"
    passphrase = "" if context.assume_yes else context.person.new_passphrase(asked)
    private_folder(path.parent)
    generate_key(path, passphrase=passphrase or None, comment=path.name)
    return FileSigner.load(path, passphrase=lambda _: passphrase)


def _load(context: Context, path: Path) -> FileSigner:
    return FileSigner.load(path, passphrase=lambda file: context.person.passphrase(f"Passphrase of {file}"))
