"""Play a SIMULATED challenge of the size of FeTS 2022: 41 models at 32 sites, through the real commands.

    python play.py --out fets-out                        all of it, with the engine of plain processes
    python play.py --out fets-out --engine docker        all of it, in containers (build.sh makes the images)
    python play.py --out fets-out --sites 5 --models 6   a small one

Every member has a folder and keys of its own; all they share is a bare repository. What was finished is not done again:
the same command goes on after an interruption. At the end it says what took how long, and how large everything is.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import make_benchmark
import make_data
from challenge import BENCHMARK, COMMITTEE, DATASET, IMPATIENT, MAINTAINER, SITES, SLOW, Model, Site, models
from warm import Ended, spawn

HERE = Path(__file__).resolve().parent
PROGRAM = Path(sys.executable).with_name("medperf-git")
IMAGES = {"preparator": "data-preparator", "metrics": "metrics"}
WIDTH = 100


class Failed(Exception):
    """A command that ended otherwise than it should; its text says all."""


@dataclass
class Play:
    """Where it plays and with what; every command that ended well is noted, and not run again."""

    out: Path
    engine: str
    workers: int
    sites: tuple[Site, ...]
    models: tuple[Model, ...]
    spawn: Callable[[list[str], dict[str, str], Path], Ended] = spawn
    commands: list[dict[str, object]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    chapter: str = ""

    def __post_init__(self) -> None:
        """Read what an earlier call has done."""
        self.notes.parent.mkdir(parents=True, exist_ok=True)
        if self.notes.exists():
            self.commands = [json.loads(line) for line in self.notes.read_text(encoding="utf-8").splitlines()]

    @property
    def notes(self) -> Path:
        """One line for each command that ended well."""
        return self.out / "commands.jsonl"

    @property
    def registry(self) -> Path:
        """The bare repository that everybody shares."""
        return self.out / "registry.git"

    @property
    def engine_words(self) -> tuple[str, ...]:
        """The options by which a command runs containers."""
        return ("--engine", self.engine, *(("--profile", "compat") if self.engine == "process" else ()))

    def is_done(self, key: str) -> bool:
        """Tell whether a command has ended well before."""
        with self.lock:
            return any(one["key"] == key for one in self.commands)

    def run(
        self, person: str, *words: str | Path, codes: tuple[int, ...] = (0,), tag: str = "", again: bool = False
    ) -> str:
        """Let a person run a command, and return what it printed; empty when it had been run before.

        `tag` tells it from the same command at another time; `again` runs it in any case.
        """
        arguments = [str(word) for word in words]
        key = _key(person, (*arguments, tag))
        if not again and self.is_done(key):
            return ""
        started = time.monotonic()
        ended = self.spawn(arguments, self._environment(person), self.out)
        if ended.code not in codes:
            raise Failed(f"{person}: medperf-git {' '.join(arguments)} ended with {ended.code}\n{ended.said}")
        self._note(person, arguments, time.monotonic() - started, ended, key="" if again else key)
        return ended.said

    def side_by_side(self, tell: Callable[[Site], None], sites: Iterable[Site]) -> None:
        """Let several sites work at one time, as they would."""
        with ThreadPoolExecutor(self.workers) as pool:
            for _ in pool.map(tell, sites):
                pass

    def merge_what_waits(self) -> None:
        """Let the maintainer merge what passes and lost a race with others; most is merged as it is sent."""
        heads = self.git("for-each-ref", "refs/heads/submit")
        if heads:
            self.run(MAINTAINER, "merge", tag=heads)

    def git(self, *words: str) -> str:
        """Ask Git about the shared repository."""
        command = ["git", "--git-dir", str(self.registry), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _environment(self, person: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_", "MEDPERF_"))}
        home = self.out / "people" / person
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return kept | {"MEDPERF_GIT_HOME": str(home / "state"), "HOME": str(home), "COLUMNS": str(WIDTH)}

    def _note(self, person: str, words: list[str], seconds: float, ended: Ended, *, key: str) -> None:
        entry = {
            "key": key,
            "chapter": self.chapter,
            "person": person,
            "command": " ".join(words[:2]),
            "seconds": round(seconds, 3),
            "cpu": round(ended.cpu, 3),
            "peak_mib": round(ended.peak_mib, 1),
        }
        with self.lock:
            self.commands.append(entry)
            with self.notes.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def _key(person: str, words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join((person, *words)).encode()).hexdigest()[:16]


def open_registry(play: Play) -> None:
    """A consortium makes the registry, and everybody joins."""
    title = "A simulated challenge of the size of FeTS 2022"
    if not play.registry.exists():
        play.run(
            MAINTAINER, "init", play.registry, "--name", "fets-scale", "--title", title, "--as", MAINTAINER, "--yes"
        )

    def tell(site: Site) -> None:
        join = ("join", play.registry, "--as", site.name, "--title", site.title, "--country", site.country, "--yes")
        play.run(site.name, *join)

    play.side_by_side(tell, play.sites)
    for name in (COMMITTEE, *_teams(play)):
        title = f"{name.replace('-', ' ').capitalize()} (made up)"
        play.run(name, "join", play.registry, "--as", name, "--title", title, "--yes")
    for name in (COMMITTEE, *_teams(play), *(site.name for site in play.sites)):
        play.run(MAINTAINER, "admit", name, "--yes")


def _teams(play: Play) -> list[str]:
    return sorted({model.owner for model in play.models} - {COMMITTEE})


def open_benchmark(play: Play) -> None:
    """The committee registers its containers, tests them and opens the benchmark; the maintainer signs the new name."""
    make_data.write_all(play.out / "raw", play.sites)
    for name, role in IMAGES.items():
        titles = {"preparator": "Checks nested balls", "metrics": "Dice and HD95 of balls"}
        _import_cube(play, COMMITTEE, name, folder=name, role=role, title=f"{titles[name]} (simulated challenge)")
        play.run(COMMITTEE, "cube", "submit", name, "--yes")
    reference = play.models[0]
    _import_model(play, reference)
    play.run(COMMITTEE, "cube", "submit", reference.name, "--yes")
    declared = play.out / "declared.yaml"
    declared.write_text(
        "\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in make_benchmark.declared().items()) + "\n"
    )
    demo = play.out / "raw" / "demo_data.tar.gz"
    play.run(
        COMMITTEE, "benchmark", "new", "--name", "tumours", "--data-preparator", "preparator", "--reference-model",
        reference.name, "--metrics", "metrics", "--demo-data", demo, "--demo-url", demo, "--science", declared,
        "--out", "benchmark.yaml",
    )  # fmt: skip
    play.run(COMMITTEE, "benchmark", "test", "benchmark.yaml", *play.engine_words)
    play.run(COMMITTEE, "benchmark", "submit", "benchmark.yaml", "--committee", COMMITTEE, "--min-cases", "5", "--yes")
    play.run(MAINTAINER, "sign", BENCHMARK, "--yes")


def join_models(play: Play) -> None:
    """Every team tests its models on the demo data, registers them and asks to take part; the committee decides."""

    def tell(team: str) -> None:
        for model in play.models[1:]:
            if model.owner == team:
                _import_model(play, model)
                play.run(team, "cube", "test", model.name, "--benchmark", BENCHMARK, *play.engine_words)
                play.run(team, "cube", "submit", model.name, "--request", BENCHMARK, "--yes")

    with ThreadPoolExecutor(play.workers) as pool:
        for _ in pool.map(tell, _teams(play)):
            pass
    play.merge_what_waits()
    play.run(COMMITTEE, "approve", "--all", "--benchmark", BENCHMARK, "--yes", tag="models")


def _import_cube(
    play: Play, owner: str, name: str, *, folder: str, role: str, title: str, more: tuple[str | Path, ...] = ()
) -> None:
    config = HERE / folder / "container_config.yaml"
    words = ("cube", "import", config, "--role", role, "--name", name, "--title", title, *more)
    play.run(owner, *words, "--image-from-engine", "--engine", play.engine)


def _import_model(play: Play, model: Model) -> None:
    parameters = play.out / "parameters" / f"{model.name}.yaml"
    parameters.parent.mkdir(exist_ok=True)
    parameters.write_text(model.text, encoding="utf-8")
    more = ("--parameters", parameters)
    _import_cube(play, model.owner, model.name, folder="model", role="model", title=model.title, more=more)


def register_sites(play: Play) -> None:
    """Every site prepares its data and registers a description of it, no data; the committee approves."""

    def tell(site: Site) -> None:
        raw = play.out / "raw" / site.name
        play.run(
            site.name, "dataset", "prepare", "--benchmark", BENCHMARK, "--data", raw, "--labels", raw, "--name",
            DATASET, "--title", f"Simulated tumours of {site.name}", "--country", site.country, "--description",
            "SIMULATED: tumours are nested balls made by a program; there is no patient behind them.",
            *play.engine_words,
        )  # fmt: skip
        play.run(site.name, "dataset", "submit", DATASET, "--request", BENCHMARK, "--yes", *play.engine_words)

    play.side_by_side(tell, play.sites)
    play.merge_what_waits()
    play.run(COMMITTEE, "approve", "--all", "--benchmark", BENCHMARK, "--yes", tag="sites")


def evaluate(play: Play) -> None:
    """Every site runs the models, reviews what would leave, and submits it."""
    slow = next((model for model in play.models if model.name == SLOW), None)

    def tell(site: Site) -> None:
        if site.impatient and slow:
            _run(play, site, "--model", f"{slow.owner}/{slow.name}", "--timeout", IMPATIENT, codes=(4,))
            if site.again:
                _run(play, site, "--model", f"{slow.owner}/{slow.name}", "--timeout", "1m")
        chosen = [f"{model.owner}/{model.name}" for model in play.models[: len(play.models) - site.left]]
        _run(play, site, *(word for ref in chosen for word in ("--model", ref)) if site.left else ())

    play.side_by_side(tell, play.sites)
    play.merge_what_waits()


def _run(play: Play, site: Site, *words: str, codes: tuple[int, ...] = (0,)) -> None:
    """Run, review and submit; the words of all three tell this run from the site's others."""
    play.run(site.name, "run", BENCHMARK, "--dataset", DATASET, *play.engine_words, *words, codes=codes)
    mark = hashlib.sha256(" ".join(words).encode()).hexdigest()[:8]
    play.run(site.name, "review", tag=mark)
    play.run(site.name, "result", "submit", "--yes", tag=mark)


