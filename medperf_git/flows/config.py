"""Which registries this person knows, who they are in each, and which one is meant by default."""

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from medperf_git.errors import IntegrityBroken, UsageProblem
from medperf_git.flows.home import Damaged, read_json, write_json
from medperf_git.forge.host import Host, host_of
from medperf_git.records.names import name_fault

ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
REGISTRY_ID = re.compile(r"mg1:[0-9a-f]{64}")
MERGES = ("auto", "manual")
_AGAIN = "move the file away; `registry add URL#mg1:…` and `join` write it anew, keys and prepared data stay"


@dataclass(frozen=True, slots=True)
class Known:
    """One registry: where it lies, its id (`mg1:<hex>`), who I am there and with which key I sign.

    `merge` says what happens to my proposals that pass on a plain Git host: `auto` merges them at once, `manual`
    leaves them to `medperf-git merge`. `host` is what kind of host it is where its name does not say, `fork` the
    address of a fork that I made by hand. `light`: only what is read is fetched, and main was believed once.
    """

    url: str
    id: str
    member: str | None = None
    key: str | None = None
    key_file: str | None = None
    merge: str = "auto"
    host: str | None = None
    fork: str | None = None
    light: bool = False

    @property
    def kind(self) -> Host:
        """What kind of host the registry lies at."""
        return Host(self.host) if self.host else host_of(self.url)


@dataclass(frozen=True, slots=True)
class Config:
    """All that the person has told us."""

    registries: dict[str, Known] = field(default_factory=dict)
    current: str | None = None

    @classmethod
    def load(cls, home: Path) -> "Config":
        """Read the configuration; an absent file is an empty one.

        Damaged: it is not what was written here. IntegrityBroken: an id is none, and all trust rests on it.
        """
        path = _path(home)
        value = read_json(path)
        registries, current = value.get("registries", {}), value.get("current")
        if not isinstance(registries, dict):
            raise Damaged(path, "`registries` is no object", hint=_AGAIN)
        known = {alias: _known(path, alias, inner) for alias, inner in registries.items()}
        if current is not None and (not isinstance(current, str) or current not in known):
            raise Damaged(path, "`current` is none of its registries", hint=_AGAIN)
        return cls(known, current)

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


def _known(path: Path, alias: str, value: Any) -> Known:
    """Read one registry of the configuration; see `Config.load`."""
    if not ALIAS.fullmatch(alias):
        raise Damaged(path, f"{alias!r} is no alias", hint=_AGAIN)
    if not isinstance(value, dict) or value.keys() - {one.name for one in fields(Known)}:
        raise Damaged(path, f"what it says of {alias} is of another form", hint=_AGAIN)
    if not isinstance(value.get("id"), str) or not REGISTRY_ID.fullmatch(value["id"]):
        hint = f"{_AGAIN}; ask a maintainer for the id over another way than the address"
        raise IntegrityBroken(f"{path}: the id of {alias} is no registry id", hint=hint)
    texts = [inner for name, inner in value.items() if inner is not None and name != "light"]
    member = value.get("member")
    whole = all(isinstance(text, str) and text.isprintable() for text in texts) and isinstance(value.get("url"), str)
    known_host = value.get("host") in (None, *Host)
    whole = (
        whole and known_host and value.get("merge", "auto") in MERGES and isinstance(value.get("light", False), bool)
    )
    if not whole or (member is not None and name_fault(member)):
        raise Damaged(path, f"what it says of {alias} is of another form", hint=_AGAIN)
    return Known(**value)
