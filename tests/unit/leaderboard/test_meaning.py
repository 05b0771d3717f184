"""What a rank means: one sentence for every rule, for one site, one case, and numbers kept back."""

import pytest

from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.section_ranking import how_to_read, rank_meaning
from medperf_git.leaderboard.show import show
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import ComparedRegistry, drawn, registry_of
from tests.unit.leaderboard.test_by_rule import analysed

SITES = drawn(3, sites=(40, 60, 90), models=4)


@pytest.mark.parametrize(
    ("rule", "weights", "words", "sentence"),
    [
        (
            "mean-of-sites",
            "equal",
            {},
            "Ranked by Dice and HD95, averaged over 3 sites, every site weighing the same.",
        ),
        (
            "mean-then-rank",
            "cases",
            {},
            "Ranked by Dice and HD95, averaged over 3 sites, each site weighing its cases.",
        ),
        (
            "rank-then-mean",
            "cases",
            {},
            "Ranked by Dice and HD95, case by case: a model’s rank is its mean rank over 190 cases at 3 sites.",
        ),
        (
            "fets-2022",
            "equal",
            {},
            (
                "Ranked by Dice and HD95 within each of 3 sites, and by the mean of those ranks, every site weighing "
                "the same; a site where a model failed is left out."
            ),
        ),
        (
            "brats",
            "cases",
            {},
            "Ranked by the mean of a model’s ranks in Dice and HD95 within each of 190 cases at 3 sites.",
        ),
        (
            "test-then-rank",
            "equal",
            {"adjust": "none"},
            (
                "Ranked by how many other models a model beats significantly in Dice and HD95 at 3 sites "
                "(one-sided tests at level 0.05, not adjusted for their number)."
            ),
        ),
        (
            "meta",
            "equal",
            {"method": "PM"},
            (
                "Ranked by Dice and HD95 as expected over all sites such as these 3 sites "
                "(random effects, Paule and Mandel)."
            ),
        ),
    ],
)
def test_each_rule_says_in_one_sentence_what_its_rank_rests_on(rule, weights, words, sentence):
    registry = registry_of(SITES, rule=rule, weights=weights, metrics=("dice", "hd95"), extras=words)
    assert analysed(registry).explanation == sentence


def test_a_single_case_makes_no_claim():
    house = lr.Registry()
    house.model("good")
    house.site("north", cases=1)
    house.result("good", "north", {"auroc": 0.9})
    house.result("one-feature", "north", {"auroc": 0.8})
    assert analysed(house).headline == "Good is first of two, on a single case: no claim beyond it can be made."


def test_a_single_model_is_the_only_one_ranked():
    house = ComparedRegistry(rule="mean-of-sites", weights="equal")
    house.model("good")
    house.site("north", cases=20)
    house.measured("good", "north", {"dice": [0.9] * 20})
    assert analysed(house).headline == "Good is the only model ranked so far."


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("metrics", [("dice",), ("dice", "hd95")])
def test_what_few_sites_bear_is_said_of_the_ranked_sites_and_of_all_metrics_of_the_ranking(metrics, alone):
    registry = ComparedRegistry(rule="mean-then-rank", weights="equal", metrics=metrics)
    registry.model("good")
    registry.model("between")
    for site in ("north", "south"):  # one-feature is ahead by the distance alone
        registry.site(site, cases=20)
        registry.measured("between", site, {"dice": [0.6] * 20, "hd95": [9.0] * 20})
        registry.measured("good", site, {"dice": [0.9] * 20, "hd95": [4.0] * 20})
        registry.measured("one-feature", site, {"dice": [0.4] * 20, "hd95": [3.9] * 20})
    if not alone:
        registry.site("west", cases=20)  # two models have no value here
        registry.measured("one-feature", "west", {"dice": [0.9] * 20, "hd95": [1.0] * 20})
    together = ", by the two metrics of the ranking together," if len(metrics) == 2 else ""
    where = "two sites" if alone else "two ranked sites"
    told = f"Good is first of three and{together} best at every one of the {where}, too few for a test."
    assert analysed(registry).headline == told


