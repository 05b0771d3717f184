"""Make the synthetic abdomens of the pancreas pilot: two sites' raw exports, demo data, and what models are trained on.

Nobody was ever scanned for this. An abdomen is a body of fat and muscle with a spine, vessels, liver, spleen, stomach,
kidneys, bowel and a curved, pancreas-like organ, in Hounsfield units (HU). Right and left are the patient's; world
coordinates are NIfTI's (x to the right, y to the front, z to the head), in mm. Labels are numbered as in the BTCV
data set, where 11 is the pancreas.

    python make_data.py --out data             # every site, and demo_data.tar.gz
    python make_data.py --out data --reduced   # three cases a site

`harvard-chan-like` writes NIfTI as BTCV has it (img0001.nii.gz, label0001.nii.gz, all organs); `dfci-like` writes one
DICOM series a patient as NIH Pancreas-CT has it (PANCREAS_0001/…/*.dcm, label0001.nii.gz, pancreas only).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SHAPE = (72, 56, 32)
SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, OESOPHAGUS, LIVER, STOMACH = range(1, 8)
AORTA, VENA_CAVA, SPLENIC_VEIN, PANCREAS = range(8, 12)
REDUCED = 3
EPOCH = 1_500_000_000  # a fixed time for every entry of the archive, so that its bytes depend on the content alone
WARNING = "SYNTHETIC: made by a program, shows no person"


@dataclass(frozen=True)
class Style:
    """How patients and scanners differ: contrast in organs, noise in HU, size of bodies, spacing in mm."""

    contrast: float = 1.0
    oral_contrast: float = 0.1
    noise: float = 14.0
    body: float = 1.0
    spacing: tuple[float, float, float] = (4.6, 4.6, 6.0)
    mirrored: bool = False
    resected: bool = False


@dataclass(frozen=True)
class Abdomen:
    """One synthetic patient: HU and labels on a grid whose axes are x, y, z, and where it lies; SHAPE each."""

    hu: np.ndarray
    labels: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm."""
        return tuple(float(size) for size in np.abs(np.diag(self.affine))[:3])


HARVARD = Style()
DFCI = Style(contrast=0.85, oral_contrast=0.45, noise=20.0, body=0.94, spacing=(4.4, 4.4, 5.5))
SITES: dict[str, list[Style]] = {
    "harvard-chan-like": [HARVARD] * 8,
    # the second after removal of the pancreas, the third with all organs on the other side, the tenth without contrast
    "dfci-like": [
        DFCI, replace(DFCI, resected=True), replace(DFCI, mirrored=True), *[DFCI] * 6, replace(DFCI, contrast=0.0),
        *[DFCI] * 4,
    ],
}  # fmt: skip
SEEDS = {"harvard-chan-like": 1_000, "dfci-like": 2_000, "demo": 3_000, "development": 4_000}


