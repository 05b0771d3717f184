"""What a verdict on one file depends on besides the file: the registry, who has ever held which key, what is set aside.

Whether a key counted at its place in history is the judge's to say (`policy`); here a key counts if any record of
its member ever named it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

from medperf_git.errors import Refused
from medperf_git.records import layout, models
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.records.folds import members
from medperf_git.records.view import RecordView, chain
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot, quarantined_by
from medperf_git.registry.trees import parse_tree
from medperf_git.signing.keys import PublicKey

Holder: TypeAlias = tuple[str, PublicKey]  # a member, and a key that is or was its own


@dataclass(frozen=True, slots=True)
class Trust:
    """The registry's id, the holders of keys by the 16 hexadecimal digits in names of bundles, what counts as absent.

    `basis` is, for each of those digits, what a verdict on a signature under them depends on.
    """

    registry: str
    holders: Mapping[str, tuple[Holder, ...]]
    basis: Mapping[str, bytes]
    absent: frozenset[str]

    @classmethod
    def of(cls, view: Snapshot) -> Self:
        """Gather every signing and recovery key that a member record names, and every path that is in quarantine."""
        genesis = view.blob(layout.registry_path(1))
        registry = "" if genesis is None else "mg1:" + bare_hex(digest_of(genesis))
        found: dict[str, set[Holder]] = {}
        for member, key in _holders(view):
            found.setdefault(key.short, set()).add((member, key))
        holders = {short: tuple(sorted(pairs, key=_order)) for short, pairs in found.items()}
        basis = {short: _basis(registry, pairs) for short, pairs in holders.items()}
        return cls(registry, holders, basis, frozenset(_absent(view)))


def epoch_of(store: Store, tree: bytes) -> bytes:
    """Return what changes whenever the trust of a registry with this root tree does: two folders of it."""
    known = {name: oid for _, name, oid in parse_tree(store.tree(tree))}
    return known.get(b"registry", b"") + b"/" + known.get(b"members", b"")


def _holders(view: RecordView) -> Iterator[Holder]:
    for name in members(view):
        for link in chain(view, layout.member_folder(name)):
            if isinstance(link.record, models.Member):
                yield from ((name, key) for key in _keys_of(link.record))


def _keys_of(record: models.Member) -> Iterator[PublicKey]:
    for entry in (*record.keys.signing, *(record.keys.recovery or ())):
        try:
            yield PublicKey.from_record(entry.key)
        except Refused:  # the judge's to report; it signs nothing
            continue


def _order(holder: Holder) -> tuple[str, bytes]:
    return holder[0], holder[1].raw


def _basis(registry: str, holders: Iterable[Holder]) -> bytes:
    return " ".join((registry, *(f"{member}={key.raw.hex()}" for member, key in holders))).encode()


def _absent(view: RecordView) -> Iterator[str]:
    for name in view.names(layout.QUARANTINE):
        if name.endswith(".yaml"):
            path = f"{layout.QUARANTINE}/{name}"
            yield from quarantined_by(path, view.blob(path))
