"""Result records as entries: values, state, signatures, notices and what they rest on.

Rules kept here: nothing is verified, `sync` has judged the commit; what many results share is read once.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from medperf_git.leaderboard.tables import CellState, Measured, Notice, Reference, ResultEntry, Signature, Source
from medperf_git.records import folds, layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.record import Stored, read_record
from medperf_git.records.view import RecordView, bundles_of, chain

_KEY_LINE = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+=*")
REASONS: Mapping[str, str] = {
    "exit-code": "the container ended with an error",
    "out-of-memory": "it needed more memory than it was given",
    "timeout": "it did not end in time",
    "disk": "it filled its disk space",
    "invalid-output": "its output was not what the benchmark asks for",
    "sandbox": "it tried what the sandbox forbids",
    "needs-gpu": "it needs a GPU, and the site has none",
    "image-unavailable": "its image could not be had",
    "declined": "the site declined to run it",
}


class ResultReader:
    """Reads chains of results; in brief without their signatures and what they rest on."""

    def __init__(self, view: RecordView, *, brief: bool = False) -> None:
        self.view = view
        self.touched: set[str] = set()  # what was asked for beside results and their notices (`column_files.Ids`)
        self._brief = brief
        self._now: dict[str, str] = {}
        self._quiet = ("", False)  # a column, and whether nothing can be said about its results
        self._lines: dict[tuple[str, str], str] = {}

    def chain(self, folder: str) -> tuple[ResultEntry, ...]:
        """Read the results in a folder, oldest first; none where the first link is broken."""
        links = chain(self.view, folder)
        return tuple(self._entry(link, link.record) for link in links if isinstance(link.record, models.Result))

    def why_broken(self, path: str) -> str:
        """Say why a record is no link of its chain."""
        findings = read_record(path, self.view.blob(path) or b"").findings
        if findings:
            return f"the record cannot be read: {findings[0].message}"
        return "it stands after a gap or an unreadable record in its chain"

    def source(self, stored: Stored) -> Source:
        """Gather a record's path, digest and the signatures beside it."""
        bundles = () if self._brief else bundles_of(self.view, stored.path)
        return Source(stored.path, stored.digest, tuple(self._signature(path) for path in bundles))

    def reference(self, role: str, reference: models.Reference) -> Reference:
        """Find a record that another one names, as it is now."""
        folder = {"benchmark": "benchmarks", "dataset": "datasets"}.get(role, "cubes")
        path = folds.versioned_path(folder, reference.ref)
        self.touched.add(f"blob {path}")
        if path not in self._now:
            data = self.view.blob(path)
            self._now[path] = "" if data is None else digest_of(data)
        return Reference(role, reference.ref, path, reference.digest, self._now[path])

    def _entry(self, link: Stored, record: models.Result) -> ResultEntry:
        marks = self._marks(link.path)
        state = CellState(record.outcome)
        if marks.withdrawn or marks.disputed:
            state = CellState.WITHDRAWN if marks.withdrawn else CellState.DISPUTED
        parameters = record.parameters or models.ParameterDigests()
        return ResultEntry(
            source=self.source(link),
            benchmark=record.benchmark.ref,
            model=record.model.ref,
            dataset=record.dataset.ref,
            number=link.place.number,
            state=state,
            reason=REASONS.get(record.reason, record.reason) if record.reason else "",
            values={name: _measured(value) for name, value in (record.values or {}).items()},
            cases=str(record.cases),
            attempt=record.attempt,
            references=() if self._brief else self._references(record),
            images={"model": record.images.model, "metrics": record.images.metrics},
            parameters={
                role: digest
                for role, digest in (("model", parameters.model), ("metrics", parameters.metrics))
                if digest
            },
            sandbox=record.sandbox,
            engine=f"{record.engine.name} {record.engine.version}",
            client=record.client,
            started=record.started,
            finished=record.finished,
            created=record.created,
            assurance=record.assurance,
            notices=notices_of(self.view, link.path) if marks.events else (),
            outcome=CellState(record.outcome),
        )

    def _marks(self, path: str) -> folds.Marks:
        """Fold the notices about a result; a column without any, whose owner revoked no key, is looked at once."""
        column = path.rsplit("/", 2)[0]
        if self._quiet[0] != column:
            owner = folds.member_state(self.view, Ref.from_folder(column.rpartition("/")[2]).member)
            known = bool(self.view.names(f"notices/{column}")) or (owner is not None and bool(owner.revoked))
            self._quiet = column, not known
        return folds.Marks() if self._quiet[1] else folds.marks_of(self.view, path)

    def _references(self, record: models.Result) -> tuple[Reference, ...]:
        return (
            self.reference("benchmark", record.benchmark),
            self.reference("dataset", record.dataset),
            self.reference("model", record.model),
            self.reference("data preparator", record.data_preparator),
            self.reference("metrics", record.metrics_cube),
        )

    def _signature(self, path: str) -> Signature:
        """Read what a bundle claims; a bundle that cannot be read shows only its path."""
        try:
            envelope = json.loads(self.view.blob(path) or b"")["dsseEnvelope"]
            predicate: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
            key = str(envelope["signatures"][0]["keyid"])
            signer, signed_at, head = (str(predicate.get(name, "")) for name in ("signer", "signedAt", "head"))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return Signature(path, "", "", "", "")
        if not name_fault(signer):
            self.touched.add(f"folder {layout.member_folder(signer)}")
        if (signer, key) not in self._lines:
            self._lines[signer, key] = public_key(self.view, signer, key)
        return Signature(path, signer, key, signed_at, head, self._lines[signer, key])


def public_key(view: RecordView, signer: str, fingerprint: str) -> str:
    """Find the key line with an OpenSSH fingerprint among all keys a member ever had, empty if there is none."""
    if name_fault(signer):
        return ""
    for link in chain(view, layout.member_folder(signer)):
        keys = link.record.keys if isinstance(link.record, models.Member) else models.Keys(())
        for entry in (*keys.signing, *(keys.recovery or ())):
            line = " ".join(entry.key.split()[:2])
            if _KEY_LINE.fullmatch(line) and fingerprint_of(line) == fingerprint:
                return line
    return ""


def fingerprint_of(line: str) -> str:
    """Give the OpenSSH fingerprint of a key line, empty where the line is none."""
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except (ValueError, IndexError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def notices_of(view: RecordView, record_path: str) -> tuple[Notice, ...]:
    """Read the notices about a record, oldest first."""
    links = chain(view, layout.notice_folder(record_path))
    said = ((link.path, link.record) for link in links if isinstance(link.record, models.Notice))
    return tuple(Notice(path, one.event, one.by, one.reason, one.created) for path, one in said)


def _measured(value: models.MetricValue) -> Measured:
    number = None if value.value is None else float(value.value)
    sd = None if value.sd is None else float(value.sd)
    return Measured(number, sd, value.n, value.n_failed, value.n_undefined, value.counts)
