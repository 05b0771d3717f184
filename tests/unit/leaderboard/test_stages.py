"""Who is at which stage of a benchmark: one computation for the terminal, the CSV and the page."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from medperf_git.flows.associations import build_request
from medperf_git.flows.decisions import decide, notices
from medperf_git.flows.naming import at_ref
from medperf_git.flows.policies import PolicyWish, build_policy_change
from medperf_git.leaderboard.stage_rows import CSV_COLUMNS, stage_line, stage_value, stages_csv
from medperf_git.leaderboard.stages import days_since, models_of, read_stages
from medperf_git.records import models as m
from medperf_git.records.names import Ref
from medperf_git.records.times import format_time
from tests.support.flows_world import ANA, BOB, CLINIC, TIME, world

COHORT, KNN, BASE, FOREST = (Ref(*parts, 1) for parts in (
    ("clinic", "cohort"), ("clinic", "knn"), ("ana", "base"), ("bob", "forest")
))  # fmt: skip
CELLS = Ref("ana", "cells", 1)
LATER = datetime(2026, 12, 5, 12, 0, tzinfo=UTC)


def stages_of(made, as_of=LATER):
    return read_stages(made.view, CELLS, reference=BASE, as_of=as_of)


def ask(made, benchmark, ref, *, by, created=TIME):
    model = m.Dataset if ref == COHORT else m.Cube
    made.put(build_request(made.view, benchmark, at_ref(made.view, model, ref), member=by, created=created))


def test_the_reference_model_comes_first_and_stages_say_who_acts():
    made = world()
    benchmark = made.benchmark(auto="always")
    for ref in (COHORT, KNN):
        ask(made, benchmark, ref, by=CLINIC)
    assert models_of(made.view, CELLS, reference=BASE) == [BASE, KNN]
    made.result(COHORT, BASE)
    site = stages_of(made)[0]
    assert (site.status, site.results, site.expected, site.waits_for) == ("running", 1, 2, ("clinic",))
    assert site.command == "medperf-git run ana/cells@1 --dataset clinic/cohort@1"
    made.result(COHORT, KNN, outcome="failed")
    done = stages_of(made)[0]
    assert (done.status, done.results, done.failed, done.next_step) == ("done", 1, 1, "")


def test_a_site_goes_from_asked_to_approved_with_the_days_of_each():
    made = world()
    benchmark = made.benchmark()
    ask(made, benchmark, COHORT, by=CLINIC, created="2026-11-26T10:00:00Z")
    asked = stages_of(made)[0]
    assert (asked.status, asked.asked, asked.approved) == ("pending", "2026-11-26T10:00:00Z", "")
    assert (asked.joined, asked.registered) == (TIME, TIME)
    assert asked.waits_for == (ANA, BOB)
    assert asked.command == "medperf-git approve clinic/cohort@1 --benchmark ana/cells@1"
    made.put(decide(made.view, "approve", ["clinic/cohort"], member=BOB, created="2026-11-28T10:00:00Z")[0].draft)
    approved = stages_of(made)[0]
    assert (approved.status, approved.approved, approved.automatic) == ("approved", "2026-11-28T10:00:00Z", False)
    assert (approved.results, approved.expected, approved.waits_for) == (0, 1, ("clinic",))


def test_a_committees_answer_is_no_sign_of_life_of_the_site():
    made = world()
    benchmark = made.benchmark()
    ask(made, benchmark, COHORT, by=CLINIC, created="2026-11-26T10:00:00Z")
    made.put(decide(made.view, "approve", ["clinic/cohort"], member=BOB, created="2026-12-01T10:00:00Z")[0].draft)
    assert stages_of(made)[0].last == "2026-11-26T10:00:00Z"
    assert stage_line(stages_of(made)[0], as_of=LATER)["sign of life"] == "9 d ago"


def test_a_result_is_a_sign_of_life_also_when_it_was_withdrawn_since():
    made = world()
    benchmark = made.benchmark(auto="always")
    ask(made, benchmark, COHORT, by=CLINIC, created="2026-11-20T10:00:00Z")
    digest = made.result(COHORT, BASE)
    assert stages_of(made)[0].last == TIME
    withdrawn = notices(
        made.view, "withdraw", [digest.split(":")[1][:12]], member=CLINIC, created=TIME, reason="data-problem"
    )
    made.put(withdrawn[0].draft)
    site = stages_of(made)[0]
    assert (site.status, site.results, site.last) == ("approved", 0, TIME)


def test_who_is_only_invited_is_listed_and_waited_for_and_has_shown_no_life():
    made = world()
    benchmark = made.benchmark()
    ask(made, benchmark, COHORT, by=ANA)
    site = stages_of(made)[0]
    assert (site.asked_by, site.waits_for, site.last) == ("committee", ("clinic",), "")
    assert stage_line(site, as_of=LATER)["sign of life"] == "none yet"
    assert days_since(site.last, LATER) is None


def test_who_joined_and_has_no_dataset_in_this_benchmark_is_not_listed():
    made = world()
    made.benchmark()
    assert [(stage.kind, stage.subject, stage.status) for stage in stages_of(made)] == [
        ("cube", BASE, "reference model")
    ]


def test_what_a_committee_member_owns_waits_for_another_member():
    made = world()
    benchmark = made.benchmark()
    ask(made, benchmark, FOREST, by=BOB)
    assert stages_of(made)[-1].waits_for == (ANA,)
    alone = world()
    benchmark = alone.benchmark(committee=(BOB,))
    ask(alone, benchmark, FOREST, by=BOB)
    assert stages_of(alone)[-1].waits_for == (BOB,)


def test_a_model_counts_the_approved_sites_that_have_its_result():
    made = world()
    benchmark = made.benchmark(auto="always")
    for ref in (COHORT, KNN):
        ask(made, benchmark, ref, by=CLINIC)
    made.dataset(BOB, "ward")
    made.put(build_request(
        made.view, benchmark, at_ref(made.view, m.Dataset, Ref("bob", "ward", 1)), member=BOB, created=TIME
    ))  # fmt: skip
    made.result(COHORT, KNN)
    knn = stages_of(made)[-1]
    assert (knn.subject, knn.results, knn.expected) == (KNN, 1, 2)


@pytest.mark.parametrize(("event", "status", "note"), [("reject", "rejected", ""), ("withdraw", "withdrawn", "")])
def test_who_is_out_waits_for_nobody(event, status, note):
    made = world()
    benchmark = made.benchmark(auto="always")
    ask(made, benchmark, COHORT, by=CLINIC)
    who = CLINIC if event == "withdraw" else ANA
    made.put(decide(made.view, event, ["clinic/cohort"], member=who, created=TIME, benchmark="ana/cells")[0].draft)
    site = stages_of(made)[0]
    assert (site.status, site.waits_for, site.approved, site.note) == (status, (), "", note)


def test_a_withdrawn_dataset_is_said_to_be_withdrawn_and_nobody_runs_it():
    made = world()
    benchmark = made.benchmark(auto="always")
    ask(made, benchmark, COHORT, by=CLINIC)
    made.put(notices(made.view, "withdraw", ["cohort"], member=CLINIC, created=TIME, reason="other")[0].draft)
    site, base = stages_of(made)
    assert (site.status, site.next_step) == ("withdrawn", "withdrawn by its owner")
    assert base.expected == 0


@pytest.mark.parametrize(
    ("field", "moment", "says"),
    [("closes", "2026-12-01T00:00:00Z", "closed since 2026"), ("opens", "2027-01-01T00:00:00Z", "results are taken")],
)
def test_nobody_is_asked_to_run_while_a_benchmark_takes_no_results(field, moment, says):
    made = world()
    benchmark = made.benchmark(auto="always")
    made.put(build_policy_change(made.view, benchmark, PolicyWish(**{field: moment}), created=TIME))
    ask(made, benchmark, COHORT, by=CLINIC)
    site = stages_of(made)[0]
    assert site.waits_for == ()
    assert site.note.startswith(says)


def test_a_record_from_the_future_makes_nobody_younger_than_now():
    made = world()
    benchmark = made.benchmark()
    ask(made, benchmark, COHORT, by=CLINIC, created="2099-01-01T00:00:00Z")
    site = stages_of(made)[0]
    assert site.last == format_time(LATER)
    assert days_since(site.last, LATER) == 0


def test_a_stray_folder_and_an_unreadable_record_stop_nothing():
    made = world()
    benchmark = made.benchmark(auto="always")
    ask(made, benchmark, COHORT, by=CLINIC)
    made.files["associations/ana/cells/1/datasets/not a ref/0001.yaml"] = b"x"
    made.files["datasets/clinic/cohort/1.yaml"] = b"broken"
    made.files["members/clinic/0001.yaml"] = b"broken"
    site = stages_of(made)[0]
    assert (site.title, site.registered, site.joined, site.owner_title) == ("clinic/cohort@1", "", "", "clinic")


def test_the_csv_says_what_the_json_says_and_no_cell_is_a_formula():
    made = world()
    benchmark = made.benchmark(auto="always")
    path = "members/clinic/0001.yaml"
    made.files[path] = made.files[path].replace(b"title: clinic", b'title: "=HYPERLINK(1)"')
    ask(made, benchmark, COHORT, by=CLINIC)
    stages = stages_of(made)
    data = stages_csv(stages, benchmark=CELLS, as_of=LATER)
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["member_title"] == "'=HYPERLINK(1)"
    values = [stage_value(stage, benchmark=CELLS, as_of=LATER) for stage in stages]
    assert values[0]["member_title"] == "=HYPERLINK(1)"
    for row, value in zip(rows, values, strict=True):
        for column in ("name", "stage", "results", "of", "failed", "days_since", "waits_for", "command"):
            assert row[column] == ("" if value[column] is None else str(value[column]))


def test_days_are_whole_days_and_never_negative():
    assert days_since(TIME, LATER) == 10
    assert days_since(TIME, LATER - timedelta(days=11)) == 0
