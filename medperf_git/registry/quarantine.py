"""Find out whether a later step set an invalid one aside, by the word of those who maintained the last valid tree.

Whoever broke main may also have brought a quarantine record of their own: so the record is judged once more as if it
had been proposed on the last valid step, where nothing of the invalid one counts.
"""

from dataclasses import replace

from medperf_git.policy.judge import judge
from medperf_git.policy.verdict import Outcome
from medperf_git.records.layout import QUARANTINE, split_bundle
from medperf_git.records.models import Quarantine
from medperf_git.records.record import read_record
from medperf_git.registry.changes import added_paths, read_step
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.snapshot import Overlay, Snapshot


def quarantine_in(store: Store, step: str, *, about: str, valid: str) -> tuple[str, ...]:
    """Return the paths that count as absent when `step` of main brings a good quarantine record about the step `about`.

    `valid` is the last valid step before that one. Empty: it brings none, or not by the right people.
    """
    try:
        commit = store.commit(step)
        read = read_step(store, commit.parents[0], step, at=commit.time)
    except (BadObject, IndexError):
        return ()
    for path, data in sorted(read.change.added.items()):
        stored = read_record(path, data).stored if path.startswith(QUARANTINE + "/") else None
        if stored is None or not isinstance(stored.record, Quarantine) or stored.record.commit != about:
            continue
        before = Snapshot.at(store, valid)
        files = {
            name: content
            for name, content in read.change.added.items()
            if name == path or (split_bundle(name) or ("",))[0] == path
        }
        if frozenset(stored.record.paths) != added_paths(store, about):
            continue
        change = replace(read.change, before=before, after=Overlay(before, files), added=files, faults=())
        if judge(change).outcome is Outcome.PASS:
            return stored.record.paths
    return ()
