"""Badges: readable, accessible, laid out without a font."""

import re
import xml.etree.ElementTree as ET

import pytest

from medperf_git.leaderboard.badges import _FIRST, _NONE, _OTHER, render_badge
from medperf_git.leaderboard.build import build_site
from medperf_git.leaderboard.widths import clip, width_of
from tests.support import leaderboard_registry as lr

SVG = "{http://www.w3.org/2000/svg}"


def site_of(registry):
    return build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)


def title_of(data):
    return ET.fromstring(data).findtext(f"{SVG}title")


def test_a_benchmark_has_a_badge_and_each_model_has_one_in_it():
    files = site_of(lr.demo())
    first = title_of(files["benchmarks/ana/breast/1/badge.svg"])
    assert first == "Malignancy of breast masses: first of 4, not clearly: Logistic regression"
    badges = {name: title_of(data) for name, data in files.items() if "/badge-" in name}
    assert len(badges) == 5
    assert badges["models/ben/forest/1/badge-ana.breast.1.svg"].startswith("Malignancy of breast masses: rank 2 of 4")
    assert badges["models/ben/late/1/badge-ana.breast.1.svg"] == "Malignancy of breast masses: not ranked"


def test_a_badge_claims_no_more_than_the_page():
    registry = lr.Registry()
    registry.site("north", cases=60)
    registry.model("ridge", "Ridge")
    for model, value in (("ridge", 0.9), ("one-feature", 0.8)):
        registry.result(model, "north", {"auroc": value})
    files = site_of(registry)
    told = title_of(files["benchmarks/ana/breast/1/badge.svg"])
    assert told == "Malignancy of breast masses: first of 2 at one site: Ridge"
    told = title_of(files["models/ben/ridge/1/badge-ana.breast.1.svg"])
    assert told == "Malignancy of breast masses: rank 1 of 2 at one site"


def test_a_benchmark_without_a_ranking_says_so():
    assert title_of(site_of(lr.Registry())["benchmarks/ana/breast/1/badge.svg"]).endswith("no ranking yet")


def test_text_fits_its_field_and_a_long_one_is_cut_but_whole_in_the_title():
    long = "A very long name of a benchmark that nobody could ever read in a badge of this size"
    picture = ET.fromstring(render_badge(long, "rank 1 of 6", _FIRST))
    assert picture.findtext(f"{SVG}title") == f"{long}: rank 1 of 6"
    left, right = picture.iter(f"{SVG}text")
    assert left.text.endswith("…")
    assert float(left.get("x")) + float(left.get("textLength")) < float(right.get("x"))
    assert float(right.get("x")) + float(right.get("textLength")) + 7 == pytest.approx(float(picture.get("width")))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><svg onload=x>', "a & b", "&lt;b&gt;", "𝔘漢字é"])
def test_t49_hostile_text_stays_text_in_a_badge(text):
    picture = ET.fromstring(render_badge(text, text, _OTHER))
    assert [node.tag for node in picture.iter()] == [
        SVG + name for name in ("svg", "title", "path", "path", "g", "text", "text")
    ]
    assert picture.findtext(f"{SVG}title") == f"{text}: {text}"


def test_a_badge_fetches_nothing():
    data = render_badge("a", "b", _NONE).decode()
    assert re.findall(r"(?:https?:|url\(|href|@import|style=)[^\"]*", data) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("colour", ["#1c2530", _FIRST, _OTHER, _NONE])
def test_white_stands_out_from_every_colour(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (light + 0.05) >= 4.5


def test_widths_are_those_of_arial():
    assert width_of("Hamburg", 1000) == 722 + 556 + 833 + 556 + 556 + 333 + 556
    assert width_of("e\N{COMBINING ACUTE ACCENT}", 1000) == width_of("e", 1000)
    assert width_of("漢", 1000) == 1000
    assert clip("abc", 10, 100) == "abc"
    assert width_of(clip("m" * 50, 10, 100), 10) <= 100
