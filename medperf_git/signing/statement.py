"""What a signature says: this record file, in this registry, seen from this commit, by this member.

An in-toto Statement v1 with one subject. The predicate holds only what the record cannot hold itself. `signed_at` is
informative: whether a key counts is decided by the place in history, never by this time. The bytes of a payload are
its one RFC 8785 form; any other spelling of the same values is refused. See `registry_spec/statement.md`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from medperf_git.errors import IntegrityBroken
from medperf_git.records.digests import Digest, bare_hex, digest_of, is_digest
from medperf_git.records.names import name_fault
from medperf_git.records.times import format_time, parse_time
from medperf_git.signing import strict_json
from medperf_git.signing.strict_json import broken, shown, take_constant, take_object, take_only, take_text

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://medperf-git.github.io/registry-statement/v1"
PAYLOAD_LIMIT = 8 * 1024

_SEGMENT = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_PATH = re.compile(rf"(?:{_SEGMENT}/)+{_SEGMENT}\.yaml")
_REGISTRY = re.compile(r"mg1:[0-9a-f]{64}")
_HEAD = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
# The canonical form as a whole: head, registry, time, signer, digest, path.
_FORM = re.compile(
    rb'\{"_type":"%s","predicate":\{"head":"(%s)","registry":"(%s)","signedAt":"([0-9TZ:-]{20})",'
    rb'"signer":"([a-z0-9-]+)"\},"predicateType":"%s",'
    rb'"subject":\[\{"digest":\{"sha256":"([0-9a-f]{64})"\},"name":"(%s)"\}\]\}'
    % (
        re.escape(STATEMENT_TYPE.encode()),
        _HEAD.pattern.encode(),
        _REGISTRY.pattern.encode(),
        re.escape(PREDICATE_TYPE.encode()),
        _PATH.pattern.encode(),
    )
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One signed sentence; IntegrityBroken when a field could not stand in a payload.

    `path`: of the record, from the root; `digest`: of its bytes; `registry`: `mg1:<64 hex>`; `head`: 40 or 64 hex of
    the first-parent commit that the signer saw, empty at the genesis; `signed_at`: aware, kept in UTC, whole seconds.
    """

    path: str
    digest: Digest
    registry: str
    head: str
    signer: str
    signed_at: datetime

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path) or len(self.path) > 1024:
            raise broken(f"the subject {shown(self.path)} is not the path of a record")
        if not is_digest(self.digest):
            raise broken(f"the subject's digest {shown(self.digest)} is not a SHA-256")
        if not _REGISTRY.fullmatch(self.registry):
            raise broken(f"the registry {shown(self.registry)} is not like mg1:<64 hex>")
        if not _HEAD.fullmatch(self.head):
            raise broken(f"the head {shown(self.head)} is neither empty nor 40 or 64 hex digits")
        if fault := name_fault(self.signer):
            raise broken(f"the signer {shown(self.signer)} is not a member's name: {fault}")
        if self.signed_at.tzinfo is None:
            raise broken("the time of signing has no time zone")
        object.__setattr__(self, "signed_at", self.signed_at.astimezone(UTC).replace(microsecond=0))

    @classmethod
    def about(cls, path: str, record: bytes, *, registry: str, head: str, signer: str, signed_at: datetime) -> Self:
        """Build the statement about the bytes `record` of the file at `path`."""
        return cls(path, digest_of(record), registry, head, signer, signed_at)

    def payload(self) -> bytes:
        """Return the one byte form of the statement, RFC 8785 JSON without a newline."""
        return strict_json.canonical(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.path, "digest": {"sha256": bare_hex(self.digest)}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": {
                    "registry": self.registry,
                    "head": self.head,
                    "signer": self.signer,
                    "signedAt": format_time(self.signed_at),
                },
            }
        )


def parse_statement(data: bytes) -> Statement:
    """Read a payload; IntegrityBroken says which part is not what it must be. Proves nothing about its signer."""
    return _accepted(data) or _parse_carefully(data)


def _accepted(data: bytes) -> Statement | None:
    """Read a payload in its canonical form the quick way; None when only the careful way can tell."""
    match = _FORM.fullmatch(data) if len(data) <= PAYLOAD_LIMIT else None
    if match is None:
        return None
    head, registry, signed_at, signer, digest, path = (part.decode("ascii") for part in match.groups())
    try:
        return Statement(path, Digest("sha256:" + digest), registry, head, signer, parse_time(signed_at))
    except (IntegrityBroken, ValueError):
        return None


def _parse_carefully(data: bytes) -> Statement:
    value = strict_json.parse_json(data, limit=PAYLOAD_LIMIT, what="the statement")
    top = take_object(value, ("_type", "predicate", "predicateType", "subject"), where="the statement")
    take_constant(top["_type"], STATEMENT_TYPE, where="the statement's _type")
    take_constant(top["predicateType"], PREDICATE_TYPE, where="the statement's predicateType")
    subject = take_object(
        take_only(top["subject"], where="the statement's subject"), ("digest", "name"), where="the subject"
    )
    digest = take_object(subject["digest"], ("sha256",), where="the subject's digest")
    predicate = take_object(top["predicate"], ("head", "registry", "signedAt", "signer"), where="the predicate")
    statement = Statement(
        take_text(subject["name"], where="the subject's name"),
        Digest("sha256:" + take_text(digest["sha256"], where="the subject's sha256")),
        take_text(predicate["registry"], where="the predicate's registry"),
        take_text(predicate["head"], where="the predicate's head"),
        take_text(predicate["signer"], where="the predicate's signer"),
        _parse_signed_at(take_text(predicate["signedAt"], where="the predicate's signedAt")),
    )
    if statement.payload() != data:
        raise broken("the statement is not in its one canonical form (RFC 8785)")
    return statement


def _parse_signed_at(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise broken(f"the predicate's signedAt is {shown(text)}, not a time like 2026-11-25T10:00:00Z") from error
