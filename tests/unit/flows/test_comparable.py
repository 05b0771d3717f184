"""Which models can stand in one comparison so that no few cases show."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.flows.comparable import fitting
from medperf_git.policy.comparisons import Used
from medperf_git.records.names import Ref

ONE, TWO, THREE = (Ref("moa", name, 1) for name in ("one", "two", "three"))


def cases(*numbers: Iterable[int]) -> frozenset[str]:
    return frozenset(str(number) for part in numbers for number in part)


def test_models_with_the_same_cases_stand_together() -> None:
    found = fitting({ONE: cases(range(60)), TWO: cases(range(60))}, {}, least=10)
    assert (found.models, found.left) == ((ONE, TWO), {})


@pytest.mark.parametrize(("lacking", "fits"), [(9, False), (10, True)])
def test_t65_a_model_that_lacks_few_cases_is_left_out(lacking: int, fits: bool) -> None:
    own = {ONE: cases(range(60)), TWO: cases(range(60)), THREE: cases(range(lacking, 60))}
    found = fitting(own, {}, least=10)
    assert (THREE in found.models) is fits
    assert found.models[:2] == (ONE, TWO)
    assert ("differ by 9" in found.left.get(THREE, "")) is not fits


def test_t65_equal_numbers_of_other_cases_are_no_equal_cases() -> None:
    base = range(20, 80)
    own = {
        ONE: cases(base, range(10)),
        TWO: cases(base, range(10)),
        THREE: cases(range(20, 79), range(10), [90]),
    }
    assert fitting(own, {}, least=10).models == (ONE, TWO)


def test_t65_what_was_published_before_counts() -> None:
    own = {ONE: cases(range(60)), TWO: cases(range(60))}
    found = fitting(own, {TWO: [Used("results/x.yaml", 59, 1)]}, least=10)
    assert "with results/x.yaml it would show what 1 cases contribute" in found.left[TWO]
    assert found.models == (ONE,)
    assert fitting(own, {TWO: [Used("x", 59, 1)]}, least=1).models == (ONE, TWO)
    assert fitting(own, {TWO: [Used("x", 45, 20)]}, least=1).models == (ONE,)


def test_too_few_shared_cases_are_said() -> None:
    found = fitting({ONE: cases(range(60)), TWO: cases(range(51, 120))}, {}, least=10)
    assert found.models == (TWO,)
    assert found.left[ONE] == "with it only 9 cases are shared by all; at least 10 are needed"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 12), min_size=1), min_size=2, max_size=5), st.integers(1, 4))
def test_no_two_sets_that_are_published_are_near(sets: list[frozenset[int]], least: int) -> None:
    own = {Ref("moa", f"model{number}", 1): cases(one) for number, one in enumerate(sets)}
    found = fitting(own, {}, least=least)
    assert set(found.models) | set(found.left) == set(own)
    chosen = [own[ref] for ref in found.models]
    shared = frozenset.intersection(*chosen) if chosen else frozenset()
    for one in chosen:
        published = {shared, *(one & other for other in chosen)}
        assert all(len(part) >= least for part in published)
        assert all(len(a ^ b) >= least for a in published for b in published if a != b)
