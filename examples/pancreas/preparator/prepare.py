"""Bring CT volumes and pancreas labels from NIfTI or DICOM into one form, check them, and count them.

Raw, in the data folder or below: `img0001.nii.gz` (BTCV's way) or a folder `PANCREAS_0001` with one DICOM series (NIH's
way); in the labels folder or below: `label0001.nii.gz`. Prepared: `<case>.nii.gz` in both folders, the image in HU
(int16), the label 0 or 1 (uint8), axes to the right, the front and the head; spacing and position stay as they were.

Every case is looked at, and each that is not as agreed is listed with one sentence. What was mended is read at the
next start; what is done is kept as long as its raw files are the same (SHA-256). The report file remembers both.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml
from volumes import (
    Malformed,
    Volume,
    check_hounsfield,
    check_label,
    first_line,
    label_as_stored,
    read_nifti,
    read_series,
)

IMAGE, SERIES, LABEL = (
    re.compile(pattern) for pattern in (r"img(\d{4})\.nii\.gz", r"PANCREAS_(\d{4})", r"label(\d{4})\.nii\.gz")
)
ORGANS, PANCREAS_OF_ORGANS = tuple(range(14)), 11  # BTCV: 0 is none, 13 organs
ONE_ORGAN, PANCREAS_ALONE = (0, 1), 1  # NIH
IDENTIFIED, DONE = (1, "IDENTIFIED"), (2, "DONE")
IMAGE_REFUSED, LABEL_REFUSED, UNKNOWN = (-1, "IMAGE_REFUSED"), (-2, "LABEL_REFUSED"), (-3, "NOT_UNDERSTOOD")


@dataclass(frozen=True)
class Settings:
    """What the committee decided; `dicom_labels` says how the label of a series lies: by its header or as stored."""

    dicom_labels: str = "header"


@dataclass
class Case:
    """One patient's raw files: the image is a file or the folder of a series."""

    name: str
    image: Path | None = None
    label: Path | None = None
    fault: str = ""

    @property
    def is_series(self) -> bool:
        """Whether the image is a DICOM series."""
        return self.image is not None and self.image.is_dir()

    def files(self) -> list[Path]:
        """Return every raw file, in a fixed order."""
        folder = sorted(path for path in self.image.rglob("*") if path.is_file()) if self.is_series else []
        single = [self.image] if self.image is not None and not self.is_series else []
        return [*folder, *single, *([self.label] if self.label else [])]


def find_cases(data: Path, labels: Path) -> dict[str, Case]:
    """Return all cases by number; what looks like an image or a label and is not named as agreed is a faulty case."""
    cases: dict[str, Case] = {}
    for path in sorted({*walk(data), *walk(labels)}):
        matched = [(kind, found) for kind in (IMAGE, SERIES, LABEL) if (found := kind.fullmatch(path.name))]
        if not matched:
            if path.name.endswith((".nii", ".nii.gz", ".dcm")) or path.is_dir():
                cases[path.name] = Case(path.name, fault=f"{path.name} is named neither like an image nor like a label")
            continue
        kind, found = matched[0]
        case = cases.setdefault(found[1], Case(found[1]))
        if kind is LABEL:
            case.fault = case.fault or (f"{path.name} is there twice" if case.label else "")
            case.label = path
        else:
            case.fault = case.fault or (f"{path.name} is a second image beside {case.image.name}" if case.image else "")
            case.image = path
    return cases


def walk(folder: Path) -> Iterable[Path]:
    """Yield files and the folders of series in and below a folder; what lies in a series is its own affair."""
    for root, folders, files in os.walk(folder):
        series = [name for name in folders if SERIES.fullmatch(name) or holds_slices(Path(root) / name)]
        folders[:] = [name for name in sorted(folders) if name not in series and not name.startswith(".")]
        yield from (Path(root) / name for name in (*series, *sorted(files)) if not name.startswith("."))


def holds_slices(folder: Path) -> bool:
    """Tell whether a folder holds DICOM files by their name."""
    return any(name.lower().endswith(".dcm") for _, _, names in islice(os.walk(folder), 1) for name in names)


