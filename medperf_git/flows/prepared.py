"""Prepared datasets on this machine: folders of data, labels and metadata, and what is known about them.

Each lies in `<registry>.<member>.<name>.<number>`, or its files stay where the site keeps them (`places`). Nothing in
here ever leaves; `dataset.json` holds what a dataset record is made of, the salt of a commitment too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import private_folder, reachable, read_json, write_json
from medperf_git.records.digests import Digest
from medperf_git.records.models import Dataset, Number, Reference
from medperf_git.records.names import Ref, name_fault
from medperf_git.runner.manifest import Role, commitment
from medperf_git.runner.watch import usage

_FILE = "dataset.json"
_ROLES: tuple[Role, ...] = ("data", "labels", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One prepared dataset: where it lies, what prepared it, what it is."""

    folder: Path
    name: str
    title: str
    preparator: Reference
    benchmark: str
    cases: int
    content: Digest
    files: int
    statistics: dict[str, Number] = field(default_factory=dict)
    published: tuple[str, ...] = ()
    salt: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    places: dict[Role, str] = field(default_factory=dict)

    @property
    def roots(self) -> dict[Role, Path]:
        """The folders that the content digest covers, by role."""
        if self.places:  # one that is not mounted is missed, not left out
            return {role: Path(place) for role, place in self.places.items()}
        return {role: self.folder / role for role in _ROLES if (self.folder / role).is_dir()}

    @property
    def where(self) -> str:
        """Where its files lie, for people."""
        return ", ".join(self.places.values()) or str(self.folder)

    @property
    def number(self) -> int:
        """Which preparation of that name this is; the newest has the highest, 0 where the folder does not say."""
        last = self.folder.name.rpartition(".")[2]
        return int(last) if last.isascii() and last.isdigit() else 0

    @property
    def published_digest(self) -> Digest:
        """What a record says of the content: the digest, or the salted commitment to it."""
        return commitment(self.content, bytes.fromhex(self.salt)) if self.salt else self.content

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        value = asdict(self) | {"folder": str(self.folder), "published": list(self.published)}
        if not self.places:
            del value["places"]
        value["preparator"] = {"ref": str(self.preparator.ref), "digest": self.preparator.digest}
        value["statistics"] = {key: _plain(number) for key, number in self.statistics.items()}
        del value["salt"]
        return value

    def lines(self) -> Iterator[str]:
        """Say in words what was prepared."""
        yield f"prepared {self.cases} cases in {self.files} files with {self.preparator.ref} ({self.seconds:.0f} s)"
        yield f"they stay in {self.where}"
        yield f"content digest {self.content}"
        if self.salt:
            yield "a commitment to it would be published; its salt stays here, beside the data"
        else:
            yield "whoever holds the same files can recognise them by it: the same command with --salted hides that"


def registry_stem(registry_id: str) -> str:
    """Return how the folders begin that were prepared for a registry."""
    return registry_id.removeprefix("mg1:")[:12]


def datasets_folder(home: Path) -> Path:
    """Return the folder of all prepared datasets."""
    return private_folder(home / "datasets")


def save(prepared: Prepared) -> None:
    """Write what is known about a prepared dataset beside it."""
    value = prepared.as_value() | {"salt": prepared.salt}
    del value["folder"]
    write_json(prepared.folder / _FILE, json.loads(json.dumps(value)))


def iter_prepared(home: Path) -> Iterator[Prepared]:
    """Yield every prepared dataset, in the order of its folder's name."""
    for file in sorted(reachable(home / "datasets").glob(f"[!.]*/{_FILE}")):
        yield prepared_at(file.parent)


def find_prepared(home: Path, name: str, *, registry: str = "") -> Prepared:
    """Return the newest prepared dataset called `name` (or `member/name@1`), one made for `registry` before others.

    `UsageProblem` when there is none.
    """
    bare = name.partition("@")[0].rpartition("/")[2]
    try:
        if fault := name_fault(bare):
            raise ValueError(fault)
        wanted = "." + Ref.parse(name).folder if "/" in name and "@" in name else ""
    except ValueError as error:
        hint = "`medperf-git dataset ls --local` lists them"
        raise UsageProblem(f"{name!r} is no name of a dataset: {error}", hint=hint) from error
    found = [one for one in iter_prepared(home) if one.name == bare and f".{one.folder.name}".endswith(wanted)]
    if not found:
        hint = "`medperf-git dataset prepare` makes one; `dataset ls --local` lists those that are here"
        raise UsageProblem(f"no dataset called {name!r} is prepared on this machine", hint=hint)
    own = [one for one in found if one.folder.name.startswith(f"{registry}.")]
    return max(own or found, key=lambda one: one.number)


def prepared_for(home: Path, dataset: Dataset) -> Prepared:
    """Return the folders that hold a registered dataset: those whose content the record names."""
    for one in iter_prepared(home):
        if one.published_digest == dataset.content.digest:
            return one
    hint = "run this on the machine that prepared it, or prepare it again here: `medperf-git dataset prepare`"
    raise UsageProblem(f"the data of {dataset.ref} is not on this machine", hint=hint)


def local_rows(home: Path, *, sizes: bool = False) -> list[dict[str, Any]]:
    """Return one line for each prepared dataset; `sizes` adds the bytes that it takes on disk."""
    return [
        {
            "name": one.name,
            "number": one.number,
            "benchmark": one.benchmark,
            "cases": one.cases,
            "files": one.files,
            **({"bytes": sum(usage(root)[0] for root in one.roots.values())} if sizes else {}),
            "content": one.content[:19] + "…",
            "in place": "yes" if one.places else "no",
            "folder": one.where,
        }
        for one in iter_prepared(home)
    ]


def prepared_at(folder: Path) -> Prepared:
    """Read what is known about the prepared dataset of a folder; `UsageProblem` when it is damaged."""
    value = read_json(folder / _FILE)
    try:
        preparator = Reference(Ref.parse(value["preparator"]["ref"]), Digest(value["preparator"]["digest"]))
        statistics = {key: _number(number) for key, number in value["statistics"].items()}
        fields = {
            key: value[key] for key in ("name", "title", "benchmark", "cases", "files", "salt", "words", "seconds")
        }
        return Prepared(
            folder=folder,
            places=_places(value.get("places", {})),
            preparator=preparator,
            content=Digest(value["content"]),
            statistics=statistics,
            published=tuple(value["published"]),
            **fields,
        )
    except (KeyError, TypeError, ValueError) as error:
        hint = "prepare the dataset again: `medperf-git dataset prepare`"
        raise UsageProblem(f"{folder / _FILE} is damaged", hint=hint) from error


def _places(value: Mapping[str, str]) -> dict[Role, str]:
    """Return where the files of each role lie; ValueError for what is no role or no absolute path."""
    if not set(value) <= set(_ROLES) or not all(Path(place).is_absolute() for place in value.values()):
        raise ValueError("no places of data, labels and metadata")
    return {role: value[role] for role in _ROLES if role in value}


def _plain(number: Number) -> int | str:
    return number if isinstance(number, int) else str(number)


def _number(value: int | str) -> Number:
    return value if isinstance(value, int) else Decimal(value)
