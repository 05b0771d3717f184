"""A commit of a registry → the leaderboard's files on disk.

Nothing is shown that was not verified: every step from the genesis up to the commit is judged first.
"""

import contextlib
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.home import write_file
from medperf_git.flows.recent_steps import recent_steps
from medperf_git.leaderboard.build import build_folder
from medperf_git.leaderboard.build_cache import BuildCache, edition
from medperf_git.leaderboard.writing import CHECKPOINT, disk_errors
from medperf_git.records.findings import Finding
from medperf_git.records.folds import registry_state
from medperf_git.records.times import format_time
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.sync import audit, registry_id
from medperf_git.signing.note import Checkpoint, make_note
from medperf_git.signing.signers import AskPassphrase, FileSigner

PROCESSES = 2
_KEY = 32

_BRANCHES = ("refs/heads/{}", "refs/remotes/origin/{}", "refs/upstream/{}", "refs/tags/{}", "{}")


class InvalidStep(IntegrityBroken):
    """A step of main is not valid; carries the findings of its judge."""

    def __init__(self, message: str, findings: tuple[Finding, ...], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class BuiltSite:
    """What was built: from which commit, where, how many files."""

    commit: str
    registry_id: str
    out: Path
    files: int
    verified: int
    checkpoint_key: str | None = None

    @property
    def index(self) -> Path:
        """The page to open first."""
        return self.out / "index.html"


def build_from_repository(
    repository: Path,
    *,
    at: str,
    out: Path,
    expected: str | None = None,
    now: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: BuildCache | None = None,
) -> BuiltSite:
    """Verify the history of a repository up to `at` (a branch or 40 hexadecimal digits) and write its site.

    Raises `IntegrityBroken` when a step is not valid or the registry is another than `expected`.
    """
    store = Store.open(repository, trust_owner=True)
    commit = resolve_commit(store, at)
    report = audit(store, commit, expected=expected, progress=progress, now=now)
    if report.stopped is not None:
        raise InvalidStep(
            f"commit {report.stopped.commit[:12]} is not valid; no site is built from it",
            report.stopped.judgement.findings,
            hint="tell the maintainers of the registry",
        )
    known = report.pin.registry if report.pin else registry_id(store, commit)
    return write_from_store(store, commit=commit, registry=known, out=out, verified=report.verified, cache=cache)


def site_cache(home: Path, out: Path, folder: Path | None = None) -> BuildCache:
    """Return where the last build of `out` is remembered: in `folder`, by default among this program's own files.

    It is sealed with a key that never leaves the home folder, so that nobody else's is believed. UsageProblem: the
    folder lies in the site.
    """
    out = out.absolute()
    place = (folder or home / "cache" / "builds").absolute()
    if place.is_relative_to(out) or Path(os.path.realpath(place)).is_relative_to(os.path.realpath(out)):
        raise UsageProblem(f"the cache {place} lies in the site", hint="choose a folder outside of what is published")
    name = hashlib.sha256(os.fsencode(out)).hexdigest()[:16]
    return BuildCache(place / f"{name}.build", key=_cache_key(home), edition=edition())


def _cache_key(home: Path) -> bytes:
    """Return this user's key, made when it is first needed; one that is no key of ours is made anew."""
    path = home / "cache" / "builds.key"
    with contextlib.suppress(OSError):
        status = path.stat()
        private = sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
        if private and len(key := path.read_bytes()) == _KEY:
            return key
    key = secrets.token_bytes(_KEY)
    try:
        write_file(path, key)
    except EnvironmentProblem as problem:
        raise EnvironmentProblem(problem.message, hint=f"{problem.hint}, or say --no-cache") from problem
    return key


def write_checkpoint(built: BuiltSite, *, key: Path, now: datetime, passphrase: AskPassphrase) -> Path:
    """Write the signed note of freshness beside a site whose whole history was verified.

    Refused: the registry names no checkpoint, or another key: a note that nobody would believe is not published.
    """
    signer = FileSigner.load(key, passphrase=passphrase)
    if built.checkpoint_key != signer.public.openssh:
        said = "asks for no notes" if built.checkpoint_key is None else "names another key for its notes"
        raise Refused(f"the registry {said}", hint="maintainers name the key in the registry record, as `checkpoint`")
    note = make_note(Checkpoint(built.registry_id, built.verified, built.commit, now), signer)
    path = built.out / CHECKPOINT
    with disk_errors(built.out):
        path.write_bytes(note)
    return path


def write_from_store(
    store: Store,
    *,
    commit: str,
    registry: str,
    out: Path,
    verified: int = 0,
    cache: BuildCache | None = None,
    processes: int = PROCESSES,
) -> BuiltSite:
    """Write the site of a commit that has been verified before; what `cache` knows as unchanged stays as it lies."""
    time = store.commit(commit).time
    view = Snapshot.at(store, commit)
    files = build_folder(
        view,
        out,
        commit=commit,
        registry_id=registry,
        step_time=format_time(time),
        steps=recent_steps(store, commit),
        cache=cache,
        open_view=None if store.supply else partial(_open_view, store.path, commit),
        processes=processes,
    )
    record = registry_state(view)
    key = record.checkpoint.key if record and record.checkpoint else None
    return BuiltSite(commit, registry, out, files, verified, key)


def resolve_commit(store: Store, text: str) -> str:
    """Return the commit that a branch, a tag, a ref or 40 hexadecimal digits mean."""
    if re.fullmatch(r"[0-9a-f]{40}", text):
        if store.has_commit(text):
            return text
        raise UsageProblem(f"the repository has no commit {text}", hint="fetch it first")
    for form in _BRANCHES:
        if (commit := store.commit_of(form.format(text))) is not None:
            return commit
    raise UsageProblem(
        f"the repository has no branch or commit {text!r}", hint="say --at main, or 40 digits of a commit"
    )


def _open_view(path: Path, commit: str) -> Snapshot:
    """Open the records of a commit in another process; the one that started it has asked whose repository it is."""
    return Snapshot.at(Store.open(path, trust_owner=True), commit)
