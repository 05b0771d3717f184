"""Whether a dataset and a model may run, at the plan and again just before each start (T62).

A long run outlives decisions. What is new in the registry is fetched at most once a minute; where it cannot be reached,
or a step of it is not valid, the last verified state decides. A `sync` by another command counts at once.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.amounts import size_text
from medperf_git.flows.naming import Found, at_ref, refuse_withdrawn
from medperf_git.flows.workspace import Workspace
from medperf_git.records.folds import Status, association_state, is_associated_model
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.runner.disk import room_for_containers
from medperf_git.runner.plan import ModelPlan, RunPlan

_FETCH_SECONDS = 60.0


class StillApproved:
    """Guards the newest verified state of a registry while models run; asked by several threads, one at a time."""

    def __init__(self, workspace: Workspace, plan: RunPlan, disk: Path, *, every: float = _FETCH_SECONDS) -> None:
        self._context = replace(workspace.context, registry=workspace.alias, say=_Once(workspace.context.say))
        self._plan = plan
        self._disk = disk
        self._every = every
        self._fetched = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, model: ModelPlan) -> str:
        """Say why a model may not start now; empty when it may. IntegrityBroken when it is another than was planned."""
        with self._lock:
            try:
                cube = self._approved(self._newest(), model)
            except (Refused, UsageProblem) as problem:  # the latter where a record was quarantined meanwhile
                return problem.message
            except EnvironmentProblem as problem:  # a light copy without its network, a disk that is full
                self._context.say(f"warning: {problem.message}; models start as they were approved before")
                return ""
        return lacking_room(cube, self._disk)

    def _newest(self) -> RecordView:
        """Return the newest verified state; what is wrong with newer steps is said, and stops no model."""
        workspace = Workspace.open(self._context, healing=True)
        if time.monotonic() - self._fetched >= self._every:
            try:
                workspace.refresh()
            except (EnvironmentProblem, IntegrityBroken) as problem:
                self._context.say(f"warning: {problem.message}; working with what was verified before")
            self._fetched = time.monotonic()
        if workspace.broken is not None:
            self._context.say(f"warning: {workspace.broken.message}; models start as approved before it")
        return workspace.view

    def _approved(self, view: RecordView, model: ModelPlan) -> Cube:
        plan = self._plan
        for about in (at_ref(view, Benchmark, plan.benchmark.ref), at_ref(view, Cube, plan.metrics_cube.ref)):
            refuse_withdrawn(view, about.stored)
        data = at_ref(view, Dataset, plan.dataset.ref)
        refuse_withdrawn(view, data.stored)
        refuse_unapproved(view, plan.benchmark.ref, data)
        cube = at_ref(view, Cube, model.model.ref)
        if cube.stored.digest != model.model.digest:
            message = f"{cube.ref} is not what was planned: expected {model.model.digest}, got {cube.stored.digest}"
            raise IntegrityBroken(message, hint="run `medperf-git audit`, and tell the maintainers")
        refuse_unapproved_model(view, plan.benchmark.ref, cube)
        return cube.record


class _Once:
    """Says each sentence once, however often it holds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def lacking_room(cube: Cube, disk: Path) -> str:
    """Say that a model needed more disk in its own test than is free here; empty when it fits, or nobody knows."""
    wanted = cube.resources.disk_bytes if cube.resources else None
    room = room_for_containers(disk)
    if wanted is None or wanted <= room:
        return ""
    return f"its own test needed {size_text(wanted)} of disk, and {size_text(room)} may be filled on that of {disk}"


def refuse_unapproved(view: RecordView, benchmark: Ref, dataset: Found[Dataset]) -> None:
    """Raise `Refused` unless exactly this dataset is approved for a benchmark."""
    state = association_state(view, benchmark, "dataset", dataset.ref)
    if state.status is Status.APPROVED and state.subject == dataset.stored.digest:
        return
    hint = {
        Status.PENDING: "the committee decides; `medperf-git association ls` shows it",
        Status.APPROVED: "ask again: the approval is about other bytes",
    }.get(state.status, f"ask: medperf-git association request {benchmark} --dataset {dataset.ref}")
    raise Refused(f"the dataset {dataset.ref} is not approved for {benchmark} ({state.status})", hint=hint)


def refuse_unapproved_model(view: RecordView, benchmark: Ref, model: Found[Cube]) -> None:
    """Raise `Refused` unless exactly this model is approved for a benchmark, or is its reference model (T62)."""
    refuse_withdrawn(view, model.stored)
    about = at_ref(view, Benchmark, benchmark).record
    state = association_state(view, benchmark, "cube", model.ref)
    if not is_associated_model(view, benchmark, model.ref):
        hint = f"its owner asks: medperf-git association request {benchmark} --model {model.ref}"
        raise Refused(f"the model {model.ref} is not approved for {benchmark} ({state.status})", hint=hint)
    approved = about.reference_model.digest if about.reference_model.ref == model.ref else state.subject
    if approved != model.stored.digest:
        message = f"the approval of {model.ref} is about other bytes: expected {approved}, got {model.stored.digest}"
        raise IntegrityBroken(message, hint="run `medperf-git audit`, and tell the maintainers")
