"""Merge what the judge passes: one merge commit on main, its tree exactly what was judged."""

from collections.abc import Iterable
from dataclasses import dataclass

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.describing import describe_merge
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Merging, State
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.layout import QUARANTINE
from medperf_git.registry.commits import Author, write_merge
from medperf_git.registry.history import first_beyond
from medperf_git.registry.pulls import proposal_at
from medperf_git.registry.steps import Judgement
from medperf_git.registry.transport import PushOutcome

ATTEMPTS = 20  # each is lost only to another proposal that was merged, so a crowd of this size ends
MEANWHILE = "was merged meanwhile by somebody else"


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of one open proposal; `refused` tells that its host did not take what the judge passes."""

    id: str
    verdict: Verdict
    merged: bool
    note: str = ""
    refused: bool = False


def merge_proposal(workspace: Workspace, text: str, *, dry_run: bool = False) -> Merged:
    """Merge the open proposal whose id begins with `text` if it passes."""
    proposal = find_proposal(workspace, text)
    _refuse_idle(workspace, proposal, dry_run=dry_run)
    return _merge_one(workspace, proposal, dry_run=dry_run)


def merge_all(workspace: Workspace, *, dry_run: bool = False) -> list[Merged]:
    """Merge every open proposal that passes, each judged against what the ones before left.

    One that its host refuses, as a pull request that somebody closed there, keeps no other one back.
    """
    return [_merge_or_tell(workspace, proposal, dry_run=dry_run) for proposal in sorted(workspace.proposals())]


def find_proposal(workspace: Workspace, text: str) -> str:
    """Return the id of the open proposal that begins with `text`, or is about `text` (`member[/name[@version]]`).

    A dataset's name means its results too, a member's name what changes the member.

    UsageProblem when there is not exactly one.
    """
    wanted = text.removeprefix("submit/")
    found = [proposal for proposal in workspace.proposals() if wanted and proposal.startswith(wanted)]
    if not found and wanted:
        found = [proposal for proposal in workspace.proposals() if _is_about(added_by(workspace, proposal), wanted)]
    if len(found) != 1:
        listed = ": " + ", ".join(proposal[:12] for proposal in found) if found else ""
        count = f"{len(found) or 'no'} open proposal{'' if len(found) == 1 else 's'}"
        hint = "`medperf-git inbox --all` lists the open ones"
        raise UsageProblem(f"{count} begin with {text!r} or are about it{listed}", hint=hint)
    return found[0]


def may_go_on(workspace: Workspace, paths: Iterable[str]) -> bool:
    """Tell whether a proposal of these paths may be signed and merged: behind an invalid step only what mends it."""
    return workspace.broken is None or all(path.startswith(f"{QUARANTINE}/") for path in paths)


def added_by(workspace: Workspace, proposal: str) -> frozenset[str]:
    """Return the paths that an open proposal adds."""
    commit = workspace.proposals()[proposal]
    judgement = workspace.judge(commit)
    return frozenset(judgement.change.added)


def title_of(workspace: Workspace, commit: str) -> str:
    """Return the title of a proposal: the first line of its oldest commit beyond main."""
    first = first_beyond(workspace.store, workspace.base, commit)
    return workspace.store.message(first).partition("\n")[0]


def merge_at_once(workspace: Workspace, proposal: str, *, commit: str, title: str, verdict: Verdict) -> bool:
    """Merge what was just sent where it passes and that is ours to do; tell whether main has it now."""
    if verdict.outcome is not Outcome.PASS or workspace.known.merge != "auto":
        return False
    if workspace.forge.merging is Merging.PUSH:
        return merge_change(workspace, proposal, commit=commit, title=title)
    if workspace.forge.merging is Merging.PAGE or not workspace.forge.may_merge():
        return False
    try:
        return merge_request(workspace, proposal, commit=commit, title=title)
    except Refused as problem:
        workspace.context.say(f"not merged yet: {problem.message}; its judge there merges it, or `medperf-git merge`")
        return False


def merge_request(workspace: Workspace, proposal: str, *, commit: str, title: str) -> bool:
    """Have the forge merge the pull request whose head is the judged commit, and verify the step that main gained.

    Anybody may propose the same records by another commit: where that one was judged, and bears no pull request of
    this name, one that passes as well is merged in its place. Refused: there is none, or the forge does not let us.
    """
    if not _passes(workspace, commit):
        return False
    standing = [one for one in workspace.forge.requests(proposal) if one.state is State.OPEN]
    judged = (one for one in standing if one.commit in (commit, ""))
    found = next(judged, None) or next((one for one in standing if _is_as_good(workspace, proposal, one.commit)), None)
    if found is None:
        hint = f"see {workspace.forge.page_of(proposal)}, then run `medperf-git sync` and look again"
        raise Refused(f"no open pull request holds {commit[:12]}, which was judged", hint=hint)
    commit = found.commit or commit
    workspace.forge.merge(found, commit, describe_merge(proposal, title))
    workspace.refresh()
    merged = workspace.store.descends(workspace.base, commit) or not _judge_now(workspace, commit).change.added
    if merged:
        tidy(workspace, proposal, "This stands in main now.")
    return merged


def merge_change(workspace: Workspace, proposal: str, *, commit: str, title: str) -> bool:
    """Push the merge of a proposal that passes; tell whether main has it now.

    Where somebody else moved main meanwhile it is judged again on the new main. False: it no longer passes, this
    host does not let us, or others were faster every time, which is said; then it waits.
    """
    for _ in range(ATTEMPTS):
        base = workspace.base
        at = max(workspace.context.clock(), workspace.store.commit(base).time)
        judgement = workspace.judge(commit, at=at)
        if judgement.outcome is not Outcome.PASS or not may_go_on(workspace, judgement.change.added):
            return False
        who = workspace.member or "medperf-git"
        merge = write_merge(
            workspace.store,
            base,
            commit,
            files=judgement.change.added,
            message=f"Merge submit/{proposal}\n\n{title}\n",
            author=Author(who, f"{who}@medperf-git.invalid", at),
        )
        sent = workspace.forge.advance(workspace.copy, merge)
        if sent.accepted:
            tidy(workspace, proposal, "merged")
            workspace.refresh()
            return True
        if sent.outcome is not PushOutcome.NOT_FORWARD and not _moved(workspace):
            told = "; ".join(sent.messages) or sent.reason
            workspace.context.say(f"main did not take it ({told}); it waits there for `medperf-git merge`")
            return False
        workspace.refresh()
    lost = f"others were merged first {ATTEMPTS} times in a row"
    workspace.context.say(f"not merged yet: {lost}; it waits there, and `medperf-git submit` merges it")
    return False


def tidy(workspace: Workspace, proposal: str, why: str) -> None:
    """Take away what is of no more use; where that cannot be done now it harms nobody, and is said."""
    try:
        workspace.forge.forget(workspace.copy, proposal, why)
    except (EnvironmentProblem, Refused) as problem:
        workspace.context.say(f"note: {problem.message}; close {workspace.forge.page_of(proposal)} by hand")


def _is_about(paths: frozenset[str], text: str) -> bool:
    """Tell whether something of this name, or of this version of it, is among the paths."""
    name, at, version = text.partition("@")
    if "/" not in name:
        return not at and any(path.startswith(f"members/{name}/") for path in paths)
    said = f"{name.replace('/', '.', 1)}.{version}"
    results = (path.split("/")[4] for path in paths if path.startswith("results/"))
    if any(folder == said if at else folder.startswith(said) for folder in results):
        return True
    ends = (f"/{version}.yaml", f"/{version}/") if at else ("/",)
    starts = tuple(f"{folder}/{name}{end}" for folder in ("cubes", "datasets", "benchmarks") for end in ends)
    return any(path.startswith(starts) for path in paths)


def _moved(workspace: Workspace) -> bool:
    before = workspace.base
    workspace.refresh()
    return workspace.base != before


def _passes(workspace: Workspace, commit: str) -> bool:
    judgement = _judge_now(workspace, commit)
    return judgement.outcome is Outcome.PASS and may_go_on(workspace, judgement.change.added)


def _is_as_good(workspace: Workspace, proposal: str, commit: str) -> bool:
    """Tell whether a head that a forge names is here, is this proposal, and passes too."""
    store, at = workspace.store, workspace.context.clock()
    return (
        store.has_commit(commit)
        and proposal_at(store, workspace.base, commit, at=at) == proposal
        and _passes(workspace, commit)
    )


def _merge_or_tell(workspace: Workspace, proposal: str, *, dry_run: bool) -> Merged:
    _refuse_idle(workspace, proposal, dry_run=dry_run)
    try:
        return _merge_one(workspace, proposal, dry_run=dry_run)
    except Refused as refused:
        note = f"not merged: {refused.message}; {refused.hint}"
        return Merged(proposal, Verdict(Outcome.PASS), merged=False, note=note, refused=True)


def _refuse_idle(workspace: Workspace, proposal: str, *, dry_run: bool) -> None:
    """Refuse where nothing at all can be merged from here."""
    if workspace.forge.merging is Merging.PAGE:
        raise Refused("merging is done on the forge's page", hint=f"open {workspace.forge.page_of(proposal)}")
    if not dry_run and not workspace.forge.may_merge():
        hint = "nothing to do for you; who may write there merges it, or its judge does"
        raise Refused(f"your account at {workspace.url} may not merge", hint=hint)


def _merge_one(workspace: Workspace, proposal: str, *, dry_run: bool) -> Merged:
    commit = workspace.proposals().get(proposal)
    if commit is None:  # a proposal is deleted only when main has it
        return Merged(proposal, Verdict.of(()), merged=True, note=MEANWHILE)
    judgement = _judge_now(workspace, commit)
    if dry_run:
        note = "would be merged" if judgement.outcome is Outcome.PASS else ""
        return Merged(proposal, judgement.verdict, merged=False, note=note)
    if _adds_nothing(judgement.change.added, judgement.verdict):
        tidy(workspace, proposal, "This stands in main now.")
        return Merged(proposal, judgement.verdict, merged=True, note="was merged before; its branch is gone now")
    if judgement.outcome is not Outcome.PASS:
        return Merged(proposal, judgement.verdict, merged=False)
    merge = merge_change if workspace.forge.merging is Merging.PUSH else merge_request
    if merge(workspace, proposal, commit=commit, title=title_of(workspace, commit)):
        return Merged(proposal, judgement.verdict, merged=True)
    now = _judge_now(workspace, commit)
    stands = _adds_nothing(now.change.added, now.verdict)
    return Merged(proposal, now.verdict, merged=stands, note=MEANWHILE if stands else "")


def _judge_now(workspace: Workspace, commit: str) -> Judgement:
    at = max(workspace.context.clock(), workspace.store.commit(workspace.base).time)
    return workspace.judge(commit, at=at)


def _adds_nothing(added: object, verdict: Verdict) -> bool:
    return not added and {finding.rule for finding in verdict.findings} <= {"empty"}
