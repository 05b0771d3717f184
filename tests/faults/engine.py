"""The engine as the fault program uses it: images, who started which container, what was left behind."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medperf_git.runner.owners import CLIENT, OWNER

ROOT = Path(__file__).parents[2]
BASE = "medperf-git/base:latest"
WHAT = "faults.what"
IMAGES = ("prepare", "score", "base", "one", "two", "three")


def docker(*words: str, text: str = "", host: str = "") -> str:
    """Run the docker command and return what it prints."""
    command = ["docker", *(["--host", host] if host else []), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def image(name: str) -> str:
    """Return how the image of a cube is called."""
    return f"medperf-git-faults/{name}:1"


def build_images() -> None:
    """Make one image for each cube, which bears its name as a label."""
    actor = Path(__file__).parent / "actor"
    for name in IMAGES:
        label = ("--label", f"{WHAT}={name}", "-t", image(name))
        docker("build", "-q", "--network", "none", "--build-arg", f"BASE={BASE}", *label, str(actor))


def containers_of(pid: int, host: str = "") -> list[str]:
    """Return the containers that a client has left at the engine, running or not."""
    words = ("ps", "-a", "--filter", f"label={OWNER}", "--format", '{{.ID}} {{.Label "' + CLIENT + '"}}')
    found = [line.partition(" ") for line in docker(*words, host=host).splitlines()]
    return [name for name, _, client in found if re.search(rf":{pid}@", client)]


@dataclass
class Starts:
    """Every start of one of our containers at an engine, as it happens: which client, which cube."""

    seen: list[tuple[int, str]] = field(default_factory=list)

    def of(self, pid: int, *, patience: float = 0.3) -> list[str]:
        """Return the cubes that a client started, in order; the engine's word may come a little late."""
        time.sleep(patience)
        return [what for client, what in self.seen if client == pid]

    def read(self, stream: Iterator[str]) -> None:
        """Take in what the engine says until it falls silent."""
        for line in stream:
            labels = json.loads(line)
            if found := re.search(r":(\d+)@", labels.get(CLIENT, "")):
                self.seen.append((int(found[1]), labels[WHAT]))


@contextmanager
def watched_starts(host: str = "") -> Iterator[Starts]:
    """Watch an engine while the block runs."""
    starts = Starts()
    words = ["docker", *(["--host", host] if host else []), "events", "--filter", "event=start"]
    words += ["--filter", f"label={WHAT}", "--format", "{{json .Actor.Attributes}}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=starts.read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            yield starts
        finally:
            process.terminate()
            reader.join(5)
