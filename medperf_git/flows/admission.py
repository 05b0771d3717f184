"""Sign what somebody else proposes: look at it, add own signatures on top, send it back."""

from dataclasses import dataclass

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.describing import describe
from medperf_git.flows.merging import added_by, may_go_on, merge_at_once, title_of
from medperf_git.flows.propose import (
    Proposed,
    author_of,
    now_text,
    raise_unsent,
    refuse_failed,
    standpoint_of,
    waits_for,
)
from medperf_git.flows.vouching import asked_of, sign_record
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.case import Case
from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Verdict
from medperf_git.records import layout
from medperf_git.records.models import Member
from medperf_git.registry.commits import write_commit
from medperf_git.signing.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Seen:
    """A proposal as a signer sees it: its head, its records as text, and those that wait for this signer.

    `keys` are the fingerprints of the keys that it brings, to be compared with their owner over another way.
    """

    id: str
    commit: str
    title: str
    records: dict[str, str]
    mine: tuple[str, ...]
    verdict: Verdict
    keys: tuple[str, ...] = ()


def find_introduction(workspace: Workspace, member: str) -> str:
    """Return the open proposal that introduces a member; UsageProblem when there is not exactly one."""
    path = layout.member_path(member, 1)
    if workspace.view.blob(path) is not None:
        raise Refused(f"{member} is a member already", hint="nothing to do; `medperf-git member ls` lists them")
    found = [proposal for proposal in workspace.proposals() if path in added_by(workspace, proposal)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageProblem(f"nobody has asked to join as {member!r}", hint="`medperf-git inbox` shows who has")
    listed = ", ".join(proposal[:12] for proposal in found)
    hint = f"ask {member} which key is theirs, then `medperf-git sign` one of: {listed}"
    raise UsageProblem(f"{len(found)} people ask to join as {member!r}", hint=hint)


def look_at(workspace: Workspace, proposal: str) -> Seen:
    """Return a proposal as I am asked to sign it.

    Unacceptable: it would be refused for another reason than a missing signature. Refused: mine is not asked for.
    """
    commit = workspace.proposals()[proposal]
    judgement = workspace.judge(commit)
    if workspace.broken is not None and not may_go_on(workspace, judgement.change.added):
        raise workspace.broken
    refuse_failed(judgement.verdict, f"submit/{proposal[:12]} would be refused whoever signs it")
    mine = asked_of(judgement.change, workspace.signer(), workspace.require_member())
    if not mine:
        raise Refused(
            f"submit/{proposal[:12]} does not ask for your signature; it waits for {waits_for(judgement.verdict)}",
            hint="nothing to do for you; `medperf-git inbox` shows what waits for you",
        )
    records = {
        path: data.decode("utf-8", "replace")
        for path, data in sorted(judgement.change.added.items())
        if not path.endswith(".sigstore.json")
    }
    return Seen(
        proposal, commit, title_of(workspace, commit), records, mine, judgement.verdict, _keys(judgement.change)
    )


def _keys(change: Change) -> tuple[str, ...]:
    """Return the fingerprints of the keys that a change brings, each with what it is for."""
    found = []
    for stored in Case(change).records.values():
        if isinstance(stored.record, Member):
            keys = stored.record.keys
            for use, entries in (("signing", keys.signing), ("recovery", keys.recovery or ())):
                found += [f"{use} key of {stored.record.member}: {_fingerprint(one.key)}" for one in entries]
    return tuple(found)


def _fingerprint(key: str) -> str:
    return PublicKey.from_record(key).fingerprint


def sign_proposal(workspace: Workspace, seen: Seen) -> Proposed:
    """Add my signatures as one commit on top of what was seen, push it, and merge it where it passes now."""
    signer, standpoint = workspace.signer(), standpoint_of(workspace)
    bundles = dict(
        sign_record(path, seen.records[path].encode(), signer=signer, standpoint=standpoint) for path in seen.mine
    )
    member = workspace.require_member()
    author = author_of(member, now_text(workspace))
    message = f"Sign as {member}\n"
    commit = write_commit(workspace.store, seen.commit, bundles, message=message, author=author)
    verdict = workspace.judge(commit).verdict
    refuse_failed(verdict, "with this signature it would not be accepted; nothing was sent")
    words = describe(seen.id, seen.title, seen.records, member=member)
    sent = workspace.forge.propose(workspace.copy, seen.id, commit, words)
    if not sent.accepted:
        raise_unsent(sent)
    merged = merge_at_once(workspace, seen.id, commit=commit, title=seen.title, verdict=verdict)
    return Proposed(seen.id, verdict, sent.url, "" if merged else waits_for(verdict), merged=merged)
