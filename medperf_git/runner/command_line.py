"""The command by which a task is started, as a person would type it; for reading, and for trying by hand."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from medperf_git.runner.engine import MIB, BindKind, Limits, Profile, User
from medperf_git.runner.plan import Slot, TaskPlan


def command_line(
    plan: TaskPlan, *, inputs: Mapping[str, Path], targets: Mapping[str, Path], limits: Limits, user: User,
    profile: Profile, gpus: str = "",
) -> str:  # fmt: skip
    """Return the `docker run` that does what the engine is asked to do; what is unpacked first is shown as `<key>`."""
    words = ["docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL"]
    words += ["--security-opt", "no-new-privileges", "--user", f"{user.uid}:{user.gid}"]
    words += ["--read-only"] if profile is Profile.STRICT else []
    words += ["--memory", f"{limits.memory_bytes // MIB}m", "--cpus", f"{limits.cpus:g}"]
    words += ["--pids-limit", str(limits.pids), "--shm-size", f"{limits.shared_memory(plan.shm_bytes) // MIB}m"]
    words += ["--gpus", gpus] if gpus and plan.gpus_wanted else []
    for name, value in plan.environment:
        words += ["--env", f"{name}={value}"]
    words += ["--tmpfs", "/tmp"]  # noqa: S108  (a path inside the container)
    words += [word for slot in plan.inputs for word in _mount(slot, inputs, ":ro")]
    words += [word for slot in plan.outputs for word in _mount(slot, targets, "")]
    entry, *rest = plan.entrypoint or ("",)
    words += ["--entrypoint", entry] if entry else []
    return shlex.join([*words, plan.image.id, *rest, *(plan.command or ())])


def _mount(slot: Slot, places: Mapping[str, Path], mode: str) -> Iterator[str]:
    place = places.get(slot.key)
    if place is not None and slot.kind is BindKind.FILE and place.is_dir():
        place = place / slot.inside.rpartition("/")[2]
    yield "--volume"
    yield f"{place.absolute() if place else f'<{slot.key}>'}:{slot.inside}{mode}"
