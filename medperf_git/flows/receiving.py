"""Answer a push on the server side: what `pre-receive` says and whether it says yes."""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from medperf_git.flows.wording import escape, render_findings
from medperf_git.policy.verdict import Outcome
from medperf_git.registry.receive import RefVerdict, judge_push, open_received, parse_updates

PIN = "medperf-git-verified.json"  # in the bare repository: up to which step it was verified here


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the push is accepted, and the lines that its sender reads."""

    accepted: bool
    lines: tuple[str, ...]


def answer_push(environ: MutableMapping[str, str], folder: Path, *, updates: str, at: datetime) -> Answer:
    """Judge a push whose `old new ref` lines are `updates`; one refused ref refuses the whole push."""
    store = open_received(environ, folder)
    verdicts = judge_push(store, parse_updates(updates), at=at, pin_file=store.path / PIN)
    return Answer(all(verdict.accepted for verdict in verdicts), tuple(_lines(verdicts)))


def _lines(verdicts: list[RefVerdict]) -> Iterator[str]:
    for verdict in verdicts:
        name = escape(verdict.update.ref.removeprefix("refs/heads/"))
        if not verdict.accepted:
            yield f"{name}: refused"
        elif verdict.judgements:
            waits = any(judgement.outcome is Outcome.NEEDS_PERSON for judgement in verdict.judgements)
            yield f"{name}: {'accepted, waits for a person' if waits else 'accepted'}"
        yield from render_findings(verdict.findings)
