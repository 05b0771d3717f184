"""What the runner adds to the containers it runs, beside `docker run` of the same containers under the same flags.

python benchmarks/runner.py                                     # 41 models, every table
python benchmarks/runner.py --sizes 8 --rounds 3 --tables step models

step    one infer and one evaluate container, both with all that is noted of them, a long one, one that writes much
models  every model of a benchmark in one command, one at a time and two at a time; memory of the client over it
start   until the first container starts; `run --dry-run`; `runs ls` of 50 runs of so many models

Wall time counts here: the engine works in a process of its own. On a busy machine look at the ratio of the fastest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import bare
from benchmarks.measure import Run, Table, inside, ours
from benchmarks.site import PREDICT, SCORE, Site, cube, hospital, image
from medperf_git.flows.running import folders_of
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.runner.engine import Limits, Profile, StepResult, StepSpec
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.engines.sandbox import container_body
from medperf_git.runner.execute import execute
from medperf_git.runner.owners import labels_of_this_client
from medperf_git.runner.plan import PinnedCube, TaskPlan, plan_task
from medperf_git.runner.store import RunStore
from medperf_git.runner.tasks import Bench, run_task

MODELS = 41
STEP_TARGET, MODELS_TARGET, GROWTH = 1.10, 1.15, 8 * 2**20
MANY_RUNS = 50
LONG = "sleep 5 && " + PREDICT
MUCH_TITLE, KEPT = "infer, 200 MB of output", "docker run --rm, cp -r, sha256sum"
MUCH = "for i in 1 2 3 4; do dd if=/dev/zero bs=1M count=50 2>/dev/null | tr '\\0' x > /out/output_path/$i; done"


@dataclass
class Verdicts:
    """Lines of the last table: what, measured, asked for."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, got: float, most: float, *, unit: str = "×", beside: str = "") -> None:
        """Add one figure and the most that it may be."""
        verdict = "holds" if got <= most else "OVER"
        self.lines.append((what, f"{got:.2f} {unit}{beside}", f"{most:.2f} {unit}", verdict))

    def note(self, what: str, got: str) -> None:
        """Add a figure of which nothing is asked."""
        self.lines.append((what, got, "", ""))

    def show(self) -> None:
        """Print the table."""
        wide = [max(len(line[column]) for line in self.lines) for column in range(4)]
        print("\nmeasured against what must hold")
        for line in self.lines:
            print("  ".join(f"{word:{width}}" for word, width in zip(line, wide, strict=True)).rstrip())


class Copying:
    """An engine that keeps the folders and the configuration of the last step it ran."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self.body: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Copy what the container sees, then run it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        binds = tuple(replace(bind, host=_copied(bind.host, self._folder / bind.key)) for bind in spec.binds)
        own = replace(spec, binds=binds, scratch=_copied(spec.scratch, self._folder / "tmp"))
        user = self._engine.user(spec.profile)
        self.body = container_body(own, user, image={}, labels=labels_of_this_client("bench"))
        return self._engine.run(spec, log=log, stop=stop)


def _copied(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


@dataclass(frozen=True)
class Workshop:
    """One bench in this process, and the folders of its steps."""

    site: Site
    bench: Bench
    folder: Path

    def step(self, plan: TaskPlan) -> Callable[[], Run]:
        """Return one step, as the runner runs it."""
        return lambda: inside(lambda: self._step(self.bench, plan))

    def configuration(self, plan: TaskPlan) -> dict[str, Any]:
        """Return the configuration of a step's container, with folders that stay."""
        assert isinstance(self.bench.engine, DockerEngine)
        keeping = Copying(self.bench.engine, self.folder / "bare" / digest_of(repr(plan).encode())[-8:])
        self._step(replace(self.bench, engine=keeping), plan)
        return keeping.body

    def whole(self) -> Run:
        """Run a plan of one model from the beginning: locks, data verified twice, both steps, marks, outcome."""
        root = self.folder / "runs"
        shutil.rmtree(root, ignore_errors=True)
        return inside(lambda: self._whole(root))

    def _whole(self, root: Path) -> None:
        (outcome,) = execute(
            self.site.plan(), folders_of(self.site.prepared), bench=self.bench, store=RunStore(root),
            now=lambda: datetime.now(UTC), sandbox_cache=self.folder / "cache",
        )  # fmt: skip
        if outcome.outcome != "complete":
            raise SystemExit(f"{outcome.explanation}: {outcome.hint}")

    def _step(self, bench: Bench, plan: TaskPlan) -> None:
        roots, step = self.site.prepared.roots, self.folder / "step"
        inputs = {"data_path": roots["data"], "labels": roots["labels"], "predictions": self.folder / "predictions"}
        targets = {"output_path": step / "out"}
        (step / "log").mkdir(parents=True, exist_ok=True)
        run_task(bench, plan, inputs=inputs, targets=targets, log=step / "log" / "it.log", profile=Profile.STRICT)


