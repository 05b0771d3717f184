import json
import typing
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

from medperf_git.errors import IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.associations import build_request
from medperf_git.flows.naming import at_ref
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.prepared import prepared_for
from medperf_git.flows.propose import next_link
from medperf_git.flows.results import build_submission, waiting_elsewhere
from medperf_git.flows.reviewing import review_run
from medperf_git.flows.runbook import find_run, list_runs, show_run
from medperf_git.flows.running import plan_run
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.still_approved import refuse_unapproved_model
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of, short
from medperf_git.records.folds import result_chain
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import record_at
from medperf_git.registry.commits import submission_id
from medperf_git.runner.engine import Profile
from medperf_git.runner.outcome import Outcome, outcome_to_plain
from medperf_git.runner.store import RunFolder
from tests.support.flows_world import CLINIC, TIME, world

BENCHMARK, COHORT, BASE, KNN = (
    Ref("ana", "cells", 1),
    Ref("clinic", "cohort", 1),
    Ref("ana", "base", 1),
    Ref("clinic", "knn", 1),
)
LATER = "2026-11-25T11:00:00Z"


@pytest.fixture
def made(tmp_path):
    """A registry with an approved dataset and model, and a run on disk with one outcome."""
    registry = world()
    benchmark = registry.benchmark(auto="always")
    for model, ref in ((m.Dataset, COHORT), (m.Cube, KNN)):
        found = at_ref(registry.view, model, ref)
        registry.put(build_request(registry.view, benchmark, found, member=CLINIC, created=TIME))
    run = RunFolder(tmp_path / "runs" / "0123456789abcdef")
    (run.path).mkdir(parents=True)
    plan = {"benchmark": {"ref": str(BENCHMARK)}, "dataset": {"ref": str(COHORT)}, "cases": 60}
    (run.path / "plan.json").write_text(json.dumps(plan))
    return registry, tmp_path, run


def put_outcome(registry, run, ref=BASE, *, finished=TIME, **more):
    fields = {"outcome": "complete", "values": {"auroc": m.MetricValue(value=Decimal("0.91234"), n=60)}, **more}
    outcome = Outcome(
        model=at_ref(registry.view, m.Cube, ref).reference,
        attempt=1,
        images=m.Images(digest_of(b"m"), digest_of(b"s")),
        parameters=None,
        sandbox=Profile.STRICT,
        engine=m.EngineUsed("docker", "20.10"),
        started=TIME,
        finished=finished,
        infer_key=digest_of(b"i"),
        evaluate_key=digest_of(b"e"),
        **fields,
    )
    run.model(ref).write_outcome(outcome_to_plain(outcome))


def workspace(registry, home, member="clinic"):
    return SimpleNamespace(view=registry.view, member=member, context=SimpleNamespace(home=home))


def publish(registry, submission):
    for draft in submission.drafts:
        registry.put(draft)


def test_what_was_not_reviewed_is_not_submitted(made):
    registry, home, run = made
    put_outcome(registry, run)
    with pytest.raises(Refused, match="was not reviewed"):
        build_submission(workspace(registry, home), run.run_id)


def test_exactly_the_reviewed_bytes_are_submitted(made):
    registry, home, run = made
    put_outcome(registry, run, held_back=("patient-7",))
    review = review_run(workspace(registry, home), run.run_id)
    said = "\n".join(review.lines())
    assert "0.912" in said
    assert "0.91234" not in said
    assert "stays here: patient-7" in said
    submission = build_submission(workspace(registry, home), run.run_id)
    assert [draft.path for draft in submission.drafts] == [review.records[0].draft.path]
    assert submission.drafts[0].record.created == TIME