class Painter:
    """The volume that is being painted: later organs cover earlier ones."""

    def __init__(self, rng: np.random.Generator, style: Style) -> None:
        """Lay out the grid, centred in x and y; `x`, `y` and `z` hold places of voxels in mm, to be broadcast."""
        self.rng, self.style = rng, style
        spacing = np.array(style.spacing) * rng.uniform(0.97, 1.03)
        self.affine = np.diag([*spacing, 1.0])
        self.affine[:3, 3] = [-(SHAPE[0] - 1) / 2 * spacing[0], -(SHAPE[1] - 1) / 2 * spacing[1], rng.uniform(-60, -40)]
        bottom = -SHAPE[2] * spacing[2] / 2 + rng.uniform(-10, 10)  # how far up the scan begins varies
        starts = (self.affine[0, 3], self.affine[1, 3], bottom)
        axes = [np.arange(n) * size + start for n, size, start in zip(SHAPE, spacing, starts, strict=True)]
        self.x, self.y, self.z = np.ix_(*axes)
        self.hu = np.full(SHAPE, -1000.0)
        self.labels = np.zeros(SHAPE, dtype=np.uint8)

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The positions of voxels along each axis."""
        return self.x, self.y, self.z

    def fill(self, where: np.ndarray, hu: float, label: int = 0) -> None:
        """Paint an organ with its own small deviation in HU."""
        self.hu[where] = hu + self.rng.normal(0, 4)
        self.labels[where] = label

    def ellipsoid(self, centre: tuple[float, ...], radii: tuple[float, ...], *, jitter: float = 4.0) -> np.ndarray:
        """Return the voxels of an ellipsoid near `centre`; sizes in mm."""
        moved = np.array(centre) + self.rng.normal(0, jitter, 3)
        scaled = np.array(radii) * self.rng.uniform(0.9, 1.1, 3)
        parts = [((at - middle) / radius) ** 2 for at, middle, radius in zip(self.axes, moved, scaled, strict=True)]
        return parts[0] + parts[1] + parts[2] < 1

    def cylinder(self, centre: tuple[float, float], radius: float) -> np.ndarray:
        """Return the voxels of an upright cylinder; sizes in mm."""
        return np.broadcast_to(np.hypot(self.x - centre[0], self.y - centre[1]) < radius, SHAPE)

    def tube(self, path: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Return the voxels within `radii` of a curve of points (n, 3), in mm."""
        ends = zip(self.axes, path.min(axis=0) - 25, path.max(axis=0) + 25, strict=True)
        box = np.ix_(*(np.flatnonzero((at.ravel() > low) & (at.ravel() < high)) for at, low, high in ends))
        places = np.broadcast_arrays(*(at.ravel()[part] for at, part in zip(self.axes, box, strict=True)))
        distance, index = cKDTree(path).query(np.stack(places, axis=-1))
        inside = np.zeros(SHAPE, dtype=bool)
        inside[box] = distance < radii[index]
        return inside


