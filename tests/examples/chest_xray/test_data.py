"""The synthetic radiographs are what the pilot says of them, and the same bytes each time."""

from __future__ import annotations

import csv
import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import yaml

from .conftest import JUDGED, PILOT, SITES, load_program, run_program

drawing = load_program("make_data.py")


def read_table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def table_of(raw: Path, site: str) -> list[dict[str, str]]:
    return read_table((raw / site / "data/CheXpert-v1.0/valid.csv").read_text(encoding="utf-8"))


def test_the_sites_of_the_generator_are_those_of_the_pilot():
    told = yaml.safe_load((PILOT / "pilot.yaml").read_text(encoding="utf-8"))["sites"]
    assert [(row["name"], row["cases"], row["reduced"]) for row in told] == [
        (site.name, site.cases, site.reduced) for site in drawing.SITES
    ]
    assert tuple(row["name"] for row in told) == SITES
    assert len({row["country"] for row in told}) == 4
    assert all("synthetic" in row["title"] for row in told)


def test_drawing_twice_gives_the_same_bytes(tmp_path: Path):
    seen = []
    for name in ("first", "second"):
        assert run_program(PILOT / "make_data.py", "--out", tmp_path / name, "--reduced").code == 0
        files = (path for path in sorted((tmp_path / name).rglob("*")) if path.is_file())
        seen.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2 * (8 + 1) + 1  # images and a table for each of two sites, and the demo data


@pytest.mark.parametrize("reduced", [False, True])
def test_every_judged_finding_occurs_and_is_absent_at_each_site_but_one(reduced: bool):
    one_class = []
    sites = [site for site in drawing.SITES if site.with_cases(reduced=reduced)]
    assert len(sites) == (2 if reduced else 4)
    for site in sites:
        cases = site.with_cases(reduced=reduced)
        labels = [drawing.labels_of(drawn) for drawn in drawing.plan_findings(site, cases)]
        assert len(labels) == cases
        for finding in JUDGED:
            positive = sum(row[finding] == "1.0" for row in labels)
            assert positive < cases
            one_class += [(site.name, finding)] if positive == 0 else []
    assert one_class == [("cloud-sydney", "Consolidation")]


def test_exports_differ_in_format_and_in_how_they_write_labels(xray_raw: Path):
    suffixes = {site: Counter(Path(row["Path"]).suffix for row in table_of(xray_raw, site)) for site in SITES}
    assert suffixes == {
        "cloud-oregon": {".jpg": 26 + 5},
        "cloud-frankfurt": {".png": 25},
        "cloud-mumbai": {".dcm": 25},
        "cloud-sydney": {".png": 25},
    }
    cells = {site: {row[name] for row in table_of(xray_raw, site) for name in drawing.FINDINGS} for site in SITES}
    assert cells == {
        "cloud-oregon": {"1.0", "0.0"},
        "cloud-frankfurt": {"1.0", ""},
        "cloud-mumbai": {"1.0", "0.0"},
        "cloud-sydney": {"1.0", "0.0", "-1.0"},
    }
    assert sum(path.stat().st_size for path in xray_raw.rglob("*") if path.is_file()) < 4e6


def test_no_patient_is_at_two_sites(xray_raw: Path):
    patients = [{row["Path"].split("/")[2] for row in table_of(xray_raw, site)} for site in SITES]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 101


def test_demo_data_are_three_cases_with_both_classes_of_each_judged_finding(xray_raw: Path):
    with tarfile.open(xray_raw / "demo_data.tar.gz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    rows = read_table(files["CheXpert-v1.0/valid.csv"].decode())
    assert len([row for row in rows if row["Frontal/Lateral"] == "Frontal"]) == 3
    assert {row["Path"] for row in rows} < set(files)
    for finding in JUDGED:
        assert {row[finding] for row in rows} == {"1.0", "0.0"}
    assert yaml.safe_load(files["paths.yaml"]) == {"data_path": ".", "labels_path": "."}
    assert drawing.pack(dict(drawing.iter_demo())) == (xray_raw / "demo_data.tar.gz").read_bytes()
