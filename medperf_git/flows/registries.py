"""Which registries are known here: add, list, choose, show, forget."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.config import ALIAS, REGISTRY_ID, Config, Known, free_alias
from medperf_git.flows.context import Context
from medperf_git.flows.light import fetch_first
from medperf_git.flows.workspace import Workspace, copy_folder, registry_folder
from medperf_git.forge.browser import Browser
from medperf_git.forge.choice import forge_for
from medperf_git.forge.host import Host, host_of
from medperf_git.forge.probe import find_host
from medperf_git.records.folds import members, registry_state
from medperf_git.registry.bare import open_copy
from medperf_git.registry.history import line_between
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.sync import registry_id
from medperf_git.registry.transport import UPSTREAM_MAIN


@dataclass(frozen=True, slots=True)
class Added:
    """A registry that is known now; `pinned` tells whether its id came from the person and not from the address."""

    alias: str
    known: Known
    title: str
    steps: int
    pinned: bool


def add_registry(
    context: Context, address: str, *, alias: str | None = None, host: str | None = None, light: bool = False
) -> Added:
    """Fetch a registry, verify it from its genesis, and remember it; `host` is what stands there, else it is asked.

    `light` fetches only what is read and believes main as it stands; it needs the id of the registry in the address.
    """
    place, _, pinned = address.partition("#")
    if pinned and not REGISTRY_ID.fullmatch(pinned):
        raise UsageProblem(f"{pinned!r} is no registry id", hint="it looks like mg1: and 64 hexadecimal digits")
    if light and not pinned:
        hint = "add the id to the address, URL#mg1:…; a maintainer tells it (`medperf-git registry show`)"
        raise UsageProblem("a light copy needs the registry's id: nothing else would prove whose it is", hint=hint)
    if alias is not None and not ALIAS.fullmatch(alias):
        raise UsageProblem(f"{alias!r} cannot be an alias", hint="use letters, digits, dots and hyphens, like heart-2")
    remote = Remote.parse(place)
    config = Config.load(context.home)
    known_as = next((a for a, known in config.registries.items() if known.url == remote.url), None)
    if known_as is not None:
        return _known_already(context, config, known_as, pinned, host=host)
    name = alias or free_alias(config, remote.url.rstrip("/").rpartition("/")[2].removesuffix(".git"))
    if name in config.registries:
        raise UsageProblem(f"the alias {name!r} is taken", hint="choose another with --alias")
    try:
        kind = said_host(remote.url, host, context.environ)
        found = pinned or _read_id(context, name, remote, kind)
        workspace, report = fetch_first(context, name, Known(remote.url, found, host=kind, light=light))
        known = workspace.known
    except BaseException:
        shutil.rmtree(registry_folder(context.home, name), ignore_errors=True)
        raise
    config.with_registry(name, known).save(context.home)
    record = registry_state(workspace.view)
    return Added(name, known, record.title if record else "", report.verified if report else 0, pinned=bool(pinned))


def list_registries(context: Context) -> list[dict[str, object]]:
    """Return every known registry as plain values."""
    config = Config.load(context.home)
    return [
        {
            "alias": alias,
            "current": alias == config.current,
            "url": known.url,
            "id": known.id,
            "member": known.member or "",
            "merge": known.merge,
            "light": known.light,
            "host": str(known.kind),
        }
        for alias, known in config.registries.items()
    ]


def use_registry(context: Context, alias: str, *, merge: str | None = None) -> Known:
    """Make a registry the current one; `merge` sets what happens to my proposals that pass (auto, manual)."""
    config = Config.load(context.home)
    alias, known = config.choose(alias)
    known = replace(known, merge=merge) if merge else known
    config.with_registry(alias, known).save(context.home)
    return known


def forget_registry(context: Context, alias: str) -> str:
    """Remove a registry and its local copy from this machine; keys and what was prepared stay."""
    config = Config.load(context.home)
    alias, _known = config.choose(alias)
    config.without(alias).save(context.home)
    shutil.rmtree(registry_folder(context.home, alias), ignore_errors=True)
    return alias


def use_fork(workspace: Workspace, address: str, *, dry_run: bool = False) -> str | None:
    """Push my branches to a fork that I made by hand, from now on (`dry_run`: for this command); `none` forgets it.

    Refused: the registry lies at no forge, or nothing of this registry lies at the address.
    """
    if address == "none":
        workspace.remember(replace(workspace.known, fork=None), only_here=dry_run)
        return None
    if workspace.known.kind is Host.PLAIN:
        hint = "if it lies at a forge all the same, say so: medperf-git registry add ADDRESS --host KIND"
        raise Refused(f"{workspace.url} is taken for a plain Git host, which has no forks", hint=hint)
    remote = Remote.parse(address)
    if remote.transport is Transport.PATH and Remote.parse(workspace.url).transport is not Transport.PATH:
        raise UsageProblem("a fork at a forge is no folder", hint="give its address, like git@FORGE:YOU/REGISTRY.git")
    known = replace(workspace.known, fork=remote.url)
    forge = forge_for(known.url, workspace.context.environ, host=known.kind, fork=known.fork, say=workspace.context.say)
    main = forge.main_of_fork() if isinstance(forge, Browser) else None
    if main is None or not workspace.store.has_commit(main):
        hint = "give the address of your fork of this registry, and press `Sync fork` on its page if it is older"
        raise Refused(f"{remote.url} holds no main of this registry", hint=hint)
    workspace.remember(known, only_here=dry_run)
    return remote.url


def describe_registry(workspace: Workspace) -> dict[str, object]:
    """Return what a registry says of itself, as plain values."""
    record = registry_state(workspace.view)
    if record is None:
        raise UsageProblem("this registry has no registry record", hint="run `medperf-git audit`")
    return {
        "alias": workspace.alias,
        "title": record.title,
        "name": record.name,
        "url": workspace.url,
        "id": workspace.registry_id,
        "pinned": f"{workspace.url}#{workspace.registry_id}",
        "verified": workspace.head,
        "maintainers": list(record.maintainers),
        "threshold": record.threshold,
        "members": len(members(workspace.view)),
        "me": workspace.member or "",
        "light": workspace.known.light,
        "host": str(workspace.known.kind),
    }


def _known_already(context: Context, config: Config, alias: str, pinned: str, *, host: str | None) -> Added:
    """Look what is new in a registry that is known; a `host` that is said now counts instead of the one before."""
    known = config.registries[alias]
    if host is not None:
        known = replace(known, host=said_host(known.url, host, context.environ))
    if pinned and pinned != known.id:
        raise UsageProblem(
            f"{alias} is known here with another id, {known.id}",
            hint="do not go on; ask a maintainer which id is right, over another way than this address",
        )
    config.with_registry(alias, known).save(context.home)
    workspace = Workspace(context, alias, known)
    report = workspace.refresh()
    record = registry_state(workspace.view)
    return Added(alias, known, record.title if record else "", report.verified if report else 0, pinned=True)


def said_host(url: str, said: str | None, environ: Mapping[str, str]) -> str | None:
    """Return what kind of host an address leads to, None where its name says so already."""
    kind = Host(said) if said else find_host(url, environ)
    return None if kind is host_of(url) else str(kind)


def _read_id(context: Context, alias: str, remote: Remote, kind: str | None) -> str:
    store = open_copy(copy_folder(context.home, alias))
    host = Host(kind) if kind else None
    forge_for(remote.url, context.environ, host=host, say=context.say).fetch(store.path)
    tip = store.ref(UPSTREAM_MAIN)
    if tip is None:
        raise UsageProblem(f"{remote.url} holds no registry: it has no branch main", hint="check the address")
    return registry_id(store, bytes(line_between(store, tip, None)[:20]).hex())
