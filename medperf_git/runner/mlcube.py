"""`mlcube.yaml`, the older form → tasks of a cube, started as MedPerf starts them.

The image's own entry point gets `<task> --<parameter>=<path inside> …`; an entry point that the task names itself gets
the parameters alone. Each folder is mounted at `/mlcube_io<N>`, numbered in the order of the parameters; of a file it
is the folder that is mounted, so that a program may rename into it. Parameters that only an mlcube knows are inputs
below `additional_files/`, or outputs that nobody reads: these are written to `/tmp`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from medperf_git.policy.cubes import DENIED_VARIABLE
from medperf_git.records.models import Mount, RunArgs, Task
from medperf_git.records.mounts import TMP
from medperf_git.runner.config_values import Wrong, mapping, only, scalar, split, words
from medperf_git.runner.plan import ALWAYS_GIVEN, TASK_KEYS

Kind = Literal["directory", "file"]

_KNOWN = ("name", "description", "authors", "platform", "docker", "tasks")
_DOCKER = ("image", "gpu_args", "cpu_args", "env_args", "build_context", "build_file", "build_strategy", "build_args",
           "tar_file")  # fmt: skip
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_FILES = "additional_files"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ReadMlcube:
    """What an `mlcube.yaml` says; `assets` maps `parameters_file` and `additional_files` to paths in its workspace."""

    image: str
    title: str
    tasks: dict[str, Task]
    assets: dict[str, str]
    notes: tuple[str, ...]


def read_mlcube(content: Mapping[str, Any]) -> ReadMlcube:
    """Convert the content of an `mlcube.yaml`; Wrong says what cannot be."""
    notes = [f"{key} is left out" for key in content if key not in _KNOWN]
    docker = mapping(content.get("docker") or {}, "docker")
    notes += [f"docker/{key} is left out" for key in docker if key not in _DOCKER]
    image = docker.get("image")
    if not isinstance(image, str) or not image:
        raise Wrong("docker", "docker/image is missing", "an mlcube without a Docker image cannot be run")
    options, about_options = _engine_options(docker, mapping(content.get("platform") or {}, "platform"))
    tasks: dict[str, Task] = {}
    assets: dict[str, str] = {}
    for name, task in mapping(content.get("tasks"), "tasks").items():
        if name not in TASK_KEYS:
            notes.append(f"tasks/{name} is left out: no benchmark runs it")
            continue
        tasks[str(name)], found = _task(str(name), task, options)
        assets |= found
    title = str(content.get("description") or content.get("name") or "")
    return ReadMlcube(image, title, tasks, assets, (*notes, *about_options))


@dataclass(frozen=True, slots=True)
class _Options:
    """What of the engine's options is kept."""

    shm_size: str | None
    gpus: str | None
    environment: dict[str, str] | None


def _engine_options(docker: Mapping[str, Any], platform: Mapping[str, Any]) -> tuple[_Options, list[str]]:
    """Keep shared memory, GPUs and environment of free engine options; say what is left out."""
    shm_size, gpus, notes = None, None, []
    for key in ("cpu_args", "gpu_args"):
        line = docker.get(key) or ""
        if not isinstance(line, str):
            raise Wrong(f"docker/{key}", f"docker/{key} is no text", "write the options as one line")
        for option, value in _options(line, f"docker/{key}"):
            match option:
                case "--shm-size":
                    shm_size = value.lower()
                case "--gpus":
                    gpus = value.strip("'\"") or "all"
                case "--runtime" if value == "nvidia":
                    gpus = gpus or "all"
                case _:
                    notes.append(f"docker/{key}: {option} is left out; the sandbox decides it")
    count = platform.get("accelerator_count")
    if gpus is None and isinstance(count, int | str) and str(count).isdigit() and int(count) > 0:
        gpus = "all"
    environment = {}
    for key, given in mapping(docker.get("env_args") or {}, "docker/env_args").items():
        name, value = str(key), scalar(given, f"docker/env_args/{key}")
        if "${" in value or DENIED_VARIABLE.fullmatch(name) or not _VARIABLE.fullmatch(name):
            notes.append(f"docker/env_args: {name} is left out; a record may not set it")
        else:
            environment[name] = value
    return _Options(shm_size, gpus, environment or None), notes