def digest(case: Case, settings: Settings) -> str:
    """Return the SHA-256 of a case's raw files, their names and the settings; note a file that cannot be read."""
    whole = hashlib.sha256(settings.dicom_labels.encode())
    for path in case.files():
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            case.fault = case.fault or f"{path.name} cannot be read ({error.strerror})"
            continue
        whole.update(f"{path.name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def read_image(case: Case) -> Volume:
    """Return a case's image in HU, or refuse it."""
    if case.fault:
        raise Malformed(case.fault)
    if case.image is None:
        raise Malformed(f"{case.label.name if case.label else case.name} has no image")
    image = read_series(case.image) if case.is_series else read_nifti(case.image)
    return Volume(image.name, check_hounsfield(image), image.affine, image.instances, image.series_affine)


def read_label(case: Case, image: Volume, settings: Settings) -> np.ndarray:
    """Return a case's pancreas as 0 and 1 on the grid of its image, or refuse the label."""
    if case.label is None:
        raise Malformed(f"label{case.name}.nii.gz is not there")
    stored = case.is_series and settings.dicom_labels == "stored"
    label = label_as_stored(case.label, image) if stored else read_nifti(case.label)
    if case.is_series:
        return check_label(label, image, allowed=ONE_ORGAN, pancreas=PANCREAS_ALONE)
    return check_label(label, image, allowed=ORGANS, pancreas=PANCREAS_OF_ORGANS)


def write_volume(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    """Write a .nii.gz whose bytes depend on voxels and affine alone."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))


class Report:
    """The table of cases in the form of MedPerf's reports: column, case, value. It is written after every case."""

    columns = ("status", "status_name", "comment", "data_path", "labels_path", "raw_digest")

    def __init__(self, path: Path | None) -> None:
        """Take up what an earlier start left; a report that is empty or torn means to begin anew."""
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        try:
            table = yaml.safe_load(path.read_text(encoding="utf-8")) if path and path.is_file() else None
        except (yaml.YAMLError, UnicodeDecodeError):
            table = None
        for column, values in (table if isinstance(table, dict) else {}).items():
            for case, value in (values if isinstance(values, dict) else {}).items():
                self.rows.setdefault(str(case), {})[column] = value

    def is_done(self, case: str, raw: str) -> bool:
        """Tell whether a case was finished from these very files."""
        row = self.rows.get(case, {})
        return row.get("status") == DONE[0] and row.get("raw_digest") == raw

    def note(self, case: str, status: tuple[int, str], comment: str = "", raw: str = "") -> None:
        """Write one case's row."""
        done = f"{case}.nii.gz" if status == DONE else ""
        self.rows[case] = dict(zip(self.columns, (*status, comment, done, done, raw), strict=True))
        self.write()

    def keep(self, cases: Iterable[str]) -> None:
        """Forget cases that are no longer there."""
        self.rows = {case: row for case, row in self.rows.items() if case in cases}
        self.write()

    def write(self) -> None:
        """Write the table into the file that is mounted."""
        if self.path is not None:
            table = {name: {case: row.get(name) for case, row in sorted(self.rows.items())} for name in self.columns}
            self.path.write_text(yaml.safe_dump(table, sort_keys=False, width=1000), encoding="utf-8")

    @property
    def refused(self) -> list[str]:
        """The sentences about cases that wait for a person."""
        waiting = [(case, row) for case, row in sorted(self.rows.items()) if row.get("status", 0) < 0]
        return [f"case {case}: {row.get('comment')}" for case, row in waiting]


def prepare_case(case: Case, settings: Settings, *, out_data: Path, out_labels: Path) -> tuple[tuple[int, str], str]:
    """Read, check and write one case; return its stage and, where it is refused, why."""
    try:
        image = read_image(case)
    except Malformed as error:
        return (UNKNOWN if case.fault and case.image is None else IMAGE_REFUSED), str(error)
    try:
        mask = read_label(case, image, settings)
    except Malformed as error:
        return LABEL_REFUSED, str(error)
    write_volume(out_data / f"{case.name}.nii.gz", image.voxels, image.affine)
    write_volume(out_labels / f"{case.name}.nii.gz", mask, image.affine)
    return DONE, ""


def prepare(args: argparse.Namespace) -> None:
    """Prepare every case that is not done yet, and list those that a person must mend."""
    settings = read_settings(args.parameters)
    cases, report = find_cases(args.data, args.labels), Report(args.report if args.report.parent.is_dir() else None)
    if not cases:
        raise Malformed("there is neither an img0001.nii.gz nor a folder PANCREAS_0001 in the folder that was given")
    report.keep(cases)
    kept = 0
    for name, case in sorted(cases.items()):
        raw = digest(case, settings)
        places = [args.out_data / f"{name}.nii.gz", args.out_labels / f"{name}.nii.gz"]
        if report.is_done(name, raw) and all(place.is_file() for place in places):
            kept += 1
            continue
        report.note(name, IDENTIFIED)
        for place in places:
            place.unlink(missing_ok=True)
        stage, why = prepare_case(case, settings, out_data=args.out_data, out_labels=args.out_labels)
        report.note(name, stage, why, raw)
    tidy(cases, args.out_data, args.out_labels)
    if args.out_metadata.is_dir():
        sources = {name: "DICOM series" if case.is_series else "NIfTI" for name, case in sorted(cases.items())}
        text = yaml.safe_dump({"prepared_by": "pancreas preparator 1", "sources": sources}, sort_keys=False)
        (args.out_metadata / "metadata.yaml").write_text(text, encoding="utf-8")
    print(f"{len(cases) - len(report.refused)} of {len(cases)} cases prepared, {kept} of them earlier")
    if report.refused:
        raise Malformed("\n".join([*report.refused, "mend these cases and start again: the others are done"]))


def tidy(cases: Iterable[str], *folders: Path) -> None:
    """Remove prepared files of cases that are no longer there."""
    for folder in folders:
        for path in folder.glob("*.nii.gz"):
            if path.name.removesuffix(".nii.gz") not in cases:
                path.unlink()


def read_settings(path: Path) -> Settings:
    """Return the committee's settings from the parameters file; without one, headers are believed."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Malformed(f"{path.name} cannot be read as YAML ({first_line(error)})") from error
    value = (content or {}).get("dicom_labels", "header") if isinstance(content or {}, dict) else None
    if value not in {"header", "stored"}:
        raise Malformed(f"{path.name}: dicom_labels must be header or stored, not {value!r}")
    return Settings(value)


def iter_prepared(data: Path, labels: Path) -> Iterable[tuple[str, Volume, np.ndarray]]:
    """Yield case, image and mask of prepared data, and refuse what `prepare` would not have written."""
    images = {path.name.removesuffix(".nii.gz"): path for path in sorted(data.glob("*.nii.gz"))}
    masks = {path.name.removesuffix(".nii.gz"): path for path in sorted(labels.glob("*.nii.gz"))}
    for case in sorted(images.keys() ^ masks.keys()):
        raise Malformed(f"case {case}: {case}.nii.gz has no {'label' if case in images else 'image'}")
    if not images:
        raise Malformed("the folder of prepared data holds no case")
    for case, path in images.items():
        try:
            image = read_nifti(path)
            axes = "".join(nib.aff2axcodes(nib.load(path).affine))
            if axes != "RAS":
                raise Malformed(f"{path.name} has axes to {axes} in place of RAS")
            whole = Volume(path.name, check_hounsfield(image), image.affine)
            mask = check_label(read_nifti(masks[case]), whole, allowed=ONE_ORGAN, pancreas=PANCREAS_ALONE)
        except Malformed as error:
            raise Malformed(f"case {case}: {error}") from error
        yield case, whole, mask


def sanity_check(args: argparse.Namespace) -> None:
    """Refuse prepared data on which no model should be judged: faulty cases, cases that wait, no pancreas at all."""
    if waiting := Report(args.report).refused:
        raise Malformed("\n".join(waiting))
    cases = [(case, bool(mask.any())) for case, _, mask in iter_prepared(args.data, args.labels)]
    if not any(present for _, present in cases):
        raise Malformed("no case has a pancreas, so there is nothing to find")
    print(f"{len(cases)} cases are in order")


def statistics(args: argparse.Namespace) -> None:
    """Write the number of cases and a few aggregates as YAML."""
    sizes, millilitres = [], []
    for _, image, mask in iter_prepared(args.data, args.labels):
        size = np.linalg.norm(image.affine[:3, :3], axis=0)
        sizes.append([*size, image.voxels.shape[2]])
        millilitres.append(float(mask.sum() * size.prod() / 1000))
    whole = [volume for volume in millilitres if volume > 0]
    pixel, _, thickness, count = np.mean(sizes, axis=0)
    found = {
        "num_cases": len(sizes),
        "num_without_pancreas": len(sizes) - len(whole),
        "pixel_spacing_mm_mean": round(float(pixel), 2),
        "slice_distance_mm_mean": round(float(thickness), 2),
        "slices_mean": round(float(count), 1),
        "pancreas_ml_mean": round(float(np.mean(whole)), 0) if whole else 0.0,
    }
    args.out_statistics.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    print(f"statistics of {len(sizes)} cases written")


TASKS = {"prepare": prepare, "sanity_check": sanity_check, "statistics": statistics}


def main() -> None:
    """Run one task on the container's mounts, or on the folders that were given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--report", type=Path, default=Path("/output/report/report.yaml"))
    parser.add_argument("--out-data", type=Path, default=Path("/output/data"))
    parser.add_argument("--out-labels", type=Path, default=Path("/output/labels"))
    parser.add_argument("--out-metadata", type=Path, default=Path("/output/metadata"))
    parser.add_argument("--out-statistics", type=Path, default=Path("/output/statistics.yaml"))
    args = parser.parse_args()
    try:
        TASKS[args.task](args)
    except Malformed as error:
        sys.exit("\n".join(f"refused: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
