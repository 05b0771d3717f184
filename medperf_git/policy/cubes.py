"""Rules about containers: the tasks of their role, and an environment that cannot reach the sandbox."""

import re
import shlex
from collections.abc import Iterator

from medperf_git.policy.case import Case
from medperf_git.records import models
from medperf_git.records.findings import Finding
from medperf_git.records.mounts import mount_fault

# Role → task → (inputs it must name, outputs it must name); the table of the container contract.
TASKS: dict[str, dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "data-preparator": {
        "prepare": (frozenset({"data_path"}), frozenset({"output_path"})),
        "sanity_check": (frozenset({"data_path"}), frozenset()),
        "statistics": (frozenset({"data_path"}), frozenset({"output_path"})),
    },
    "model": {"infer": (frozenset({"data_path"}), frozenset({"output_path"}))},
    "metrics": {"evaluate": (frozenset({"predictions", "labels"}), frozenset({"output_path"}))},
}
# Some preparators check the data when they count it.
OPTIONAL = frozenset({"sanity_check"})
# A benchmark of weights: its metrics container is a script that runs them, and a model is its files for that script.
SCRIPT: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "run_script": (frozenset({"data_path", "labels_path", "model_files"}), frozenset({"results_path"})),
}
# Role → what the runner may supply to it; a model never sees labels.
_ANY_TASK = frozenset({"parameters_file", "additional_files"})
INPUTS: dict[str, frozenset[str]] = {
    "data-preparator": _ANY_TASK | {"data_path", "labels_path", "metadata_path", "report_file"},
    "model": _ANY_TASK | {"data_path"},
    "metrics": _ANY_TASK | {"predictions", "labels"},
}
OUTPUTS: dict[str, frozenset[str]] = {
    "data-preparator": frozenset({"output_path", "output_labels_path", "metadata_path", "report_file"}),
    "model": frozenset({"output_path"}),
    "metrics": frozenset({"output_path", "local_outputs_path"}),
}
_SCRIPT_INPUTS = _ANY_TASK | {"data_path", "labels_path", "model_files"}
# Variables through which an image or record could change its own sandbox or a host hook (CVE-2025-23266).
DENIED_VARIABLE = re.compile(r"(?i)(?:LD_.*|NVIDIA_.*|CUDA_.*|.*_PROXY|PATH|HOME)")


def check_tasks(case: Case) -> Iterator[Finding]:
    """Refuse a cube that lacks a task of its role, has a mount the runner cannot supply, or could never start."""
    yield from check_starts(case)
    for stored, cube in case.of(models.Cube):
        is_script = _is_script(cube)
        supplied = _SCRIPT_INPUTS if is_script else INPUTS[cube.role]
        taken = frozenset({"results_path"}) if is_script else OUTPUTS[cube.role]
        for name, (inputs, outputs) in (SCRIPT if is_script else TASKS[cube.role]).items():
            task = cube.tasks.get(name)
            if task is None and name in OPTIONAL:
                continue
            if task is None:
                fix, message = f"declare the task {name}", f"a {cube.role} has a task {name!r}"
                yield Finding("cube-task", message, path=stored.path, pointer="/tasks", fix=fix)
                continue
            has_inputs, has_outputs = set(task.input_volumes or ()), set(task.output_volumes or ())
            for side, missing, unknown in (
                ("input_volumes", inputs - has_inputs, has_inputs - supplied),
                ("output_volumes", outputs - has_outputs, has_outputs - taken),
            ):
                pointer = f"/tasks/{name}/{side}"
                for key in sorted(missing):
                    fix = f"mount {key}"
                    yield Finding("cube-task", f"{key} is not mounted", path=stored.path, pointer=pointer, fix=fix)
                for key in sorted(unknown):
                    message = f"the runner supplies no {key} to a {cube.role}"
                    fix = "use the mount keys of the container contract"
                    yield Finding("cube-task", message, path=stored.path, pointer=pointer, fix=fix)


def _is_script(cube: models.Cube) -> bool:
    """Tell whether a cube has the script of a benchmark of weights in the place of its role's own task."""
    return (
        cube.role != "data-preparator"
        and "run_script" in cube.tasks
        and not TASKS[cube.role].keys() & cube.tasks.keys()
    )


def check_starts(case: Case) -> Iterator[Finding]:
    """Refuse a task that no engine could start: mounts over each other or the system, a command without its quote."""
    for stored, cube in case.of(models.Cube):
        for name, task in sorted(cube.tasks.items()):
            mounts = {**(task.input_volumes or {}), **(task.output_volumes or {})}
            if fault := mount_fault([(key, mount.mount_path) for key, mount in mounts.items()]):
                pointer, fix = f"/tasks/{name}", "choose another mount path"
                yield Finding("cube-task", fault, path=stored.path, pointer=pointer, fix=fix)
            for part in ("command", "entrypoint"):
                words = getattr(task.run_args, part, None)
                if isinstance(words, str) and not _splits(words):
                    pointer, fix = f"/tasks/{name}/run_args/{part}", "close the quotation, or give a list of words"
                    message = f"the {part} of {name} cannot be split into words"
                    yield Finding("cube-task", message, path=stored.path, pointer=pointer, fix=fix)
            asked = (
                {"additional_files", "model_files"}
                if cube.role == "model" and _is_script(cube)
                else {"additional_files"}
            )
            if asked & set(task.input_volumes or ()) and cube.additional_files is None:
                message, fix = f"{name} mounts additional files, and none are named", "name them, or do not mount them"
                pointer = f"/tasks/{name}/input_volumes/additional_files"
                yield Finding("cube-task", message, path=stored.path, pointer=pointer, fix=fix)


def _splits(words: str) -> bool:
    try:
        shlex.split(words)
    except ValueError:
        return False
    return True


def check_environment(case: Case) -> Iterator[Finding]:
    """Refuse environment variables that reach the loader, devices, proxies or the engine's own settings."""
    for stored, cube in case.of(models.Cube):
        for name, task in sorted(cube.tasks.items()):
            for variable in sorted((task.run_args.environment or {}) if task.run_args else {}):
                if DENIED_VARIABLE.fullmatch(variable):
                    pointer = f"/tasks/{name}/run_args/environment/{variable}"
                    fix = "set it inside the image, or do without"
                    message = f"a record may not set {variable}"
                    yield Finding("cube-environment", message, path=stored.path, pointer=pointer, fix=fix)
