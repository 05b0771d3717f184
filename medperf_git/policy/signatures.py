"""Rules about signatures: each bundle verifies and counts, and each record has all that it needs."""

from collections.abc import Iterator

from medperf_git.errors import MedperfGitError
from medperf_git.policy.authority import Need, needs_of
from medperf_git.policy.case import Case
from medperf_git.records import layout
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.record import Stored
from medperf_git.signing.verify import Vouch, count_keys, count_vouches, verify_vouch

SIGN = "sign it with `medperf-git sign`, which makes the signature that fits"


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
        for path, data in sorted(case.bundles.get(stored.path, {}).items()):
            try:
                vouch = _vouch(case, stored, data)
            except MedperfGitError as error:
                fix = error.hint or SIGN
                yield Finding("signature", f"this signature does not count: {error.message}", path=path, fix=fix)
                continue
            expected = layout.bundle_of(stored.path, vouch.key.short)
            if path != expected:
                message = "the signature lies under the name of another key"
                yield Finding("signature", message, path=path, expected=expected, got=path, fix="rename it")


def check_heads(case: Case) -> Iterator[Finding]:
    """Refuse a signature whose signer saw another history than the one it is proposed to."""
    for stored in case.records.values():
        for path, vouch in _vouches(case, stored):
            head = vouch.statement.head
            fits = head == "" if case.is_genesis else head != "" and case.change.knows_head(head)
            if not fits:
                message = "the signer saw a commit that is not on this registry's main line"
                fix = "run `medperf-git sync`, then submit again"
                yield Finding("head", message, path=path, got=head or "(none)", fix=fix)


def check_unsigned(case: Case) -> Iterator[Finding]:
    """Refuse a record that nobody who counts has signed."""
    for stored in case.records.values():
        if not any(True for _ in _vouches(case, stored)):
            who = " and ".join(need.who for need in needs_of(case, stored))
            message = "nobody whose signature counts has signed this record"
            yield Finding("unsigned", message, path=stored.path, expected=f"signed by {who}", got="none", fix=SIGN)


def check_missing_signatures(case: Case) -> Iterator[Finding]:
    """Ask for the signatures that a record still lacks."""
    for stored in case.records.values():
        vouches = [vouch for _, vouch in _vouches(case, stored)]
        if not vouches:
            continue  # the rule `unsigned` says so
        for need in needs_of(case, stored):
            have = _count(need, vouches)
            if have < need.count:
                yield _waits(stored, need, vouches, have)


def _waits(stored: Stored, need: Need, vouches: list[Vouch], have: int) -> Finding:
    signed = {vouch.member for vouch in vouches if (vouch.member, vouch.key) in need.holders}
    waiting = [name for name in need.members if name not in signed or need.keys_of_one] or list(need.members)
    names = ", ".join(waiting) or "nobody in this registry"
    return Finding(
        "missing-signature",
        f"waits for {need.who}: {names}",
        path=stored.path,
        expected=f"{need.count} signature{'s' if need.count > 1 else ''}",
        got=str(have),
        fix="that person runs `medperf-git inbox`, then `medperf-git sign`",
        severity=Severity.NEEDS_PERSON,
    )


def _count(need: Need, vouches: list[Vouch]) -> int:
    counted = [vouch for vouch in vouches if (vouch.member, vouch.key) in need.holders]
    if need.keys_of_one:
        return count_keys(counted, need.members[0]) if need.members else 0
    return count_vouches(counted, among=need.members)


def _vouches(case: Case, stored: Stored) -> Iterator[tuple[str, Vouch]]:
    for path, data in sorted(case.bundles.get(stored.path, {}).items()):
        try:
            yield path, _vouch(case, stored, data)
        except MedperfGitError:
            continue  # the rule `signature` says so


def _vouch(case: Case, stored: Stored, data: bytes) -> Vouch:
    holders = [holder for need in needs_of(case, stored) for holder in need.holders]
    return verify_vouch(data, path=stored.path, digest=stored.digest, registry=case.registry_id, holders=holders)
