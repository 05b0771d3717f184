"""What the section modules share: a context is plain values for one template."""

from collections.abc import Mapping
from typing import Any

from medperf_git.leaderboard.tables import CellState

Context = dict[str, Any]

KINDS: Mapping[CellState, str] = {
    CellState.COMPLETE: "good",
    CellState.PARTIAL: "warn",
    CellState.FAILED: "bad",
    CellState.MISSING: "none",
    CellState.WITHDRAWN: "bad",
    CellState.DISPUTED: "warn",
    CellState.SEALED: "none",
}
MISSING_RULES: Mapping[str, str] = {
    "exclude-site": "A site where a model has no value is left out of the ranking.",
    "exclude-model": "A model without a value at some site is not ranked.",
    "worst": "A missing value counts as the worst possible one.",
}
REDUCTIONS: Mapping[str, str] = {"none": "one number per site", "mean": "mean of cases", "median": "median of cases"}
