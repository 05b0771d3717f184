"""Turn scans in the naming of BraTS into the benchmark's form, check them, and count them.

Raw: a folder a patient, `<ID>/<ID>_t1.nii.gz`, `_t1ce`, `_t2`, `_flair` and `_seg` (BraTS until 2021) or
`<ID>/<ID>-t1n.nii.gz`, `-t1c`, `-t2w`, `-t2f` and `-seg` (since 2023); `.nii` as well. Labels are 1 necrosis, 2 oedema,
and 4 or 3 enhancing tumour.
Prepared: `<ID>/<ID>_t1.nii.gz` … and `<ID>_seg.nii.gz` with 1, 2 and 4, on the grid of the scans. Of the raw headers
the grid alone is kept. No scan is moved, turned or resampled: what is not on one grid is refused.

Every patient is looked at, and every fault is said in a sentence that names patient and file. The report says how each
stands. Whoever mends the files and starts again has the mended patients prepared; the others stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import math
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

SEQUENCES = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"}
SEGMENTATION = "seg"
NAMES = SEQUENCES | {SEGMENTATION: SEGMENTATION}
ORIENTATION = ("L", "P", "S")
LABELS = (0, 1, 2, 4)
ENHANCING, ENHANCING_2023 = 4, 3
NEAR = 1e-3  # mm: two grids closer than this are one
FOUND, DONE, REFUSED = (0, "FOUND"), (1, "DONE"), (-1, "REFUSED")
SOURCES = "sources.csv"
MOST_VOXELS = 2**29  # a header that claims more is broken, and reading it would fill the memory
UNREADABLE = (
    OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError
)  # fmt: skip


class Malformed(Exception):
    """A patient's files are not what was agreed; one sentence for each fault."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class Scan:
    """One volume: the file's name, voxels, and the affine from voxels to mm."""

    name: str
    voxels: np.ndarray
    affine: np.ndarray


def find_file(case: str, part: str, folder: Path) -> Path:
    """Return the file of one sequence, or of the segmentation, in either naming."""
    stems = (f"{case}_{part}", f"{case}-{NAMES[part]}")
    found = [path for stem in stems for ending in (".nii.gz", ".nii") if (path := folder / f"{stem}{ending}").is_file()]
    if not found:
        raise Malformed(f"case {case}: {stems[0]}.nii.gz (or {stems[1]}.nii.gz) is missing")
    if len(found) > 1:
        raise Malformed(
            f"case {case}: {found[0].name} and {found[1].name} are both there; it is not clear which counts"
        )
    return found[0]


def find_files(case: str, data: Path, labels: Path) -> dict[str, Path]:
    """Return a patient's five files by part; every missing one is named."""
    found, faults = {}, []
    for part in NAMES:
        try:
            found[part] = find_file(case, part, (labels if part == SEGMENTATION else data) / case)
        except Malformed as fault:
            faults += fault.sentences
    if faults:
        raise Malformed(*faults)
    return found


def read_scan(case: str, path: Path) -> Scan:
    """Read a volume of three dimensions whose voxels are finite numbers."""
    where = f"case {case}: {path.name}"
    try:
        image = nib.load(path)
        if math.prod(image.shape) > MOST_VOXELS:
            raise Malformed(f"{where} says that it has {'x'.join(map(str, image.shape))} voxels, more than any scan")
        voxels, affine = np.asanyarray(image.dataobj), image.affine
    except UNREADABLE as error:
        raise Malformed(f"{where} cannot be read as NIfTI ({type(error).__name__})") from error
    if voxels.ndim != 3:
        raise Malformed(f"{where} has {voxels.ndim} dimensions, not 3")
    if voxels.dtype.kind not in "iuf":
        raise Malformed(f"{where} holds no plain numbers but {voxels.dtype}")
    if not np.isfinite(voxels).all():
        raise Malformed(f"{where} holds values that are no finite numbers")
    if not np.isfinite(affine).all():
        raise Malformed(f"{where} does not say where it lies in space: its affine holds no finite numbers")
    return Scan(path.name, voxels, affine)


def check_orientation(case: str, scan: Scan) -> None:
    """Refuse a volume whose axes are not those that were agreed."""
    axes = nib.aff2axcodes(scan.affine)
    where = f"case {case}: {scan.name}"
    if axes != ORIENTATION:
        found = "".join(axis or "?" for axis in axes)
        raise Malformed(f"{where} is oriented {found}, not {''.join(ORIENTATION)} as was agreed")
    if np.abs(scan.affine[:3, :3] - np.diag(np.diag(scan.affine[:3, :3]))).max() > NEAR:
        raise Malformed(f"{where} lies oblique in space, not along the axes as was agreed")


def check_grid(case: str, scan: Scan, first: Scan) -> None:
    """Refuse a volume that is not on the grid of the first one."""
    where = f"case {case}: {scan.name}"
    if scan.voxels.shape != first.voxels.shape:
        shapes = ["x".join(map(str, one.voxels.shape)) for one in (scan, first)]
        raise Malformed(f"{where} has {shapes[0]} voxels, but {first.name} has {shapes[1]}")
    if not np.allclose(scan.affine, first.affine, rtol=0, atol=NEAR):
        raise Malformed(f"{where} lies elsewhere in space than {first.name}: their affines differ")


