"""What came of one model: values, or a reason of the closed list; and how it is kept on disk.

Everything that a result record needs is here. `explanation` and `hint` are for the site alone and never leave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from medperf_git.records.digests import Digest
from medperf_git.records.models import (
    EngineUsed,
    Images,
    MetricValue,
    Number,
    ParameterDigests,
    Reason,
    Reference,
)
from medperf_git.records.names import Ref
from medperf_git.runner.engine import Profile

_LISTS = ("quantiles", "counts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One model's outcome in one run; `evaluate_key` ties it to the plan it came from."""

    model: Reference
    outcome: Literal["complete", "partial", "failed"]
    attempt: int
    images: Images
    parameters: ParameterDigests | None
    sandbox: Profile
    engine: EngineUsed
    started: str
    finished: str
    infer_key: Digest
    evaluate_key: Digest
    reason: Reason | None = None
    explanation: str = ""
    hint: str = ""
    log: str = ""
    values: dict[str, MetricValue] | None = None
    held_back: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory: int | None = None
    peak_disk: int | None = None
    exit_code: int | None = None
    limits: dict[str, float] | None = None


def outcome_to_plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as values that JSON can hold, numbers as text."""
    value = {name: getattr(outcome, name) for name in outcome.__slots__}
    parameters = outcome.parameters
    return value | {
        "model": [str(outcome.model.ref), outcome.model.digest],
        "images": [outcome.images.model, outcome.images.metrics],
        "parameters": [parameters.model, parameters.metrics] if parameters else None,
        "engine": [outcome.engine.name, outcome.engine.version],
        "values": {key: _metric_to_plain(metric) for key, metric in outcome.values.items()} if outcome.values else None,
        "held_back": list(outcome.held_back),
    }


def outcome_from_plain(value: Mapping[str, Any]) -> Outcome | None:
    """Read an outcome that was kept; None when it is not whole."""
    try:
        ref, digest = value["model"]
        values, parameters = value["values"], value["parameters"]
        return Outcome(
            **dict(value)
            | {
                "model": Reference(Ref.parse(ref), Digest(digest)),
                "images": Images(*value["images"]),
                "parameters": ParameterDigests(*parameters) if parameters else None,
                "engine": EngineUsed(*value["engine"]),
                "sandbox": Profile(value["sandbox"]),
                "values": {key: _metric_from_plain(metric) for key, metric in values.items()} if values else None,
                "held_back": tuple(value["held_back"]),
            }
        )
    except (KeyError, TypeError, ValueError):
        return None


def _metric_to_plain(metric: MetricValue) -> dict[str, Any]:
    fields = {name: getattr(metric, name) for name in metric.__slots__}
    texts = {name: str(fields[name]) for name in ("value", "sd") if fields[name] is not None}
    lists = {name: list(map(str, fields[name])) for name in _LISTS if fields[name] is not None}
    return fields | texts | lists


def _metric_from_plain(value: Mapping[str, Any]) -> MetricValue:
    lists = {name: tuple(map(_present, value[name])) for name in _LISTS if value.get(name) is not None}
    return MetricValue(**dict(value) | {name: _number(value.get(name)) for name in ("value", "sd")} | lists)


def _number(text: str | None) -> Number | None:
    return None if text is None else _present(text)


def _present(text: str) -> Number:
    return Decimal(text) if "." in text else int(text)
