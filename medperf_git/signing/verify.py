"""Whether a bundle is what it claims, and how many vouch for a record.

Keys come from the caller only; what a bundle says about its key merely selects among them. A threshold counts
distinct members and distinct keys at once: a key under two members is one vote, and so is a member with two keys.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from medperf_git.errors import IntegrityBroken
from medperf_git.records.digests import Digest
from medperf_git.signing.bundle import Bundle, pae, parse_bundle
from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.statement import Statement, parse_statement
from medperf_git.signing.strict_json import broken


@dataclass(frozen=True, slots=True)
class Vouch:
    """A verified statement, the key that made it and the member whose key it is."""

    member: str
    key: PublicKey
    statement: Statement


def verify_bundle(data: bytes, key: PublicKey) -> Statement:
    """Return the statement of the bundle file `data`, signed with `key`; IntegrityBroken says why it is not."""
    return _verify(parse_bundle(data), key)


def verify_vouch(
    data: bytes, *, path: str, digest: Digest, registry: str, holders: Iterable[tuple[str, PublicKey]]
) -> Vouch:
    """Return who vouches with the bundle file `data` for the record at `path` with `digest` in `registry`.

    `holders` are the (member, key) pairs that may vouch at all. IntegrityBroken: another key, signature, record,
    place or registry, or a signer that does not hold the key.
    """
    bundle = parse_bundle(data)
    matching = [(member, key) for member, key in holders if key.fingerprint == bundle.keyid]
    if not matching:
        reason = f"it was signed by {bundle.keyid}, which is not a key that counts here"
        raise IntegrityBroken(reason, hint="sign with a key of the member record, as it was before this change")
    key = matching[0][1]
    statement = _verify(bundle, key)
    if statement.path != path:
        raise broken(f"it was signed for {statement.path}, not for {path}")
    if statement.digest != digest:
        raise broken(f"it was signed for other bytes: {statement.digest}, the record is {digest}")
    if statement.registry != registry:
        raise broken(f"it was signed for the registry {statement.registry}, not for {registry}")
    if statement.signer not in {member for member, _ in matching}:
        raise broken(f"it names {statement.signer} as the signer, who does not hold {bundle.keyid}")
    return Vouch(statement.signer, key, statement)


def count_vouches(vouches: Iterable[Vouch], *, among: Collection[str] | None = None) -> int:
    """Return the largest number of vouches in which every member and every key is used once.

    `among` limits the members that count. A maximum matching (Kuhn's algorithm) of members and keys.
    """
    keys_of: dict[str, list[PublicKey]] = {}
    for vouch in vouches:
        if among is None or vouch.member in among:
            keys_of.setdefault(vouch.member, []).append(vouch.key)
    taken: dict[PublicKey, str] = {}
    return sum(_gains(member, keys_of, taken=taken, tried=set()) for member in keys_of)


def count_keys(vouches: Iterable[Vouch], member: str) -> int:
    """Return with how many distinct keys `member` vouches: for those who ask for two of their own."""
    return len({vouch.key for vouch in vouches if vouch.member == member})


def _gains(
    member: str, keys_of: dict[str, list[PublicKey]], *, taken: dict[PublicKey, str], tried: set[PublicKey]
) -> bool:
    """Give `member` a key, moving others to another of theirs where needed; tell whether it worked."""
    for key in keys_of[member]:
        if key in tried:
            continue
        tried.add(key)
        if key not in taken or _gains(taken[key], keys_of, taken=taken, tried=tried):
            taken[key] = member
            return True
    return False


def _verify(bundle: Bundle, key: PublicKey) -> Statement:
    if bundle.keyid != key.fingerprint:
        raise broken(f"the bundle was made with {bundle.keyid}, not with {key.fingerprint}")
    if not is_valid(key, bundle.signature, pae(bundle.payload)):
        raise broken(f"the signature does not verify with {key.fingerprint}")
    return parse_statement(bundle.payload)
