"""A benchmark and a clinic on a real engine, kept at four moments to which one can go back in a tenth of a second.

ready   the dataset is registered and approved, nothing has run, another can be prepared
ran     all models have run and were reviewed, nothing was sent
moved   as `ready`, and the registry has gone on since the clinic looked
"""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from tests.faults.calls import TRACE, Point, was_injected
from tests.faults.engine import IMAGES, ROOT, build_images, image
from tests.support.clock import START
from tests.support.people import Human, Town

BENCHMARK = "ana/cells"
MODELS = ("base", "one", "two")
CASES = "abcdefghijkl"
SCIENCE = """\
title: Cells
description: Cells.
metrics:
- {id: dice, title: Dice, path: "/cases/*/dice", unit: 1, range: {min: 0, max: 1}, direction: higher, decimals: 3,
   undefined: missing, reduction: mean, sd: true}
ranking: {rule: mean-of-sites, version: 1, metrics: [dice], weights: equal, missing: exclude-site, seed: 1}
partial: false
"""
_RAW = {"data_path": "/input/data", "labels_path": "/input/labels"}
_TASKS: Mapping[str, Mapping[str, tuple[str, Mapping[str, str], Mapping[str, str]]]] = {
    "data-preparator": {
        "prepare": ("prepare", _RAW, {"output_path": "/output/data", "output_labels_path": "/output/labels"}),
        "sanity_check": ("sanity", _RAW, {}),
        "statistics": ("statistics", _RAW, {"output_path": "/output/statistics.yaml"}),
    },
    "model": {"infer": ("predict", {"data_path": "/input/data"}, {"output_path": "/output/predictions"})},
    "metrics": {
        "evaluate": (
            "score",
            {"predictions": "/input/predictions", "labels": "/input/labels"},
            {"output_path": "/output/results.yaml"},
        )
    },
}
_GIT = """\
#!/bin/sh
# Lets git itself meet a fault, where the client starts it; what the other side of a path starts is left alone.
here=$(dirname "$0")
[ "$PPID" = "$(cat "$here/victim")" ] || exec {git} "$@"
number=$(($(cat "$here/count") + 1))
echo $number >"$here/count"
[ {which} = 0 ] || [ $number = {which} ] || exec {git} "$@"
case " $* " in *" fetch "*) follow=-f ;; *) follow= ;; esac
exec strace -q -y $follow -o {log}.$number -e {trace} -e signal=none {injection} {git} "$@"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: code (negative: a signal), what it said, its process, whether the fault came."""

    code: int
    out: str
    err: str
    pid: int
    struck: bool = False

    def __str__(self) -> str:
        """Return all of it for a person."""
        return f"exit code {self.code}\n--- output\n{self.out[-1500:]}\n--- errors\n{self.err[-1500:]}"


@dataclass
class World:
    """One world below a folder of its own; everything in it has paths of that folder."""

    root: Path
    moments: dict[str, datetime] = field(default_factory=dict)
    host: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    @property
    def town(self) -> Town:
        """The people and the registry as they are now."""
        return Town(self.root / "town")

    @property
    def clock(self) -> datetime:
        """Return when the next command runs: two minutes after the last."""
        self.asked += 1
        return max(self.moments.values(), default=START) + timedelta(minutes=2 * self.asked)

    @property
    def clinic(self) -> Human:
        """The data owner."""
        return self.town.human("clinic")

    @property
    def home(self) -> Path:
        """The clinic's folder."""
        return self.root / "town" / "people" / "clinic" / "medperf-git"

    def kept_home(self, moment: str) -> Path:
        """Return the clinic's folder as it is kept."""
        return self.root / moment / self.home.relative_to(self.root / "town")

    @property
    def raw(self) -> tuple[str, ...]:
        """The options that name raw folders, other ones than those of the dataset that is registered."""
        return _options(self.root / "raw")

    def keep(self, moment: str, town: Town) -> None:
        """Keep everything as it is now under a name."""
        subprocess.run(["cp", "-a", town.folder, self.root / moment], check=True)
        self.moments[moment] = town.clock.moment

    def back_to(self, moment: str) -> None:
        """Let everything be as it was."""
        self.asked = 0
        if (self.root / "town").exists():
            subprocess.run(["rm", "-rf", self.root / "town"], check=True)
        subprocess.run(["cp", "-a", self.root / moment, self.root / "town"], check=True)

    def environ(self) -> dict[str, str]:
        """Return the environment of the clinic's programs."""
        plain = self.clinic.environ | {"PYTHONDONTWRITEBYTECODE": "1", **self.extra}
        return plain | ({"DOCKER_HOST": self.host} if self.host else {})

    def run(self, argv: Sequence[str], point: Point | None = None, *, log: Path | None = None, who: str = "") -> Ended:
        """Let the clinic run one command to its end; with a fault at `point`, or counting the calls of `who`."""
        process, place = self.start(argv, point, log=log, who=who)
        ended = ended_of(process)
        struck = point is not None and any(map(was_injected, place.parent.glob(f"{place.name}*")))
        return replace(ended, struck=struck)

    def run_until(self, argv: Sequence[str], seconds: float | None) -> Ended:
        """Let the clinic run a command, and kill it after so many seconds (None: never) unless it has ended."""
        process, _ = self.start(argv)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.returncode is None and seconds is not None:
            process.kill()
        return ended_of(process)

    def start(
        self, argv: Sequence[str], point: Point | None = None, *, log: Path | None = None, who: str = ""
    ) -> "tuple[subprocess.Popen[str], Path]":
        """Start one command, and say where strace writes."""
        who = point.who if point else who or "none"
        place = log or self.root / "trace"
        for old in place.parent.glob(f"{place.name}*"):
            old.unlink()
        injection = point.injection if point else ""
        environ = self.environ()
        if who.startswith("git"):
            environ["PATH"] = f"{self._git(who, place, injection)}:{environ['PATH']}"
        own = "none" if who.startswith("git") else who
        command = [sys.executable, "-m", "tests.faults.victim", own, str(place), injection, self.clock.isoformat()]
        process = subprocess.Popen(
            [*command, "--", *argv], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if who.startswith("git"):
            (self.root / "bin" / "victim").write_text(str(process.pid))
        return process, place

    def _git(self, who: str, log: Path, injection: str) -> Path:
        folder = self.root / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "victim").write_text("0")
        (folder / "count").write_text("0")
        words = f"-e '{injection}'" if injection else ""
        which = who.removeprefix("git") or "0"
        text = _GIT.format(git=shutil.which("git"), which=which, log=log, trace=f"'{TRACE}'", injection=words)
        (folder / "git").write_text(text)
        (folder / "git").chmod(0o755)
        return folder


