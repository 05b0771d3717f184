"""Records → what is to be run; a value, the same for the same records.

A step plan holds no path of this machine. Its key is a digest of everything that decides its output, so that
predictions are kept when only the metrics container changed, and nothing is taken for finished that is not the same.
"""

import dataclasses
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.records.digests import Digest, bare_hex, digest_of
from medperf_git.records.models import (
    Asset,
    Benchmark,
    Cube,
    Dataset,
    Image,
    Metric,
    Mount,
    Reason,
    Reference,
    RunArgs,
    Task,
)
from medperf_git.records.names import Ref
from medperf_git.runner.engine import GIB, KIB, MIB, BindKind, Profile, WantedImage
from medperf_git.runner.mounts import check_mounts
from medperf_git.runner.shown import shortened

_MLCUBE_FOLDER = re.compile(r"/mlcube_io[0-9]{1,3}")
_UNITS = {"": 1, "b": 1, "k": KIB, "m": MIB, "g": GIB}

# The mount keys that the tool supplies, by task: inputs, outputs, and outputs without which the task is of no use.
TASK_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "prepare": (
        frozenset({"data_path", "labels_path"}),
        frozenset({"output_path", "output_labels_path", "metadata_path", "report_file"}),
    ),
    "sanity_check": (frozenset({"data_path", "labels_path", "metadata_path"}), frozenset({"report_file"})),
    "statistics": (
        frozenset({"data_path", "labels_path", "metadata_path"}),
        frozenset({"output_path", "report_file"}),
    ),
    "infer": (frozenset({"data_path"}), frozenset({"output_path"})),
    "evaluate": (frozenset({"predictions", "labels"}), frozenset({"output_path", "local_outputs_path"})),
    "run_script": (frozenset({"data_path", "labels_path", "model_files"}), frozenset({"results_path"})),
}
ALWAYS_GIVEN = frozenset({"parameters_file", "additional_files"})
ROLE_TASKS: dict[str, tuple[str, ...]] = {
    "data-preparator": ("prepare", "sanity_check", "statistics"),
    "model": ("infer",),
    "metrics": ("evaluate",),
}
SCRIPT = "run_script"
_ENVIRONMENT = {SCRIPT: {"MEDPERF_ON_PREM": "1"}}  # by it a script tells a hospital from a confidential machine


def tasks_of(cube: Cube) -> tuple[str, ...]:
    """Return the tasks that are run of a cube, in their order: those of its role, or the script that runs weights."""
    tasks = ROLE_TASKS[cube.role]
    if cube.role == "data-preparator":
        return tuple(task for task in tasks if task == "prepare" or task in cube.tasks)
    return (SCRIPT,) if SCRIPT in cube.tasks and tasks[0] not in cube.tasks else tasks


@dataclass(frozen=True, slots=True)
class PinnedCube:
    """A cube record and the digest of its file."""

    cube: Cube
    digest: Digest

    @property
    def reference(self) -> Reference:
        """How other records name it."""
        return Reference(self.cube.ref, self.digest)


@dataclass(frozen=True, slots=True)
class PinnedBenchmark:
    """A benchmark record and the digest of its file."""

    benchmark: Benchmark
    digest: Digest


