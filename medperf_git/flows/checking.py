"""The one judge, asked from outside: a change between two commits, or files on disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medperf_git.errors import MedperfGitError, UsageProblem
from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.findings import Finding
from medperf_git.records.layout import QUARANTINE, Kind, place_of
from medperf_git.records.record import check_document, parse_document, read_record, write_value
from medperf_git.records.strict_yaml import Unreadable, parse_yaml
from medperf_git.registry.commits import submission_id
from medperf_git.registry.objects import Meter, Store, is_commit_id
from medperf_git.registry.quarantine import standing_behind
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.standing import SOUND
from medperf_git.registry.steps import judge_proposal
from medperf_git.registry.sync import GENESIS_RECORD, audit
from medperf_git.registry.transport import UPSTREAM_MAIN, UPSTREAM_PROPOSALS

if TYPE_CHECKING:
    from medperf_git.leaderboard.comparison import Comparison
    from medperf_git.leaderboard.difference import Difference


@dataclass(frozen=True, slots=True)
class Checked:
    """A verdict, what reading cost, and what was judged: commits or files.

    Of a change between commits `proposal` is its id and `change` what it adds; `ranking` (what it does to the
    rankings) and `comparison` (of its results with others) are there when asked for.
    """

    verdict: Verdict
    meter: Meter
    subject: dict[str, object]
    proposal: str = ""
    change: Change | None = None
    comparison: "Comparison | None" = None
    ranking: "Difference | None" = None

    def as_value(self) -> dict[str, object]:
        """Return plain values for JSON; reading is split into trees and everything else."""
        meter = self.meter
        compared = {} if self.comparison is None else {"comparison": self.comparison.as_value()}
        return {
            "verdict": str(self.verdict.outcome),
            **self.subject,
            "findings": [finding.as_value() for finding in self.verdict.findings],
            "objects_read": {"tree": meter.trees_read, "other": meter.others_read, "total": meter.objects_read},
            "bytes_read": {"tree": meter.tree_bytes, "other": meter.other_bytes, "total": meter.bytes_read},
            **compared,
            **self._ranking_value(),
        }

    def _ranking_value(self) -> dict[str, object]:
        if self.ranking is None:
            return {}
        from medperf_git.leaderboard.difference_value import difference_value  # noqa: PLC0415  (brings numpy, scipy)

        return {"ranking": difference_value(self.ranking)}


def open_repository(folder: Path) -> Store:
    """Open the repository whose work tree or Git folder is `folder`."""
    return Store.open(folder, trust_owner=os.environ.get("CI") == "true")


def find_registry_here(folder: Path) -> Store | None:
    """Open the repository of this folder when it holds a registry; None otherwise."""
    if not ((folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())):
        return None
    store = open_repository(folder)
    tips = [commit for name in ("main", "HEAD", "refs/remotes/origin/main") if (commit := _tip(store, name))]
    return store if any(Snapshot.at(store, tip).blob_id(GENESIS_RECORD) for tip in tips) else None


def check_change(store: Store, base: str, head: str, *, at: datetime) -> Checked:
    """Judge what merging `head` into `base` would do; our own trouble is `could-not-check`."""
    subject: dict[str, object] = {"base": base, "head": head}
    mark = store.meter.mark()
    try:
        known_base, known_head = resolve(store, base), resolve(store, head)
        subject = {"base": known_base, "head": known_head}
        judgement = judge_proposal(store, known_base, known_head, at=at)
        if any(path.startswith(f"{QUARANTINE}/") for path in judgement.change.added):
            stopped = audit(store, known_base, now=at).stopped  # only a whole history tells what waits to be set aside
            standing = standing_behind(store, known_base, broken=stopped.commit) if stopped else SOUND
            judgement = judge_proposal(store, known_base, known_head, at=at, standing=standing)
    except UsageProblem:
        raise
    except MedperfGitError as problem:
        trouble = Finding("could-not-check", problem.message, fix=problem.hint)
        return Checked(Verdict(Outcome.COULD_NOT_CHECK, (trouble,)), store.meter.since(mark), subject)
    proposal = submission_id(judgement.files) if judgement.files else ""
    return Checked(judgement.verdict, judgement.meter, subject, proposal, judgement.change)


def resolve(store: Store, text: str) -> str:
    """Return the commit that a full id, a branch, an open proposal or HEAD names; UsageProblem when there is none."""
    if is_commit_id(text):
        if store.has_commit(text):
            return text
        raise UsageProblem(f"commit {text} is not in {store.path}", hint="fetch it first")
    names = (
        "HEAD" if text == "HEAD" else f"refs/heads/{text}",
        f"refs/remotes/{text}",
        UPSTREAM_MAIN if text == "main" else f"{UPSTREAM_PROPOSALS}{text.removeprefix('submit/')}",
        text if text.startswith("refs/") else "",
    )
    for name in names:
        if name and (found := _ref(store, name)):
            return found
    raise UsageProblem(f"{text!r} names no commit in {store.path}", hint="give a branch or a full commit id")


def _tip(store: Store, name: str) -> str | None:
    return _ref(store, name if name == "HEAD" or name.startswith("refs/") else f"refs/heads/{name}")


def _ref(store: Store, name: str) -> str | None:
    if name == "HEAD":
        return None if store.repository.head_is_unborn else str(store.repository.head.target)
    try:
        return store.ref(name)
    except ValueError:  # no valid name of a ref, so there is none
        return None


def check_files(paths: Sequence[Path]) -> Checked:
    """Check record files or drafts by themselves: text, schema, canonical form."""
    findings: list[Finding] = []
    for path in paths:
        findings += check_file(path)
    return Checked(Verdict.of(findings), Meter(), {"files": [str(path) for path in paths]})


def check_file(path: Path) -> list[Finding]:
    """Check one file; where its path ends like a record's, its place is checked too."""
    data = path.read_bytes()
    if place := record_path_of(path):
        return [finding.at(str(path)) for finding in read_record(place, data).findings]
    try:
        large = data.startswith(b"kind: comparison\n")  # as the canonical form begins
        document = parse_document(data, Kind.COMPARISON) if large else parse_yaml(data)
    except Unreadable as fault:
        return [fault.finding.at(str(path))]
    kind = document.value.get("kind")
    if kind not in list(Kind):
        listed = ", ".join(Kind)
        return [Finding("kind", "no known kind of record", path=str(path), got=str(kind), fix=f"use one of: {listed}")]
    found = check_document(document, Kind(str(kind)))
    if not found:
        try:
            canonical = write_value(Kind(str(kind)), document.value)
        except ValueError as error:
            return [Finding("canonical", str(error), path=str(path), fix="correct that value")]
        if canonical != data:
            found = [Finding("canonical", "not in canonical form", fix=f"run `medperf-git fmt {path}`")]
    return [finding.at(str(path)) for finding in found]


def record_path_of(path: Path) -> str:
    """Return the longest end of a path that is a record's path; empty when none is."""
    parts = path.absolute().parts
    for start in range(len(parts)):
        if place_of("/".join(parts[start:])) is not None:
            return "/".join(parts[start:])
    return ""
