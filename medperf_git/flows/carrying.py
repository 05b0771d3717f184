"""Carry proposals by hand: a Git bundle out of a network that reaches nothing, sent from a machine that does.

write_carried(workspace, entries, Path("submit.bundle"))      # in the closed network
read_carried(workspace, Path("submit.bundle"))                # elsewhere; then `judge_entry` and `send`

Who carries needs no key of the member and can change nothing: what is signed is what is judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.merging import title_of
from medperf_git.flows.outbox import Entry, Outbox, as_text
from medperf_git.flows.propose import Proposed, Unacceptable, judge_entry, refuse_failed, send, stands, waits_for
from medperf_git.flows.wording import cut, visible
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.names import name_fault
from medperf_git.records.times import format_time
from medperf_git.registry.carried import MOST_BYTES, fetch_carried, write_bundle
from medperf_git.registry.commits import submission_id

CARRIER = "carried"
_TITLE = 200  # columns of a title; whoever wrote the file chose it


@dataclass(frozen=True, slots=True)
class Carried:
    """A bundle that was written: where, its size in bytes, which proposals it holds."""

    path: Path
    size: int
    entries: tuple[Entry, ...]


def open_entries(workspace: Workspace, proposal: str | None) -> list[Entry]:
    """Return my proposals that do not stand yet, or the one whose id begins with `proposal`."""
    outbox = Outbox.of(workspace.context.home, workspace.alias)
    if proposal is not None:
        return [outbox.find(proposal)]
    return [entry for entry in outbox.entries() if entry.state in ("ready", "sent")]


def write_carried(workspace: Workspace, entries: Sequence[Entry], out: Path) -> Carried:
    """Write the proposals, each judged here, as one bundle on the main that was verified last.

    UsageProblem: there is nothing to carry, or the file exists. Unacceptable: one would be refused.
    """
    entries = [entry for entry in entries if not stands(workspace.view, entry)]
    if not entries:
        raise UsageProblem("nothing of yours is unfinished", hint="`medperf-git status --all` shows what was sent")
    if out.exists():
        raise UsageProblem(f"{out} is there already", hint="move it away, or say --out FILE")
    commits: dict[str, str] = {}
    for entry in entries:
        commit, verdict = judge_entry(workspace, entry)
        if verdict.outcome not in (Outcome.PASS, Outcome.NEEDS_PERSON):
            hint = "run `medperf-git submit --resume`, or name another proposal; nothing was written"
            raise Unacceptable(f"submit/{entry.id[:12]} would not be accepted", verdict.findings, hint=hint)
        commits[entry.id] = commit
    write_bundle(workspace.store, out, commits, base=workspace.base)
    return Carried(out, out.stat().st_size, tuple(entries))


def read_carried(workspace: Workspace, file: Path) -> list[Entry]:
    """Return the proposals that a bundle holds, as entries that can be sent; nothing in it is believed.

    Refused: it holds no proposal to this registry, or one whose id is not that of its records.
    """
    if not file.is_file():
        raise UsageProblem(f"there is no file {file}", hint="give the file that `submit --no-push` wrote")
    if file.stat().st_size > MOST_BYTES:
        raise Refused(f"{file} has more than {MOST_BYTES} bytes", hint="no proposal is that large; ask who wrote it")
    try:
        heads = fetch_carried(workspace.copy, file)
    except EnvironmentProblem as problem:
        hint = "is it a bundle of this registry (-R chooses another), and is your copy as new (`medperf-git sync`)?"
        raise EnvironmentProblem(f"{file} cannot be read: {problem.message}", hint=hint) from problem
    if not heads:
        raise Refused(f"{file} holds no proposal", hint="give the file that `submit --no-push` wrote")
    entries = [_entry(workspace, file, proposal, commit) for proposal, commit in heads.items()]
    return sorted(entries, key=lambda entry: (entry.at, entry.id))


def _entry(workspace: Workspace, file: Path, proposal: str, commit: str) -> Entry:
    judgement = workspace.judge(commit)
    if submission_id(judgement.files) != proposal:
        findings = judgement.findings
        hint = "it was changed on the way, or belongs to another registry; ask who wrote it"
        raise Unacceptable(f"{file}: submit/{proposal[:12]} does not hold what its name says", findings, hint=hint)
    try:
        files = as_text(judgement.files)
    except UnicodeDecodeError as error:
        hint = "ask who wrote it; nothing was sent"
        raise Unacceptable(
            f"{file}: a file of submit/{proposal[:12]} is no text", judgement.findings, hint=hint
        ) from error
    made = workspace.store.commit(commit)
    by = workspace.store.author(commit)
    member = CARRIER if name_fault(by) else by
    return Entry(proposal, _title(workspace, commit), member, format_time(made.time), files)


def _title(workspace: Workspace, commit: str) -> str:
    """Return the title as an outbox keeps it: of printable characters, never empty, not endless."""
    shown = "".join(letter if letter.isprintable() else " " for letter in visible(title_of(workspace, commit)))
    return cut(shown.strip(), _TITLE) or "Carried records"


def send_carried(workspace: Workspace, entry: Entry, *, dry_run: bool = False) -> Proposed:
    """Send one carried proposal like one of mine; Unacceptable when the judge refuses it."""
    if stands(workspace.view, entry):
        return Proposed(entry.id, Verdict(Outcome.PASS), workspace.forge.page_of(entry.id), "", merged=True)
    commit, verdict = judge_entry(workspace, entry)
    refuse_failed(verdict, f"submit/{entry.id[:12]} would not be accepted; it was not sent")
    if dry_run:
        return Proposed(entry.id, verdict, "", waits_for(verdict), merged=False)
    return send(workspace, entry, commit=commit, verdict=verdict)
