"""Judge an example in a settled registry: what the tests of one module's conditions ask."""

from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import models
from medperf_git.records.names import Ref
from tests.support.registry_builder import House, Proposal, settled

from .examples import WRONG, Example

PASS, WAITS, FAIL = Outcome.PASS, Outcome.NEEDS_PERSON, Outcome.FAIL
UNREADABLE = b"kind: nothing\n"
NOWHERE = models.Reference(Ref("dora", "none-such", 1), WRONG)


def judged(example: Example) -> Verdict:
    return example(settled()).judge()


def rules(example: Example) -> list[str]:
    return sorted({finding.rule for finding in judged(example).findings})


def messages(example: Example) -> list[str]:
    return [finding.message for finding in judged(example).findings]


def broken(*paths: str) -> Example:
    """Return the step that makes merged records unreadable, as a host could around the hook."""

    def step(house: House) -> Proposal:
        for path in paths:
            house.files[path] = UNREADABLE
        return Proposal(house)

    return step
