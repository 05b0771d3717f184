"""What a change does to the rankings, in words: for a terminal and in the comment, short and inert (T25, T41, T49)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.flows import comparing
from medperf_git.flows.checking import Checked
from medperf_git.flows.comment import COMMENT_BYTES, render_markdown
from medperf_git.flows.comparing import Style, with_comparison
from medperf_git.flows.ranking_words import COMMENT, NOTHING, render_difference
from medperf_git.flows.reports import REPORTS
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.difference import (
    BenchmarkDifference,
    CellChange,
    Difference,
    Event,
    Fact,
    First,
    Tables,
    compare_rankings,
)
from medperf_git.leaderboard.tables import CellState
from medperf_git.policy.change import Change, NoHistory
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.view import RecordView
from medperf_git.registry.objects import Meter
from tests.support import leaderboard_registry as lr
from tests.unit.flows.test_reports import ACTIVE, FORBIDDEN, HOSTILE, kinds_of

PLAIN = Style(quote=str)


def numbers(auroc: float) -> dict[str, float]:
    return {"auroc": auroc, "sensitivity": 0.9, "brier": 0.1}


def checked_of(before: RecordView, registry: lr.Registry, outcome: Outcome = Outcome.PASS) -> Checked:
    added = {path: data for path, data in registry.files.items() if before.blob(path) != data}
    at = datetime(2026, 11, 25, tzinfo=UTC)
    change = Change(before=before, after=registry.view(), added=added, faults=(), at=at, history=NoHistory())
    return Checked(Verdict(outcome), Meter(), {"base": "a" * 40, "head": "b" * 40}, "0" * 32, change)


def said(before: RecordView, registry: lr.Registry) -> str:
    found = compare_rankings(Tables(before, registry.view()), (lr.BENCHMARK,))
    return "".join(render_difference(found, PLAIN))


def test_a_better_result_is_told_with_rank_score_and_interval_before_and_after() -> None:
    registry = lr.wide(models=4, sites=6)
    before = registry.view()
    for site in "abcdef":
        registry.result("net-4", f"site-{site}", numbers(0.99))
    lines = said(before, registry).splitlines()
    assert "A ranking changes." in lines
    assert any(line.startswith("- First place: Network 4, before ") for line in lines)
    (own,) = [line for line in lines if line.startswith("- Network 4 (ben/net-4@1)")]
    assert "goes up: 4th of 4 → 1st of 4" in own
    assert "AUROC ↑ 0.9" in own
    assert " → 0.990 (0.990)" in own
    assert "- Results: six superseding an earlier one." in lines


def test_nothing_changes_is_said_in_so_many_words() -> None:
    registry = lr.wide(models=3, sites=5)
    before = registry.view()
    registry.site("zeta", cases=50)
    text = said(before, registry)
    assert f"{NOTHING}." in text.splitlines()
    assert "- New: 1 site (zeta/tumours@1)." in text


def test_the_comment_under_a_notice_says_what_it_does_to_the_ranking() -> None:
    registry = lr.demo()
    path = "results/ana/breast/1/north.tumours.1/ben.logit.1/0001.yaml"
    before = registry.view()
    registry.notice(path, "withdraw", by="north", side="owner")
    checked = with_comparison(checked_of(before, registry))
    assert checked.comparison is None
    lines = render_markdown(checked).splitlines()
    assert "#### What this does to the ranking" in lines
    assert "- `ben/logit@1` at `north/tumours@1`: withdrawn (`north: error found`)." in lines
    assert "- No longer beside first place: `Random forest`." in lines
    assert [line for line in lines if line.startswith("- `Random forest` (`ben/forest@1`) stays 2nd of 4")]
    assert "ranking" in checked.as_value()


def test_a_new_benchmark_and_a_new_association_are_told_too() -> None:
    registry = lr.Registry()
    before = registry.view()
    registry.model("forest", "Random forest")
    text = render_markdown(with_comparison(checked_of(before, registry)))
    assert f"{NOTHING}." in text
    assert "- New: 1 model (`ben/forest@1`)." in text


def test_a_change_about_people_only_says_nothing_of_rankings() -> None:
    registry = lr.demo()
    before = registry.view()
    registry.member("zoe")
    checked = checked_of(before, registry)
    assert with_comparison(checked) is checked


def test_what_would_be_refused_is_not_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = lr.demo()
    before = registry.view()
    registry.result("logit", "north", numbers(0.5))
    monkeypatch.setattr(comparing, "compare_rankings", lambda *_, **__: pytest.fail("it was ranked"))
    assert with_comparison(checked_of(before, registry, Outcome.FAIL)).ranking is None


@pytest.mark.parametrize("form", sorted(REPORTS))
def test_trouble_with_ranking_leaves_the_verdict_told(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    def break_down(*_: object, **__: object) -> Difference:
        raise ZeroDivisionError

    registry = lr.demo()
    before = registry.view()
    registry.result("logit", "north", numbers(0.5))
    monkeypatch.setattr(comparing, "compare_rankings", break_down)
    text = REPORTS[form](with_comparison(checked_of(before, registry)))
    assert "that could not be done: ZeroDivisionError; please report this as a bug" in text
    assert "pass" in text


def test_a_comment_is_short_however_much_changes() -> None:
    registry = lr.wide(models=20, sites=6)
    before = registry.view()
    for model in range(20):
        for site in "abcdef":
            registry.result(f"net-{model + 1}", f"site-{site}", numbers((50 + 2 * model) / 100))
    found = compare_rankings(Tables(before, registry.view()), (lr.BENCHMARK,))
    many = replace(found, benchmarks=found.benchmarks * 9)
    text = "".join(render_difference(many, PLAIN, most=COMMENT))
    assert "- And 14 more models.\n" in text
    assert "- And 114 more results.\n" in text
    assert "And in 6 more benchmarks.\n" in text
    assert len(text) < 8_000
    checked = Checked(Verdict(Outcome.PASS), Meter(), {"head": "b" * 40}, "", None, None, many)
    assert len(render_markdown(checked).encode()) <= COMMENT_BYTES


def _one() -> BenchmarkDifference:
    registry = lr.demo()
    before = registry.view()
    registry.result("logit", "north", numbers(0.5))
    registry.result("near", "summit", numbers(0.99))
    (one,) = compare_rankings(Tables(before, registry.view()), (lr.BENCHMARK,)).benchmarks
    return one


ONE = _one()


def hostile(payload: str) -> Difference:
    """Return a difference whose every text that somebody else may write is the payload."""
    spots = [shift.after for shift in ONE.shifts if shift.after]
    metric = replace(spots[0].scores[0].metric, title=payload)
    spot = replace(spots[0], unranked=payload, scores=(replace(spots[0].scores[0], metric=metric),))
    shifts = tuple(replace(shift, title=payload, before=spot, after=spot) for shift in ONE.shifts)
    place = (lr.BENCHMARK, payload)
    cell = CellChange(lr.BENCHMARK, lr.BENCHMARK, Event.SUPERSEDED, CellState.FAILED, payload, payload, payload)
    one = replace(
        ONE,
        title=payload,
        beside=payload,
        first=(First((place,), ()), First((place, place), (place,))),
        shifts=shifts,
        cells=(cell,),
        facts=(Fact("missing", payload, payload),),
    )
    return Difference((one,), 0, ((lr.BENCHMARK, payload),))


@settings(deadline=None)
@given(HOSTILE | st.sampled_from(ACTIVE))
def test_t25_t41_t49_what_records_say_is_inert_in_a_difference(payload: str) -> None:
    checked = Checked(Verdict(Outcome.PASS), Meter(), {"head": "b" * 40}, "", None, None, hostile(payload))
    kinds, outside = kinds_of(render_markdown(checked))
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "code_inline"),
        *("strong_open", "strong_close", "bullet_list_open", "bullet_list_close"),
        *("list_item_open", "list_item_close", "softbreak"),
    }
    assert not set("@<>[]#`\\/*_$&!|~^") & set(outside), outside
    plain = REPORTS["text"](checked)
    assert not {ord(character) for character in plain} & FORBIDDEN
    assert not [line for line in plain.split("\n") if line.lstrip().startswith("::")]


def test_a_score_without_an_interval_stands_alone() -> None:
    single = un.Interval(un.IntervalKind.SINGLE, 0.9, 0.9, 0.9, 1)
    score = replace(next(shift.after for shift in ONE.shifts if shift.after).scores[0], value=0.9, interval=single)
    spot = replace(next(shift.after for shift in ONE.shifts if shift.after), scores=(score,), without=None, tested=None)
    one = replace(ONE, shifts=(replace(ONE.shifts[0], before=None, after=spot, move=ONE.shifts[0].move),))
    assert "(0.9" not in "".join(render_difference(Difference((one,)), PLAIN))
