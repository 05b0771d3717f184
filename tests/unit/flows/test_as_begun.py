"""A command that is given again goes on with what was signed, says so, and takes up nothing that says anything else."""

from types import SimpleNamespace

from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.propose import _as_begun
from medperf_git.registry.commits import submission_id

EARLY, LATE = "2026-11-25T10:00:00Z", "2026-11-27T18:00:00Z"
PATH = "datasets/clinic/fresh/1.yaml"


def record(created, title="Fresh"):
    return {PATH: f'kind: dataset\ncreated: "{created}"\ntitle: {title}\n'.encode()}


def test_only_what_says_the_same_at_another_time_is_taken_up_and_that_is_said(tmp_path):
    said = []
    context = SimpleNamespace(home=tmp_path, say=said.append)
    space = SimpleNamespace(context=context, alias="main", proposals=dict)
    files = record(EARLY)
    entry = Entry(submission_id(files), "t", "clinic", EARLY, {path: data.decode() for path, data in files.items()})
    Outbox.of(tmp_path, "main").put(entry)
    assert _as_begun(space, record(EARLY), EARLY) == (files, EARLY)
    assert said == []  # these are the very bytes that were shown
    assert _as_begun(space, record(LATE), LATE) == (files, EARLY)
    assert said == [f"going on with your unfinished proposal {entry.id[:12]}, made at {EARLY}, which says the same"]
    other = record(LATE, "Other words")
    assert _as_begun(space, other, LATE) == (other, LATE)
    Outbox.of(tmp_path, "main").put(entry.moved("sent"))  # and closed at the forge since
    assert _as_begun(space, record(LATE), LATE) == (record(LATE), LATE)
    assert len(said) == 1