def check_signal(case: str, scan: Scan) -> None:
    """Refuse a sequence that shows nothing."""
    if scan.voxels.min() == scan.voxels.max():
        raise Malformed(f"case {case}: {scan.name} has the same value everywhere")


def agreed_labels(case: str, scan: Scan) -> np.ndarray:
    """Return the segmentation as 0, 1, 2 and 4."""
    where = f"case {case}: {scan.name}"
    found = np.unique(scan.voxels)
    outside = [value for value in found.tolist() if value not in {*LABELS, ENHANCING_2023}]
    if outside:
        said = ", ".join(f"{value:g}" for value in outside[:5])
        raise Malformed(f"{where} has the label {said}, which is none of 0, 1, 2 and 4 (or 3)")
    if {ENHANCING, ENHANCING_2023} <= set(found.tolist()):
        raise Malformed(f"{where} has both 3 and 4, so it is not clear which is enhancing tumour")
    if found.tolist() == [0]:
        raise Malformed(f"{where} marks no tumour at all")
    labels = scan.voxels.astype(np.uint8)
    labels[labels == ENHANCING_2023] = ENHANCING
    return labels


def read_case(case: str, files: dict[str, Path]) -> tuple[dict[str, Scan], np.ndarray]:
    """Return a patient's sequences and agreed labels; Malformed with every fault that was found."""
    scans: dict[str, Scan] = {}
    faults: list[str] = []
    labels = np.zeros(0, np.uint8)
    for part, path in files.items():
        try:
            scan = read_scan(case, path)
            check_orientation(case, scan)
            check_grid(case, scan, next(iter(scans.values()), scan))
            scans[part] = scan
            if part == SEGMENTATION:
                labels = agreed_labels(case, scan)
            else:
                check_signal(case, scan)
        except Malformed as fault:
            faults += fault.sentences
    if faults:
        raise Malformed(*faults)
    return {part: scans[part] for part in SEQUENCES}, labels


def plain_type(voxels: np.ndarray) -> np.ndarray:
    """Return whole numbers as they are where they fit into 16 bits, everything else as 32-bit floats."""
    most = np.iinfo(np.int16)
    fits = voxels.dtype.kind in "iu" and most.min <= voxels.min() and voxels.max() <= most.max
    return voxels.astype(np.int16 if fits else np.float32)


def unfinished(path: Path) -> Path:
    """Return the name under which a file is written before it gets its own."""
    return path.with_name(f".{path.name}.part")


