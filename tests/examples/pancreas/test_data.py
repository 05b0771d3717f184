"""The synthetic data are what their description says, small, and the same bytes each time."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
import yaml

from .conftest import PILOT, run_main, run_prepare


def test_a_reduced_run_writes_three_cases_a_site_and_the_demo_data_and_twice_the_same_bytes(
    maker: ModuleType, tmp_path: Path
) -> None:
    done = run_main(maker, "--out", tmp_path, "--reduced")
    assert done.returncode == 0, done.stderr
    seen = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for site in maker.SITES:
        again = maker.render_site(site, reduced=True)
        assert again == {name.partition("/")[2]: seen[name] for name in seen if name.startswith(f"{site}/")}
    assert maker.render_archive(maker.render_demo()) == seen["demo_data.tar.gz"]
    names = set(seen)
    nifti = {f"harvard-chan-like/{kind}000{n}.nii.gz" for kind in ("data/img", "labels/label") for n in (1, 2, 3)}
    assert {name for name in names if name.startswith("harvard")} == nifti
    series = [name for name in names if name.startswith("dfci-like/data/")]
    assert len(series) == 3 * 32
    assert {name.split("/")[2] for name in series} == {"PANCREAS_0001", "PANCREAS_0002", "PANCREAS_0003"}
    assert sum(len(content) for content in seen.values()) < 3_000_000


def test_the_description_of_the_pilot_counts_the_cases_of_each_site(maker: ModuleType) -> None:
    sites = yaml.safe_load((PILOT / "pilot.yaml").read_text(encoding="utf-8"))["sites"]
    assert {site["name"]: site["cases"] for site in sites} == {name: len(one) for name, one in maker.SITES.items()}


def test_the_demo_data_are_three_cases_in_both_formats_and_go_through_the_preparator(
    maker: ModuleType, tmp_path: Path
) -> None:
    files = maker.render_demo()
    archive = maker.render_archive(files)
    assert archive == maker.render_archive(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(tmp_path, filter="data")
    paths = yaml.safe_load((tmp_path / "paths.yaml").read_text(encoding="utf-8"))
    assert paths == {"data_path": "data", "labels_path": "labels"}
    done = run_prepare(tmp_path, tmp_path / "out")
    assert done.stdout == "3 of 3 cases prepared, 0 of them earlier\n"
    metadata = yaml.safe_load((tmp_path / "out" / "metadata" / "metadata.yaml").read_text(encoding="utf-8"))
    assert metadata["sources"] == {"0001": "NIfTI", "0002": "NIfTI", "0003": "DICOM series"}


def test_organs_lie_on_their_side_unless_the_patient_is_mirrored(maker: ModuleType) -> None:
    plain, mirrored, resected = (
        maker.make_abdomen(2002, style) for style in (maker.DFCI, *maker.SITES["dfci-like"][2:0:-1])
    )
    middle = (maker.SHAPE[0] - 1) / 2
    for one, side in ((plain, 1), (mirrored, -1)):
        assert (np.argwhere(one.labels == maker.LIVER)[:, 0].mean() - middle) * side > 5
        assert (np.argwhere(one.labels == maker.SPLEEN)[:, 0].mean() - middle) * side < -5
    millilitres = (plain.labels == maker.PANCREAS).sum() * np.prod(plain.spacing) / 1000
    assert 50 < millilitres < 150
    assert not (resected.labels == maker.PANCREAS).any()
    assert (resected.labels == maker.LIVER).any()


def test_every_file_says_that_it_is_synthetic(maker: ModuleType, patient: object) -> None:
    item = pydicom.dcmread(io.BytesIO(maker.render_series(patient, name="SYNTHETIC-77")["1-001.dcm"]))
    assert item.ImageComments == maker.WARNING
    assert str(item.PatientID) == "SYNTHETIC-77"
    assert maker.WARNING.encode() in maker.gzip.decompress(maker.render_btcv(patient)[0])[:348]
