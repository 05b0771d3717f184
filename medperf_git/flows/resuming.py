"""Send what was not sent, and find its place again for what lost it.

When somebody else claimed the next word on the same thing first, each record of the proposal is looked at by itself
(`reapplying`): what already stands needs nothing, what keeps its place goes on as it was signed, what can be placed
anew is signed again, and the author is told of the rest, which is proposed no more.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from medperf_git.errors import Refused
from medperf_git.flows.keyring import gather_keys
from medperf_git.flows.merging import tidy
from medperf_git.flows.outbox import Entry, Outbox, as_text
from medperf_git.flows.propose import (
    Proposed,
    already_there,
    judge_entry,
    send,
    sign_entry,
    stands,
    waits_for,
)
from medperf_git.flows.reapplying import Became, Fate, fate_of
from medperf_git.flows.vouching import registries_of
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Merging
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout
from medperf_git.records.findings import Finding, errors_in
from medperf_git.records.record import write_record
from medperf_git.registry.commits import submission_id
from medperf_git.signing.signers import Signer

WORTHLESS = frozenset({"signature", "head"})
LOST = frozenset({"number-taken", "chain"})
SENDABLE = (Outcome.PASS, Outcome.NEEDS_PERSON)
LAPSED = "it no longer applies to what stands in the registry now"
_IN_PART = " (in part)"
_WORDS = {
    Became.STANDS: "stand already",
    Became.KEPT: "go on as signed",
    Became.PLACED: "made anew and signed again",
    Became.LAPSED: "proposed no more",
}


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of one proposal of mine; `note` says it in words, `fates` of each record that was looked at."""

    id: str
    title: str
    done: bool
    note: str
    verdict: Verdict
    proposed: Proposed | None = None
    fates: tuple[Fate, ...] = ()


def resume(workspace: Workspace, entry: Entry, *, renumber: bool) -> Resumed:
    """Bring one proposal of mine as far as it can come now; what its host refuses keeps no other one back."""
    try:
        return _resume(workspace, entry, renumber=renumber)
    except Refused as refused:
        findings = getattr(refused, "findings", ())
        note = f"{refused.message}; {refused.hint}"
        return Resumed(entry.id, entry.title, done=False, note=note, verdict=Verdict(Outcome.FAIL, findings))


def _resume(workspace: Workspace, entry: Entry, *, renumber: bool) -> Resumed:
    if stands(workspace.view, entry):
        proposed = already_there(workspace, entry)
        if entry.state == "sent":
            _tidy(workspace, entry, "This stands in main now.")
        return Resumed(
            entry.id, entry.title, True, "nothing to do: it stands in the registry", proposed.verdict, proposed
        )
    if elsewhere := registries_of(entry.data) - {workspace.registry_id}:
        return _not_from_here(workspace, entry, min(elsewhere))
    commit, verdict = judge_entry(workspace, entry)
    if verdict.outcome in SENDABLE:
        proposed = _send_if_new(workspace, entry, commit, verdict)
        return Resumed(entry.id, entry.title, True, _after(proposed), verdict, proposed)
    if renumber and (dead := _dead_signatures(verdict.findings)):
        return _sign_again(workspace, entry, dead)
    if not renumber or not _lost_place(verdict.findings):
        mendable = _lost_place(verdict.findings) or _dead_signatures(verdict.findings)
        give_up = f"; as things stand it cannot be sent; to give it up, move {_place_of(workspace, entry)} away"
        hint = "; run `medperf-git submit --resume`" if mendable else give_up
        note = f"it would be refused as it stands{hint}"
        return Resumed(entry.id, entry.title, done=False, note=note, verdict=verdict)
    return _find_new_place(workspace, entry, verdict)


def _place_of(workspace: Workspace, entry: Entry) -> Path:
    """Return the file in which a proposal is kept."""
    return Outbox.of(workspace.context.home, workspace.alias).folder / f"{entry.id}.json"


def _not_from_here(workspace: Workspace, entry: Entry, registry: str) -> Resumed:
    """Keep what was signed for another registry that had this alias before: what it says was meant for that one."""
    place = _place_of(workspace, entry)
    note = (
        f"it was signed for another registry, {registry}, and goes nowhere else; to send it, `registry rm "
        f"{workspace.alias}` and add that one again under this alias; to give it up, move {place} away"
    )
    return Resumed(entry.id, entry.title, done=False, note=note, verdict=Verdict(Outcome.FAIL))