def _options(line: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield each `--option value` or `--option=value` of an engine's command line."""
    left = split(line, where)
    while left:
        option, joined, value = left.pop(0).partition("=")
        if not option.startswith("-"):
            continue
        if not joined and left and not left[0].startswith("-"):
            value = left.pop(0)
        yield option, value


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter of a task: its path in the workspace, what lies there, and where that is said."""

    key: str
    default: str
    kind: Kind
    where: str


@dataclass(slots=True)
class _Inside:
    """Numbers the folders of one task in the order of its parameters, and gathers what is mounted."""

    numbers: dict[str, int] = field(default_factory=dict)
    volumes: dict[str, dict[str, Mount]] = field(default_factory=lambda: {"inputs": {}, "outputs": {}})

    def mounted(self, side: str, parameter: _Parameter) -> str:
        """Mount a parameter that the runner supplies, and return its path inside."""
        folder = self._folder(parameter.key)
        path = f"{folder}/{PurePosixPath(parameter.default).name}" if parameter.kind == "file" else folder
        self.volumes[side][parameter.key] = Mount(path, parameter.kind)
        return path

    def below_additional_files(self, rest: tuple[str, ...]) -> str:
        """Mount the additional files once for all parameters that lie in them, and return the path inside."""
        folder = self._folder(_FILES)
        self.volumes["inputs"][_FILES] = Mount(folder, "directory")
        return "/".join((folder, *rest))

    def _folder(self, key: str) -> str:
        return f"/mlcube_io{self.numbers.setdefault(key, len(self.numbers))}"


def _task(name: str, content: Any, options: _Options) -> tuple[Task, dict[str, str]]:
    where = f"tasks/{name}"
    task = mapping(content or {}, where)
    only(task, ("entrypoint", "parameters"), where)
    parameters = mapping(task.get("parameters") or {}, f"{where}/parameters")
    only(parameters, ("inputs", "outputs"), f"{where}/parameters")
    inside, arguments, assets = _Inside(), [], {}
    for side in ("inputs", "outputs"):
        place = f"{where}/parameters/{side}"
        for key, value in mapping(parameters.get(side) or {}, place).items():
            parameter = _parameter(str(key), value, f"{place}/{key}")
            arguments.append(f"--{key}={_argument(inside, parameter, task=name, side=side)}")
            if key == "parameters_file":
                assets[str(key)] = parameter.default
    if _FILES in inside.volumes["inputs"]:
        assets[_FILES] = _FILES
    run_args = RunArgs(
        **_start(name, task.get("entrypoint"), arguments, f"{where}/entrypoint"),
        environment=options.environment,
        shm_size=options.shm_size,
        gpus=options.gpus,
    )
    return Task(run_args, inside.volumes["inputs"] or None, inside.volumes["outputs"] or None), assets


def _argument(inside: _Inside, parameter: _Parameter, *, task: str, side: str) -> str:
    """Return the path inside that a parameter gets, mounting what must be."""
    given, made = TASK_KEYS[task]
    key, parts = parameter.key, PurePosixPath(parameter.default).parts
    if key == _FILES or (side == "inputs" and key not in given and parts[:1] == (_FILES,)):
        return inside.below_additional_files(parts[1:])
    if key in (given | {"report_file"} if side == "inputs" else made) or key in ALWAYS_GIVEN:
        return inside.mounted(side, parameter)
    if side == "outputs":
        return f"{TMP}/{parts[-1]}" if parameter.kind == "file" else TMP
    raise Wrong(
        parameter.where,
        f"nobody supplies {key!r} to {task} (known: {', '.join(sorted(given | ALWAYS_GIVEN))})",
        f"put it below workspace/{_FILES} and write `{key}: {_FILES}/{parts[-1]}`",
    )


def _start(task: str, entrypoint: Any, arguments: list[str], where: str) -> dict[str, Any]:
    """Return entry point and command: the task's name is said to the image's own entry point only."""
    if not entrypoint:
        return {"command": (task, *arguments)}
    said = words(entrypoint, where)
    given = [*(split(said, where) if isinstance(said, str) else said or ())]
    if not given:
        raise Wrong(where, f"{where} is empty", "write the program, or leave the line out: the image's own is started")
    return {"entrypoint": (given[0],), "command": (*given[1:], *arguments) or None}


def _parameter(key: str, value: Any, where: str) -> _Parameter:
    fields = value if isinstance(value, dict) else {"default": value}
    only(fields, ("default", "type", "opts"), where)
    default = fields.get("default")
    if not isinstance(default, str) or not PurePosixPath(default).parts:
        raise Wrong(where, f"{where} has no default path", "write the path it has in the workspace")
    match fields.get("type"):
        case "directory" | "file" as kind:
            return _Parameter(key, default, kind, where)
        case None | "unknown":
            return _Parameter(key, default, "file" if _SUFFIX.search(default) else "directory", where)
        case strange:
            raise Wrong(where, f"{where}: type {strange!r} is not known", "it is directory or file")
