"""Make synthetic patients with brain tumours: what each made-up site has on its disk, and the benchmark's demo data.

Nobody's scan is in it. Every patient is the average of 152 healthy brains (anatomy/NOTICE.txt), bent at random, with
one tumour or several put in: whole tumour ⊃ tumour core ⊃ enhancing tumour. Four sequences are written as BraTS does.

Rules kept here:
- Deterministic: a patient follows from site and number alone; the same bytes for the same versions of the libraries.
- The sites differ, as sites do: contrast, noise, unevenness of the coil, size and number of tumours, names of files.
- At every site one patient's tumour does not enhance.
- Things that look like tumour and are none: bright caps beside the ventricles in FLAIR, vessels that enhance in T1Gd.
- The reference is no better than a person's: its borders wander around those of the tumour, by a mm or two.

    python make_data.py --out data [--reduced]      # data/<site>/data/<patient>/… and data/demo_data.tar.gz
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

ANATOMY = Path(__file__).resolve().parent / "anatomy" / "icbm152_3mm.nii.gz"
EPOCH = 1_500_000_000  # a fixed time for every entry of an archive, so that the bytes depend on the content alone
VOXEL = 3.0
WANDER = 1.1  # mm
NECROSIS, OEDEMA, ENHANCING = 1, 2, 4
SEQUENCES = ("t1", "t1ce", "t2", "flair")
NAMES_2023 = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"}
# Signal of grey matter, white matter, fluid, oedema, necrosis and enhancing tumour in each sequence.
SIGNAL = {
    "t1": (78, 108, 32, 72, 48, 70),
    "t1ce": (80, 110, 34, 74, 54, 168),
    "t2": (100, 76, 190, 158, 166, 128),
    "flair": (98, 80, 30, 164, 108, 142),
}


@dataclass(frozen=True, slots=True)
class Site:
    """A made-up site: its sizes (`reduced` 0: left out), how it names files, how its scanner and its patients are."""

    name: str
    prefix: str
    cases: int
    reduced: int
    names_2023: bool = False
    compressed: bool = True
    gain: float = 1.0  # of all signal
    noise: float = 4.5
    coil: float = 0.10  # unevenness of the signal over the head
    enhancement: float = 1.0  # how much of the contrast medium's effect is seen
    caps: float = 0.4  # brightness of the caps beside the ventricles
    radius: tuple[float, float] = (15.0, 24.0)  # of the whole tumour, in mm
    several: float = 0.25  # share of patients with more than one tumour
    without_enhancement: int = 2  # which patient has none


SITES = (
    Site("upenn-like", "upl", cases=12, reduced=0),
    Site(
        "perelman-like", "per", cases=8, reduced=3, names_2023=True, gain=3.0, noise=6.0, coil=0.2, enhancement=0.8,
        radius=(12.0, 22.0), several=0.4,
    ),
    Site(
        "community-like", "com", cases=8, reduced=6, compressed=False, gain=0.6, noise=7.5, coil=0.35,
        enhancement=0.7, caps=0.8, radius=(10.0, 18.0), several=0.5,
    ),
)  # fmt: skip
DEMO = Site("demo", "demo", cases=3, reduced=3)
DEVELOPMENT = (
    Site("development-a", "deva", cases=8, reduced=8, noise=5.0, coil=0.15, several=0.4),
    Site("development-b", "devb", cases=5, reduced=5, noise=7.0, coil=0.25, enhancement=0.8, caps=0.6, radius=(9, 20)),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient: sequences as float volumes, labels 0, 1, 2 and 4, and the affine that all share."""

    name: str
    volumes: dict[str, np.ndarray]
    labels: np.ndarray
    affine: np.ndarray


def chance(*words: object) -> np.random.Generator:
    """Return random numbers that depend on nothing but the words."""
    seed = hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:8]
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))


