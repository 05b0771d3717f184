"""A change, read once: records by path, signatures by record, and what stood before."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from medperf_git.policy.change import Change
from medperf_git.records import layout, models
from medperf_git.records.digests import Digest, bare_hex, digest_of
from medperf_git.records.folds import registry_state
from medperf_git.records.record import Reading, Stored, read_record

R = TypeVar("R", bound=models.Record)


@dataclass(frozen=True, eq=False)
class Case:
    """What every rule is given; the fields derived from `change` are computed once, when first asked for.

    `memo` keeps what several rules need and only one module can compute (verified signatures).
    """

    change: Change
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def is_genesis(self) -> bool:
        """Whether nothing stood before."""
        return not self.change.before.names("")

    @cached_property
    def registry_id(self) -> str:
        """The registry's id, `mg1:` and 64 hexadecimal digits; empty when there is no genesis record."""
        view = self.change.after if self.is_genesis else self.change.before
        data = view.blob(layout.registry_path(1))
        return "" if data is None else "mg1:" + bare_hex(digest_of(data))

    @cached_property
    def registry_before(self) -> models.Registry | None:
        """The registry record in force; for the genesis, the one it brings."""
        return registry_state(self.change.after if self.is_genesis else self.change.before)

    @cached_property
    def record_paths(self) -> tuple[str, ...]:
        """Added paths that are record paths, in order."""
        return tuple(sorted(path for path in self.change.added if layout.place_of(path)))

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """What came of reading each added record."""
        return {path: read_record(path, self.change.added[path]) for path in self.record_paths}

    @cached_property
    def records(self) -> dict[str, Stored]:
        """The added records that can be read."""
        return {path: reading.stored for path, reading in self.readings.items() if reading.stored is not None}

    @cached_property
    def bundles(self) -> dict[str, dict[str, bytes]]:
        """Added signatures: record path → bundle path → bytes."""
        found: dict[str, dict[str, bytes]] = {}
        for path, data in self.change.added.items():
            if split := layout.split_bundle(path):
                found.setdefault(split[0], {})[path] = data
        return found

    @cached_property
    def house_files(self) -> dict[str, bytes]:
        """Added or changed house files."""
        return {path: data for path, data in self.change.added.items() if layout.is_house_file(path)}

    def of(self, model: type[R]) -> Iterator[tuple[Stored, R]]:
        """Yield the added records of one kind, in path order."""
        for stored in self.records.values():
            if isinstance(stored.record, model):
                yield stored, stored.record

    def digest_after(self, path: str) -> Digest | None:
        """Return the digest of a file in the tree after, or None when it is absent."""
        data = self.change.after.blob(path)
        return None if data is None else digest_of(data)
