"""Who is at which stage of a benchmark, and who must act next, as plain values for its page.

Rules kept here: no clock; ages are told as of the time of the commit's step.
"""

from collections.abc import Sequence
from datetime import datetime

from medperf_git.leaderboard.stages import DONE, Stage, days_since
from medperf_git.leaderboard.tables import BenchmarkTable
from medperf_git.leaderboard.text import NOTHING, some, whole
from medperf_git.leaderboard.words import Context

ROWS = 200  # of a table: with the longest names a page stays below 1 MB

_KINDS = {
    DONE: "good",
    "running": "near",
    "approved": "near",
    "pending": "warn",
    "rejected": "bad",
    "withdrawn": "bad",
}


def status_context(table: BenchmarkTable, stages: Sequence[Stage], *, as_of: datetime) -> Context:
    """Say what the page of stages shows."""
    sites = [stage for stage in stages if stage.kind == "dataset"]
    models = [stage for stage in stages if stage.kind == "cube"]
    return {
        "trail": [{"url": table.url, "text": table.title}, {"url": "", "text": "Who is at which stage"}],
        "table": table,
        "sentence": _sentence(sites),
        "waiting": _waiting(stages),
        "sites": [_row(stage, as_of) for stage in _shown(sites)],
        "models": [_row(stage, as_of) for stage in _shown(models)],
        "more": [_more(sites, "site"), _more(models, "model")],
    }


def _shown(stages: Sequence[Stage]) -> Sequence[Stage]:
    """Give the rows of a table in order; of too many, those for whom somebody is waited come first."""
    if len(stages) <= ROWS:
        return stages
    return sorted(stages, key=lambda stage: not stage.waits_for)[:ROWS]


def _more(stages: Sequence[Stage], noun: str) -> str:
    """Say what of a table is not shown; empty where all of it is."""
    if len(stages) <= ROWS:
        return ""
    return f"{ROWS} of {some(len(stages), noun)}, those for whom somebody is waited first; all are in status.csv."


def _sentence(sites: Sequence[Stage]) -> str:
    """Say in one line how far the sites are."""
    if not sites:
        return "No site has asked to take part yet."
    done = sum(stage.status == DONE for stage in sites)
    verb = "has" if len(sites) == 1 else "have"
    if done == len(sites):
        return f"{some(done, 'site')} {verb} run every model."
    return f"{whole(done)} of {some(len(sites), 'site')} {verb} run every model."


def _waiting(stages: Sequence[Stage]) -> str:
    """Name everybody who must act next."""
    who = list(dict.fromkeys(" or ".join(stage.waits_for) for stage in stages if stage.waits_for))
    more = f"; and {len(who) - 12} more" if len(who) > 12 else ""
    return f"Waited for: {'; '.join(who[:12])}{more}." if who else "Nobody is waited for."


def _row(stage: Stage, as_of: datetime) -> Context:
    return {
        "title": stage.title,
        "ref": stage.subject,
        "owner": stage.owner_title,
        "kind": _KINDS.get(stage.status, "none"),
        "stage": stage.status,
        "dates": [_date(moment) for moment in (stage.joined, stage.registered, stage.asked, stage.approved)],
        "invited": stage.asked_by == "committee",
        "automatic": stage.automatic,
        "results": whole(stage.results),
        "expected": whole(stage.expected),
        "failed": whole(stage.failed),
        "last": _date(stage.last),
        "days": days_since(stage.last, as_of),
        "since": _since(stage, as_of),
        "who": " or ".join(stage.waits_for),
        "command": stage.command.split(),
        "note": stage.note or NOTHING,
    }


def _date(moment: str) -> Context:
    return {"full": moment, "day": moment[:10] or NOTHING}


def _since(stage: Stage, as_of: datetime) -> str:
    """Say how long before the commit a site or an owner was last heard of."""
    days = days_since(stage.last, as_of)
    if days is None:
        return ""
    return f"{some(days, 'day')} before" if days else "the same day"
