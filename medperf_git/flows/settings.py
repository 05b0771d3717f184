"""How a site runs containers: engine, sandbox profile, memory, time, GPUs; sizes and durations as people write them."""

import re
from dataclasses import dataclass, replace

from medperf_git.errors import UsageProblem
from medperf_git.runner.engine import EngineInfo, Limits, Profile
from medperf_git.runner.mirrors import Mirror

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s?)?", re.IGNORECASE)
DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What the site chose; `None` is the engine's share of the host, or the disk that is free.

    `low_disk` removes an image that the command brought after its last step.
    """

    engine: str = "docker"
    profile: Profile = Profile.STRICT
    memory_bytes: int | None = None
    wall_seconds: float = DAY
    max_parallel: int = 1
    gpus: str = ""
    disk_bytes: int | None = None
    low_disk: bool = False
    mirrors: tuple[Mirror, ...] = ()

    def limits(self, info: EngineInfo) -> Limits:
        """Return the caps of one step on this engine."""
        limits = Limits.share_of(info, self.max_parallel, wall_seconds=self.wall_seconds)
        if self.memory_bytes is not None:
            if self.memory_bytes > info.memory_bytes:
                hint = f"the engine has {info.memory_bytes} bytes; give less to --memory"
                raise UsageProblem(f"{self.memory_bytes} bytes of memory are more than there is", hint=hint)
            limits = replace(limits, memory_bytes=self.memory_bytes)
        return limits if self.disk_bytes is None else limits.of_disk(self.disk_bytes)


def parse_size(text: str) -> int:
    """Read a size like `4g`, `512m` or a number of bytes; `UsageProblem` when it is none."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match.group(1)) * _FACTORS[match.group(2).lower()]) if match else 0
    if size <= 0:
        raise UsageProblem(f"{text!r} is no size", hint="write for instance 512m or 4g")
    return size


def parse_duration(text: str) -> float:
    """Read a duration like `90`, `30m`, `2h` or `1h30m` in seconds; `UsageProblem` when it is none."""
    match = _DURATION.fullmatch(text.strip())
    parts = [float(part or 0) for part in match.groups()] if match and text.strip() else [0.0]
    seconds = sum(part * unit for part, unit in zip(parts, (DAY, 3600.0, 60.0, 1.0), strict=False))
    if seconds <= 0:
        raise UsageProblem(f"{text!r} is no duration", hint="write for instance 90s, 30m or 2h")
    return seconds
