"""The simulated data, the preparator that checks them, and the simulated models."""

import csv
import json
from pathlib import Path

import pytest

from tests.examples.fets_scale.programs import load, run_container

challenge, make_data = load("challenge", "make_data")
SITE = challenge.SITES[2]


def raw(root: Path, **changes: str) -> Path:
    """Write a small site's export below a container's mounts."""
    for name, folder in (("scans.csv", "data"), ("labels.csv", "labels")):
        (root / "input" / folder).mkdir(parents=True, exist_ok=True)
        text = changes.get(folder, make_data.make_site(SITE)[name].decode())
        (root / "input" / folder / name).write_text(text)
    return root


def infer(root: Path, **changes: float) -> dict[str, list[float]]:
    """Run a simulated model on the site, and return the balls by case."""
    done = run_model(root, **changes)
    assert done.returncode == 0, done.stderr
    with (root / "output" / "predictions" / "predictions.csv").open(newline="") as file:
        return {row[0]: [float(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]}


def run_model(root: Path, **changes: float):
    raw(root)
    parameters = challenge.models()[3].parameters | changes
    (root / "input" / "parameters.yaml").write_text(json.dumps(parameters))
    return run_container("model", "infer.py", root=root)


def test_the_challenge_has_the_published_numbers():
    sizes = sorted((site.cases for site in challenge.SITES if site.published), reverse=True)
    assert sizes == [157, 130, 124, 52, 28, 26, 11, 9]
    assert (len(challenge.SITES), sum(site.cases for site in challenge.SITES), len(challenge.models())) == (
        32,
        2625,
        41,
    )
    assert len({model.text for model in challenge.models()}) == 41


def test_sites_lie_on_six_continents():
    continents = {"NA": "US CA", "SA": "BR CO AR", "EU": "DE CH GB NO ES IT AT CZ TR", "AS": "IN CN KR JP SG",
                  "AF": "ZA NG", "OC": "AU NZ"}  # fmt: skip
    where = {country: continent for continent, countries in continents.items() for country in countries.split()}
    assert {where[site.country] for site in challenge.SITES} == set(continents)


def test_data_are_the_same_each_time_and_the_preparator_takes_them(tmp_path: Path):
    assert make_data.make_site(SITE) == make_data.make_site(SITE)
    raw(tmp_path)
    for task in ("prepare", "sanity_check", "statistics"):
        done = run_container("preparator", "prepare.py", task, root=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "output" / "statistics.yaml").read_text().startswith(f"num_cases: {SITE.cases}\n")
    assert (tmp_path / "output" / "labels" / "labels.csv").read_bytes() == make_data.make_site(SITE)["labels.csv"]


def test_demo_data_are_the_same_bytes_each_time():
    files = make_data.make_site(make_data.DEMO)
    assert make_data.packed(files) == make_data.packed(dict(reversed(files.items())))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("site-03-002,", "site-03-001,", "labels.csv, row 3: case site-03-001 stands in the file twice"),
        ("site-03-002,", "site-03-002,wide,", "labels.csv, row 3: it has not as many cells as there are columns"),
        ("case,et_x", "case,x", "labels.csv, row 1: the columns must be case, et_x"),
        ("site-03-026,", "site-03-027,", "scans.csv: case site-03-026 has no row in labels.csv"),
    ],
)
def test_a_malformed_table_is_refused_by_file_and_row(tmp_path: Path, old: str, new: str, said: str):
    text = make_data.make_site(SITE)["labels.csv"].decode()
    raw(tmp_path, labels=text.replace(old, new, 1))
    done = run_container("preparator", "prepare.py", "prepare", root=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"refused: {said}")


def test_a_core_outside_of_its_tumour_is_refused_by_case(tmp_path: Path):
    rows = make_data.make_site(SITE)["labels.csv"].decode().splitlines()
    cells = rows[4].split(",")
    rows[4] = ",".join([*cells[:9], "900.0", *cells[10:]])
    raw(tmp_path, labels="\n".join(rows) + "\n")
    done = run_container("preparator", "prepare.py", "sanity_check", root=tmp_path)
    assert done.stderr == "refused: labels.csv, row 5: case site-03-004: tc does not lie in wt\n"


def test_a_model_gives_the_same_predictions_each_time(tmp_path: Path):
    assert infer(tmp_path / "one") == infer(tmp_path / "two")
    assert infer(tmp_path / "one") != infer(tmp_path / "two", seed=5)


def test_a_model_without_error_finds_the_tumour_that_is_there(tmp_path: Path):
    found = infer(tmp_path, error_mm=0, bias=0, lost=0, slip=0, least_mm=0)
    rows = list(csv.reader(make_data.make_site(SITE)["labels.csv"].decode().splitlines()))[1:]
    assert found == {row[0]: [float(cell) for cell in row[1:]] for row in rows}


def test_a_model_that_loses_cases_writes_nothing_for_them(tmp_path: Path):
    assert infer(tmp_path, lost=1) == {}


def test_thick_slices_crash_a_model_that_cannot_read_them(tmp_path: Path):
    done = run_model(tmp_path, thickest_mm=0.5)
    assert done.returncode == 1
    assert done.stderr == "scans.csv: slices of case site-03-001 are 1.0 mm thick: index out of range\n"
