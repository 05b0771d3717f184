"""What each ranking rule needs and takes: one table, from which self-checks, policy and the leaderboard read.

How a rule computes is in `leaderboard`; here stands only what a benchmark may say of it.

RULES["fets-2022"].comparisons    # True: it is computed from sites' comparisons
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from medperf_git.records.models import Number, Ranking

ALPHA = Decimal("0.05")
EVERY_MISSING = ("exclude-site", "exclude-model", "worst")


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule of one version: the weights, missing rules and parameters it takes, and what it is computed from."""

    weights: tuple[str, ...]
    missing: tuple[str, ...] = EVERY_MISSING
    parameters: tuple[str, ...] = ()
    cases: bool = False
    spread: bool = False
    comparisons: bool = False
    newer: bool = True


RULES: Mapping[str, RuleFacts] = {
    "mean-of-sites": RuleFacts(("equal", "cases", "sqrt-cases", "capped-cases"), newer=False),
    "mean-then-rank": RuleFacts(("equal", "cases"), cases=True, newer=False),
    "rank-then-mean": RuleFacts(("cases",), cases=True, comparisons=True),
    "fets-2022": RuleFacts(("equal",), ("exclude-site",), cases=True, comparisons=True),
    "brats": RuleFacts(("cases",), cases=True, comparisons=True),
    "test-then-rank": RuleFacts(
        ("equal",), ("exclude-site", "exclude-model"), ("adjust",), cases=True, comparisons=True
    ),
    "meta": RuleFacts(("equal",), ("exclude-site", "exclude-model"), ("method",), cases=True, spread=True),
}


def needs_cases(ranking: Ranking) -> bool:
    """Tell whether a ranking rests on exact numbers of cases."""
    return RULES[ranking.rule].cases or ranking.weights != "equal"


def newer_parts(ranking: Ranking) -> tuple[str, ...]:
    """Return the fields of a ranking that the second set of rules brought."""
    found = ["rule"] if RULES[ranking.rule].newer else []
    found += ["weights"] if ranking.weights not in ("equal", "cases") else []
    return (*found, *(name for name in ("cap", "alpha", "adjust", "method") if getattr(ranking, name) is not None))


def alpha_of(ranking: Ranking) -> Number:
    """Return the level of the tests between models."""
    return ALPHA if ranking.alpha is None else ranking.alpha
