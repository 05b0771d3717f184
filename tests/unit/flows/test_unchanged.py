"""What has changed is named, what a new version gives away is said, what could be published is previewed."""

import sys
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from medperf_git.errors import Refused
from medperf_git.flows.datasets import build_dataset, build_submission, review_dataset
from medperf_git.flows.prepared import save
from medperf_git.flows.statistics_shown import statistics_lines, statistics_rows
from medperf_git.flows.unchanged import Changed, refuse_changed, telling
from medperf_git.flows.versions import near_versions
from medperf_git.records import layout
from medperf_git.records.names import MemberName
from medperf_git.records.record import write_record
from medperf_git.runner.preparation import MANIFEST, read_manifest
from tests.support.flows_world import TIME, world
from tests.unit.flows.test_carrying_data import prepared

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

CLINIC = MemberName("clinic")


def test_changed_missing_and_new_files_are_named(tmp_path):
    one = prepared(tmp_path)
    (one.folder / "data" / "deep" / "x.csv").write_text("a,c\n")
    (one.folder / "labels" / "deep" / "x.csv").rename(one.folder / "labels" / "deep" / "y.csv")
    with pytest.raises(Changed) as found:
        refuse_changed(one)
    assert found.value.differences.as_value() == {
        "changed": ["data/deep/x.csv"], "missing": ["labels/deep/x.csv"], "new": ["labels/deep/y.csv"],
    }  # fmt: skip
    assert "changed: data/deep/x.csv" in found.value.hint
    for number in range(30):
        (one.folder / "data" / f"{number}").touch()
    with pytest.raises(Changed) as found:
        refuse_changed(one)
    assert "new: 21 more" in found.value.hint


@pytest.mark.parametrize("text", [None, b"", b"no manifest", b"data\0x\0001\n"])
def test_without_its_manifest_a_change_is_still_seen(tmp_path, text):
    one = prepared(tmp_path)
    if text is None:
        (one.folder / MANIFEST).unlink()
    else:
        (one.folder / MANIFEST).write_bytes(text)
    assert refuse_changed(one) == 2
    (one.folder / "data" / "deep" / "x.csv").write_text("a,c\n")
    with pytest.raises(Changed, match="have changed") as found:
        refuse_changed(one)
    assert "which files they are is not known" in found.value.hint


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    one = prepared(tmp_path)
    assert [entry.path for entry in read_manifest(one.folder) or ()] == ["deep/x.csv", "deep/x.csv"]


def test_progress_is_told_with_its_speed(monkeypatch):
    said, now = [], iter([0.0, 1.0, 3.0, 4.0, 6.0])
    monkeypatch.setattr("medperf_git.flows.unchanged.time.monotonic", lambda: next(now))
    tell = telling(said.append, "reading")
    for done in (1, 2, 3, 4):
        tell(done * 10**9, 4 * 10**9)
    assert said == ["reading: 50 % of 4.0 GB (667 MB/s)", "reading: 100 % of 4.0 GB (667 MB/s)"]


@pytest.mark.parametrize(("cases", "told"), [(60, False), (59, True), (51, True), (50, False), (70, False), (69, True)])
def test_t65_a_version_over_almost_the_same_cases_is_told_before_it_is_sent(tmp_path, cases, told):
    made = world()
    made.benchmark()
    first = prepared(tmp_path)
    record = build_dataset(made.view, first, member=CLINIC, created=TIME)
    assert near_versions(made.view, first, member=CLINIC, home=tmp_path) == ()
    made.add(layout.dataset_path(record.ref), record)
    second = replace(prepared(tmp_path, "other\n", number=2), cases=cases)
    said = near_versions(made.view, second, member=CLINIC, home=tmp_path)
    assert bool(said) == told
    if told:
        few = abs(60 - cases)
        assert f"clinic/fresh@1 has 60 cases, this one {cases}" in said[0]
        assert ("one of them contributes" if few == 1 else f"{few} of them contribute") in said[0]
        assert "at least 10 cases differ" in said[0]
    assert near_versions(made.view, first, member=CLINIC, home=tmp_path) == ()


