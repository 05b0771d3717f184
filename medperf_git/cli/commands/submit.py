"""Send what is mine and not yet there."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.closing import MEANWHILE, proposed_value, report_proposed
from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.errors import Interrupted, Refused, UsageProblem

if TYPE_CHECKING:
    from medperf_git.flows.outbox import Entry
    from medperf_git.flows.resuming import Resumed
    from medperf_git.flows.workspace import Workspace

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("proposal", required=False, metavar="[PROPOSAL|FILE]")
@click.option(
    "--house-file", "house", multiple=True, metavar="PATH=FILE", help="A house file that goes with a registry record."
)
@click.option("--all", "everything", is_flag=True, help="Everything of yours that does not stand yet (the default).")
@click.option("--resume", "renumber", is_flag=True, help="Also renumber and sign again what lost its place.")
@click.option("--no-push", "carry", is_flag=True, help="Send nothing: write a bundle that anybody may carry and send.")
@click.option("--out", type=_FILE, metavar="FILE", help="With --no-push: where (default: submit-<id>.bundle here).")
@click.option("--from-bundle", "bundle", type=_FILE, metavar="FILE", help="Send what somebody wrote with --no-push.")
@click.option("--fork", metavar="ADDRESS", help="Push to this fork, which you made in the browser; `none` forgets it.")
@registry_option
@dry_run_option
@yes_option
@json_option
def submit(
    *,
    proposal: str | None,
    house: tuple[str, ...],
    everything: bool,
    renumber: bool,
    carry: bool,
    out: Path | None,
    bundle: Path | None,
    fork: str | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Send what was signed and not sent, merge what passes; with --resume also after losing a race.

    A FILE that you wrote (registry, member or policy; see `new --current`) is signed and sent as the next of its chain.
    """
    _refuse_odd(proposal, carry=carry, out=out, bundle=bundle, renumber=renumber)
    _refuse_ignored(proposal, everything=everything, house=house)
    wanted = proposal
    workspace = open_workspace(registry, yes=yes, refresh=True)
    if fork is not None:
        _use_fork(workspace, fork, dry_run=dry_run)
    if bundle is not None:
        return _carry_in(workspace, bundle, as_json=as_json, dry_run=dry_run)
    if carry:
        return _carry_out(workspace, wanted, out, as_json=as_json, dry_run=dry_run)
    if proposal and Path(proposal).is_file():
        _submit_file(workspace, Path(proposal), house, as_json=as_json, dry_run=dry_run)
        return 0
    if dry_run:
        return _rehearse(workspace, wanted, as_json=as_json)
    return _send(workspace, wanted, renumber=renumber, as_json=as_json)


def _refuse_odd(proposal: str | None, *, carry: bool, out: Path | None, bundle: Path | None, renumber: bool) -> None:
    if bundle is not None and (carry or renumber or proposal):
        raise UsageProblem("--from-bundle sends what is in the file", hint="leave the other words out")
    if out is not None and not carry:
        raise UsageProblem("--out says where --no-push writes", hint="say --no-push as well")
    if carry and proposal and Path(proposal).is_file():
        raise UsageProblem("--no-push writes what was signed before", hint="submit the file first, then --no-push")


def _refuse_ignored(proposal: str | None, *, everything: bool, house: tuple[str, ...]) -> None:
    """Refuse a word that would say nothing: whoever wrote it meant something by it."""
    if everything and proposal is not None:
        raise UsageProblem("--all is everything, and a proposal is one", hint="leave one of them out")
    if house and not (proposal and Path(proposal).is_file()):
        raise UsageProblem("--house-file goes with a registry record", hint="name the FILE that you wrote")


def _use_fork(workspace: "Workspace", address: str, *, dry_run: bool) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from medperf_git.forge.host import Host  # noqa: PLC0415
    from medperf_git.registry.remotes import Remote, Transport  # noqa: PLC0415

    fork = None if address == "none" else Remote.parse(address).url
    if fork and workspace.known.kind is Host.PLAIN:
        raise UsageProblem("this registry lies at no forge", hint="nobody forks it: your branches go to it directly")
    if fork and Remote.parse(fork).transport is Transport.PATH:
        raise UsageProblem("a fork at a forge is no folder", hint="give its address, like git@FORGE:YOU/REGISTRY.git")
    workspace.remember(replace(workspace.known, fork=fork), only_here=dry_run)
    word = "would" if dry_run else "now"
    echo_text(f"branches of yours {word} go to {fork or 'the registry, or a fork made by token'}", err=True)


def _send(workspace: "Workspace", wanted: str | None, *, renumber: bool, as_json: bool) -> int:
    from medperf_git.flows.carrying import open_entries  # noqa: PLC0415
    from medperf_git.flows.resuming import resume  # noqa: PLC0415

    done: list[Resumed] = []
    try:
        for entry in open_entries(workspace, wanted):
            done.append(one := resume(workspace, entry, renumber=renumber))
            if not as_json:
                _tell(one)
    finally:  # what was sent is told, also when the network ends before the last one
        if as_json:
            echo_json([_value(one) for one in done])
    if not as_json and not done:
        echo_text("nothing to do: nothing of yours is unfinished")
    elif not as_json and any(one.proposed and not one.proposed.merged for one in done):
        echo_text(MEANWHILE)
    return 0 if all(one.done for one in done) else 1