def test_a_trial_on_a_dataset_that_is_not_registered_yet_says_so(made):
    registry, home, run = made
    put_outcome(registry, run)
    plan = {"benchmark": {"ref": str(BENCHMARK)}, "dataset": {"ref": "clinic/trial@1"}, "cases": 60}
    (run.path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(
        Refused, match=f"run {run.run_id} was about the dataset clinic/trial@1, which is not in"
    ) as told:
        review_run(workspace(registry, home), None)
    assert "runs ls" in told.value.hint


def test_other_bytes_than_those_reviewed_are_refused(made):
    registry, home, run = made
    put_outcome(registry, run)
    review_run(workspace(registry, home), run.run_id)
    put_outcome(registry, run, finished=LATER)
    with pytest.raises(Refused, match="is not what was reviewed"):
        build_submission(workspace(registry, home), run.run_id)


def test_a_result_that_waits_in_another_proposal_is_named_before_it_is_signed_again(made):
    registry, home, run = made
    put_outcome(registry, run)
    put_outcome(registry, run, KNN)
    review_run(workspace(registry, home), run.run_id)
    drafts = build_submission(workspace(registry, home), run.run_id).drafts
    (one,) = build_submission(workspace(registry, home), run.run_id, models=["ana/base"]).drafts
    text = write_record(one.record)
    entry = Entry(submission_id({one.path: text}), "t", "clinic", TIME, {one.path: text.decode()}, "sent")
    space = workspace(registry, home)
    space.alias, space.proposals = "main", lambda: {entry.id: "commit"}
    assert list(waiting_elsewhere(space, drafts)) == []
    Outbox.of(home, "main").put(entry)
    assert list(waiting_elsewhere(space, [one])) == []  # the same proposal again, which makes no second one
    (said,) = waiting_elsewhere(space, drafts)
    assert said.startswith(f"beware: the same result of ana/base@1 waits in your proposal {entry.id[:12]};")
    put_outcome(registry, run, finished=LATER)
    review_run(workspace(registry, home), run.run_id)
    (said,) = waiting_elsewhere(space, build_submission(workspace(registry, home), run.run_id).drafts)
    assert said.startswith("beware: an earlier result of ana/base@1")
    space.proposals = dict
    assert list(waiting_elsewhere(space, drafts)) == []


def test_a_published_result_is_not_submitted_twice(made):
    registry, home, run = made
    put_outcome(registry, run)
    review_run(workspace(registry, home), run.run_id)
    publish(registry, build_submission(workspace(registry, home), run.run_id))
    again = review_run(workspace(registry, home), run.run_id)
    assert again.records == ()
    assert "published already" in again.notes[0]
    assert build_submission(workspace(registry, home), run.run_id).drafts == []


def test_a_repeated_run_supersedes_and_counts_its_attempt(made):
    registry, home, run = made
    put_outcome(registry, run, outcome="failed", reason="out-of-memory", values=None, explanation="too little memory")
    review_run(workspace(registry, home), run.run_id)
    publish(registry, build_submission(workspace(registry, home), run.run_id))
    (first,) = result_chain(registry.view, BENCHMARK, COHORT, BASE)
    assert (first.record.outcome, first.record.values) == ("failed", None)
    put_outcome(registry, run, finished=LATER)
    (second,) = review_run(workspace(registry, home), run.run_id).records
    assert second.supersedes == short(first.digest)
    assert (second.result.previous, second.result.attempt) == (first.digest, 2)


def test_why_a_model_failed_never_leaves(made):
    registry, home, run = made
    put_outcome(registry, run, outcome="failed", reason="exit-code", values=None, explanation="secret path /data/x")
    (one,) = review_run(workspace(registry, home), run.run_id).records
    assert b"secret" not in one.data


def test_the_results_of_some_models_are_submitted_by_name(made):
    registry, home, run = made
    put_outcome(registry, run)
    put_outcome(registry, run, KNN)
    here = workspace(registry, home)
    review_run(here, run.run_id)
    assert len(build_submission(here, run.run_id).drafts) == 2
    chosen = build_submission(here, run.run_id, models=("knn", "clinic/knn@1"))
    assert [draft.record.model.ref for draft in chosen.drafts] == [KNN]
    assert chosen.title == "Submit the result of clinic/knn@1 on clinic/cohort@1"
    with pytest.raises(UsageProblem, match="has no result of bob/forest@1 that would leave"):
        build_submission(here, run.run_id, models=("bob/forest",))


@pytest.mark.parametrize("reason", typing.get_args(m.Reason))
def test_a_failed_outcome_is_a_record_with_one_word_of_a_closed_list(made, reason):
    registry, home, run = made
    words = "secret path /data/patient-7"
    put_outcome(registry, run, outcome="failed", reason=reason, values=None, explanation=words, hint=words, log=words)
    (one,) = review_run(workspace(registry, home), run.run_id).records
    assert (one.result.outcome, one.result.reason, one.result.values) == ("failed", reason, None)
    assert b"patient-7" not in one.data
    assert [draft.path for draft in build_submission(workspace(registry, home), run.run_id).drafts] == [one.draft.path]


def test_a_failed_outcome_with_another_reason_does_not_leave(made):
    registry, home, run = made
    put_outcome(registry, run, outcome="failed", reason="patient-7 looked odd", values=None)
    with pytest.raises(UsageProblem, match="has no valid form"):
        review_run(workspace(registry, home), run.run_id)


def test_results_of_a_dataset_that_is_not_approved_stay_here(made):
    registry, home, run = made
    put_outcome(registry, run)
    folder = layout.association_folder(BENCHMARK, "dataset", COHORT)
    number, previous = next_link(registry.view, folder)
    request = record_at(registry.view, layout.numbered(folder, 1), m.Association)
    withdrawn = replace(request, previous=previous, event="withdraw", policy=None)
    registry.add(layout.numbered(folder, number), withdrawn)
    review = review_run(workspace(registry, home), run.run_id)
    assert review.records == ()
    assert "clinic/cohort@1 is not approved for ana/cells@1 (withdrawn)" in review.notes[0]


@pytest.mark.parametrize("what", ["dataset", "benchmark"])
def test_a_run_about_other_bytes_than_are_registered_does_not_leave(made, what):
    registry, home, run = made
    put_outcome(registry, run)
    plan = json.loads((run.path / "plan.json").read_text())
    plan[what]["digest"] = digest_of(b"another")
    (run.path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(Refused, match="was about another"):
        review_run(workspace(registry, home), run.run_id)


def test_a_model_that_lost_its_approval_stays_here(made):
    registry, home, run = made
    put_outcome(registry, run, Ref("bob", "forest", 1))
    review = review_run(workspace(registry, home), run.run_id)
    assert review.records == ()
    assert "not approved any more" in review.notes[0]


def test_runs_are_found_by_the_start_of_their_id(made):
    registry, home, run = made
    put_outcome(registry, run)
    assert find_run(home, "0123") == run
    assert list_runs(home)[0]["models"] == 1
    assert show_run(home, "0123")["models"][0]["outcome"] == "complete"
    with pytest.raises(UsageProblem):
        find_run(home, "ffff")


def test_a_run_refuses_a_dataset_that_is_not_approved():
    registry = world()
    registry.benchmark()
    with pytest.raises(Refused, match="is not approved"):
        plan_run(workspace(registry, None), str(BENCHMARK), dataset=str(COHORT), settings=RunSettings())


def test_a_run_needs_the_data_on_this_machine(made):
    registry, home, _ = made
    with pytest.raises(UsageProblem, match="not on this machine"):
        plan_run(workspace(registry, home, None), str(BENCHMARK), dataset=str(COHORT), settings=RunSettings())
    with pytest.raises(UsageProblem):
        prepared_for(home, at_ref(registry.view, m.Dataset, COHORT).record)


def test_a_model_that_changed_after_its_approval_is_refused(made):
    registry, _, _ = made
    refuse_unapproved_model(registry.view, BENCHMARK, at_ref(registry.view, m.Cube, KNN))
    cube = at_ref(registry.view, m.Cube, KNN).record
    path = "cubes/clinic/knn/1.yaml"
    changed = m.Cube(**{name: getattr(cube, name) for name in cube.__slots__} | {"title": "another"})
    registry.add(path, changed)
    with pytest.raises(IntegrityBroken, match="other bytes"):
        refuse_unapproved_model(registry.view, BENCHMARK, at_ref(registry.view, m.Cube, KNN))


def test_a_model_nobody_approved_is_refused(made):
    registry, _, _ = made
    with pytest.raises(Refused, match="bob/forest@1 is not approved"):
        refuse_unapproved_model(registry.view, BENCHMARK, at_ref(registry.view, m.Cube, Ref("bob", "forest", 1)))
