"""The preparator cuts one picture a second, names every video that it refuses, and goes on when they were mended."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from .conftest import PILOT, annotation_of, maker, preparator, run_prepare, run_program, write_video

PARAMETERS = preparator.read_parameters(PILOT / "preparator" / "parameters.yaml")


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def read_picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def write_header_only(path: Path) -> None:
    """Write a video that ends before its first frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = maker.WIDTH, maker.HEIGHT, "yuv420p"
        container.start_encoding()


def prepare_here(raw: Path, out: Path, parameters=PARAMETERS) -> None:
    """Prepare in this process, without a report."""
    for name in ("data", "labels", "metadata"):
        (out / name).mkdir(parents=True, exist_ok=True)
    outputs = (out / "data", out / "labels", out / "metadata", out / "none" / "report.yaml")
    preparator.prepare(raw / "data", raw / "labels", parameters, *outputs)


def test_all_bad_videos_are_named_at_once_and_it_goes_on_when_they_were_mended(tmp_path: Path):
    raw, out = tmp_path / "raw", tmp_path / "out"
    names = ("good", "short", "unannotated", "unknown", "backwards", "header", "torn", "empty", "bare", "twice")
    for name in names:
        write_video(raw, name, 20, lines=40 if name == "short" else None)
    videos = raw / "data" / "videos"
    annotation_of(raw, "unannotated").rename(tmp_path / "kept.txt")
    for name, old, new in (
        ("unknown", "3\tPreparation", "3\tTeaBreak"),
        ("backwards", "7\tPreparation", "5\tPreparation"),
        ("twice", "9\tPreparation", "8\tPreparation"),
        ("header", "Frame\tPhase", "frame;phase"),
    ):
        annotation = annotation_of(raw, name)
        annotation.write_text(annotation.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    (videos / "torn.mp4").write_bytes((videos / "torn.mp4").read_bytes()[:900])
    write_header_only(videos / "empty.mp4")
    (videos / "bare.mp4").unlink()
    write_header_only(videos / "bare.avi")
    (raw / "labels" / "phase_annotations" / "lonely-phase.txt").write_text("Frame\tPhase\n0\tPreparation\n")

    done = run_prepare(raw, out)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = dict(line.removeprefix("refused: ").split(": ", 1) for line in done.stderr.splitlines())
    expected = {
        "backwards": "phase_annotations/backwards-phase.txt, row 9: frame '5' stands where frame 7 must be",
        "bare": "videos/bare.avi: holds no frames",
        "empty": "videos/empty.mp4: there are no pictures in it",
        "header": "phase_annotations/header-phase.txt, row 1: the header must be Frame and Phase with a tab between",
        "lonely": "videos/lonely.*: there is no such file, only an annotation",
        "short": "videos/short.mp4: ends after 20 frames (4.0 s), but its annotation has 40 (8.0 s)",
        "torn": "videos/torn.mp4: cannot be read as a video: ",
        "twice": "phase_annotations/twice-phase.txt, row 11: frame '8' stands where frame 9 must be",
        "unannotated": "phase_annotations/unannotated-phase.txt: there is no such file",
        "unknown": "phase_annotations/unknown-phase.txt, row 5: phase 'TeaBreak' is none of Preparation, ",
    }
    assert sorted(said) == sorted(expected)
    for name, sentence in expected.items():
        assert said[name].startswith(sentence), said[name]
    report = yaml.safe_load((out / "report" / "report.yaml").read_text(encoding="utf-8"))
    assert report["status"] == dict.fromkeys(expected, -1) | {"good": 3}
    assert report["comment"]["torn"] == said["torn"]
    assert [path.name for path in (out / "data").iterdir()] == ["good"]
    assert not (out / "labels" / "labels.csv").exists()

    before = {path: path.stat().st_mtime_ns for path in (out / "data" / "good").iterdir()}
    (raw / "labels" / "phase_annotations" / "lonely-phase.txt").unlink()
    (videos / "bare.avi").unlink()
    for name in names[1:]:
        write_video(raw, name, 20)
    again = run_prepare(raw, out)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (out / "data" / "good").iterdir()} == before
    assert set(yaml.safe_load((out / "report" / "report.yaml").read_text())["status_name"].values()) == {"DONE"}
    rows = read_rows(out / "labels" / "labels.csv")
    assert rows[0] == ["video", "second", "phase"]
    assert len(rows) == 1 + len(names) * 4


