"""What must hold after a fault: sentences of what does not."""

import hashlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.records.names import Ref
from medperf_git.runner.store import ModelState, RunFolder, outputs_match
from tests.faults.engine import containers_of
from tests.faults.world import Ended, World
from tests.support.people import git_environ

BRANCHES = 3  # where `state_of_registry` names the branches of proposals
DOCUMENTED = frozenset({0, 1, 2, 3, 4, 5, 130})
_OURS = (".json", ".yaml", ".yml")
_STRAY = re.compile(r"\.new-|\.partial$|^\.[\w.-]+\.\d+$|^tmp_|^\.tmp|\.tmp$")
_TIMES = frozenset({"attempt", "seconds", "peak_memory", "peak_disk", "started", "finished", "log", "created", "at"})


@dataclass(frozen=True, slots=True)
class Marks:
    """Which steps bear a mark that holds, by model: durable facts at the moment of a crash."""

    infer: frozenset[str]
    evaluate: frozenset[str]


def marks_of(world: World) -> Marks:
    """Return what is finished now."""
    done: dict[str, set[str]] = {"infer": set(), "evaluate": set()}
    for ref, state in _states(world):
        for step, path in (("infer", state.predictions), ("evaluate", state.results)):
            mark = state.mark("infer" if step == "infer" else "evaluate")
            if mark is not None and outputs_match(path, mark.files):
                done[step].add(ref.name)
    return Marks(frozenset(done["infer"]), frozenset(done["evaluate"]))


def faults_of_ending(ended: Ended) -> Iterator[str]:
    """Say what is wrong with how a command ended: a code that is documented, a sentence, never a traceback."""
    said = ended.out + ended.err
    if "it never ended" in ended.err:
        yield "it hung"
    elif ended.code == -9:
        return
    elif ended.code not in DOCUMENTED:
        yield f"it ended with {ended.code}"
    elif ended.code and ("error: " not in ended.err or "do now: " not in ended.err):
        yield f"it ended with {ended.code} and said neither what happened nor what to do"
    if "Traceback (most recent" in said or "Exception ignored" in said:
        yield "it showed a traceback"


def faults_of_repeating(first: list[str], second: list[str], marks: Marks) -> Iterator[str]:
    """Say which steps ran although they were finished, or twice in one command; the lists name cubes in order."""
    for when, started in (("the disturbed command", first), ("the next command", second)):
        twice = [what for what, times in Counter(started).items() if times > 1 and what not in ("score", "prepare")]
        if twice:
            yield f"{when} ran {', '.join(twice)} more than once"
    if again := sorted(set(second) & marks.infer):
        yield f"finished inference was done again: {', '.join(again)}"
    models = {"base", "one", "two"}
    if second.count("score") > len(models - marks.evaluate):
        yield f"finished evaluation was done again: {second.count('score')} times after {sorted(marks.evaluate)}"


def faults_of_files(world: World, stray_before: frozenset[str]) -> Iterator[str]:
    """Say what is torn or left over below the home folder, and whether Git finds both repositories whole."""
    for path in _files(world.home):
        name = path.relative_to(world.home).as_posix()
        if path.suffix in _OURS and "repo.git" not in path.parts and not _is_whole(path):
            yield f"torn: {name}"
    if left := sorted(strays(world) - stray_before):
        yield f"left over: {', '.join(left[:5])}"
    scratch = world.home / "scratch"
    if scratch.is_dir() and (left := sorted(entry.name for entry in scratch.iterdir())):
        yield f"left over in scratch: {', '.join(left[:5])}"
    for repository in (world.town.repository, *world.home.glob("registries/*/repo.git")):
        done = subprocess.run(
            ["git", f"--git-dir={repository}", "fsck", "--strict", "--no-dangling", "--connectivity-only"],
            capture_output=True, text=True, check=False, env=git_environ(),
        )  # fmt: skip
        if done.returncode:
            yield f"git fsck of {repository.name}: {(done.stdout + done.stderr).strip()[:300]}"


