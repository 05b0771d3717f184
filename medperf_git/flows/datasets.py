"""A prepared dataset → the record that would leave, shown before it does.

By default only the number of cases is published; a site names each further statistic itself. Labels, files and
paths never stand in a record.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.associations import build_request
from medperf_git.flows.disclosure import cases_of, limits_of
from medperf_git.flows.naming import Found, find, iter_found, next_version, refuse_withdrawn
from medperf_git.flows.prepared import Prepared, find_prepared, prepared_for, registry_stem
from medperf_git.flows.propose import Draft
from medperf_git.flows.unchanged import refuse_changed, telling
from medperf_git.flows.versions import near_versions
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.models import (
    Acquisition,
    Benchmark,
    Content,
    Dataset,
    Number,
    SiteDisclosure,
)
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import Stored, read_record, write_record
from medperf_git.records.statistics import MOST_DECIMALS, SMALLEST_COUNT, statistic_fault
from medperf_git.records.times import format_time
from medperf_git.records.view import RecordView
from medperf_git.runner.durable import read_json, write_json
from medperf_git.runner.manifest import Progress, Role, content_digest, medperf_hash
from medperf_git.runner.reduce import record_number

_REVIEWED = "reviewed.json"


@dataclass(frozen=True, slots=True)
class DatasetReview:
    """What would leave: the record's bytes and plain words about it."""

    path: str
    record: bytes
    stays: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Say what would leave, what stays, and who would see it."""
        yield f"This would leave the house, byte for byte, as {self.path}:"
        yield ""
        yield from self.record.decode().splitlines()
        yield ""
        yield "Everybody who can read the registry sees it, for ever: merged records are never deleted."
        yield from (f"It stays here: {what}" for what in self.stays)
        yield from (f"Beware: {warning}." for warning in self.warnings)

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": self.path,
            "record": self.record.decode(),
            "stays": list(self.stays),
            "warnings": list(self.warnings),
        }


def review_dataset(workspace: Workspace, name: str) -> DatasetReview:
    """Return what registering a prepared dataset would publish, and note it: `submit` sends exactly these bytes."""
    prepared = find_prepared(workspace.context.home, name, registry=registry_stem(workspace.registry_id))
    member = workspace.member or "your-name"
    record = _as_reviewed(workspace.view, prepared, member=member, created=_text_of_now(workspace))
    kept = [key for key in prepared.statistics if key not in prepared.published]
    stays = (
        f"{prepared.files} files in {prepared.where}",
        *([f"the statistics {', '.join(kept)}"] if kept else []),
        *(["the content digest and the salt; a commitment to them is published"] if prepared.salt else []),
    )
    near = near_versions(workspace.view, prepared, member=member, home=workspace.context.home)
    if (before := registered(workspace.view, prepared, member=member)) is not None:
        near = (f"these data are registered already, as {before.ref}, so nothing more of them would leave", *near)
    path, data = layout.dataset_path(record.ref), write_record(record)
    if fault := _form_fault(path, data):
        near = (f"the record would not be accepted ({fault}); prepare it again with other options", *near)
    return DatasetReview(path, data, stays, near)


def build_submission(
    workspace: Workspace, name: str, *, created: str, benchmark: str | None = None
) -> tuple[list[Draft], Ref]:
    """Compose the record of a prepared dataset, with its request to join a benchmark where one is named.

    Raises `IntegrityBroken` when the prepared files have changed since, `Refused` when the record was reviewed and
    would be another now.
    """
    member, view = workspace.require_member(), workspace.view
    prepared = find_prepared(workspace.context.home, name, registry=registry_stem(workspace.registry_id))
    refuse_changed(prepared, progress=telling(workspace.context.say, "checking the data"))
    if (before := registered(view, prepared, member=member)) is not None:
        ask = f"ask to join: medperf-git association request {benchmark} --dataset {before.ref}"
        hint = ask if benchmark else "nothing to do; `dataset show` shows it"
        raise Refused(f"these data are registered already, as {before.ref}", hint=hint)
    record = _as_reviewed(view, prepared, member=member, created=created, submits=True)
    path, data = layout.dataset_path(record.ref), write_record(record)
    if fault := _form_fault(path, data):
        raise Refused(f"the record would not be accepted: {fault}", hint="prepare it again with other options")
    drafts = [Draft(path, record)]
    if benchmark:
        about = find(view, Benchmark, benchmark, member=member)
        refuse_withdrawn(view, about.stored)
        subject = Found(Stored(_place(path), record, digest_of(data)), record)
        drafts.append(build_request(view, about, subject, member=member, created=record.created))
    return drafts, record.ref


def _form_fault(path: str, data: bytes) -> str:
    """Say what is wrong with the form of a record; empty when nothing is."""
    return "; ".join(f"{finding.pointer}: {finding.message}" for finding in read_record(path, data).findings)


def build_dataset(view: RecordView, prepared: Prepared, *, member: str, created: str) -> Dataset:
    """Return the record of a prepared dataset; the number of cases is written as the benchmark's policy says."""
    words = prepared.words
    benchmark = find(view, Benchmark, prepared.benchmark, member=None)
    site = SiteDisclosure(words.get("min_cases"), words.get("decimals"))
    own = site if site != SiteDisclosure() else None
    acquisition = Acquisition(**words.get("acquisition", {}))
    refuse_revealing(prepared, least=max(site.min_cases or 1, SMALLEST_COUNT))
    exact = limits_of(view, benchmark.ref, own).exact
    return Dataset(
        created=created,
        member=MemberName(member),
        name=prepared.name,
        version=next_version(view, Dataset, member, prepared.name),
        title=prepared.title,
        description=words.get("description"),
        preparator=prepared.preparator,
        cases=cases_of(prepared.cases, exact=exact),
        content=Content("mgds-v1-salted" if prepared.salt else "mgds-v1", prepared.published_digest),
        statistics={key: _rounded(prepared.statistics[key]) for key in prepared.published} or None,
        acquisition=acquisition if acquisition != Acquisition() else None,
        terms=words.get("terms"),
        disclosure=own,
    )