def _send_if_new(workspace: Workspace, entry: Entry, commit: str, verdict: Verdict) -> Proposed:
    """Send what is not there as it is now; a branch that nobody was shown yet (`ready`) is not enough."""
    there = workspace.proposals().get(entry.id)
    if entry.state == "sent" and there == commit and verdict.outcome is Outcome.NEEDS_PERSON:
        return Proposed(entry.id, verdict, workspace.forge.page_of(entry.id), waits_for(verdict), merged=False)
    return send(workspace, entry, commit=commit, verdict=verdict)


def _after(proposed: Proposed) -> str:
    return "merged" if proposed.merged else f"sent; waits for {proposed.waits_for}"


def _dead_signatures(findings: tuple[Finding, ...]) -> frozenset[str]:
    """Return the signatures that count for nothing any more, where nothing else is wrong but that they are missed."""
    errors = errors_in(findings)
    dead = frozenset(one.path for one in errors if one.rule in WORTHLESS)
    return dead if all(one.path in dead or one.rule == "unsigned" for one in errors) else frozenset()


def _sign_again(workspace: Workspace, entry: Entry, dead: frozenset[str]) -> Resumed:
    """Put my signature of now in the place of one whose key no longer counts; the records keep their bytes."""
    records = {path: data for path, data in entry.records.items() if not _is_house(path)}
    plain = {path: data for path, data in entry.records.items() if _is_house(path)}
    left = replace(entry, files={path: text for path, text in entry.files.items() if path not in dead})
    Outbox.of(workspace.context.home, workspace.alias).put(left)
    fresh = sign_entry(workspace, records, title=entry.title, made=entry.at, plain=plain)
    commit, verdict = judge_entry(workspace, fresh, without=dead)
    if verdict.outcome not in SENDABLE:
        note = "a signature on it no longer counts, and signed anew it would be refused too"
        return Resumed(entry.id, entry.title, done=False, note=note, verdict=verdict)
    proposed = send(workspace, fresh, commit=commit, verdict=verdict)
    note = f"signed again, since a signature on it no longer counted; {_after(proposed)}"
    return Resumed(entry.id, entry.title, done=True, note=note, verdict=verdict, proposed=proposed)


def _find_new_place(workspace: Workspace, entry: Entry, verdict: Verdict) -> Resumed:
    """Propose what is left of a proposal that lost its place, as a new one; the old branch is left alone.

    It is judged before anybody is asked, and nothing is signed before its author has seen what it says now.
    """
    fates = [fate_of(workspace.view, path, data) for path, data in entry.records.items() if not _is_house(path)]
    while any(fate.draft for fate in fates):
        if all(fate.became is Became.KEPT for fate in fates):
            return _unchanged(entry, "it would be refused as it stands", verdict, fates)
        _commit, verdict = judge_entry(workspace, _unsigned(entry, fates))
        refused = {one.path: one for one in reversed(errors_in(verdict.findings)) if one.rule != "unsigned"}
        if not refused:
            return _sent_anew(workspace, entry, fates)
        if not {fate.draft.path for fate in fates if fate.draft} & refused.keys():
            return _unchanged(entry, LAPSED, verdict, fates)
        fates = [_judged(fate, refused) for fate in fates]
    Outbox.of(workspace.context.home, workspace.alias).put(entry.moved("replaced"))
    _tidy(workspace, entry, "Its author gives it up: it no longer applies to what stands in main.")
    lapsed = _any_lapsed(fates)
    told = Verdict(Outcome.FAIL if lapsed else Outcome.PASS)
    return Resumed(entry.id, entry.title, done=not lapsed, note=_summary(fates), verdict=told, fates=tuple(fates))


def _tidy(workspace: Workspace, entry: Entry, why: str) -> None:
    """Close my pull request that is of no more use."""
    if workspace.forge.merging is Merging.API:
        tidy(workspace, entry.id, why)


def _unchanged(entry: Entry, note: str, verdict: Verdict, fates: list[Fate]) -> Resumed:
    return Resumed(entry.id, entry.title, done=False, note=note, verdict=verdict, fates=tuple(fates))


