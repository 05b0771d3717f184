"""What a run would need, before anything is started: bytes to fetch, disk, GPU, memory, hours; and whether it fits.

What a record does not say, and no image registry tells, is called unknown and counted as such, never as nothing.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import IntegrityBroken
from medperf_git.flows.amounts import duration_text, size_text
from medperf_git.records.digests import bare_hex
from medperf_git.records.models import Asset, Cube
from medperf_git.records.names import Ref
from medperf_git.runner.disk import room_for_containers
from medperf_git.runner.engine import Engine, ImageUnavailable, Limits
from medperf_git.runner.engines.answers import repository_of
from medperf_git.runner.image_size import ImageSizes
from medperf_git.runner.plan import wanted_image

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNeeds:
    """What one model needs; None where nobody knows. `problems` say why it would not run, `finished` that it has."""

    model: Ref
    here: bool
    fetch_bytes: int | None
    disk_bytes: int | None
    memory_bytes: int | None
    seconds: float | None
    gpu: bool
    problems: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """Return one line, in words, with the numbers beside them."""
        return {
            "model": str(self.model),
            "image": "here" if self.here else "to be fetched",
            "fetch": _size(self.fetch_bytes),
            "disk": _size(self.disk_bytes),
            "gpu": "yes" if self.gpu else "no",
            "memory": _size(self.memory_bytes),
            "time": UNKNOWN if self.seconds is None else duration_text(self.seconds),
            "fits": "; ".join(self.problems) or "yes",
            "fetch_bytes": self.fetch_bytes,
            "disk_bytes": self.disk_bytes,
            "memory_bytes": self.memory_bytes,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class RunNeeds:
    """What all models of a run need together, `parallel` at a time, with `room` bytes that may be filled.

    With `low_disk` images that are fetched are removed after their last step, so not all lie here at one time.
    """

    models: tuple[ModelNeeds, ...]
    parallel: int
    room: int
    place: Path
    low_disk: bool = False

    @property
    def seconds(self) -> float:
        """How long the whole command takes, as far as that is known: the next free place takes the next model."""
        places = [0.0] * self.parallel
        for model in self.models:
            heapq.heappush(places, heapq.heappop(places) + (model.seconds or 0.0))
        return max(places)

    @property
    def fetch_bytes(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(model.fetch_bytes or 0 for model in self.models)

    @property
    def disk_bytes(self) -> int:
        """Disk that is filled at one time: the models that need most, as many as run at once, and what is fetched."""
        at_once = self.parallel if self.low_disk else len(self.models)
        fetched = heapq.nlargest(at_once, (model.fetch_bytes or 0 for model in self.models))
        return sum(heapq.nlargest(self.parallel, (model.disk_bytes or 0 for model in self.models))) + sum(fetched)

    def totals(self) -> dict[str, Any]:
        """Return the last line of the table."""
        fitting = sum(not model.problems for model in self.models)
        memory = max((model.memory_bytes or 0 for model in self.models), default=0)
        times, fetches = [m.seconds for m in self.models], [m.fetch_bytes for m in self.models]
        disks, memories = [m.disk_bytes for m in self.models], [m.memory_bytes for m in self.models]
        return {
            "model": f"all {len(self.models)}, {self.parallel} at a time",
            "image": f"{sum(not model.here for model in self.models)} to be fetched",
            "fetch": _at_least(size_text(self.fetch_bytes), fetches),
            "disk": _at_least(size_text(self.disk_bytes), disks),
            "gpu": str(sum(model.gpu for model in self.models)),
            "memory": _at_least(size_text(memory), memories),
            "time": _at_least(duration_text(self.seconds), times),
            "fits": f"{fitting} of {len(self.models)}",
            "fetch_bytes": self.fetch_bytes,
            "disk_bytes": self.disk_bytes,
            "memory_bytes": memory,
            "seconds": self.seconds,
            "unknown_times": sum(one is None for one in times),
            "free_bytes": self.room,
        }

    def notes(self) -> Iterator[str]:
        """Say what the numbers rest on, and which do not fit."""
        unknown = sum(model.seconds is None for model in self.models)
        if unknown:
            yield f"of {unknown} model(s) no time is known: their owners registered none; the total is without them"
        if self.disk_bytes > self.room:
            yield (
                f"warning: {size_text(self.disk_bytes)} of disk may be needed, and {size_text(self.room)} may be "
                f"filled at {self.place}; make room, name fewer models with --model, or give --low-disk"
            )

    def rows(self) -> list[dict[str, Any]]:
        """Return one line for each model."""
        return [model.row() for model in self.models]

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"models": self.rows(), "total": self.totals(), "notes": list(self.notes())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What models are measured against: the engine, its limits for one step, granted GPUs, cases, where things lie."""

    engine: Engine
    limits: Limits
    gpus: str
    cases: int
    home: Path
    sizes: ImageSizes

    def needs_of(self, cube: Cube, unfit: str = "") -> ModelNeeds:
        """Return what one model needs; `unfit` is why it cannot be run at all."""
        here = self._is_here(cube)
        resources = cube.resources
        peak = resources.peak_memory_bytes if resources else None
        disk = resources.disk_bytes if resources else None
        per_case = resources.seconds_per_case if resources else None
        wants_gpu = any(task.run_args and task.run_args.gpus for task in cube.tasks.values())
        room, caps = room_for_containers(self.home), self.limits.tmp_bytes + self.limits.output_bytes
        problems = [
            *([unfit] if unfit else []),
            *(["needs a GPU: --gpus"] if wants_gpu and not self.gpus else []),
            *(["needs more --memory"] if peak is not None and peak > self.limits.memory_bytes else []),
            *(["needs more room on the disk"] if disk is not None and disk > room else []),
            *(["needs more --disk"] if disk is not None and disk > caps else []),
            *(["its image is not here and names no manifest"] if not here and not _can_fetch(cube) else []),
        ]
        return ModelNeeds(
            model=cube.ref,
            here=here,
            fetch_bytes=self._fetch_bytes(cube, here=here),
            disk_bytes=disk,
            memory_bytes=peak,
            seconds=None if per_case is None else float(per_case) * self.cases,
            gpu=wants_gpu,
            problems=tuple(problems),
        )

    def _is_here(self, cube: Cube) -> bool:
        try:
            return self.engine.has_image(wanted_image(cube.image))
        except (ImageUnavailable, IntegrityBroken):
            return False

    def _fetch_bytes(self, cube: Cube, *, here: bool) -> int | None:
        files = cube.additional_files
        beside = files.size if files and not (self.home / "cache" / "unpacked" / bare_hex(files.digest)).exists() else 0
        if here:
            return beside
        image = cube.image
        if image.archive is not None:
            return beside + (0 if self._is_cached(image.archive) else image.archive.size)
        if image.manifest is None:
            return None
        size = self.sizes.compressed(repository_of(image.reference), image.manifest, image.platform)
        return None if size is None else beside + size

    def _is_cached(self, asset: Asset) -> bool:
        return (self.home / "cache" / "assets" / bare_hex(asset.digest)).is_file()


def _can_fetch(cube: Cube) -> bool:
    return cube.image.manifest is not None or cube.image.archive is not None


def _size(count: int | None) -> str:
    return UNKNOWN if count is None else size_text(count)


def _at_least(text: str, parts: Iterable[object]) -> str:
    """Mark a sum of which some parts are unknown."""
    return f"≥ {text}" if any(part is None for part in parts) else text
