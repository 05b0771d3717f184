"""A container's own configuration, `container_config.yaml` or `mlcube.yaml` → the image and tasks of a cube record.

Every field of a `container_config.yaml` is kept; a key that is not known is refused by name and line, and so is what
cannot be kept: encrypted images. A folder is read as its owner lays it out: the configuration, and beside it
`parameters.yaml` and `additional_files`, or both in `workspace/`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from medperf_git.errors import Refused
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.foreign_lines import line_of
from medperf_git.records.models import Mount, RunArgs, Task
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.config_values import Wrong, mapping, only, scalar, text_or_number, words
from medperf_git.runner.mlcube import read_mlcube
from medperf_git.runner.plan import ROLE_TASKS

Role = Literal["data-preparator", "model", "metrics"]

_TYPES = ("DockerImage", "DockerArchive", "SingularityFile")
_ENCRYPTED = ("EncryptedDockerArchive", "EncryptedSingularityFile")
_NAMES = ("container_config.yaml", "container_config.yml", "mlcube.yaml", "mlcube/mlcube.yaml")
_GIVE = "give a container_config.yaml, an mlcube.yaml, or the folder of one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCube:
    """What a configuration file says of a container; `role` is None where its tasks fit no role.

    `parameters_path` and `additional_files_path` are what lies beside the configuration and is named by a task.
    """

    config: Path
    image_type: Literal["DockerImage", "DockerArchive", "SingularityFile"]
    image: str
    tasks: dict[str, Task]
    role: Role | None
    title: str = ""
    parameters_path: Path | None = None
    additional_files_path: Path | None = None
    notes: tuple[str, ...] = ()


def import_file(path: Path) -> ImportedCube:
    """Read a container configuration of either form, or the folder of one; Refused names what cannot be kept."""
    path = _configuration(path)
    try:
        data = path.read_bytes()
        content = load_foreign_yaml(data)
    except (OSError, Unreadable) as error:
        raise Refused(f"{path} cannot be read: {error}", hint=_GIVE) from error
    return import_content(path, content, data)


def import_content(path: Path, content: Any, data: bytes = b"") -> ImportedCube:
    """Read the values of the configuration at `path`; `data`, its bytes, tells lines."""
    try:
        return _imported(path, mapping(content, ""))
    except Wrong as wrong:
        line = line_of(data, wrong.where.split("/")) if data else None
        place = f"{path}, line {line}" if line else str(path)
        raise Refused(f"{place}: {wrong.message}", hint=wrong.hint) from wrong


def role_of(tasks: Iterable[str]) -> Role | None:
    """Return the role whose tasks these are; a script that runs weights is the committee's, so it is `metrics`."""
    found = set(tasks)
    roles: tuple[Role, ...] = ("data-preparator", "model", "metrics")
    plain = next((role for role in roles if ROLE_TASKS[role][0] in found), None)
    return plain or ("metrics" if "run_script" in found else None)


def _configuration(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = next((path / name for name in _NAMES if (path / name).is_file()), None)
    if found is None:
        raise Refused(f"{path} holds no configuration (looked for: {', '.join(_NAMES)})", hint=_GIVE)
    return found


def _imported(path: Path, content: Mapping[str, Any]) -> ImportedCube:
    if "container_type" not in content and {"docker", "singularity"} & content.keys():
        old = read_mlcube(content)
        read = ImportedCube(
            config=path, image_type="DockerImage", image=old.image, tasks=old.tasks, role=role_of(old.tasks),
            title=old.title, notes=old.notes,
        )  # fmt: skip
        return _with_files(read, old.assets.get("parameters_file", "parameters.yaml"))
    return _with_files(_config(path, content), "parameters.yaml")


def _config(path: Path, content: Mapping[str, Any]) -> ImportedCube:
    kind, image = content.get("container_type"), content.get("image")
    if kind in _ENCRYPTED:
        raise Wrong(
            "container_type",
            f"{kind}: an encrypted image cannot be kept in a registry that everybody reads",
            "register the plain image now; private models, whose keys are granted to each hospital, come later",
        )
    if kind not in _TYPES:
        what = f"container_type {kind!r} is not known" if "container_type" in content else "container_type is missing"
        raise Wrong("container_type", what, f"it is one of {', '.join(_TYPES)}")
    only(content, ("container_type", "image", "tasks"), "")
    if not isinstance(image, str) or not image:
        raise Wrong("image", "`image` is missing", "name the image as `docker images` shows it, or its archive")
    tasks = {str(name): _task(task, f"tasks/{name}") for name, task in mapping(content.get("tasks"), "tasks").items()}
    return ImportedCube(config=path, image_type=kind, image=image, tasks=tasks, role=role_of(tasks))


def _with_files(read: ImportedCube, parameters: str) -> ImportedCube:
    """Find the files that a task names beside the configuration, or in the workspace beside it."""
    asked = {key for task in read.tasks.values() for key in task.input_volumes or ()}
    places = (read.config.parent / "workspace", read.config.parent)
    names = {"parameters_file": (parameters,), "additional_files": ("additional_files", "additional_files.tar.gz")}
    found = {
        key: next((place / name for place in places for name in names[key] if (place / name).exists()), None)
        for key in names
        if key in asked
    }
    return replace(
        read, parameters_path=found.get("parameters_file"), additional_files_path=found.get("additional_files")
    )


def _task(content: Any, where: str) -> Task:
    task = mapping(content or {}, where)
    only(task, ("run_args", "input_volumes", "output_volumes"), where)
    return Task(
        run_args=_run_args(task["run_args"], f"{where}/run_args") if task.get("run_args") else None,
        input_volumes=_mounts(task.get("input_volumes"), f"{where}/input_volumes"),
        output_volumes=_mounts(task.get("output_volumes"), f"{where}/output_volumes"),
    )


def _run_args(content: Any, where: str) -> RunArgs:
    arguments = mapping(content, where)
    only(arguments, ("command", "entrypoint", "environment", "shm_size", "gpus"), where)
    environment = mapping(arguments.get("environment") or {}, f"{where}/environment")
    return RunArgs(
        command=words(arguments.get("command"), f"{where}/command"),
        entrypoint=words(arguments.get("entrypoint"), f"{where}/entrypoint"),
        environment={str(name): scalar(value, f"{where}/environment/{name}") for name, value in environment.items()}
        or None,
        shm_size=text_or_number(arguments.get("shm_size"), f"{where}/shm_size"),
        gpus=text_or_number(arguments.get("gpus"), f"{where}/gpus"),
    )


def _mounts(content: Any, where: str) -> dict[str, Mount] | None:
    found = {}
    for key, value in mapping(content or {}, where).items():
        place = f"{where}/{key}"
        mount = mapping(value, place)
        only(mount, ("mount_path", "type"), place)
        path, kind = mount.get("mount_path"), mount.get("type")
        if not isinstance(path, str) or not path.startswith("/"):
            raise Wrong(
                f"{place}/mount_path", f"{place}: mount_path must be an absolute path", "write for instance /input/data"
            )
        if kind not in ("directory", "file"):
            raise Wrong(f"{place}/type", f"{place}: type {kind!r} is not known", "it is directory or file")
        found[str(key)] = Mount(path, kind)
    return found or None