@contextmanager
def workshop(site: Site) -> Iterator[Workshop]:
    """Open a bench in this process, with predictions for the metrics container to read."""
    engine, folder = DockerEngine.connect(), site.folder / "workshop"
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    (folder / "predictions" / "prediction.txt").write_text("1\n")
    limits = Limits.share_of(engine.info())
    try:
        yield Workshop(site, Bench(engine=engine, limits=limits, scratch=folder / "scratch", run_id="bench"), folder)
    finally:
        engine.close()


def measure_steps(site: Site, rounds: int, verdicts: Verdicts) -> None:
    """Compare single steps."""
    number = image(0)
    model, score = Ref("moa", "trivial", 1), Ref("dora", "score", 1)
    commands = {
        "infer, trivial": (plan_of(model, number, PREDICT.format("trivial")), rounds),
        "evaluate, trivial": (plan_of(score, number, SCORE, role="metrics"), rounds),
        "infer, 5 s": (plan_of(model, number, LONG.format("long")), max(1, rounds // 3)),
        MUCH_TITLE: (plan_of(model, number, MUCH), max(1, rounds // 3)),
    }
    with workshop(site) as shop:
        for title, (plan, times) in commands.items():
            body = shop.configuration(plan)
            table = Table(title, times)
            table.rows |= {
                "docker run --rm": lambda body=body: bare.by_command(body),
                "create, attach, start, wait, remove": lambda body=body: bare.by_interface(body),
                "a step of ours": shop.step(plan),
            }
            if title == MUCH_TITLE:
                table.rows[KEPT] = lambda body=body: bare.with_outputs_kept(body, shop.folder / "kept")
            table.run()
            _compare(verdicts, table, title, "a step of ours", "docker run --rm", STEP_TARGET)
            if title == MUCH_TITLE:
                _compare(verdicts, table, f"the same beside {KEPT}", "a step of ours", KEPT, STEP_TARGET)
        bodies = [shop.configuration(plan) for plan, _ in list(commands.values())[:2]]
        table = Table("one model, whole", rounds)
        table.rows |= {
            "docker run --rm, twice": lambda: bare.many_by_command(bodies, 1),
            "infer, evaluate, notes, data looked at": shop.whole,
        }
        table.run()
        _compare(
            verdicts, table, "one model, whole", "infer, evaluate, notes, data looked at", "docker run --rm, twice",
            MODELS_TARGET,
        )  # fmt: skip


def plan_of(ref: Ref, image_id: str, command: str, *, role: str = "model") -> TaskPlan:
    """Return the task of a container that runs one line of shell."""
    record = cube(ref, image_id, command=command, role=role)
    return plan_task(PinnedCube(record, digest_of(repr(record).encode())), next(iter(record.tasks)))


def measure_models(site: Site, rounds: int, verdicts: Verdicts) -> None:
    """Compare a command that runs every model with the bare runs of all its containers."""
    number = len(site.models)
    with workshop(site) as shop:
        infers = [plan_task(model, "infer") for model in site.models]
        evaluate = shop.configuration(plan_task(site.metrics, "evaluate"))
        bodies = [body for infer in infers for body in (shop.configuration(infer), evaluate)]
        for parallel in (1, 2):
            memory: list[list[int]] = []
            table = Table(f"{number} models, {parallel} at a time", rounds)
            table.rows |= {
                f"{2 * number} times docker run --rm": lambda: bare.many_by_command(bodies, parallel),  # noqa: B023
                "medperf-git run": lambda: run_all(site, parallel, memory),  # noqa: B023
            }
            medians = table.run()
            name, peer = "medperf-git run", f"{2 * number} times docker run --rm"
            each = [1000 * medians[one].wall / number for one in (name, peer)]
            print(f"  one model: {each[0]:.0f} ms ours, {each[1]:.0f} ms bare")
            last = memory[-1]
            print("  resident memory after 1, then after every tenth model: " + _megabytes([last[0], *last[9::10]]))
            _compare(verdicts, table, f"{number} models, {parallel} at a time", name, peer, MODELS_TARGET)
            # The first models pay for what is loaded once; from the second on it must stay.
            grown = (last[-1] - last[min(4, len(last) - 1)]) / 2**20
            verdicts.add(f"memory gained from model 5 to {number}", grown, GROWTH / 2**20, unit="MiB")


def run_all(site: Site, parallel: int, memory: list[list[int]]) -> Run:
    """Run every model by one command; note its resident memory after each."""
    site.forget_runs()
    after: list[int] = []
    before, start = os.times(), time.perf_counter()
    words = site.words("--max-parallel", str(parallel))
    with subprocess.Popen(
        words, env=site.environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stderr is not None
        said = []
        for line in command.stderr:
            said.append(line)
            if line.rstrip().endswith(": complete"):
                after.append(_resident(command.pid))
        code = command.wait()
    wall, ended = time.perf_counter() - start, os.times()
    if code or len(after) != len(site.models):
        raise SystemExit(f"the run ended with {code}:\n{''.join(said)}")
    memory.append(after)
    cpu = ended.children_user + ended.children_system - before.children_user - before.children_system
    return Run(wall, cpu, max(after))


def measure_start(site: Site, rounds: int, verdicts: Verdicts) -> None:
    """Time what comes before the first container, and what only looks."""
    number = len(site.models)
    many = _with_many_runs(site)
    first, listed = "run, until its first model starts", f"runs ls, {MANY_RUNS} runs"
    table = Table(f"{number} models: before and around", rounds)
    table.add("python -c pass", [sys.executable, "-I", "-c", "pass"])
    table.add("--help", ours("--help"), environ=site.environ)
    table.rows[first] = lambda: until_first(site)
    table.add("run --dry-run", site.words("--dry-run"), environ=site.environ)
    table.add(listed, ours("runs", "ls"), environ=many)
    medians = table.run()
    bare_python = medians["python -c pass"].cpu
    of_processor = " of processor time"
    verdicts.add("--help over bare Python", medians["--help"].cpu - bare_python, 0.06, unit="s", beside=of_processor)
    verdicts.add(listed, medians[listed].cpu, 0.25, unit="s", beside=of_processor)
    for name in (first, "run --dry-run"):
        verdicts.note(name, f"{medians[name].cpu:.2f} s{of_processor}")


def until_first(site: Site) -> Run:
    """Run a command until it tells that its first model starts, then stop it."""
    site.forget_runs()
    start = time.perf_counter()
    with subprocess.Popen(
        site.words(), env=site.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as command:
        assert command.stderr is not None
        for line in command.stderr:
            if line.endswith(": infer …\n"):
                break
        wall, used = time.perf_counter() - start, _processor_time(command.pid)
        command.terminate()
        command.stderr.read()
    return Run(wall, used, 0)


def _with_many_runs(site: Site) -> dict[str, str]:
    """Return the environment of a home in which that many runs of every model have ended."""
    run_all(site, 2, [])
    home = site.folder / "many"
    (one,) = (path for path in (site.home / "runs").iterdir() if path.is_dir())
    for place in range(MANY_RUNS):
        _copied(one, _made(home / "runs") / f"{place:016x}")
    return site.environ | {"MEDPERF_GIT_HOME": str(home)}


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _compare(verdicts: Verdicts, table: Table, what: str, name: str, peer: str, most: float) -> None:
    median, fastest = table.ratios(name, peer)
    verdicts.add(what, median, most, beside=f" (by the fastest {fastest:.2f})")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _megabytes(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size / 2**20:.1f}" for size in sizes) + " MiB"


TABLES = {"step": measure_steps, "models": measure_models, "start": measure_start}


def main(*, sizes: Sequence[int] = (MODELS,), rounds: int = 5) -> int:
    """Run the tables for each number of models, then say what holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(sizes), help="how many models")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    wanted = parser.parse_args()
    verdicts = Verdicts()
    for size in wanted.sizes:
        with hospital(size) as site:
            for name in wanted.tables:
                TABLES[name](site, wanted.rounds, verdicts)
    verdicts.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
