"""Raw data → a prepared dataset on this machine: prepare, sanity check, statistics, in the sandbox.

The new folder takes its place only when all three succeeded; nothing of it leaves.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, Refused, UsageProblem
from medperf_git.flows.bench import check_engine, opened_bench
from medperf_git.flows.datasets import acquisition_words, new_salt
from medperf_git.flows.naming import at_ref, find, next_version, refuse_withdrawn
from medperf_git.flows.prepared import Prepared, datasets_folder, save
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.models import Benchmark, Cube, Dataset, Number
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.engine import Profile
from medperf_git.runner.manifest import content_digest, manifest_of
from medperf_git.runner.plan import PinnedCube, TaskPlan, plan_task
from medperf_git.runner.signals import stoppable
from medperf_git.runner.staging import private_folder, remove_tree
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, run_task

CASE_KEYS = (
    "num_cases",
    "n_cases",
    "number_of_cases",
    "number_of_subjects",
    "num_subjects",
    "cases",
    "num_samples",
    "size",
)
_MAX_STATISTICS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareWish:
    """What a data owner says: which benchmark's preparator, on which folders, and what may be published."""

    benchmark: str
    data: Path
    labels: Path
    name: str
    title: str
    description: str | None = None
    published: tuple[str, ...] = ()
    cases: int | None = None
    country: str | None = None
    years: str | None = None
    modality: str | None = None
    equipment: str | None = None
    terms: str | None = None
    min_cases: int | None = None
    decimals: int | None = None
    salted: bool = False


@dataclass(frozen=True, slots=True)
class PreparedFolders:
    """What the three tasks left: folders by role, and the statistics."""

    folder: Path
    statistics: dict[str, Number]
    seconds: float
    peak_memory: int | None


def prepare_dataset(workspace: Workspace, wish: PrepareWish, settings: RunSettings) -> Prepared:
    """Prepare raw data with the benchmark's preparator and keep the result below the home folder."""
    if fault := name_fault(wish.name):
        raise UsageProblem(f"{wish.name!r}: {fault}", hint="choose another --name")
    view, context = workspace.view, workspace.context
    benchmark = find(view, Benchmark, wish.benchmark, member=workspace.member)
    refuse_withdrawn(view, benchmark.stored)
    preparator = at_ref(view, Cube, benchmark.record.data_preparator.ref)
    words = _words(wish)
    target = datasets_folder(context.home) / _folder_name(workspace, wish.name)
    partial = private_folder(target.with_name(f".{target.name}.{secrets.token_hex(4)}"))
    try:
        with opened_bench(context, settings) as bench, stoppable(bench.stop):
            check_engine(context, bench.engine, settings)
            cube = PinnedCube(preparator.record, preparator.stored.digest)
            made = run_preparator(
                bench,
                cube,
                data=wish.data,
                labels=wish.labels,
                folder=partial,
                profile=settings.profile,
                say=context.say,
            )
        published = _chosen(wish.published, made.statistics)
        cases = wish.cases or count_cases(made.statistics)
        remove_tree(target)
        partial.rename(target)
    finally:
        remove_tree(partial)
    prepared = Prepared(
        folder=target,
        name=wish.name,
        title=wish.title,
        preparator=preparator.reference,
        benchmark=str(benchmark.ref),
        cases=cases,
        content=content_digest(roots_of(target)),
        files=len(manifest_of(roots_of(target))),
        statistics=made.statistics,
        published=published,
        salt=new_salt(secrets.token_bytes(32)) if wish.salted else "",
        words=words,
        seconds=round(made.seconds, 1),
    )
    save(prepared)
    return prepared


def run_preparator(
    bench: Bench, cube: PinnedCube, *, data: Path, labels: Path, folder: Path, profile: Profile, say: Any
) -> PreparedFolders:
    """Run prepare, sanity_check and statistics; prepared data, labels and metadata come to lie below `folder`.

    Raises `ContainerFailed` with the task, its reason and where its log lies.
    """
    logs = private_folder(folder / "logs")
    targets = {
        "output_path": folder / "data",
        "output_labels_path": folder / "labels",
        "metadata_path": folder / "metadata",
    }
    say(f"prepare: {cube.cube.ref} …")
    ran = [
        _run(
            bench,
            plan_task(cube, "prepare"),
            {"data_path": data, "labels_path": labels},
            targets=targets,
            logs=logs,
            profile=profile,
        )
    ]
    inputs = {"data_path": folder / "data"}
    # Many older preparators have no labels output: labels then lie in the prepared data.
    inputs["labels_path"] = folder / "labels" if (folder / "labels").exists() else folder / "data"
    if (folder / "metadata").exists():
        inputs["metadata_path"] = folder / "metadata"
    say("sanity check …")
    ran.append(_run(bench, plan_task(cube, "sanity_check"), inputs, targets={}, logs=logs, profile=profile))
    say("statistics …")
    statistics = folder / "statistics.yaml"
    ran.append(
        _run(
            bench,
            plan_task(cube, "statistics"),
            inputs,
            targets={"output_path": statistics},
            logs=logs,
            profile=profile,
        )
    )
    peaks = [one.result.peak_memory for one in ran if one.result.peak_memory is not None]
    numbers = read_statistics(statistics)
    return PreparedFolders(folder, numbers, sum(one.result.seconds for one in ran), max(peaks, default=None))


