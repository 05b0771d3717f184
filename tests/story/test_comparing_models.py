"""A site publishes how models compare on its cases; a model joins; nobody else can say it, nor other numbers."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.propose import Unacceptable
from medperf_git.records import layout, models
from medperf_git.records.folds import live_comparison
from tests.support import comparison_builder as cb
from tests.support.comparison_builder import BENCHMARK, DICE, TREE
from tests.support.kept_runs import keep_run, write_results
from tests.support.people import Human, Town
from tests.support.registry_builder import COMMITTEE, MODEL, NORTH, REFERENCE, House
from tests.support.story import copy_town, house_of, send


@pytest.fixture(scope="module")
def compared_template(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A benchmark that asks for comparisons, two models with results that north kept."""
    town = copy_town(template, tmp_path_factory.mktemp("compared") / "town")
    house, dora = house_of(town), town.human("dora")
    ranking = models.Ranking("mean-of-sites", 1, ("dice",), "equal", "exclude-model", 7)
    benchmark = house.benchmark(BENCHMARK, metrics=cb.metrics(), ranking=ranking, comparisons=True)
    always = models.AutoApproval("always")
    policy = house.first_policy(benchmark, auto_approve=models.AutoApprovals(always, always))
    proposed = send(dora, benchmark, policy)
    town.human(COMMITTEE[1]).run("sign", proposed.id, "--yes")
    house = house_of(town)
    named: dict[str, Any] = {
        "benchmark": house.benchmark_reference(BENCHMARK),
        "policy": house.digest(layout.numbered(layout.policy_folder(BENCHMARK), 1)),
    }
    for subject, kind in ((NORTH, "dataset"), (MODEL, "cube"), (TREE, "cube")):
        request = house.event("request", by=subject.member, subject=subject, kind=kind, **named)  # type: ignore[arg-type]  # of two words
        send(town.human(subject.member), request)
    house, north = house_of(town), town.human("north")
    for model in (REFERENCE, MODEL):
        keep_run(north, house, model, cb.content(model))
    send(north, *(cb.result(house, model) for model in (REFERENCE, MODEL)))
    return town


@pytest.fixture
def compared_town(compared_template: Town, tmp_path: Path) -> Town:
    return copy_town(compared_template, tmp_path / "town")


def in_force(town: Town, metric: str = "dice") -> models.Comparison:
    live = live_comparison(town.founder.workspace().view, BENCHMARK, NORTH, metric)
    assert live is not None
    assert isinstance(live.record, models.Comparison)
    return live.record


def compare(human: Human, *more: object, code: int = 0) -> str:
    said = human.run("compare", BENCHMARK, "--dataset", NORTH, *more, code=code)
    return said.out + said.err


def test_a_comparison_is_shown_published_and_superseded_when_a_model_joins(compared_town: Town) -> None:
    north = compared_town.human("north")
    before = compared_town.main
    shown = compare(north, "--dry-run", "--record")
    assert "2 record(s) would leave, and nothing else" in shown
    assert "2 models over 60 cases that all of them have" in shown
    assert "kind: comparison" in shown
    assert "case-0" not in shown
    assert compared_town.main == before
    compare(north, "--yes")
    record = in_force(compared_town)
    assert record == replace(cb.comparison(house_of(compared_town)), created=record.created, client=record.client)
    assert [model.ref for model in in_force(compared_town, "hd95").models] == [REFERENCE, MODEL]
    assert "Published already" in compare(north, "--yes")
    told = north.run("leaderboard", "diff").out
    assert "- Comparisons of models on the same cases: 2 more." in told.splitlines()
    assert "new result" not in told

    keep_run(north, house_of(compared_town), TREE, cb.content(TREE))
    north.run("review")
    sent = north.run("result", "submit", "--yes").out
    assert f"once all are merged: medperf-git compare {BENCHMARK} --dataset {NORTH}" in sent
    told = compare(north, "--yes", "--metric", "dice")
    assert "It supersedes the comparison" in told
    assert [model.ref for model in in_force(compared_town).models] == [REFERENCE, MODEL, TREE]
    assert in_force(compared_town).previous is not None
    assert [model.ref for model in in_force(compared_town, "hd95").models] == [REFERENCE, MODEL]
    compared_town.founder.run("audit")
    out = compared_town.folder / "site"
    compared_town.founder.run("leaderboard", "build", "--out", out)
    page = (out / "benchmarks" / BENCHMARK.path / "index.html").read_text(encoding="utf-8")
    assert "Compared on the same cases" in page
    table = json.loads((out / "benchmarks" / BENCHMARK.path / "table.json").read_bytes())
    assert [(one["metric"], one["state"]) for one in table["comparisons"]] == [
        ("dice", "superseded"), ("dice", "live"), ("hd95", "live"),
    ]  # fmt: skip