def curve(points: np.ndarray, count: int = 80) -> np.ndarray:
    """Return `count` points of a smooth curve through control points (n, 3): Catmull-Rom."""
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    steps = np.linspace(0, len(points) - 1 - 1e-9, count)
    start, t = steps.astype(int), (steps % 1)[:, None]
    a, b, c, d = (padded[start + shift] for shift in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def paint_body(painter: Painter) -> None:
    """Paint fat, muscle and spine."""
    rng, size = painter.rng, painter.style.body
    wide, deep, fat = size * rng.uniform(140, 152), size * rng.uniform(98, 108), rng.uniform(10, 20)
    radius = np.broadcast_to(np.hypot(painter.x / wide, painter.y / deep), SHAPE)
    painter.fill(radius < 1, -105)
    painter.fill(radius < 1 - fat / deep, 55)
    painter.fill(radius < 1 - (fat + 11) / deep, -95)
    painter.fill(painter.cylinder((0, -0.62 * deep), 26), 50)
    painter.fill(painter.cylinder((0, -0.60 * deep), 21), 330)
    painter.fill(painter.cylinder((0, -0.60 * deep), 16), 190)


def paint_organs(painter: Painter) -> None:
    """Paint what lies about the pancreas; contrast 1 is the portal venous phase, 0 is no contrast at all."""
    rng, style = painter.rng, painter.style
    for _ in range(16):
        centre = rng.uniform([-80, -10, -85], [80, 70, 10])
        shade = 35 + 190 * style.oral_contrast if rng.random() < style.oral_contrast else rng.uniform(20, 95)
        painter.fill(painter.ellipsoid(tuple(centre), (15, 13, 15)), shade)
    contrast = style.contrast
    painter.fill(painter.ellipsoid((62, 12, 45), (62, 66, 58)), 55 + 55 * contrast, LIVER)
    painter.fill(painter.ellipsoid((38, 38, 2), (14, 16, 18)), 10, GALLBLADDER)
    painter.fill(painter.ellipsoid((-48, 38, 42), (42, 30, 38)), 25 + 150 * style.oral_contrast, STOMACH)
    painter.fill(painter.ellipsoid((-98, -26, 46), (22, 36, 40)), 48 + 72 * contrast, SPLEEN)
    painter.fill(painter.ellipsoid((62, -42, -22), (24, 22, 46)), 32 + 150 * contrast, RIGHT_KIDNEY)
    painter.fill(painter.ellipsoid((-62, -42, -10), (24, 22, 46)), 32 + 150 * contrast, LEFT_KIDNEY)
    painter.fill(painter.cylinder((-9, -24), 10), 42 + 120 * contrast, AORTA)
    painter.fill(painter.cylinder((19, -22), 11), 42 + 105 * contrast, VENA_CAVA)


def paint_pancreas(painter: Painter) -> None:
    """Paint head, neck, body and tail, and the splenic vein behind them."""
    rng, style = painter.rng, painter.style
    points = np.array([[34, 6, -34], [32, 10, -12], [10, 20, 2], [-22, 13, 12], [-56, -4, 22], [-80, -14, 34.0]])
    points = points * rng.uniform(0.92, 1.08, 3) + rng.normal(0, 6, 3) + rng.normal(0, 3.5, points.shape)
    path, along = curve(points), np.linspace(0, 1, 80)
    vein = path[20:] - np.array([0, 13, 0])
    painter.fill(painter.tube(vein, np.full(len(vein), 5.5)), 42 + 125 * style.contrast, SPLENIC_VEIN)
    if style.resected:
        return
    radii = np.interp(along, [0, 0.2, 0.42, 0.7, 1], [14, 18, 12, 13, 10]) * rng.uniform(0.9, 1.12)
    painter.fill(painter.tube(path, radii), 42 + 52 * style.contrast, PANCREAS)


def make_abdomen(seed: int, style: Style = HARVARD) -> Abdomen:
    """Make one patient; the same seed and style give the same patient."""
    rng = np.random.default_rng(seed)
    painter = Painter(rng, style)
    paint_body(painter)
    paint_organs(painter)
    paint_pancreas(painter)
    blurred = gaussian_filter(painter.hu, 0.55) + gaussian_filter(rng.normal(0, 1.6 * style.noise, SHAPE), 0.5)
    hu = np.clip(np.rint(blurred), -1024, 3071).astype(np.int16)
    labels = painter.labels
    if style.mirrored:  # situs inversus: every organ on the other side
        hu, labels = hu[::-1].copy(), labels[::-1].copy()
    return Abdomen(hu, labels, painter.affine)


def make_development(count: int) -> list[Abdomen]:
    """Make the patients on whom models are trained: several scanners, always with contrast, seen by no site."""
    return [make_abdomen(SEEDS["development"] + number, random_style(number)) for number in range(count)]


def random_style(number: int) -> Style:
    """Return the scanner and the patient's build of a development case."""
    rng = np.random.default_rng(SEEDS["development"] - 1 - number)
    contrast, oral_contrast = rng.uniform(0.8, 1.05), rng.uniform(0.05, 0.5)
    noise, body = rng.uniform(12, 22), rng.uniform(0.92, 1.02)
    return Style(contrast=contrast, oral_contrast=oral_contrast, noise=noise, body=body)


def render_nifti(values: np.ndarray, affine: np.ndarray, *, about: str = WARNING) -> bytes:
    """Return a .nii.gz with millimetres and a scanner's orientation in the header; no time of writing in it."""
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = about.encode()
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)


def render_btcv(patient: Abdomen) -> tuple[bytes, bytes]:
    """Return image and label with the first axis to the patient's left, as BTCV's files have it."""
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SHAPE[0] - 1
    affine = patient.affine @ flip
    return render_nifti(patient.hu[::-1], affine), render_nifti(patient.labels[::-1], affine)


def dicom_order(volume: np.ndarray) -> np.ndarray:
    """Turn x, y, z into columns (to the left), rows (to the back) and slices from the head down."""
    return volume[::-1, ::-1, ::-1]


def dicom_affine(patient: Abdomen) -> np.ndarray:
    """Return the NIfTI affine of `dicom_order`."""
    flip = np.diag([-1.0, -1, -1, 1])
    flip[:3, 3] = np.array(SHAPE) - 1
    return patient.affine @ flip


def render_nih_label(patient: Abdomen) -> bytes:
    """Return the pancreas alone, voxel for voxel as its DICOM series lies."""
    return render_nifti((dicom_order(patient.labels) == PANCREAS).astype(np.uint8), dicom_affine(patient))