def test_a_site_may_ask_for_more_cases_between_versions(tmp_path):
    made = world()
    made.benchmark()
    first = prepared(tmp_path)
    record = build_dataset(made.view, first, member=CLINIC, created=TIME)
    made.add(layout.dataset_path(record.ref), record)
    second = replace(prepared(tmp_path, "other\n", number=2), cases=80, words={"min_cases": 30})
    assert "at least 30 cases differ" in near_versions(made.view, second, member=CLINIC, home=tmp_path)[0]


def test_what_was_reviewed_of_a_dataset_is_sent_letter_by_letter_however_much_later(tmp_path):
    made, one = world(), prepared(tmp_path)
    made.benchmark()
    times = iter(f"2026-11-{day:02d}T10:00:00+00:00" for day in range(10, 20))
    context = SimpleNamespace(home=tmp_path, say=print, clock=lambda: datetime.fromisoformat(next(times)))
    space = SimpleNamespace(
        view=made.view, member="clinic", registry_id="mg1:" + "1" * 64, context=context, require_member=lambda: "clinic"
    )
    first, second = review_dataset(space, "fresh"), review_dataset(space, "fresh")
    assert first.record == second.record
    drafts, _ = build_submission(space, "fresh", created="2026-12-24T10:00:00Z", benchmark="ana/cells")
    assert write_record(drafts[0].record) == first.record
    assert {draft.record.created for draft in drafts} == {"2026-11-10T10:00:00Z"}
    save(replace(one, title="Other words"))
    with pytest.raises(Refused, match="would not be the one that was reviewed") as refused:
        build_submission(space, "fresh", created="2026-12-24T10:00:00Z")
    assert "dataset review fresh" in refused.value.hint
    again = review_dataset(space, "fresh")
    assert again.record != first.record
    drafts, _ = build_submission(space, "fresh", created="2026-12-24T10:00:00Z")
    assert write_record(drafts[0].record) == again.record
    made.put(drafts[0])
    space.view = made.view
    assert "registered already, as clinic/fresh@1" in review_dataset(space, "fresh").warnings[0]
    with pytest.raises(Refused, match="registered already") as refused:
        build_submission(space, "fresh", created="2026-12-25T10:00:00Z", benchmark="ana/cells")
    assert "association request ana/cells --dataset clinic/fresh@1" in refused.value.hint


def test_a_record_that_would_not_be_accepted_is_not_reviewed_without_a_word(tmp_path):
    made, one = world(), prepared(tmp_path)
    made.benchmark()
    context = SimpleNamespace(home=tmp_path, say=print, clock=lambda: datetime.fromisoformat(TIME))
    space = SimpleNamespace(view=made.view, member="clinic", registry_id="mg1:" + "1" * 64, context=context)
    assert review_dataset(space, "fresh").warnings == ()
    save(replace(one, words={"acquisition": {"country": "Finnland"}}))
    (warning,) = review_dataset(space, "fresh").warnings
    assert warning.startswith("the record would not be accepted (/acquisition/country: ")


def test_the_preview_says_what_is_published_what_may_be_and_what_never(tmp_path):
    statistics = {"num_cases": 60, "num_rare": 3, "mean_age": Decimal("61.23456"), "age_max": 97}
    one = replace(prepared(tmp_path), statistics=statistics, published=("num_cases",))
    rows = {row["statistic"]: row["published"] for row in statistics_rows(one)}
    assert rows["num_cases"] == "published"
    assert rows["mean_age"] == "stays here; --publish mean_age"
    assert "counts fewer than 10" in rows["num_rare"]
    assert "none of the kinds" in rows["age_max"]
    strict = replace(one, words={"min_cases": 61}, published=("num_cases", "age_max"))
    assert "chosen, and refused" in {row["statistic"]: row["published"] for row in statistics_rows(strict)}["age_max"]
    assert any("under 61 is never published (your own limit)" in line for line in statistics_lines(strict))