@dataclass(frozen=True, slots=True)
class PinnedDataset:
    """A dataset record, the digest of its file, and its true number of cases, which may be public only as a range."""

    dataset: Dataset
    digest: Digest
    cases: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A mount of a task: its key, path inside, and what lies there."""

    key: str
    inside: str
    kind: BindKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """One task of one cube, ready but for host paths; `gpus_wanted` is what the record asks, never what it gets.

    `model_files` are the weights that a script runs, from the record of the model.
    """

    cube: Reference
    task: str
    image: Image
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    environment: tuple[tuple[str, str], ...]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    parameters: str | None
    additional_files: Asset | None
    shm_bytes: int
    gpus_wanted: str
    model_files: Asset | None = None

    def folder_of(self, output: Slot) -> str:
        """Return the folder mounted in a file's place, as mlcube does, so that a program may rename into it, or ""."""
        parent = output.inside.rpartition("/")[0]
        if output.kind is not BindKind.FILE or not _MLCUBE_FOLDER.fullmatch(parent):
            return ""
        others = [slot.inside for slot in (*self.inputs, *self.outputs) if slot is not output]
        return "" if any(f"{other}/".startswith(f"{parent}/") for other in others) else parent

    def key(self, *parts: str) -> Digest:
        """Return the digest of everything in this task that decides its output, and of `parts`."""
        value = plain(dataclasses.replace(self, cube=None))  # type: ignore[arg-type]  # the record's title decides nothing
        value["image"] = {"id": self.image.id}
        value["additional_files"] = self.additional_files.digest if self.additional_files else None
        del value["model_files"]
        if self.model_files:
            value["model_files"] = self.model_files.digest
        return digest_of(json.dumps([value, *parts], sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a task cannot be run as its record says: a reason of the closed list, sentences for the site alone."""

    reason: Reason
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """A model's two steps and the profile that the site chose for it; `image` and `parameters` are the model's."""

    model: Reference
    image: Digest
    parameters: str | None
    infer: TaskPlan | Unfit
    evaluate: TaskPlan
    profile: Profile
    infer_key: Digest
    evaluate_key: Digest

    @property
    def is_script(self) -> bool:
        """Whether the benchmark's script runs the model's weights, so that there is no inference by itself."""
        return self.evaluate.task == SCRIPT


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One benchmark version on one dataset version: the models in the order they are run."""

    run_id: str
    benchmark: Reference
    dataset: Reference
    data_preparator: Reference
    metrics_cube: Reference
    metrics: tuple[Metric, ...]
    partial: bool
    cases: int
    content: Digest
    models: tuple[ModelPlan, ...]


def build_run_plan(
    benchmark: PinnedBenchmark,
    dataset: PinnedDataset,
    *,
    metrics_cube: PinnedCube,
    models: Iterable[PinnedCube],
    content: Digest,
    profiles: Mapping[Ref, Profile] | None = None,
    default_profile: Profile = Profile.STRICT,
) -> RunPlan:
    """Plan a run; `content` is the plain mgds-v1 digest of the dataset, even where its record holds a commitment.

    Refused when the metrics container is another one, or cannot be run; a model that cannot be is `Unfit` by itself.
    """
    record = benchmark.benchmark
    if metrics_cube.reference != record.metrics_cube:
        raise Refused(
            f"{metrics_cube.cube.ref} is not the metrics container of {record.ref}",
            hint="run `medperf-git sync` and plan again",
        )
    evaluate = plan_task(metrics_cube, tasks_of(metrics_cube.cube)[0])
    chosen = profiles or {}
    planned = tuple(
        _plan_model(model, evaluate, content=content, profile=chosen.get(model.cube.ref, default_profile))
        for model in models
    )
    return RunPlan(
        run_id=run_id_of(Reference(record.ref, benchmark.digest), Reference(dataset.dataset.ref, dataset.digest)),
        benchmark=Reference(record.ref, benchmark.digest),
        dataset=Reference(dataset.dataset.ref, dataset.digest),
        data_preparator=record.data_preparator,
        metrics_cube=record.metrics_cube,
        metrics=record.metrics,
        partial=record.partial,
        cases=dataset.cases,
        content=content,
        models=planned,
    )


def run_id_of(benchmark: Reference, dataset: Reference) -> str:
    """Return the id of the run of a benchmark version on a dataset version: 16 hex digits of their digests."""
    text = f"{benchmark.ref}\0{benchmark.digest}\0{dataset.ref}\0{dataset.digest}\n"
    return bare_hex(digest_of(text.encode()))[:16]


class FilesMissing(Refused):
    """A task reads a file that its cube's record does not name."""


def plan_task(pinned: PinnedCube, task: str) -> TaskPlan:
    """Plan one task of a cube; Refused when the cube does not have it, or it cannot be started as it says."""
    cube = pinned.cube
    if task not in cube.tasks:
        raise Refused(
            f"{cube.ref} has no task {task!r} (it has: {', '.join(sorted(cube.tasks))})",
            hint="ask the container's owner for a version whose configuration has that task",
        )
    declared = cube.tasks[task]
    _check_keys(cube, task, declared)
    arguments = declared.run_args or RunArgs()
    inputs, outputs = _slots(declared.input_volumes), _slots(declared.output_volumes)
    check_mounts([(slot.key, slot.inside) for slot in (*inputs, *outputs)])
    return TaskPlan(
        cube=pinned.reference,
        task=task,
        image=cube.image,
        command=_words(arguments.command),
        entrypoint=_words(arguments.entrypoint),
        environment=tuple(sorted((_ENVIRONMENT.get(task, {}) | (arguments.environment or {})).items())),
        inputs=inputs,
        outputs=outputs,
        parameters=cube.parameters,
        additional_files=cube.additional_files,
        shm_bytes=_shared_memory(arguments.shm_size),
        gpus_wanted=str(arguments.gpus or ""),
        model_files=cube.additional_files if task == SCRIPT and cube.role == "model" else None,
    )


def wanted_image(image: Image, archive: Path | None = None) -> WantedImage:
    """Return an image record as an engine takes it; `archive` is its fetched file."""
    return WantedImage(
        type=image.type,
        reference=image.reference,
        id=image.id,
        platform=image.platform,
        manifest=image.manifest,
        archive=archive,
    )


def parse_bytes(text: str | int) -> int:
    """Read a size as Docker writes it: bytes, or a number with b, k, m, g (1024 each step)."""
    match = re.fullmatch(r"([0-9]{1,15})([bkmg]?)b?", str(text).strip().lower())
    if not match:
        raise UsageProblem(f"{shortened(str(text))} is no size", hint="write bytes, or a number with k, m or g: 2g")
    return int(match[1]) * _UNITS[match[2]]


def plain(value: Any) -> Any:
    """Return a plan as values that JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Ref):
            return str(value)
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if isinstance(value, int | str | bool | None) else str(value)


def _plan_model(model: PinnedCube, evaluate: TaskPlan, *, content: Digest, profile: Profile) -> ModelPlan:
    infer = _plan_script(model, evaluate) if evaluate.task == SCRIPT else _plan_inference(model)
    if evaluate.task == SCRIPT and isinstance(infer, TaskPlan):
        evaluate = infer
    key = (
        infer.key(content, str(profile))
        if isinstance(infer, TaskPlan)
        else digest_of(json.dumps([model.digest, infer.message, content, profile]).encode())
    )
    return ModelPlan(
        model=model.reference,
        image=model.cube.image.id,
        parameters=model.cube.parameters,
        infer=infer,
        evaluate=evaluate,
        profile=profile,
        infer_key=key,
        evaluate_key=evaluate.key(key, content),
    )


def _plan_inference(model: PinnedCube) -> TaskPlan | Unfit:
    try:
        return plan_task(model, "infer")
    except Refused as error:
        reason: Reason = "image-unavailable" if isinstance(error, FilesMissing) else "sandbox"
        return Unfit(reason, error.message, error.hint)


def _plan_script(model: PinnedCube, script: TaskPlan) -> TaskPlan | Unfit:
    """Plan the benchmark's script on a model's weights."""
    try:
        weights = plan_task(model, SCRIPT).model_files
    except Refused as error:
        reason: Reason = "image-unavailable" if isinstance(error, FilesMissing) else "sandbox"
        return Unfit(reason, error.message, error.hint)
    if model.cube.image.id != script.image.id:
        message = f"{model.cube.ref} was made for another script than {script.cube.ref}"
        return Unfit("sandbox", message, "ask its owner to register the weights for the benchmark's script")
    return dataclasses.replace(script, model_files=weights)


def _check_keys(cube: Cube, task: str, declared: Task) -> None:
    if task not in TASK_KEYS:
        return
    inputs, outputs = TASK_KEYS[task]
    asked = {*(declared.input_volumes or {}), *(declared.output_volumes or {})}
    unknown = sorted(asked - inputs - outputs - ALWAYS_GIVEN)
    if unknown:
        raise Refused(
            f"{cube.ref}, task {task}: nobody supplies the mount {unknown[0]!r}",
            hint=f"the mounts of {task} are: {', '.join(sorted(inputs | outputs | ALWAYS_GIVEN))}",
        )
    if "parameters_file" in asked and cube.parameters is None:
        raise FilesMissing(
            f"{cube.ref}, task {task}: it wants parameters_file, and the record has no parameters",
            hint="ask the container's owner to register a version with its parameters",
        )
    if cube.additional_files is None and ("additional_files" in asked or (task == SCRIPT and cube.role == "model")):
        raise FilesMissing(
            f"{cube.ref}, task {task}: it wants additional_files, and the record names none",
            hint="ask the container's owner to register a version with its additional files",
        )


def _slots(mounts: Mapping[str, Mount] | None) -> tuple[Slot, ...]:
    return tuple(Slot(key, mount.mount_path, BindKind(mount.type)) for key, mount in sorted((mounts or {}).items()))


def _words(words: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    if words is None:
        return None
    try:
        return tuple(shlex.split(words)) if isinstance(words, str) else tuple(words)
    except ValueError as error:
        hint = "its owner must close every quotation mark, or write the words as a list"
        raise Refused(f"the command {shortened(str(words))} cannot be split into words: {error}", hint=hint) from error


def _shared_memory(asked: str | int | None) -> int:
    try:
        return parse_bytes(asked or 0)
    except UsageProblem as error:
        raise Refused(f"shm_size: {error.message}", hint=error.hint) from error
