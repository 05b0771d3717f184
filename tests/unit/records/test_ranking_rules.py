"""What each ranking rule needs and takes, as its one table says it, and as the schema lists it."""

from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest

from medperf_git.records import models as m
from medperf_git.records.ranking_rules import RULES, alpha_of, needs_cases, newer_parts
from medperf_git.records.schemas import schema_of

PLAIN = m.Ranking("mean-of-sites", 1, ("auroc",), "equal", "exclude-site", 0)


def test_the_schema_the_types_and_the_table_list_the_same_rules_weights_and_missing_rules():
    ranking = schema_of("benchmark")["properties"]["ranking"]["properties"]
    assert ranking["rule"]["enum"] == list(RULES) == list(get_args(m.RankingRule))
    weights = {weight for facts in RULES.values() for weight in facts.weights}
    assert set(ranking["weights"]["enum"]) == weights
    assert set(ranking["missing"]["enum"]) == {missing for facts in RULES.values() for missing in facts.missing}


def test_what_an_older_client_reads_has_nothing_newer_in_it():
    assert newer_parts(PLAIN) == ()
    assert newer_parts(replace(PLAIN, rule="mean-then-rank", weights="cases", missing="worst")) == ()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"rule": "brats", "weights": "cases"}, ("rule",)),
        ({"weights": "sqrt-cases"}, ("weights",)),
        ({"weights": "capped-cases", "cap": 9}, ("weights", "cap")),
        ({"rule": "test-then-rank", "alpha": Decimal("0.01"), "adjust": "none"}, ("rule", "alpha", "adjust")),
        ({"rule": "meta", "method": "PM"}, ("rule", "method")),
    ],
)
def test_each_newer_part_is_named(changes, parts):
    assert newer_parts(replace(PLAIN, **changes)) == parts


def test_only_a_mean_of_sites_that_weigh_the_same_needs_no_numbers_of_cases():
    assert not needs_cases(PLAIN)
    assert needs_cases(replace(PLAIN, weights="sqrt-cases"))
    assert all(needs_cases(replace(PLAIN, rule=rule)) for rule in RULES if rule != "mean-of-sites")


def test_tests_have_a_level_of_five_in_a_hundred_unless_the_committee_says_another():
    assert alpha_of(PLAIN) == Decimal("0.05")
    assert alpha_of(replace(PLAIN, alpha=Decimal("0.01"))) == Decimal("0.01")
