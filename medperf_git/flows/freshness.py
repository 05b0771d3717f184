"""Whether what a host shows is new: the signed note that a registry may promise beside its site.

Only registries whose record names a checkpoint promise it. A note that is stale, or smaller than one seen before, and a
main that is behind a note, are refused: somebody keeps new steps from this reader.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.flows.home import read_json, write_json
from medperf_git.records.models import Registry
from medperf_git.records.times import format_time, parse_time
from medperf_git.registry.steps import CLOCK_SLACK
from medperf_git.registry.sync import Pin
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.note import Checkpoint, read_note


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest note that was seen: steps and time, as text."""

    steps: int
    at: str


def check_freshness(
    registry: Registry, pin: Pin, *, line: Sequence[str], step: datetime, seen_file: Path, now: datetime
) -> str:
    """Return in words how fresh the verified main is.

    `line` are the steps of main in order. IntegrityBroken: the note is stale, went back, or main is behind it. A host
    of the note that does not answer is forgiven as long as the last note seen, or the newest `step` of main itself, is
    younger than a note may be.
    """
    if registry.checkpoint is None:
        return "freshness not promised: this registry publishes no signed notes"
    from medperf_git.flows.note_fetch import fetch_note  # noqa: PLC0415  (a web client, for few registries)

    most = timedelta(days=registry.checkpoint.max_age_days)
    seen = _seen(seen_file)
    try:
        data = fetch_note(registry.checkpoint.url)
    except EnvironmentProblem as problem:
        newest = max(step, parse_time(seen.at)) if seen else step
        if now - newest <= most:
            return f"{problem.message}; what is known of {format_time(newest)} still holds"
        raise
    note = read_note(data, key=PublicKey.from_record(registry.checkpoint.key), registry=pin.registry)
    _refuse_old(note, pin, seen, line=line, now=now, most=most)
    if seen is None or note.steps > seen.steps or note.at > parse_time(seen.at):
        write_json(seen_file, asdict(Seen(note.steps, format_time(note.at))))
    return f"fresh: a signed note of {format_time(note.at)} counts {note.steps} steps"


def _refuse_old(
    note: Checkpoint, pin: Pin, seen: Seen | None, *, line: Sequence[str], now: datetime, most: timedelta
) -> None:
    hint = "do not rely on what this host shows; ask a maintainer over another way"
    age = now - note.at
    if age > most:
        days = f"{age.days} days old, at most {most.days} are allowed"
        raise IntegrityBroken(f"the note of freshness is stale: {days} (of {format_time(note.at)})", hint=hint)
    if note.at > now + CLOCK_SLACK:
        raise IntegrityBroken(f"the note of freshness comes from the future: {format_time(note.at)}", hint=hint)
    if seen is not None and note.steps < seen.steps:
        went = f"it counts {note.steps} steps, an earlier one counted {seen.steps}"
        raise IntegrityBroken(f"the note of freshness went back: {went}", hint=hint)
    if note.steps > pin.steps:
        behind = f"this host shows {pin.steps} steps, the note of {format_time(note.at)} counts {note.steps}"
        raise IntegrityBroken(f"main is behind what was published: {behind}", hint=hint)
    there = line[note.steps - 1]
    if note.commit != there:
        raise IntegrityBroken(f"main is another than was published: {there}, not {note.commit}", hint=hint)


def _seen(path: Path) -> Seen | None:
    if not path.exists():
        return None
    value = read_json(path)
    try:
        parse_time(value["at"])
        return Seen(int(value["steps"]), str(value["at"]))
    except (KeyError, TypeError, ValueError) as error:
        hint = "restore it from a backup, or remove it after asking a maintainer how many steps there are"
        raise IntegrityBroken(f"{path} is damaged", hint=hint) from error