def ended_of(process: "subprocess.Popen[str]") -> Ended:
    """Wait for the end of a command; one that hangs is killed, and says so."""
    try:
        out, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += "\n[it never ended, and was killed]"
    return Ended(process.returncode, out, err, process.pid)


def build(root: Path, *, images: bool = True) -> World:
    """Build a world with a real engine."""
    root.mkdir(parents=True, exist_ok=True)
    if images:
        build_images()
    world = World(root)
    town = Town(root / "town")
    ana, clinic = town.found("ana"), town.join("clinic")
    for name in IMAGES[: 2 + len(MODELS)]:
        _add_cube(ana, root, name, {"prepare": "data-preparator", "score": "metrics"}.get(name, "model"))
    _raw(root)
    _benchmark(ana, root)
    for name in MODELS[1:]:
        ana.run("association", "request", BENCHMARK, "--model", name, "--yes")
    clinic.run("sync")
    words = ("dataset", "prepare", "--benchmark", BENCHMARK)
    clinic.run(*words, *_options(root / "demo"), "--name", "cohort", "--title", "Cohort", "--publish", "num_cases")
    clinic.run("dataset", "review", "cohort")
    clinic.run("dataset", "submit", "cohort", "--request", BENCHMARK, "--no-trial", "--yes")
    world.keep("ready", town)
    clinic.run("run", BENCHMARK, "--dataset", "cohort")
    clinic.run("review")
    world.keep("ran", town)
    world.back_to("ready")
    clinic.run(*words, *world.raw, "--name", "fresh", "--title", "Fresh")
    clinic.run("dataset", "review", "fresh")
    world.keep("fresh", town)
    world.back_to("ready")
    ana.run("sync")
    for name in MODELS[1:]:
        _add_cube(ana, root, f"more-{name}", "model", of=name)
        ana.run("association", "request", BENCHMARK, "--model", f"more-{name}", "--yes")
    world.keep("moved", town)
    return world


def _add_cube(owner: Human, folder: Path, name: str, role: str, *, of: str = "") -> None:
    tasks = {
        task: {
            "run_args": {"command": command},
            "input_volumes": _volumes(inputs),
            **({"output_volumes": _volumes(outputs)} if outputs else {}),
        }
        for task, (command, inputs, outputs) in _TASKS[role].items()
    }
    config = folder / f"{name}.json"
    config.write_text(json.dumps({"container_type": "DockerImage", "image": image(of or name), "tasks": tasks}))
    owner.run("cube", "import", config, "--role", role, "--name", name, "--image-from-engine")
    owner.run("cube", "submit", name, "--yes")


def _volumes(paths: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        key: {"mount_path": path, "type": "file" if path.endswith(".yaml") else "directory"}
        for key, path in paths.items()
    }


def _options(folder: Path) -> tuple[str, ...]:
    return ("--data", str(folder / "data"), "--labels", str(folder / "labels"))


def _raw(root: Path) -> None:
    for folder in ("demo", "raw"):
        for role in ("data", "labels"):
            (root / folder / role).mkdir(parents=True)
            for case in CASES:
                (root / folder / role / f"{case}.txt").write_text(f"{folder} {role} of {case}\n")
                (root / folder / role / f"{case}.txt").chmod(0o644)  # seen by the container's user
    with tarfile.open(root / "demo.tar.gz", "w:gz") as archive:
        archive.add(root / "demo", "raw")
    (root / "science.yaml").write_text(SCIENCE)


def _benchmark(ana: Human, root: Path) -> None:
    cubes = ("--data-preparator", "prepare", "--reference-model", "base", "--metrics", "score")
    demo = ("--demo-data", root / "demo.tar.gz", "--demo-url", root / "demo.tar.gz")
    written = root / "cells.yaml"
    ana.run("benchmark", "new", "--name", "cells", *cubes, *demo, "--science", root / "science.yaml", "--out", written)
    approve = ("--auto-approve-models", "always", "--auto-approve-datasets", "always")
    ana.run("benchmark", "submit", written, *approve, "--yes")
