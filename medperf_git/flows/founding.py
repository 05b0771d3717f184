"""Begin a registry: its genesis, signed by its maintainer, pushed through the hook that will judge everything after.

The root commit holds exactly the registry record, each maintainer's own record, their signatures, and house files.
"""

import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.config import Config, Known, free_alias
from medperf_git.flows.context import Context
from medperf_git.flows.house import house_files
from medperf_git.flows.house_guide import GUIDES
from medperf_git.flows.house_pins import house_for
from medperf_git.flows.identity import OwnKeys, check_name, introduction, obtain_keys
from medperf_git.flows.propose import refuse_failed
from medperf_git.flows.server_hook import hook_text
from medperf_git.flows.vouching import Standpoint, sign_record
from medperf_git.flows.workspace import Workspace, copy_folder, registry_folder
from medperf_git.forge.choice import forge_for
from medperf_git.forge.host import Host, host_of
from medperf_git.forge.probe import find_host
from medperf_git.policy.form import NEWEST_RULES
from medperf_git.records import layout
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.records.models import Genesis, Limits, Member, Registry
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time
from medperf_git.registry.bare import create_registry, open_copy
from medperf_git.registry.commits import Author, write_root
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.steps import judge_genesis
from medperf_git.registry.sync import read_pin
from medperf_git.signing.signers import Signer

LIMITS = Limits(members=1000, names_per_member=200, chain_length=999, proposal_files=500, proposal_bytes=4_000_000)


@dataclass(frozen=True, slots=True)
class Founder:
    """A first maintainer: the record that introduces it, and its keys."""

    member: Member
    signing: Signer
    recovery: Signer


@dataclass(frozen=True, slots=True)
class Founded:
    """A registry that begins to exist: where, its id, the alias it has here, the keys that were made, its guide."""

    url: str
    id: str
    alias: str
    keys: OwnKeys
    guide: str = ""
    host: str | None = None

    @property
    def pinned(self) -> str:
        """The address by which nobody can be shown another registry."""
        return f"{self.url}#{self.id}"

    @property
    def how_to_add(self) -> str:
        """The words after `registry add` by which others reach it as it was reached here."""
        return f"'{self.pinned}'" + (f" --host {self.host}" if self.host else "")


def rehearse_registry(
    context: Context, place: str, *, name: str, title: str, member: str, key: str | None, host: str | None = None
) -> list[str]:
    """Return the paths that the genesis would hold; keys are made for this moment only, and nothing is sent."""
    house = house_for(title, _host(_empty_place(place), host, context))
    with tempfile.TemporaryDirectory() as trial:
        elsewhere = replace(context, home=Path(trial), assume_yes=True)
        keys = obtain_keys(elsewhere, check_name(member), key=key)
        founder = Founder(introduction(elsewhere, member, title=member, keys=keys), keys.signing, keys.recovery)
        nonce = secrets.token_hex(32)
        files = genesis_files([founder], name=name, title=title, at=context.clock(), nonce=nonce, house=house)
        _commit_genesis(elsewhere, check_name(name), files, member=member)
    return sorted(files)


def found_registry(
    context: Context,
    place: str,
    *,
    name: str,
    title: str,
    member: str,
    member_title: str,
    key: str | None,
    host: str | None = None,
) -> Founded:
    """Make a registry at a folder of this machine or at an empty remote repository."""
    remote = _empty_place(place)
    check_name(name)
    check_name(member)
    config = Config.load(context.home)
    alias = free_alias(config, name)
    if registry_folder(context.home, alias).exists():
        alias = free_alias(Config({**config.registries, alias: Known("", "")}), f"{name}-new")
    keys = obtain_keys(context, f"{alias}-{member}", key=key)
    founder = Founder(introduction(context, member, title=member_title, keys=keys), keys.signing, keys.recovery)
    kind = _host(remote, host, context)
    nonce, house = secrets.token_hex(32), house_for(title, kind)
    files = genesis_files([founder], name=name, title=title, at=context.clock(), nonce=nonce, house=house)
    try:
        _send_genesis(context, remote, alias, files=files, member=member, host=kind)
    except BaseException:
        shutil.rmtree(registry_folder(context.home, alias), ignore_errors=True)
        raise
    registry = "mg1:" + bare_hex(digest_of(files[layout.registry_path(1)]))
    known = Known(remote.url, registry, member, keys.signing.public.fingerprint, keys.key_file)
    known = known if kind is host_of(remote.url) else replace(known, host=str(kind))
    config.with_registry(alias, known).save(context.home)
    Workspace(context, alias, known).refresh()
    return Founded(remote.url, registry, alias, keys, GUIDES.get(kind, ""), known.host)


