"""Turn an export in CheXpert's form into one form: square 8-bit PNG files and labels of 0, 1 or nothing.

Raw: valid.csv (Path, Sex, Age, Frontal/Lateral, AP/PA and fourteen findings of 1.0, 0.0, -1.0 or blank) and the images
it names: JPEG, PNG or DICOM radiographs, grey, 8 to 16 bits. Prepared: cases.csv and images/<case>.png, labels.csv.

Rules kept here:
- A case is a frontal image; lateral views are left out, and a study that has nothing else is refused.
- What a blank or an uncertain (-1.0) label means is declared in the parameters, never guessed.
- DICOM: rescaling and the first window (or lookup table) are applied, and MONOCHROME1 is turned round. Every image is
  stretched from its own darkest to its own brightest value, filled up to a square and made smaller.
- Everything that is wrong is named at once, one sentence each with case and file, and stands in the report. What was
  prepared stays: after a person has mended the export the same command goes on with the others.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import struct
import sys
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import yaml
from PIL import Image, ImageOps
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_modality_lut, apply_voi_lut

FINDINGS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
PATH = re.compile(r"(?:[\w.-]+/)*(patient\d+)/(study\d+)/(view\d+)_(frontal|lateral)\.(jpe?g|png|dcm)", re.ASCII)
CASE = re.compile(r"patient\d+-study\d+-view\d+", re.ASCII)
LABELS = {"1": "1", "1.0": "1", "0": "0", "0.0": "0", "-1": "uncertain", "-1.0": "uncertain", "": "blank"}
MEANINGS = {"positive": "1", "negative": "0", "left-out": ""}
RADIOGRAPHS = ("CR", "DX", "RG")
BROKEN_DICOM = (
    InvalidDicomError, BytesLengthException, OSError, ValueError, TypeError, AttributeError, KeyError, EOFError,
    NotImplementedError, OverflowError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
REFUSED, DONE = (-1, "REFUSED"), (2, "DONE")


class Malformed(Exception):
    """The input is not what was agreed; the message names case and file."""


@dataclass(frozen=True)
class Rules:
    """What the committee declared: edge of a prepared image in pixels, and the meaning of two kinds of label."""

    size: int
    blank: Mapping[str, str]
    uncertain: Mapping[str, str]

    def label(self, finding: str, cell: str) -> str | None:
        """Return 1, 0 or nothing for a cell of the table; None for a cell that is no label."""
        kind = LABELS.get(cell.strip())
        if kind in {"blank", "uncertain"}:
            meanings = self.blank if kind == "blank" else self.uncertain
            return MEANINGS[meanings.get(finding, meanings["default"])]
        return kind


@dataclass(frozen=True)
class Row:
    """One line of the table: its number, its path as written, the case, and its labels by finding."""

    number: int
    path: str
    case: str
    study: str
    frontal: bool
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A case or row that cannot be taken, and the sentence that says why."""

    case: str
    sentence: str
    path: str = ""


Made = tuple[dict[str, str], list[Refusal]]  # by case what its image was made from, and what was refused


def read_rules(path: Path) -> Rules:
    """Read the parameters; there are no defaults, since each of them changes numbers."""
    told = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    told = told if isinstance(told, dict) else {}
    size = told.get("size")
    if not isinstance(size, int) or not 16 <= size <= 1024:
        raise Malformed(f"{path.name}: it must say `size:` with a whole number from 16 to 1024")
    for name in ("blank", "uncertain"):
        meanings = told.get(name)
        if not isinstance(meanings, dict) or "default" not in meanings:
            raise Malformed(f"{path.name}: `{name}:` must say what such a label means, at least for `default`")
        for finding, meaning in meanings.items():
            if finding not in {"default", *FINDINGS} or meaning not in MEANINGS:
                raise Malformed(f"{path.name}: `{name}:` says {finding}: {meaning}, and knows {', '.join(MEANINGS)}")
    return Rules(size, told["blank"], told["uncertain"])


def find_table(folder: Path) -> Path:
    """Return valid.csv in the folder that was given, or in the CheXpert folder below it."""
    found = [
        path for path in (folder / "valid.csv", *sorted(folder.glob("CheXpert-v1.0*/valid.csv"))) if path.is_file()
    ]
    if len(found) != 1:
        raise Malformed(f"valid.csv: {len(found)} such files in the folder that was given, and one is needed")
    return found[0]