def _as_reviewed(view: RecordView, prepared: Prepared, *, member: str, created: str, submits: bool = False) -> Dataset:
    """Return the record as it was shown last while all in it is the same, else one `created` now; note it as shown.

    A page that was printed and signed in the house names the digest of the record, which its time is a part of. So
    what was reviewed is submitted unchanged, or is reviewed again.
    """
    noted = read_json(prepared.folder / _REVIEWED) or {}
    was_reviewed = bool(noted.get("reviewed"))
    record = None
    if isinstance(before := noted.get("created"), str):
        same = build_dataset(view, prepared, member=member, created=before)
        record = same if digest_of(write_record(same)) == noted.get("digest") else None
    if record is None and submits and was_reviewed:
        hint = f"review it again: medperf-git dataset review {prepared.name}"
        raise Refused(f"the record of {prepared.name} would not be the one that was reviewed", hint=hint)
    record = record or build_dataset(view, prepared, member=member, created=created)
    note = {
        "created": record.created,
        "digest": digest_of(write_record(record)),
        "reviewed": was_reviewed or not submits,
    }
    if note != noted:
        write_json(prepared.folder / _REVIEWED, note)
    return record


def _rounded(number: Number) -> Number:
    return number if isinstance(number, int) else record_number(number, MOST_DECIMALS)


def refuse_revealing(prepared: Prepared, *, least: int) -> None:
    """Raise `Refused` when a statistic that was chosen for publication could show a single patient."""
    for name in prepared.published:
        if fault := statistic_fault(name, _rounded(prepared.statistics[name]), least=least):
            raise Refused(fault[0], hint=f"{fault[1]}; prepare again without `--publish {name}`")


def registered(view: RecordView, prepared: Prepared, *, member: str) -> Found[Dataset] | None:
    """Return the record of a member that names the same content, when there is one."""
    for found in iter_found(view, Dataset):
        if found.record.member == member and found.record.content.digest == prepared.published_digest:
            return found
    return None


def verify_dataset(workspace: Workspace, name: str) -> dict[str, Any]:
    """Check the prepared files against the registered record when there is one, else against their preparation."""
    home = workspace.context.home
    try:
        found = find(workspace.view, Dataset, name, member=workspace.member)
    except UsageProblem:
        prepared = find_prepared(home, name, registry=registry_stem(workspace.registry_id))
        called, digest = name, None
    else:
        prepared, called, digest = prepared_for(home, found.record), str(found.ref), found.record.content.digest
    files = refuse_changed(prepared, progress=telling(workspace.context.say, "checking the data"))
    return {"dataset": called, "digest": digest or prepared.content, "files": files, "registered": digest is not None}


def hash_folders(folders: Iterable[Path], *, medperf: bool, progress: Progress | None = None) -> str:
    """Return the `mgds-v1` digest of data, labels and metadata folders in this order, or MedPerf's hash."""
    given = list(folders)
    if medperf:
        return medperf_hash(given, progress=progress)
    roles: tuple[Role, ...] = ("data", "labels", "metadata")
    if len(given) > len(roles):
        raise UsageProblem(f"{len(given)} folders were given", hint="give data, then labels, then metadata")
    return content_digest(dict(zip(roles, given, strict=False)), progress=progress)


def new_salt(random_bytes: bytes) -> str:
    """Return a salt for a commitment, as hexadecimal text."""
    return hashlib.sha256(random_bytes).hexdigest()


def acquisition_words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the acquisition fields of what a person said; `years` is `2015-2019` or one year."""
    words: dict[str, Any] = {key: options[key] for key in ("country", "modality", "equipment") if options.get(key)}
    if years := options.get("years"):
        first, _, last = str(years).partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise UsageProblem(f"{years!r} are no years", hint="write --years 2015-2019")
        words |= {"from_year": int(first), "to_year": int(last or first)}
    return words


def _place(path: str) -> layout.Place:
    place = layout.place_of(path)
    if place is None:
        raise UsageProblem(f"{path} is no path of a record", hint="choose another --name")
    return place


def _text_of_now(workspace: Workspace) -> str:
    return format_time(workspace.context.clock())
