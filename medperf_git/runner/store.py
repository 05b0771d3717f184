"""Durable state of runs: what is finished stays finished, whatever happens to the machine.

One folder per run, named by the run's id. A mark is written beside a finished step: to a temporary file, synced,
renamed, the folder synced. It holds the step's key and the digests of its outputs, and counts while both still fit.
One run has one holder, by a lock that the kernel lets go when the process ends.

    <root>/<run id>/lock  plan.json  wish.json  unverified  looks.json  command.json  output.log  reviewed.json
                    models/<member.name.version>/{attempts,infer,evaluate,outcome,skipped}.json
                    models/…/predictions/  models/…/results  models/…/local/  models/…/logs/<attempt>/<step>.log
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.records.digests import Digest
from medperf_git.records.names import Ref
from medperf_git.runner.collect import TakenFile
from medperf_git.runner.durable import keeping, kernel_names, locked, read_json, sync_folder, write_json
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.owners import process_token
from medperf_git.runner.plan import RunPlan, plain
from medperf_git.runner.staging import private_folder
from medperf_git.runner.trees import remove_tree
from medperf_git.runner.wish import Wish, wish_from_value

Step = Literal["infer", "evaluate"]
_PAUSES = (0.05, 0.1, 0.2)
_MOST_LOOKS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A finished step: its key, attempt, outputs and what it needed; bytes and seconds."""

    key: Digest
    attempt: int
    files: tuple[TakenFile, ...]
    exit_code: int
    seconds: float
    peak_memory: int | None
    peak_disk: int | None
    started: str
    finished: str
    reused: bool = False


