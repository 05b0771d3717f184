"""Is this what was signed: bytes ↔ bundle ↔ key of the member ↔ merged at which commit.

Nothing is believed but the keys in the verified registry, or the one key that the caller gives.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import IntegrityBroken, MedperfGitError, UsageProblem
from medperf_git.flows.checking import record_path_of
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.digests import Digest, bare_hex, digest_of
from medperf_git.records.folds import members
from medperf_git.records.models import Member
from medperf_git.records.record import read_record
from medperf_git.records.times import format_time
from medperf_git.records.view import bundles_of, chain, iter_results, iter_versions
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.snapshot import Snapshot
from medperf_git.signing.bundle import parse_bundle
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.verify import Vouch, verify_vouch

Holders = tuple[tuple[str, PublicKey], ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """A record that is what its signers signed, and where it entered main; `unchecked` bundles are of other keys."""

    path: str
    digest: Digest
    vouches: tuple[Vouch, ...]
    commit: str
    merged: str
    unchecked: tuple[str, ...] = ()

    def as_value(self) -> dict[str, object]:
        """Return plain values for JSON."""
        signers = [
            {"member": v.member, "key": v.key.fingerprint, "signed": format_time(v.statement.signed_at)}
            for v in self.vouches
        ]
        return {
            "path": self.path,
            "digest": self.digest,
            "signers": signers,
            "not_checked": list(self.unchecked),
            "commit": self.commit,
            "merged": self.merged,
        }


@dataclass(frozen=True, slots=True)
class Signed:
    """A record and the bundles that lie beside it, wherever they were read; `others` are left unchecked."""

    path: str
    data: bytes
    bundles: dict[str, bytes]
    others: tuple[str, ...] = ()

    def by(self, key: PublicKey | None) -> "Signed":
        """Return the record with the bundle of one key alone; IntegrityBroken when that key has none here."""
        if key is None:
            return self
        own = {path: data for path, data in self.bundles.items() if _is_of(path, key)}
        others = tuple(path.rpartition("/")[2] for path in sorted(self.bundles.keys() - own.keys()))
        if not own:
            hint = "ask for the key of one who signed it" if others else "copy the *.sigstore.json beside it too"
            raise IntegrityBroken(
                f"{key.fingerprint} has not signed {self.path}: it has no bundle beside it", hint=hint
            )
        return Signed(self.path, self.data, own, others)


def verify_text(workspace: Workspace, text: str, *, key: Path | None) -> Verified:
    """Verify a file on disk, a path in the registry, or a result given by the first hex digits of its SHA-256.

    With `key` that one key is believed and its own bundle verified; those of other keys are only listed.
    IntegrityBroken: one of the links does not hold, and which.
    """
    on_disk, given = Path(text), _given_key(key) if key else None
    if on_disk.is_file():
        return _verify_copy(workspace, read_signed(on_disk, given).by(given), given)
    path = text if layout.place_of(text) else _result_by_digits(workspace, text)
    data = workspace.view.blob(path)
    if data is None:
        raise UsageProblem(f"{text!r} is neither a file here nor a record of {workspace.alias}", hint="see `result ls`")
    bundles = {bundle: workspace.view.blob(bundle) or b"" for bundle in bundles_of(workspace.view, path)}
    return _verify(workspace, Signed(path, data, bundles).by(given), holders=_holders(workspace, given))


def verify_alone(text: str, *, key: Path, registry: str | None = None) -> Verified:
    """Verify a file on disk beside its bundle with one key and no registry at all."""
    public = _given_key(key)
    signed = read_signed(Path(text), public).by(public)
    holders = _any_name(signed, public)
    vouches = tuple(_vouches(signed, holders, registry=registry or _claimed_registry(signed)))
    return Verified(signed.path, digest_of(signed.data), vouches, "", "", signed.others)


def read_signed(path: Path, key: PublicKey | None = None) -> Signed:
    """Read a record file and the bundles beside it; UsageProblem when none lie there.

    A copy outside the folders of its registry is placed by a bundle, by that of `key` where it has one.
    """
    place = record_path_of(path)
    beside = sorted(path.parent.glob(f"{path.name}.*.sigstore.json"), key=lambda one: (not _is_of(one.name, key), one))
    if not place and beside:
        place = parse_bundle(beside[0].read_bytes()).unverified_statement().path
    if not place:
        raise UsageProblem(f"{path} is no copy of a record", hint="keep the folders of the registry above it")
    if not beside:
        raise IntegrityBroken(f"no signature lies beside {path}", hint=f"copy {path.name}.*.sigstore.json too")
    folder = place.rpartition("/")[0]
    return Signed(
        place, path.read_bytes(), {f"{folder}/{one.name}" if folder else one.name: one.read_bytes() for one in beside}
    )


def _verify_copy(workspace: Workspace, signed: Signed, given: PublicKey | None) -> Verified:
    merged = workspace.view.blob(signed.path)
    if merged is None:
        raise IntegrityBroken(
            f"{signed.path} is not in {workspace.alias} at {workspace.head[:12]}", hint="run `medperf-git sync` first"
        )
    _read_all(signed)
    if merged != signed.data:
        raise IntegrityBroken(
            f"these are not the bytes that were merged: merged {digest_of(merged)}, here {digest_of(signed.data)}"
            f"{_first_difference(merged, signed.data)}",
            hint="this copy was changed; the registry's own file is what counts",
        )
    return _verify(workspace, signed, holders=_holders(workspace, given))


def _verify(workspace: Workspace, signed: Signed, *, holders: Holders) -> Verified:
    reading = read_record(signed.path, signed.data)
    if reading.stored is None:
        raise IntegrityBroken(f"{signed.path} cannot be read: {reading.findings[0].message}", hint="it was changed")
    if not signed.bundles:
        raise IntegrityBroken(f"no signature lies beside {signed.path}", hint="ask a maintainer")
    vouches = tuple(_vouches(signed, holders, registry=workspace.registry_id))
    commit = merged_at(workspace, signed.path)
    merged = format_time(workspace.store.commit(commit).time)
    return Verified(signed.path, digest_of(signed.data), vouches, commit, merged, signed.others)


def merged_at(workspace: Workspace, path: str) -> str:
    """Return the first commit of main that has a path, found by halving its first-parent line."""
    line = [*iter_ids(line_between(workspace.store, workspace.head, None))]
    low, high = 0, len(line) - 1
    while low < high:
        middle = (low + high) // 2
        if Snapshot.at(workspace.store, line[middle]).blob_id(path) is None:
            low = middle + 1
        else:
            high = middle
    return line[low]


def _vouches(signed: Signed, holders: Holders, *, registry: str) -> Iterator[Vouch]:
    digest = digest_of(signed.data)
    for path, data in sorted(signed.bundles.items()):
        try:
            yield verify_vouch(data, path=signed.path, digest=digest, registry=registry, holders=holders)
        except MedperfGitError as error:
            name = path.rpartition("/")[2]
            raise IntegrityBroken(f"{name}: {error.message}", hint="do not use this record; ask its owner") from error


def _read_all(signed: Signed) -> None:
    """Refuse a bundle that is not one, before anything is compared."""
    for path, data in sorted(signed.bundles.items()):
        try:
            parse_bundle(data).unverified_statement()
        except MedperfGitError as error:
            name = path.rpartition("/")[2]
            raise IntegrityBroken(f"{name}: {error.message}", hint="do not use this copy") from error


def _given_key(path: Path) -> PublicKey:
    """Read the one key that the caller believes; with another nothing is verified, so a broken file is no less."""
    try:
        return PublicKey.from_openssh(path.read_bytes().decode("utf-8", "replace"))
    except MedperfGitError as error:
        raise IntegrityBroken(f"{path.name}: {error.message}", hint=error.hint) from error


def _is_of(bundle: str, key: PublicKey | None) -> bool:
    """Tell whether a bundle is, by its name, the one of a key."""
    return key is not None and bundle.endswith(f".{key.short}.sigstore.json")


def _holders(workspace: Workspace, given: PublicKey | None) -> Holders:
    """Return every key a member ever had in the verified registry, or the one the caller gives under every name."""
    found: list[tuple[str, PublicKey]] = []
    for name in members(workspace.view):
        if given:
            found.append((name, given))
            continue
        for link in chain(workspace.view, layout.member_folder(name)):
            if isinstance(link.record, Member):
                keys = link.record.keys
                found += [(name, PublicKey.from_record(e.key)) for e in (*keys.signing, *(keys.recovery or ()))]
    return tuple(found)


def _any_name(signed: Signed, public: PublicKey) -> Holders:
    names = {parse_bundle(data).unverified_statement().signer for data in signed.bundles.values()}
    return tuple((name, public) for name in names)


def _claimed_registry(signed: Signed) -> str:
    return parse_bundle(next(iter(signed.bundles.values()))).unverified_statement().registry


def _result_by_digits(workspace: Workspace, text: str) -> str:
    digits = text.removeprefix("sha256:").lower()
    if len(digits) < 8 or any(c not in "0123456789abcdef" for c in digits):
        raise UsageProblem(
            f"{text!r} is neither a file, nor a path in the registry, nor the first 8 or more digits of a result",
            hint="`medperf-git result ls` lists the results",
        )
    view = workspace.view
    found = [
        link.path
        for benchmark in iter_versions(view, "benchmarks")
        for dataset, model in iter_results(view, benchmark)
        for link in chain(view, layout.result_folder(benchmark, dataset, model))
        if bare_hex(link.digest).startswith(digits)
    ]
    if len(found) != 1:
        raise UsageProblem(f"{len(found)} results begin with {digits}", hint="`medperf-git result ls` lists them")
    return found[0]


def _first_difference(merged: bytes, here: bytes) -> str:
    pairs = zip(merged.split(b"\n"), here.split(b"\n"), strict=False)
    for number, (expected, got) in enumerate(pairs, start=1):
        if expected != got:
            shown = [line.decode("utf-8", "replace")[:80] for line in (expected, got)]
            return f"; line {number}: merged `{shown[0]}`, here `{shown[1]}`"
    return ""