def write_scan(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume with a header that says nothing but the grid; a file is there whole or not at all."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished(path).write_bytes(gzip.compress(image.to_bytes(), compresslevel=3, mtime=0))
    unfinished(path).replace(path)


def prepared_files(case: str, data: Path, labels: Path) -> dict[str, Path]:
    """Return where a patient's prepared files lie."""
    return {part: data / case / f"{case}_{part}.nii.gz" for part in SEQUENCES} | {
        SEGMENTATION: labels / f"{case}_{SEGMENTATION}.nii.gz"
    }


def remove_prepared(case: str, data: Path, labels: Path) -> None:
    """Take away what was prepared of a patient."""
    for path in prepared_files(case, data, labels).values():
        path.unlink(missing_ok=True)
        unfinished(path).unlink(missing_ok=True)
    if (data / case).is_dir():
        (data / case).rmdir()


def fingerprint(case: str, files: dict[str, Path]) -> str:
    """Return a digest of a patient's raw files: names and content."""
    digest = hashlib.sha256()
    for part, path in files.items():
        try:
            with path.open("rb") as file:
                digest.update(f"{part} {path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        except OSError as error:
            raise Malformed(f"case {case}: {path.name} cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def read_sources(path: Path) -> dict[str, str]:
    """Return the fingerprints of patients that an earlier start has prepared."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return dict(row for row in csv.reader(file) if len(row) == 2)


def write_sources(path: Path, sources: dict[str, str]) -> None:
    """Write the fingerprints of what is prepared; whole or not at all."""
    with unfinished(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(sources.items()))
    unfinished(path).replace(path)


@dataclass
class Report:
    """The table that the data owner sees while preparation goes on: how each patient stands."""

    path: Path
    rows: dict[str, tuple[tuple[int, str], str]]

    def note(self, case: str, status: tuple[int, str], comment: str = "") -> None:
        """Say how a patient stands, and write the table anew."""
        self.rows[case] = (status, comment)
        columns = {
            "status": {case: status for case, ((status, _), _) in self.rows.items()},
            "status_name": {case: name for case, ((_, name), _) in self.rows.items()},
            "comment": {case: comment for case, (_, comment) in self.rows.items()},
            "data_path": {case: f"/input/data/{case}" for case in self.rows},
        }
        if self.path.parent.is_dir():
            self.path.write_text(yaml.safe_dump(columns, sort_keys=False, width=1000), encoding="utf-8")


def find_cases(data: Path, labels: Path) -> list[str]:
    """Return the patients that have a folder among data or labels; at least one."""
    folders = [path for folder in {data, labels} if folder.is_dir() for path in folder.iterdir() if path.is_dir()]
    cases = {path.name for path in folders if not path.name.startswith(".")}
    if not cases:
        raise Malformed("the folder that was given holds no folder of a patient, such as P001/P001_t1.nii.gz")
    return sorted(cases)


@dataclass(frozen=True, slots=True)
class Places:
    """Where raw data are, and where prepared ones go."""

    data: Path
    labels: Path
    out_data: Path
    out_labels: Path

    def prepare_case(self, case: str, before: str | None) -> str:
        """Prepare one patient unless that was done with the same files, and return the fingerprint of these."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", case):
            raise Malformed(f"case {case!r}: a patient's folder is named by ASCII letters, digits, - and _")
        files = find_files(case, self.data, self.labels)
        now = fingerprint(case, files)
        targets = prepared_files(case, self.out_data, self.out_labels)
        if now != before or not all(path.is_file() for path in targets.values()):
            scans, labels = read_case(case, files)
            remove_prepared(case, self.out_data, self.out_labels)  # nothing old may stand beside what is new
            for part, scan in scans.items():
                write_scan(targets[part], plain_type(scan.voxels), scan.affine)
            write_scan(targets[SEGMENTATION], labels, scans["t1"].affine)
        return now


def prepare(places: Places, metadata: Path, report: Report) -> None:
    """Prepare every patient; Malformed with the sentences of all that are not in order."""
    before = read_sources(metadata / SOURCES)
    cases = find_cases(places.data, places.labels)
    for case in before.keys() - set(cases):
        remove_prepared(case, places.out_data, places.out_labels)
    report.rows = dict.fromkeys(cases, (FOUND, ""))
    sources = {case: kept for case, kept in before.items() if case in cases}
    faults: list[str] = []
    for case in cases:
        try:
            sources[case] = places.prepare_case(case, before.get(case))
            report.note(case, DONE)
        except Malformed as fault:
            sources.pop(case, None)
            remove_prepared(case, places.out_data, places.out_labels)
            faults += fault.sentences
            report.note(case, REFUSED, str(fault))
        write_sources(metadata / SOURCES, sources)
    kept = sum(sources.get(case) == before.get(case, "") for case in cases)
    print(f"{len(sources)} of {len(cases)} cases are prepared, {kept} of them before this start")
    if faults:
        raise Malformed(*faults)


def prepared_cases(data: Path, labels: Path) -> dict[str, np.ndarray]:
    """Return each prepared patient's labels; Malformed when something is not as `prepare` writes it."""
    cases = find_cases(data, data)
    stray = {path.name for path in labels.iterdir()} - {f"{case}_{SEGMENTATION}.nii.gz" for case in cases}
    faults = [f"{name}: this segmentation belongs to no patient" for name in sorted(stray)]
    found = {}
    for case in cases:
        try:
            files = prepared_files(case, data, labels)
            missing = [path.name for path in files.values() if not path.is_file()]
            if missing:
                raise Malformed(*(f"case {case}: {name} is missing" for name in missing))
            found[case] = read_case(case, files)[1]
        except Malformed as fault:
            faults += fault.sentences
    if faults:
        raise Malformed(*faults)
    return found


def statistics(data: Path, labels: Path, out: Path) -> None:
    """Write the number of patients and two medians over them as YAML."""
    found = prepared_cases(data, labels)
    content = {
        "num_cases": len(found),
        "median_tumour_voxels": int(np.median([(marked > 0).sum() for marked in found.values()])),
        "median_enhancing_voxels": int(np.median([(marked == ENHANCING).sum() for marked in found.values()])),
    }
    out.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    print(f"statistics of {len(found)} cases written")


def main() -> None:
    """Run one task on the container's mounts, or on the folders that were given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["prepare", "sanity_check", "statistics"])
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--out-data", type=Path, default=Path("/output/data"))
    parser.add_argument("--out-labels", type=Path, default=Path("/output/labels"))
    parser.add_argument("--out-metadata", type=Path, default=Path("/output/metadata"))
    parser.add_argument("--report", type=Path, default=Path("/output/report/report.yaml"))
    parser.add_argument("--out-statistics", type=Path, default=Path("/output/statistics.yaml"))
    args = parser.parse_args()
    try:
        if args.task == "prepare":
            places = Places(args.data, args.labels, args.out_data, args.out_labels)
            prepare(places, args.out_metadata, Report(args.report, {}))
        elif args.task == "sanity_check":
            print(f"{len(prepared_cases(args.data, args.labels))} cases are in order")
        else:
            statistics(args.data, args.labels, args.out_statistics)
    except Malformed as fault:
        sys.exit("\n".join(f"refused: {sentence}" for sentence in fault.sentences))


if __name__ == "__main__":
    main()
