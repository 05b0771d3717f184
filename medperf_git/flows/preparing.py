"""Raw data → a prepared dataset on this machine: prepare, sanity check, statistics, in the sandbox.

The new folder takes its place in one step, when all three succeeded. An older one of the same name stays while a
record or a proposal names its content. On the same raw files nothing runs again: only the words about them change.
Nothing of it leaves.
"""

import secrets
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.bench import check_engine, opened_bench
from medperf_git.flows.datasets import acquisition_words, new_salt
from medperf_git.flows.home import read_json, write_json
from medperf_git.flows.naming import at_ref, find, iter_found, next_version, refuse_withdrawn
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.preparation_progress import PrepareProgress
from medperf_git.flows.prepared import Prepared, datasets_folder, iter_prepared, registry_stem, save
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.unchanged import refuse_changed, telling
from medperf_git.flows.workspace import Workspace
from medperf_git.records.models import Benchmark, Cube, Dataset, Number, Reference
from medperf_git.records.names import name_fault
from medperf_git.runner import prepare as runner
from medperf_git.runner.durable import sync_folder
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.preparation import PreparationFolder, held
from medperf_git.runner.tasks import Bench
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
_PATIENCE = 1.0  # seconds; somebody who only looks holds the lock for a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareWish:
    """What a data owner says: which benchmark's preparator, on which folders, and what may be published.

    With `already_prepared` the folders hold prepared data, which `in_place` leaves where it lies. `command` is what
    the person typed, to be repeated.
    """

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
    already_prepared: bool = False
    in_place: bool = False
    metadata: Path | None = None
    again: bool = False
    command: tuple[str, ...] = ()


def prepare_dataset(workspace: Workspace, wish: PrepareWish, settings: RunSettings) -> Prepared:
    """Prepare raw data with the benchmark's preparator and keep the result below the home folder.

    `WaitsForPerson` when the preparator stops for one; the same wish goes on afterwards.
    """
    _refuse_nonsense(wish)
    view, context = workspace.view, workspace.context
    benchmark = find(view, Benchmark, wish.benchmark, member=workspace.member)
    refuse_withdrawn(view, benchmark.stored)
    preparator = at_ref(view, Cube, benchmark.record.data_preparator.ref)
    pinned = PinnedCube(preparator.record, preparator.stored.digest)
    words = _words(wish)
    with _work_folder(workspace, wish, preparator.reference) as folder:
        if (kept := _kept(workspace, wish, pinned, settings)) is not None:
            context.say("nothing has changed in the raw data: what was prepared before is kept (--again prepares anew)")
            if not PreparationFolder(folder).state():  # nothing was begun in it
                remove_tree(folder)
            return _renamed(kept, wish, words, benchmark=str(benchmark.ref))
        with opened_bench(context, settings) as bench:
            made = _make(workspace, wish, pinned, folder=folder, bench=bench, settings=settings)
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
            places={role: str(root.resolve()) for role, root in made.folders.roots.items()} if wish.in_place else {},
        )
        save(prepared)
        return _put_in_place(workspace, prepared)


def _refuse_nonsense(wish: PrepareWish) -> None:
    if fault := name_fault(wish.name):
        raise UsageProblem(f"{wish.name!r}: {fault}", hint="choose another --name")
    if (wish.in_place or wish.metadata) and not wish.already_prepared:
        option = "--in-place" if wish.in_place else "--metadata"
        raise UsageProblem(f"{option} is for data that is prepared already", hint="say --already-prepared as well")


def _make(
    workspace: Workspace, wish: PrepareWish, pinned: PinnedCube, *, folder: Path, bench: Bench, settings: RunSettings
) -> runner.Prepared:
    context = workspace.context
    progress = PrepareProgress(context.say, str(pinned.cube.ref))

    def check_sandbox() -> None:
        check_engine(context, bench.engine, settings)

    if wish.already_prepared:
        return runner.adopt_dataset(
            pinned,
            _given(wish),
            target=folder,
            bench=bench,
            in_place=wish.in_place,
            profile=settings.profile,
            on_event=progress,
            check_sandbox=check_sandbox,
        )
    return runner.prepare_dataset(
        pinned,
        wish.data,
        wish.labels,
        target=folder,
        bench=bench,
        profile=settings.profile,
        on_event=progress,
        on_report=progress.report,
        check_sandbox=check_sandbox,
    )