def _judged(fate: Fate, refused: dict[str, Finding]) -> Fate:
    """Let a record lapse that the judge refuses in its new place, with the judge's reason."""
    finding = refused.get(fate.draft.path) if fate.draft else None
    return fate.lapsed(f"{finding.message}; {finding.fix}") if finding else fate


def _files(entry: Entry, fates: list[Fate]) -> dict[str, bytes]:
    """Return the files of what is left; house files go with the registry record that lists them."""
    files = {fate.draft.path: write_record(fate.draft.record) for fate in fates if fate.draft}
    if any(path.startswith("registry/") for path in files):
        files |= {path: data for path, data in entry.records.items() if _is_house(path)}
    return files


def _unsigned(entry: Entry, fates: list[Fate]) -> Entry:
    files = _files(entry, fates)
    return Entry(submission_id(files), entry.title, entry.member, entry.at, as_text(files))


def _sent_anew(workspace: Workspace, entry: Entry, fates: list[Fate]) -> Resumed:
    """Show what others changed, ask, sign, and send; signatures on what keeps its bytes are used again."""
    if any(fate.asks for fate in fates) and not _agrees(workspace, entry, fates):
        note = "not signed, nothing was sent; `medperf-git submit --resume` asks again"
        return _unchanged(entry, note, Verdict(Outcome.NEEDS_PERSON), fates)
    unchanged = {fate.path for fate in fates if fate.became is Became.KEPT}
    kept = {path: data for path, data in entry.data.items() if _record_of(path) in unchanged}
    whole = all(fate.draft for fate in fates)
    title = entry.title if whole else entry.title.removesuffix(_IN_PART) + _IN_PART
    files, signers = _files(entry, fates), _signers(workspace, entry)
    fresh = sign_entry(workspace, files, title=title, made=entry.at, signers=signers, kept=kept)
    commit, verdict = judge_entry(workspace, fresh)
    if verdict.outcome not in SENDABLE:
        return _unchanged(entry, LAPSED, verdict, fates)
    outbox = Outbox.of(workspace.context.home, workspace.alias)
    outbox.put(fresh)
    outbox.put(entry.moved("replaced", replaced_by=fresh.id))
    proposed = send(workspace, fresh, commit=commit, verdict=verdict)
    _tidy(workspace, entry, f"Replaced by submit/{fresh.id}: {proposed.url}")
    note, done = f"{_summary(fates)}; {_after(proposed)}", not _any_lapsed(fates)
    return Resumed(fresh.id, fresh.title, done=done, note=note, verdict=verdict, proposed=proposed, fates=tuple(fates))


def _agrees(workspace: Workspace, entry: Entry, fates: list[Fate]) -> bool:
    workspace.context.say(f"{entry.title}: others were merged first")
    for fate in fates:
        workspace.context.say(f"  {fate.path}: {fate.note}")
    return workspace.context.agrees("Sign and send it like this?")


def _signers(workspace: Workspace, entry: Entry) -> list[Signer]:
    """Return my own signer, and those of my other keys that had signed the proposal."""
    mine = workspace.signer()
    shorts = {split[1] for path in entry.files if (split := layout.split_bundle(path))}
    others = shorts - {mine.public.short}
    if not others:
        return [mine]
    ring = gather_keys(workspace.context, extra=workspace.known.key_file)
    return [mine, *(signer for signer in ring.signers if signer.public.short in others)]


def _summary(fates: list[Fate]) -> str:
    if len(fates) == 1:
        return fates[0].note
    counts = Counter(fate.became for fate in fates)
    return f"of {len(fates)} records " + ", ".join(f"{counts[one]} {_WORDS[one]}" for one in Became if counts[one])


def _lost_place(findings: tuple[Finding, ...]) -> bool:
    """Tell whether others were merged first: the next word on the same thing, or a policy that a request names."""
    return any(one.rule in LOST or (one.rule, one.pointer) == ("association-request", "/policy") for one in findings)


def _any_lapsed(fates: list[Fate]) -> bool:
    return any(fate.became is Became.LAPSED for fate in fates)


def _is_house(path: str) -> bool:
    return layout.is_house_file(path)


def _record_of(bundle: str) -> str:
    """Return the record that a signature lies beside; empty for what is no signature."""
    split = layout.split_bundle(bundle)
    return split[0] if split else ""
