"""Metrics that do not pool as means, from the counts that sites publish: computed once, of the sums.

Rules kept here: counts are groups of four, true positives, false positives, false negatives and true negatives, one
group for each class or threshold; a metric says by its name what they give. A site counts for a model where both its
value and its counts are published.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.statistics import counts as ct
from medperf_git.leaderboard.statistics.ranks import Floats
from medperf_git.leaderboard.tables import MetricInfo
from medperf_git.leaderboard.uncertainty import Undefined

GROUP = 4
_TP, _FP, _FN, _TN = range(GROUP)
Computing = tuple[Callable[..., Floats], tuple[int, ...]]  # a function, and which of the four it takes
# By the last word of a metric's id, for one group of counts.
_SINGLE: Mapping[str, Computing] = {
    "sensitivity": (ct.sensitivity, (_TP, _FN)),
    "recall": (ct.sensitivity, (_TP, _FN)),
    "specificity": (ct.specificity, (_TN, _FP)),
    "precision": (ct.precision, (_TP, _FP)),
    "ppv": (ct.precision, (_TP, _FP)),
    "accuracy": (ct.accuracy, (_TP, _FP, _FN, _TN)),
    "dice": (ct.f1, (_TP, _FP, _FN)),
    "f1": (ct.f1, (_TP, _FP, _FN)),
    "mcc": (ct.matthews, (_TP, _FP, _FN, _TN)),
}
# By the whole id, or its last two words: such a metric is another one than its last word says.
_TWO_WORDS: Mapping[str, Computing] = {"balanced-accuracy": (ct.balanced_accuracy, (_TP, _FP, _FN, _TN))}
# Before the last word these make another metric of it, which one group of counts does not give.
_OTHERWISE = frozenset(
    ("average", "avg", "balanced", "macro", "mean", "micro", "normalized", "partial", "top", "weighted")
)
# By the end of a metric's id, for a group of each threshold or class.
_WHOLE: Mapping[str, Computing] = {
    "auroc": (ct.auroc, (_TP, _FP, _FN, _TN)),
    "auc": (ct.auroc, (_TP, _FP, _FN, _TN)),
    "macro-f1": (ct.macro_f1, (_TP, _FP, _FN)),
    "micro-f1": (ct.micro_f1, (_TP, _FP, _FN)),
}


@dataclass(frozen=True, slots=True, eq=False)
class PooledCounts:
    """A metric of the counts of all sites, (model,) in the order of the table, NaN where it does not exist.

    `means` is the mean over the same sites of their values, and `sites` how many they are.
    """

    metric: MetricInfo
    values: Floats
    means: Floats
    sites: Floats


def pooled_of(basis: Basis, k: int) -> PooledCounts | Undefined:
    """Pool the counts of each model by the ranking metric numbered `k`."""
    metric = basis.table.metric(basis.table.ranking.metrics[k])
    found = _counts(basis, metric.id)
    if found is None:
        return Undefined(f"{metric.title} is published without counts")
    sums, means, sites = found
    known = _computing(metric.id, sums.shape[1])
    if known is None:
        return Undefined(f"what the counts of {metric.title} give when they are added up is not known here")
    groups = sums.reshape(len(sums), -1, GROUP)
    compute, parts = known
    values = compute(*(groups[..., part] for part in parts))
    values = np.where(sites > 0, values.reshape(len(sums), -1)[:, 0], np.nan)
    return PooledCounts(metric, np.asarray(values), means, sites)


def _computing(name: str, length: int) -> Computing | None:
    """Find what counts of a length give under a metric's name; None where that is not known."""
    if length % GROUP:
        return None
    plain = name.replace("_", "-").replace(".", "-")
    for ending, computing in _WHOLE.items():
        start = plain.removesuffix(ending)
        if plain.endswith(ending) and (not start or start.endswith("-")):
            return None if _OTHERWISE.intersection(start.split("-")) else computing
    words = plain.split("-")
    if length != GROUP:
        return None
    if (two := "-".join(words[-2:])) in _TWO_WORDS:
        return _TWO_WORDS[two]
    return None if _OTHERWISE.intersection(words[:-1]) else _SINGLE.get(words[-1])


def _counts(basis: Basis, metric: str) -> tuple[Floats, Floats, Floats] | None:
    """Add up each model's counts: the sums (model, count), the mean of the values there, how many sites; or None."""
    lists: dict[int, list[tuple[tuple[int, ...], float]]] = {}
    for row, numbers, value in basis.table.iter_pooled(metric):
        lists.setdefault(row, []).append((numbers, value))
    lengths = {len(counts) for there in lists.values() for counts, _ in there}
    if len(lengths) != 1:
        return None
    models = len(basis.models)
    sums = np.zeros((models, lengths.pop()))
    means, sites = np.full(models, np.nan), np.zeros(models)
    for row, there in lists.items():
        sums[row] = np.sum([counts for counts, _ in there], axis=0)
        means[row] = math.fsum(value for _, value in there) / len(there)
        sites[row] = len(there)
    return sums, means, sites