def read_statistics(path: Path) -> dict[str, Number]:
    """Return every number of a statistics file, inner keys joined with dots; what is no number stays in the file."""
    try:
        value = load_foreign_yaml(path.read_bytes())
    except (Unreadable, FileNotFoundError) as error:
        raise ContainerFailed(
            f"the statistics file: {error}", hint="the data preparator must write plain YAML"
        ) from error
    numbers: dict[str, Number] = {}
    _flatten(value, "", numbers)
    return dict(list(numbers.items())[:_MAX_STATISTICS])


def roots_of(folder: Path) -> dict[Any, Path]:
    """Return the folders of a prepared dataset by role."""
    return {role: folder / role for role in ("data", "labels", "metadata") if (folder / role).is_dir()}


def _run(
    bench: Bench,
    plan: TaskPlan,
    inputs: Mapping[str, Path],
    *,
    targets: Mapping[str, Path],
    logs: Path,
    profile: Profile,
) -> TaskRun:
    log = logs / f"{plan.task}.log"
    try:
        return run_task(bench, plan, inputs=inputs, targets=targets, log=log, profile=profile)
    except StepFailed as failed:
        kept = _keep_log(bench, log, plan.task)
        message = f"{plan.cube.ref}, task {plan.task}: {failed.message} ({failed.reason})"
        raise ContainerFailed(message, hint=f"{failed.hint}; its log: {kept}" if kept else failed.hint) from failed


def _keep_log(bench: Bench, log: Path, task: str) -> Path | None:
    """Keep the log of a failed task where it survives the scratch folder."""
    if not log.is_file():
        return None
    kept = private_folder(bench.scratch.parent.parent / "logs") / f"{task}-{secrets.token_hex(4)}.log"
    kept.write_bytes(log.read_bytes()[-1024 * 1024 :])
    return kept


def _flatten(value: Any, prefix: str, into: dict[str, Number]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(key).lower()).strip("-")
            joined = f"{prefix}.{name}" if prefix else str(key) if _is_plain(str(key)) else name
            _flatten(inner, joined, into)
    elif isinstance(value, int) and not isinstance(value, bool):
        into[prefix] = value
    elif isinstance(value, float) and abs(value) < 10**9:
        rounded = round(Decimal(repr(value)), 4)
        into[prefix] = int(rounded) if rounded == rounded.to_integral_value() else rounded.normalize()


def _is_plain(key: str) -> bool:
    return all(c.isascii() and (c.islower() or c.isdigit() or c in "-_.") for c in key) and key[:1].isalnum()


def count_cases(statistics: Mapping[str, Number]) -> int:
    """Return the number of cases that the statistics say; `UsageProblem` when they do not."""
    for key in CASE_KEYS:
        number = statistics.get(key)
        if isinstance(number, int) and number > 0:
            return number
    hint = f"say it with --cases; a statistic called {CASE_KEYS[0]} would say it"
    raise UsageProblem("the statistics do not say how many cases there are", hint=hint)


def _chosen(wanted: tuple[str, ...], statistics: Mapping[str, Number]) -> tuple[str, ...]:
    unknown = [key for key in wanted if key not in statistics]
    if unknown:
        hint = f"there are: {', '.join(statistics) or 'none'}"
        raise Refused(f"there is no statistic {unknown[0]!r}", hint=hint)
    return tuple(dict.fromkeys(wanted))


def _words(wish: PrepareWish) -> dict[str, Any]:
    fields = ("country", "years", "modality", "equipment")
    acquisition = acquisition_words({key: getattr(wish, key) for key in fields})
    words = {key: getattr(wish, key) for key in ("description", "terms", "min_cases", "decimals")}
    kept = {key: value for key, value in words.items() if value is not None}
    return kept | ({"acquisition": acquisition} if acquisition else {})


def _folder_name(workspace: Workspace, name: str) -> str:
    member = workspace.member or "local"
    return Ref(member, name, next_version(workspace.view, Dataset, member, name)).folder