def compare(play: Play) -> None:
    """Every site publishes how the models compare on its cases, by each of the six region-metrics."""

    def tell(site: Site) -> None:
        play.run(site.name, "compare", BENCHMARK, "--dataset", DATASET, "--yes")

    play.side_by_side(tell, play.sites)
    play.merge_what_waits()


def show(play: Play) -> None:
    """A reader who is no member judges the whole history and builds the site."""
    play.run("reader", "registry", "add", play.registry)
    head = play.git("rev-parse", "main")
    play.run("reader", "audit", tag=head)
    play.run("reader", "leaderboard", "build", "--out", play.out / "site", tag=head)


CHAPTERS = (open_registry, open_benchmark, join_models, register_sites, evaluate, compare, show)


def play_all(play: Play) -> None:
    """Play the chapters, and say what each took."""
    times = play.out / "chapters.json"
    spent = json.loads(times.read_text()) if times.exists() else {}
    for chapter in CHAPTERS:
        play.chapter = chapter.__name__
        started = time.monotonic()
        print(f"— {chapter.__doc__}", flush=True)
        try:
            chapter(play)
        finally:
            spent[play.chapter] = round(spent.get(play.chapter, 0) + time.monotonic() - started, 1)
            times.write_text(json.dumps(spent, indent=1) + "\n")
        print(f"  {spent[play.chapter]:8.1f} s", flush=True)


