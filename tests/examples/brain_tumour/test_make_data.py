"""The synthetic patients are the same each time, nested as tumours are, and say that they are synthetic."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy import ndimage

from .conftest import EXAMPLE


@pytest.fixture(scope="module")
def patients(generator: ModuleType) -> dict[str, list]:
    """The first three patients of each site."""
    return {site.name: [generator.make_patient(site, number) for number in (1, 2, 3)] for site in generator.SITES}


def test_making_a_patient_twice_gives_the_same_bytes_and_no_two_are_alike(generator: ModuleType, patients):
    seen = set()
    for site in generator.SITES:
        first = generator.render_patient(site, patients[site.name][0])
        assert first == generator.render_patient(site, generator.make_patient(site, 1))
        seen |= set(first.values())
    assert len(seen) == 15


def test_regions_are_nested_and_one_patient_of_each_site_does_not_enhance(generator: ModuleType, patients):
    for site in generator.SITES:
        for number, patient in enumerate(patients[site.name], start=1):
            labels, brain = patient.labels, patient.volumes["t1"] > 0
            assert set(np.unique(labels)) <= {0, 1, 2, 4}
            assert (number == site.without_enhancement) == (not (labels == 4).any())
            assert (labels == 1).any()
            assert (labels == 2).any()
            assert not (labels[~brain] > 0).any()
            # Oedema is around the core, but where it meets fluid or the border of the brain; a rim is around necrosis.
            core = (labels == 1) | (labels == 4)
            around = ndimage.binary_dilation(core) & ~core & brain
            assert (labels[around] == 2).mean() > 0.7
            assert 50 < core.sum() < (labels > 0).sum() < 8000


def test_tumours_are_bright_where_readers_expect_it(generator: ModuleType, patients):
    for site in generator.SITES:
        patient = patients[site.name][0]
        healthy = (patient.labels == 0) & (patient.volumes["t1"] > 0)
        for sequence, label in (("flair", 2), ("t2", 2), ("t1ce", 4)):
            volume = patient.volumes[sequence]
            assert volume[patient.labels == label].mean() > volume[healthy].mean() + 0.5 * volume[healthy].std()


def test_files_are_named_as_brats_names_them_and_say_that_they_are_synthetic(
    generator: ModuleType, patients, tmp_path: Path
):
    endings = {}
    for site in generator.SITES:
        patient = patients[site.name][0]
        files = generator.render_patient(site, patient)
        endings[site.name] = {name.removeprefix(f"{patient.name}/{patient.name}") for name in files}
        name, content = next(iter(files.items()))
        path = tmp_path / Path(name).name
        path.write_bytes(content)
        image = nib.load(path)
        assert "synthetic" in name
        assert b"synthetic" in bytes(image.header["descrip"])
        assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert endings == {
        "upenn-like": {"_t1.nii.gz", "_t1ce.nii.gz", "_t2.nii.gz", "_flair.nii.gz", "_seg.nii.gz"},
        "perelman-like": {"-t1n.nii.gz", "-t1c.nii.gz", "-t2w.nii.gz", "-t2f.nii.gz", "-seg.nii.gz"},
        "community-like": {"_t1.nii", "_t1ce.nii", "_t2.nii", "_flair.nii", "_seg.nii"},
    }


def test_demo_data_are_three_patients_and_the_archive_depends_on_nothing_but_the_files(generator: ModuleType):
    files = {"cases/a/a_t1.nii.gz": b"one", "paths.yaml": b"two"}
    assert generator.render_archive(files) == generator.render_archive(dict(reversed(files.items())))
    content = generator.render_demo()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
        paths = archive.extractfile("paths.yaml")
        assert paths is not None
        assert yaml.safe_load(paths.read()) == {"data_path": "cases", "labels_path": "cases"}
    assert len(names) == 16
    assert len({name.split("/")[1] for name in names if "/" in name}) == 3


def test_the_description_of_the_pilot_has_the_generators_sites_and_numbers(generator: ModuleType):
    pilot = yaml.safe_load((EXAMPLE / "pilot.yaml").read_text(encoding="utf-8"))
    assert [(site["name"], site["cases"], site["reduced"]) for site in pilot["sites"]] == [
        (site.name, site.cases, site.reduced) for site in generator.SITES
    ]
    assert all("synthetic" in site["title"] for site in pilot["sites"])


def test_no_patient_of_a_site_is_among_those_on_whom_models_are_trained(generator: ModuleType):
    development, sites = {site.name for site in generator.DEVELOPMENT}, {site.name for site in generator.SITES}
    assert not development & (sites | {generator.DEMO.name})


def test_the_anatomy_carries_the_notice_that_it_must_carry():
    notice = (EXAMPLE / "anatomy" / "NOTICE.txt").read_text(encoding="utf-8")
    assert "Louis Collins, McConnell Brain Imaging Centre" in notice
    assert (EXAMPLE / "anatomy" / "icbm152_3mm.nii.gz").stat().st_size < 300_000
