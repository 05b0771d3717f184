"""How a result compares, behind the verdict: in words, harmless (T25, T49), and never in the verdict's way."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows import comparing
from medperf_git.flows.checking import Checked
from medperf_git.flows.comment import COMMENT_BYTES, render_markdown
from medperf_git.flows.comparing import Style, ordinal, render_comparison, with_comparison
from medperf_git.flows.reports import REPORTS
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.comparison import Comparison, ResultComparison, compare_results
from medperf_git.leaderboard.tables import Hidden
from medperf_git.policy.change import Change, NoHistory
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.view import RecordView
from medperf_git.registry.objects import Meter
from tests.support import leaderboard_registry as lr
from tests.unit.flows.test_reports import ACTIVE, FORBIDDEN, HOSTILE, kinds_of

PLAIN = Style(quote=str)


def checked_of(registry: lr.Registry, before: RecordView, *paths: str, outcome: Outcome = Outcome.PASS) -> Checked:
    added = {path: registry.files[path] for path in paths}
    at = datetime(2026, 11, 25, tzinfo=UTC)
    change = Change(before=before, after=registry.view(), added=added, faults=(), at=at, history=NoHistory())
    return Checked(Verdict(outcome), Meter(), {"base": "a" * 40, "head": "b" * 40}, "0" * 32, change)


@pytest.fixture
def registry() -> lr.Registry:
    return lr.demo()


def newer(registry: lr.Registry, model: str = "late", site: str = "river") -> tuple[RecordView, str]:
    before = registry.view()
    return before, registry.result(model, site, {"auroc": 0.961, "sensitivity": 0.914, "brier": 0.061})


def test_the_comment_says_place_range_outlier_and_copy(registry: lr.Registry) -> None:
    before, path = newer(registry)
    text = render_markdown(with_comparison(checked_of(registry, before, path)))
    assert "**`ben/late@1` on `river/tumours@1` in `ana/breast@1`**" in text
    alone = "  - Over the sites: mean 0.961 of the 1 site in the ranking; "
    alone += "a value at one site only, so there is no interval."
    copy = "- ⚠️ Equal to `ben/forest@1` at this site in every metric, to six significant digits: "
    for line in (
        "- A complete run over `120` cases.",
        "- `AUROC` ↑ 0.961: 2nd of 5 at this site, shared with 1.",
        alone,
        "  - No outlier among the models at this site: robust z 0.0 among 5 values.",
        "  - Outlier among the sites of this model? Too few to say: 1 of the 5 values that the rule needs.",
        "- Over the sites: 2nd of 5 by the 1 site in the ranking, shared with 1; on main as it is: no place.",
        copy + "the same container, or copied numbers? The records name different images.",
    ):
        assert line in text.splitlines()
    assert "above 3.5 in size" in text


def test_many_copies_are_one_line_and_a_long_reason_is_short() -> None:
    registry = lr.Registry()
    registry.site("north", cases=60)
    names = [f"copy-{number}" for number in range(9)]
    for name in names:
        registry.model(name)
        path = registry.result(name, "north", {"auroc": 0.9})
    (one,) = compare_results(registry.view(), registry.view(), [path]).results
    mixed = tuple(replace(twin, same_image=place < 3) for place, twin in enumerate(one.twins))
    long = replace(one, twins=mixed, overall=un.Undefined("no value: " + "x" * 900))
    text = "".join(render_comparison(Comparison((long,), ()), PLAIN))
    (line,) = [line for line in text.splitlines() if "Equal to" in line]
    assert line.startswith(
        "- ⚠️ Equal to ben/copy-0@1, ben/copy-1@1, ben/copy-2@1, ben/copy-3@1 and 4 more at this site"
    )
    assert line.endswith("The records name the same image in 3 of 8 cases.")
    assert max(map(len, text.splitlines())) < 400


def test_an_interval_and_an_outlier_are_said_where_there_are_enough_sites() -> None:
    registry = lr.wide()
    before = registry.view()
    path = registry.result("net-5", "site-b", {"auroc": 0.999, "sensitivity": 0.7, "brier": 0.1})
    text = "".join(render_comparison(compare_results(before, registry.view(), [path]), PLAIN))
    assert "over its 7 sites (exact site bootstrap)" in text
    assert "⚠️ An outlier among the sites of this model: robust z 5.2 among 7 values" in text
    assert "0.999 (before: 0.926): 1st of 8 at this site" in text


def test_a_failed_and_a_partial_run_are_said_to_be_so(registry: lr.Registry) -> None:
    before = registry.view()
    failed = registry.result("logit", "north", outcome="failed", reason="timeout")
    partial = registry.result("near", "river", {"auroc": 0.9}, outcome="partial", cases=90)
    text = render_markdown(with_comparison(checked_of(registry, before, failed, partial)))
    assert "The run failed: `it did not end in time`. It brings no value and takes no part in the ranking" in text
    assert "A partial run over `90` cases: it counts, and is marked" in text


def test_a_proposal_without_results_is_as_it_was(registry: lr.Registry) -> None:
    checked = checked_of(registry, registry.view(), "members/ana/0001.yaml")
    assert with_comparison(checked) is checked
    nothing = Checked(Verdict(Outcome.COULD_NOT_CHECK), Meter(), {})
    assert with_comparison(nothing) is nothing


def test_what_would_be_refused_is_not_compared(registry: lr.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    before, path = newer(registry)
    monkeypatch.setattr(comparing, "compare_results", lambda *_: pytest.fail("it was compared"))
    text = render_markdown(with_comparison(checked_of(registry, before, path, outcome=Outcome.FAIL)))
    assert "Not compared: 1 result (`results are compared once nothing is wrong with them`)." in text


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (EnvironmentProblem("the disk is gone", hint="look"), "that could not be done: the disk is gone"),
        (ZeroDivisionError(), "that could not be done: ZeroDivisionError; please report this as a bug"),
    ],
)
@pytest.mark.parametrize("form", sorted(REPORTS))
def test_trouble_with_comparing_leaves_the_verdict_told(
    registry: lr.Registry, monkeypatch: pytest.MonkeyPatch, trouble: Exception, told: str, form: str
) -> None:
    def break_down(*_: object) -> Comparison:
        raise trouble

    before, path = newer(registry)
    checked = checked_of(registry, before, path)
    monkeypatch.setattr(comparing, "compare_results", break_down)
    compared = with_comparison(checked)
    assert compared.verdict == checked.verdict
    text = REPORTS[form](compared)
    assert told in text
    assert "pass" in text


def test_json_has_it_only_when_it_was_asked_for(registry: lr.Registry) -> None:
    before, path = newer(registry)
    checked = checked_of(registry, before, path)
    assert "comparison" not in checked.as_value()
    assert with_comparison(checked).as_value()["comparison"]["results"][0]["same_values"] == [  # type: ignore[index]
        {"model": "ben/forest@1", "same_image": False}
    ]


def _both() -> tuple[ResultComparison, ResultComparison]:
    registry = lr.Registry()
    registry.site("north", cases=60)
    registry.model("one")
    path = registry.result("one", "north", {"auroc": 0.9})
    (good,) = compare_results(registry.view(), registry.view(), [path]).results
    failed = registry.result("one", "north", outcome="failed", reason="timeout")
    (bad,) = compare_results(registry.view(), registry.view(), [failed]).results
    return good, bad


GOOD, FAILED = _both()


def hostile(payload: str) -> Comparison:
    """Return a comparison whose every text that somebody else may write is the payload."""
    metric = replace(GOOD.metrics[0], metric=replace(GOOD.metrics[0].metric, title=payload))
    good = replace(GOOD, metrics=(metric,), replaces=payload, result=replace(GOOD.result, cases=payload))
    unranked = replace(good, overall=un.Undefined(payload), overall_before=un.Undefined(payload))
    failed = replace(FAILED, result=replace(FAILED.result, reason=payload))
    return Comparison((good, unranked, failed), (Hidden(payload, payload),))


@settings(deadline=None)
@given(HOSTILE | st.sampled_from(ACTIVE))
def test_t25_t41_t49_what_records_say_is_inert_in_a_comparison(payload: str) -> None:
    checked = Checked(Verdict(Outcome.PASS), Meter(), {"head": payload}, "", None, hostile(payload))
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


@pytest.mark.parametrize("payload", [payload for payload in ACTIVE if payload.isprintable()])
def test_t49_a_title_that_a_record_may_bear_is_inert(payload: str) -> None:
    registry = lr.Registry(texts={"metric-auroc": f"x{payload}x"})
    registry.site("north", cases=60)
    before = registry.view()
    path = registry.result("one-feature", "north", {"auroc": 0.9})
    text = render_markdown(with_comparison(checked_of(registry, before, path)))
    _, outside = kinds_of(text)
    assert "x " not in outside
    assert "<img" not in MarkdownIt("commonmark").render(text)
    assert text.count("\n- `x") == 1


def test_a_comparison_of_many_results_is_cut_with_a_sentence_that_shows_the_rest() -> None:
    registry = lr.wide(models=3, sites=7)
    before = registry.view()
    path = registry.result("net-1", "site-a", {"auroc": 0.9})
    (one,) = compare_results(before, registry.view(), [path]).results
    checked = Checked(Verdict(Outcome.PASS), Meter(), {"head": "b" * 40}, "", None, Comparison((one,) * 400, ()))
    text = render_markdown(checked)
    assert len(text.encode()) <= COMMENT_BYTES
    said = text.count("**`ben/net-1@1`")
    assert 50 < said < 400
    assert f"Cut here, because a comment has a limited length: {400 - said} more compared results." in text
    assert f"medperf-git check --base main --head {'b' * 40} --compare\n" in text


def test_ordinals_read_as_people_say_them() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"),
    ]
