"""Segment with the forest that train.py left in this image."""

from pathlib import Path

import joblib
import numpy as np
from features import features
from scans import ENHANCING, NECROSIS, OEDEMA, Patient, infer, keep_large

FOREST = joblib.load(Path(__file__).with_name("forest.joblib"))
LEAST_TUMOUR, LEAST_CORE = 400.0, 150.0  # mm³
# The training took few healthy voxels: a voxel is tumour only when the trees are this sure.
SURE = 0.5


def segment(patient: Patient) -> np.ndarray:
    """Give every voxel of the brain its likeliest label, and leave out small islands."""
    shares = FOREST.predict_proba(features(patient))
    healthy = list(FOREST.classes_).index(0)
    best = FOREST.classes_[1:][shares[:, 1:].argmax(axis=1)]
    labels = np.zeros(patient.brain.shape, np.uint8)
    labels[patient.brain] = np.where(1 - shares[:, healthy] > SURE, best, 0)
    core = (labels == NECROSIS) | (labels == ENHANCING)
    labels[core & ~keep_large(core, LEAST_CORE, patient.edges)] = OEDEMA
    labels[~keep_large(labels > 0, LEAST_TUMOUR, patient.edges)] = 0
    return labels


if __name__ == "__main__":
    infer(segment)
