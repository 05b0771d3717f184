"""Bring a registry's house files to those of this release: a registry record that lists them, in one proposal.

Files that stand and are none of this release's are kept and stay listed: they are the maintainers' own.
"""

from dataclasses import dataclass, replace

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.flows.house import PINS, house_files
from medperf_git.flows.house_pins import Pin, render_pins
from medperf_git.flows.outbox import Entry, Outbox, as_text
from medperf_git.flows.propose import (
    Proposed,
    ask_first,
    judge_entry,
    next_link,
    now_text,
    refuse_failed,
    send,
    sign_entry,
    waits_for,
)
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.host import Host
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.folds import registry_state
from medperf_git.records.models import Registry
from medperf_git.records.record import write_record
from medperf_git.registry.commits import submission_id

_TITLE = "Renew the house files"


@dataclass(frozen=True, slots=True)
class Renewal:
    """The house files that would change, and the registry record that lists them all."""

    files: dict[str, bytes]
    path: str
    record: Registry


def plan_renewal(workspace: Workspace, host: Host, pin: Pin) -> Renewal:
    """Compose what would be proposed; Refused when everything stands as this release writes it."""
    state = registry_state(workspace.view)
    if state is None:
        raise IntegrityBroken("the registry has no registry record", hint="run `medperf-git audit`")
    wanted = house_files(state.title, host=host, pins=render_pins(pin))
    del wanted["README.md"]  # whoever changed it meant to
    standing = PINS.get(host, "")
    if not pin.sha256 and _is_pinned(workspace.view.blob(standing) if standing else None):
        wanted.pop(standing)  # a pin that is filled is never emptied
    changed = {path: data for path, data in wanted.items() if workspace.view.blob(path) != data}
    if not changed:
        hint = "nothing to do" if pin.sha256 or host not in PINS else pin.reason
        raise Refused("the house files stand as this release writes them", hint=hint)
    listed = {**(state.house_files or {}), **{path: digest_of(data) for path, data in wanted.items()}}
    number, previous = next_link(workspace.view, "registry")
    record = replace(state, created=now_text(workspace), previous=previous, house_files=listed, genesis=None)
    return Renewal(changed, layout.registry_path(number), record)


def propose_renewal(workspace: Workspace, renewal: Renewal, *, dry_run: bool = False) -> Proposed:
    """Sign the registry record and send it with its house files; needs a maintainer's key."""
    record = {renewal.path: write_record(renewal.record)}
    if not dry_run:
        ask_first(workspace, "Propose these house files?", [renewal.path, *sorted(renewal.files)])
    signed = sign_entry(workspace, record, title=_TITLE, made=renewal.record.created)
    everything = record | renewal.files
    entry = replace(signed, id=submission_id(everything), files=signed.files | as_text(renewal.files))
    commit, verdict = judge_entry(workspace, entry)
    refuse_failed(verdict, "this would not be accepted; nothing was sent")
    if dry_run:
        return Proposed(entry.id, verdict, "", waits_for(verdict), merged=False)
    _keep(workspace, entry)
    return send(workspace, entry, commit=commit, verdict=verdict)


def _keep(workspace: Workspace, entry: Entry) -> None:
    Outbox.of(workspace.context.home, workspace.alias).put(entry)


def _is_pinned(data: bytes | None) -> bool:
    return data is not None and any(
        line.startswith(b"medperf-git==") and b"--hash=sha256:" in line for line in data.splitlines()
    )
