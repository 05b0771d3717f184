"""T65 by comparisons, quantiles and counts: few cases, and almost the same cases as something that was published."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from medperf_git.flows.comparable import fitting_values
from medperf_git.flows.disclosure import hold_back_near
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.names import Ref
from medperf_git.runner.comparison import compare_cases
from tests.support import comparison_builder as cb
from tests.support.comparison_builder import BENCHMARK, DICE, TREE
from tests.support.registry_builder import MODEL, NORTH, REFERENCE, House, Proposal

ALL = (REFERENCE, MODEL, TREE)
FEW = "comparison-few-cases"


def with_tree(lacking: Sequence[int]) -> House:
    """Return a registry in which a third model has no value for some cases."""
    house = cb.compared()
    return house.merge(house.propose(cb.result(house, TREE, failed=lacking)).sign("north"))


def found(proposal: Proposal) -> set[str]:
    return {finding.rule for finding in proposal.judge().findings}


@pytest.mark.parametrize(("lacking", "outcome"), [(9, Outcome.FAIL), (10, Outcome.PASS)])
def test_t65_a_mean_over_almost_all_cases_of_another_mean_is_refused(lacking: int, outcome: Outcome) -> None:
    """The results publish means over 60 cases; with a comparison over 51 of them, 9 would show."""
    house = with_tree(range(lacking))
    proposal = house.propose(cb.comparison(house, ALL, failed={TREE: range(lacking)})).sign("north")
    assert proposal.judge().outcome is outcome
    assert found(proposal) == ({"comparison-differencing"} if outcome is Outcome.FAIL else set())


def test_t65_a_comparison_near_an_earlier_one_is_refused_also_when_that_was_withdrawn() -> None:
    house = with_tree(range(10))
    first = house.propose(cb.comparison(house, ALL, failed={TREE: range(10)})).sign("north")
    house.merge(first)
    house.merge(house.propose(cb.result(house, TREE, failed=range(20), attempt=2)).sign("north"))
    near = house.propose(cb.comparison(house, ALL, failed={TREE: range(11)})).sign("north")
    assert "comparison-differencing" in found(near)
    house.merge(house.propose(house.notice("withdraw", first.path, by="north")).sign("north"))
    near = house.propose(cb.comparison(house, ALL, failed={TREE: range(19)})).sign("north")
    (one,) = [one for one in near.judge().findings if one.pointer == "/models/0"]
    assert first.path in one.message


@pytest.mark.parametrize(("unequal", "refused"), [(0, set()), (1, {FEW}), (9, {FEW}), (10, set())])
def test_t65_two_models_that_differ_in_few_cases_do_not_show_by_how_much(unequal: int, refused: set[str]) -> None:
    """With one win and 59 ties the mean difference, times 60, is one patient's."""
    house = cb.compared()
    record = cb.comparison(house)
    values = cb.values_of(REFERENCE, DICE)
    other = {case: value + (0.01 if number < unequal else 0) for number, (case, value) in enumerate(values.items())}
    (pair,) = compare_cases([values, other], higher_is_better=True, decimals=3).pairs
    assert pair.wins + pair.losses == unequal
    findings = house.propose(replace(record, pairs=(pair,))).sign("north").judge().findings
    assert {one.rule for one in findings} - {"comparison-numbers"} == refused
    fits = fitting_values({REFERENCE: values, MODEL: other, TREE: cb.values_of(TREE, DICE)}, {}, least=10)
    assert (fits.models == (REFERENCE, TREE) and MODEL in fits.left) is bool(refused)
    assert (fits.models == (REFERENCE, MODEL, TREE)) is (not refused)


def test_t65_a_stricter_limit_of_the_policy_holds_for_comparisons_too() -> None:
    house = cb.compared()
    policy = replace(house.policy_now(BENCHMARK), disclosure=models.Disclosure(61, 2, "exact"))
    house.merge(house.propose(policy).sign("dora", "emil"))
    refused = found(house.propose(cb.comparison(house)).sign("north"))
    assert refused == {"comparison-few-cases", "comparison-numbers"}