def render_series(patient: Abdomen, *, name: str) -> dict[str, bytes]:
    """Return the slices of a CT series by file name, instance 1 at the head; stored values are HU + 1024."""
    affine, slices = dicom_affine(patient), dicom_order(patient.hu)
    study, series, frame = (generate_uid(entropy_srcs=[name, part]) for part in ("study", "series", "frame"))
    files: dict[str, bytes] = {}
    for number in range(SHAPE[2]):
        position = (affine @ [0, 0, number, 1])[:3] * [-1, -1, 1]  # DICOM's x and y grow to the left and to the back
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name, "instance", str(number)])
        meta.ImplementationClassUID = generate_uid(entropy_srcs=["examples/pancreas"])
        item = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        item.SOPClassUID, item.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        item.StudyInstanceUID, item.SeriesInstanceUID, item.FrameOfReferenceUID = study, series, frame
        item.Modality, item.PatientID, item.PatientName, item.ImageComments = "CT", name, name, WARNING
        item.ImageType, item.InstanceNumber = ["DERIVED", "SECONDARY", "AXIAL"], number + 1
        item.ImagePositionPatient = [f"{value:.6f}" for value in position]
        item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        item.PixelSpacing = [f"{patient.spacing[1]:.6f}", f"{patient.spacing[0]:.6f}"]
        item.SliceThickness = f"{patient.spacing[2]:.6f}"
        item.Columns, item.Rows = SHAPE[0], SHAPE[1]
        item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
        item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 0
        item.RescaleIntercept, item.RescaleSlope, item.RescaleType = -1024, 1, "HU"
        item.PixelData = (slices[:, :, number].T.astype(np.int32) + 1024).astype("<u2").tobytes()
        raw = io.BytesIO()
        pydicom.dcmwrite(raw, item, enforce_file_format=True)
        files[f"1-{number + 1:03d}.dcm"] = raw.getvalue()
    return files


def render_case(number: int, patient: Abdomen, *, dicom: bool, seed: int) -> dict[str, bytes]:
    """Return one patient's files by path: those of the image below data/, those of the label below labels/."""
    if not dicom:
        image, label = render_btcv(patient)
        return {f"data/img{number:04d}.nii.gz": image, f"labels/label{number:04d}.nii.gz": label}
    name = f"PANCREAS_{number:04d}"
    series = render_series(patient, name=f"SYNTHETIC-{seed}")
    files = {f"data/{name}/Pancreas/series/{file}": content for file, content in series.items()}
    return files | {f"labels/label{number:04d}.nii.gz": render_nih_label(patient)}


def render_site(site: str, *, reduced: bool) -> dict[str, bytes]:
    """Return the whole raw export of a site by path."""
    files: dict[str, bytes] = {}
    for number, style in enumerate(SITES[site][: REDUCED if reduced else None], start=1):
        seed = SEEDS[site] + number
        files |= render_case(number, make_abdomen(seed, style), dicom=site == "dfci-like", seed=seed)
    return files


def render_demo() -> dict[str, bytes]:
    """Return the demo data by path: two patients as NIfTI and one as DICOM series, and paths.yaml as MedPerf has it."""
    files = {"paths.yaml": b"data_path: data\nlabels_path: labels\n"}
    for number, style in enumerate((HARVARD, HARVARD, DFCI), start=1):
        seed = SEEDS["demo"] + number
        files |= render_case(number, make_abdomen(seed, style), dicom=style is DFCI, seed=seed)
    return files


def render_archive(files: dict[str, bytes]) -> bytes:
    """Return a .tar.gz whose bytes depend on nothing but the files: it stores them and deflates nothing."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=0, mtime=EPOCH)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files by path."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    """Write every site and the demo data, and print what a benchmark record says of the latter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reduced", action="store_true", help=f"{REDUCED} cases a site")
    args = parser.parse_args()
    for site in SITES:
        write_files(args.out / site, render_site(site, reduced=args.reduced))
    archive, place = render_archive(render_demo()), args.out / "demo_data.tar.gz"
    place.write_bytes(archive)
    digest = hashlib.sha256(archive).hexdigest()
    print(f"url: {place.resolve().as_uri()}\nsize: {len(archive)}\ndigest: sha256:{digest}")


if __name__ == "__main__":
    main()
