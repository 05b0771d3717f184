"""The port to a container engine, and the values that pass through it.

A step is a value: the same step always gives the same container. An engine runs images by id only, keeps the
sandbox of its profile whatever the step says, and leaves no container behind.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from medperf_git.errors import EnvironmentProblem
from medperf_git.records.digests import Digest

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class ImageUnavailable(EnvironmentProblem):
    """An image cannot be had, while the engine itself is well."""


class NotStarted(EnvironmentProblem):
    """A container cannot be created or started as its record says, while the engine starts others."""


class GpusUnavailable(EnvironmentProblem):
    """The engine starts containers, but none with the GPUs that the data owner grants."""


class Profile(StrEnum):
    """How tightly a container is held; all but `strict` are the site's choice, and the result names it.

    `unlimited` is as closed as `strict`, on an engine that does not keep every cap (memory, processes, file size).
    `compat` has user 0, still without capabilities, and a writable root file system; it takes weaker caps as well.
    """

    STRICT = "strict"
    UNLIMITED = "unlimited"
    COMPAT = "compat"

    @property
    def is_closed(self) -> bool:
        """Whether the root file system is read-only and the user is not root."""
        return self is not Profile.COMPAT


class Cap(StrEnum):
    """A cap that our own watch keeps, named by what it counts."""

    TMP = "/tmp"  # noqa: S108  (a path inside the container)
    OUTPUT = "output"
    LAYER = "root"
    FILES = "files"


class Ended(StrEnum):
    """Why a container stopped."""

    EXITED = "exited"
    DEADLINE = "deadline"
    OOM = "oom"
    LOG_LIMIT = "log-limit"
    DISK_LIMIT = "disk-limit"
    KILLED = "killed"


class BindKind(StrEnum):
    """What lies at a bound path."""

    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Bind:
    """A host path and where the container sees it; `key` is the mount key of the task."""

    key: str
    host: Path
    inside: str
    read_only: bool
    kind: BindKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of one step: bytes, seconds, counts."""

    memory_bytes: int
    cpus: float
    wall_seconds: float = 24 * 3600
    shm_bytes: int = 64 * MIB
    pids: int = 1024
    open_files: int = 16384
    file_bytes: int = 64 * GIB
    log_bytes: int = 64 * MIB
    tmp_bytes: int = 20 * GIB
    volume_bytes: int = 256 * MIB
    output_bytes: int = 100 * GIB
    output_files: int = 500_000

    @classmethod
    def share_of(cls, info: "EngineInfo", max_parallel: int = 1, *, wall_seconds: float = 24 * 3600) -> "Limits":
        """Return the defaults: 80 % of the host's memory shared by `max_parallel` steps, all its cores."""
        memory = int(info.memory_bytes * 0.8 / max(1, max_parallel))
        return cls(memory_bytes=memory, cpus=float(info.cpus), wall_seconds=wall_seconds)

    def of_disk(self, size: int) -> "Limits":
        """Return the caps for a site that gives `/tmp`, the outputs and each volume so many bytes."""
        return replace(
            self, tmp_bytes=size, output_bytes=size, volume_bytes=size, file_bytes=max(self.file_bytes, size)
        )

    def within(self, room: int) -> "Limits":
        """Return the caps for a disk with so many free bytes: `/tmp`, outputs, and a copy of these must fit."""
        third = room // 3
        return replace(self, tmp_bytes=min(self.tmp_bytes, third), output_bytes=min(self.output_bytes, third))

    def shared_memory(self, asked: int) -> int:
        """Return the shared memory for a task that asked for so many bytes (0: nothing asked)."""
        return min(asked, self.memory_bytes // 4) if asked else min(self.shm_bytes, self.memory_bytes // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One container to run.

    `command` and `entrypoint` are None where the image's own are meant. `scratch` is an empty private folder of
    the host that becomes `/tmp`. `gpus` is what the data owner grants: "" for none, "all", or device numbers.
    """

    image_id: str
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    environment: tuple[tuple[str, str], ...]
    binds: tuple[Bind, ...]
    limits: Limits
    profile: Profile
    scratch: Path
    shm_bytes: int = 64 * MIB
    gpus: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step ended; `peak_memory` and `peak_disk` in bytes, None where they could not be measured.

    `broke` is the cap of the disk that it broke.
    """

    exit_code: int
    ended: Ended
    seconds: float
    peak_memory: int | None = None
    peak_disk: int | None = None
    broke: Cap | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the container ended by itself with exit code 0."""
        return self.ended is Ended.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine says of itself; `security` is all of it on which its sandbox rests, `root` where its files lie."""

    name: str
    version: str
    identity: str
    cpus: int
    memory_bytes: int
    platform: str
    rootless: bool = False
    root: Path | None = None
    security: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """Numbers of the user a container runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedImage:
    """An image as a cube record names it; `archive` is the fetched and verified file of an archive image."""

    type: str
    reference: str
    id: Digest
    platform: str
    manifest: Digest | None = None
    archive: Path | None = None


OnFetch: TypeAlias = Callable[[int, int], None]
"""Told (bytes here, bytes in all as far as known) while an image is fetched; many times a second."""


class Engine(Protocol):
    """What the runner needs of a container engine."""

    def info(self) -> EngineInfo:
        """Say what the engine is."""
        ...

    def user(self, profile: Profile) -> User:
        """Say which user a container of that profile runs as, in numbers of the host."""
        ...

    def has_image(self, wanted: WantedImage) -> bool:
        """Tell whether the image is here already."""
        ...

    def resolve_image(self, wanted: WantedImage, *, progress: OnFetch | None = None) -> str:
        """Return the id to run the image by, fetching or loading it; IntegrityBroken when it is another image."""
        ...

    def remove_image(self, image_id: str) -> bool:
        """Remove an image that this connection fetched or loaded; tell whether it was, others' images stay."""
        ...

    def brought_images(self) -> tuple[str, ...]:
        """Return the ids of the images that this connection fetched or loaded and has not removed."""
        ...

    def check_sandbox(self, profile: Profile, *, cache: Path | None = None) -> tuple[str, ...]:
        """Run a probe and raise Refused when a limit does not hold; return warnings."""
        ...

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Run one step to its end, its output streamed to `log`; Interrupted once `stop` is set.

        NotStarted, ImageUnavailable when the image is gone, GpusUnavailable when the engine cannot grant GPUs.
        """
        ...

    def reap(self) -> tuple[str, ...]:
        """Remove containers of this user whose client is gone; return their names."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
