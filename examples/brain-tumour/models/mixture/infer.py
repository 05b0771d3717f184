"""Segment by mixtures of Gaussians that are fitted to each patient anew. Nothing is learnt beforehand.

Inside what is bright in FLAIR, three kinds of tissue are told apart by T1, T1Gd and T2; the brightest in T1Gd is taken
for the rim. A tumour without a rim has no such kind: the patient is given up, since core and oedema would be guessed.
"""

import numpy as np
from scans import ENHANCING, NECROSIS, OEDEMA, GivenUp, Patient, enclosed, infer, keep_large, smooth
from scipy import ndimage
from sklearn.mixture import GaussianMixture

LEAST_TUMOUR, LEAST_VOXELS = 1500.0, 60
GAP = 6.0  # mm: a rim with gaps up to this still encloses
LEAST_GAIN = 1.5  # of the rim over the healthy brain, in robust units
SEED = 0


def whole_tumour(patient: Patient) -> np.ndarray:
    """Return the part of the brain that the brighter of two Gaussians of FLAIR claims."""
    flair = smooth(patient.sequences["flair"], 2.0, patient.edges)
    values = flair[patient.brain].reshape(-1, 1)
    mixture = GaussianMixture(
        2, random_state=SEED, means_init=[[0.0], [6.0]], precisions_init=np.ones((2, 1, 1)), weights_init=[0.97, 0.03]
    ).fit(values)
    bright = int(np.argmax(mixture.means_))
    claimed = np.zeros(patient.brain.shape, bool)
    claimed[patient.brain] = (mixture.predict(values) == bright) & (values[:, 0] > mixture.means_.min())
    return ndimage.binary_fill_holes(keep_large(claimed, LEAST_TUMOUR, patient.edges))


def segment(patient: Patient) -> np.ndarray:
    """Fit both mixtures; GivenUp where nothing enhances."""
    tumour = whole_tumour(patient)
    if tumour.sum() < LEAST_VOXELS:
        raise GivenUp("nothing in FLAIR is bright enough to be a tumour")
    parts = np.stack(
        [smooth(patient.sequences[name], 1.5, patient.edges)[tumour] for name in ("t1ce", "t1", "t2")], axis=1
    )
    mixture = GaussianMixture(3, random_state=SEED, n_init=3, reg_covar=1e-2).fit(parts)
    gains = mixture.means_[:, 0] - mixture.means_[:, 1]
    rim = int(np.argmax(gains))
    if gains[rim] < LEAST_GAIN:
        raise GivenUp("nothing in it enhances, so that core and oedema cannot be told apart")
    kinds = np.full(patient.brain.shape, -1)
    kinds[tumour] = mixture.predict(parts)
    labels = np.where(tumour, OEDEMA, 0)
    labels[tumour & enclosed(kinds == rim, GAP, patient.edges)] = NECROSIS
    labels[kinds == rim] = ENHANCING
    return labels


if __name__ == "__main__":
    infer(segment)
