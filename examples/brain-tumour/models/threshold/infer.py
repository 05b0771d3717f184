"""Segment by fixed thresholds: bright in FLAIR is tumour, brighter in T1Gd than in T1 enhances. Nothing is learnt."""

import numpy as np
from scans import ENHANCING, NECROSIS, OEDEMA, Patient, enclosed, infer, keep_large, smooth
from scipy import ndimage

BRIGHT, ENHANCES = 3.0, 3.0  # in robust units of the brain
LEAST_TUMOUR, LEAST_RIM = 1500.0, 200.0  # mm³
GAP = 6.0  # mm: a rim with gaps up to this still encloses


def segment(patient: Patient) -> np.ndarray:
    """Threshold FLAIR for the whole tumour and T1Gd - T1 for the rim; what a rim encloses is necrosis."""
    flair = smooth(patient.sequences["flair"], 2.0, patient.edges)
    tumour = ndimage.binary_fill_holes(keep_large((flair > BRIGHT) & patient.brain, LEAST_TUMOUR, patient.edges))
    gain = smooth(patient.sequences["t1ce"] - patient.sequences["t1"], 1.5, patient.edges)
    rim = keep_large((gain > ENHANCES) & tumour, LEAST_RIM, patient.edges)
    labels = np.where(tumour, OEDEMA, 0)
    labels[tumour & enclosed(rim, GAP, patient.edges)] = NECROSIS
    labels[rim] = ENHANCING
    return labels


if __name__ == "__main__":
    infer(segment)
