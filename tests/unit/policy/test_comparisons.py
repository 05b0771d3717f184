"""Rules about comparisons: whatever their numbers are, and what the second set of rules brought."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.policy.comparison_numbers import Basis, faults_of
from medperf_git.policy.judge import judge
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.folds import comparison_chain, live_comparison, marks_of, replaced_in
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_record
from medperf_git.records.view import iter_comparisons
from tests.support import comparison_builder as cb
from tests.support.comparison_builder import BENCHMARK, HD95, TREE
from tests.support.registry_builder import MODEL, NORTH, REFERENCE

from .examples import compared_with

numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.decimals(-1000, 1000, places=6).map(lambda one: int(one) if one == int(one) else one.normalize()),
)
counts = st.integers(0, 2**31)


@st.composite
def comparisons(draw: st.DrawFn) -> models.Comparison:
    """Draw a record that fits its schema, with any numbers."""
    record = cb.comparison(cb.compared())
    pair = record.pairs[0]
    fields: dict[str, Any] = {name: draw(numbers) for name in ("difference", "variance", "w_plus", "sd")}
    fields |= {name: draw(counts) for name in ("wins", "ties", "losses")}
    return replace(
        record,
        n=draw(st.integers(2, 2**31)),
        models=tuple(replace(one, mean=draw(numbers), mean_rank=draw(numbers)) for one in record.models),
        covariance=tuple(draw(numbers) for _ in range(3)),
        pairs=(replace(pair, n=draw(st.integers(2, 2**31)), **fields),),
    )


@given(comparisons(), st.integers(0, 4), st.sampled_from(["higher", "lower"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_numbers_are_judged(record: models.Comparison, decimals: int, direction: Any) -> None:
    metric = replace(HD95, direction=direction, decimals=decimals)
    faults = list(faults_of(Basis(record, metric, decimals, (None, models.MetricValue(1, n=60)))))
    assert all(pointer.startswith("/") and message for pointer, message, _, _ in faults)


def test_a_comparison_goes_on_in_its_chain_and_the_newest_is_live() -> None:
    house = cb.compared()
    first = house.propose(cb.comparison(house)).sign("north")
    house.merge(first)
    house.merge(house.propose(cb.result(house, TREE)).sign("north"))
    second = house.propose(cb.comparison(house, (REFERENCE, MODEL, TREE))).sign("north")
    assert second.path == first.path.replace("0001", "0002")
    house.merge(second)
    live = live_comparison(house.view, BENCHMARK, NORTH, "dice")
    assert live is not None
    assert live.path == second.path
    assert len(comparison_chain(house.view, BENCHMARK, NORTH, "dice")) == 2
    assert list(iter_comparisons(house.view, BENCHMARK)) == [(NORTH, "dice")]
    house.merge(house.propose(house.notice("withdraw", second.path, by="north")).sign("north"))
    assert live_comparison(house.view, BENCHMARK, NORTH, "dice") is None


def test_a_result_that_is_superseded_leaves_a_comparison_behind() -> None:
    house = cb.compared()
    record = cb.comparison(house)
    house.merge(house.propose(record).sign("north"))
    assert replaced_in(house.view, record) == ()
    house.merge(house.propose(cb.result(house, MODEL, attempt=2)).sign("north"))
    assert replaced_in(house.view, record) == (MODEL,)


def test_the_committee_may_dispute_a_comparison_and_its_owner_may_not() -> None:
    house = cb.compared()
    proposal = compared_with(house)
    house.merge(proposal)
    mine = house.propose(house.notice("dispute", proposal.path, by="north", side="owner")).sign("north")
    assert mine.judge().outcome is Outcome.FAIL
    house.merge(house.propose(house.notice("dispute", proposal.path, by="dora", side="committee")).sign("dora"))
    assert marks_of(house.view, proposal.path).disputed


def test_a_registry_of_the_first_rules_takes_none_and_goes_on_to_the_second() -> None:
    house = cb.compared()
    rules_2 = {path: data for path, data in house.files.items() if path.startswith("registry/0002")}
    house.files = {path: data for path, data in house.files.items() if path not in rules_2}
    change = compared_with(house).change()
    assert {one.rule for one in judge(change).findings} == {"newer-rules"}
    house.files |= rules_2
    assert judge(compared_with(house).change()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "path",
    [
        "comparisons/dora/heart/2/north.wards.1/dice/0000.yaml",
        "comparisons/dora/heart/2/north.wards.1/Dice/0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/../0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/0001.yaml",
        "comparisons/dora/heart/2/north.wards/dice/0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/dice/x/0001.yaml",
    ],
)
def test_other_paths_are_no_places_of_comparisons(path: str) -> None:
    assert layout.place_of(path) is None


def test_the_largest_comparison_is_read_quickly_and_fits_its_bounds() -> None:
    house = cb.compared()
    record = cb.comparison(house)
    count, one, pair = 64, record.models[0], record.pairs[0]
    refs = [Ref("moa", f"model{number:02d}", 1) for number in range(count)]
    large = replace(
        record,
        models=tuple(replace(one, ref=ref, mean=Decimal("123456789.123456")) for ref in refs),
        covariance=(Decimal("-1234567.12345678"),) * (count * (count + 1) // 2),
        pairs=tuple(
            replace(pair, first=first + 1, second=second + 1, n=2**31, w_plus=Decimal("12345678901234.5"),
                    variance=Decimal("123456789012.125"), wins=2**31, difference=Decimal("-12345678.1234"))
            for first in range(count)
            for second in range(first + 1, count)
        ),
    )  # fmt: skip
    data = write_record(large)
    assert 300_000 < len(data) < 512 * 1024
    path = layout.numbered(layout.comparison_folder(BENCHMARK, NORTH, "dice"), 1)
    assert read_record(path, data).findings == ()
    careful = read_record(path, data.replace(b"kind: comparison\n", b"kind: 'comparison'\n"))
    assert [finding.rule for finding in careful.findings] == ["canonical"]
