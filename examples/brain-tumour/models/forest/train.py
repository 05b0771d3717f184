"""Train the forest while its image is built, on synthetic patients that are at no site: 30 trees, a fixed seed."""

import joblib
import make_data
import numpy as np
from features import features
from scans import patient_of
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier

NEAR = 9.0  # mm: of the healthy brain so near a tumour every voxel is taken,
FAR = 800  # and so many voxels further away
WEIGHTS = "forest.joblib"


def rows(patient: make_data.Patient) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of the tumour, of what is near it, and of some voxels far from it."""
    scaled = patient_of(patient.name, patient.volumes, patient.affine)
    labels = patient.labels[scaled.brain]
    away = ndimage.distance_transform_edt(patient.labels == 0, sampling=scaled.edges)[scaled.brain]
    chosen = make_data.chance("forest", patient.name).choice(np.flatnonzero(away > NEAR), FAR, replace=False)
    taken = np.sort(np.concatenate([np.flatnonzero(away <= NEAR), chosen]))
    return features(scaled)[taken], labels[taken]


def main() -> None:
    """Train and keep the weights beside this file."""
    parts = [rows(patient) for patient in make_data.development_patients()]
    table, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    forest = RandomForestClassifier(30, max_samples=0.4, min_samples_leaf=3, max_features=5, random_state=0, n_jobs=1)
    joblib.dump(forest.fit(table, labels), WEIGHTS, compress=3)
    print(f"trained on {len(labels)} voxels of {len(parts)} synthetic patients")


if __name__ == "__main__":
    main()
