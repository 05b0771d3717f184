"""medperf-git with one engine more: `--engine process` runs this example's programs as plain processes, no container.

    python process_engine.py run …           any command of medperf-git, with that engine beside the others

It is here because 1 312 results are 2 624 containers, and their start would be nearly all that is measured. It keeps
the runner's port (`medperf_git.runner.engine.Engine`), runs the very programs that the Dockerfiles copy, and gives the
same results files: a test compares both. It has no sandbox, takes no profile but `compat`, and belongs to this example.
A result's engine must be one that the schema knows, so it says docker, and in its version that it was none.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from medperf_git.cli import boundary
from medperf_git.errors import Refused
from medperf_git.records.digests import Digest, digest_of
from medperf_git.runner import engines
from medperf_git.runner.engine import (
    EngineInfo,
    ImageUnavailable,
    OnFetch,
    Profile,
    StepResult,
    StepSpec,
    User,
    WantedImage,
)
from medperf_git.runner.supervise import follow

HERE = Path(__file__).resolve().parent
FOLDERS = ("preparator", "model", "metrics")
VERSION = "none: plain processes of examples/fets-scale, no container"
PYTHON = (sys.executable, "-I", "-S")  # as bare as the image's interpreter: no packages, no variables


def programs_of(folder: str) -> dict[str, bytes]:
    """Return what makes up an image of this example: its Dockerfile and its programs."""
    return {path.name: path.read_bytes() for path in sorted((HERE / folder).iterdir()) if path.suffix in ("", ".py")}


def identity_of(folder: str) -> Digest:
    """Return what stands for the image id: the SHA-256 over names and bytes of its files."""
    lines = [f"{name} {hashlib.sha256(data).hexdigest()}\n" for name, data in programs_of(folder).items()]
    return digest_of("".join(lines).encode())


def entrypoint_of(folder: str) -> tuple[str, ...]:
    """Return the ENTRYPOINT of an image's Dockerfile; empty where it has none."""
    lines = (HERE / folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = next((line.removeprefix("ENTRYPOINT ") for line in lines if line.startswith("ENTRYPOINT ")), "[]")
    return tuple(json.loads(words))


class Process:
    """A started program, as `follow` watches it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout

    def output(self) -> Iterator[bytes]:
        """Yield what it prints until it ends."""
        yield from iter(lambda: os.read(self._stdout.fileno(), 1 << 16), b"")

    def wait(self) -> int:
        """Return its exit code; a signal counts as a shell counts it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """Stop it at once; these programs start no others."""
        self._process.kill()

    def memory(self) -> int | None:
        """Return bytes of memory in use."""
        with contextlib.suppress(OSError, IndexError):
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return None

    def processes(self) -> tuple[int, ...]:
        """Return its number."""
        return (self._process.pid,)

    def layer_disk(self) -> Path | None:
        """Return None: it has no root file system of its own."""
        return None

    def layer_bytes(self) -> int | None:
        """Return None: it has no root file system of its own."""
        return None

    def close(self) -> None:
        """Let go of it, dead or alive."""
        if self._process.poll() is None:
            self.kill()
            self._process.wait()
        self._stdout.close()


class ProcessEngine:
    """The port of a container engine, without containers: for this example's three images alone."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {identity_of(folder): folder for folder in FOLDERS}

    def info(self) -> EngineInfo:
        """Say what it is."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        platform = f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, os.uname().machine) }"
        return EngineInfo(
            name="docker", version=VERSION, identity=f"processes below {HERE}", cpus=os.cpu_count() or 1,
            memory_bytes=memory, platform=platform,
        )  # fmt: skip

    def user(self, _profile: Profile) -> User:
        """Say who a program runs as: the caller."""
        return User(os.getuid(), os.getgid())

    def load_local(self, reference: str) -> WantedImage:
        """Describe one of the three images by its name."""
        folder = reference.removeprefix("medperf-git-fets/").partition(":")[0]
        if folder not in FOLDERS:
            raise Refused(f"{reference} is no image of this example", hint=f"there are: {', '.join(FOLDERS)}")
        return WantedImage(
            type="DockerImage", reference=reference, id=identity_of(folder), platform=self.info().platform
        )

    def has_image(self, wanted: WantedImage) -> bool:
        """Tell whether the programs here are those that the record names."""
        return wanted.id in self._folders

    def resolve_image(self, wanted: WantedImage, *, progress: OnFetch | None = None) -> str:  # noqa: ARG002  (of the port)
        """Return the id; ImageUnavailable when the programs here are others."""
        if not self.has_image(wanted):
            raise ImageUnavailable(
                f"{wanted.reference} is not what lies in this folder", hint="take the version of it that was registered"
            )
        return wanted.id

    def remove_image(self, _image_id: str) -> bool:
        """Remove nothing: nothing was brought."""
        return False

    def brought_images(self) -> tuple[str, ...]:
        """Return nothing: nothing was brought."""
        return ()

    def check_sandbox(self, profile: Profile, *, cache: Path | None = None) -> tuple[str, ...]:  # noqa: ARG002  (of the port)
        """Refuse every profile that promises a sandbox."""
        if profile is not Profile.COMPAT:
            raise Refused("plain processes are in no sandbox", hint="--profile compat, or --engine docker")
        return ("the programs of this example run as plain processes, in no sandbox",)

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Run one program to its end; it finds its mounts below the folder that CONTAINER_ROOT names."""
        folder = self._folders[spec.image_id]
        root = spec.scratch / "root"
        for bind in spec.binds:
            place = root / bind.inside.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(bind.host)
        entrypoint = entrypoint_of(folder) if spec.entrypoint is None else spec.entrypoint
        words = (*entrypoint, *(spec.command or ()))
        assert words[0] == "python3", words
        command = [*PYTHON, *(word.replace("/app/", f"{HERE / folder}/") for word in words[1:])]
        with contextlib.closing(Process(command, {"CONTAINER_ROOT": str(root)})) as process:
            seen = follow(process, spec, log=log, stop=stop)
        shutil.rmtree(root)
        return StepResult(
            exit_code=seen.exit_code, ended=seen.ended, seconds=seen.seconds, peak_memory=seen.peak_memory,
            peak_disk=seen.peak_disk, broke=seen.broke,
        )  # fmt: skip

    def reap(self) -> tuple[str, ...]:
        """Return nothing: a program ends with its client."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""


engines.ENGINES["process"] = lambda _mirrors: ProcessEngine()

if __name__ == "__main__":
    boundary.run()
