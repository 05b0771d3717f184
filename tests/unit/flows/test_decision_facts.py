"""What a committee looks at before it decides."""

from dataclasses import replace

import pytest

from medperf_git.flows.associations import build_request
from medperf_git.flows.decisions import decide
from medperf_git.flows.naming import at_ref
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.view import record_at
from tests.support.flows_world import ANA, BOB, CLINIC, DEMO, TIME, world

COHORT, FOREST = Ref("clinic", "cohort", 1), Ref("bob", "forest", 1)


def facts(*, cube=None, policy=None, dataset=False):
    made = world()
    benchmark = made.benchmark(committee=(ANA,))
    if cube is not None:
        path = layout.cube_path(FOREST)
        made.add(path, replace(at_ref(made.view, m.Cube, FOREST).record, **cube))
    subject = at_ref(made.view, m.Dataset, COHORT) if dataset else at_ref(made.view, m.Cube, FOREST)
    made.put(build_request(made.view, benchmark, subject, member=CLINIC if dataset else BOB, created=TIME))
    if policy is not None:
        path = "benchmarks/ana/cells/1/policy/0001.yaml"
        first = record_at(made.view, path, m.Policy)
        approvals = m.AutoApprovals(policy, policy)
        later = replace(first, previous=digest_of(made.files[path]), auto_approve=approvals)
        made.add(path.replace("0001", "0002"), later)
    (decision,) = decide(made.view, "approve", [], member=ANA, created=TIME, everything=True)
    return decision.as_value()


def test_a_dataset_is_told_by_its_owner_its_cases_and_who_asked():
    value = facts(dataset=True)
    assert (value["owner"], value["size"], value["asked"]) == ("clinic", "60 cases", "2026-11-25 by clinic")
    assert (value["was"], value["becomes"], value["tested"], value["policy"]) == (
        *("pending", "approved"),
        *("", "asks each time"),
    )


@pytest.mark.parametrize(
    ("tested", "says"),
    [
        (None, "not recorded"),
        (m.Tested(DEMO.digest, "complete"), "complete, on the demo data"),
        (m.Tested(digest_of(b"mine"), "failed"), "failed, on other data"),
    ],
)
def test_a_model_is_told_by_how_its_owners_test_went_and_on_what(tested, says):
    assert facts(cube={"tested": tested})["tested"] == says


def test_a_model_is_told_by_its_tasks_its_parameters_and_its_files():
    value = facts(cube={"parameters": "k: 5\n", "additional_files": m.Asset("w.tar", 7000, digest_of(b"w"))})
    assert value["size"] == "infer, parameters of 5 bytes, files of 7000 bytes"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (m.AutoApproval("list", (BOB,)), "bob is on its list"),
        (m.AutoApproval("list", (CLINIC,)), "bob is not on its list"),
        (m.AutoApproval("always"), "takes all at once"),
    ],
)
def test_the_policy_in_force_says_whom_it_would_take_at_once(rule, says):
    assert facts(policy=rule)["policy"] == says
