"""Draw synthetic chest radiographs as four sites would export them: CheXpert's table and folders. Nobody's data.

    python make_data.py --out raw              # raw/<site>/data/CheXpert-v1.0/…, and raw/demo_data.tar.gz
    python make_data.py --out raw --reduced    # two sites with few cases, as the tests play it
    python make_data.py --development dev      # other drawings, on which the models are trained

Rules kept here:
- Deterministic: every choice follows SHA-256 of a name; the same libraries write the same bytes.
- Each finding is drawn, with a strength from hardly visible to plain: a wide heart, fluid that fills the angle of a
  lung, a patch, haze on both sides, a plate, a strip of free air, and so on. Labels say what was drawn.
- Sites differ in how often a finding occurs, and in device: contrast, noise, blur, size, format. cloud-mumbai
  exports DICOM (MONOCHROME1, 12 bits, with a window). cloud-sydney has no consolidation at all: one class only.
- Tables differ as they do: some leave negatives blank, some mark what is uncertain by -1.0; lateral views occur.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from scipy.ndimage import gaussian_filter

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
HEADER = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS)
OPACITIES = ("Lung Lesion", "Edema", "Consolidation", "Pneumonia", "Atelectasis")
JUDGED = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
FIRST_PATIENT = 64541  # CheXpert's validation set begins here
EPOCH = 1_500_000_000  # a fixed time for every entry of the archive
USUAL = {
    "Enlarged Cardiomediastinum": 0.1,
    "Cardiomegaly": 0.33,
    "Lung Lesion": 0.08,
    "Edema": 0.21,
    "Consolidation": 0.17,
    "Pneumonia": 0.08,
    "Atelectasis": 0.37,
    "Pneumothorax": 0.08,
    "Pleural Effusion": 0.32,
    "Pleural Other": 0.05,
    "Fracture": 0.05,
    "Support Devices": 0.4,
}
Floats = NDArray[np.float64]
Drawn = Mapping[str, float]  # strength of each finding that is there, above 0 and up to 1


@dataclass(frozen=True)
class Device:
    """How a machine turns a chest into grey values: size in pixels, gamma, contrast, noise (sd), blur (pixels)."""

    height: int = 96
    width: int = 96
    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.02
    blur: float = 0.6
    suffix: str = "jpg"
    bits: int = 8


@dataclass(frozen=True)
class Site:
    """A site: how many cases it has (reduced: 0 leaves it out), its device, how often findings occur, its table."""

    name: str
    cases: int
    reduced: int
    device: Device
    prevalence: Mapping[str, float] = field(default_factory=lambda: USUAL)
    laterals: int = 0  # one lateral view for every so many patients
    blank_negatives: bool = False
    uncertain: int = 0  # how many of the faintest judged findings are marked -1.0

    def with_cases(self, *, reduced: bool) -> int:
        """Return how many cases are drawn."""
        return self.reduced if reduced else self.cases


SITES = (
    Site("cloud-oregon", 26, 0, Device(), laterals=6),
    Site(
        "cloud-frankfurt",
        25,
        0,
        Device(height=104, width=88, gamma=0.85, noise=0.012, blur=0.4, suffix="png", bits=16),
        prevalence={name: share * 0.75 for name, share in USUAL.items()},
        blank_negatives=True,
    ),
    Site(
        "cloud-mumbai",
        25,
        8,
        Device(height=88, width=80, gamma=1.35, contrast=0.8, noise=0.035, blur=1.0, suffix="dcm", bits=12),
        prevalence={name: min(0.5, share * 1.3) for name, share in USUAL.items()},
    ),
    Site(
        "cloud-sydney",
        25,
        8,
        Device(height=96, width=96, gamma=1.1, contrast=0.9, noise=0.025, suffix="png"),
        prevalence={name: share * 0.8 for name, share in USUAL.items()} | {"Consolidation": 0.0},
        uncertain=2,
    ),
)
DEVELOPMENT = (
    Site("development-a", 220, 40, Device()),
    Site("development-b", 220, 40, Device(height=104, width=92, gamma=0.95, noise=0.015, suffix="png")),
)


def draw_from(*names: object) -> np.random.Generator:
    """Return a stream of random numbers that depends on nothing but the names."""
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def plan_findings(site: Site, cases: int) -> list[dict[str, float]]:
    """Choose the findings of each case and their strengths: so many of each as its share of the cases, at least one."""
    found: list[dict[str, float]] = [{} for _ in range(cases)]
    for name, share in site.prevalence.items():
        stream = draw_from(site.name, cases, name)
        positives = max(1, round(share * cases)) if share else 0
        for case in stream.permutation(cases)[:positives]:
            found[case][name] = float(stream.uniform(0.1, 1.0))
    for case in found:
        if "Cardiomegaly" in case:  # a heart that is too wide widens the mediastinum's silhouette
            case.setdefault("Enlarged Cardiomediastinum", case["Cardiomegaly"] / 2)
    return found


def labels_of(drawn: Drawn) -> dict[str, str]:
    """Return CheXpert's fourteen labels of what was drawn, 1.0 or 0.0."""
    positive = set(drawn) | ({"Lung Opacity"} if set(drawn) & set(OPACITIES) else set())
    if not positive - {"Support Devices"}:
        positive.add("No Finding")
    return {name: "1.0" if name in positive else "0.0" for name in FINDINGS}