def test_t65_a_second_version_of_the_data_shows_no_few_cases_by_a_comparison() -> None:
    """What stands of the first version stands against the second, although its results were held back."""
    house = cb.compared()
    house.merge(house.propose(cb.comparison(house)).sign("north"))
    ref = Ref("north", "wards", 2)
    house.merge(house.propose(house.dataset(ref, cases=models.Cases(exact=59))).sign("north"))
    request = house.event("request", by="north", subject=ref, benchmark=house.benchmark_reference(BENCHMARK))
    policy = house.digest(layout.numbered(layout.policy_folder(BENCHMARK), 1))
    house.merge(house.propose(replace(request, policy=policy)).sign("north"))
    record = replace(cb.comparison(house), dataset=house.dataset_reference(ref), n=59)
    assert {"comparison-differencing", "comparison-result"} <= found(house.propose(record).sign("north"))


def test_t65_quantiles_and_small_counts_are_refused_by_the_judge() -> None:
    metric = replace(DICE, quantiles=(Decimal("0.1"), Decimal("0.5")), counts=models.Counts("/counts", 2))
    house = cb.compared(metrics=(metric, cb.HD95, cb.AUROC))
    values = cb.result(house, MODEL).values or {}
    for changes, refused in (
        ({"quantiles": (Decimal("0.4"), Decimal("0.6"))}, {"distributions"}),  # 6 of 60 cases lie below the first
        ({"counts": (51, 9)}, {"distributions"}),
        ({"counts": (60, 0)}, set()),
    ):
        entry = replace(values["dice"], **changes)  # type: ignore[arg-type]  # fields of it
        record = cb.result(house, MODEL, attempt=2, values={**values, "dice": entry})
        assert found(house.propose(record).sign("north")) == refused


def test_t65_no_value_of_a_single_case_is_in_a_comparison() -> None:
    house = cb.compared()
    proposal = house.propose(cb.comparison(house)).sign("north")
    text = proposal.files[proposal.path].decode()
    assert NORTH.folder in proposal.path
    assert not [name for name in cb.content(MODEL)["cases"] if name in text]


def test_t65_a_value_near_a_comparison_is_refused_and_held_back_at_the_site() -> None:
    """A comparison over 50 cases stands; a value of one of its models over 45 of them would show 5."""
    house = with_tree(range(10))
    house.merge(house.propose(cb.comparison(house, ALL, failed={TREE: range(10)})).sign("north"))
    record = cb.result(house, MODEL, attempt=2, failed=range(15))
    proposal = house.propose(record).sign("north")
    near = [one for one in proposal.judge().findings if one.rule == "differencing"]
    assert [(one.pointer, one.got) for one in near] == [("/values/dice/n", "45 and 50")]
    kept, said = hold_back_near(house.view, proposal.path, record, min_cases=10)
    assert (kept.values or {})["dice"].absent == "held-back"
    assert "over 50 cases it would show 5 of them" in said[0]
    assert house.propose(kept).sign("north").judge().outcome is Outcome.PASS


def test_t65_a_case_that_failed_the_second_time_is_not_shown_by_two_means_over_the_same_cases() -> None:
    """Under `worst` both means are over 60 cases; their difference times 60 is what the one case contributed."""
    house = cb.compared(undefined="worst")
    record = cb.result(house, MODEL, undefined="worst", attempt=2, failed=(3,))
    assert (record.values or {})["dice"].n == 60
    proposal = house.propose(record).sign("north")
    near = [one for one in proposal.judge().findings if one.rule == "differencing"]
    assert ("/values/dice/n", "59 and 60") in {(one.pointer, one.got) for one in near}
    kept, said = hold_back_near(house.view, proposal.path, record, min_cases=10)
    assert (kept.values or {})["dice"].absent == "held-back"
    assert "it would show 1 of them" in said[0]
    assert house.propose(kept).sign("north").judge().outcome is Outcome.PASS
    many = cb.result(house, MODEL, undefined="worst", attempt=2, failed=range(10))
    assert found(house.propose(many).sign("north")) == set()
