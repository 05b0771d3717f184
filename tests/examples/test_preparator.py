"""The preparator reads three dialects and refuses what it does not understand, with file and row."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from .conftest import HOSPITALS, load_program, run_prepare, run_program

HEADER = (
    "case,radius,texture,perimeter,area,smoothness,compactness,concavity,concave_points,symmetry,fractal_dimension\n"
)
GOOD = HEADER + "A1,14,20,90,600,.1,.1,.1,.05,.2,.06\nA2,12,18,80,500,.1,.1,.1,.05,.2,.06\n"
DIAGNOSES = "case,diagnosis\nA1,malignant\nA2,benign\n"


def export(folder: Path, measurements: str = GOOD, diagnoses: str = DIAGNOSES) -> Path:
    folder.mkdir()
    (folder / "measurements.csv").write_text(measurements, encoding="utf-8")
    (folder / "diagnoses.csv").write_text(diagnoses, encoding="utf-8")
    return folder


def test_every_dialect_becomes_the_numbers_of_the_source(prepared: Path):
    split = load_program("split.py")
    parts = split.split(split.load_patients(split.find_source()))
    for hospital in HOSPITALS:
        with (prepared / hospital / "data" / "cases.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with (prepared / hospital / "labels" / "labels.csv").open(encoding="utf-8") as file:
            labels = [row["malignant"] for row in csv.DictReader(file)]
        assert labels == [str(int(patient.malignant)) for patient in parts[hospital]]
        for row, patient in zip(rows, parts[hospital], strict=True):
            assert tuple(Decimal(row[feature]) for feature in split.FEATURES) == patient.values


def test_prepared_data_pass_the_sanity_check(prepared: Path):
    for hospital in HOSPITALS:
        folder = prepared / hospital
        done = run_program(
            "preparator/prepare.py", "sanity_check", "--data", folder / "data", "--labels", folder / "labels"
        )
        assert done.returncode == 0, done.stderr


def test_statistics_are_yaml_with_the_number_of_cases(prepared: Path, tmp_path: Path):
    out, folder = tmp_path / "statistics.yaml", prepared / "hospital-north"
    out.touch()
    run_program(
        "preparator/prepare.py",
        "statistics",
        *("--data", folder / "data", "--labels", folder / "labels", "--out-statistics", out),
    )
    found = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert found["num_cases"] == 60
    assert found["num_malignant"] == 50
    assert set(found) == {"num_cases", "num_malignant", "radius_mean", "radius_min", "radius_max"}


def test_a_folder_of_metadata_is_optional(tmp_path: Path):
    source = export(tmp_path / "raw")
    for name in ("data", "labels"):
        (tmp_path / name).mkdir()
    done = run_program(
        "preparator/prepare.py",
        "prepare",
        *("--data", source, "--labels", source, "--out-data", tmp_path / "data", "--out-labels", tmp_path / "labels"),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("measurements", "diagnoses", "sentence"),
    [
        (GOOD.replace("A2,12", "A2,big"), DIAGNOSES, "measurements.csv, row 3: radius is 'big', which is not a number"),
        (GOOD.replace("A2,12", "A2,NaN"), DIAGNOSES, "measurements.csv, row 3: radius is 'NaN', which is not a finite"),
        (GOOD.replace("A2,12", "A2,-1"), DIAGNOSES, "measurements.csv, row 3: radius is '-1'; it must lie between"),
        (GOOD.replace("A2,12", "A2,"), DIAGNOSES, "measurements.csv, row 3: radius is '', which is not a number"),
        (GOOD.replace("A2,12,", "A2,"), DIAGNOSES, "measurements.csv, row 3: 10 cells, but the header has 11"),
        (GOOD.replace("A2", "A1"), DIAGNOSES, "measurements.csv, row 3: case A1 stands in the file twice"),
        (GOOD.replace("A2", "../x"), DIAGNOSES, "measurements.csv, row 3: the case id must be ASCII"),
        (GOOD.replace(",texture", ",colour"), DIAGNOSES, "measurements.csv, row 1: no column 'texture'"),
        (GOOD.replace("symmetry", "area"), DIAGNOSES, "measurements.csv, row 1: no column 'symmetry'"),
        (HEADER, DIAGNOSES, "measurements.csv: holds no cases"),
        ("", DIAGNOSES, "measurements.csv: holds no cases"),
        (GOOD, DIAGNOSES.replace("benign", "maybe"), "diagnoses.csv, row 3: diagnosis 'maybe' is not one of"),
        (GOOD, DIAGNOSES.replace("A2", "A3"), "measurements.csv: case A2 has no row in diagnoses.csv"),
        (GOOD, DIAGNOSES + "A9,benign\n", "diagnoses.csv: case A9 has no row in measurements.csv"),
        (GOOD, DIAGNOSES.replace("A2,benign", "A2,benign,x"), "diagnoses.csv, row 3: 3 cells, but the header has 2"),
    ],
)
def test_malformed_input_is_refused_with_file_and_row(tmp_path: Path, measurements: str, diagnoses: str, sentence: str):
    done = run_prepare(export(tmp_path / "raw", measurements, diagnoses), tmp_path / "out")
    assert done.returncode == 1
    assert f"refused: {sentence}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "data" / "cases.csv").exists()


def test_a_missing_file_is_named(tmp_path: Path):
    source = export(tmp_path / "raw")
    (source / "diagnoses.csv").unlink()
    assert "refused: diagnoses.csv: there is no such file" in run_prepare(source, tmp_path / "out").stderr


def test_the_sanity_check_refuses_one_class_only(tmp_path: Path):
    source = export(tmp_path / "raw", GOOD, DIAGNOSES.replace("malignant", "benign"))
    run_prepare(source, tmp_path / "out")
    done = run_program(
        "preparator/prepare.py",
        "sanity_check",
        *("--data", tmp_path / "out" / "data", "--labels", tmp_path / "out" / "labels"),
    )
    assert done.returncode == 1
    assert "all cases have the same diagnosis" in done.stderr
