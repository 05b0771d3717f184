"""Cut videos of operations into one picture a second, with the surgical phase of each; check them, and count.

Raw, as Cholec80 is laid out: videos/<video>.mp4 (or avi, mkv, mov, m4v, webm) and phase_annotations/<video>-phase.txt,
tab-separated, `Frame` and `Phase`, one line a frame of the video from 0 on. Frames a second are what the video says.
Prepared: <video>/<second>.jpg (six digits), and labels.csv with video, second, phase.

A video that is not as agreed is refused with a sentence that names it and the file. All others are prepared meanwhile
and kept, the report says which is which, and the same command goes on when the files were mended.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import yaml
from PIL import Image

PHASES = (
    "preparation",
    "hepatocystic-triangle-dissection",
    "clipping-cutting",
    "gallbladder-dissection",
    "gallbladder-packaging",
    "cleaning-coagulation",
)
SUFFIXES = {".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm"}
VIDEOS, ANNOTATIONS, LABELS = "videos", "phase_annotations", "labels.csv"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
COLUMNS = ["video", "second", "phase"]
FACTS = ["video", "source", "frames_a_second", "frames", "width", "height"]
FOUND, CUTTING, DONE, TO_MEND = (1, "FOUND"), (2, "CUTTING"), (3, "DONE"), (-1, "TO_MEND")
JPEG_QUALITY = 92


class Malformed(Exception):
    """The input is not what was agreed; the message names video and file."""


@dataclass(frozen=True)
class Parameters:
    """What the committee declared: raw name → phase (None: left out), height of a frame, frames that may lack."""

    phases: dict[str, str | None]
    height: int
    slack: int
    digest: str


@dataclass(frozen=True)
class Raw:
    """One video as the hospital has it; a file is None where there is none, `fault` is what is wrong with its name."""

    name: str
    video: Path | None
    annotation: Path | None
    fault: str = ""


def read_parameters(path: Path) -> Parameters:
    """Return the declared parameters; there are no defaults, since they change the data."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not isinstance(content, dict) or not isinstance(content.get("phases"), dict):
        raise Malformed(f"{path.name}: it must say `phases:` with a phase for each name in an annotation")
    for raw, phase in content["phases"].items():
        if phase is not None and phase not in PHASES:
            raise Malformed(f"{path.name}: {raw} is {phase!r}, which is none of {', '.join(PHASES)}")
    for key, least in (("height", 16), ("slack", 0)):
        if type(content.get(key)) is not int or content[key] < least:
            raise Malformed(f"{path.name}: it must say `{key}:` with a whole number, {least} or more")
    digest = hashlib.sha256(yaml.safe_dump(content, sort_keys=True).encode()).hexdigest()
    return Parameters(content["phases"], content["height"], content["slack"], digest)


