"""Check every record of one commit by itself, in two processes: the state that everybody reads.

Form, schema, place, canonical bytes, and that each signature verifies with a key its signer has held. Who was allowed
to add what, and when, is for `sync.audit`, which judges the history step by step.

    known = Verified.load(path)
    report = check_whole(store, commit, known=known)
    known.save()
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from medperf_git.errors import EnvironmentProblem
from medperf_git.records.findings import Finding
from medperf_git.registry.cache import Entry, Verified
from medperf_git.registry.folder_check import FolderCheck, folder_entry
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.trust import Trust, epoch_of

Folder: TypeAlias = tuple[str, bytes]  # a path ending in `/`, and the raw id of its tree
Progress: TypeAlias = Callable[[int, int], None]  # folders done, folders in all

PROCESSES = 2

_OPENED = {"results": 5, "comparisons": 5, "associations": 4}  # how many levels lie above what is shared out
_WORTH_IT = 150_000  # bytes of their trees, some 3000 results; with fewer, starting processes costs more than it gains


@dataclass(frozen=True, slots=True)
class WholeReport:
    """How many records and signatures were read now (the rest was known), and all that is wrong, by path."""

    records: int
    signatures: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    report: WholeReport
    entries: frozenset[Entry] = frozenset()


def check_whole(
    store: Store, commit: str, *, known: Verified, processes: int = PROCESSES, progress: Progress | None = None
) -> WholeReport:
    """Return what is wrong with the records of a commit; `known` is asked before reading, and learns.

    EnvironmentProblem: an object is missing, or a process was killed. IntegrityBroken: an object is damaged.
    """
    try:
        view = Snapshot.at(store, commit)
        epoch = epoch_of(store, view.tree)
    except BadObject as bad:
        return WholeReport(0, 0, (bad.finding,))
    if folder_entry("", view.tree, epoch) in known:
        return WholeReport(0, 0, ())
    check = FolderCheck(store, Trust.of(view), epoch, known)
    reports = list(_shared_out(check, _spread(check, view.tree), processes, progress))
    reports.append(_report(check))
    findings = [finding for report in reports for finding in report.findings]
    if not findings:
        known.add(folder_entry("", view.tree, epoch))
    return WholeReport(
        sum(report.records for report in reports),
        sum(report.signatures for report in reports),
        tuple(sorted(findings, key=lambda finding: (finding.path, finding.line))),
    )


def _spread(check: FolderCheck, tree: bytes) -> list[Folder]:
    """Check the folders nearest the root; return those below that are to be shared out."""
    waiting: list[Folder] = [("", tree)]
    shares: list[Folder] = []
    while waiting:
        prefix, raw_id = waiting.pop()
        inner = check.only_this(prefix, raw_id).items()
        for folder in inner:
            if not check.is_known(*folder):
                opened = folder[0].count("/") < _OPENED.get(folder[0].partition("/")[0], 1)
                (waiting if opened else shares).append(folder)
    return shares


def _shared_out(
    check: FolderCheck, folders: list[Folder], processes: int, progress: Progress | None
) -> Iterator[WholeReport]:
    if processes < 2 or sum(_size(check.store, tree) for _, tree in folders) < _WORTH_IT:
        for folder in folders:
            check.folder(*folder)
        return
    for done, part in enumerate(_with_others(check, folders, processes - 1), start=1):
        if part is not None:
            check.known.add(*part.entries)
            yield part.report
        if progress is not None:
            progress(done, len(folders))


def _size(store: Store, tree: bytes) -> int:
    try:
        return len(store.tree(tree))
    except BadObject:  # the walk reports it
        return 0


def _report(check: FolderCheck) -> WholeReport:
    return WholeReport(check.records, check.signatures, tuple(check.findings))


def _with_others(check: FolderCheck, folders: list[Folder], others: int) -> Iterator[_Part | None]:
    """Check folders from the end while other processes begin at the front; None for each that was checked here."""
    given = (check.store.path, check.trust, check.epoch, check.known.entries)
    try:
        with ProcessPoolExecutor(others, get_context("spawn"), initializer=_begin, initargs=given) as pool:
            theirs = [pool.submit(_check_folder, folder) for folder in folders]
            try:
                while theirs and theirs[-1].cancel():
                    check.folder(*folders[len(theirs) - 1])
                    theirs.pop()
                    yield None
                yield from (one.result() for one in theirs)
            except BaseException:  # nobody waits for what is not begun yet
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        hint = "see whether the memory ran out, then run it again"
        raise EnvironmentProblem("a process that checked records was killed", hint=hint) from error


_given: list[FolderCheck] = []  # of this process, when it is one of the others


def _begin(path: Path, trust: Trust, epoch: bytes, entries: Iterable[Entry]) -> None:
    """Prepare a process; whether the repository may be read was decided by the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _given[:] = [FolderCheck(Store.open(path, trust_owner=True), trust, epoch, Verified(None, entries))]


def _check_folder(folder: Folder) -> _Part:
    given = _given[0]
    check = FolderCheck(given.store, given.trust, given.epoch, given.known)
    check.folder(*folder)
    return _Part(_report(check), given.known.take_fresh())