def test_the_first_frame_of_each_second_is_taken_by_the_rate_that_the_video_says(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(maker, "QUANTISER", "2")
    write_video(tmp_path, "quarter", 32, rate=Fraction(25, 4))
    prepare_here(tmp_path, tmp_path / "out")
    folder = tmp_path / "out" / "data" / "quarter"
    assert sorted(path.name for path in folder.iterdir()) == [f"{second:06d}.jpg" for second in range(6)]
    # Frame n was drawn with brightness 7 n, and second s begins with frame 6.25 s.
    pictures = [read_picture(path) for path in sorted(folder.iterdir())]
    assert pictures[0].shape == (96, 128, 3)
    brightness = [picture.mean() for picture in pictures]
    assert brightness == pytest.approx([0, 7 * 6, 7 * 13, 7 * 19, 7 * 25, 7 * 31], abs=3)
    phases = [row[2] for row in read_rows(tmp_path / "out" / "labels" / "labels.csv")[1:]]
    assert phases == ["preparation"] * 2 + ["clipping-cutting"] * 4


def test_a_video_may_lack_as_many_frames_as_declared_and_one_more_is_refused(tmp_path: Path):
    write_video(tmp_path, "rounded", 20, lines=22)
    prepare_here(tmp_path, tmp_path / "out")
    # Frame 20 begins the fifth second and is not in the video: that second has no picture, and no label either.
    assert len(read_rows(tmp_path / "out" / "labels" / "labels.csv")) == 1 + 4
    write_video(tmp_path, "rounded", 20, lines=23)
    with pytest.raises(preparator.Malformed, match="ends after 20 frames"):
        prepare_here(tmp_path, tmp_path / "out")


def test_seconds_of_a_phase_that_is_declared_null_are_left_out(tmp_path: Path):
    write_video(tmp_path, "partly", 25)
    path = tmp_path / "parameters.yaml"
    path.write_text("phases: {Preparation: null, ClippingCutting: clipping-cutting}\nheight: 96\nslack: 0\n")
    prepare_here(tmp_path, tmp_path / "out", preparator.read_parameters(path))
    assert [row[1] for row in read_rows(tmp_path / "out" / "labels" / "labels.csv")[1:]] == ["3", "4"]
    assert len(list((tmp_path / "out" / "data" / "partly").iterdir())) == 2


def test_names_of_cholec80_become_the_six_phases():
    phases = PARAMETERS.phases
    assert set(phases.values()) == set(preparator.PHASES)
    assert set(maker.SEEN) <= set(phases)
    assert phases["GallbladderRetraction"] == "gallbladder-packaging"
    assert phases["CalotTriangleDissection"] == "hepatocystic-triangle-dissection"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("height: 96\n", "it must say `phases:`"),
        ("phases: {Preparation: prep}\nheight: 96\nslack: 2\n", "Preparation is 'prep', which is none of preparation"),
        ("phases: {Preparation: preparation}\nheight: big\nslack: 2\n", "it must say `height:` with a whole number"),
        ("phases: {Preparation: preparation}\nheight: 96\n", "it must say `slack:` with a whole number"),
    ],
)
def test_parameters_have_no_defaults(tmp_path: Path, text: str, sentence: str):
    path = tmp_path / "parameters.yaml"
    path.write_text(text)
    with pytest.raises(preparator.Malformed, match=sentence):
        preparator.read_parameters(path)


def test_folders_and_names_that_are_not_as_agreed_are_refused(tmp_path: Path):
    with pytest.raises(preparator.Malformed, match=r"^videos: there is no such folder"):
        preparator.find_raw(tmp_path / "data", tmp_path / "labels")
    videos = tmp_path / "data" / "videos"
    write_video(tmp_path, "one", 5)
    (videos / "one.mp4").rename(videos / "read me.txt")
    with pytest.raises(preparator.Malformed, match=r"^videos: holds no video"):
        preparator.find_raw(tmp_path / "data", tmp_path / "labels")
    for name in ("two.mp4", "two.avi", "a b.mp4"):
        (videos / name).touch()
    with pytest.raises(preparator.Malformed) as refused:
        prepare_here(tmp_path, tmp_path / "out")
    assert str(refused.value).splitlines() == [
        "a b: videos/a b.mp4: a name must consist of ASCII letters, digits, '-' and '_'",
        "refused: two: videos/two.mp4: this video is there twice, also as two.avi",
        "refused: one: videos/one.*: there is no such file, only an annotation",
    ]