def faults_at_engine(*clients: Ended, host: str = "") -> Iterator[str]:
    """Say which containers of clients that are gone are still there."""
    for client in clients:
        if left := containers_of(client.pid, host):
            yield f"a container is left: {', '.join(left)}"


def strays(world: World) -> frozenset[str]:
    """Return what lies in the home folder and looks like half of a write."""
    found = (path.relative_to(world.home) for path in _files(world.home))
    git = (path for path in found if _STRAY.search(path.name) or (path.suffix == ".lock" and "repo.git" in path.parts))
    return frozenset(path.as_posix() for path in git)


def age_strays(world: World) -> None:
    """Let what looks like half of a write be of yesterday: what is young may belong to a program that still runs."""
    yesterday = time.time() - 2 * 86400
    for name in strays(world):
        os.utime(world.home / name, (yesterday, yesterday))


def state_of_run(world: World) -> Any:
    """Return all that a run came to, without times and attempts."""
    models = {}
    for ref, state in _states(world):
        outcome = state.outcome() or {}
        kept = {key: value for key, value in outcome.items() if key not in _TIMES}
        models[str(ref)] = [kept, tree(state.predictions), tree(state.results)]
    runs = sorted((world.home / "runs").glob("*/plan.json"))
    return {"models": models, "unfinished": [path.parent.name for path in runs if not _folder(path).is_finished()]}


def attempts(world: World) -> list[int]:
    """Return how many attempts each model of each run took."""
    return [state.attempts() for _, state in _states(world)]


def state_of_datasets(world: World) -> Any:
    """Return every prepared dataset and its content."""
    found = []
    for file in sorted((world.home / "datasets").glob("[!.]*/dataset.json")):
        value = {key: value for key, value in _read(file).items() if key not in _TIMES}
        found.append([value, [tree(file.parent / role) for role in ("data", "labels")]])
    return sorted(found, key=str)


def state_of_registry(world: World) -> Any:
    """Return what is published: every record by path, times left out; proposals that lie open; my outbox."""
    town = world.town
    names = town.git("ls-tree", "-r", "--name-only", "main").splitlines()
    bundles = Counter(name.rpartition("/")[0] for name in names if name.endswith(".sigstore.json"))
    records = [name for name in names if not name.endswith(".sigstore.json")]
    results = {
        name: _without_times(town.git("show", f"main:{name}")) for name in records if name.startswith("results/")
    }
    branches = town.git("for-each-ref", "--format=%(refname)", "refs/heads/submit").splitlines()
    outbox = Counter(_read(file).get("state") for file in (world.home / "outbox").glob("*/*.json"))
    steps = town.git("rev-list", "--first-parent", "--count", "main")
    return [records, results, sorted(bundles.items()), branches, sorted(outbox.items()), steps]


def state_of_pin(world: World) -> Any:
    """Return up to where the clinic has verified the registry, and whether its copy holds that."""
    pins = [_read(path) for path in sorted(world.home.glob("registries/*/pin.json"))]
    return [pins, world.town.main]


def tree(path: Path) -> list[str]:
    """Return every file below a folder (or the file itself) with its digest."""
    if path.is_file():
        return [hashlib.sha256(path.read_bytes()).hexdigest()]
    files = sorted(_files(path))
    return [f"{one.relative_to(path)} {hashlib.sha256(one.read_bytes()).hexdigest()}" for one in files]


def _states(world: World) -> Iterator[tuple[Ref, ModelState]]:
    for plan in sorted((world.home / "runs").glob("*/plan.json")):
        run = _folder(plan)
        for ref in run.models():
            yield ref, run.model(ref)


def _folder(plan: Path) -> RunFolder:
    return RunFolder(plan.parent)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _is_whole(path: Path) -> bool:
    if not (data := path.read_bytes()).endswith(b"\n"):
        return False
    if path.suffix != ".json":
        return True
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_bytes())
    assert isinstance(value, dict), path
    return value


def _without_times(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.partition(":")[0].strip() not in _TIMES)
