"""One thing that was looked at, as `doctor` says it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Examined:
    """What was looked at, what was found, and what mends it; `unknown` is what could not be looked at."""

    state: Literal["ok", "warn", "fail", "unknown"]
    what: str
    found: str
    remedy: str = ""