def smooth_noise(random: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Return smooth noise of mean 0 and standard deviation 1; `scale` is in mm."""
    places = [np.arange(size) * VOXEL / scale + random.random() for size in shape]
    noise = random.standard_normal(tuple(int(place[-1]) + 2 for place in places))
    for axis, place in enumerate(places):
        below = place.astype(int)
        share = np.expand_dims(place - below, tuple(other for other in range(3) if other != axis))
        noise = noise.take(below, axis) * (1 - share) + noise.take(below + 1, axis) * share
    return (noise - noise.mean()) / noise.std()


def bend(random: np.random.Generator, anatomy: np.ndarray) -> np.ndarray:
    """Return T1, grey and white matter (0 to 1) of the average brain, turned, stretched and bent at random."""
    shape = anatomy.shape[:3]
    middle = (np.array(shape) - 1) / 2
    turn = np.eye(3) + random.uniform(-0.06, 0.06, (3, 3))
    grid = np.indices(shape).reshape(3, -1)
    places = turn @ (grid - middle[:, None]) + (middle + random.uniform(-1, 1, 3))[:, None]
    for axis in range(3):
        places[axis] += 0.7 * smooth_noise(random, shape, 40).ravel()
    parts = [ndimage.map_coordinates(anatomy[..., part], places, order=1).reshape(shape) for part in range(3)]
    return np.stack(parts) / 255.0


def grow(random: np.random.Generator, site: Site, tissue: np.ndarray, *, enhances: bool) -> np.ndarray:
    """Return labels: one to three tumours with centres in white matter, each necrosis within rim within oedema."""
    brain, white = tissue[0] > 0.12, tissue[2]
    solid = brain & (tissue[1] + white > 0.4)
    deep = ndimage.distance_transform_edt(brain, sampling=VOXEL) > 12
    labels = np.zeros(white.shape, np.uint8)
    number = 1 if random.random() >= site.several else int(random.integers(2, 4))
    candidates = np.argwhere(deep & (white > 0.5))
    for turn in range(number):
        centre = candidates[random.integers(len(candidates))]
        radius = random.uniform(*site.radius) * (1 if turn == 0 else 0.55)
        offset = (np.indices(white.shape) - centre[:, None, None, None]) * VOXEL
        away = np.sqrt((offset**2 * random.uniform(0.75, 1.3, 3)[:, None, None, None]).sum(axis=0))
        lobes = away + 0.16 * radius * smooth_noise(random, white.shape, 14)
        core = away + 0.07 * radius * smooth_noise(random, white.shape, 10)
        inner = random.uniform(0.5, 0.66) * radius
        whole = (lobes < radius) | (core < inner + 2 * VOXEL)
        labels[whole & solid & (labels == 0)] = OEDEMA
        labels[(core < inner) & solid] = ENHANCING if enhances else NECROSIS
        labels[(core < inner * random.uniform(0.4, 0.65)) & solid] = NECROSIS
        labels[(core < VOXEL / 2) & (labels == 0)] = OEDEMA
    return labels


def wander(random: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return labels whose borders are moved at random; where a reader would draw them, the tumour is not quite."""
    moves = [WANDER / VOXEL * smooth_noise(random, labels.shape, 9) for _ in range(3)]
    return ndimage.map_coordinates(labels, np.indices(labels.shape) + moves, order=0)


def render(random: np.random.Generator, site: Site, tissue: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the four sequences of a site's scanner; everything outside the brain is 0, as in BraTS."""
    template, grey, white = tissue
    brain = ndimage.binary_fill_holes((template > 0.12) | (labels > 0))
    fluid = np.clip(1 - grey - white, 0, 1)
    near_ventricles = ndimage.gaussian_filter(fluid * (ndimage.distance_transform_edt(brain) > 6), 1.2)
    caps = np.clip(near_ventricles * white * 6, 0, 1) * (smooth_noise(random, brain.shape, 12) > 0.6)
    vessels = ndimage.gaussian_filter((random.random(brain.shape) > 0.9993).astype(float), 0.6) * 2.2
    patchy = np.clip(1 + 0.15 * smooth_noise(random, brain.shape, 7), 0.3, 1.5)
    parts = [ndimage.gaussian_filter((labels == label).astype(float), 0.5) for label in (OEDEMA, NECROSIS, ENHANCING)]
    healthy = np.clip(1 - sum(parts), 0, 1)
    volumes = {}
    for name, (g, w, f, oedema, necrosis, rim) in SIGNAL.items():
        normal = grey * g + white * w + fluid * f
        if name.startswith("t1"):
            normal = 0.5 * normal + 0.5 * template * 128
        shine = SIGNAL["t1"][-1] + site.enhancement * patchy * (rim - SIGNAL["t1"][-1]) if name == "t1ce" else rim
        signal = healthy * normal + parts[0] * oedema + parts[1] * necrosis + parts[2] * shine
        if name == "flair":
            signal = signal + site.caps * 70 * caps * healthy
        if name == "t1ce":
            signal = signal + 90 * site.enhancement * np.clip(vessels, 0, 1) * healthy
        signal = signal * (1 + site.coil * 0.5 * smooth_noise(random, brain.shape, 80))
        signal = signal + site.noise * random.standard_normal(brain.shape)
        level = site.gain * random.uniform(2.5, 4.0)
        volumes[name] = np.where(brain, np.clip(signal, 1, None) * level, 0)
    return volumes


def make_patient(site: Site, number: int) -> Patient:
    """Return one patient of a site; numbers start at 1."""
    random = chance("brain-tumour", site.name, number)
    anatomy = nib.load(ANATOMY)
    tissue = bend(random, np.asanyarray(anatomy.dataobj))
    labels = grow(random, site, tissue, enhances=number != site.without_enhancement)
    volumes = render(random, site, tissue, wander(random, labels))
    labels[volumes["t1"] == 0] = 0
    digits = f"{number:05d}-000" if site.names_2023 else f"{number:03d}"
    return Patient(f"synthetic-{site.prefix}-{digits}", volumes, labels, anatomy.affine)


def development_patients() -> Iterator[Patient]:
    """Yield the patients on whom models are trained; none of them is at a site or in the demo data."""
    for site in DEVELOPMENT:
        for number in range(1, site.cases + 1):
            yield make_patient(site, number)


def render_file(volume: np.ndarray, affine: np.ndarray, *, compressed: bool) -> bytes:
    """Return a NIfTI file of whole numbers that says it is synthetic."""
    image = nib.Nifti1Image(volume, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header["descrip"] = b"synthetic, nobody's scan"
    content = image.to_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0) if compressed else content


def render_patient(site: Site, patient: Patient) -> dict[str, bytes]:
    """Return a patient's five files by path, named as BraTS named them until 2021 or since 2023."""
    ending = ".nii.gz" if site.compressed else ".nii"
    between, names = ("-", NAMES_2023) if site.names_2023 else ("_", {name: name for name in SEQUENCES})
    labels = patient.labels.copy()
    if site.names_2023:
        labels[labels == ENHANCING] = 3
    volumes = {names[name]: np.rint(volume).astype(np.int16) for name, volume in patient.volumes.items()}
    return {
        f"{patient.name}/{patient.name}{between}{name}{ending}": render_file(
            volume, patient.affine, compressed=site.compressed
        )
        for name, volume in (volumes | {"seg": labels}).items()
    }


def render_archive(files: dict[str, bytes]) -> bytes:
    """Return a .tar.gz whose bytes depend on nothing but the files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    # Level 0 stores: the files inside are compressed already.
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=0, mtime=EPOCH) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()


def write_site(out: Path, site: Site, cases: int) -> int:
    """Write what a site has on its disk, and return how many bytes."""
    total = 0
    for number in range(1, cases + 1):
        for name, content in render_patient(site, make_patient(site, number)).items():
            path = out / site.name / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            total += len(content)
    return total


def render_demo() -> bytes:
    """Return the archive of demo data: three patients, and paths.yaml, which says where data and labels lie."""
    files = {"paths.yaml": b"data_path: cases\nlabels_path: cases\n"}
    for number in range(1, DEMO.cases + 1):
        patient = render_patient(DEMO, make_patient(DEMO, number))
        files |= {f"cases/{name}": content for name, content in patient.items()}
    return render_archive(files)


def main() -> None:
    """Write every site and the demo data, and say what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder to write to (default: data)")
    parser.add_argument("--reduced", action="store_true", help="few patients a site, for a quick look")
    args = parser.parse_args()
    for site in SITES:
        if not (cases := site.reduced if args.reduced else site.cases):
            continue
        size = write_site(args.out, site, cases)
        print(f"{site.name:<16}{cases:>3} synthetic patients {size / 1e6:6.1f} MB")
    content = render_demo()
    (args.out / "demo_data.tar.gz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    where = (args.out / "demo_data.tar.gz").resolve().as_uri()
    print(f"url: {where}\nsize: {len(content)}\ndigest: sha256:{digest}")


if __name__ == "__main__":
    main()
