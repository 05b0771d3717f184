"""Run one task of one cube on given folders, and take its outputs over.

This is the one way in which a container is started: for runs, for preparing data, for tests of a cube.
"""

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.models import Asset, Reason
from medperf_git.runner.collect import Caps, HostileOutput, TakenFile, collect
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault, room_for_containers
from medperf_git.runner.engine import (
    Bind,
    BindKind,
    Ended,
    Engine,
    GpusUnavailable,
    ImageUnavailable,
    Limits,
    NotStarted,
    Profile,
    StepResult,
    StepSpec,
    User,
)
from medperf_git.runner.explain import explain
from medperf_git.runner.image_uses import ImageUses
from medperf_git.runner.plan import Slot, TaskPlan, wanted_image
from medperf_git.runner.staging import make_output_file, make_output_folder, private_folder, readable_view
from medperf_git.runner.trees import remove_tree

REASON_OF: dict[Ended, Reason] = {
    Ended.EXITED: "exit-code",
    Ended.DEADLINE: "timeout",
    Ended.OOM: "out-of-memory",
    Ended.LOG_LIMIT: "disk",
    Ended.DISK_LIMIT: "disk",
    Ended.KILLED: "exit-code",
}
_PLAIN = "its owner must make it write plain files and folders"
_FILE_SIZE_EXCEEDED = 153  # 128 + SIGXFSZ