def genesis_files(
    founders: Sequence[Founder],
    *,
    name: str,
    title: str,
    at: datetime,
    nonce: str,
    house: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return every file of the root commit: all records, each signed by whom the genesis asks."""
    introductions = {layout.member_path(f.member.member, 1): write_record(f.member) for f in founders}
    house = house_files(title) if house is None else house
    digests = {f.member.member: digest_of(introductions[layout.member_path(f.member.member, 1)]) for f in founders}
    record = Registry(
        created=format_time(at),
        name=name,
        title=title,
        maintainers=tuple(f.member.member for f in founders),
        threshold=1,
        limits=LIMITS,
        rules=NEWEST_RULES,
        house_files={path: digest_of(data) for path, data in house.items()},
        genesis=Genesis(nonce, {str(member): digest for member, digest in digests.items()}),
    )
    path = layout.registry_path(1)
    data = write_record(record)
    registry = "mg1:" + bare_hex(digest_of(data))
    files = {path: data, **introductions, **house}
    for founder in founders:
        standpoint = Standpoint(registry, "", founder.member.member, at)
        own = layout.member_path(founder.member.member, 1)
        for signer, subject in ((founder.signing, path), (founder.signing, own), (founder.recovery, own)):
            files.update([sign_record(subject, files[subject], signer=signer, standpoint=standpoint)])
    return files


def _empty_place(place: str) -> Remote:
    remote = Remote.parse(place)
    if remote.transport is Transport.PATH and Path(remote.url).exists() and any(Path(remote.url).iterdir()):
        raise UsageProblem(f"{remote.url} is there already and is not empty", hint="choose a folder that is new")
    return remote


def _host(remote: Remote, said: str | None, context: Context) -> Host:
    return Host(said) if said else find_host(remote.url, context.environ)


def _send_genesis(
    context: Context, remote: Remote, alias: str, *, files: dict[str, bytes], member: str, host: Host
) -> None:
    """Push the root commit; what was made for it at a path goes again when it is not taken."""
    commit = _commit_genesis(context, alias, files, member=member)
    if remote.transport is Transport.PATH:
        create_registry(Path(remote.url), pre_receive=hook_text(Path(remote.url)))
    forge = forge_for(remote.url, context.environ, host=host, say=context.say)
    sent = forge.advance(copy_folder(context.home, alias), commit)
    if not sent.accepted:
        if remote.transport is Transport.PATH:
            shutil.rmtree(remote.url, ignore_errors=True)
        told = "\n".join(sent.messages) or sent.reason
        raise Refused(f"{remote.url} did not take the genesis:\n{told}", hint="give an empty repository")


def _commit_genesis(context: Context, alias: str, files: dict[str, bytes], *, member: str) -> str:
    store = open_copy(copy_folder(context.home, alias))
    if read_pin(registry_folder(context.home, alias) / "pin.json") is not None:
        raise UsageProblem(f"{alias} is the name of a registry known here", hint="choose another --name")
    author = Author(member, f"{member}@medperf-git.invalid", context.clock())
    commit = write_root(store, files, message="Begin the registry\n", author=author)
    refuse_failed(judge_genesis(store, commit).verdict, "this genesis would not be accepted; nothing was sent")
    return commit
