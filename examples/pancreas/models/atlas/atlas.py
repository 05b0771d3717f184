"""The baseline: where pancreases lay in the development scans, and which HU they had.

`train.py`'s part makes an atlas, the share of development cases with pancreas at a place of the body. `infer.py`'s part
lays it over a scan. Coarse is the atlas alone, the same from every axis, since it does not look at the image; fine is
what lies in a larger part of the atlas and has the HU of pancreas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prepared import Scan, body_frame, enlarged, thinned, tidy
from scipy.ndimage import gaussian_filter, map_coordinates

GRID = (48, 40, 40)
COARSE, FINE = 0.35, 0.15


@dataclass(frozen=True)
class Atlas:
    """Share of cases with pancreas, over places in the body, and the window of HU (5th and 95th percentile)."""

    share: np.ndarray
    window: tuple[float, float]

    def save(self, path: Path) -> None:
        """Keep it as numbers, nothing to unpickle."""
        np.savez(path, share=self.share, window=np.array(self.window))

    @classmethod
    def load(cls, path: Path) -> Atlas:
        """Read what `save` kept."""
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["share"], (float(kept["window"][0]), float(kept["window"][1])))


def build_atlas(cases: Sequence[tuple[Scan, np.ndarray]]) -> Atlas:
    """Count, over all development cases, how often a place of the body holds pancreas."""
    hits, seen, shades = np.zeros(GRID), np.zeros(GRID), []
    for scan, mask in cases:
        places = np.clip((body_frame(scan) * GRID).astype(int), 0, np.array(GRID) - 1).reshape(-1, 3).T
        np.add.at(hits, tuple(places), mask.ravel())
        np.add.at(seen, tuple(places), 1)
        shades.append(gaussian_filter(scan.hu, 0.7)[mask])
    share = gaussian_filter(hits, 1) / np.maximum(gaussian_filter(seen, 1), 1e-6)
    low, high = np.percentile(np.concatenate(shades), [5, 95])
    return Atlas(share.astype(np.float32), (float(low), float(high)))


def predict(scan: Scan, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Return the coarse and the fine mask of a scan."""
    thin, whole = thinned(scan), scan.hu.shape
    share = map_coordinates(atlas.share, np.moveaxis(body_frame(thin) * GRID - 0.5, -1, 0), order=1, mode="constant")
    smooth = gaussian_filter(thin.hu, 0.7)
    low, high = atlas.window
    fine = tidy((share > FINE) & (smooth > low) & (smooth < high))
    return enlarged(share, whole) > COARSE, enlarged(fine.astype(np.float32), whole) > 0.5