def ellipse(x: Floats, y: Floats, *, at: tuple[float, float], radii: tuple[float, float], edge: float) -> Floats:
    """Return 1 inside an ellipse and 0 outside, with a soft edge."""
    distance = np.hypot((x - at[0]) / radii[0], (y - at[1]) / radii[1])
    return np.asarray(1 / (1 + np.exp((distance - 1) / edge)))


def blob(x: Floats, y: Floats, *, at: tuple[float, float], size: tuple[float, float]) -> Floats:
    """Return a bell of height 1."""
    return np.asarray(np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2))


def draw_frontal(drawn: Drawn, stream: np.random.Generator, height: int, width: int) -> Floats:
    """Draw a frontal chest, (height, width), about 0 (air) to 1 (bone); x runs from -1 to 1 to the right, y down."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    x, y = x + stream.normal(0, 0.03), y + stream.normal(0, 0.03)  # nobody stands in the middle
    x = x * stream.uniform(0.94, 1.06)
    body = ellipse(x, y, at=(0, 0.25), radii=(0.95, 1.25), edge=0.04)
    lungs = [ellipse(x, y, at=(side * 0.43, -0.05), radii=(0.33, 0.68), edge=0.06) for side in (-1, 1)]
    height_of_domes = stream.normal(0.5, 0.045)  # nobody breathes in the same way
    domes = [1 / (1 + np.exp((y - height_of_domes - 0.9 * (x - side * 0.43) ** 2) / 0.03)) for side in (-1, 1)]
    lungs = [lung * dome for lung, dome in zip(lungs, domes, strict=True)]
    air = np.clip(lungs[0] + lungs[1], 0, 1)
    picture = 0.55 * body - stream.normal(0.37, 0.025) * air
    picture += 0.16 * ellipse(x, y, at=(0, 0), radii=(0.13, 1.4), edge=0.15)  # spine and mediastinum
    ribs = np.sin(17.6 * y + 22 * (np.abs(x) - 0.4) ** 2 + 6.6 * np.abs(x) + stream.uniform(0, 2 * np.pi))
    picture += 0.05 * np.clip(ribs - 0.3, 0, 1) * body * (np.abs(x) > 0.12)
    wide = 1 + 0.4 * drawn.get("Cardiomegaly", 0.0)
    heart = ellipse(
        x, y, at=(0.06 + 0.06 * wide, 0.3), radii=(stream.normal(0.27, 0.025) * wide, 0.3 * wide**0.4), edge=0.07
    )
    picture += 0.3 * heart * (0.35 + air)
    for side in (-1, 1):  # soft shadows that mean nothing: breasts, muscles, folds of the skin
        at = (side * stream.uniform(0.3, 0.6), stream.uniform(-0.4, 0.5))
        picture += stream.uniform(0, 0.09) * blob(x, y, at=at, size=(0.22, 0.22))
    if strength := drawn.get("Enlarged Cardiomediastinum", 0.0):
        picture += 0.2 * ellipse(x, y, at=(0, -0.35), radii=(0.16 + 0.14 * strength, 0.35), edge=0.12)
    for name, add in _DRAWERS.items():
        if strength := drawn.get(name, 0.0):
            picture = picture + add(x, y, lungs, strength, stream)
    return np.asarray(picture)


def _consolidation(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    side = int(stream.integers(2))
    at = (0.43 * (2 * side - 1) + stream.normal(0, 0.06), stream.uniform(-0.3, 0.25))
    return np.asarray((0.05 + 0.17 * strength) * blob(x, y, at=at, size=(0.2, 0.22)) * lungs[side])


def _pneumonia(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    return np.asarray(0.6 * _consolidation(x, y, lungs, strength, stream))


def _edema(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    haze = sum(blob(x, y, at=(side * 0.28, -0.02), size=(0.28, 0.42)) for side in (-1, 1))
    clouds = gaussian_filter(stream.normal(0, 1, x.shape), 4) * 2
    return np.asarray((0.02 + 0.1 * strength) * haze * (1 + 0.3 * clouds) * (lungs[0] + lungs[1]))


def _atelectasis(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    side = int(stream.integers(2))
    slope = stream.uniform(-0.25, 0.25)
    plate = np.exp(-(((y - 0.33 - slope * (np.abs(x) - 0.43)) / 0.045) ** 2))
    return np.asarray((0.03 + 0.12 * strength) * plate * lungs[side])


def _effusion(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    sides = (0, 1) if stream.random() < 0.4 else (int(stream.integers(2)),)
    level = 0.5 - 0.3 * strength
    filled = sum(
        lungs[side] / (1 + np.exp(-(y - level + 0.55 * (np.abs(x) - 0.43)) / 0.04)) for side in sides
    )  # a meniscus: the fluid stands higher at the outer wall
    return np.asarray(0.3 * filled)


def _pneumothorax(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    side = int(stream.integers(2))
    outer = np.clip((np.abs(x) - 0.52 + 0.2 * strength) / 0.1, 0, 1) * (y < 0.1)
    return np.asarray(-0.12 * strength * outer * lungs[side])


def _lesion(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    side = int(stream.integers(2))
    at = (0.43 * (2 * side - 1) + stream.normal(0, 0.08), stream.uniform(-0.45, 0.15))
    return np.asarray(0.3 * strength * ellipse(x, y, at=at, radii=(0.07, 0.07), edge=0.2) * lungs[side])


def _pleural(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    del y
    side = int(stream.integers(2))
    rim = lungs[side] * (1 - lungs[side]) * 4 * (np.abs(x) > 0.5)
    return np.asarray(0.2 * strength * rim)


def _fracture(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    del lungs
    side = int(stream.integers(2)) * 2 - 1
    return np.asarray(-0.12 * strength * blob(x, y, at=(side * 0.7, stream.uniform(-0.4, 0.2)), size=(0.03, 0.05)))


def _devices(x: Floats, y: Floats, lungs: list[Floats], strength: float, stream: np.random.Generator) -> Floats:
    del lungs
    bend = stream.uniform(0.1, 0.4)
    line = np.exp(-(((x - bend * np.sin(2.2 * (y + 0.9))) / 0.02) ** 2)) * (y < 0.25)
    return np.asarray((0.25 + 0.2 * strength) * line)


_DRAWERS = {
    "Consolidation": _consolidation,
    "Pneumonia": _pneumonia,
    "Edema": _edema,
    "Atelectasis": _atelectasis,
    "Pleural Effusion": _effusion,
    "Pneumothorax": _pneumothorax,
    "Lung Lesion": _lesion,
    "Pleural Other": _pleural,
    "Fracture": _fracture,
    "Support Devices": _devices,
}


def draw_lateral(height: int, width: int) -> Floats:
    """Draw a chest from the side, as far as is needed for a view that is left out."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    body = ellipse(x, y, at=(0, 0.2), radii=(0.7, 1.3), edge=0.04)
    lung = ellipse(x, y, at=(0.05, -0.05), radii=(0.5, 0.65), edge=0.08)
    return np.asarray(0.6 * body - 0.3 * lung + 0.25 * ellipse(x, y, at=(-0.45, 0), radii=(0.1, 1.3), edge=0.2))


