"""The ranking as plain text, and the small helpers of writing."""

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.plots import level_of, scale_for
from medperf_git.leaderboard.show import show
from medperf_git.leaderboard.show_values import show_values
from medperf_git.leaderboard.text import fixed, listing, percent, some, span, whole
from medperf_git.records.names import Ref
from medperf_git.records.view import MemoryView
from tests.support import leaderboard_registry as lr


def test_show_gives_rows_in_rank_order_with_their_notes():
    (shown,) = show(lr.demo().view(), lr.BENCHMARK)
    assert shown.columns[:4] == ("rank", "model", "AUROC ↑", "range or interval")
    assert len(shown.numeric) == len(shown.columns) == len(shown.rows[0])
    assert [row[:2] for row in shown.rows[:2]] == [("1", "ben/logit@1"), ("2", "ben/forest@1")]
    assert "ben/forest@1 cannot be told from first place" in shown.notes
    assert "ben/near@1 at summit/tumours@1: failed (it needed more memory than it was given)" in shown.notes


def test_sites_and_cases_of_a_row_are_those_of_its_score_and_what_is_over_others_is_said():
    (shown,) = show(lr.demo().view(), lr.BENCHMARK)
    assert shown.columns[2:6] == ("AUROC ↑", "range or interval", "sites", "cases")
    rows = {row[1]: row[2:6] for row in shown.rows}
    assert rows["ben/logit@1"] == ("0.978", "0.974–0.992 ‡", "2/3", "180")
    assert rows["ben/near@1"] == ("0.950", "0.947–0.952", "2/3", "180")
    assert rows["ben/late@1"] == ("–", "–", "–", "–")
    assert any(note.startswith("‡ The range or interval covers all sites of this model") for note in shown.notes)
    assert "ben/logit@1: the range or interval of AUROC is over 3 sites, 380 cases" in shown.notes
    assert "Left out of the ranking: summit/tumours@1 (no value: ben/near@1)." in shown.notes


def test_each_hidden_result_is_named_with_its_reason():
    registry = lr.demo()
    (shown,) = show(registry.view(), lr.BENCHMARK)
    assert shown.notes[-2] == "1 result is hidden:"
    assert "results/ana/breast/1/river.tumours.1/ben.forest.1/0001.yaml: superseded by " in shown.notes[-1]
    registry.result("forest", "river", {"auroc": 0.96})
    (shown,) = show(registry.view(), lr.BENCHMARK)
    assert shown.notes[-3] == "2 results are hidden:"


def test_show_of_an_unknown_benchmark_is_empty():
    assert show(lr.demo().view(), Ref("ana", "other", 1)) == ()


def test_with_five_sites_the_sentence_rests_on_a_test():
    registry = lr.Registry()
    registry.model("good")
    for place, name in enumerate(("s1", "s2", "s3", "s4", "s5")):
        registry.site(name, cases=50)
        registry.result("good", name, {"auroc": 0.9 + place / 1000})
        registry.result("one-feature", name, {"auroc": 0.8 + place / 1000})
    (shown,) = show(registry.view())
    assert shown.headline == "Good is first of two, and no other model comes within its margin of error."


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (1, "though a test of the pair does not confirm that."),
        (2, "though tests of pairs confirm that for none of the two others."),
    ],
)
def test_a_headline_that_resamples_bear_and_tests_do_not_says_both(models, told):
    registry = lr.Registry()
    for m in range(models):
        registry.model(f"m{m}")
    for place in range(5):
        registry.site(f"s{place}", cases=50)
        registry.result("one-feature", f"s{place}", {"auroc": 0.9})
        for m in range(models):
            registry.result(f"m{m}", f"s{place}", {"auroc": round(0.8 - m / 10 - place / 1000, 3)})
    (shown,) = show(registry.view())
    assert shown.headline.endswith(f"and no other model comes within its margin of error, {told}")


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        (0.5, 3, "0.500"),
        (-0.25, 1, "−0.2"),
        (-0.0001, 2, "0.00"),
        (None, 2, "–"),
        (float("nan"), 2, "–"),
        (2.675, 2, "2.68"),
    ],
)
def test_numbers_have_fixed_decimals_and_a_true_minus(number, decimals, text):
    assert fixed(number, decimals) == text


def test_counts_shares_and_lists_read_well():
    assert (some(1, "site"), some(3, "site"), whole(12345)) == ("1 site", "3 sites", "12\u202f345")
    assert tuple(percent(x).replace("\xa0", " ") for x in (0.999, 0.001, 1.0, 0.25)) == (
        "over 99 %",
        "under 1 %",
        "100 %",
        "25 %",
    )
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing([str(n) for n in range(9)]) == "0, 1, 2, 3 and 5 more"
    assert (span("1", "1"), span("1", "2")) == ("1", "1–2")


def test_a_scale_holds_all_values_and_has_round_ticks():
    scale = scale_for([0.874, 0.902, 0.992])
    assert [tick.text for tick in scale.ticks] == ["0.90", "0.95"]
    assert scale.low < 0.874 < 0.992 < scale.high
    assert scale_for([]) is None
    assert scale_for([0.5]).low < 0.5 < scale_for([0.5]).high


def test_heat_levels_follow_the_direction():
    assert [level_of(x, 0, 1, higher_is_better=True) for x in (0, 0.5, 1)] == [0, 3, 6]
    assert [level_of(x, 0, 1, higher_is_better=False) for x in (0, 0.5, 1)] == [6, 3, 0]
    assert level_of(0.4, 0.4, 0.4, higher_is_better=True) == 3


def test_the_values_of_a_metric_stand_by_site_in_the_order_of_the_ranking():
    (shown,) = show_values(lr.demo().view(), "brier", lr.BENCHMARK)
    assert shown.columns == ("rank", "model", "north", "river", "summit")
    assert shown.headline == "Brier score ↓ at each site: lower is better."
    rows = {row[1]: row[2:] for row in shown.rows}
    assert rows["ben/near@1"] == ("0.066", "0.070", "failed")
    assert rows["ben/late@1"] == ("(0.002)", "missing", "missing")
    assert shown.notes == ("Cases: north/tumours@1 60, river/tumours@1 120, summit/tumours@1 200",)


def test_a_metric_that_no_benchmark_has_is_said_with_those_there_are():
    with pytest.raises(UsageProblem) as caught:
        show_values(lr.demo().view(), "dice")
    assert "auroc, brier, sensitivity" in caught.value.hint
    assert show_values(MemoryView({}), "dice") == ()
