"""Sign record files: one bundle beside each, for this registry, from the commit that was seen."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.authority import needs_of
from medperf_git.policy.case import Case
from medperf_git.policy.change import Change
from medperf_git.records import layout
from medperf_git.signing.bundle import make_bundle, parse_bundle
from medperf_git.signing.signers import Signer
from medperf_git.signing.statement import Statement


@dataclass(frozen=True, slots=True)
class Standpoint:
    """From where somebody signs: registry id, head of main (empty at the genesis), who, when (informative)."""

    registry: str
    head: str
    member: str
    at: datetime


def sign_record(path: str, data: bytes, *, signer: Signer, standpoint: Standpoint) -> tuple[str, bytes]:
    """Return path and bytes of the bundle by which `signer` vouches for the record at `path`."""
    statement = Statement.about(
        path,
        data,
        registry=standpoint.registry,
        head=standpoint.head,
        signer=standpoint.member,
        signed_at=standpoint.at,
    )
    return layout.bundle_of(path, signer.public.short), make_bundle(statement, signer)


def sign_all(
    records: Mapping[str, bytes], *, signers: Iterable[Signer], standpoint: Standpoint, kept: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the bundles of every signer on every record; one that was `kept` from before is used again."""
    bundles: dict[str, bytes] = {}
    for signer in signers:
        for path, data in records.items():
            place = layout.bundle_of(path, signer.public.short)
            known = kept.get(place)
            bundles[place] = known or sign_record(path, data, signer=signer, standpoint=standpoint)[1]
    return bundles


def registries_of(files: Mapping[str, bytes]) -> set[str]:
    """Return the registries for which the bundles among these files say that they were signed."""
    return set(_iter_registries(files))


def _iter_registries(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, data in files.items():
        if layout.split_bundle(path) is None:
            continue
        try:
            yield parse_bundle(data).unverified_statement().registry
        except IntegrityBroken:  # the judge says what is wrong with it
            continue


def asked_of(change: Change, signer: Signer, member: str) -> tuple[str, ...]:
    """Return the paths of the added records on which this signature counts and is not there yet."""
    case = Case(change)
    mine = (member, signer.public)
    return tuple(
        path
        for path, stored in case.records.items()
        if layout.bundle_of(path, signer.public.short) not in change.added
        and any(mine in need.holders for need in needs_of(case, stored))
    )
