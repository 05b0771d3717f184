"""Draw the made-up operations of five made-up hospitals: videos and phase annotations, laid out as Cholec80 is.

Everything here is synthetic: nobody was operated on, and no picture of a patient is in it. A scene is drawn from what
a phase usually shows (instruments, gallbladder, liver bed, smoke, blood, clips, bag); phases overlap, instruments come
and go, and hospitals differ in light, colour, noise, the circle of the endoscope, frames a second and file format.

    python make_data.py --out DIR [--reduced]          DIR/<site>/data, DIR/<site>/labels, DIR/demo_data.tar.gz
    python make_data.py --out DIR --development 8      DIR/data, DIR/labels: what the models are trained on

The same versions of numpy, Pillow and PyAV give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

PREPARATION, TRIANGLE, CLIPPING = "Preparation", "CalotTriangleDissection", "ClippingCutting"
DISSECTION, PACKAGING = "GallbladderDissection", "GallbladderPackaging"
CLEANING, RETRACTION = "CleaningCoagulation", "GallbladderRetraction"
WIDTH, HEIGHT = 160, 120
EPOCH = 1_500_000_000  # a fixed time for every entry of the archive, so that its bytes depend on the content alone
SHORTEST = 4  # seconds that a phase lasts at least
QUANTISER = "7"  # of MPEG-4, 1 to 31: the larger, the smaller the file

# How much of an operation a phase takes, on average.
SHARES = {PREPARATION: 0.09, TRIANGLE: 0.31, CLIPPING: 0.13, DISSECTION: 0.25, PACKAGING: 0.10, CLEANING: 0.12}
# How likely a thing is seen at any second of a phase. The two dissections look alike, and that is on purpose.
SEEN = {
    PREPARATION: {"grasper": 0.60, "fat": 0.90, "gallbladder": 0.80, "hook": 0.04, "irrigator": 0.05},
    TRIANGLE: {"grasper": 0.80, "fat": 0.35, "gallbladder": 0.95, "hook": 0.85, "smoke": 0.20, "bipolar": 0.06},
    CLIPPING: {"grasper": 0.70, "gallbladder": 0.95, "hook": 0.06, "clipper": 0.65, "scissors": 0.30, "clips": 0.70},
    DISSECTION: {
        "grasper": 0.80,
        "gallbladder": 0.85,
        "hook": 0.75,
        "smoke": 0.30,
        "clips": 0.40,
        "bed": 0.80,
        "blood": 0.12,
    },
    PACKAGING: {"grasper": 0.70, "bag": 0.88, "bed": 0.45, "blood": 0.10, "gallbladder": 0.20},
    CLEANING: {"grasper": 0.35, "irrigator": 0.70, "bipolar": 0.40, "bed": 0.88, "blood": 0.65, "smoke": 0.10},
    RETRACTION: {"grasper": 0.70, "bag": 0.90, "bed": 0.30, "trocar": 0.50},
}
THINGS = tuple(sorted({thing for seen in SEEN.values() for thing in seen}))
# An instrument: thickness and length in pixels, colour of its shaft, colour of its tip.
TOOLS = {
    "grasper": (7, 66, (122, 124, 130), (176, 178, 184)),
    "hook": (6, 74, (46, 46, 50), (214, 204, 172)),
    "clipper": (12, 62, (78, 110, 132), (206, 220, 240)),
    "scissors": (8, 62, (104, 100, 98), (150, 146, 144)),
    "irrigator": (8, 78, (188, 192, 198), (216, 222, 228)),
    "bipolar": (8, 66, (52, 76, 150), (188, 190, 198)),
}


@dataclass(frozen=True)
class Site:
    """A made-up hospital: its cases (in the short form `reduced`, 0: it is left out) and how its pictures differ.

    `gain` multiplies red, green and blue; `circle` is the radius of the endoscope's picture as a share of half the
    height (above 1.7 it fills the frame); `without` names phases that a case (by its number from 1, 0 for all) lacks.
    """

    name: str
    cases: int
    reduced: int
    rate: Fraction
    suffix: str = "mp4"
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    circle: float = 1.15
    noise: float = 5.0
    retraction: bool = False
    full_frame: int = 0  # the case whose picture fills the frame
    without: dict[int, str] = field(default_factory=dict)


SITES = (
    Site("strasbourg-like", 6, 3, Fraction(5), retraction=True, without={2: CLEANING, 5: PREPARATION}),
    Site("rome-one-like", 3, 0, Fraction(5), gain=(1.08, 0.98, 0.92), circle=1.02, noise=7.0, without={3: PACKAGING}),
    Site("rome-two-like", 3, 0, Fraction(25, 4), suffix="avi", gain=(0.78, 0.76, 0.80), circle=1.3, noise=10.0),
    Site("milan-like", 3, 2, Fraction(4), gain=(0.90, 1.04, 1.22), circle=1.1, noise=6.0, full_frame=2),
    Site("naples-like", 3, 2, Fraction(5), suffix="mkv", gain=(1.18, 1.1, 1.0), circle=0.9, without={0: CLEANING}),
)
DEVELOPMENT = Site(
    "development", 16, 16, Fraction(5), retraction=True, without={3: CLEANING, 6: PACKAGING, 11: PREPARATION}
)


def draw_plan(site: Site, case: int, chance: np.random.Generator) -> list[tuple[str, int]]:
    """Return the phases of an operation in their order, each with its seconds."""
    order = [PREPARATION, TRIANGLE, CLIPPING, DISSECTION]
    end = chance.choice(3, p=[0.5, 0.3, 0.2])
    order += ([PACKAGING, CLEANING], [CLEANING, PACKAGING], [PACKAGING, CLEANING, PACKAGING])[end]
    lacking = {site.without.get(0), site.without.get(case)}
    order = [phase for phase in order if phase not in lacking]
    if site.retraction and PACKAGING in order and case % 2:
        order.append(RETRACTION)
    total = chance.integers(46, 76)
    weights = np.array([SHARES.get(phase, 0.05) for phase in order]) * chance.gamma(6.0, 1.0, len(order))
    seconds = np.maximum(SHORTEST, np.round(total * weights / weights.sum())).astype(int)
    return list(zip(order, seconds.tolist(), strict=True))


def draw_presence(labels: list[str], chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Return for each thing in which seconds it is seen: what is there tends to stay, and is at times lost."""
    found = {}
    for thing in THINGS:
        seen = np.zeros(len(labels), dtype=bool)
        for second, phase in enumerate(labels):
            begins = second == 0 or chance.random() < 0.45
            seen[second] = chance.random() < SEEN[phase].get(thing, 0.02) if begins else seen[second - 1]
        found[thing] = seen
    return found


