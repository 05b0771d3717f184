"""Light copies of large registries: begin one, and make one whole.

A light copy believes main once, as it stands when it begins, and fetches what is read when it is read.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, UsageProblem
from medperf_git.flows.config import Known
from medperf_git.flows.context import Context
from medperf_git.flows.home import locked
from medperf_git.flows.workspace import InvalidHistory, Workspace, registry_folder
from medperf_git.registry.bare import open_copy
from medperf_git.registry.history import FirstParentLine
from medperf_git.registry.sync import Pin, SyncReport, read_pin, sync, write_pin
from medperf_git.registry.transport import UPSTREAM_MAIN


def fetch_first(context: Context, alias: str, known: Known) -> tuple[Workspace, SyncReport | None]:
    """Fetch and verify a registry for the first time; all of it where a light copy is wished for and cannot be had."""
    try:
        workspace = Workspace(context, alias, known)
        return workspace, workspace.refresh()
    except EnvironmentProblem as problem:
        if not known.light:
            raise
        context.say(f"no light copy is to be had ({problem.message}); fetching everything")
    shutil.rmtree(registry_folder(context.home, alias), ignore_errors=True)
    return fetch_first(context, alias, replace(known, light=False))


def make_whole(workspace: Workspace) -> SyncReport:
    """Fetch everything, verify it from the genesis, and put it in the place of a light copy.

    The light copy stays as it is until all is verified. InvalidHistory: a step is not valid. IntegrityBroken: what the
    light copy believed is no part of main.
    """
    folder = registry_folder(workspace.context.home, workspace.alias)
    fresh, fresh_pin, old = folder / "whole.git", folder / "whole.json", folder / "light.git"
    with locked(workspace.pin_file.with_name("lock")):
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        fresh_pin.unlink(missing_ok=True)
        try:
            report, pin = _verified(workspace, fresh, fresh_pin)
            workspace.store.close()
            workspace.copy.rename(old)
            fresh.rename(folder / "repo.git")
            write_pin(workspace.pin_file, pin)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh_pin.unlink(missing_ok=True)
        workspace.remember(replace(workspace.known, light=False))
        shutil.rmtree(old, ignore_errors=True)
    return report


def require_whole(workspace: Workspace, what: str) -> None:
    """UsageProblem: `what` needs the whole history, and the copy is a light one."""
    if workspace.store.supply is not None:
        hint = "run `medperf-git sync --full` first: it fetches the whole history and verifies it from the genesis"
        raise UsageProblem(f"the copy of {workspace.alias} is a light one, and {what} needs all of it", hint=hint)


def _verified(workspace: Workspace, fresh: Path, fresh_pin: Path) -> tuple[SyncReport, Pin]:
    store = open_copy(fresh)
    workspace.forge.fetch(store.path)
    tip = store.ref(UPSTREAM_MAIN)
    if tip is None:
        raise UsageProblem(f"{workspace.url} holds no registry any more", hint="ask a maintainer")
    now, say = workspace.context.clock(), workspace.context.say

    def progress(done: int, steps: int) -> None:
        if done % 200 == 0:
            say(f"verified {done} of {steps} steps of main")

    report = sync(store, tip, pin_file=fresh_pin, expected=workspace.registry_id, progress=progress, now=now)
    if report.stopped is not None or report.pin is None:
        stopped = report.stopped
        raise InvalidHistory(stopped.commit if stopped else tip, stopped.judgement.findings if stopped else ())
    believed = read_pin(workspace.pin_file)
    line = FirstParentLine(store, report.pin.commit)
    for commit in (believed.trusted, believed.commit) if believed else ():
        if commit is not None and commit not in line:
            hint = "do not use this registry; tell its maintainers which commit it is"
            raise IntegrityBroken(f"this light copy believed {commit}, which is no step of main", hint=hint)
    store.close()
    return report, report.pin