def test_a_rival_at_few_sites_is_said_of_all_metrics_of_the_ranking():
    registry = ComparedRegistry(rule="mean-then-rank", weights="equal", metrics=("dice", "hd95"))
    registry.model("good")
    for site, better in (("north", 0.9), ("south", 0.9), ("west", 0.3)):
        registry.site(site, cases=20)
        registry.measured("good", site, {"dice": [better] * 20, "hd95": [4.0] * 20})
        registry.measured("one-feature", site, {"dice": [0.4] * 20, "hd95": [5.0] * 20})
    assert analysed(registry).headline == (
        "Good is first of two, but not everywhere: "
        "One feature did at least as well at one of three sites, by the two metrics of the ranking together."
    )


def test_random_effects_without_any_test_say_that_nothing_is_tested():
    registry = registry_of(SITES, rule="meta", weights="equal")
    for path in [path for path in registry.files if path.startswith("comparisons/")]:
        registry.files.pop(path)
    found = analysed(registry)
    assert found.headline == "M0 is first of four, and nothing here tests how sure that is."
    assert not any(row.beside_first for row in found.standings if row.rank != 1)
    assert firmness(found)["beside"] == ""


def test_who_cannot_be_told_from_first_place_is_one_group():
    found = firmness(analysed(registry_of(SITES, rule="meta", weights="equal")))
    assert found["beside"] == "Cannot be told from first place, by tests of pairs: M0 and M1."


def test_what_tells_who_stands_beside_first_place_has_a_name_and_the_page_says_it():
    beside = {
        rule: analysed(registry_of(sites, rule=rule, weights=weights))
        for rule, weights, sites in (
            ("meta", "equal", SITES),
            ("brats", "cases", SITES),
            ("rank-then-mean", "cases", drawn(4, sites=(20, 20, 20, 20, 20), models=3)),
        )
    }
    assert [found.beside for found in beside.values()] == ["tests", "sites", "resamples"]
    assert how_to_read(beside["meta"]).endswith("A tinted row cannot be told from first place by tests of pairs.")
    assert rank_meaning(beside["meta"]).endswith("Tinted rows cannot be told from first place.")
    assert any(note.startswith("BraTS permutes ranks case by case") for note in firmness(beside["brats"])["notes"])


def test_clear_tests_say_that_first_place_is_better_than_all():
    sites = [values[:, [0, 2, 3]] for values in SITES]
    found = analysed(registry_of(sites, rule="meta", weights="equal"))
    assert found.headline == "M0 is first of three, and significantly better than every other model on the same cases."


def test_show_has_columns_for_rules_that_rank_and_a_reason_for_those_that_do_not():
    (shown,) = show(registry_of(SITES, rule="brats").view())
    assert shown.columns[2:6] == ("mean rank", "Dice ↑", "range or interval", "sites")
    assert shown.columns[-6:] == (
        *("by Mean of sites", "by Mean over cases", "by Mean rank over cases", "by FeTS 2022"),
        *("by Significant wins", "by Random effects"),
    )
    assert all(len(row) == len(shown.columns) == len(shown.numeric) for row in shown.rows)
    (plain,) = show(lr.demo().view())
    assert plain.columns[-1] == "by Mean over cases"
    assert (
        "Not ranked by Mean rank over cases, FeTS 2022, BraTS and Significant wins: these rules need comparisons "
        "of models on the same cases, and no site has published one."
    ) in plain.notes
    assert any(note.startswith("No pair of models is tested by AUROC: ") for note in plain.notes)


def test_a_turned_order_is_told_in_words():
    house = ComparedRegistry(rule="mean-of-sites", weights="equal")
    for name in ("m0", "m1"):
        house.model(name)
    for site, size, values in (("north", 20, (0.9, 0.6)), ("south", 400, (0.7, 0.8))):
        house.site(site, cases=size)
        for k, value in enumerate(values):
            house.measured(f"m{k}", site, {"dice": [value] * size})
    assert firmness(analysed(house))["reversals"] == [
        (
            "Weighting turns an order round: with every site weighing the same M0 is before M1, "
            "and behind it when sites weigh their cases."
        )
    ]
