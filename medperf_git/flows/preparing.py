"""Raw data → a prepared dataset on this machine: prepare, sanity check, statistics, in the sandbox.

The new folder takes its place in one step, when all three succeeded. An older one of the same name stays while a
record or a proposal names its content. Nothing of it leaves.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.bench import check_engine, opened_bench
from medperf_git.flows.datasets import acquisition_words, new_salt
from medperf_git.flows.home import read_json, write_json
from medperf_git.flows.naming import at_ref, find, iter_found, next_version, refuse_withdrawn
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.prepared import Prepared, datasets_folder, iter_prepared, save
from medperf_git.flows.progress import StepProgress
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records.models import Benchmark, Cube, Dataset, Number, Reference
from medperf_git.records.names import name_fault
from medperf_git.runner.durable import locked, sync_folder
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
    with _work_folder(workspace, wish, preparator.reference) as folder, opened_bench(context, settings) as bench:
        made = run_preparator(
            PinnedCube(preparator.record, preparator.stored.digest),
            wish.data,
            wish.labels,
            target=folder,
            bench=bench,
            profile=settings.profile,
            on_event=StepProgress(context.say, str(preparator.ref)),
            check_sandbox=lambda: check_engine(context, bench.engine, settings),
        )
        statistics = numbers_of(made.statistics)
        prepared = Prepared(
            folder=folder,
            name=wish.name,
            title=wish.title,
            preparator=preparator.reference,
            benchmark=str(benchmark.ref),
            cases=wish.cases or count_cases(statistics),
            content=made.content,
            files=made.files,
            statistics=statistics,
            published=_chosen(wish.published, statistics),
            salt=new_salt(secrets.token_bytes(32)) if wish.salted else "",
            words=words,
            seconds=round(made.seconds, 1),
        )
        save(prepared)
        return _put_in_place(workspace, prepared)


def _put_in_place(workspace: Workspace, prepared: Prepared) -> Prepared:
    """Give a whole preparation its own folder; then remove those of that name here which nothing names."""
    home, stem = workspace.context.home, _stem(workspace, prepared.name)
    older = [one for one in iter_prepared(home) if one.name == prepared.name]
    registered = next_version(workspace.view, Dataset, _member(workspace), prepared.name) - 1
    number = 1 + max([registered, *(one.number for one in older)])
    place = datasets_folder(home) / f"{stem}.{number}"
    prepared.folder.rename(place)
    sync_folder(place.parent)
    replaced = [one for one in older if one.folder.name.startswith(f"{stem}.")]
    try:
        unnamed = [one for one in replaced if not _is_named(workspace, one)]
    except EnvironmentProblem as problem:  # what cannot be read may name any of them
        workspace.context.say(f"older folders of {prepared.name} stay: {problem.message}")
        unnamed = []
    for one in unnamed:
        remove_tree(one.folder)
    return replace(prepared, folder=place)


def _is_named(workspace: Workspace, prepared: Prepared) -> bool:
    """Tell whether a record, or a proposal of mine to any registry, names the content of a prepared dataset."""
    digest = prepared.published_digest
    if any(found.record.content.digest == digest for found in iter_found(workspace.view, Dataset)):
        return True
    return any(digest.encode() in data for data in _iter_proposed(workspace.context.home))


def _iter_proposed(home: Path) -> Iterator[bytes]:
    """Yield every file of every proposal of mine, to whichever registry, that was not replaced by another."""
    for box in sorted((home / "outbox").glob("*/")):
        for entry in Outbox(box).entries():
            if entry.state != "replaced":
                yield from entry.data.values()


def numbers_of(statistics: Any) -> dict[str, Number]:
    """Return every number of a statistics file, inner keys joined with dots; what is no number stays in the file."""
    numbers: dict[str, Number] = {}
    _flatten(statistics, "", numbers)
    return dict(list(numbers.items())[:_MAX_STATISTICS])


@contextmanager
def _work_folder(workspace: Workspace, wish: PrepareWish, preparator: Reference) -> Iterator[Path]:
    """Yield where preparation goes on after a failure; it begins anew when other raw folders are given."""
    folder = datasets_folder(workspace.context.home) / f".{_stem(workspace, wish.name)}.partial"
    source = {
        "data": str(wish.data.resolve()),
        "labels": str(wish.labels.resolve()),
        "benchmark": wish.benchmark,
        "preparator": preparator.digest,
    }
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder.with_suffix(".lock")))
        except BlockingIOError as error:
            hint = "wait until it has ended, or choose another --name"
            raise Refused(f"{wish.name} is being prepared by another process", hint=hint) from error
        for half in (*folder.glob(".new-*"), *folder.glob(".*.partial")):  # else it would go along to its place
            half.unlink(missing_ok=True)
        if read_json(folder / "source.json") != source:
            remove_tree(folder)
            write_json(folder / "source.json", source)
        yield folder


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


def _stem(workspace: Workspace, name: str) -> str:
    """Return how the folders of a name begin, other than those of the same name for another registry."""
    return f"{workspace.registry_id.removeprefix('mg1:')[:12]}.{_member(workspace)}.{name}"


def _member(workspace: Workspace) -> str:
    return workspace.member or "local"
