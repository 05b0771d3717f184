"""Columns shared out among processes; the same files whoever does them."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np

from medperf_git.errors import EnvironmentProblem
from medperf_git.leaderboard.build_cache import Kept
from medperf_git.leaderboard.collector import be_patient
from medperf_git.leaderboard.column_files import ColumnWriter, Work, folders_of, urls_of
from medperf_git.leaderboard.frames import Frame
from medperf_git.leaderboard.writing import SiteFolder
from medperf_git.records.view import RecordView

OpenView: TypeAlias = Callable[[], RecordView]
Done: TypeAlias = tuple[Kept, bool]

_WORTH_IT = 3000  # results; with fewer, starting a process costs more than it gains
_SHARE = 256  # results in one piece of work
_AHEAD = 2  # pieces that another process is given at a time: it has the next one when it has done one


class Pool:
    """Does columns here and in other processes; strings that many of them say are kept once."""

    def __init__(
        self,
        view: RecordView,
        folder: SiteFolder,
        words: Mapping[str, object],
        *,
        frames: Iterable[Frame] = (),
        open_view: OpenView | None,
        processes: int,
    ) -> None:
        self._here = _Hand(view, folder, words, frames)
        self._begin = partial(_begin, open_view, folder.root, folder.fresh, dict(words))
        self._others = processes - 1 if open_view is not None else 0
        self._executor: ProcessPoolExecutor | None = None
        self._once: dict[Any, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the other processes end; what is not begun is not begun."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def run(self, works: list[Work]) -> Iterator[Done]:
        """Do all; EnvironmentProblem when a process was killed."""
        if self._others < 1 or sum(work.chains for work in works) < _WORTH_IT:
            done: Iterator[Done] = (self._here.do([work])[0] for work in works)
        else:
            done = self._shared(deque(_shares(works)))
        try:
            yield from map(self._said_once, done)
        except BrokenProcessPool as error:
            hint = "see whether the memory ran out, then run it again"
            raise EnvironmentProblem("a process that wrote pages was killed", hint=hint) from error

    def _shared(self, shares: deque[list[Work]]) -> Iterator[Done]:
        """Do shares from the end while others have the next ones from the front."""
        self._executor = ProcessPoolExecutor(self._others, get_context("spawn"), initializer=self._begin)
        theirs: deque[Future[list[Done]]] = deque()
        while shares or theirs:
            while shares and len(theirs) < _AHEAD * self._others:
                theirs.append(self._executor.submit(_do, shares.popleft()))
            if shares:
                yield from self._here.do(shares.pop())
            while theirs and (theirs[0].done() or not shares):
                yield from theirs.popleft().result()

    def _said_once(self, done: Done) -> Done:
        """Keep a text or reference once that many columns have."""
        kept, lasting = done
        once = self._once.setdefault
        column = replace(
            kept.column,
            texts=tuple(once(text, text) for text in kept.column.texts),
            models=tuple(once(model, model) for model in kept.column.models),
        )
        return replace(kept, column=column, rests_on=tuple(once(name, name) for name in kept.rests_on)), lasting


def _shares(works: list[Work]) -> Iterator[list[Work]]:
    share: list[Work] = []
    for work in works:
        share.append(work)
        if sum(one.chains for one in share) >= _SHARE:
            yield share
            share = []
    if share:
        yield share


class _Hand:
    """One process's part."""

    def __init__(
        self, view: RecordView, folder: SiteFolder, words: Mapping[str, object], frames: Iterable[Frame] = ()
    ) -> None:
        self._folder = folder
        self._writer = ColumnWriter(view, words, folder.put, frames)

    def do(self, share: list[Work]) -> list[Done]:
        done = []
        for work in share:
            kept, lasting = self._writer.write(work)
            self._folder.sweep(work.folder, set(urls_of(kept)))
            folders = np.array([self._folder.mark(one) for one in folders_of(kept)], np.uint64)
            done.append((replace(kept, marks=np.concatenate((kept.marks, folders))), lasting))
        return done


_given: list[_Hand] = []  # of this process, when it is one of the others


def _begin(open_view: OpenView | None, root: Path, fresh: bool, words: Mapping[str, object]) -> None:
    assert open_view is not None  # noqa: S101 - else there are no other processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_patient()
    Thread(target=_end_with_parent, daemon=True).start()
    _given[:] = [_Hand(open_view(), SiteFolder(root, fresh=fresh), words)]


def _end_with_parent() -> None:
    """End at once when the process that gives the work was killed: else this one would write on, and wait for ever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _do(share: list[Work]) -> list[Done]:
    return _given[0].do(share)
