"""One container behind the Docker API, from attaching to its end."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.engine import Ended, StepResult, StepSpec
from medperf_git.runner.engines.speaking import NotFound, NotRunning, close_stream, gone, speaking
from medperf_git.runner.supervise import follow
from medperf_git.runner.watch import MemoryWatch, descendants, usage

KILLED_CODES = (137, 143)


class Running:
    """A container that was created; `answers` tells whether the engine still does, `disk` where it keeps its files."""

    def __init__(self, api: Any, container: str, *, answers: Callable[[], bool], disk: Path | None) -> None:
        self._api = api
        self._id = container
        self._answers = answers
        self._disk = disk
        self._memory = MemoryWatch(container)
        self._upper: Path | None = None
        self._stream: Any = None

    @contextlib.contextmanager
    def started(self) -> Iterator[Self]:
        """Start it, and let go of its output afterwards."""
        try:
            with speaking("start a container"):
                self._stream = self._api.attach(self._id, stream=True)
                self._api.start(self._id)
            yield self
        finally:
            close_stream(self._stream)

    def follow(self, spec: StepSpec, log: Path, stop: threading.Event) -> StepResult:
        """See it to its end."""
        seen = follow(self, spec, log=log, stop=stop)
        if seen.ended is Ended.EXITED:
            seen.ended = self._why(seen.exit_code)
        return StepResult(
            exit_code=seen.exit_code,
            ended=seen.ended,
            seconds=seen.seconds,
            peak_memory=seen.peak_memory,
            peak_disk=seen.peak_disk,
            broke=seen.broke,
        )

    def output(self) -> Iterator[bytes]:
        """Yield what it prints until it ends."""
        yield from self._stream

    def wait(self) -> int:
        """Return its exit code once it has ended; that of a kill when somebody removed it."""
        try:
            with speaking("wait for a container"):
                return int(self._api.wait(self._id, timeout=None)["StatusCode"])
        except NotFound:
            return KILLED_CODES[0]

    def kill(self) -> None:
        """Stop it at once."""
        try:
            with speaking("stop a container"):
                self._api.kill(self._id, "SIGKILL")
        except (NotFound, NotRunning):
            return
        except EnvironmentProblem:
            if self._runs():  # Docker answers 409 for one that has ended meanwhile, Podman 500
                raise

    def _runs(self) -> bool:
        try:
            with speaking("look at a container"):
                return bool(self._api.inspect_container(self._id)["State"]["Running"])
        except NotFound:
            return False

    def memory(self) -> int | None:
        """Return bytes of memory in use, where the kernel's files can be read."""
        return self._memory.in_use()

    def processes(self) -> Iterator[int]:
        """Yield the numbers of its processes, where the kernel's files can be read.

        An ordinary user's engine has no control groups under version 1: there the engine says which process is first.
        """
        grouped = list(self._memory.processes())
        if grouped:
            yield from grouped
        elif self._disk is not None and self._disk.exists():  # the engine is on this host, and so are its numbers
            with contextlib.suppress(NotFound), speaking("look at a container"):
                first = int(self._api.inspect_container(self._id)["State"].get("Pid") or 0)
                yield from descendants(first) if first else ()

    def layer_disk(self) -> Path | None:
        """Return the engine's own folder, when it lies on this host."""
        with contextlib.suppress(OSError):
            if self._disk is not None and self._disk.exists():
                self._upper = self._upper or self._upper_folder()
                return self._disk
        return None

    def layer_bytes(self) -> int | None:
        """Return bytes written to its root file system; None when it is gone."""
        if self._upper is not None:
            return usage(self._upper)[0]
        try:
            with speaking("measure a container"):
                found = self._api.containers(all=True, size=True, filters={"id": self._id})
        except NotFound:
            return None
        return int(found[0].get("SizeRw") or 0) if found else None

    def _upper_folder(self) -> Path | None:
        """Return the folder that holds what it writes to its root file system, for those who may look into it."""
        with contextlib.suppress(NotFound), speaking("look at a container"):
            driver = self._api.inspect_container(self._id).get("GraphDriver") or {}
            upper = (driver.get("Data") or {}).get("UpperDir")
            with contextlib.suppress(OSError):
                if upper and Path(upper).is_dir():
                    list(Path(upper).iterdir())
                    return Path(upper)
        return None

    def _why(self, exit_code: int) -> Ended:
        if exit_code == 0:
            return Ended.EXITED
        try:
            with speaking("ask how a container ended"):
                state = self._api.inspect_container(self._id)["State"]
        except NotFound:
            state = {}
        self._memory.in_use()  # Podman lets its files lie for a moment after the end
        if state.get("OOMKilled") or self._memory.kills:
            return Ended.OOM
        if exit_code not in KILLED_CODES:
            return Ended.EXITED
        # An engine that is told to stop kills its containers first, and still answers while it does.
        time.sleep(0.2)
        if not self._answers():
            raise gone("it stopped while a container ran")
        return Ended.KILLED if exit_code == KILLED_CODES[0] else Ended.EXITED
