"""Propose records: place, sign, judge here, keep, push, merge what passes; twice does nothing twice.

number, previous = next_link(workspace.view, folder)
propose(workspace, [Draft(layout.numbered(folder, number), record)], title="…")
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from medperf_git.errors import EnvironmentProblem, Interrupted, MedperfGitError, Refused
from medperf_git.flows.describing import describe
from medperf_git.flows.merging import merge_at_once
from medperf_git.flows.outbox import Entry, Outbox, as_text
from medperf_git.flows.preflight import refuse_unready
from medperf_git.flows.vouching import Standpoint, registries_of, sign_all
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Merging, Sent
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.models import Record
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import RecordView, chain, next_number
from medperf_git.registry.changes import taken_faults
from medperf_git.registry.commits import Author, submission_id, write_commit
from medperf_git.registry.pulls import proposal_at
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.transport import PushOutcome
from medperf_git.signing.signers import Signer

OPEN_IT = "you: open this page and press the button that creates the pull request"
KEPT = "signed and kept on this machine, not sent:"
LATER = "`medperf-git submit` sends it later; `submit --no-push` writes it to a file that anybody may carry and send"


class Unacceptable(Refused):
    """A proposal that the judge refuses; carries every finding."""

    def __init__(self, message: str, findings: tuple[Finding, ...], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Draft:
    """A record and where it is to lie."""

    path: str
    record: Record


@dataclass(frozen=True, slots=True)
class Proposed:
    """What became of a proposal: its id, the verdict on it, where it is seen, who is waited for, whether it stands."""

    id: str
    verdict: Verdict
    url: str
    waits_for: str
    merged: bool


def next_link(view: RecordView, folder: str) -> tuple[int, Digest | None]:
    """Return the number of the next record of a chain, and the digest of the one before it."""
    links = chain(view, folder)
    return next_number(view, folder), links[-1].digest if links else None


def propose(
    workspace: Workspace,
    records: Sequence[Draft],
    *,
    title: str,
    dry_run: bool = False,
    signers: Sequence[Signer] = (),
    plain: Mapping[str, bytes] = MappingProxyType({}),
    confirm: str = "",
) -> Proposed:
    """Sign `records` and send them as one proposal, with `plain` files (house files) that are not signed themselves.

    `signers` sign instead of the member's own key where a record needs others (a new member's own keys). A dry run
    stops after the verdict. Unacceptable: the judge refuses it, nothing was sent. EnvironmentProblem: it is signed
    and kept, and could not be sent; `submit` sends it later. `confirm` is what the person is asked before it is signed;
    Interrupted: they do not agree.
    """
    refuse_unready(workspace)
    if confirm and not dry_run:
        ask_first(workspace, confirm, [draft.path for draft in records])
    files = {draft.path: write_record(draft.record) for draft in records}
    files, made = _as_begun(workspace, files, records[0].record.created)
    entry = sign_entry(workspace, files, title=title, made=made, signers=signers, plain=plain)
    if stands(workspace.view, entry):
        return already_there(workspace, entry)
    commit, verdict = judge_entry(workspace, entry)
    refuse_failed(verdict, "this would not be accepted; nothing was sent")
    if dry_run:
        return Proposed(entry.id, verdict, "", waits_for(verdict), merged=False)
    Outbox.of(workspace.context.home, workspace.alias).put(entry)
    return send(workspace, entry, commit=commit, verdict=verdict)


def _as_begun(workspace: Workspace, files: dict[str, bytes], created: str) -> tuple[dict[str, bytes], str]:
    """Return what an unfinished proposal of mine holds that says the same at another time, else `files`; and its time.

    A command that was stopped and is given again goes on with what it had signed, and makes no second proposal.
    """
    for entry in Outbox.of(workspace.context.home, workspace.alias).entries():
        if entry.state not in ("ready", "sent") or set(files) != set(entry.records):
            continue
        is_same = redated(files, created, entry.at) == entry.records
        if is_same and (entry.state == "ready" or entry.id in workspace.proposals()):
            if entry.records != files:
                at = f"made at {entry.at}, which says the same"
                workspace.context.say(f"going on with your unfinished proposal {entry.id[:12]}, {at}")
            return entry.records, entry.at
    return files, created


def redated(files: Mapping[str, bytes], created: str, at: str) -> dict[str, bytes]:
    """Return record files as they would be had they been made `at` that time, with the digests by which they refer."""
    old, new = f'created: "{created}"\n'.encode(), f'created: "{at}"\n'.encode()
    dated = {path: data.replace(old, new, 1) for path, data in files.items()}
    names = {path: digest_of(data).encode() for path, data in files.items()}
    found = dated
    for _ in files:  # a reference goes to a file whose own references are settled a round before
        digests = {names[path]: digest_of(data).encode() for path, data in found.items()}
        found = {path: _replaced(data, digests) for path, data in dated.items()}
    return found


def _replaced(data: bytes, words: Mapping[bytes, bytes]) -> bytes:
    for old, new in words.items():
        data = data.replace(old, new)
    return data


def ask_first(workspace: Workspace, question: str, paths: Iterable[str]) -> None:
    """Say what would be published and ask; Interrupted when the person does not agree."""
    if workspace.context.assume_yes:
        return
    workspace.context.say("this would be signed, sent, and public for ever:")
    for path in paths:
        workspace.context.say(f"  {path}")
    if not workspace.context.agrees(question):
        raise Interrupted("not sent", hint="nothing was signed or sent")


def sign_entry(
    workspace: Workspace,
    files: dict[str, bytes],
    *,
    title: str,
    made: str,
    signers: Sequence[Signer] = (),
    kept: Mapping[str, bytes] = MappingProxyType({}),
    plain: Mapping[str, bytes] = MappingProxyType({}),
) -> Entry:
    """Return the proposal of these record files with my signatures; those made before, and `kept`, are used again."""
    proposal = submission_id({**files, **plain})
    before = Outbox.of(workspace.context.home, workspace.alias).get(proposal)
    kept = {**kept, **(before.data if before else {})}
    kept = {path: data for path, data in kept.items() if registries_of({path: data}) <= {workspace.registry_id}}
    bundles = sign_all(files, signers=signers or [workspace.signer()], standpoint=standpoint_of(workspace), kept=kept)
    member = workspace.require_member()
    return Entry(proposal, title, member, made, as_text({**files, **plain, **bundles}))


def standpoint_of(workspace: Workspace) -> Standpoint:
    """Return from where I sign now."""
    member = workspace.require_member()
    return Standpoint(workspace.registry_id, workspace.head, member, workspace.context.clock())


def judge_entry(
    workspace: Workspace, entry: Entry, *, onto: str | None = None, without: Iterable[str] = ()
) -> tuple[str, Verdict]:
    """Commit a proposal on the verified main, or on what lies at its branch already; return commit and verdict.

    `onto` is a commit that lies at its branch and is no open proposal; signatures `without` are taken away there.
    """
    base = workspace.base
    there = onto or workspace.proposals().get(entry.id)
    files: dict[str, bytes | None] = dict(entry.data)
    if there is not None:
        standing = Snapshot.at(workspace.store, there)
        files = {path: data for path, data in files.items() if standing.blob(path) is None}
        files |= {path: None for path in without if standing.blob(path) is not None}
    elif taken := _taken(workspace, entry):
        return base, Verdict.of(taken_faults(taken))
    author = author_of(entry.member, entry.at)
    if there is not None and not files:
        commit = there
    else:
        commit = write_commit(workspace.store, there or base, files, message=entry.title + "\n", author=author)
    judgement = workspace.judge(commit)
    return commit, judgement.verdict


def _taken(workspace: Workspace, entry: Entry) -> list[str]:
    """Return the places of a proposal that others have taken; committed over theirs, it would change what is merged."""
    here = Snapshot.at(workspace.store, workspace.base)
    records = {path: data for path, data in entry.records.items() if not layout.is_house_file(path)}
    return [path for path, data in records.items() if here.blob(path) not in (None, data)]


def send(workspace: Workspace, entry: Entry, *, commit: str, verdict: Verdict) -> Proposed:
    """Push a proposal that was judged, see that people find it, and merge it where that is ours to do."""
    words = describe(entry.id, entry.title, entry.records, member=entry.member)
    known = entry.id in workspace.proposals()
    try:
        sent = workspace.forge.propose(workspace.copy, entry.id, commit, words)
        if sent.outcome is PushOutcome.NOT_FORWARD or (not sent.accepted and not known and _is_there(workspace, entry)):
            commit, verdict = _on_top(workspace, entry, sent)
            sent = workspace.forge.propose(workspace.copy, entry.id, commit, words)
    except EnvironmentProblem as problem:
        raise EnvironmentProblem(f"{KEPT} {problem.message}", hint=f"{problem.hint}. {LATER}") from problem
    if not sent.accepted:
        if _stands_now(workspace, entry):
            return already_there(workspace, entry)
        raise_unsent(sent)
    outbox = Outbox.of(workspace.context.home, workspace.alias)
    outbox.put(entry.moved("sent"))
    base = workspace.base
    merged = merge_at_once(workspace, entry.id, commit=commit, title=entry.title, verdict=verdict)
    if merged:
        outbox.put(entry.moved("merged"))
    elif workspace.base != base:
        if stands(workspace.view, entry):
            return already_there(workspace, entry)
        verdict = _judged_anew(workspace, commit)
    waits = "" if merged else waits_for(verdict)
    if workspace.forge.merging is Merging.PAGE and not known:
        waits = f"{OPEN_IT}; then for {waits}"
    return Proposed(entry.id, verdict, sent.url, waits, merged=merged)


def _judged_anew(workspace: Workspace, commit: str) -> Verdict:
    """Return the verdict on what was sent, on the main that others moved; Unacceptable when it lost to them."""
    at = max(workspace.context.clock(), workspace.store.commit(workspace.base).time)
    judgement = workspace.judge(commit, at=at)
    if judgement.outcome not in (Outcome.PASS, Outcome.NEEDS_PERSON):
        hint = "run `medperf-git submit --resume`: it says what stands now, and finds it a new place where there is one"
        raise Unacceptable("others were merged first, and this no longer fits", judgement.findings, hint=hint)
    return judgement.verdict


def _is_there(workspace: Workspace, entry: Entry) -> bool:
    """Tell whether another command of mine, at the same moment, was the first to send a proposal that was refused."""
    return workspace.forge.bring(workspace.copy, entry.id) is not None


def _stands_now(workspace: Workspace, entry: Entry) -> bool:
    """Tell whether a proposal that was refused is in main meanwhile: another command of mine was faster."""
    try:
        workspace.refresh()
    except MedperfGitError:
        return False  # the refusal says more
    return stands(workspace.view, entry)


def _on_top(workspace: Workspace, entry: Entry, sent: Sent) -> tuple[str, Verdict]:
    """Judge my proposal on top of what lies at its branch; Refused when that is something else."""
    there = workspace.forge.bring(workspace.copy, entry.id)
    if there is None:
        raise_unsent(sent)
    held = proposal_at(workspace.store, workspace.base, there, at=workspace.context.clock())
    if held != entry.id:
        hint = "delete that branch there, nobody needs it; then run `medperf-git submit`. Nothing is lost"
        raise Refused(f"the branch submit/{entry.id} holds something else already", hint=hint)
    commit, verdict = judge_entry(workspace, entry, onto=there)
    refuse_failed(verdict, "with what lies at its branch already it would not be accepted; nothing was sent")
    return commit, verdict


def stands(view: RecordView, entry: Entry) -> bool:
    """Tell whether every record of a proposal is in the registry with the same bytes."""
    return all(view.blob(path) == data for path, data in entry.records.items())


def already_there(workspace: Workspace, entry: Entry) -> Proposed:
    """Return what is said of a proposal that stands already."""
    Outbox.of(workspace.context.home, workspace.alias).put(entry.moved("merged"))
    return Proposed(entry.id, Verdict(Outcome.PASS), workspace.forge.page_of(entry.id), "", merged=True)


def waits_for(verdict: Verdict) -> str:
    """Say who must act next on a proposal that is not refused."""
    if verdict.outcome is Outcome.PASS:
        return "a merge"
    waiting = [f.message.removeprefix("waits for ") for f in verdict.findings if f.severity is Severity.NEEDS_PERSON]
    return "; ".join(dict.fromkeys(waiting))


def refuse_failed(verdict: Verdict, message: str) -> None:
    """Raise `Unacceptable` for a verdict of fail."""
    if verdict.outcome not in (Outcome.PASS, Outcome.NEEDS_PERSON):
        raise Unacceptable(message, verdict.findings, hint="mend what is listed above, then run the same command again")


def raise_unsent(sent: Sent) -> NoReturn:
    """Raise for a push that was not accepted."""
    if sent.outcome is PushOutcome.NOT_FORWARD:
        hint = "run `medperf-git submit --resume`: it adds yours on top"
        raise Refused(f"somebody else has moved this proposal meanwhile ({sent.reason})", hint=hint)
    told = "\n".join(sent.messages) or sent.reason
    raise Refused(
        f"the registry did not take it:\n{told}", hint="run `medperf-git submit --resume`: it judges the state of now"
    )


def author_of(member: str, created: str) -> Author:
    """Return who commits, and when: a record's own time, so that the same proposal makes the same commit."""
    return Author(member, f"{member}@medperf-git.invalid", parse_time(created))


def now_text(workspace: Workspace) -> str:
    """Return the time of now as records write it."""
    return format_time(workspace.context.clock())