class ModelState:
    """What is known of one model in one run: attempts, marks, outputs, outcome."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def predictions(self) -> Path:
        """Where the predictions of the finished inference are kept."""
        return self.folder / "predictions"

    @property
    def results(self) -> Path:
        """Where the metrics container's output is kept: a file or a folder."""
        return self.folder / "results"

    @property
    def local_outputs(self) -> Path:
        """Where outputs lie that never leave the site."""
        return self.folder / "local"

    def log(self, step: Step, attempt: int) -> Path:
        """Return where a step's log of an attempt lies."""
        return self.folder / "logs" / f"{attempt:04d}" / f"{step}.log"

    def attempts(self) -> int:
        """Return how many attempts were begun."""
        return _count(self._noted(), "attempts")

    def ended_attempts(self) -> int:
        """Return how many attempts came to an outcome."""
        noted, outcome = self._noted(), self.outcome() or {}
        return max(_count(noted, "attempts") - bool(noted.get("open")), _count(outcome, "attempt"))

    def is_open(self) -> bool:
        """Tell whether an attempt has begun and not come to an outcome."""
        return bool(self._noted().get("open"))

    def begin_attempt(self) -> int:
        """Note that an attempt begins, and return its number from 1; one that was interrupted goes on."""
        with keeping(self.folder):
            private_folder(self.folder)
        self._skipped.unlink(missing_ok=True)
        number = self.ended_attempts() + 1
        write_json(self.folder / "attempts.json", {"attempts": number, "open": True})
        return number

    def mark(self, step: Step) -> Mark | None:
        """Return the mark of a finished step, None when there is none that can be read."""
        value = read_json(self.folder / f"{step}.json")
        return _mark_from(value) if value else None

    def has_finished(self, step: Step, key: Digest) -> bool:
        """Tell whether the step with that key is finished and its outputs are what its mark says."""
        mark = self.mark(step)
        return mark is not None and mark.key == key and outputs_match(self._output_of(step), mark.files)

    def write_mark(self, step: Step, mark: Mark) -> None:
        """Note that a step is finished; its outputs are synced before."""
        _sync_files(self._output_of(step), mark.files)
        write_json(self.folder / f"{step}.json", plain_mark(mark))

    def outcome(self) -> dict[str, Any] | None:
        """Return the outcome of the latest attempt as plain values, None when there is none."""
        return read_json(self.folder / "outcome.json")

    def write_outcome(self, value: dict[str, Any]) -> None:
        """Note the outcome of the attempt under way, which ends with it."""
        with keeping(self.folder):
            private_folder(self.folder)
        write_json(self.folder / "outcome.json", value)
        write_json(self.folder / "attempts.json", {"attempts": self.attempts(), "open": False})

    def note_skipped(self, why: str) -> None:
        """Note why this model was not started, until it is."""
        with keeping(self.folder):
            private_folder(self.folder)
        write_json(self._skipped, {"why": why})

    def skipped(self) -> str:
        """Return why this model was not started when its turn came; empty when it was."""
        return str((read_json(self._skipped) or {}).get("why", ""))

    def forget(self, *names: Literal["infer", "evaluate", "outcome"]) -> None:
        """Take back marks, so that the steps are done again."""
        marks = [mark for name in names if (mark := self.folder / f"{name}.json").exists()]
        if marks:
            with keeping(self.folder):
                for mark in marks:
                    mark.unlink(missing_ok=True)
                sync_folder(self.folder)  # a mark that came back after a power cut would count

    def forget_steps_before(self, attempt: int) -> None:
        """Take back the marks of steps that an attempt before that one made, or took over from another run."""
        steps: tuple[Step, ...] = ("infer", "evaluate")
        for step in steps:
            if (mark := self.mark(step)) and (mark.attempt < attempt or mark.reused):
                self.forget(step)

    def adopt_predictions(self, other: "ModelState") -> None:
        """Take another run's predictions over, without copying bytes where the disk allows it."""
        remove_tree(self.predictions)
        private_folder(self.folder)
        try:
            shutil.copytree(other.predictions, self.predictions, copy_function=os.link)
        except OSError:
            remove_tree(self.predictions)
            shutil.copytree(other.predictions, self.predictions)

    @property
    def _skipped(self) -> Path:
        return self.folder / "skipped.json"

    def _noted(self) -> dict[str, Any]:
        return read_json(self.folder / "attempts.json") or {}

    def _output_of(self, step: Step) -> Path:
        return self.predictions if step == "infer" else self.results


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.path.name

    def model(self, ref: Ref) -> ModelState:
        """Return the state of one model."""
        return ModelState(self.path / "models" / ref.folder)

    def models(self) -> tuple[Ref, ...]:
        """Return the models that this run has seen; what else lies beside their folders is none."""
        folder = self.path / "models"
        found = (_ref_of(entry) for entry in folder.iterdir()) if folder.is_dir() else ()
        return tuple(sorted(ref for ref in found if ref is not None))

    def plan(self) -> dict[str, Any]:
        """Return the latest plan as plain values; EnvironmentProblem when it is damaged."""
        path = self.path / "plan.json"
        plan = read_json(path) or {}
        try:
            _check_plan(plan)
        except (KeyError, TypeError, ValueError) as error:
            hint = f"run the benchmark on that dataset again, which writes it anew; or remove {self.path}"
            raise EnvironmentProblem(f"{path} is damaged", hint=hint) from error
        return plan

    def planned(self) -> tuple[Ref, ...]:
        """Return the models of the latest plan."""
        return tuple(Ref.parse(model["model"]["ref"]) for model in self.plan().get("models", ()))

    def write_plan(self, plan: RunPlan) -> None:
        """Note the latest plan."""
        write_json(self.path / "plan.json", plain(plan))

    def wish(self) -> Wish | None:
        """Return what was last asked of this run, None when nothing is known of it."""
        return wish_from_value(read_json(self.path / "wish.json") or {})

    def write_wish(self, wish: Wish) -> None:
        """Note what is asked of this run."""
        write_json(self.path / "wish.json", wish.as_value())

    def unverified(self) -> tuple[Ref, ...]:
        """Return the models that have run since the dataset was last looked at; all when that cannot be read."""
        if not self._awaiting.exists():
            return ()
        try:
            return tuple(Ref.parse(text) for text in (read_json(self._awaiting) or {})["models"])
        except (KeyError, TypeError, ValueError):
            return self.models()

    def await_verification(self, refs: Iterable[Ref]) -> None:
        """Note that models are about to run, which counts only once the dataset was looked at again."""
        waiting = {*self.unverified(), *refs}
        write_json(self._awaiting, {"models": sorted(map(str, waiting))})

    def note_verified(self) -> None:
        """Note that the dataset is what was registered, after all that has run."""
        self._awaiting.unlink(missing_ok=True)

    def note_look(self, moment: str, time: str) -> None:
        """Note when the dataset was looked at and found to be what was registered."""
        write_json(self.path / "looks.json", {"looks": [*self.looks(), (moment, time)][-_MOST_LOOKS:]})

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Return when the dataset was looked at and found unchanged, oldest first: (moment, time)."""
        noted = (read_json(self.path / "looks.json") or {}).get("looks")
        pairs = noted if isinstance(noted, list) else []
        return tuple((str(one[0]), str(one[1])) for one in pairs if isinstance(one, list) and len(one) == 2)

    def forget_unverified(self) -> None:
        """Take back all that models made since the dataset was last looked at."""
        for ref in self.unverified():
            self.model(ref).forget("infer", "evaluate", "outcome")
        self.note_verified()

    def is_finished(self) -> bool:
        """Tell whether all that was asked came to an outcome, and the dataset was looked at again."""
        wish = self.wish()
        return not (wish is not None and wish.open) and not self.unverified()

    def note_command(self, **fields: Any) -> None:
        """Note what is known of the command that works, or last worked, on this run; given fields replace others."""
        with keeping(self.path):
            private_folder(self.path)
        write_json(self.path / "command.json", self.command() | fields)

    def command(self) -> dict[str, Any]:
        """Return what is known of the last command: when it began and ended, its process, its error; else nothing."""
        return read_json(self.path / "command.json") or {}

    @property
    def output(self) -> Path:
        """Where a detached command's own words go."""
        return self.path / "output.log"

    @property
    def _awaiting(self) -> Path:
        return self.path / "unverified"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold this run for writing; Refused while another process does."""
        with ExitStack() as stack:
            try:
                lock = stack.enter_context(_soon_locked(self.path / "lock"))
            except BlockingIOError as error:
                raise self._under_way() from error
            with keeping(self.path):
                os.ftruncate(lock, 0)
                os.pwrite(lock, process_token(os.getpid()).encode(), 0)
            yield

    def is_running(self) -> bool:
        """Tell whether a process holds this run."""
        if not self.path.is_dir():
            return False
        try:
            with locked(self.path / "lock"):
                return False
        except BlockingIOError:
            return True

    def holder(self) -> int | None:
        """Return the process that holds this run; None when none does, or none of this machine that still lives."""
        if not self.is_running():
            return None
        token = (self.path / "lock").read_text().strip()
        pid = token.partition("@")[0]
        # The number alone may have come to belong to another process since it was noted.
        if not pid.isdigit() or process_token(int(pid)) != token:
            return None
        return int(pid) if kernel_names(self.path / "lock", int(pid)) else None

    def refuse_running(self) -> None:
        """Raise Refused while a process holds this run."""
        if self.is_running():
            raise self._under_way()

    def _under_way(self) -> Refused:
        pid = self.holder()
        who = f"process {pid} holds it" if pid else "a process that this machine does not show holds it"
        return Refused(
            f"run {self.run_id} is under way in another process",
            hint=f"{who}; watch it: medperf-git runs show {self.run_id}; stop it: medperf-git runs stop {self.run_id}",
        )


@dataclass(frozen=True, slots=True)
class RunStore:
    """All runs of this site, below one private folder."""

    root: Path

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of a run, which may not exist yet."""
        return RunFolder(self.root / run_id)

    def runs(self) -> tuple[RunFolder, ...]:
        """Return all runs, the latest first."""
        if not self.root.is_dir():
            return ()
        found = [path for path in self.root.iterdir() if path.name[0] != "." and (path / "plan.json").is_file()]
        return tuple(RunFolder(path) for path in sorted(found, key=lambda path: -(path / "plan.json").stat().st_mtime))

    @contextmanager
    def held(self, plan: RunPlan) -> Iterator[RunFolder]:
        """Hold a run for writing; Refused while another process does."""
        folder = self.run(plan.run_id)
        with keeping(folder.path):
            private_folder(self.root)
            private_folder(folder.path)
        with folder.held():
            folder.write_plan(plan)
            yield folder

    def remove(self, run_id: str) -> None:
        """Remove a run and all it kept; Refused while it is under way."""
        folder = self.run(run_id)
        if not folder.path.is_dir():
            return
        with folder.held():
            # Out of the way in one step: what a crash leaves of it is no run any more.
            gone = self.root / f".removed-{run_id}-{secrets.token_hex(4)}"
            folder.path.rename(gone)
        remove_tree(gone)

    def remove_leftovers(self) -> None:
        """Remove what a crash left of runs that were being removed."""
        for path in self.root.glob(".removed-*") if self.root.is_dir() else ():
            remove_tree(path)


