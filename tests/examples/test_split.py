"""The split is what its description says, on any machine."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path

import pytest

from .conftest import EXAMPLE, HOSPITALS, load_program, run_program

split = load_program("split.py")


@pytest.fixture(scope="module")
def parts() -> dict[str, tuple]:
    return split.split(split.load_patients(split.find_source()))


def test_the_parts_have_the_stated_sizes_and_share_no_patient(parts):
    assert {name: len(part) for name, part in parts.items()} == {
        "development": 189,
        "hospital-north": 60,
        "hospital-east": 120,
        "hospital-south": 200,
    }
    assert sorted(patient.row for part in parts.values() for patient in part) == list(range(1, 570))


def test_splitting_twice_gives_the_same_bytes(raw: Path, tmp_path: Path):
    assert run_program("split.py", "--out", tmp_path).returncode == 0
    first = {path.relative_to(raw): path.read_bytes() for path in raw.rglob("*.csv")}
    assert len(first) == 7
    assert first == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.csv")}


def test_the_bytes_are_the_same_on_every_machine(raw: Path):
    both = b"".join(path.read_bytes() for path in sorted(raw.rglob("*.csv")))
    assert sha256(both).hexdigest() == "c2397172ce79ca040ded4904d4c8b73516707cca39842d5b928fbbcefc7dbbea"


def test_the_training_table_in_the_repository_is_what_the_split_makes(raw: Path):
    assert (EXAMPLE / "models" / "development.csv").read_bytes() == (raw / "development.csv").read_bytes()


def test_hospitals_differ_in_the_size_of_the_nuclei_and_overlap(parts):
    radii = {name: sorted(patient["radius"] for patient in parts[name]) for name in HOSPITALS}
    means = [sum(values) / len(values) for values in radii.values()]
    assert means[0] > means[1] + 2
    assert means[1] > means[2] + 1
    assert radii["hospital-north"][0] < radii["hospital-south"][-1]


def test_every_part_has_at_least_ten_cases_of_each_class(parts):
    for part in parts.values():
        malignant = sum(patient.malignant for patient in part)
        assert 10 <= malignant <= len(part) - 10


def test_cases_without_concavity_are_in_the_largest_hospital_only(parts):
    assert {name: sum(p["concavity"] == 0 for p in part) for name, part in parts.items()} == {
        "development": 0,
        "hospital-north": 0,
        "hospital-east": 0,
        "hospital-south": 13,
    }


def test_demo_data_are_twenty_development_cases_and_always_the_same_bytes(tmp_path: Path):
    maker = load_program("demo_data/make.py")
    files = maker.render_files(EXAMPLE / "models" / "development.csv")
    rows = list(csv.DictReader(files["diagnoses.csv"].decode().splitlines()))
    assert [row["diagnosis"] for row in rows].count("malignant") == 10
    assert len(rows) == 20
    assert maker.render_archive(files) == maker.render_archive(files)
    done = run_program("demo_data/make.py", "--out", tmp_path / "demo.tar.gz")
    content = (tmp_path / "demo.tar.gz").read_bytes()
    assert content == maker.render_archive(files)
    assert f"size: {len(content)}\ndigest: sha256:{sha256(content).hexdigest()}" in done.stdout