def read_lines(path: Path, header: list[str]) -> list[list[str]]:
    """Return the rows of a table below a header that must be exactly this one."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"{path.name}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise Malformed(f"{path.name}: cannot be read ({error.strerror})") from error
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise Malformed(f"{path.name}: cannot be read as a table ({error})") from error
    found = [cell.strip() for cell in rows[0]] if rows else []
    if found != header:
        missing = [name for name in header if name not in found]
        unknown = [name for name in found if name not in header]
        what = f"no column {missing[0]!r}" if missing else f"column {unknown[0]!r} is not known" if unknown else ""
        raise Malformed(f"{path.name}, row 1: {what or 'the columns stand in another order'}")
    if len(rows) < 2:
        raise Malformed(f"{path.name}: holds no cases")
    return rows[1:]


def parse_row(number: int, cells: list[str], rules: Rules) -> Row | Refusal:
    """Return what a line of valid.csv says, or why it says nothing."""
    path = cells[0].strip()
    where = f"valid.csv, row {number}"
    if len(cells) != len(HEADER):
        return Refusal(f"row {number}", f"{where}: {len(cells)} cells, but the header has {len(HEADER)}", path)
    match = PATH.fullmatch(path)
    if match is None or ".." in path.split("/"):
        pattern = "patient…/study…/view…_frontal.jpg (or .png, .dcm)"
        return Refusal(f"row {number}", f"{where}: the path {path!r} does not end in {pattern}", path)
    study, case = f"{match[1]}-{match[2]}", f"{match[1]}-{match[2]}-{match[3]}"
    view = cells[HEADER.index("Frontal/Lateral")].strip()
    if view.lower() != match[4]:
        return Refusal(case, f"case {case}, {where}: the view is {view!r}, but the file's name says {match[4]}", path)
    labels = []
    for finding, cell in zip(FINDINGS, cells[-len(FINDINGS) :], strict=True):
        label = rules.label(finding, cell)
        if label is None:
            sentence = f"case {case}, {where}: {finding} is {cell!r}, which is none of 1.0, 0.0, -1.0 and blank"
            return Refusal(case, sentence, path)
        labels.append(label)
    return Row(number, path, case, study, match[4] == "frontal", tuple(labels))


def read_table(folder: Path, rules: Rules) -> tuple[list[Row], list[Refusal]]:
    """Return the frontal images of the table in the order of their cases, and all that is wrong with its rows."""
    rows: dict[str, Row] = {}
    refused: list[Refusal] = []
    for number, cells in enumerate(read_lines(find_table(folder), HEADER), start=2):
        row = parse_row(number, cells, rules)
        if isinstance(row, Refusal):
            refused.append(row)
        elif row.case in rows:
            first = rows[row.case].number
            sentence = f"case {row.case}, valid.csv, row {number}: {row.path} stands in row {first} already"
            refused.append(Refusal(f"row {number}", sentence, row.path))
        else:
            rows[row.case] = row
    with_frontal = {row.study for row in rows.values() if row.frontal} | {
        one.case.rpartition("-")[0] for one in refused
    }
    for row in rows.values():
        if row.study not in with_frontal:
            sentence = f"case {row.case}, valid.csv, row {row.number}: study {row.study} has lateral views only"
            refused.append(Refusal(row.case, sentence, row.path))
    return sorted((row for row in rows.values() if row.frontal), key=lambda row: row.case), refused


def find_image(folder: Path, row: Row) -> Path:
    """Return the image that a row names, below the folder that was given or taking that for the path's first folder."""
    for path in (folder / row.path, folder / row.path.partition("/")[2]):
        if path.is_file():
            return path
    raise Malformed(f"case {row.case}: the image {row.path}, named in valid.csv, row {row.number}, is missing")


def read_grey(path: Path) -> np.ndarray[Any, Any]:
    """Return the grey values of an image file, (height, width), larger is brighter; Malformed says what it is not."""
    return read_dicom(path) if path.suffix == ".dcm" else read_picture(path)


