import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows.naming import find, find_result, next_version
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import short
from medperf_git.records.names import Ref
from tests.support.flows_world import ANA, BOB, CLINIC, TIME, world


def test_own_things_need_no_member_and_no_version():
    made = world()
    made.cube(BOB, "forest", version=2)
    assert find(made.view, m.Cube, "forest", member="bob").ref == Ref("bob", "forest", 2)
    assert find(made.view, m.Cube, "bob/forest@1", member=None).ref == Ref("bob", "forest", 1)


def test_without_a_version_the_newest_that_is_not_withdrawn_is_meant():
    made = world()
    digest = made.cube(BOB, "forest", version=2).digest
    notice = m.Notice(
        created=TIME,
        record=m.About("cubes/bob/forest/2.yaml", digest),
        event="withdraw",
        by=BOB,
        side="owner",
        reason="other",
    )
    made.add("notices/cubes/bob/forest/2/0001.yaml", notice)
    assert find(made.view, m.Cube, "bob/forest", member=None).ref.version == 1
    assert next_version(made.view, m.Cube, "bob", "forest") == 3


def test_a_name_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UsageProblem) as problem:
        find(world().view, m.Cube, "bob/forrest", member=None)
    assert "bob/forest@1" in problem.value.hint


@pytest.mark.parametrize("text", ["forest", "bob/forest@x", "bob/forest@0", "Bob/forest", "../forest"])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(UsageProblem) as problem:
        find(world().view, m.Cube, text, member=None)
    assert problem.value.hint


def test_a_result_is_found_by_the_start_of_its_digest_or_by_its_path():
    made = world()
    made.benchmark()
    dataset, model = Ref(CLINIC, "cohort", 1), Ref(ANA, "base", 1)
    digest = made.result(dataset, model)
    assert find_result(made.view, short(digest)).digest == digest
    path = layout.numbered(layout.result_folder(Ref("ana", "cells", 1), dataset, model), 1)
    assert find_result(made.view, path).digest == digest
    with pytest.raises(UsageProblem):
        find_result(made.view, "abc")
