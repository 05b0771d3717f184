"""How main stands behind an invalid step: what counts as absent, and which step waits to be set aside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Standing:
    """`hidden` paths count as absent; `pending` maps the step that waits for a quarantine record to what it added."""

    hidden: frozenset[str] = frozenset()
    pending: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))


SOUND = Standing()  # every step is valid, or was set aside by what the tree itself says