def figures(play: Play) -> dict[str, object]:
    """Return what is to be told: times, memory, sizes."""
    spent = json.loads((play.out / "chapters.json").read_text())
    results = json.loads(play.run("reader", "result", "ls", "--json", again=True))
    states = [str(row["outcome"]) for row in results]
    total = sum(spent.values())
    subprocess.run(["git", "--git-dir", play.registry, "gc", "-q"], check=True)
    bundle = play.out / "registry.bundle"
    subprocess.run(["git", "--git-dir", play.registry, "bundle", "create", "-q", bundle, "main"], check=True)
    peaks: dict[str, float] = {}
    for one in play.commands:
        name = _plain(str(one["command"]))
        peaks[name] = max(peaks.get(name, 0.0), float(str(one["peak_mib"])))
    return {
        "simulated": "every value; the commands, signatures, judgements and merges are real",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {_linux()}, Python {platform.python_version()}",
        "version": subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip(),
        "engine": play.engine,
        "models": len(play.models),
        "sites": len(play.sites),
        "cases": sum(site.cases for site in play.sites),
        "results": {"all": len(results), **{state: states.count(state) for state in sorted(set(states))}},
        "seconds": spent | {"all": round(total, 1)},
        "load": [round(one, 1) for one in os.getloadavg()],
        "seconds_a_result": {
            "all": round(total / len(results), 3),
            "evaluate": round(spent["evaluate"] / len(results), 3),
        },
        "cpu_seconds": round(sum(float(str(one["cpu"])) for one in play.commands), 1),
        "peak_mib_by_command": {name: peak for name, peak in sorted(peaks.items()) if peak},
        "registry_bytes": _size(play.registry),
        "bundle_bytes": bundle.stat().st_size,
        "site_bytes": _size(play.out / "site"),
        "site_files": sum(path.is_file() for path in (play.out / "site").rglob("*")),
    }


def _linux() -> str:
    """Return the version of the kernel, without what tells one machine from another."""
    return "Linux " + ".".join(platform.release().split(".")[:2])


def _plain(command: str) -> str:
    """Return the words of a command without what it is about."""
    first = command.partition(" ")[0]
    return command if first in ("benchmark", "cube", "dataset", "leaderboard", "registry", "result") else first


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Play, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "fets-out", help="where to play")
    parser.add_argument("--sites", type=int, default=len(SITES), help="only so many sites")
    parser.add_argument("--models", type=int, default=41, help="only so many models")
    parser.add_argument("--engine", default="process", choices=["process", "docker", "podman"])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="sites that work at one time")
    parser.add_argument("--keep", type=Path, help="copy the figures and the registry's bundle to this folder")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    play = Play(out, arguments.engine, arguments.workers, SITES[: arguments.sites], models(arguments.models))
    try:
        play_all(play)
    except Failed as failed:
        sys.exit(str(failed))
    found = figures(play)
    (out / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        for name in ("figures.json", "registry.bundle"):
            shutil.copyfile(out / name, arguments.keep / name)


if __name__ == "__main__":
    main()
