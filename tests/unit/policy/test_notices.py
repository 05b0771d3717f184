"""Which notice may follow which, and who speaks for whom."""

from typing import Any

import pytest

from medperf_git.records import layout
from tests.support.registry_builder import BENCHMARK, MODEL, settled

from .examples import DATASET, RESULT, Example, a_notice, a_result, after, after_result
from .judging import FAIL, PASS, WAITS, broken, judged, messages, rules

NOTICE = layout.numbered(layout.notice_folder(RESULT), 1)


def by_maintainers(event: Any, about: str) -> Example:
    return a_notice(event, about, "ana", side="maintainers", sign=("ana", "ben"))


def test_what_maintainers_withdrew_and_gave_back_its_owner_may_withdraw() -> None:
    back = after(by_maintainers("withdraw", DATASET), by_maintainers("reinstate", DATASET))
    assert judged(back(a_notice("withdraw", DATASET, "north"))).outcome is PASS
    again = after(
        by_maintainers("withdraw", DATASET),
        by_maintainers("reinstate", DATASET),
        a_notice("withdraw", DATASET, "north"),
    )
    assert judged(again(a_notice("reinstate", DATASET, "north"))).outcome is PASS


def test_a_dispute_in_between_gives_an_owner_back_nothing() -> None:
    disputed = after(
        a_result, by_maintainers("withdraw", RESULT), a_notice("dispute", RESULT, "dora", side="committee")
    )
    said = messages(disputed(a_notice("reinstate", RESULT, "north")))
    assert "what maintainers withdrew only they reinstate" in said
    assert judged(disputed(by_maintainers("reinstate", RESULT))).outcome is PASS


def test_a_committee_resolves_what_it_disputed() -> None:
    disputed = after(a_result, a_notice("dispute", RESULT, "dora", side="committee"))
    assert judged(disputed(a_notice("resolve", RESULT, "emil", side="committee"))).outcome is PASS
    assert "notice" in rules(disputed(a_notice("dispute", RESULT, "emil", side="committee")))
    assert "notice" in rules(after_result(a_notice("resolve", RESULT, "emil", side="committee")))


@pytest.mark.parametrize(
    ("event", "about", "by", "side"),
    [
        ("withdraw", layout.cube_path(MODEL), "moa", "owner"),
        ("withdraw", DATASET, "north", "owner"),
        ("withdraw", RESULT, "north", "owner"),
        ("withdraw", layout.benchmark_path(BENCHMARK), "emil", "owner"),
        ("withdraw", RESULT, "cam", "maintainers"),
        ("dispute", RESULT, "emil", "committee"),
    ],
)
def test_a_notice_speaks_for_its_side_and_for_no_other(event: Any, about: str, by: str, side: Any) -> None:
    def found(name: str) -> list[str]:
        example = after_result(lambda house: house.propose(house.notice(event, about, by=name, side=side)))
        return [one.pointer for one in judged(example).findings if one.rule == "notice"]

    assert found(by) == []
    assert found("south") == ["/by"]


@pytest.mark.parametrize(
    "path", [layout.registry_path(1), layout.numbered(layout.policy_folder(BENCHMARK), 1), NOTICE, RESULT]
)
def test_a_notice_about_what_is_broken_is_judged_without_a_crash(path: str) -> None:
    step = after(a_result, by_maintainers("withdraw", RESULT))
    for example in (
        by_maintainers("reinstate", RESULT),
        a_notice("reinstate", RESULT, "north"),
        a_notice("dispute", RESULT, "dora", side="committee"),
    ):
        proposal = step(example)(settled())
        broken(path)(proposal.house)
        assert proposal.judge().outcome in (PASS, WAITS, FAIL)