@contextmanager
def _soon_locked(path: Path) -> Iterator[int]:
    """Hold a lock, which somebody who only looks whether it is held may have for a moment."""
    with ExitStack() as stack:
        for pause in _PAUSES:
            try:
                lock = stack.enter_context(locked(path))
                break
            except BlockingIOError:
                time.sleep(pause)
        else:
            lock = stack.enter_context(locked(path))
        yield lock


def _count(noted: Mapping[str, Any], key: str) -> int:
    number = noted.get(key)
    return number if isinstance(number, int) else 0


def _check_plan(plan: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError unless a plan names what it is about."""
    models = (one["model"] for one in plan.get("models", ()))
    for reference in (plan["benchmark"], plan["dataset"], *models):
        Ref.parse(reference["ref"])


def _ref_of(folder: Path) -> Ref | None:
    try:
        return Ref.from_folder(folder.name) if folder.is_dir() else None
    except ValueError:
        return None


def outputs_match(path: Path, files: tuple[TakenFile, ...]) -> bool:
    """Tell whether a file, or the files of a folder, are those that were noted: all of them, none besides."""
    if path.is_symlink():
        return False
    if path.is_file():
        return len(files) == 1 and hashed_file(path) == (files[0].size, files[0].digest)
    if not path.is_dir():
        return False
    entries = [entry for entry in path.rglob("*") if entry.is_symlink() or not entry.is_dir()]
    if any(entry.is_symlink() or not entry.is_file() for entry in entries):
        return False
    found = {entry.relative_to(path).as_posix(): entry for entry in entries}
    if set(found) != {file.path for file in files}:
        return False
    return all(hashed_file(found[file.path]) == (file.size, file.digest) for file in files)


def plain_mark(mark: Mark) -> dict[str, Any]:
    """Return a mark as values that JSON can hold."""
    value = {name: getattr(mark, name) for name in mark.__slots__}
    return value | {"files": [[file.path, file.size, file.digest] for file in mark.files]}


def _mark_from(value: dict[str, Any]) -> Mark | None:
    try:
        files = tuple(TakenFile(path, size, Digest(digest)) for path, size, digest in value["files"])
        return Mark(**(value | {"files": files}))
    except (KeyError, TypeError, ValueError):
        return None


def _sync_files(path: Path, files: tuple[TakenFile, ...]) -> None:
    # Only few: a large set of predictions that a power cut takes away is seen by its digests, and made again.
    if path.is_file():
        _sync(path)
    elif len(files) <= 64:
        for file in files:
            _sync(path / file.path)
        sync_folder(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
