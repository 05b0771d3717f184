"""The better model: find the pancreas coarsely in the three planes, then look closely around it.

Coarse: for each axis a classifier of voxels sees the slices across that axis alone (smoothed HU at three scales within
the slice, its gradient, place in the body). Their vote gives a box. Fine: one classifier sees, in that box, HU smoothed
in all three planes, what the three coarse ones said, and how far the voxel lies from what they found.
Sizes are in mm, so that scans of any spacing can be read; scans finer than GRID are thinned out first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from prepared import PLANES, Scan, body_frame, enlarged, largest, thinned, tidy
from scipy.ndimage import find_objects, gaussian_filter, gaussian_gradient_magnitude
from sklearn.ensemble import HistGradientBoostingClassifier

MARGIN = 20.0  # mm around what the coarse stage found
SCALES = (4.0, 9.0, 18.0)  # mm
COARSE = 0.25  # probability from which a plane calls a voxel pancreas: rather too much than too little
AGREED = 2  # of three planes
IN_COMMON = 0.75  # of what the planes find each, on average; with less in common they are not believed
SAMPLES, OTHERS = 800, 3000  # voxels of pancreas and of anything else from each development scan


Rows = tuple[np.ndarray, np.ndarray, float]  # features (voxels, n), pancreas or not, of how many others each is one


class NotAgreed(Exception):
    """The three planes of the coarse stage see no pancreas, or see it in different places."""


@dataclass(frozen=True)
class Stages:
    """The four trained classifiers, and for each how much the voxels that are no pancreas were thinned out for it."""

    coarse: dict[str, tuple[HistGradientBoostingClassifier, float]]
    fine: tuple[HistGradientBoostingClassifier, float]


def judge(trained: tuple[HistGradientBoostingClassifier, float], features: np.ndarray) -> np.ndarray:
    """Return the probability of pancreas for each voxel; the odds are brought back to those before thinning out."""
    classifier, thinning = trained
    share = classifier.predict_proba(features)[:, 1]
    return share / (share + (1 - share) * thinning)


def windowed(scan: Scan) -> np.ndarray:
    """Return HU cut to what matters in soft tissue."""
    return np.clip(scan.hu, -200, 400)


def plane_features(scan: Scan, axis: int, frame: np.ndarray) -> np.ndarray:
    """Return what one plane shows of each voxel, (voxels, features): nothing is mixed across the axis."""
    hu = windowed(scan)
    found = [hu]
    for scale in SCALES:
        sigma = np.where(np.arange(3) == axis, 0.0, scale / scan.spacing)
        found.append(gaussian_filter(hu, sigma))
    found.append(gaussian_gradient_magnitude(hu, np.where(np.arange(3) == axis, 1e-3, SCALES[0] / scan.spacing)))
    return np.stack([*found, *np.moveaxis(frame, -1, 0)], axis=-1).reshape(-1, len(found) + 3)


def fine_features(scan: Scan, shares: dict[str, np.ndarray], found: np.ndarray) -> np.ndarray:
    """Return what the fine stage sees of each voxel of the box, (voxels, features)."""
    hu = windowed(scan)
    seen = [hu, *(gaussian_filter(hu, scale / scan.spacing) for scale in SCALES)]
    seen += [gaussian_filter(hu, np.where(np.arange(3) == axis, 0.0, 5.0 / scan.spacing)) for axis in range(3)]
    mean = sum(shares.values()) / 3
    seen += [*shares.values(), *(gaussian_filter(mean, scale / scan.spacing) for scale in SCALES)]
    centre = np.array(np.nonzero(found)).mean(axis=1) if found.any() else np.array(found.shape) / 2
    offsets = np.indices(found.shape) - centre.reshape(3, 1, 1, 1)
    seen += [offsets[axis] * scan.spacing[axis] for axis in range(3)]
    return np.stack(seen, axis=-1).reshape(-1, len(seen)).astype(np.float32)


def look_coarsely(
    scan: Scan, coarse: Mapping[str, tuple[HistGradientBoostingClassifier, float]]
) -> dict[str, np.ndarray]:
    """Return, for each plane, the share that its classifier gives each voxel."""
    frame = body_frame(scan)
    inside = (scan.hu > -250).ravel()
    shares = {}
    for axis, plane in enumerate(PLANES):
        share = np.zeros(scan.hu.size, dtype=np.float32)
        if inside.any():
            share[inside] = judge(coarse[plane], plane_features(scan, axis, frame)[inside])
        sigma = np.where(np.arange(3) == axis, 0.0, 4.0 / scan.spacing)
        shares[plane] = gaussian_filter(share.reshape(scan.hu.shape), sigma)
    return shares


def vote(shares: dict[str, np.ndarray]) -> np.ndarray:
    """Return where enough planes agree, the largest part of it."""
    return largest(sum((share > COARSE).astype(int) for share in shares.values()) >= AGREED)


def box_around(found: np.ndarray, spacing: np.ndarray) -> tuple[slice, ...]:
    """Return the box of a mask with a margin."""
    box = find_objects(found.astype(np.int8))[0]
    wide = np.ceil(MARGIN / spacing).astype(int)
    return tuple(
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(box, wide, found.shape, strict=True)
    )


def train(cases: Sequence[tuple[Scan, np.ndarray]], *, rounds: int = 40) -> Stages:
    """Train the coarse stage on every other case, and the fine one on what it says of the cases it never saw."""
    rng = np.random.default_rng(1)
    half = [(scan, body_frame(scan), mask) for scan, mask in cases[::2]]
    coarse = {}
    for axis, plane in enumerate(PLANES):
        rows = [pick(plane_features(scan, axis, frame), mask, rng) for scan, frame, mask in half]
        coarse[plane] = fit(rows, rounds)
    rows = []
    for scan, mask in cases[1::2]:
        shares = look_coarsely(scan, coarse)
        found = vote(shares)
        if found.any():
            box = box_around(found, scan.spacing)
            part = Scan(scan.hu[box], scan.affine)
            features = fine_features(part, {plane: share[box] for plane, share in shares.items()}, found[box])
            rows.append(pick(features, mask[box], rng))
    return Stages(coarse, fit(rows, rounds))


def pick(features: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Rows:
    """Return some voxels, pancreas and others, and how many others each of those stands for."""
    truth = mask.ravel()
    inside, outside = np.flatnonzero(truth), np.flatnonzero(~truth & (features[:, 0] > -150))
    chosen = np.concatenate([
        rng.choice(inside, min(SAMPLES, len(inside)), replace=False),
        rng.choice(outside, min(OTHERS, len(outside)), replace=False),
    ])  # fmt: skip
    return features[chosen], truth[chosen], max(1.0, len(outside) / OTHERS)


def fit(rows: Sequence[Rows], rounds: int) -> tuple[HistGradientBoostingClassifier, float]:
    """Train one classifier, with fixed choices."""
    classifier = HistGradientBoostingClassifier(
        max_iter=rounds, max_leaf_nodes=24, learning_rate=0.15, early_stopping=False, random_state=1
    )
    features, truth = np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])
    return classifier.fit(features, truth), float(np.mean([row[2] for row in rows]))


def predict(scan: Scan, stages: Stages) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the coarse masks by plane and the fine mask; NotAgreed where the planes do not agree."""
    thin = thinned(scan)
    shares = look_coarsely(thin, stages.coarse)
    found = vote(shares)
    if not found.any() or found.sum() < IN_COMMON * np.mean([(share > COARSE).sum() for share in shares.values()]):
        raise NotAgreed
    box = box_around(found, thin.spacing)
    part = Scan(thin.hu[box], thin.affine)
    features = fine_features(part, {plane: share[box] for plane, share in shares.items()}, found[box])
    share = np.zeros(thin.hu.shape, dtype=np.float32)
    share[box] = judge(stages.fine, features).reshape(part.hu.shape)
    share = gaussian_filter(share, 2.0 / thin.spacing)
    whole = scan.hu.shape
    return {plane: enlarged(one, whole) > COARSE for plane, one in shares.items()}, tidy(enlarged(share, whole) > 0.5)
