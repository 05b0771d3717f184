"""Which registries this person knows, who they are in each, and which one is meant by default."""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import read_json, write_json


@dataclass(frozen=True, slots=True)
class Known:
    """One registry: where it lies, its id (`mg1:<hex>`), who I am there and with which key I sign.

    `merge` says what happens to my proposals that pass on a plain Git host: `auto` merges them at once, `manual`
    leaves them to `medperf-git merge`.
    """

    url: str
    id: str
    member: str | None = None
    key: str | None = None
    key_file: str | None = None
    merge: str = "auto"


@dataclass(frozen=True, slots=True)
class Config:
    """All that the person has told us."""

    registries: dict[str, Known] = field(default_factory=dict)
    current: str | None = None

    @classmethod
    def load(cls, home: Path) -> "Config":
        """Read the configuration; an absent file is an empty one."""
        value = read_json(_path(home))
        registries = {alias: Known(**fields) for alias, fields in value.get("registries", {}).items()}
        return cls(registries, value.get("current"))

    def save(self, home: Path) -> None:
        """Write the configuration."""
        write_json(_path(home), json.loads(json.dumps(asdict(self))))

    def with_registry(self, alias: str, known: Known, *, current: bool = True) -> "Config":
        """Return the configuration with one registry added or changed."""
        return replace(
            self,
            registries={**self.registries, alias: known},
            current=alias if current or self.current is None else self.current,
        )

    def without(self, alias: str) -> "Config":
        """Return the configuration without one registry."""
        rest = {name: known for name, known in self.registries.items() if name != alias}
        current = self.current if self.current in rest else next(iter(rest), None)
        return Config(rest, current)

    def choose(self, wanted: str | None) -> tuple[str, Known]:
        """Return the registry of an alias or URL, or the current one; UsageProblem when there is none."""
        if wanted is None:
            if self.current is None:
                raise UsageProblem("no registry is known yet", hint="run `medperf-git registry add URL`, or `init` one")
            return self.current, self.registries[self.current]
        for alias, known in self.registries.items():
            if wanted in (alias, known.url, f"{known.url}#{known.id}"):
                return alias, known
        known_ones = ", ".join(self.registries) or "none"
        raise UsageProblem(
            f"the registry {wanted!r} is not known here",
            hint=f"known: {known_ones}; add it with `registry add {wanted}`",
        )


def free_alias(config: Config, wanted: str) -> str:
    """Return `wanted` as an alias, with a number when it is taken."""
    base = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-") or "registry"
    alias, number = base, 2
    while alias in config.registries:
        alias, number = f"{base}-{number}", number + 1
    return alias


def _path(home: Path) -> Path:
    return home / "config.json"
