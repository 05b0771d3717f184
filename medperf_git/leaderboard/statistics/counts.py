"""Metrics that do not pool as means, from pooled counts: AUROC, sensitivity, specificity, F1 and its like.

Counts are whole numbers and add up over sites exactly; the metric is computed once, of the sums. NaN is what does not
exist: with one class only there is no AUROC, and it is missing, not zero.
"""

import numpy as np
from numpy.typing import ArrayLike

from medperf_git.leaderboard.statistics.ranks import Floats


def pooled_counts(counts: ArrayLike) -> Floats:
    """Add counts up over sites, (site, …); a site with NaN anywhere publishes none and takes no part."""
    given = np.asarray(counts, dtype=np.float64)
    there = ~np.isnan(given).any(axis=tuple(range(1, given.ndim))) if given.ndim > 1 else ~np.isnan(given)
    return np.asarray(given[there].sum(axis=0), dtype=np.float64)


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Divide counts; NaN where there is nothing to divide by."""
    top, bottom = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(part, whole))
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0), dtype=np.float64)


def sensitivity(tp: ArrayLike, fn: ArrayLike) -> Floats:
    """TP / (TP + FN)."""
    return ratio(tp, np.add(tp, fn))


def specificity(tn: ArrayLike, fp: ArrayLike) -> Floats:
    """TN / (TN + FP)."""
    return ratio(tn, np.add(tn, fp))


def precision(tp: ArrayLike, fp: ArrayLike) -> Floats:
    """TP / (TP + FP), the positive predictive value."""
    return ratio(tp, np.add(tp, fp))


def accuracy(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """(TP + TN) / all."""
    right = np.add(tp, tn)
    return ratio(right, np.add(right, np.add(fp, fn)))


def balanced_accuracy(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """(Sensitivity + specificity) / 2; NaN where one of the classes is empty."""
    return (sensitivity(tp, fn) + specificity(tn, fp)) / 2


def f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> Floats:
    """2 TP / (2 TP + FP + FN), which is the Dice coefficient of the sums."""
    twice = 2 * np.asarray(tp, dtype=np.float64)
    return ratio(twice, twice + np.add(fp, fn))


def macro_f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> Floats:
    """Average F1 over classes, the last axis; a class that is neither there nor predicted takes no part."""
    each = f1(tp, fp, fn)
    known = ~np.isnan(each)
    return ratio(np.where(known, each, 0.0).sum(axis=-1), known.sum(axis=-1))


def micro_f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> Floats:
    """F1 of the counts added up over classes, the last axis."""
    return f1(*(np.asarray(given, dtype=np.float64).sum(axis=-1) for given in (tp, fp, fn)))


def matthews(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """(TP·TN − FP·FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)), Matthews (1975); NaN where a factor is 0."""
    a, b, c, d = (np.asarray(given, dtype=np.float64) for given in (tp, fp, fn, tn))
    return ratio(a * d - b * c, np.sqrt(a + b) * np.sqrt(a + c) * np.sqrt(d + b) * np.sqrt(d + c))


def auroc(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """Area under the ROC curve from counts at thresholds, the last axis, rising or falling; NaN with one class only.

    The points (FP / N, TP / P), with (0, 0) and (1, 1) added, are joined by straight lines (trapezia). Scores counted
    in bins are thereby ties within their bin, each worth one half, as in the Mann–Whitney statistic.
    """
    hit, false, miss, right = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(tp, fp, fn, tn))
    order = np.lexsort((hit, false), axis=-1)
    hit, false = np.take_along_axis(hit, order, axis=-1), np.take_along_axis(false, order, axis=-1)
    positives = hit[..., :1] + np.take_along_axis(miss, order, axis=-1)[..., :1]
    negatives = false[..., :1] + np.take_along_axis(right, order, axis=-1)[..., :1]
    zero = np.zeros_like(positives)
    y, x = np.concatenate([zero, hit, positives], axis=-1), np.concatenate([zero, false, negatives], axis=-1)
    twice = (np.diff(x, axis=-1) * (y[..., 1:] + y[..., :-1])).sum(axis=-1)
    return ratio(twice, 2 * positives[..., 0] * negatives[..., 0])


def auroc_of_histograms(positives: ArrayLike, negatives: ArrayLike) -> Floats:
    """Area under the ROC curve from how many positive and negative cases fall in each score bin, the last axis.

    Bins rise with the score: [Σ over bins of neg(b) · (pos above b + pos(b) / 2)] / (P · N), Hanley and McNeil (1982).
    """
    pos, neg = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(positives, negatives))
    total = pos.sum(axis=-1)
    above = total[..., None] - np.cumsum(pos, axis=-1)
    return ratio((neg * (2 * above + pos)).sum(axis=-1), 2 * total * neg.sum(axis=-1))
