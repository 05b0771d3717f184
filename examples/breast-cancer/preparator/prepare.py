"""Turn a hospital's export into the benchmark's form, check it, and count it.

Raw: measurements.csv (case and ten features) and diagnoses.csv (case and diagnosis), in the hospital's own dialect:
comma, semicolon or tab between cells; decimal point or comma; a column `<feature>_x1000` holds thousandths; a diagnosis
is malignant/benign, M/B or 1/0. Prepared: cases.csv and labels.csv, one dialect, sorted by case.
Anything else is refused with a sentence that names file and row; no value is guessed.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from decimal import Decimal, InvalidOperation
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
DIAGNOSES = {"malignant": "1", "m": "1", "1": "1", "benign": "0", "b": "0", "0": "0"}
DELIMITERS = (",", ";", "\t")
LARGEST = Decimal(100_000)
MEASUREMENTS, LABELS = "measurements.csv", "diagnoses.csv"

Table = tuple[list[str], list[list[str]]]


class Malformed(Exception):
    """The input is not what was agreed; the message names file and row."""


def read_rows(path: Path, delimiter: str | None = None) -> Table:
    """Return header and rows of a CSV file; the header's delimiter is found when it is not given."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"{path.name}: not UTF-8 text (byte {error.start})") from error
    first = text.partition("\n")[0]
    found = delimiter or max(DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=found) if row]
    if len(rows) < 2:
        raise Malformed(f"{path.name}: holds no cases, only {len(rows)} row(s)")
    header, body = [cell.strip().lower() for cell in rows[0]], rows[1:]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise Malformed(f"{path.name}, row {number}: {len(row)} cells, but the header has {len(header)}")
    return header, body


def check_header(name: str, header: list[str], wanted: tuple[str, ...]) -> None:
    """Refuse a header with missing, unknown or repeated columns."""
    plain = [column.removesuffix("_x1000") for column in header]
    missing = [column for column in wanted if column not in plain]
    unknown = [column for column, short in zip(header, plain, strict=True) if short not in wanted]
    if missing:
        raise Malformed(f"{name}, row 1: no column {missing[0]!r}")
    if unknown:
        raise Malformed(f"{name}, row 1: column {unknown[0]!r} is not known")
    if len(set(plain)) != len(plain):
        raise Malformed(f"{name}, row 1: a column stands twice")


def parse_case(name: str, number: int, cell: str, seen: set[str]) -> str:
    """Return a case id, and refuse an empty or repeated one."""
    case = cell.strip()
    if not case or not case.isascii() or not case.isalnum():
        raise Malformed(f"{name}, row {number}: the case id must be ASCII letters and digits")
    if case in seen:
        raise Malformed(f"{name}, row {number}: case {case} stands in the file twice")
    seen.add(case)
    return case


def parse_number(name: str, number: int, column: str, cell: str) -> str:
    """Return a measurement as plain decimal text in the benchmark's unit."""
    where = f"{name}, row {number}: {column}"
    try:
        value = Decimal(cell.strip().replace(",", "."))
    except InvalidOperation as error:
        raise Malformed(f"{where} is {cell!r}, which is not a number") from error
    if not value.is_finite():
        raise Malformed(f"{where} is {cell!r}, which is not a finite number")
    if column.endswith("_x1000"):
        value /= 1000
    if value < 0 or value > LARGEST:
        raise Malformed(f"{where} is {cell!r}; it must lie between 0 and {LARGEST}")
    return format(value.normalize(), "f")


def read_measurements(folder: Path) -> dict[str, list[str]]:
    """Return the ten features of each case, in the order of FEATURES."""
    header, rows = read_rows(folder / MEASUREMENTS)
    check_header(MEASUREMENTS, header, ("case", *FEATURES))
    places = {column.removesuffix("_x1000"): place for place, column in enumerate(header)}
    seen: set[str] = set()
    cases: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=2):
        case = parse_case(MEASUREMENTS, number, row[places["case"]], seen)
        cases[case] = [
            parse_number(MEASUREMENTS, number, header[places[feature]], row[places[feature]]) for feature in FEATURES
        ]
    return cases


def read_diagnoses(folder: Path) -> dict[str, str]:
    """Return 1 (malignant) or 0 (benign) for each case."""
    header, rows = read_rows(folder / LABELS)
    check_header(LABELS, header, ("case", "diagnosis"))
    case_place, diagnosis_place = header.index("case"), header.index("diagnosis")
    seen: set[str] = set()
    labels: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        case = parse_case(LABELS, number, row[case_place], seen)
        diagnosis = row[diagnosis_place].strip().lower()
        if diagnosis not in DIAGNOSES:
            raise Malformed(
                f"{LABELS}, row {number}: diagnosis {row[diagnosis_place]!r} is not one of malignant, benign"
            )
        labels[case] = DIAGNOSES[diagnosis]
    return labels