def expose(picture: Floats, device: Device, stream: np.random.Generator) -> Floats:
    """Return what a device makes of a chest, 0 to 1; no two exposures are the same."""
    grey = gaussian_filter(picture, device.blur) * device.contrast + stream.normal(0, device.noise, picture.shape)
    return np.asarray(np.clip(0.08 + grey, 0, 1) ** (device.gamma * np.exp(stream.normal(0, 0.08))))


def encode(grey: Floats, device: Device, name: str) -> bytes:
    """Return the bytes of an image file: JPEG, PNG of 8 or 16 bits, or DICOM."""
    if device.suffix == "dcm":
        return encode_dicom(grey, device, name)
    out = io.BytesIO()
    levels = 2**device.bits - 1
    pixels = np.round(grey * levels).astype(np.uint16 if device.bits > 8 else np.uint8)
    options = {"quality": 95} if device.suffix == "jpg" else {"compress_level": 6}
    Image.fromarray(pixels).save(out, "JPEG" if device.suffix == "jpg" else "PNG", **options)
    return out.getvalue()


def encode_dicom(grey: Floats, device: Device, name: str) -> bytes:
    """Return a computed radiograph: MONOCHROME1 (white is 0), 12 of 16 bits, and a window to look through."""
    levels = 2**device.bits - 1
    uid = f"2.25.{int.from_bytes(hashlib.sha256(name.encode()).digest()[:15], 'big')}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = ComputedRadiographyImageStorage, uid
    image.PatientName, image.PatientID = "Synthetic^Drawing", name
    image.Modality, image.BodyPartExamined, image.ViewPosition = "CR", "CHEST", "PA"
    image.Rows, image.Columns = grey.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME1"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.WindowCenter, image.WindowWidth = "2100", "3400"
    image.PixelData = np.round((1 - grey) * levels).astype("<u2").tobytes()
    out = io.BytesIO()
    image.save_as(out, enforce_file_format=True)
    return out.getvalue()


