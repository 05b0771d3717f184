"""Objects made by hand, also such as Git would never make; a fixed clock; a judge that believes Git alone."""

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pygit2.enums import ObjectType

from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Verdict
from medperf_git.records.findings import Finding, Severity
from medperf_git.registry.commits import Author, set_ref, write_commit, write_merge, write_root
from medperf_git.registry.objects import Store

START = datetime(2026, 11, 25, 10, tzinfo=UTC)
GENESIS = {"registry/0001.yaml": b"kind: registry\n", "members/ana/0001.yaml": b"kind: member\n"}
FILE, FOLDER = b"100644", b"40000"


def author(minutes: int = 0) -> Author:
    return Author("Ana", "ana@example.org", START + timedelta(minutes=minutes))


def genesis(store: Store, files: Mapping[str, bytes] = GENESIS) -> str:
    return write_root(store, files, message="Begin", author=author())


def add(store: Store, parent: str, files: Mapping[str, bytes], *, minutes: int = 1) -> str:
    return write_commit(store, parent, files, message="Add", author=author(minutes))


def merge(store: Store, base: str, head: str, files: Mapping[str, bytes], *, minutes: int = 2) -> str:
    return write_merge(store, base, head, files=files, message="Merge", author=author(minutes))


def blob(store: Store, data: bytes = b"data\n") -> bytes:
    return store.repository.create_blob(data).raw


def raw_tree(store: Store, *entries: tuple[bytes, bytes, bytes]) -> bytes:
    """Write a tree of exactly these entries in exactly this order."""
    data = b"".join(mode + b" " + name + b"\0" + oid for mode, name, oid in entries)
    return store.repository.odb.write(ObjectType.TREE, data).raw


def raw_commit(store: Store, tree: bytes, parents: tuple[str, ...] = (), *, time: int = 1_795_600_000) -> str:
    lines = [f"tree {tree.hex()}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author A <a@b> {time} +0000", f"committer A <a@b> {time} +0000", "", "By hand"]
    return str(store.repository.odb.write(ObjectType.COMMIT, "\n".join(lines).encode()))


def moved(store: Store, commit: str) -> str:
    set_ref(store, "refs/heads/main", commit)
    return commit


def believing_git(change: Change) -> Verdict:
    """Pass what Git shows no fault in; a file named `wait` needs a person, one named `bad` fails."""
    findings = list(change.faults)
    if any(path.endswith("wait.yaml") for path in change.added):
        findings.append(Finding("signature", "somebody must sign", severity=Severity.NEEDS_PERSON))
    if any(path.endswith("bad.yaml") for path in change.added):
        findings.append(Finding("bad", "this is bad"))
    return Verdict.of(findings)


def rules(change_or_verdict: object) -> set[str]:
    findings = getattr(change_or_verdict, "faults", None)
    if findings is None:
        findings = change_or_verdict.findings
    return {finding.rule for finding in findings}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