def find_raw(data: Path, labels: Path) -> list[Raw]:
    """Return every video that has a file in one folder or the other, by name."""
    for folder in (data / VIDEOS, labels / ANNOTATIONS):
        if not folder.is_dir():
            raise Malformed(f"{folder.name}: there is no such folder in what was given")
    videos: dict[str, Path] = {}
    faults: list[Raw] = []
    for path in sorted((data / VIDEOS).iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if not NAME.fullmatch(path.stem):
            fault = f"{VIDEOS}/{path.name}: a name must consist of ASCII letters, digits, '-' and '_'"
            faults.append(Raw(path.stem, path, None, fault))
        elif path.stem in videos:
            fault = f"{VIDEOS}/{path.name}: this video is there twice, also as {videos[path.stem].name}"
            faults.append(Raw(path.stem, path, None, fault))
        else:
            videos[path.stem] = path
    annotations = {
        path.name.removesuffix("-phase.txt"): path
        for path in sorted((labels / ANNOTATIONS).glob("*-phase.txt"))
        if not path.name.startswith(".")
    }
    if not videos and not faults:
        raise Malformed(f"{VIDEOS}: holds no video ({', '.join(sorted(SUFFIXES))})")
    wrong = {raw.name for raw in faults}
    misnamed = {name for name in annotations.keys() - wrong if not NAME.fullmatch(name)}
    for path in sorted(annotations[name] for name in misnamed):
        fault = f"{ANNOTATIONS}/{path.name}: a name must consist of ASCII letters, digits, '-' and '_'"
        faults.append(Raw(path.name, None, path, fault))
    names = sorted((videos.keys() | annotations.keys()) - wrong - misnamed)
    return faults + [Raw(name, videos.get(name), annotations.get(name)) for name in names]


def read_annotation(raw: Raw, parameters: Parameters) -> list[str | None]:
    """Return the phase of each frame, None for one that is left out."""
    if raw.annotation is None:
        raise Malformed(f"{ANNOTATIONS}/{raw.name}-phase.txt: there is no such file")
    where = f"{ANNOTATIONS}/{raw.annotation.name}"
    try:
        lines = raw.annotation.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Malformed(f"{where}: not UTF-8 text (byte {error.start})") from error
    if not lines or lines[0].split("\t") != ["Frame", "Phase"]:
        raise Malformed(f"{where}, row 1: the header must be Frame and Phase with a tab between")
    found: list[str | None] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != 2:
            raise Malformed(f"{where}, row {number}: {len(cells)} cells, not 2")
        frame, name = cells[0].strip(), cells[1].strip()
        if frame != str(len(found)):
            raise Malformed(f"{where}, row {number}: frame {frame!r} stands where frame {len(found)} must be")
        if name not in parameters.phases:
            raise Malformed(f"{where}, row {number}: phase {name!r} is none of {', '.join(parameters.phases)}")
        found.append(parameters.phases[name])
    if not any(found):
        raise Malformed(f"{where}: holds no frame with a phase")
    return found


def seconds_of(phases: list[str | None], rate: Fraction) -> dict[int, int]:
    """Return frame → second for the first frame of each second that has a phase."""
    count = -(-len(phases) // rate)
    frames = {int(second * rate + Fraction(1, 2)): second for second in range(int(count))}
    return {frame: second for frame, second in frames.items() if frame < len(phases) and phases[frame] is not None}


def cut(raw: Raw, phases: list[str | None], parameters: Parameters, out: Path) -> dict[str, object]:
    """Write one picture a second into `out`, and return what the video says of itself."""
    if raw.video is None:
        raise Malformed(f"{VIDEOS}/{raw.name}.*: there is no such file, only an annotation")
    where = f"{VIDEOS}/{raw.video.name}"
    count = 0
    try:
        with av.open(str(raw.video)) as container:
            if not container.streams.video:
                raise Malformed(f"{where}: there are no pictures in it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = Fraction(stream.average_rate or 0)
            if rate < 1:
                raise Malformed(f"{where}: it does not say how many frames a second it has, 1 or more")
            wanted = seconds_of(phases, rate)
            for frame in container.decode(stream):
                if count in wanted:
                    save(frame.to_image(), parameters.height, out / f"{wanted[count]:06d}.jpg")
                count += 1
                if count >= len(phases):
                    break
            facts = {"frames_a_second": rate, "width": stream.width, "height": stream.height}
    except (av.FFmpegError, UnicodeDecodeError) as error:
        at = f" beyond frame {count}" if count else ""
        raise Malformed(f"{where}: cannot be read as a video{at}: {reason(error)}") from error
    if count == 0:
        raise Malformed(f"{where}: holds no frames")
    if count < len(phases) - parameters.slack:
        raise Malformed(
            f"{where}: ends after {count} frames ({float(count / rate):.1f} s), but its annotation has {len(phases)} "
            f"({float(len(phases) / rate):.1f} s)"
        )
    return {"video": raw.name, "frames": count, **facts}


def reason(error: Exception) -> str:
    """Return FFmpeg's own words without paths."""
    return getattr(error, "strerror", None) or type(error).__name__


def save(picture: Image.Image, height: int, path: Path) -> None:
    """Write a frame, made smaller where it is larger than wanted."""
    if picture.height > height:
        width = max(1, round(picture.width * height / picture.height))
        picture = picture.resize((width, height), Image.Resampling.BOX)
    picture.save(path, quality=JPEG_QUALITY)


class Report:
    """The report file: which video is at which stage, written in place at every change."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path = path
        self.rows = dict.fromkeys(names, (*FOUND, ""))

    def note(self, name: str, stage: tuple[int, str], comment: str = "") -> None:
        """Note the stage of a video; a negative one waits for a person."""
        self.rows[name] = (*stage, comment)
        if self.path.parent.is_dir():
            columns = ("status", "status_name", "comment")
            table = {column: {n: row[k] for n, row in self.rows.items()} for k, column in enumerate(columns)}
            self.path.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")


class Kept:
    """What earlier attempts finished: a table in the metadata folder, by video."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "videos.csv"
        try:
            rows = read_table(self.path, FACTS)
        except Malformed:  # not there yet, or torn: then everything is cut anew
            rows = []
        self.rows = {row["video"]: row for row in rows}

    def has(self, raw: Raw, source: str, folder: Path) -> bool:
        """Tell whether a video was finished from these very files."""
        return raw.name in self.rows and self.rows[raw.name]["source"] == source and folder.is_dir()

    def write(self) -> None:
        """Write the table, where there is a folder for it."""
        if self.path.parent.is_dir():
            write_table(self.path, FACTS, [[row[column] for column in FACTS] for _, row in sorted(self.rows.items())])


def fingerprint(raw: Raw, parameters: Parameters) -> str:
    """Return a digest of everything that decides what becomes of a video."""
    digest = hashlib.sha256(parameters.digest.encode())
    for path in (raw.video, raw.annotation):
        if path is None:
            continue
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise Malformed(f"{path.parent.name}/{path.name}: cannot be read: {reason(error)}") from error
    return digest.hexdigest()


def prepare_one(raw: Raw, parameters: Parameters, out: Path, kept: Kept, report: Report) -> list[list[str]]:
    """Prepare one video unless it is finished already, and return its labels."""
    if raw.fault:
        raise Malformed(raw.fault)
    folder = out / raw.name
    source = fingerprint(raw, parameters)
    finished = kept.has(raw, source, folder)
    if not finished:
        kept.rows.pop(raw.name, None)
        kept.write()  # whoever is stopped from here on has not finished, whatever files come back
        shutil.rmtree(folder, ignore_errors=True)
    phases = read_annotation(raw, parameters)
    if not finished:
        report.note(raw.name, CUTTING)
        folder.mkdir()
        try:
            facts = cut(raw, phases, parameters, folder)
        except Malformed:
            shutil.rmtree(folder)
            raise
        kept.rows[raw.name] = {**facts, "source": source}
        kept.write()
    wanted = seconds_of(phases, Fraction(kept.rows[raw.name]["frames_a_second"]))
    report.note(raw.name, DONE)
    return [
        [raw.name, str(second), str(phases[frame])]
        for frame, second in wanted.items()
        if (folder / f"{second:06d}.jpg").is_file()
    ]


def prepare(
    data: Path,
    labels: Path,
    parameters: Parameters,
    out_data: Path,
    out_labels: Path,
    metadata: Path,
    report_file: Path,
) -> None:
    """Prepare every video that can be; refuse together, by name, those that cannot."""
    found = find_raw(data, labels)
    report, kept = Report(report_file, [raw.name for raw in found]), Kept(metadata)
    remove_stale(out_data, {raw.name for raw in found}, kept)
    (out_labels / LABELS).unlink(missing_ok=True)  # it is written again when all videos are in order
    rows, faults = [], []
    for raw in found:
        try:
            rows += prepare_one(raw, parameters, out_data, kept, report)
        except Malformed as error:
            faults.append(f"{raw.name}: {error}")
            report.note(raw.name, TO_MEND, str(error))
    kept.write()
    if faults:
        raise Malformed("\nrefused: ".join(faults))
    write_table(out_labels / LABELS, COLUMNS, rows)
    print(f"{len(found)} videos prepared, {len(rows)} frames")


def remove_stale(out: Path, names: set[str], kept: Kept) -> None:
    """Remove what earlier attempts made of videos that are there no more."""
    for folder in out.iterdir():
        if folder.is_dir() and folder.name not in names:
            shutil.rmtree(folder)
            kept.rows.pop(folder.name, None)


def write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """Write a CSV file: commas, LF."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def read_table(path: Path, header: list[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with exactly these columns."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != header:
            raise Malformed(f"{path.name}, row 1: the columns must be {', '.join(header)}")
        return list(reader)


def read_prepared(data: Path, labels: Path) -> dict[str, dict[str, str]]:
    """Return video → second → phase, and refuse what `prepare` would not have written."""
    found: dict[str, dict[str, str]] = {}
    for number, row in enumerate(read_table(labels / LABELS, COLUMNS), start=2):
        video, second = row["video"] or "", row["second"] or ""
        if not NAME.fullmatch(video) or not re.fullmatch("[0-9]{1,6}", second):
            raise Malformed(f"{LABELS}, row {number}: no video and second stand there")
        if row["phase"] not in PHASES:
            raise Malformed(f"{LABELS}, row {number}: phase {row['phase']!r} is none of {', '.join(PHASES)}")
        if second in found.setdefault(video, {}):
            raise Malformed(f"{LABELS}, row {number}: second {second} of {video} stands in the file twice")
        found[video][second] = row["phase"]
    if not found:
        raise Malformed(f"{LABELS}: holds no videos")
    folders = {path.name for path in data.iterdir()}
    for video in sorted(folders ^ found.keys()):
        lacks = LABELS if video in folders else "the data"
        raise Malformed(f"{video}: there is nothing of it in {lacks}")
    return found


def sanity_check(data: Path, labels: Path) -> None:
    """Refuse prepared data on which no model should be judged."""
    found = read_prepared(data, labels)
    for video, phases in found.items():
        wanted = {f"{int(second):06d}.jpg" for second in phases}
        there = {path.name for path in (data / video).iterdir()}
        for name in sorted(wanted ^ there):
            raise Malformed(f"{video}: {name} has no {'label' if name in there else 'picture'}")
        sizes = {picture_size(data / video / name) for name in sorted(wanted)}
        if len(sizes) > 1:
            raise Malformed(f"{video}: its pictures are of different sizes")
    print(f"{len(found)} videos are in order")


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height of a picture that can be read whole."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.size
    except OSError as error:
        raise Malformed(f"{path.parent.name}: {path.name} cannot be read as a picture") from error


def statistics(data: Path, labels: Path, out: Path) -> None:
    """Write numbers of videos and frames, in all and for each phase, as YAML."""
    found = read_prepared(data, labels)
    frames = Counter(phase for phases in found.values() for phase in phases.values())
    videos = Counter(phase for phases in found.values() for phase in set(phases.values()))
    content = {"num_cases": len(found), "num_frames": sum(frames.values())}
    content |= {f"num_frames_{phase.replace('-', '_')}": frames[phase] for phase in PHASES}
    content |= {f"num_videos_{phase.replace('-', '_')}": videos[phase] for phase in PHASES}
    out.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    print(f"statistics of {len(found)} videos written")


def main() -> None:
    """Run one task on the container's mounts, or on the folders that were given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["prepare", "sanity_check", "statistics"])
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out-data", type=Path, default=Path("/output/data"))
    parser.add_argument("--out-labels", type=Path, default=Path("/output/labels"))
    parser.add_argument("--out-metadata", type=Path, default=Path("/output/metadata"))
    parser.add_argument("--report", type=Path, default=Path("/output/report/report.yaml"))
    parser.add_argument("--out-statistics", type=Path, default=Path("/output/statistics.yaml"))
    args = parser.parse_args()
    av.logging.set_level(None)
    try:
        if args.task == "prepare":
            parameters = read_parameters(args.parameters)
            outputs = args.out_data, args.out_labels, args.out_metadata
            prepare(args.data, args.labels, parameters, *outputs, args.report)
        elif args.task == "sanity_check":
            sanity_check(args.data, args.labels)
        else:
            statistics(args.data, args.labels, args.out_statistics)
    except Malformed as error:
        sys.exit(f"refused: {error}")


if __name__ == "__main__":
    main()
