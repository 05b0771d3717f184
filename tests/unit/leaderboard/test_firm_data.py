"""How firm an order is, as data: JSON with reasons, CSV of random effects and pooled counts."""

import csv
import io
import json

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry

from medperf_git.leaderboard.firm_data import effects_csv, firm_json, has_effects
from medperf_git.leaderboard.rendering import asset
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import drawn, registry_of
from tests.unit.leaderboard.test_by_rule import analysed
from tests.unit.leaderboard.test_effects_and_counts import counted

SITES = drawn(3, sites=(40, 60, 90), models=4)


SHAPE = json.loads(asset("schemas/leaderboard-firm.1.json"))


def value_of(registry: lr.Registry) -> dict:
    value = json.loads(firm_json(analysed(registry)))
    Draft202012Validator(SHAPE, registry=Registry()).validate(value)
    return value


def test_every_rule_has_its_ranks_and_tau_or_its_reason():
    found = value_of(registry_of(SITES, rule="fets-2022", weights="equal"))
    assert found["rule"]["name"] == "fets-2022"
    assert found["scored_by"] == "mean rank"
    assert [one["rule"] for one in found["other_rules"]] == [
        *("mean-of-sites", "mean-then-rank", "rank-then-mean", "brats", "test-then-rank", "meta")
    ]
    assert all(one["kendall_tau"] > 0.9 for one in found["other_rules"])
    first = found["ranks"][0]
    assert (first["model"], first["rank"], first["own_score"]) == ("ben/m0@1", 1, 1.0)
    assert first["left_open"] == [{"metric": "dice", "low": 1, "high": 2}]
    assert first["by_rule"]["meta"] == 1
    plain = value_of(lr.demo())
    meta = next(one for one in plain["other_rules"] if one["rule"] == "meta")
    assert meta["not_ranked_because"].startswith("AUROC is no mean over cases")
    assert plain["tests"][0]["reason"].startswith("no comparisons of cases, and 3 sites")


def test_what_is_set_aside_and_what_turns_round_is_named():
    registry = registry_of(SITES, rule="brats")
    registry.notice("comparisons/ana/breast/1/s0.tumours.1/dice/0001.yaml", "dispute", by="ana", side="committee")
    found = value_of(registry)
    assert found["comparisons_set_aside"] == [
        {"metric": "dice", "dataset": "s0/tumours@1", "reason": "its comparison is disputed"}
    ]
    assert found["tests"][0] == {
        "metric": "dice",
        "tested": "cases",
        "reason": None,
        "alpha": 0.05,
        "adjusted": "holm",
        "tests": 6,
        "sites": ["s1/tumours@1", "s2/tumours@1"],
        "cases": 150,
        "no_rank_interval_because": None,
        "significant": found["tests"][0]["significant"],
    }


def test_random_effects_are_a_line_for_each_model():
    analysis = analysed(registry_of(SITES, rule="mean-of-sites", weights="equal"))
    assert has_effects(analysis)
    rows = list(csv.DictReader(io.StringIO(effects_csv(analysis).decode())))
    assert [row["model"] for row in rows] == ["ben/m0@1", "ben/m1@1", "ben/m2@1", "ben/m3@1"]
    first = rows[0]
    assert (first["method"], first["sites"], first["cases"], first["of_pooled_counts"]) == ("DL", "3", "190", "")
    assert float(first["low"]) < float(first["mean"]) < float(first["high"])
    assert float(first["prediction_low"]) < float(first["low"])


def test_pooled_counts_stand_alone_where_there_are_no_random_effects():
    text = effects_csv(analysed(counted("sensitivity", (0.8, [8, 1, 2, 9])))).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["method"], row["of_pooled_counts"]) for row in rows] == [("", "0.8")]
    assert not has_effects(analysed(lr.demo()))


@pytest.mark.parametrize("registry", [lr.demo(), lr.Registry(), lr.Registry(rule="mean-then-rank", n="bucket")])
def test_a_benchmark_without_ranking_or_tests_is_data_too(registry):
    assert value_of(registry)["tests"][0]["tested"] is None
