"""Which models of a site can stand in one comparison, so that no few cases show: pure functions of sets of cases.

Two means of one model over sets of cases that differ by very few show what those few contribute. So the sets on
which anything about a model is published are the same, or differ by the smallest number of cases at least.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TypeAlias

from medperf_git.policy.comparisons import Used
from medperf_git.records.names import Ref
from medperf_git.runner.comparison import NOISE_DIGITS

Cases: TypeAlias = Set[str]


@dataclass(frozen=True, slots=True)
class Fitting:
    """The models that can be compared, in the order given, and why each of the others cannot."""

    models: tuple[Ref, ...]
    left: Mapping[Ref, str]


def fitting(cases: Mapping[Ref, Cases], published: Mapping[Ref, Sequence[Used]], *, least: int) -> Fitting:
    """Return the largest set of models that the limits allow, found group by group of models with the same cases.

    `cases` has the cases with a value of each model, `published` the numbers of cases that are public of it.
    """
    groups: dict[frozenset[str], list[Ref]] = {}
    for ref, own in cases.items():
        groups.setdefault(frozenset(own), []).append(ref)
    chosen: dict[Ref, Cases] = {}
    left: dict[Ref, str] = {}
    for own, refs in sorted(groups.items(), key=lambda group: (-len(group[1]), -len(group[0]), min(group[1]))):
        whole = chosen | dict.fromkeys(refs, own)
        if not _fault(whole, published, least):
            chosen = whole
            continue
        for ref in refs:  # perhaps only what is public of one of them stands against it
            if fault := _fault(chosen | {ref: own}, published, least):
                left[ref] = fault
            else:
                chosen = chosen | {ref: own}
    return Fitting(tuple(ref for ref in cases if ref in chosen), left)


def fitting_values(
    values: Mapping[Ref, Mapping[str, float]], published: Mapping[Ref, Sequence[Used]], *, least: int
) -> Fitting:
    """Return the models that `fitting` finds, without those that differ from another one in just a few cases.

    Of two that differ in one case the mean difference, times the number of cases, is the difference there.
    """
    left: dict[Ref, str] = {}
    while True:
        own = {ref: one.keys() for ref, one in values.items() if ref not in left}
        fits = fitting(own, published, least=least)
        alike = _alike({ref: values[ref] for ref in fits.models}, least)
        if not alike:
            return Fitting(fits.models, {**left, **fits.left})
        ref = max(alike, key=lambda ref: len(alike[ref]))
        other, few = alike[ref][0]
        left[ref] = f"it differs from {other} in {few} cases only, and their differences would show; at least {least}"


def _alike(values: Mapping[Ref, Mapping[str, float]], least: int) -> dict[Ref, list[tuple[Ref, int]]]:
    """Return for each model, the last one first, those from which it differs in fewer cases, and in how many."""
    found: dict[Ref, list[tuple[Ref, int]]] = {}
    for two, one in combinations(list(values)[::-1], 2):
        unequal = (
            case
            for case, value in values[one].items()
            if case in values[two] and round(value, NOISE_DIGITS) != round(values[two][case], NOISE_DIGITS)
        )
        few = sum(1 for _ in islice(unequal, least))
        if 0 < few < least:
            found.setdefault(two, []).append((one, few))
            found.setdefault(one, []).append((two, few))
    return found


def _fault(chosen: Mapping[Ref, Cases], published: Mapping[Ref, Sequence[Used]], least: int) -> str:
    """Say why these models cannot stand together; nothing when they can."""
    distinct = {frozenset(own) for own in chosen.values()}
    shared = frozenset.intersection(*distinct)
    if len(shared) < max(least, 2):
        return f"with it only {len(shared)} cases are shared by all; at least {max(least, 2)} are needed"
    for own in distinct:
        sets = {shared, *(own & other for other in distinct)}
        for one, two in combinations(sets, 2):
            few = abs(len(one) - len(two)) or len(one ^ two)
            if few < least:
                return (
                    f"numbers would rest on sets of cases that differ by {few}, and show those; at least {least} must"
                )
        for ref in (ref for ref, cases in chosen.items() if cases == own):
            if fault := _near(sets, published.get(ref, ()), ref, least):
                return fault
    return ""


def _near(sets: Iterable[Cases], published: Sequence[Used], ref: Ref, least: int) -> str:
    for one in sets:
        for used in published:
            few = abs(len(one) - used.n)
            if 0 < few < max(least, used.least):
                return f"with {used.where} it would show what {few} cases contribute for {ref}"
    return ""
