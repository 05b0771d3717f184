"""A prepared dataset takes its place in one step, and no folder goes whose content something names."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from medperf_git.errors import Refused
from medperf_git.flows import preparing
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.prepared import Prepared, datasets_folder, find_prepared, iter_prepared, save
from medperf_git.records import models as m
from medperf_git.records.models import Reference
from medperf_git.records.names import Ref
from medperf_git.registry.commits import submission_id
from medperf_git.runner.manifest import content_digest
from tests.support.flows_world import world


def workspace(home, *, registry="1" * 64, member="clinic"):
    return SimpleNamespace(
        view=world().view, registry_id=f"mg1:{registry}", member=member, context=SimpleNamespace(home=home, say=print)
    )


def put(home, text, *, name="fresh", **where):
    """Prepare a dataset of one file and put it in its place."""
    space = workspace(home, **where)
    folder = datasets_folder(home) / f".{preparing._stem(space, name)}.partial"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x.csv").write_text(text)
    made = world().benchmark().record.data_preparator
    one = Prepared(
        folder=folder, name=name, title="Fresh", preparator=made, benchmark="ana/cells@1", cases=60, files=1,
        content=content_digest({"data": folder / "data"}),
    )  # fmt: skip
    save(one)
    return preparing._put_in_place(space, one)


def waiting(home, prepared, alias="elsewhere", state="ready"):
    text = f"content: {{digest: {prepared.published_digest}}}\n"
    files = {"datasets/clinic/fresh/1.yaml": text}
    proposal = submission_id({path: data.encode() for path, data in files.items()})
    Outbox(home / "outbox" / alias).put(
        Entry(id=proposal, title="t", member="clinic", at="2026-11-25T10:00:00Z", files=files, state=state)
    )


def test_what_nothing_names_is_replaced_and_the_newest_is_found(tmp_path):
    first, second = put(tmp_path, "a"), put(tmp_path, "b")
    assert [one.folder for one in iter_prepared(tmp_path)] == [second.folder]
    assert not first.folder.exists()
    assert find_prepared(tmp_path, "fresh") == second


@pytest.mark.parametrize("state", ["ready", "sent", "merged"])
def test_what_a_proposal_to_any_registry_names_stays(tmp_path, state):
    first = put(tmp_path, "a")
    waiting(tmp_path, first, state=state)
    second = put(tmp_path, "b")
    assert {one.folder for one in iter_prepared(tmp_path)} == {first.folder, second.folder}
    assert (first.folder / "data" / "x.csv").read_text() == "a"
    assert find_prepared(tmp_path, "fresh") == second


def test_what_a_replaced_proposal_named_goes(tmp_path):
    first = put(tmp_path, "a")
    waiting(tmp_path, first, state="replaced")
    put(tmp_path, "b")
    assert not first.folder.exists()


def test_what_a_record_names_stays(tmp_path, monkeypatch):
    first = put(tmp_path, "a")
    named = SimpleNamespace(record=SimpleNamespace(content=SimpleNamespace(digest=first.published_digest)))
    monkeypatch.setattr(preparing, "iter_found", lambda _, kind: [named] if kind is m.Dataset else [])
    put(tmp_path, "b")
    assert first.folder.exists()


def test_the_same_name_in_another_registry_is_another_folder(tmp_path):
    ours, theirs = put(tmp_path, "a"), put(tmp_path, "b", registry="2" * 64)
    assert ours.folder.exists()
    assert ours.folder.name.partition(".")[0] != theirs.folder.name.partition(".")[0]
    waiting(tmp_path, ours)
    put(tmp_path, "c", registry="2" * 64)
    assert ours.folder.exists()
    assert not theirs.folder.exists()


def test_a_name_that_is_being_prepared_is_refused(tmp_path):
    space = workspace(tmp_path)
    preparator = Reference(Ref("ana", "prep", 1), "sha256:" + "0" * 64)
    wish = preparing.PrepareWish(benchmark="b", data=tmp_path, labels=tmp_path, name="fresh", title="t")
    with preparing._work_folder(space, wish, preparator) as folder:
        (folder / "kept").touch()
        with pytest.raises(Refused, match="another process"), preparing._work_folder(space, wish, preparator):
            pass
    with preparing._work_folder(space, wish, preparator) as folder:
        assert (folder / "kept").exists()
    with preparing._work_folder(space, replace(wish, labels=tmp_path / "other"), preparator) as folder:
        assert not (folder / "kept").exists()


def test_what_a_person_has_worked_on_is_not_removed_by_a_slip_of_the_fingers(tmp_path):
    space = workspace(tmp_path)
    preparator = Reference(Ref("ana", "prep", 1), "sha256:" + "0" * 64)
    words = ("medperf-git", "dataset", "prepare", "--data", "raw data")
    wish = preparing.PrepareWish(benchmark="b", data=tmp_path, labels=tmp_path, name="fresh", title="t", command=words)
    with preparing._work_folder(space, wish, preparator) as folder:
        drawn = folder / "work" / "output_labels_path" / "c01.nii"
        for file in (drawn, folder / "work" / "report" / "report.yaml"):
            file.parent.mkdir(parents=True)
        (folder / "work" / "report" / "report.yaml").write_text("status: {c01: -1}\n")
        drawn.write_text("six hours of work")
    mistyped = replace(wish, data=tmp_path / "other", command=("mistyped",))
    other = replace(preparator, digest="sha256:" + "1" * 64)
    for now, by in ((mistyped, preparator), (wish, other)):
        with (
            pytest.raises(Refused, match="a person's work may be in it") as refused,
            preparing._work_folder(space, now, by),
        ):
            pass
        assert "go on with it: medperf-git dataset prepare --data 'raw data'; or" in refused.value.hint
        assert drawn.read_text() == "six hours of work"
    with preparing._work_folder(space, replace(wish, benchmark="b@1"), preparator):  # the same, in other words
        assert drawn.exists()
    with preparing._work_folder(space, replace(mistyped, again=True), preparator):
        assert not drawn.exists()


def test_nothing_goes_while_a_proposal_cannot_be_read(tmp_path):
    first = put(tmp_path, "a")
    (tmp_path / "outbox" / "elsewhere").mkdir(parents=True)
    (tmp_path / "outbox" / "elsewhere" / f"{'1' * 32}.json").write_text("{")
    put(tmp_path, "b")
    assert first.folder.exists()
