"""Raw data → a prepared dataset on this machine: prepare, sanity check, statistics, in the sandbox.

The new folder takes its place only when all three succeeded; nothing of it leaves.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.bench import check_engine, opened_bench
from medperf_git.flows.datasets import acquisition_words, new_salt
from medperf_git.flows.home import read_json, write_json
from medperf_git.flows.naming import at_ref, find, next_version, refuse_withdrawn
from medperf_git.flows.prepared import Prepared, datasets_folder, save
from medperf_git.flows.progress import StepProgress
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records.models import Benchmark, Cube, Dataset, Number
from medperf_git.records.names import Ref, name_fault
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.prepare import prepare_dataset as run_preparator
from medperf_git.runner.trees import remove_tree

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
    partial = _work_folder(target, wish)
    with opened_bench(context, settings) as bench:
        made = run_preparator(
            PinnedCube(preparator.record, preparator.stored.digest),
            wish.data,
            wish.labels,
            target=partial,
            bench=bench,
            profile=settings.profile,
            on_event=StepProgress(context.say, str(preparator.ref)),
            check_sandbox=lambda: check_engine(context, bench.engine, settings),
        )
    statistics = numbers_of(made.statistics)
    published = _chosen(wish.published, statistics)
    cases = wish.cases or count_cases(statistics)
    remove_tree(target)
    partial.rename(target)
    prepared = Prepared(
        folder=target,
        name=wish.name,
        title=wish.title,
        preparator=preparator.reference,
        benchmark=str(benchmark.ref),
        cases=cases,
        content=made.content,
        files=made.files,
        statistics=statistics,
        published=published,
        salt=new_salt(secrets.token_bytes(32)) if wish.salted else "",
        words=words,
        seconds=round(made.seconds, 1),
    )
    save(prepared)
    return prepared


def numbers_of(statistics: Any) -> dict[str, Number]:
    """Return every number of a statistics file, inner keys joined with dots; what is no number stays in the file."""
    numbers: dict[str, Number] = {}
    _flatten(statistics, "", numbers)
    return dict(list(numbers.items())[:_MAX_STATISTICS])


def _work_folder(target: Path, wish: PrepareWish) -> Path:
    """Return where preparation goes on after a failure; it begins anew when other raw folders are given."""
    folder = target.with_name(f".{target.name}.partial")
    source = {"data": str(wish.data.resolve()), "labels": str(wish.labels.resolve()), "benchmark": wish.benchmark}
    if read_json(folder / "source.json") != source:
        remove_tree(folder)
        write_json(folder / "source.json", source)
    return folder


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