def read_picture(path: Path) -> np.ndarray[Any, Any]:
    """Read JPEG or PNG: grey of 8 or 16 bits, or colours that are all the same grey."""
    broken = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with path.open("rb") as file:
                image = Image.open(file, formats=("JPEG", "PNG"))
                image.load()
    except broken as error:
        raise Malformed("cannot be read as JPEG or PNG") from error
    if image.mode in {"L", "I;16"}:
        return np.asarray(image)
    if image.mode == "RGB":
        pixels = np.asarray(image)
        if (pixels == pixels[..., :1]).all():
            return pixels[..., 0]
        raise Malformed("is a colour image, and a radiograph is grey")
    if image.mode == "1":
        raise Malformed("has 1 bit a pixel, and 8 to 16 are needed")
    raise Malformed(f"has pixels of the kind {image.mode!r}, and grey ones of 8 or 16 bits are needed")


def read_dicom(path: Path) -> np.ndarray[Any, Any]:
    """Read one radiograph from DICOM, as it is meant to be looked at."""
    try:
        image = pydicom.dcmread(path)
        kind = str(image.get("Modality", "")), str(image.get("PhotometricInterpretation", ""))
        bits, frames = int(image.get("BitsStored", 0)), int(image.get("NumberOfFrames", 1) or 1)
        stored_as = image.file_meta.get("TransferSyntaxUID", pydicom.uid.UID("")).name
    except BROKEN_DICOM as error:
        raise Malformed("cannot be read as DICOM") from error
    modality, photometric = kind
    if modality not in RADIOGRAPHS:
        raise Malformed(f"has the modality {modality or 'nothing'}, and a radiograph is {', '.join(RADIOGRAPHS)}")
    if photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise Malformed(f"is a colour image ({photometric}), and a radiograph is grey")
    if not 8 <= bits <= 16:
        raise Malformed(f"has {bits} bits a pixel, and 8 to 16 are needed")
    if frames != 1:
        raise Malformed(f"holds {frames} frames, and a radiograph is one")
    try:
        grey = apply_voi_lut(apply_modality_lut(image.pixel_array, image), image)
    except Exception as error:  # its decoders raise whatever they like on broken pixels
        raise Malformed(f"holds no pixels that can be read ({stored_as})") from error
    return grey.max() - grey if photometric == "MONOCHROME1" else grey


def shrink(grey: np.ndarray[Any, Any], size: int) -> Image.Image:
    """Return a square 8-bit picture: stretched from darkest to brightest, filled up with black, made smaller."""
    values = grey.astype(np.float64)
    if not np.isfinite(values).all():
        raise Malformed("holds values that are no finite numbers")
    low, high = values.min(), values.max()
    if low == high:
        raise Malformed("shows nothing: all its pixels have one value")
    stretched = np.round((values - low) * (255 / (high - low))).astype(np.uint8)
    return ImageOps.pad(Image.fromarray(stretched), (size, size), method=Image.Resampling.BOX, color=0)


