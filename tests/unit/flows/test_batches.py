"""Many decisions in as few proposals as the registry allows."""

from dataclasses import replace

import pytest

from medperf_git.flows.associations import build_request
from medperf_git.flows.batches import say_parts, split_decisions
from medperf_git.flows.decisions import decide
from medperf_git.flows.naming import at_ref
from medperf_git.records import models as m
from medperf_git.records.names import Ref
from tests.support.flows_world import ANA, BOB, LIMITS, TIME, world


def decisions(count):
    made = world()
    benchmark = made.benchmark(committee=(ANA,))
    for number in range(count):
        made.cube(BOB, f"net-{number}")
        cube = at_ref(made.view, m.Cube, Ref("bob", f"net-{number}", 1))
        made.put(build_request(made.view, benchmark, cube, member=BOB, created=TIME))
    return decide(made.view, "approve", [], member=ANA, created=TIME, everything=True)


def test_what_fits_travels_together():
    found = decisions(5)
    parts = split_decisions(found, LIMITS)
    assert parts == [found]
    assert say_parts(parts, LIMITS) == ""


def test_a_limit_of_files_counts_each_record_with_its_signature():
    found = decisions(5)
    limits = replace(LIMITS, proposal_files=4)
    parts = split_decisions(found, limits)
    assert [len(part) for part in parts] == [2, 2, 1]
    assert [one for part in parts for one in part] == found
    assert say_parts(parts, limits).startswith("5 decisions go in 3 proposals: this registry takes at most 4 files")


def test_signatures_that_others_add_later_are_counted_too():
    found = [replace(one, signatures=2) for one in decisions(4)]
    assert [len(part) for part in split_decisions(found, replace(LIMITS, proposal_files=6))] == [2, 2]


def test_a_limit_of_bytes_splits_too():
    found = decisions(6)
    parts = split_decisions(found, replace(LIMITS, proposal_bytes=6000))
    assert len(parts) > 1
    assert sum(map(len, parts)) == 6


@pytest.mark.parametrize("limits", [replace(LIMITS, proposal_files=1), replace(LIMITS, proposal_bytes=1)])
def test_what_is_too_large_by_itself_goes_alone_for_the_judge_to_say_so(limits):
    assert [len(part) for part in split_decisions(decisions(3), limits)] == [1, 1, 1]
