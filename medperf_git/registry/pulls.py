"""Tell which proposal a fetched head is, by what it adds: a branch of somebody's fork can bear any name."""

from datetime import datetime

from medperf_git.errors import MedperfGitError
from medperf_git.records.layout import split_bundle
from medperf_git.registry.changes import read_proposal
from medperf_git.registry.commits import ProposalId, submission_id
from medperf_git.registry.objects import BadObject, Store


def proposal_at(store: Store, base: str, head: str, *, at: datetime) -> ProposalId | None:
    """Return the id of what `head` proposes to `base`; None when it is no proposal, or main has all of it."""
    try:
        proposal = read_proposal(store, base, head, at=at)
    except (BadObject, MedperfGitError):
        return None
    files = proposal.files
    if not proposal.change.added and not proposal.change.faults:
        return None
    return submission_id(files) if any(split_bundle(path) is None for path in files) else None