def read_report(path: Path) -> dict[str, str]:
    """Return, for each case that was done before, what it was made from; nothing where there is no report yet."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except yaml.YAMLError:
        return {}
    if not isinstance(told, dict):
        return {}
    status, made_from = told.get("status") or {}, told.get("made_from") or {}
    return {case: made_from[case] for case in made_from if status.get(case) == DONE[0]}


def write_report(path: Path, done: Mapping[str, str], refused: list[Refusal]) -> None:
    """Write which case is done, and what a person must mend."""
    columns: dict[str, dict[str, Any]] = {name: {} for name in ("status", "status_name", "comment", "made_from")}
    for case, digest in done.items():
        for name, value in zip(columns, (*DONE, "", digest), strict=True):
            columns[name][case] = value
    for refusal in refused:
        for name, value in zip(columns, (*REFUSED, refusal.sentence, ""), strict=True):
            columns[name][refusal.case] = value
    path.write_text(yaml.safe_dump(columns, sort_keys=False, allow_unicode=True), encoding="utf-8")


def fingerprint(source: Path, size: int) -> str:
    """Return a digest of all that decides what a prepared image is."""
    try:
        return hashlib.sha256(b"%d " % size + source.read_bytes()).hexdigest()
    except OSError as error:
        raise Malformed(f"cannot be read ({error.strerror})") from error


def make_images(data: Path, rows: list[Row], rules: Rules, images: Path, before: Mapping[str, str]) -> Made:
    """Prepare every image that is not prepared already from the same bytes; return both halves of the report."""
    images.mkdir(exist_ok=True)
    done: dict[str, str] = {}
    refused: list[Refusal] = []
    for row in rows:
        target = images / f"{row.case}.png"
        try:
            source = find_image(data, row)
            digest = fingerprint(source, rules.size)
            if before.get(row.case) != digest or not target.is_file():
                target.unlink(missing_ok=True)
                shrink(read_grey(source), rules.size).save(target)
            done[row.case] = digest
        except Malformed as error:
            named = str(error).startswith("case ")
            refused.append(Refusal(row.case, str(error) if named else f"case {row.case}: {row.path} {error}", row.path))
    return done, refused


def prepare(args: argparse.Namespace) -> None:
    """Write images, cases.csv and labels.csv; or what is wrong, all of it, into the report and on stderr."""
    rules = read_rules(args.parameters)
    rows, refused = read_table(args.labels, rules)
    images = args.out_data / "images"
    before = read_report(args.report)
    if args.report.is_file():
        args.report.write_bytes(b"")  # whoever is stopped from here on has finished nothing, whatever files come back
    done, more = make_images(args.data, rows, rules, images, before)
    refused = [*refused, *more]
    for path in images.glob("*.png"):
        if path.stem not in done:
            path.unlink()
    if args.report.parent.is_dir():
        write_report(args.report, done, refused)
    cases, labels = args.out_data / "cases.csv", args.out_labels / "labels.csv"
    if refused:
        cases.unlink(missing_ok=True)
        labels.unlink(missing_ok=True)
        lines = "\n".join(f"refused: {refusal.sentence}" for refusal in refused)
        sys.exit(f"{lines}\n{len(done)} cases are prepared and stay; mend the others and repeat the command")
    write_table(cases, ["case", "image"], [[row.case, f"images/{row.case}.png"] for row in rows])
    write_table(labels, ["case", *FINDINGS], [[row.case, *row.labels] for row in rows])
    print(f"{len(rows)} cases prepared")


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a prepared table: commas, LF."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def read_prepared(data: Path, labels: Path, size: int) -> dict[str, list[str]]:
    """Return the labels by case, and refuse what `prepare` would not have written."""
    cases = []
    for number, row in enumerate(read_lines(data / "cases.csv", ["case", "image"]), start=2):
        case, image = row[0], f"images/{row[0]}.png"
        if not CASE.fullmatch(case) or row != [case, image]:
            raise Malformed(f"cases.csv, row {number}: {row} is no prepared case")
        try:
            picture = read_picture(data / image)
        except Malformed as error:
            raise Malformed(f"case {case}: {image} {error}") from error
        if picture.shape != (size, size) or picture.dtype != np.uint8:
            raise Malformed(f"case {case}: {image} is not a grey image of {size} × {size} pixels and 8 bits")
        cases.append(case)
    found: dict[str, list[str]] = {}
    for number, row in enumerate(read_lines(labels / "labels.csv", ["case", *FINDINGS]), start=2):
        if len(row) != 1 + len(FINDINGS) or not {"0", "1", ""}.issuperset(row[1:]):
            raise Malformed(f"labels.csv, row {number}: case {row[0]} has a label that is none of 0, 1 and nothing")
        found[row[0]] = row[1:]
    if cases != list(found) or len(set(cases)) != len(cases):
        raise Malformed("labels.csv: its cases are not those of cases.csv, each once and in the same order")
    return found


def statistics(labels: Mapping[str, list[str]], out: Path) -> None:
    """Write the number of cases, and for each finding how many have it."""
    told: dict[str, Any] = {"num_cases": len(labels)}
    for place, finding in enumerate(FINDINGS):
        name = finding.lower().replace(" ", "_")
        told[f"num_{name}"] = sum(row[place] == "1" for row in labels.values())
    out.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    print(f"statistics of {len(labels)} cases written")


def main() -> None:
    """Run one task on the container's mounts, or on the folders that were given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["prepare", "sanity_check", "statistics"])
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out-data", type=Path, default=Path("/output/data"))
    parser.add_argument("--out-labels", type=Path, default=Path("/output/labels"))
    parser.add_argument("--report", type=Path, default=Path("/output/report.yaml"))
    parser.add_argument("--out-statistics", type=Path, default=Path("/output/statistics.yaml"))
    args = parser.parse_args()
    try:
        if args.task == "prepare":
            prepare(args)
            return
        labels = read_prepared(args.data, args.labels, read_rules(args.parameters).size)
        if args.task == "statistics":
            statistics(labels, args.out_statistics)
        else:
            print(f"{len(labels)} cases are in order")
    except Malformed as error:
        sys.exit(f"refused: {error}")


if __name__ == "__main__":
    main()