def _tell(one: "Resumed") -> None:
    """Say what became of one proposal."""
    echo_text(f"{one.title} (submit/{one.id[:12]}): {one.note}")
    for fate in one.fates if len(one.fates) > 1 else ():
        echo_text(f"  {fate.path}: {fate.note}")
    if one.proposed and not one.proposed.merged:
        echo_text(f"  see: {one.proposed.url}")
    if not one.done:
        echo_findings(one.verdict.findings)


def _value(one: "Resumed") -> dict[str, object]:
    return {
        "id": one.id,
        "what": one.title,
        "done": one.done,
        "note": one.note,
        "url": one.proposed.url if one.proposed else "",
        "records": [fate.as_value() for fate in one.fates],
        "findings": [finding.as_value() for finding in one.verdict.findings],
    }


def _rehearse(workspace: "Workspace", wanted: str | None, *, as_json: bool) -> int:
    """Say what would be sent, where it would go, and what stands in the way; send nothing."""
    from medperf_git.flows.carrying import open_entries  # noqa: PLC0415
    from medperf_git.flows.preflight import preflight  # noqa: PLC0415
    from medperf_git.flows.status import list_submissions  # noqa: PLC0415

    chosen = {entry.id[:12] for entry in open_entries(workspace, wanted)}
    rows = [row for row in list_submissions(workspace) if row["id"] in chosen]
    looked = preflight(workspace)
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["id", "what", "state", "waits_for"], empty="nothing of yours is unfinished; nothing was sent")
        for one in looked:
            echo_text(f"{one.state:8}{one.what}: {one.found}")
            if one.remedy:
                echo_text(f"        {one.remedy}")
    return 3 if any(one.state == "fail" for one in looked) else 0


def _carry_out(workspace: "Workspace", wanted: str | None, out: Path | None, *, as_json: bool, dry_run: bool) -> int:
    from medperf_git.flows.carrying import open_entries, write_carried  # noqa: PLC0415

    entries = open_entries(workspace, wanted)
    place = out or Path(f"submit-{entries[0].id[:12] if entries else 'nothing'}.bundle")
    if dry_run and entries:
        if as_json:
            echo_json({"file": str(place), "bytes": 0, "proposals": [one.id for one in entries]})
            return 0
        echo_text(f"would write {len(entries)} proposal(s) to {place}; nothing was written")
        return 0
    carried = write_carried(workspace, entries, place)
    if as_json:
        echo_json({"file": str(carried.path), "bytes": carried.size, "proposals": [one.id for one in carried.entries]})
        return 0
    for entry in carried.entries:
        echo_text(f"{entry.title} (submit/{entry.id[:12]})")
        for path in sorted(entry.records):
            echo_text(f"  {path}")
    echo_text(f"written: {carried.path}, {carried.size} bytes; nothing was sent")
    echo_text("it holds what is signed above and nothing else; who carries it can change nothing")
    echo_text(f"on a machine that reaches the registry: medperf-git submit --from-bundle {carried.path.name}")
    return 0


def _carry_in(workspace: "Workspace", bundle: Path, *, as_json: bool, dry_run: bool) -> int:
    from medperf_git.flows.carrying import read_carried  # noqa: PLC0415

    entries = read_carried(workspace, bundle)
    for entry in entries if not as_json else ():
        echo_text(f"{entry.title} (submit/{entry.id[:12]}), from {entry.member} as it says", err=True)
        for path in sorted(entry.records):
            echo_text(f"  {path}", err=True)
    if not dry_run and not workspace.context.agrees(f"Send {len(entries)} proposal(s) to {workspace.url}?"):
        raise Interrupted("not sent", hint="nothing was sent")
    done: list[dict[str, object]] = []
    try:
        done.extend(_carry_one(workspace, entry, as_json=as_json, dry_run=dry_run) for entry in entries)
    finally:  # what was sent is told, also when the network ends before the last one
        if as_json:
            echo_json(done)
    return 0 if all(one["sendable"] for one in done) else 1


def _carry_one(workspace: "Workspace", entry: "Entry", *, as_json: bool, dry_run: bool) -> dict[str, object]:
    """Send one carried proposal and say what became of it; one that is refused keeps no other one back."""
    from medperf_git.flows.carrying import send_carried  # noqa: PLC0415

    try:
        proposed = send_carried(workspace, entry, dry_run=dry_run)
    except Refused as problem:
        findings = getattr(problem, "findings", ())
        if not as_json:
            echo_findings(findings, err=True)
            echo_text(f"error: {problem.message}\ndo now: {problem.hint}", err=True)
        told = {"id": entry.id, "sendable": False, "note": problem.message}
        return {**told, "findings": [finding.as_value() for finding in findings]}
    if not as_json:
        report_proposed(proposed, dry_run=dry_run)
    return {**proposed_value(proposed), "sendable": True}


def _submit_file(workspace: "Workspace", path: Path, house: tuple[str, ...], *, as_json: bool, dry_run: bool) -> None:
    from medperf_git.flows.written import submit_written  # noqa: PLC0415

    files = {name: Path(file) for name, equals, file in (pair.partition("=") for pair in house) if equals}
    if len(files) != len(house):
        raise UsageProblem("a house file is given as PATH=FILE", hint="for example README.md=./new-readme.md")
    report_proposed(submit_written(workspace, path, house=files, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
