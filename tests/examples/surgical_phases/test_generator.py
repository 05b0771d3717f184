"""The made-up operations: the same bytes twice, phases as declared, hospitals that differ."""

from __future__ import annotations

import io
import tarfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml

from .conftest import PILOT, annotation_of, maker


def test_drawing_twice_gives_the_same_bytes(tmp_path: Path):
    for site in (maker.SITES[0], maker.SITES[2], maker.SITES[4]):  # mp4, avi and mkv
        for attempt in ("first", "second"):
            maker.write_site(site, tmp_path / attempt, 1)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("first", "second")
    )
    assert len(first) == 4
    assert first == second


def test_demo_data_are_packed_into_the_same_bytes_and_name_their_folders(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(maker, "draw_plan", lambda *_: [(maker.PREPARATION, 2), (maker.PACKAGING, 2)])
    maker.write_demo_data(tmp_path)
    content = (tmp_path / "demo_data.tar.gz").read_bytes()
    maker.write_demo_data(tmp_path)
    assert (tmp_path / "demo_data.tar.gz").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["demo_data.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
        paths = yaml.safe_load(archive.extractfile("paths.yaml").read())
    assert paths == {"data_path": "data", "labels_path": "labels"}
    assert names[:2] == ["data/videos/video01.mp4", "data/videos/video02.mp4"]
    assert "labels/phase_annotations/video03-phase.txt" in names


def test_a_video_says_its_rate_and_has_one_line_of_annotation_a_frame(tmp_path: Path):
    site = maker.SITES[2]
    assert site.rate == Fraction(25, 4)
    maker.write_site(site, tmp_path, 1)
    with av.open(str(tmp_path / "data" / "videos" / "video01.avi")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == site.rate
        count = sum(1 for _ in container.decode(stream))
    lines = annotation_of(tmp_path, "video01").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Frame\tPhase"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(number) for number in range(count)]


def test_phases_are_absent_where_the_site_says_so():
    for site in (*maker.SITES, maker.DEVELOPMENT):
        for case in range(1, site.cases + 1):
            plan = maker.draw_plan(site, case, np.random.default_rng(case))
            lacking = {site.without.get(0), site.without.get(case)} - {None}
            assert not lacking.intersection(phase for phase, _ in plan)
            assert all(seconds >= maker.SHORTEST for _, seconds in plan)


def test_the_description_names_the_sites_that_are_drawn_and_says_that_they_are_synthetic():
    told = yaml.safe_load((PILOT / "pilot.yaml").read_text(encoding="utf-8"))
    assert [(row["name"], row["cases"], row["reduced"]) for row in told["sites"]] == [
        (site.name, site.cases, site.reduced) for site in maker.SITES
    ]
    assert all("synthetic" in row["title"] for row in told["sites"])
    assert "synthetic" in yaml.safe_load((PILOT / "benchmark.yaml").read_text(encoding="utf-8"))["title"]
