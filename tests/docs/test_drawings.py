"""What the scripts draw for the documentation: the cast, the map of sites, the pilots' page."""

import itertools
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.docs.test_site import script
from tests.support.pages import ROOT

cast, site_map = script("cast"), script("site_map")
SVG = "{http://www.w3.org/2000/svg}"


def words_of(svg: str) -> str:
    return "\n".join("".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.skipif(sys.platform == "win32", reason="recording needs a terminal of Unix")
def test_a_recording_of_a_command_has_its_words_its_colours_and_its_code(tmp_path: Path) -> None:
    told = "import sys, time; print('\\x1b[1;33mone\\x1b[0m <&>'); time.sleep(0.2); print('two'); sys.exit(3)"
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts/cast.py",
            "record",
            "--out",
            tmp_path / "a.cast",
            "--",
            sys.executable,
            "-c",
            told,
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    lines = cast.read_lines(tmp_path / "a.cast")
    assert [line.plain for line in lines] == ["one <&>", "two"]
    assert lines[1].second - lines[0].second >= 0.15
    svg = cast.draw(cast.paced(lines), title="A <title>", description="What is shown")
    assert words_of(svg) == "one <&>\ntwo"
    assert '<tspan class="b y">one</tspan>' in svg
    assert ET.fromstring(svg).findtext(f"{SVG}title") == "A <title>"
    assert ET.fromstring(svg).findtext(f"{SVG}desc") == "What is shown"


def test_only_the_parts_that_were_asked_for_are_drawn() -> None:
    lines = [cast.Line(number, text) for number, text in enumerate(["— 1. a", "x", "— 2. b", "y", "— 3. c", "z"])]
    assert [line.plain for line in cast.chosen(lines, [("— 2. ", "— 3. ")])] == ["— 2. b", "y"]
    with pytest.raises(SystemExit, match="no line from the 1th on holds: — 9"):
        cast.chosen(lines, [("— 9. ", "— 3. ")])


def test_long_pauses_are_cut_and_a_command_waits_to_be_read() -> None:
    lines = [cast.Line(0, "a"), cast.Line(100, "b"), cast.Line(100, "c"), cast.Line(100, "amara $ ls")]
    seconds = [line.second for line in cast.paced(lines)]
    assert [round(after - before, 2) for before, after in itertools.pairwise(seconds)] == [1.0, 0.06, 1.2]


def test_the_cast_of_the_readme_is_small_and_moves_only_for_those_who_like_it() -> None:
    svg = (ROOT / "docs/images/demo.svg").read_text(encoding="utf-8")
    style = ET.fromstring(svg).findtext(f"{SVG}style") or ""
    assert len(svg.encode()) <= 150_000
    assert (
        style.count("animation:")
        == style.partition("@media (prefers-reduced-motion:no-preference)")[2].count("animation:")
        == 2
    )
    assert "medperf-git leaderboard build" in words_of(svg)
    assert "href" not in svg
    assert "<script" not in svg


def test_a_map_has_one_dot_in_the_middle_of_each_country_and_nothing_finer() -> None:
    sites = [
        site_map.Site(name, f"Hospital <{name}>", country)
        for name, country in [("a", "US"), ("b", "US"), ("c", "FR"), ("d", None)]
    ]
    svg = ET.fromstring(site_map.draw(sites, note="All sites are made up."))
    dots = list(svg.iter(f"{SVG}circle"))
    assert len(dots) == 2
    france = site_map.place(*json.loads(site_map.WORLD.read_text(encoding="utf-8"))["middles"]["FR"])
    assert [float(dots[0].attrib[key]) for key in ("cx", "cy")] == pytest.approx(france, abs=0.06)
    assert svg.findtext(f"{SVG}title") == "Map of sites: 3 sites in 2 countries, 1 that does not say where"
    assert "All sites are made up." in words_of(ET.tostring(svg, encoding="unicode"))


def test_a_country_that_is_none_is_refused_by_its_letters() -> None:
    with pytest.raises(ValueError, match="no such country: QQ"):
        site_map.draw([site_map.Site("a", "A", "QQ")], note="")


def test_the_projection_is_equal_earth() -> None:
    """Corners of the projection as its paper gives them: half width 2.70663, half height 1.31735."""
    assert site_map.project(180, 0) == pytest.approx((2.7066299836, 0))
    assert site_map.project(0, 90) == pytest.approx((0, 1.3173627591))
    assert site_map.project(0, -90) == pytest.approx((0, -1.3173627591))


def test_the_sites_of_a_registry_are_the_members_with_a_dataset_by_their_newest_record(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words],
            check=True,
            capture_output=True,
        )

    records = {
        "members/north/0001.yaml": "title: North\n",
        "members/north/0002.yaml": "title: North\ncountry: DE\n",
        "members/lab/0001.yaml": "title: Lab\ncountry: FR\n",
        "datasets/north/scans/1.yaml": "kind: dataset\n",
    }
    for name, text in records.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    assert site_map.sites_of(tmp_path) == [site_map.Site("north", "North", "DE")]


def test_the_page_of_the_pilots_is_written_from_their_descriptions_and_pictures(tmp_path: Path) -> None:
    pilots = script("pilots-docs")
    folder = tmp_path / "examples/chest"
    folder.mkdir(parents=True)
    (folder / "pilot.yaml").write_text(
        "models: [{title: 'A | B'}, {title: C}]\nsites: [{cases: 3}, {cases: 4}]\nbenchmark: chest\n", encoding="utf-8"
    )
    science = (
        "title: Findings\nmetrics: [{id: auroc, title: AUROC}, {id: f1, title: F1}]\nranking: {metrics: [auroc]}\n"
    )
    (folder / "benchmark.yaml").write_text(science, encoding="utf-8")
    page = f"{pilots.TABLE[0]}\n{pilots.TABLE[1]}\n{pilots.PICTURES[0]}\n{pilots.PICTURES[1]}\n"
    bare = pilots.render(page, tmp_path)
    row = "| Findings | A \\| B; C | 2 sites, 7 cases | AUROC (2 metrics in all) |"
    assert f"{row} [what it is](../examples/chest/README.md) |" in bare
    assert "![" not in bare
    (tmp_path / "docs/images").mkdir(parents=True)
    said = {"chest": {"headline": "C is first.", "results": 4, "day": "2026-11-27", "commit": "a" * 40}}
    (tmp_path / "docs/images/pilots.json").write_text(json.dumps(said), encoding="utf-8")
    full = pilots.render(bare, tmp_path)
    assert "![Leaderboard of the pilot chest: C is first.](images/pilot-chest.png)" in full
    assert pilots.render(full, tmp_path) == full
