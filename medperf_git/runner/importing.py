"""`container_config.yaml` and `mlcube.yaml`, as container owners have them → the image and tasks of a cube record.

Every field is kept; a key that is not known is refused by name, and so is what cannot be kept: encrypted images. An
`mlcube.yaml` runs as `<entrypoint> <task> --<parameter>=<path inside>`, each parent folder at `/mlcube_io<N>`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from medperf_git.errors import Refused
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.models import Mount, RunArgs, Task
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.plan import ROLE_TASKS

Role = Literal["data-preparator", "model", "metrics"]

_TYPES = ("DockerImage", "DockerArchive", "SingularityFile")
_ENCRYPTED = ("EncryptedDockerArchive", "EncryptedSingularityFile")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCube:
    """What a configuration file says of a container; `role` is None where its tasks fit no role.

    `parameters_path` and `additional_files_path` are files beside the configuration that an mlcube names.
    """

    image_type: Literal["DockerImage", "DockerArchive", "SingularityFile"]
    image: str
    tasks: dict[str, Task]
    role: Role | None
    title: str = ""
    parameters_path: Path | None = None
    additional_files_path: Path | None = None
    notes: tuple[str, ...] = ()


def import_file(path: Path) -> ImportedCube:
    """Read a container configuration of either form; Refused names what cannot be kept."""
    try:
        content = load_foreign_yaml(path.read_bytes())
    except (OSError, Unreadable) as error:
        raise Refused(
            f"{path} cannot be read: {error}", hint="give a container_config.yaml or an mlcube.yaml"
        ) from error
    if not isinstance(content, dict):
        raise Refused(f"{path} is no mapping of keys", hint="give a container_config.yaml or an mlcube.yaml")
    return import_mlcube(content, path.parent) if "container_type" not in content else import_config(content)


def import_config(content: Mapping[str, Any]) -> ImportedCube:
    """Read the content of a `container_config.yaml`."""
    _only(content, ("container_type", "image", "tasks"), "")
    kind, image = content.get("container_type"), content.get("image")
    if kind in _ENCRYPTED:
        raise Refused(
            f"{kind}: an encrypted image cannot be kept in a registry that everybody reads",
            hint="register the plain image, or keep it private with a grant once grants are there",
        )
    if kind not in _TYPES:
        raise Refused(f"container_type {kind!r} is not known", hint=f"it is one of {', '.join(_TYPES)}")
    if not isinstance(image, str) or not image:
        raise Refused("`image` is missing", hint="name the image as `docker images` shows it, or its archive")
    tasks = {name: _task(task, f"tasks/{name}") for name, task in _mapping(content.get("tasks"), "tasks").items()}
    return ImportedCube(image_type=kind, image=image, tasks=tasks, role=role_of(tasks))


def role_of(tasks: Iterable[str]) -> Role | None:
    """Return the role whose tasks these are."""
    found = set(tasks)
    roles: tuple[Role, ...] = ("data-preparator", "model", "metrics")
    return next((role for role in roles if ROLE_TASKS[role][0] in found), None)


def _task(content: Any, where: str) -> Task:
    task = _mapping(content or {}, where)
    _only(task, ("run_args", "input_volumes", "output_volumes"), where)
    return Task(
        run_args=_run_args(task["run_args"], f"{where}/run_args") if task.get("run_args") else None,
        input_volumes=_mounts(task.get("input_volumes"), f"{where}/input_volumes"),
        output_volumes=_mounts(task.get("output_volumes"), f"{where}/output_volumes"),
    )


def _run_args(content: Any, where: str) -> RunArgs:
    arguments = _mapping(content, where)
    _only(arguments, ("command", "entrypoint", "environment", "shm_size", "gpus"), where)
    environment = _mapping(arguments.get("environment") or {}, f"{where}/environment")
    return RunArgs(
        command=_words(arguments.get("command"), f"{where}/command"),
        entrypoint=_words(arguments.get("entrypoint"), f"{where}/entrypoint"),
        environment={str(name): _text(value) for name, value in environment.items()} or None,
        shm_size=_text_or_number(arguments.get("shm_size"), f"{where}/shm_size"),
        gpus=_text_or_number(arguments.get("gpus"), f"{where}/gpus"),
    )


def _mounts(content: Any, where: str) -> dict[str, Mount] | None:
    found = {}
    for key, value in _mapping(content or {}, where).items():
        mount = _mapping(value, f"{where}/{key}")
        _only(mount, ("mount_path", "type"), f"{where}/{key}")
        path, kind = mount.get("mount_path"), mount.get("type")
        if not isinstance(path, str) or not path.startswith("/"):
            raise Refused(f"{where}/{key}: mount_path must be an absolute path", hint="write for instance /input/data")
        if kind not in ("directory", "file"):
            raise Refused(f"{where}/{key}: type {kind!r} is not known", hint="it is directory or file")
        found[str(key)] = Mount(path, kind)
    return found or None


def _words(value: Any, where: str) -> str | tuple[str, ...] | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and value and all(isinstance(word, str | int | float) for word in value):
        return tuple(_text(word) for word in value)
    raise Refused(f"{where} is neither text nor a list of words", hint="write it as one line or as a list")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text_or_number(value: Any, where: str) -> str | int | None:
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    raise Refused(f"{where} is neither text nor a whole number", hint="write for instance 2g, all or 1")


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(
            f"{where or 'the file'} is no mapping of keys", hint="see the documentation of container_config.yaml"
        )
    return value


def _only(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            place = f"{where}/{key}" if where else str(key)
            raise Refused(f"{place} is not known", hint=f"remove it; what is known here: {', '.join(known)}")


# mlcube.yaml


_STANDARD_KEYS = {
    "prepare": {
        "data_path",
        "labels_path",
        "parameters_file",
        "output_path",
        "output_labels_path",
        "metadata_path",
        "report_file",
    },
    "sanity_check": {"data_path", "labels_path", "parameters_file", "metadata_path", "report_file"},
    "statistics": {"data_path", "labels_path", "parameters_file", "metadata_path", "output_path", "report_file"},
    "infer": {"data_path", "parameters_file", "additional_files", "output_path"},
    "evaluate": {"predictions", "labels", "parameters_file", "output_path", "local_outputs_path"},
}


def import_mlcube(content: Mapping[str, Any], folder: Path) -> ImportedCube:
    """Read the content of an `mlcube.yaml`; `folder` is where it lies."""
    _only(content, ("name", "description", "authors", "platform", "docker", "singularity", "tasks"), "")
    docker = _mapping(content.get("docker"), "docker")
    _only(
        docker, ("image", "gpu_args", "cpu_args", "build_context", "build_file", "build_strategy", "env_args"), "docker"
    )
    image = docker.get("image")
    if not isinstance(image, str) or not image:
        raise Refused("docker/image is missing", hint="an mlcube without a Docker image cannot be run")
    notes: list[str] = []
    arguments = _docker_arguments(docker, notes)
    tasks: dict[str, Task] = {}
    assets: dict[str, str] = {}
    for name, task in _mapping(content.get("tasks"), "tasks").items():
        tasks[name], found = _mlcube_task(str(name), task, arguments)
        assets |= found
    return ImportedCube(
        image_type="DockerImage",
        image=image,
        tasks=tasks,
        role=role_of(tasks),
        title=str(content.get("description") or content.get("name") or ""),
        parameters_path=_workspace(folder, assets.get("parameters_file")),
        additional_files_path=_workspace(folder, assets.get("additional_files")),
        notes=tuple(notes),
    )


def _docker_arguments(docker: Mapping[str, Any], notes: list[str]) -> dict[str, str]:
    """Keep what can be kept of free engine options: shared memory and GPUs; say what is left out."""
    arguments: dict[str, str] = {}
    for key in ("cpu_args", "gpu_args"):
        words = re.split(r"[\s=]+", str(docker.get(key) or "").strip())
        pairs = dict(pairwise(words))
        if "--shm-size" in pairs:
            arguments["shm_size"] = pairs["--shm-size"].lower()
        if "--gpus" in pairs:
            arguments["gpus"] = pairs["--gpus"].strip("'\"")
        left = [word for word in words if word.startswith("-") and word not in ("--shm-size", "--gpus")]
        notes += [f"docker/{key}: {word} is left out; the sandbox decides it" for word in left]
    return arguments


def _mlcube_task(name: str, content: Any, arguments: Mapping[str, str]) -> tuple[Task, dict[str, str]]:
    task = _mapping(content or {}, f"tasks/{name}")
    _only(task, ("entrypoint", "parameters"), f"tasks/{name}")
    parameters = _mapping(task.get("parameters") or {}, f"tasks/{name}/parameters")
    _only(parameters, ("inputs", "outputs"), f"tasks/{name}/parameters")
    words, folders = [name], _Folders()
    assets: dict[str, str] = {}
    volumes: dict[str, dict[str, Mount]] = {"inputs": {}, "outputs": {}}
    for side in ("inputs", "outputs"):
        for key, value in _mapping(parameters.get(side) or {}, f"tasks/{name}/{side}").items():
            default, kind = _parameter(value, f"tasks/{name}/{side}/{key}")
            if name in _STANDARD_KEYS and key not in _STANDARD_KEYS[name]:
                raise Refused(
                    f"tasks/{name}: nobody supplies {key!r}", hint=f"known: {', '.join(sorted(_STANDARD_KEYS[name]))}"
                )
            inside = folders.inside(default, kind)
            words.append(f"--{key}={inside}")
            volumes[side][str(key)] = Mount(inside, kind)
            if key in ("parameters_file", "additional_files"):
                assets[str(key)] = default
    entrypoint = _words(task.get("entrypoint"), f"tasks/{name}/entrypoint")
    run_args = RunArgs(
        command=tuple(words), entrypoint=entrypoint, shm_size=arguments.get("shm_size"), gpus=arguments.get("gpus")
    )
    return Task(run_args, volumes["inputs"] or None, volumes["outputs"] or None), assets


def _parameter(value: Any, where: str) -> tuple[str, Literal["directory", "file"]]:
    fields = value if isinstance(value, dict) else {"default": value}
    _only(fields, ("default", "type", "opts"), where)
    default = fields.get("default")
    if not isinstance(default, str) or not default:
        raise Refused(f"{where} has no default path", hint="write the path it has in the workspace")
    match fields.get("type"):
        case "directory" | "file" as kind:
            return default, kind
        case None:
            return default, "file" if _SUFFIX.search(default) else "directory"
        case strange:
            raise Refused(f"{where}: type {strange!r} is not known", hint="it is directory or file")


class _Folders:
    """Numbers the folders of one task as mlcube does: a file's parent, a directory itself, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def inside(self, default: str, kind: str) -> str:
        path = PurePosixPath(default)
        folder = str(path.parent if kind == "file" else path)
        number = self._numbers.setdefault(folder, len(self._numbers))
        return f"/mlcube_io{number}/{path.name}" if kind == "file" else f"/mlcube_io{number}"


def _workspace(folder: Path, default: str | None) -> Path | None:
    return folder / "workspace" / default if default else None