def test_a_comparison_in_json_says_what_was_sent(compared_town: Town) -> None:
    said = compared_town.human("north").run("compare", BENCHMARK, "--dataset", NORTH, "--yes", "--json").value
    assert [one["metric"] for one in said["comparisons"]] == ["dice", "hd95"]
    assert [one["merged"] for one in said["proposals"]] == [True]


def refused(human: Human, record: models.Comparison) -> set[str]:
    with pytest.raises(Unacceptable) as caught:
        send(human, record)
    return {finding.rule for finding in caught.value.findings}


def test_a_foreign_signer_and_wrong_numbers_are_refused(compared_town: Town) -> None:
    house = house_of(compared_town)
    record = cb.comparison(house)
    assert "unsigned" in refused(compared_town.human("east"), record)
    north = compared_town.human("north")
    first = replace(record.models[0], mean=Decimal("0.9"))
    assert refused(north, replace(record, models=(first, *record.models[1:]))) == {"comparison-numbers"}
    pair = replace(record.pairs[0], wins=60, losses=0)
    assert refused(north, replace(record, pairs=(pair,))) == {"comparison-numbers"}


def test_too_few_cases_are_refused_here_and_by_the_judge(compared_town: Town) -> None:
    house, dora, north = house_of(compared_town), compared_town.human("dora"), compared_town.human("north")
    policy = replace(house.policy_now(BENCHMARK), disclosure=models.Disclosure(61, 3, "exact"))
    proposed = send(dora, policy)
    compared_town.human(COMMITTEE[1]).run("sign", proposed.id, "--yes")
    assert refused(north, cb.comparison(house)) == {"comparison-few-cases"}
    assert "only 60 cases are shared by all; at least 61 are needed" in compare(north, "--dry-run")


def test_t65_a_model_over_almost_the_same_cases_is_left_out(compared_town: Town) -> None:
    north, lacking = compared_town.human("north"), range(9)
    compare(north, "--yes")
    house: House = house_of(compared_town)
    content: Any = cb.content(TREE, failed=lacking)
    content["cases"] = {name: one or {"dice": float("nan"), "hd95": 1.0} for name, one in content["cases"].items()}
    keep_run(north, house, TREE, content)
    north.run("review")
    north.run("result", "submit", "--yes")
    told = compare(north, "--dry-run", "--metric", "dice")
    assert f"Left out: {TREE}: numbers would rest on sets of cases that differ by 9" in told
    assert "Published already" in told
    house = house_of(compared_town)
    all_three = cb.comparison(house, (REFERENCE, MODEL, TREE), failed={TREE: lacking})
    assert refused(north, all_three) == {"comparison-differencing"}


def test_what_cannot_be_compared_is_said_with_its_reason(compared_town: Town) -> None:
    north, house = compared_town.human("north"), house_of(compared_town)
    run = keep_run(north, house, MODEL, cb.content(MODEL))
    results = run.model(MODEL).results
    write_results(results, cb.content(TREE))
    assert f"{MODEL}: its values by case were changed on this machine" in compare(north, "--dry-run")
    results.unlink()
    assert f"{MODEL}: its values by case are gone from this machine" in compare(north, "--dry-run")
    keep_run(north, house, MODEL, cb.content(TREE))
    told = compare(north, "--dry-run")
    assert f"{MODEL}: its kept values of dice do not give the published result any more" in told
    assert "Nothing leaves: one model can be compared, and it takes two." in told
    (run.model(MODEL).folder / "outcome.json").unlink()
    assert "it ran on another machine" in compare(north, "--dry-run")


def test_a_benchmark_that_asks_for_none_gets_none(compared_town: Town) -> None:
    north = compared_town.human("north")
    said = north.run("compare", "dora/heart@1", "--dataset", NORTH, "--dry-run", code=1).err
    assert "asks for no comparisons" in said
    said = compare(north, "--metric", "auroc", "--dry-run", code=2)
    assert "no metric 'auroc' with a value for each case" in said
    assert DICE.id in said