def _given(wish: PrepareWish) -> DatasetFolders:
    """Return the folders of prepared data; labels in the data folder are no folder of their own."""
    data, labels = wish.data.resolve(), wish.labels.resolve()
    return DatasetFolders(data, data if labels == data else labels, wish.metadata.resolve() if wish.metadata else None)


def _kept(workspace: Workspace, wish: PrepareWish, pinned: PinnedCube, settings: RunSettings) -> Prepared | None:
    """Return the newest dataset of that name when the same container has made it of the same raw files."""
    own = [one for one in iter_prepared(workspace.context.home) if _is_own(workspace, one, wish.name)]
    if wish.again or wish.already_prepared or not own:
        return None
    newest = max(own, key=lambda one: one.number)
    mark = PreparationFolder(newest.folder).mark("prepare")
    if newest.places or newest.preparator.digest != pinned.digest or mark is None:
        return None
    if mark.key != runner.preparation_key(pinned, wish.data, wish.labels, settings.profile):
        return None
    if bool(newest.salt) != wish.salted and _may_be_named(workspace, newest):
        return None  # its salt belongs to what was registered
    try:
        refuse_changed(newest, progress=telling(workspace.context.say, "checking what was prepared before"))
    except IntegrityBroken:
        return None
    return newest


def _may_be_named(workspace: Workspace, prepared: Prepared) -> bool:
    try:
        return _is_named(workspace, prepared)
    except EnvironmentProblem as problem:  # what cannot be read may name any of them
        workspace.context.say(f"older folders of {prepared.name} stay: {problem.message}")
        return True


def _renamed(kept: Prepared, wish: PrepareWish, words: dict[str, Any], *, benchmark: str) -> Prepared:
    """Return a dataset with other words about it and another choice of what is published; its salt stays."""
    changed = replace(
        kept,
        title=wish.title,
        benchmark=benchmark,
        cases=wish.cases or count_cases(kept.statistics),
        published=_chosen(wish.published, kept.statistics),
        salt=(kept.salt or new_salt(secrets.token_bytes(32))) if wish.salted else "",
        words=words,
    )
    save(changed)
    return changed


def _is_own(workspace: Workspace, prepared: Prepared, name: str) -> bool:
    return prepared.name == name and prepared.folder.name.startswith(f"{_stem(workspace, name)}.")


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
    unnamed = [one for one in replaced if not _may_be_named(workspace, one)]
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
    """Yield where preparation goes on after a failure; it begins anew when other raw folders are given.

    Refused where a person may have worked in it, unless it is to begin anew.
    """
    folder = datasets_folder(workspace.context.home) / f".{_stem(workspace, wish.name)}.partial"
    source = {
        "data": str(wish.data.resolve()),
        "labels": str(wish.labels.resolve()),
        "preparator": preparator.digest,
    } | ({"already_prepared": "in place" if wish.in_place else "copied"} if wish.already_prepared else {})
    with _patiently_held(folder):
        for half in (*folder.glob(".new-*"), *folder.glob(".*.partial")):  # else it would go along to its place
            half.unlink(missing_ok=True)
        if read_json(folder / "source.json") != source:
            _refuse_to_lose_work(folder, wish)
            remove_tree(folder)
            write_json(folder / "source.json", source)
        write_json(folder / "command.json", {"command": list(wish.command)})
        yield folder


def _refuse_to_lose_work(folder: Path, wish: PrepareWish) -> None:
    """Raise `Refused` when a preparation of other folders holds cases that a person may have worked on."""
    begun = PreparationFolder(folder)
    report = begun.report()
    if wish.again or report is None:
        return
    command = read_json(folder / "command.json").get("command")
    typed = shlex.join(map(str, command)) if isinstance(command, list) else "the command that began it"
    raise Refused(
        f"a preparation of {wish.name} from other folders, or by another preparator, is not finished, and a person's"
        f" work may be in it: {folder}",
        hint=f"go on with it: {typed}; or take another --name; or give it up and begin anew: repeat with --again",
    )


@contextmanager
def _patiently_held(folder: Path) -> Iterator[None]:
    """Hold a preparation; whoever only looks at it holds it for a moment, and is waited for."""
    until = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held(folder))
                break
            except Refused:
                if time.monotonic() > until:
                    raise
                time.sleep(_PATIENCE / 10)
        yield


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
    return f"{registry_stem(workspace.registry_id)}.{_member(workspace)}.{name}"


def _member(workspace: Workspace) -> str:
    return workspace.member or "local"
