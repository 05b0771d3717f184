"""Make room: remove runs, or only their predictions, that nobody needs any more.

Never a run that is under way. A run with an outcome that no registry of this machine holds yet, or that was not
finished, only when that is asked for by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from medperf_git.errors import MedperfGitError, Refused, UsageProblem
from medperf_git.flows.amounts import size_text
from medperf_git.flows.config import Config
from medperf_git.flows.context import Context
from medperf_git.flows.run_rows import run_store
from medperf_git.flows.runbook import find_run, outcomes_of, state_of
from medperf_git.flows.workspace import Workspace, registry_folder
from medperf_git.records.folds import result_chain
from medperf_git.records.models import Result
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.registry.sync import read_pin
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.sizes import freed_by
from medperf_git.runner.store import RunFolder
from medperf_git.runner.trees import remove_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which runs: named ones, or those older than so many seconds and beyond the `keep` newest; and what of them."""

    names: Sequence[str] = ()
    older_than: float | None = None
    keep: int | None = None
    predictions: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Prunable:
    """One run: what would be removed of it and how many bytes come free, or why it stays."""

    run: RunFolder
    folders: tuple[Path, ...]
    freed: int
    stays: str

    def row(self) -> dict[str, Any]:
        """Return one line."""
        return {
            "run": self.run.run_id,
            "state": state_of(self.run),
            "frees": size_text(self.freed),
            "bytes": self.freed,
            "stays": self.stays,
        }


def plan_pruning(context: Context, choice: Choice) -> list[Prunable]:
    """Return the chosen runs, each with what would go or why it stays; `UsageProblem` when nothing is chosen."""
    if not choice.names and choice.older_than is None and choice.keep is None:
        hint = "name a run, or say --older-than 30d, or --keep 5; `medperf-git runs ls` shows sizes"
        raise UsageProblem("nothing says which runs may go", hint=hint)
    views = None if choice.force else _views(context)
    return [_prunable(run, choice, views) for run in _chosen(context, choice)]


def prune(context: Context, found: Sequence[Prunable], choice: Choice) -> list[Prunable]:
    """Remove what was planned, and return what really was; what meanwhile must stay stays."""
    store = run_store(context.home)
    store.remove_leftovers()
    views = None if choice.force else _views(context)
    gone = []
    for one in found:
        if one.stays:
            continue
        if stays := _why_it_stays(one.run, views, predictions=choice.predictions):  # somebody thought it over for long
            gone.append(replace(one, stays=stays, freed=0))
            continue
        try:
            if choice.predictions:
                with one.run.held():
                    for folder in one.folders:
                        remove_tree(folder)
            else:
                store.remove(one.run.run_id)
        except Refused as problem:
            gone.append(replace(one, stays=problem.message, freed=0))
            continue
        gone.append(one)
    return gone


def _chosen(context: Context, choice: Choice) -> list[RunFolder]:
    if choice.names:
        return list({run.run_id: run for run in (find_run(context.home, name) for name in choice.names)}.values())
    runs = list(run_store(context.home).runs())[choice.keep or 0 :]
    now = context.clock()
    return [run for run in runs if choice.older_than is None or _age(run, now) > choice.older_than]


def _age(run: RunFolder, now: datetime) -> float:
    """Return the seconds since anything was noted of a run."""
    notes = (run.path / name for name in ("plan.json", "wish.json", "command.json"))
    return now.timestamp() - max(path.stat().st_mtime for path in notes if path.exists())


def _prunable(run: RunFolder, choice: Choice, views: Sequence[RecordView] | None) -> Prunable:
    inner = tuple(run.model(ref).predictions for ref in run.models())
    folders = inner if choice.predictions else (run.path,)
    stays = _why_it_stays(run, views, predictions=choice.predictions)
    return Prunable(run, folders, 0 if stays else freed_by(folders), stays)


def _why_it_stays(run: RunFolder, views: Sequence[RecordView] | None, *, predictions: bool) -> str:
    if (state := state_of(run)) == "running":
        return "it is under way"
    if views is None:
        return ""
    if state == "damaged":
        return "its notes are damaged, so what it holds is not known; --force removes it all the same"
    if state == "interrupted":
        return "it was interrupted and can go on; --force removes it all the same"
    waiting = [] if predictions else [one for one in outcomes_of(run) if not _is_published(run, one, views)]
    if waiting:
        said = ", ".join(str(one.model.ref) for one in waiting[:3]) + (", …" if len(waiting) > 3 else "")
        return f"not submitted yet: {said}; --force removes it all the same"
    return ""


def _is_published(run: RunFolder, outcome: Outcome, views: Sequence[RecordView]) -> bool:
    plan = run.plan()
    benchmark, dataset = (Ref.parse(plan[key]["ref"]) for key in ("benchmark", "dataset"))
    times = outcome.started, outcome.finished
    links = (link.record for view in views for link in result_chain(view, benchmark, dataset, outcome.model.ref))
    return any(isinstance(record, Result) and (record.started, record.finished) == times for record in links)


def _views(context: Context) -> list[RecordView]:
    """Return every registry that was verified on this machine, as last seen; the network is not asked."""
    views: list[RecordView] = []
    for alias in Config.load(context.home).registries:
        if read_pin(registry_folder(context.home, alias) / "pin.json") is None:
            continue
        try:
            views.append(Workspace.open(replace(context, registry=alias), healing=True).view)
        except MedperfGitError as problem:
            context.say(f"{alias} cannot be read, so what it holds counts as not submitted: {problem.message}")
    return views
