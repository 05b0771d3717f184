"""Metrics that people know by name: unit, range, which way is better, and what an undefined value counts as.

A name is looked for in the words of a key, so `Dice_ET`, `dice/ET` and `lesion dice` are all Dice. The first row that
fits counts. Lengths have no natural end: their largest value is the diagonal of a brain scan of 240 × 240 × 155 mm, by
which the BraTS challenge counts a case that failed.
"""

import re
from dataclasses import dataclass
from typing import Literal

DIAGONAL = 374


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """What is known of a metric, but for the benchmark's own choice."""

    title: str
    unit: str = "1"
    low: float = 0
    high: float = 1
    direction: Literal["higher", "lower"] = "higher"
    undefined: Literal["missing", "worst"] = "missing"
    decimals: int = 3


_SHARE = r"(?:recall|sensitivity|tpr|true positive rate|hit rate)"
_KNOWN: tuple[tuple[str, KnownMetric], ...] = (
    (r"nsd|normali[sz]ed surface (?:dice|distance)|surface (?:dice|dsc)|surface overlap",
     KnownMetric("Normalised surface Dice", undefined="worst")),
    (r"hd ?95|hausdorff(?: distance)? ?95|hausdorff95|95 ?hd|robust hausdorff",
     KnownMetric("95 % Hausdorff distance", "mm", 0, DIAGONAL, "lower", "worst", 2)),
    (r"hd|hausdorff(?: distance)?",
     KnownMetric("Hausdorff distance", "mm", 0, DIAGONAL, "lower", "worst", 2)),
    (r"assd|asd|masd|average (?:symmetric )?surface distance",
     KnownMetric("Average symmetric surface distance", "mm", 0, DIAGONAL, "lower", "worst", 2)),
    (r"dice|dsc|dice (?:score|coefficient)|softdice", KnownMetric("Dice", undefined="worst")),
    (r"jaccard|m?iou|intersection over union", KnownMetric("Jaccard index", undefined="worst")),
    (r"balanced accuracy|bacc", KnownMetric("Balanced accuracy")),
    (r"accuracy|acc", KnownMetric("Accuracy")),
    (r"specificity|tnr|true negative rate|spec", KnownMetric("Specificity")),
    (rf"{_SHARE}|sens", KnownMetric("Sensitivity")),
    (r"precision|ppv|positive predictive value", KnownMetric("Precision")),
    (r"npv|negative predictive value", KnownMetric("Negative predictive value")),
    (r"f1|f1score|f score|f measure|macro f1|micro f1", KnownMetric("F1")),
    (r"auprc|pr ?auc|average precision|m?ap", KnownMetric("Area under the precision-recall curve")),
    (r"auroc|roc ?auc|auc|area under (?:the )?(?:roc )?curve|c ?index|concordance",
     KnownMetric("Area under the ROC curve")),
    (r"mcc|matthews(?: correlation(?: coefficient)?)?", KnownMetric("Matthews correlation", low=-1)),
    (r"kappa|cohens? kappa|quadratic weighted kappa|qwk", KnownMetric("Cohen's kappa", low=-1)),
    (r"pearson|spearman|correlation|ccc", KnownMetric("Correlation", low=-1)),
    (r"m?ssim|structural similarity", KnownMetric("Structural similarity", low=-1)),
    (r"psnr|peak signal to noise(?: ratio)?", KnownMetric("Peak signal-to-noise ratio", "dB", 0, 100, decimals=2)),
    (r"brier|brier score", KnownMetric("Brier score", direction="lower")),
    (r"m?ece|calibration error", KnownMetric("Calibration error", direction="lower")),
    (r"fpr|false positive rate|fnr|false negative rate|error rate", KnownMetric("Error rate", direction="lower")),
    (r"rmse|root mean squared? error", KnownMetric("Root mean squared error", high=0, direction="lower")),
    (r"mse|mean squared? error", KnownMetric("Mean squared error", high=0, direction="lower")),
    (r"mae|mean absolute error", KnownMetric("Mean absolute error", high=0, direction="lower")),
    (r"log ?loss|cross entropy|nll|loss", KnownMetric("Loss", high=0, direction="lower")),
)  # fmt: skip
_COMPILED = tuple((re.compile(rf"(?:.* )?(?:{pattern})(?: .*)?"), metric) for pattern, metric in _KNOWN)
# A key with one of these is about a metric and is none: its spread, its bounds, what is left of it (`dice_loss`).
_ABOUT = frozenset(
    {"std", "sd", "stdev", "stddev", "sem", "var", "variance", "ci", "lower", "upper"}
    | {"difference", "diff", "delta", "gap", "threshold", "time"}
)
_LEFT = frozenset({"loss", "error", "err"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def known_metric(key: str) -> KnownMetric | None:
    """Return what is known of the metric that a key names; a largest value of 0 means that it has no natural end."""
    split = " ".join(_WORDS.findall(key)).lower()
    joined = re.sub(r"(?<=[a-z]) (?=[0-9])", "", split)
    whole = " ".join(re.findall(r"[A-Za-z0-9]+", key)).lower()
    spelled, words = (split, joined, whole), {*split.split(), *whole.split()}
    if words & _ABOUT:
        return None
    found = next((metric for pattern, metric in _COMPILED if any(map(pattern.fullmatch, spelled))), None)
    return None if found and found.direction == "higher" and words & _LEFT else found
