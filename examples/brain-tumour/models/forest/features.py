"""What the forest knows of a voxel: its signal, that around it, that of its mirror image, how deep it lies."""

import numpy as np
from scans import SEQUENCES, Patient, smooth
from scipy import ndimage

NEIGHBOURHOODS = (3.0, 7.0)  # mm


def features(patient: Patient) -> np.ndarray:
    """Return one row for each voxel of the brain, float32."""
    columns = []
    for name in SEQUENCES:
        volume = patient.sequences[name]
        near, wide = (smooth(volume, mm, patient.edges) for mm in NEIGHBOURHOODS)
        columns += [volume, near, wide, near - near[::-1]]
    gain = patient.sequences["t1ce"] - patient.sequences["t1"]
    columns += [gain, smooth(gain, NEIGHBOURHOODS[0], patient.edges)]
    columns += [ndimage.distance_transform_edt(patient.brain, sampling=patient.edges)]
    return np.stack([column[patient.brain] for column in columns], axis=1).astype(np.float32)
