"""Split the Wisconsin diagnostic breast cancer set into one development part and three hospitals.

569 real patients, one fine-needle aspirate each; 357 benign, 212 malignant (W. N. Street, W. H. Wolberg and
O. L. Mangasarian, 1993; CC BY 4.0). The table is read out of scikit-learn, which carries it; nothing is downloaded.
Of its 30 features the ten means are used.

Rules kept here:
- Deterministic: every choice follows SHA-256 of a row number, so that any machine and any Python makes the same files.
- Disjoint: each patient is in one part only. development 189, north 60, east 120, south 200.
- A real shift: patients who are not in the development part are ordered by the mean radius of their cell nuclei, plus
  noise so that the hospitals overlap. North, a referral centre, sees the largest; south, a screening service, the
  smallest.
- The 13 patients whose concavity is exactly zero are all at hospital-south; the development part has none of them.
- Every hospital writes its own dialect, as hospitals do: see `HOSPITALS`.

    python split.py --out data            # data/hospital-*/{measurements,diagnoses}.csv and data/development.csv
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

FEATURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
LENGTHS = ("radius", "perimeter")
DEVELOPMENT_CASES = 189
NOISE = 14  # width of the noise on the radius; the radius itself goes from 7 to 28


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient: row number in the source (from 1), the ten means, and whether the tumour was malignant."""

    row: int
    values: tuple[Decimal, ...]
    malignant: bool

    def __getitem__(self, feature: str) -> Decimal:
        return self.values[FEATURES.index(feature)]


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital's size and the way its information system writes numbers, names and diagnoses."""

    name: str
    cases: int
    prefix: str
    delimiter: str = ","
    decimal_comma: bool = False
    thousandths: bool = False
    diagnosis: tuple[str, str] = ("benign", "malignant")


HOSPITALS = (
    Hospital("hospital-north", 60, "N"),
    Hospital("hospital-east", 120, "E", delimiter=";", decimal_comma=True, diagnosis=("B", "M")),
    Hospital("hospital-south", 200, "S", delimiter="\t", thousandths=True, diagnosis=("0", "1")),
)


def find_source() -> Path:
    """Find breast_cancer.csv inside an installed scikit-learn without importing it."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        sys.exit("split: scikit-learn is not installed here; give its directory with --sklearn")
    return Path(spec.origin).parent / "datasets" / "data" / "breast_cancer.csv"


def load_patients(source: Path) -> tuple[Patient, ...]:
    """Read all 569 patients; the source's last column is 0 for malignant, its first ten are the means."""
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    width = len(FEATURES)
    return tuple(
        Patient(number, tuple(Decimal(cell) for cell in row[:width]), row[-1] == "0")
        for number, row in enumerate(rows, start=1)
    )


def draw(purpose: str, row: int) -> Decimal:
    """Return a number in [0, 1) that depends on nothing but the purpose and the row."""
    first = hashlib.sha256(f"{purpose} {row}".encode()).digest()[:8]
    return Decimal(int.from_bytes(first, "big")) / Decimal(2**64)


def split(patients: Sequence[Patient]) -> dict[str, tuple[Patient, ...]]:
    """Give every patient to `development` or to one hospital; each part is in the order of the source."""
    zero = [p for p in patients if p["concavity"] == 0]
    others = sorted((p for p in patients if p["concavity"] != 0), key=lambda p: draw("development", p.row))
    development, rest = others[:DEVELOPMENT_CASES], others[DEVELOPMENT_CASES:]
    queue = sorted(rest, key=lambda p: p["radius"] + NOISE * (draw("hospital", p.row) - Decimal("0.5")), reverse=True)
    queue += zero
    parts = {"development": development}
    for hospital in HOSPITALS:
        parts[hospital.name], queue = queue[: hospital.cases], queue[hospital.cases :]
    return {name: tuple(sorted(part, key=lambda p: p.row)) for name, part in parts.items()}


def number_writer(hospital: Hospital) -> Callable[[str, Decimal], str]:
    """Return the function that writes one value in the hospital's dialect."""

    def write(feature: str, value: Decimal) -> str:
        if hospital.thousandths and feature in LENGTHS:
            return f"{value * 1000:.0f}"
        text = f"{value:f}"
        return text.replace(".", ",") if hospital.decimal_comma else text

    return write


def column_name(hospital: Hospital, feature: str) -> str:
    """Name a column the way the hospital does: south writes lengths as whole thousandths and says so."""
    return f"{feature}_x1000" if hospital.thousandths and feature in LENGTHS else feature


def render_table(rows: Iterable[Sequence[str]], delimiter: str) -> bytes:
    """Render rows as CSV with LF line ends."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def render_raw(hospital: Hospital, patients: Sequence[Patient]) -> dict[str, bytes]:
    """Return the two files that leave the hospital's information system, by name."""
    write = number_writer(hospital)
    measurements = [["case", *(column_name(hospital, feature) for feature in FEATURES)]]
    diagnoses = [["case", "diagnosis"]]
    for number, patient in enumerate(patients, start=1):
        case = f"{hospital.prefix}{number:04d}"
        measurements.append([case, *(write(feature, patient[feature]) for feature in FEATURES)])
        diagnoses.append([case, hospital.diagnosis[patient.malignant]])
    return {
        "measurements.csv": render_table(measurements, hospital.delimiter),
        "diagnoses.csv": render_table(diagnoses, hospital.delimiter),
    }


def render_development(patients: Sequence[Patient]) -> bytes:
    """Return the training table: the ten means and the label, one row a patient."""
    rows = [["case", *FEATURES, "malignant"]]
    for number, patient in enumerate(patients, start=1):
        values = (f"{patient[feature]:f}" for feature in FEATURES)
        rows.append([f"D{number:04d}", *values, str(int(patient.malignant))])
    return render_table(rows, ",")


def write_all(out: Path, patients: Sequence[Patient]) -> dict[str, tuple[Patient, ...]]:
    """Write every part below `out` and return them."""
    parts = split(patients)
    out.mkdir(parents=True, exist_ok=True)
    (out / "development.csv").write_bytes(render_development(parts["development"]))
    for hospital in HOSPITALS:
        folder = out / hospital.name
        folder.mkdir(exist_ok=True)
        for name, content in render_raw(hospital, parts[hospital.name]).items():
            (folder / name).write_bytes(content)
    return parts


def main() -> None:
    """Write the files and say what is in them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder to write to (default: data)")
    parser.add_argument("--sklearn", type=Path, help="directory of the sklearn package, if it is not installed here")
    args = parser.parse_args()
    source = args.sklearn / "datasets" / "data" / "breast_cancer.csv" if args.sklearn else find_source()
    print(f"{'part':<16}{'cases':>6}{'malignant':>11}{'mean radius (min - max)':>28}")
    for name, part in write_all(args.out, load_patients(source)).items():
        radii = [patient["radius"] for patient in part]
        spread = f"{sum(radii) / len(radii):.1f} ({min(radii):.1f} - {max(radii):.1f})"
        print(f"{name:<16}{len(part):>6}{sum(p.malignant for p in part):>11}{spread:>28}")


if __name__ == "__main__":
    main()
