"""The seven ranking rules in words: what each is called, what it does, and what its rank means to a reader.

The numbers are computed in `by_rule`; what a record may say of a rule stands in `records.ranking_rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard import ranking as rk
from medperf_git.records.ranking_rules import RULES as FACTS

_OWN: tuple[rk.Rule, ...] = (
    rk.Rule(
        name="rank-then-mean",
        version=1,
        title="Mean rank over cases",
        sentence="models are ranked within each case, and a model’s ranks are averaged over all cases.",
        weights="cases",
    ),
    rk.Rule(
        name="fets-2022",
        version=1,
        title="FeTS 2022",
        sentence="at each site and in each metric models are ranked by their mean rank over cases; "
        "a model’s ranks are averaged over sites and metrics, every site weighing the same.",
        weights="equal",
    ),
    rk.Rule(
        name="brats",
        version=1,
        title="BraTS",
        sentence="within each case a model’s ranks in all metrics are averaged, and then averaged over all cases.",
        weights="cases",
    ),
    rk.Rule(
        name="test-then-rank",
        version=1,
        title="Significant wins",
        sentence="a model’s score is the share of the other models that it beats significantly on shared cases "
        "(one-sided Wilcoxon signed-rank tests, added up over sites).",
        weights="equal",
    ),
    rk.Rule(
        name="meta",
        version=1,
        title="Random effects",
        sentence="a model’s score is its mean over sites as a random-effects meta-analysis estimates it: a site "
        "weighs more the more precise its value is, and less so the more sites differ.",
        weights="equal",
    ),
)
RULES: Mapping[tuple[str, int], rk.Rule] = {**{(rule.name, rule.version): rule for rule in _OWN}, **rk.RULES}
ORDER = tuple(FACTS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a benchmark says beside the name of a rule."""

    weights: rk.Weights = "equal"
    missing: str = "exclude-site"
    cap: int | None = None
    alpha: float = 0.05
    adjust: str = "holm"
    method: str = "DL"


def rule_named(name: str, version: int) -> rk.Rule:
    """Find a rule; raises UsageProblem for one this client does not know."""
    try:
        return RULES[name, version]
    except KeyError:
        known = ", ".join(f"{rule.name} {rule.version}" for rule in in_order())
        raise UsageProblem(
            f"ranking rule {name} version {version} is not known here",
            hint=f"known are {known}; a newer medperf-git may know more",
        ) from None


def in_order() -> tuple[rk.Rule, ...]:
    """Return all rules, as the specification lists them."""
    return tuple(sorted(RULES.values(), key=lambda rule: (ORDER.index(rule.name), rule.version)))


def by_comparisons(rule: rk.Rule) -> bool:
    """Tell whether a rule is computed from sites' comparisons."""
    return FACTS[rule.name].comparisons


def settings_for(rule: rk.Rule, registered: Settings) -> Settings:
    """Return the settings under which a rule that is not the registered one stands beside it."""
    facts = FACTS[rule.name]
    missing = registered.missing if registered.missing in facts.missing else facts.missing[0]
    return Settings(
        weights="cases" if facts.weights[0] == "cases" else "equal",
        missing=missing,
        alpha=registered.alpha,
        adjust=registered.adjust,
        method=registered.method,
    )