def check_pairs(data: set[str], labels: set[str], names: tuple[str, str]) -> None:
    """Refuse a case that one file has and the other has not."""
    for case in sorted(data ^ labels):
        here, there = names if case in data else reversed(names)
        raise Malformed(f"{here}: case {case} has no row in {there}")


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a prepared table: commas, decimal points, LF."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def prepare(data: Path, labels: Path, out_data: Path, out_labels: Path, metadata: Path) -> None:
    """Write cases.csv, labels.csv and, where the folder is mounted, metadata.yaml."""
    cases, diagnoses = read_measurements(data), read_diagnoses(labels)
    check_pairs(set(cases), set(diagnoses), (MEASUREMENTS, LABELS))
    order = sorted(cases)
    write_table(out_data / "cases.csv", ["case", *FEATURES], [[case, *cases[case]] for case in order])
    write_table(out_labels / "labels.csv", ["case", "malignant"], [[case, diagnoses[case]] for case in order])
    if metadata.is_dir():
        text = f"prepared_by: breast-cancer preparator 1\nnum_cases: {len(order)}\n"
        (metadata / "metadata.yaml").write_text(text, encoding="utf-8")
    print(f"{len(order)} cases prepared")


def read_prepared(data: Path, labels: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return prepared cases and labels, and refuse what `prepare` would not have written."""
    header, rows = read_rows(data / "cases.csv", ",")
    if header != ["case", *FEATURES]:
        raise Malformed("cases.csv, row 1: these are not the columns of prepared data")
    seen: set[str] = set()
    cases: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=2):
        case = parse_case("cases.csv", number, row[0], seen)
        cases[case] = [
            parse_number("cases.csv", number, feature, cell) for feature, cell in zip(FEATURES, row[1:], strict=True)
        ]
    header, rows = read_rows(labels / "labels.csv", ",")
    if header != ["case", "malignant"]:
        raise Malformed("labels.csv, row 1: these are not the columns of prepared labels")
    for number, row in enumerate(rows, start=2):
        if row[1] not in {"0", "1"}:
            raise Malformed(f"labels.csv, row {number}: a label is 0 or 1, not {row[1]!r}")
    diagnoses = {row[0]: row[1] for row in rows}
    check_pairs(set(cases), set(diagnoses), ("cases.csv", "labels.csv"))
    return cases, diagnoses


def sanity_check(data: Path, labels: Path) -> None:
    """Refuse prepared data on which no model should be judged."""
    cases, diagnoses = read_prepared(data, labels)
    for number, case in enumerate(cases, start=2):
        radius, area = Decimal(cases[case][FEATURES.index("radius")]), Decimal(cases[case][FEATURES.index("area")])
        if radius <= 0 or area <= 0:
            raise Malformed(f"cases.csv, row {number}: a nucleus must have a radius and an area above zero")
    if len(set(diagnoses.values())) < 2:
        raise Malformed("labels.csv: all cases have the same diagnosis, so AUROC is not defined")
    print(f"{len(cases)} cases are in order")


def statistics(data: Path, labels: Path, out: Path) -> None:
    """Write the number of cases and a few aggregates as YAML."""
    cases, diagnoses = read_prepared(data, labels)
    radii = [float(values[FEATURES.index("radius")]) for values in cases.values()]
    lines = [
        f"num_cases: {len(cases)}",
        f"num_malignant: {sum(label == '1' for label in diagnoses.values())}",
        f"radius_mean: {sum(radii) / len(radii):.2f}",
        f"radius_min: {min(radii):.1f}",
        f"radius_max: {max(radii):.1f}",
    ]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"statistics of {len(cases)} cases written")


def main() -> None:
    """Run one task on the container's mounts, or on the folders that were given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["prepare", "sanity_check", "statistics"])
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--out-data", type=Path, default=Path("/output/data"))
    parser.add_argument("--out-labels", type=Path, default=Path("/output/labels"))
    parser.add_argument("--out-metadata", type=Path, default=Path("/output/metadata"))
    parser.add_argument("--out-statistics", type=Path, default=Path("/output/statistics.yaml"))
    args = parser.parse_args()
    try:
        if args.task == "prepare":
            prepare(args.data, args.labels, args.out_data, args.out_labels, args.out_metadata)
        elif args.task == "sanity_check":
            sanity_check(args.data, args.labels)
        else:
            statistics(args.data, args.labels, args.out_statistics)
    except Malformed as error:
        sys.exit(f"refused: {error}")


if __name__ == "__main__":
    main()
