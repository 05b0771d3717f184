"""A commit's records → the files of a site, one by one.

Rules kept here: a pure function, the same view and arguments give the same bytes, whatever was kept of an earlier
build and however many processes work; no clock, no locale, no environment; everything that a record says is escaped
by the templates; nothing is fetched from anywhere. The commit and its time stand in the pages that are about it and
in `assets/as-of.css`, and nowhere else: what did not change keeps its bytes.

    files = iter_site(view, commit="1f0c…", registry_id="mg1:…", step_time="2026-11-25T10:00:00Z")
    write_site(files, Path("site"))

    build_folder(view, Path("site"), commit=…, registry_id=…, step_time=…)   # the same, for a site of any size
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medperf_git.leaderboard.about import About, column_words
from medperf_git.leaderboard.build_cache import NOTHING, BuildCache, Kept, LastBuild
from medperf_git.leaderboard.collector import patient
from medperf_git.leaderboard.column_files import ColumnWriter, Ids, Work, folders_of, urls_of
from medperf_git.leaderboard.frames import Frame
from medperf_git.leaderboard.identified import has_ids
from medperf_git.leaderboard.reading import iter_frames, tables_of
from medperf_git.leaderboard.rendering import CSP, render_page
from medperf_git.leaderboard.steps import Step
from medperf_git.leaderboard.tables import RegistryTables
from medperf_git.leaderboard.workers import OpenView, Pool
from medperf_git.leaderboard.writing import INDEX, SiteFolder, disk_errors, opened, write_site
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, folders

__all__ = ["CSP", "build_folder", "build_site", "iter_site", "render_page", "write_site"]

LAST = ("index.html", INDEX)


def build_site(
    view: RecordView, *, commit: str, registry_id: str, step_time: str, steps: Sequence[Step] = ()
) -> Mapping[str, bytes]:
    """Build every file of a site in memory, by relative path."""
    return dict(sorted(iter_site(view, commit=commit, registry_id=registry_id, step_time=step_time, steps=steps)))


def iter_site(
    view: RecordView, *, commit: str, registry_id: str, step_time: str, steps: Sequence[Step] = ()
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a site, each when it is made, by relative path; the index comes last.

    `steps` are the last ones of main, the newest first, for the news.
    """
    about = About(commit, registry_id, step_time, tuple(steps))
    made: list[tuple[str, bytes]] = []

    def keep(url: str, data: bytes) -> int:
        made.append((url, data))
        return 0

    frames = list(iter_frames(view))
    writer = ColumnWriter(view, column_words(view, about), keep, frames)
    columns = {}
    for work in _iter_work(view, frames):
        columns[work.folder] = writer.write(work)[0]
        yield from made
        made.clear()
    yield from _iter_rest(view, _tables(view, frames, columns), about, columns)