def test_an_annotation_without_a_name_takes_nothing_of_the_others_away(tmp_path: Path):
    write_video(tmp_path, "one", 12)
    prepare_here(tmp_path, tmp_path / "out")
    annotation_of(tmp_path, "").write_text("Frame\tPhase\n0\tPreparation\n", encoding="utf-8")
    with pytest.raises(preparator.Malformed, match=r"^-phase\.txt: phase_annotations/-phase\.txt: a name must consist"):
        prepare_here(tmp_path, tmp_path / "out")
    assert len(list((tmp_path / "out" / "data" / "one").iterdir())) == 3
    assert not (tmp_path / "out" / "labels" / "labels.csv").exists()  # no table of an earlier time passes for this one


@pytest.mark.parametrize(("name", "words"), [("two.mp4", "Is a directory"), ("three.mp4", "No such file or directory")])
def test_what_cannot_be_opened_is_refused_with_video_and_file(tmp_path: Path, name: str, words: str):
    write_video(tmp_path, "one", 12)
    path = tmp_path / "data" / "videos" / name
    path.mkdir() if name == "two.mp4" else path.symlink_to("nowhere")
    with pytest.raises(preparator.Malformed, match=rf"^{path.stem}: videos/{name}: cannot be read: {words}$"):
        prepare_here(tmp_path, tmp_path / "out")
    assert (tmp_path / "out" / "data" / "one" / "000000.jpg").is_file()


def test_pictures_of_a_run_that_was_stopped_are_not_taken_for_those_of_another_file(tmp_path: Path, monkeypatch):
    write_video(tmp_path, "one", 12)
    prepare_here(tmp_path, tmp_path / "out")
    path = tmp_path / "data" / "videos" / "one.mp4"
    good, cut_at = path.read_bytes(), tmp_path / "out" / "data" / "one" / "000000.jpg"
    picture = cut_at.read_bytes()

    def stopped(raw: object, phases: object, parameters: object, out: Path) -> None:
        (out / "000000.jpg").write_bytes(b"of the other file")
        raise KeyboardInterrupt

    path.write_bytes(good + b"\0")
    with monkeypatch.context() as patch:
        patch.setattr(preparator, "cut", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare_here(tmp_path, tmp_path / "out")
    path.write_bytes(good)
    prepare_here(tmp_path, tmp_path / "out")
    assert cut_at.read_bytes() == picture


def test_a_torn_table_of_what_was_done_means_to_begin_anew(tmp_path: Path):
    write_video(tmp_path, "one", 12)
    prepare_here(tmp_path, tmp_path / "out")
    table = tmp_path / "out" / "metadata" / "videos.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:9])
    prepare_here(tmp_path, tmp_path / "out")
    assert table.read_bytes() == whole


def test_prepared_data_are_checked_and_counted(prepared: Path, tmp_path: Path):
    folder = prepared / "naples-like"
    where = ("--data", folder / "data", "--labels", folder / "labels")
    done = run_program("preparator/prepare.py", "sanity_check", *where)
    assert done.returncode == 0, done.stderr
    preparator.statistics(folder / "data", folder / "labels", tmp_path / "statistics.yaml")
    found = yaml.safe_load((tmp_path / "statistics.yaml").read_text(encoding="utf-8"))
    assert found["num_cases"] == 2
    frames = sum(count for name, count in found.items() if name.startswith("num_frames_"))
    assert found["num_frames"] == frames == len(read_rows(folder / "labels" / "labels.csv")) - 1
    assert found["num_videos_cleaning_coagulation"] == 0
    assert found["num_videos_clipping_cutting"] == 2


def test_the_sanity_check_refuses_what_prepare_would_not_have_written(tmp_path: Path):
    write_video(tmp_path, "one", 25)
    prepare_here(tmp_path, tmp_path / "out")
    data, labels = tmp_path / "out" / "data", tmp_path / "out" / "labels"
    preparator.sanity_check(data, labels)
    (data / "one" / "000002.jpg").write_bytes(b"no picture")
    with pytest.raises(preparator.Malformed, match=r"one: 000002.jpg cannot be read as a picture"):
        preparator.sanity_check(data, labels)
    (data / "one" / "000002.jpg").unlink()
    with pytest.raises(preparator.Malformed, match=r"one: 000002.jpg has no picture"):
        preparator.sanity_check(data, labels)
    Image.new("RGB", (4, 4)).save(data / "one" / "000002.jpg")
    with pytest.raises(preparator.Malformed, match=r"one: its pictures are of different sizes"):
        preparator.sanity_check(data, labels)
    (data / "two").mkdir()
    with pytest.raises(preparator.Malformed, match=r"two: there is nothing of it in labels.csv"):
        preparator.sanity_check(data, labels)
