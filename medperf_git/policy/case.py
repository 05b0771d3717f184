"""A change, read once: records by path, signatures by record, and what stood before."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from medperf_git.policy.change import Change
from medperf_git.records import layout, models
from medperf_git.records.digests import Digest, bare_hex, digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.folds import registry_state
from medperf_git.records.record import Stored, read_record

R = TypeVar("R", bound=models.Record)


@dataclass(frozen=True)
class Case:
    """What every rule is given; the fields derived from `change` are computed once, when first asked for."""

    change: Change

    @cached_property
    def is_genesis(self) -> bool:
        """Whether nothing stood before."""
        return not self.change.before.names("")

    @cached_property
    def registry_id(self) -> str:
        """The registry's id, `mg1:` and 64 hexadecimal digits; empty when there is no genesis record."""
        data = self.change.before.blob(layout.registry_path(1)) or self.change.after.blob(layout.registry_path(1))
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
    def reading_faults(self) -> tuple[Finding, ...]:
        """What is wrong with the added records as files."""
        readings = (read_record(path, self.change.added[path]) for path in self.record_paths)
        return tuple(finding for reading in readings for finding in reading.findings)

    @cached_property
    def records(self) -> dict[str, Stored]:
        """The added records that can be read."""
        readings = ((path, read_record(path, self.change.added[path]).stored) for path in self.record_paths)
        return {path: stored for path, stored in readings if stored is not None}

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