def build_folder(
    view: RecordView,
    out: Path,
    *,
    commit: str,
    registry_id: str,
    step_time: str,
    steps: Sequence[Step] = (),
    cache: BuildCache | None = None,
    open_view: OpenView | None = None,
    processes: int = 2,
) -> int:
    """Make `out` hold exactly the site of a commit; return how many files it has.

    What `cache` says to be as it was is left alone. `open_view` opens the same view in another process, and says that
    all of the history is there: with it, a site of the very same commit is only looked through. UsageProblem:
    the folder holds anything but a site. EnvironmentProblem: the disk refuses, or a process was killed.
    """
    out, about = out.absolute(), About(commit, registry_id, step_time, tuple(steps))
    frames = list(iter_frames(view))
    words = column_words(view, about)
    works = list(_iter_work(view, frames))
    with disk_errors(out), patient(), opened(out) as folder:
        ids = Ids(view, {frame.ref: frame for frame in frames}, words) if cache is not None and has_ids(view) else None
        last = cache.load() if cache is not None and ids is not None and not folder.fresh else NOTHING
        whole = ids.of_site(about) if ids is not None and open_view is not None else ""
        same = whole != "" and last.whole == whole and last.out == str(out)
        if same:  # before anything is compared: what lies behind a link is no file of the site
            folder.remove_others(_files_of(last), leave=frozenset(last.columns))
        columns = _still_good(last, works, ids, folder) if ids is not None and last.out == str(out) else {}
        if same and len(columns) == len(works) and _is_rest_good(last, folder):
            return len(_files_of(last)) + sum(len(kept.column.numbers) for kept in columns.values())
        if cache is not None:
            cache.forget()
        passing: set[str] = set()
        with Pool(view, folder, words, frames=frames, open_view=open_view, processes=processes) as pool:
            for kept, lasting in pool.run([work for work in works if work.folder not in columns]):
                columns[kept.column.folder] = kept
                passing.update(() if lasting else (kept.column.folder,))
        done = {work.folder: columns[work.folder] for work in works}
        known = {url for kept in done.values() for url in kept.files}
        index, rest = [], {}
        for url, data in _iter_rest(view, _tables(view, frames, done), about, done):
            known.add(url)
            if url in LAST:
                index.append((url, data))
            else:
                rest[url] = folder.put(url, data)
        if not folder.fresh:
            folder.remove_others(known, leave=frozenset(done))
        for url, data in index:
            rest[url] = folder.put(url, data)
        if cache is not None and ids is not None:
            good = {name: one for name, one in done.items() if name not in passing}
            cache.save(_to_keep(str(out), good, ids, whole, rest))
    return len(known) + sum(len(kept.column.numbers) for kept in done.values())


def _files_of(last: LastBuild) -> set[str]:
    """Return the files of the last build but the pages of results."""
    return {*last.rest, *(url for kept in last.columns.values() for url in kept.files)}


def _is_rest_good(last: LastBuild, folder: SiteFolder) -> bool:
    """Tell whether the files that no column has are as the last build left them."""
    real = all(map(folder.is_real, {url.rpartition("/")[0] for url in last.rest}))
    return real and all(folder.mark(url) == mark for url, mark in last.rest.items())


def _to_keep(out: str, columns: Mapping[str, Kept], ids: Ids, whole: str, rest: Mapping[str, int]) -> LastBuild:
    names = sorted({name for kept in columns.values() for name in kept.rests_on})
    return LastBuild(out, columns, {name: ids[name] for name in names}, whole, rest)


def _still_good(last: LastBuild, works: list[Work], ids: Ids, folder: SiteFolder) -> dict[str, Kept]:
    """Return the columns of the last build that rest on nothing that changed, and whose files are as they were."""
    changed = {name for name, before in last.ids.items() if ids[name] != before}
    good = {}
    for work in works:
        kept = last.columns.get(work.folder)
        if kept is None or not changed.isdisjoint(kept.rests_on):
            continue
        places = *urls_of(kept), *folders_of(kept)
        real = all(map(folder.is_real, {work.folder, *(url.rpartition("/")[0] for url in kept.files)}))
        if real and [folder.mark(place) for place in places] == kept.marks.tolist():
            good[work.folder] = kept
    return good


def _iter_work(view: RecordView, frames: list[Frame]) -> Iterator[Work]:
    for frame in frames:
        for _, folder in frame.iter_folders():
            yield Work(frame.ref, folder, len(folders(view, folder)))


def _tables(view: RecordView, frames: list[Frame], done: Mapping[str, Kept]) -> RegistryTables:
    by_frame: dict[Frame, dict[Ref, Kept]] = {frame: {} for frame in frames}
    for frame, columns in by_frame.items():
        columns |= {ref: done[folder] for ref, folder in frame.iter_folders()}
    return tables_of(view, {f: {ref: kept.column for ref, kept in there.items()} for f, there in by_frame.items()})


def _iter_rest(
    view: RecordView, tables: RegistryTables, about: About, columns: Mapping[str, Kept]
) -> Iterator[tuple[str, bytes]]:
    """Yield all files but those of columns."""
    from medperf_git.leaderboard.rest import iter_rest  # noqa: PLC0415  (scipy; where nothing is new none is needed)

    yield from iter_rest(view, tables, about, {name: kept.files for name, kept in columns.items()})