def iter_files(site: Site, cases: int, *, first: int, plan: list[dict[str, float]]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every file of an export, the table last."""
    rows = [list(HEADER)]
    strengths = [(drawn[name], case, name) for case, drawn in enumerate(plan) for name in JUDGED if name in drawn]
    uncertain = sorted(strengths)[: site.uncertain]
    for case, drawn in enumerate(plan):
        stream = draw_from(site.name, cases, "case", case)
        folder = f"CheXpert-v1.0/valid/patient{first + case}/study1"
        sex, age, side = stream.choice(["Female", "Male"]), int(stream.integers(22, 90)), stream.choice(["AP", "PA"])
        labels = labels_of(drawn)
        labels |= {name: "-1.0" for _, other, name in uncertain if other == case}
        if site.blank_negatives:
            labels = {name: "" if label == "0.0" else label for name, label in labels.items()}
        device = site.device
        picture = draw_frontal(drawn, stream, device.height, device.width)
        path = f"{folder}/view1_frontal.{device.suffix}"
        yield path, encode(expose(picture, device, stream), device, f"patient{first + case}")
        rows.append([path, str(sex), str(age), "Frontal", str(side), *labels.values()])
        if site.laterals and case % site.laterals == 0:
            path = f"{folder}/view2_lateral.{device.suffix}"
            side_view = expose(draw_lateral(device.height, device.width), device, stream)
            yield path, encode(side_view, device, f"patient{first + case} lateral")
            rows.append([path, str(sex), str(age), "Lateral", "", *labels.values()])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    yield "CheXpert-v1.0/valid.csv", text.getvalue().encode()


def iter_demo() -> Iterator[tuple[str, bytes]]:
    """Yield the benchmark's demo data: three cases, in which each finding that is judged occurs and is absent."""
    plan: list[dict[str, float]] = [
        {},
        {"Cardiomegaly": 0.8, "Pleural Effusion": 0.8, "Edema": 0.8},
        {"Atelectasis": 0.8, "Consolidation": 0.8, "Support Devices": 0.5},
    ]
    yield from iter_files(replace(SITES[0], name="demo", laterals=2), 3, first=1, plan=plan)
    yield "paths.yaml", b"data_path: .\nlabels_path: .\n"


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz whose bytes depend on nothing but the files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    # Level 0 stores: what deflate makes of the bytes differs between versions of zlib.
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=0, mtime=EPOCH) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()


def write_site(site: Site, folder: Path, *, first: int, reduced: bool) -> int:
    """Write one export and return how many cases it has."""
    cases = site.with_cases(reduced=reduced)
    for name, content in iter_files(site, cases, first=first, plan=plan_findings(site, cases)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return cases


def main() -> None:
    """Write what was asked for, and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for the four sites and the demo data")
    parser.add_argument("--development", type=Path, help="folder for the drawings that models are trained on")
    parser.add_argument("--reduced", action="store_true", help="few cases")
    args = parser.parse_args()
    if not args.out and not args.development:
        parser.error("say where to write: --out or --development")
    first = FIRST_PATIENT
    for site in SITES if args.out else ():
        if site.with_cases(reduced=args.reduced):
            cases = write_site(site, args.out / site.name / "data", first=first, reduced=args.reduced)
            print(f"{site.name}: {cases} synthetic cases")
        first += site.cases
    if args.out:
        (args.out / "demo_data.tar.gz").write_bytes(pack(dict(iter_demo())))
    for number, site in enumerate(DEVELOPMENT if args.development else ()):
        cases = write_site(site, args.development / site.name, first=10_000 + 1000 * number, reduced=args.reduced)
        print(f"{site.name}: {cases} synthetic cases")


if __name__ == "__main__":
    main()