class StepFailed(Exception):
    """A task ended without usable output: a reason of the closed list, and sentences for the site alone."""

    def __init__(self, reason: Reason, message: str, *, hint: str = "", result: StepResult | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint
        self.result = result


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A task that succeeded: how it ran, its outputs by mount key, its log."""

    result: StepResult
    outputs: dict[str, tuple[TakenFile, ...]]
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every task of a command shares; `scratch` is on the disk that outputs and `/tmp` may fill.

    `fetch` brings an asset of a record here, verified; `gpus` is what the data owner grants;
    `parallel` is how many tasks share the disk; `uses` knows which images are needed once more; `on_fetch` is told of
    an image's name, and its bytes here and in all, while it is fetched. `views` remembers, where inputs do not change
    while a command works, how the container's user sees each of them: a large dataset is walked once, not for every
    model.
    """

    engine: Engine
    limits: Limits
    scratch: Path
    stop: threading.Event = field(default_factory=threading.Event)
    fetch: Callable[[Asset], Path] | None = None
    unpack: Callable[[Asset], Path] | None = None
    gpus: str = ""
    run_id: str = ""
    parallel: int = 1
    uses: ImageUses = field(default_factory=ImageUses)
    on_fetch: Callable[[str, int, int], None] = lambda *_: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    views: dict[tuple[Path, User], Path] | None = None

    def close(self) -> None:
        """Remove what was made for the whole command."""
        remove_tree(self.scratch)


def resolve(bench: Bench, plan: TaskPlan) -> str:
    """Return the id of the task's image, fetched if need be; StepFailed `image-unavailable` if it cannot be had."""
    image = plan.image
    wanted = wanted_image(image)
    try:
        if image.archive is not None and not bench.engine.has_image(wanted) and bench.fetch is not None:
            wanted = wanted_image(image, _brought(bench.fetch, image.archive))
        image_id = bench.engine.resolve_image(wanted, progress=partial(bench.on_fetch, image.reference))
        if wanted.archive is not None:
            bench.uses.loaded(wanted.archive)
        return image_id
    except (ImageUnavailable, IntegrityBroken, Refused) as error:
        raise StepFailed("image-unavailable", error.message, hint=error.hint) from error


@contextmanager
def failing_on_full_disk() -> Iterator[None]:
    """Turn a disk that is full or broken into the failure of the task that met it."""
    try:
        yield
    except DiskFull as error:
        raise StepFailed("disk", error.message, hint=error.hint) from error
    except OSError as error:
        if not is_disk_fault(error):
            raise
        raise StepFailed("disk", f"the disk refused: {error.strerror}", hint=MAKE_ROOM) from error


def _brought(bring: Callable[[Asset], Path], asset: Asset) -> Path:
    """Return a file or folder that a record names; StepFailed when it cannot be had."""
    try:
        return bring(asset)
    except DiskFull:
        raise
    except (EnvironmentProblem, IntegrityBroken, Refused) as error:
        raise StepFailed("image-unavailable", error.message, hint=error.hint) from error


def run_task(
    bench: Bench,
    plan: TaskPlan,
    *,
    inputs: Mapping[str, Path],
    targets: Mapping[str, Path],
    log: Path,
    profile: Profile,
    live: Mapping[str, Path] | None = None,
    accept_exit_code: bool = False,
) -> TaskRun:
    """Run a task and copy its outputs to `targets` (by mount key; what is not named there is dropped).

    `live` names outputs that the container writes in place, over several attempts, and that stay as they are.
    StepFailed carries the reason; with `accept_exit_code` a bad exit code alone is not a failure.
    """
    if plan.gpus_wanted and not bench.gpus:
        raise StepFailed(
            "needs-gpu", f"{plan.cube.ref} asks for GPUs ({plan.gpus_wanted})", hint="grant them with --gpus all"
        )
    with failing_on_full_disk():
        image_id = resolve(bench, plan)
        scratch = private_folder(bench.scratch / secrets.token_hex(8))
        try:
            spec = _spec(
                bench, plan, image_id=image_id, inputs=inputs, live=live or {}, scratch=scratch, profile=profile
            )
            private_folder(log.parent)
            result = bench.engine.run(spec, log=log, stop=bench.stop)
            _check(result, spec, log, accept_exit_code=accept_exit_code)
            return TaskRun(result, _take_over(spec, targets, result, plan), log)
        except Refused as error:
            raise StepFailed("sandbox", error.message, hint=error.hint) from error
        except ImageUnavailable as error:
            raise StepFailed("image-unavailable", error.message, hint=error.hint) from error
        except GpusUnavailable as error:
            raise StepFailed("needs-gpu", error.message, hint=error.hint) from error
        except NotStarted as error:
            reason: Reason = "exit-code" if room_for_containers(bench.scratch) else "disk"
            raise StepFailed(reason, error.message, hint=error.hint) from error
        finally:
            remove_tree(scratch)


def _check(result: StepResult, spec: StepSpec, log: Path, *, accept_exit_code: bool) -> None:
    if result.succeeded or (accept_exit_code and result.ended is Ended.EXITED):
        return
    reason: Reason = "disk" if result.exit_code == _FILE_SIZE_EXCEEDED else REASON_OF[result.ended]
    message, hint = explain(result, spec, log)
    raise StepFailed(reason, message, hint=hint, result=result)


def _take_over(
    spec: StepSpec, targets: Mapping[str, Path], result: StepResult, plan: TaskPlan
) -> dict[str, tuple[TakenFile, ...]]:
    caps = Caps(files=spec.limits.output_files, total_bytes=spec.limits.output_bytes)
    names = {slot.key: PurePosixPath(slot.inside).name for slot in plan.outputs if plan.folder_of(slot)}
    outputs = {}
    for bind in spec.binds:
        if bind.read_only or bind.key not in targets:
            continue
        target = targets[bind.key]
        remove_tree(target)
        target.unlink(missing_ok=True)
        source = bind.host
        try:
            if bind.key in names and bind.kind is BindKind.DIRECTORY:
                source = bind.host / names[bind.key]
                if not os.path.lexists(source):
                    source.touch(mode=0o600)  # as a file that is mounted and stays empty
            outputs[bind.key] = collect(source, target, caps=caps)
        except HostileOutput as error:
            remove_tree(target)
            raise StepFailed("invalid-output", error.message, hint=error.hint, result=result) from error
        except OSError as error:
            remove_tree(target)
            if is_disk_fault(error):
                raise StepFailed(
                    "disk", f"the disk has no room for what it wrote ({error.strerror})", hint=MAKE_ROOM, result=result
                ) from error
            raise StepFailed(
                "invalid-output", f"what it wrote cannot be taken over: {error.strerror}", hint=_PLAIN, result=result
            ) from error
    return outputs


def _spec(
    bench: Bench,
    plan: TaskPlan,
    *,
    image_id: str,
    inputs: Mapping[str, Path],
    live: Mapping[str, Path],
    scratch: Path,
    profile: Profile,
) -> StepSpec:
    user = bench.engine.user(profile)
    given = _given_inputs(bench, plan, inputs, scratch)
    binds = [_input(slot, given, user, bench=bench, scratch=scratch) for slot in plan.inputs]
    binds += [_output(slot, live, user, scratch / "out", plan.folder_of(slot)) for slot in plan.outputs]
    return StepSpec(
        image_id=image_id,
        command=plan.command,
        entrypoint=plan.entrypoint,
        environment=plan.environment,
        binds=tuple(binds),
        limits=bench.limits.within(room_for_containers(bench.scratch) // bench.parallel),
        profile=profile,
        scratch=make_output_folder(scratch / "tmp", user),
        shm_bytes=bench.limits.shared_memory(plan.shm_bytes),
        gpus=bench.gpus if plan.gpus_wanted else "",
        run_id=bench.run_id,
    )


def _given_inputs(bench: Bench, plan: TaskPlan, inputs: Mapping[str, Path], scratch: Path) -> dict[str, Path]:
    given = dict(inputs)
    asked = {slot.key for slot in plan.inputs}
    if "parameters_file" in asked and plan.parameters is not None:
        given["parameters_file"] = _written(scratch / "parameters.yaml", plan.parameters)
    for key, asset in (("additional_files", plan.additional_files), ("model_files", plan.model_files)):
        if key not in asked or asset is None:
            continue
        if bench.unpack is None:
            raise StepFailed(
                "image-unavailable", f"{plan.cube.ref} needs additional files, and none can be fetched here"
            )
        with bench.lock:  # the first that needs it brings it for all
            given[key] = _brought(bench.unpack, asset)
    return given


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def _input(slot: Slot, given: Mapping[str, Path], user: User, *, bench: Bench, scratch: Path) -> Bind:
    if slot.key not in given:
        raise Refused(
            f"the task reads {slot.key}, and nothing is given for it", hint="give that folder, or use another container"
        )
    source = given[slot.key].resolve()
    if slot.kind is BindKind.FILE and source.is_dir():  # a person gives the folder in which the task wants one file
        source = source / PurePosixPath(slot.inside).name
    if (slot.kind is BindKind.DIRECTORY) != source.is_dir():
        raise Refused(f"{slot.key} must be a {slot.kind}: {source}", hint="check the path that was given")
    own = slot.key == "predictions"
    view = readable_view(source, user, staging=scratch / "in") if own else _shared_view(bench, source, user)
    return Bind(slot.key, view, slot.inside, read_only=True, kind=slot.kind)


def _shared_view(bench: Bench, source: Path, user: User) -> Path:
    """Return an input as all models of a command see it: through one copy, where there must be one."""
    staging = bench.scratch / "views" / hashlib.sha256(bytes(source)).hexdigest()[:16]
    with bench.lock:
        if bench.views is None:
            return readable_view(source, user, staging=staging)
        if (source, user) not in bench.views:
            bench.views[source, user] = readable_view(source, user, staging=staging)
        return bench.views[source, user]


def _output(slot: Slot, live: Mapping[str, Path], user: User, folder: Path, in_its_place: str) -> Bind:
    host = live.get(slot.key, folder / slot.key)
    if in_its_place and slot.key not in live:
        made = make_output_folder(host, user)
        return Bind(slot.key, made, in_its_place, read_only=False, kind=BindKind.DIRECTORY)
    make = make_output_folder if slot.kind is BindKind.DIRECTORY else make_output_file
    return Bind(slot.key, make(host, user), slot.inside, read_only=False, kind=slot.kind)
