"""Features of where a radiograph is bright: a grid of regions, left against right, and the width of the heart."""

from __future__ import annotations

from typing import Any

import numpy as np

GRID = 8
Array = np.ndarray[Any, Any]


def regional(pictures: Array) -> Array:
    """Return (case, feature) from (case, row, column) pictures whose edge is a multiple of the grid."""
    count, height, width = pictures.shape
    # A device's contrast is taken out first: each picture has mean 0 and standard deviation 1 in its middle.
    middle = pictures[:, height // 8 : -height // 8, width // 8 : -width // 8]
    spread = middle.std(axis=(1, 2), keepdims=True)
    even = (pictures - middle.mean(axis=(1, 2), keepdims=True)) / np.maximum(spread, 1e-9)
    tiles = even.reshape(count, GRID, height // GRID, GRID, width // GRID)
    means, deviations = tiles.mean(axis=(2, 4)), tiles.std(axis=(2, 4))
    mirrored = np.abs(means - means[:, :, ::-1])[:, :, : GRID // 2]
    low = even[:, height // 2 : 3 * height // 4].mean(axis=1)  # the height at which the heart lies
    rows = even.mean(axis=2)
    parts = (means, deviations[:, 1:-1, 1:-1], mirrored, low, np.abs(np.diff(rows, axis=1)))
    return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
