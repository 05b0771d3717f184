import pytest

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.associations import (
    association_events,
    build_request,
    say_after_request,
)
from medperf_git.flows.decisions import decide, notices, waiting_for
from medperf_git.flows.naming import at_ref
from medperf_git.records import models as m
from medperf_git.records.digests import short
from medperf_git.records.folds import Status, association_state, marks_of
from medperf_git.records.names import Ref
from medperf_git.records.standings import list_standings, standing
from tests.support.flows_world import ANA, BOB, CLINIC, TIME, world

COHORT, FOREST = Ref("clinic", "cohort", 1), Ref("bob", "forest", 1)


def asked(auto="never"):
    made = world()
    benchmark = made.benchmark(auto=auto)
    dataset = at_ref(made.view, m.Dataset, COHORT)
    draft = build_request(made.view, benchmark, dataset, member=CLINIC, created=TIME)
    made.put(draft)
    return made, benchmark, draft


def test_a_request_names_the_policy_in_force_and_waits_for_the_committee():
    made, benchmark, draft = asked()
    assert draft.path == "associations/ana/cells/1/datasets/clinic.cohort.1/0001.yaml"
    one = standing(made.view, benchmark.ref, "dataset", COHORT)
    assert (one.state.status, one.waits_for) == (Status.PENDING, "the committee")
    assert "ana, bob decide" in say_after_request(made.view, draft)


def test_a_request_that_stands_is_not_made_twice():
    made, benchmark, _ = asked()
    with pytest.raises(Refused, match="already pending"):
        build_request(made.view, benchmark, at_ref(made.view, m.Dataset, COHORT), member=CLINIC, created=TIME)


def test_automatic_approval_is_said():
    made, benchmark, draft = asked("always")
    assert association_state(made.view, benchmark.ref, "dataset", COHORT).status is Status.APPROVED
    assert "approved automatically" in say_after_request(made.view, draft)


def test_the_reference_model_needs_no_request():
    made = world()
    benchmark = made.benchmark()
    with pytest.raises(Refused, match="reference model"):
        build_request(made.view, benchmark, at_ref(made.view, m.Cube, Ref("ana", "base", 1)), member=ANA, created=TIME)


def test_a_stranger_can_not_ask_for_somebody_else():
    made = world()
    benchmark = made.benchmark(committee=(ANA,))
    with pytest.raises(UsageProblem):
        build_request(made.view, benchmark, at_ref(made.view, m.Dataset, COHORT), member=BOB, created=TIME)


def test_the_committee_approves_and_the_chain_goes_on():
    made, benchmark, request = asked()
    (decision,) = decide(made.view, "approve", ["clinic/cohort"], member=BOB, created=TIME)
    assert decision.draft.path.endswith("0002.yaml")
    digest = made.put(decision.draft)
    assert digest
    assert association_state(made.view, benchmark.ref, "dataset", COHORT).status is Status.APPROVED
    assert [row["event"] for row in association_events(made.view, COHORT)] == ["request", "approve"]
    assert request.record.subject == decision.draft.record.subject


def test_the_side_that_asked_cannot_approve():
    made, _, _ = asked()
    with pytest.raises(Refused, match="cannot approve"):
        decide(made.view, "approve", ["cohort"], member=CLINIC, created=TIME)


def test_an_invitation_is_answered_by_the_owner():
    made = world()
    benchmark = made.benchmark()
    forest = at_ref(made.view, m.Cube, FOREST)
    made.put(build_request(made.view, benchmark, at_ref(made.view, m.Dataset, COHORT), member=ANA, created=TIME))
    assert forest.ref == FOREST
    assert [one.subject for one in waiting_for(made.view, CLINIC)] == [COHORT]
    assert waiting_for(made.view, ANA) == []
    (decision,) = decide(made.view, "approve", [], member=CLINIC, created=TIME, everything=True)
    assert decision.draft.record.side == "owner"


def test_all_decides_everything_that_waits():
    made, benchmark, _ = asked()
    made.put(build_request(made.view, benchmark, at_ref(made.view, m.Cube, FOREST), member=BOB, created=TIME))
    found = decide(made.view, "approve", [], member=ANA, created=TIME, everything=True)
    assert {one.about for one in found} == {str(COHORT), str(FOREST)}
    assert len(list_standings(made.view)) == 2


def test_what_is_decided_is_not_decided_again():
    made, _, _ = asked()
    made.put(decide(made.view, "reject", ["clinic/cohort"], member=ANA, created=TIME)[0].draft)
    with pytest.raises(Refused, match="rejected"):
        decide(made.view, "approve", ["clinic/cohort"], member=ANA, created=TIME, benchmark="ana/cells")
    with pytest.raises(Refused, match="nothing waits"):
        decide(made.view, "approve", [], member=ANA, created=TIME, everything=True)


def test_priority_is_the_committees():
    made, _, _ = asked("always")
    with pytest.raises(Refused):
        decide(made.view, "prioritise", ["cohort"], member=CLINIC, created=TIME, benchmark="ana/cells", priority=3)
    (decision,) = decide(made.view, "prioritise", ["clinic/cohort"], member=ANA, created=TIME, priority=3)
    assert decision.draft.record.priority == 3


def test_an_owner_withdraws_and_reinstates_a_cube():
    made = world()
    (decision,) = notices(made.view, "withdraw", ["forest"], member=BOB, created=TIME, reason="error-found")
    made.put(decision.draft)
    assert marks_of(made.view, "cubes/bob/forest/1.yaml").withdrawn
    with pytest.raises(Refused):
        notices(made.view, "withdraw", ["bob/forest@1"], member=BOB, created=TIME, reason="error-found")
    (back,) = notices(made.view, "reinstate", ["bob/forest@1"], member=BOB, created=TIME, reason="resolved")
    assert back.draft.path.endswith("0002.yaml")


def test_only_the_committee_disputes_a_result():
    made = world()
    made.benchmark(committee=(ANA,))
    called = short(made.result(COHORT, Ref("ana", "base", 1)))
    (decision,) = notices(made.view, "dispute", [called], member=ANA, created=TIME, reason="implausible")
    assert (decision.draft.record.side, decision.becomes) == ("committee", "disputed")
    with pytest.raises(Refused, match="only the committee"):
        notices(made.view, "dispute", [called], member=CLINIC, created=TIME, reason="implausible")


def test_an_unknown_reason_is_refused():
    with pytest.raises(UsageProblem):
        notices(world().view, "withdraw", ["forest"], member=BOB, created=TIME, reason="mood")