def smooth_noise(chance: np.random.Generator, cells: int) -> np.ndarray:
    """Return a picture of soft blobs, float in 0…1, a border wider than a frame for the movement of the camera."""
    grid = Image.fromarray(chance.integers(0, 256, (cells * 3 // 4, cells), dtype=np.uint8))
    return np.asarray(grid.resize((WIDTH + 40, HEIGHT + 40), Image.Resampling.BICUBIC), dtype=np.float32) / 255


def draw_tissue(chance: np.random.Generator) -> np.ndarray:
    """Return the liver and what lies round it, (HEIGHT + 40, WIDTH + 40, 3)."""
    base = np.array([142, 62, 52], dtype=np.float32) + chance.normal(0, 5, 3).astype(np.float32)
    coarse, fine = smooth_noise(chance, 6), smooth_noise(chance, 28)
    shade = 0.72 + 0.36 * coarse + 0.2 * fine
    return base * shade[..., None]


class Scene:
    """One operation: what stays the same in it, and the pictures of its seconds."""

    def __init__(self, site: Site, case: int, labels: list[str], chance: np.random.Generator) -> None:
        self.site, self.labels, self.chance = site, labels, chance
        self.presence = draw_presence(labels, chance)
        self.tissue = draw_tissue(chance)
        self.smoke = smooth_noise(chance, 5)
        self.place = chance.uniform([70, 45], [100, 70])
        self.hue = chance.normal(0, 6, 3)
        self.blobs = chance.uniform([15, 15, 6], [145, 105, 15], (7, 3))
        self.sides = {tool: float(chance.uniform(-0.5, 0.5)) for tool in TOOLS}
        self.grain = chance.normal(0, site.noise, (6, HEIGHT, WIDTH, 1)).astype(np.float32)
        self.circle = self._circle(1.9 if case == site.full_frame else site.circle)

    def _circle(self, radius: float) -> np.ndarray:
        """Return how bright each pixel is: darker to the border of the endoscope's picture, black outside of it."""
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        centre = self.chance.normal(0, 2, 2)
        distance = np.hypot(x - WIDTH / 2 - centre[0], y - HEIGHT / 2 - centre[1]) / (radius * HEIGHT / 2)
        return ((1.12 - 0.42 * np.minimum(distance, 1) ** 2) * (distance <= 1)).astype(np.float32)[..., None]

    def frames(self) -> Iterator[np.ndarray]:
        """Yield every frame, (HEIGHT, WIDTH, 3) of bytes."""
        camera, count = np.zeros(2), 0
        for second in range(len(self.labels)):
            until = Fraction(second + 1) * self.site.rate
            while count < until:
                camera = 0.9 * camera + self.chance.normal(0, 2.2, 2)
                yield self._frame(second, np.clip(camera, -18, 18), count)
                count += 1

    def _frame(self, second: int, camera: np.ndarray, count: int) -> np.ndarray:
        dx, dy = (int(step) + 20 for step in camera)
        window = np.s_[dy : dy + HEIGHT, dx : dx + WIDTH]
        picture = Image.fromarray(np.clip(self.tissue[window], 0, 255).astype(np.uint8))
        self._draw(ImageDraw.Draw(picture), {t for t in THINGS if self.presence[t][second]}, (20.0 - dx, 20.0 - dy))
        light = np.asarray(picture, dtype=np.float32)
        if self.presence["smoke"][second]:
            thick = 0.62 * self.smoke[window][..., None]
            light = light * (1 - thick) + 196 * thick
        light = (light + self.grain[count % len(self.grain)]) * np.array(self.site.gain, dtype=np.float32) * self.circle
        return np.clip(light, 0, 255).astype(np.uint8)

    def _draw(self, pen: ImageDraw.ImageDraw, seen: set[str], shift: tuple[float, float]) -> None:
        x, y = self.place[0] + shift[0], self.place[1] + shift[1]
        if "bed" in seen:
            pen.ellipse((x - 44, y - 26, x + 36, y + 30), fill=self._tint(104, 30, 30))
        if "fat" in seen:
            for bx, by, radius in self.blobs:
                at = (bx + shift[0], by + shift[1])
                pen.ellipse(
                    (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=self._tint(206, 172, 96)
                )
        if "gallbladder" in seen:
            pen.ellipse((x - 30, y - 22, x + 34, y + 24), fill=self._tint(126, 138, 92))
            pen.ellipse((x - 16, y - 16, x + 2, y - 6), fill=self._tint(188, 196, 160))
        if "clips" in seen:
            for step in (0, 10):
                pen.rectangle((x - 42 + step, y + 18, x - 36 + step, y + 30), fill=(206, 212, 220))
        if "blood" in seen:
            pen.ellipse((x - 28, y + 4, x + 22, y + 34), fill=self._tint(150, 12, 14))
        if "bag" in seen:
            pen.ellipse((x - 36, y - 14, x + 40, y + 40), fill=self._tint(210, 208, 202))
            pen.ellipse((x - 20, y - 4, x + 24, y + 22), fill=self._tint(168, 170, 156))
        if "trocar" in seen:
            pen.ellipse((x - 70, y - 46, x - 30, y - 6), fill=(24, 24, 26))
        for tool in TOOLS:
            if tool in seen:
                self._draw_tool(pen, tool, (x, y))

    def _tint(self, *colour: int) -> tuple[int, ...]:
        return tuple(int(np.clip(part + shift, 0, 255)) for part, shift in zip(colour, self.hue, strict=True))

    def _draw_tool(self, pen: ImageDraw.ImageDraw, tool: str, at: tuple[float, float]) -> None:
        thick, length, shaft, tip = TOOLS[tool]
        from_left = tool in {"grasper", "irrigator"}
        angle = (0.65 if from_left else np.pi - 0.65) + self.sides[tool] + self.chance.normal(0, 0.06)
        along = np.array([np.cos(angle), np.sin(angle)])
        end = np.array(at) + self.chance.normal(0, 4, 2) + (-18 if from_left else 16, 6)
        begin, neck = end - along * 150, end - along * length * 0.22
        pen.line((*begin, *neck), fill=shaft, width=thick)
        pen.line((*neck, *end), fill=tip, width=max(2, thick - 3))
        if tool == "hook":
            pen.line((*end, end[0] - 5 * along[1], end[1] + 5 * along[0]), fill=tip, width=2)


def encode(path: Path, frames: Iterator[np.ndarray], rate: Fraction) -> int:
    """Write a video of constant rate with FFmpeg's own MPEG-4 encoder in one thread; return its number of frames."""
    quality = {"flags": "+bitexact", "qmin": QUANTISER, "qmax": QUANTISER}
    count = 0
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=rate, options=quality)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = WIDTH, HEIGHT, "yuv420p", 1
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        container.mux(stream.encode(None))
    return count


def write_case(site: Site, case: int, data: Path, labels: Path) -> None:
    """Write one operation: its video, and its annotation with one line a frame."""
    seed = [20221, *site.name.encode(), case]
    chance = np.random.default_rng(seed)
    plan = [phase for phase, seconds in draw_plan(site, case, chance) for _ in range(seconds)]
    name = f"video{case:02d}"
    count = encode(data / f"{name}.{site.suffix}", Scene(site, case, plan, chance).frames(), site.rate)
    rows = [f"{frame}\t{plan[int(frame / site.rate)]}\n" for frame in range(count)]
    (labels / f"{name}-phase.txt").write_text("Frame\tPhase\n" + "".join(rows), encoding="utf-8")


def write_site(site: Site, out: Path, cases: int) -> None:
    """Write a hospital's export: out/data/videos and out/labels/phase_annotations."""
    data, labels = out / "data" / "videos", out / "labels" / "phase_annotations"
    for folder in (data, labels):
        folder.mkdir(parents=True, exist_ok=True)
    for case in range(1, cases + 1):
        write_case(site, case, data, labels)


def pack(files: dict[str, bytes]) -> bytes:
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


def write_demo_data(out: Path) -> None:
    """Write demo_data.tar.gz: three operations of a hospital that takes no part."""
    folder = out / "demo"
    write_site(replace(DEVELOPMENT, name="demo", retraction=False, without={2: CLEANING}), folder, 3)
    files = {"paths.yaml": b"data_path: data\nlabels_path: labels\n"}
    for path in sorted(folder.rglob("*.*")):
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
        path.unlink()
    for empty in sorted(folder.rglob("*"), reverse=True):
        empty.rmdir()
    folder.rmdir()
    content = pack(files)
    path = out / "demo_data.tar.gz"
    path.write_bytes(content)
    print(f"url: {path.resolve().as_uri()}\nsize: {len(content)}\ndigest: sha256:{hashlib.sha256(content).hexdigest()}")


def main() -> None:
    """Write every hospital and the demo data, or the development videos alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reduced", action="store_true", help="fewer sites and cases, for a quick try")
    parser.add_argument("--development", type=int, default=0, metavar="CASES", help="only these, for training")
    args = parser.parse_args()
    if args.development:
        write_site(DEVELOPMENT, args.out, args.development)
        return
    for site in SITES:
        if cases := site.reduced if args.reduced else site.cases:
            write_site(site, args.out / site.name, cases)
    write_demo_data(args.out)


if __name__ == "__main__":
    main()
