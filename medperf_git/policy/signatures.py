"""Rules about signatures: each bundle verifies and counts, and each record has all that it needs."""

from collections.abc import Iterator
from dataclasses import dataclass

from medperf_git.errors import MedperfGitError
from medperf_git.policy.authority import Need, needs_of
from medperf_git.policy.case import Case
from medperf_git.records import layout
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.record import Stored
from medperf_git.signing.verify import Vouch, count_keys, count_vouches, verify_vouch

SIGN = "sign it with `medperf-git sign`, which makes the signature that fits"


@dataclass(frozen=True, slots=True)
class Signed:
    """The signatures on one record: those that verify and count by their path, why others do not, what is needed."""

    vouches: dict[str, Vouch]
    broken: dict[str, MedperfGitError]
    needs: tuple[Need, ...]


def signed(case: Case, stored: Stored) -> Signed:
    """Verify the signatures on an added record, once."""
    if stored.path not in case.memo:
        case.memo[stored.path] = _verify(case, stored)
    found: Signed = case.memo[stored.path]
    return found


def check_stray_bundles(case: Case) -> Iterator[Finding]:
    """Refuse signatures of records that are not part of the change."""
    for record_path, bundles in sorted(case.bundles.items()):
        if record_path not in case.change.added:
            for path in sorted(bundles):
                fix = "leave it out: only a record of the same proposal can be signed"
                yield Finding("stray-signature", f"{record_path} is not in this proposal", path=path, fix=fix)


def check_signatures(case: Case) -> Iterator[Finding]:
    """Refuse a bundle that does not verify, is filed under another key, or is by a key that does not count."""
    for stored in case.records.values():
        found = signed(case, stored)
        for path, error in found.broken.items():
            fix = error.hint or SIGN
            yield Finding("signature", f"this signature does not count: {error.message}", path=path, fix=fix)
        for path, vouch in found.vouches.items():
            expected = layout.bundle_of(stored.path, vouch.key.short)
            if path != expected:
                message = "the signature lies under the name of another key"
                yield Finding("signature", message, path=path, expected=expected, got=path, fix="rename it")


def check_heads(case: Case) -> Iterator[Finding]:
    """Refuse a signature whose signer saw another history than the one it is proposed to."""
    for stored in case.records.values():
        for path, vouch in signed(case, stored).vouches.items():
            head = vouch.statement.head
            fits = head == "" if case.is_genesis else head in case.change.history
            if not fits:
                message = "the signer saw a commit that is not on this registry's main line"
                fix = "run `medperf-git sync`, then submit again"
                yield Finding("head", message, path=path, got=head or "(none)", fix=fix)


def check_unsigned(case: Case) -> Iterator[Finding]:
    """Refuse a record that nobody who counts has signed."""
    for stored in case.records.values():
        found = signed(case, stored)
        counting = {holder for need in found.needs if not need.brought for holder in need.holders}
        if not any((vouch.member, vouch.key) in counting for vouch in found.vouches.values()):
            who = " and ".join(need.who for need in found.needs)
            message = "nobody whose signature counts has signed this record"
            if found.vouches:
                message = "only keys that this record itself brings have signed it"
            yield Finding("unsigned", message, path=stored.path, expected=f"signed by {who}", fix=SIGN)


def check_missing_signatures(case: Case) -> Iterator[Finding]:
    """Ask for the signatures that a record still lacks, and refuse a record that can never have them."""
    for stored in case.records.values():
        found = signed(case, stored)
        for need in found.needs:
            have = _count(need, found)
            if _possible(need) < need.count:
                yield _hopeless(stored, need)
            elif have < need.count and found.vouches:  # without any the rule `unsigned` says so
                yield _waits(stored, need, found, have=have)


def _hopeless(stored: Stored, need: Need) -> Finding:
    return Finding(
        "missing-signature",
        f"needs {need.who}, and no active members with enough keys could sign",
        path=stored.path,
        expected=f"{need.count} of {', '.join(need.members) or 'nobody'}",
        got=f"{_possible(need)} that could sign",
        fix="see `medperf-git member show` for who is active and with which keys",
    )


def _waits(stored: Stored, need: Need, found: Signed, *, have: int) -> Finding:
    done = {vouch.member for vouch in found.vouches.values() if (vouch.member, vouch.key) in need.holders}
    able = {member for member, _ in need.holders}
    waiting = [name for name in need.members if name in able and name not in done]
    return Finding(
        "missing-signature",
        f"waits for {need.who}: {', '.join(waiting or need.members)}",
        path=stored.path,
        expected=f"{need.count} signature{'s' if need.count > 1 else ''}",
        got=str(have),
        fix="that person runs `medperf-git inbox`, then `medperf-git sign`",
        severity=Severity.NEEDS_PERSON,
    )


def _count(need: Need, found: Signed) -> int:
    counted = [vouch for vouch in found.vouches.values() if (vouch.member, vouch.key) in need.holders]
    if need.keys_of_one:
        return sum(count_keys(counted, member) for member in need.members)
    return count_vouches(counted, among=need.members)


def _possible(need: Need) -> int:
    """Return how many signatures could ever count; each key belongs to one member, so members are enough to count."""
    if need.keys_of_one:
        return len({key for _, key in need.holders})
    return len({member for member, _ in need.holders})


def _verify(case: Case, stored: Stored) -> Signed:
    needs = needs_of(case, stored)
    holders = list(dict.fromkeys(holder for need in needs for holder in need.holders))
    found = Signed({}, {}, needs)
    for path, data in sorted(case.bundles.get(stored.path, {}).items()):
        try:
            found.vouches[path] = verify_vouch(
                data, path=stored.path, digest=stored.digest, registry=case.registry_id, holders=holders
            )
        except MedperfGitError as error:
            found.broken[path] = error
    return found
