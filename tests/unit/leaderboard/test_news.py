"""What changed lately, in sentences, and as a feed that feed readers accept."""

import uuid
import xml.etree.ElementTree as ET

import feedparser
import pytest

from medperf_git.leaderboard import news
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.build import build_site
from medperf_git.leaderboard.news import iter_news
from medperf_git.leaderboard.news_page import _text
from medperf_git.leaderboard.reading import read_tables
from medperf_git.records.times import parse_time
from tests.support import comparison_builder as cb
from tests.support import leaderboard_registry as lr
from tests.support.rich_registry import OneStep, rich, steps_of

A = "{http://www.w3.org/2005/Atom}"
HOSTILE = (
    "<script>alert(1)</script>",
    "]]><!-- &x; --> & \"'",
    "{{ 7*7 }}{% raw %}",
    "</title></entry></feed>",
    "Ω \U0001f600 漢字",
)


def site_of(registry, **changes):
    words = {"commit": lr.COMMIT, "registry_id": lr.REGISTRY_ID, "step_time": lr.STEP_TIME, "steps": steps_of(registry)}
    return build_site(registry.view(), **{**words, **changes})


def told(view, *steps):
    analyses = [analyse(table) for table in read_tables(view).benchmarks]
    return [one.text for one in iter_news(view, analyses, steps)]


def step(*paths):
    return OneStep("a" * 40, lr.CREATED, paths)


def test_each_kind_of_step_has_its_sentence():
    registry = rich()
    texts = told(registry.view(), *steps_of(registry, 1000))
    for text in (
        "The registry was founded.",
        "Hospital North joined.",
        "Ana’s committee revoked a key.",
        "Ana’s committee changed its keys.",
        "Ana’s committee opened the benchmark Malignancy of breast masses.",
        "Ben’s group registered the model Logistic regression.",
        "Ben’s group registered the model Random forest, version 2.",
        "Ana’s committee registered the data preparator Table preparator.",
        "Hospital North registered the dataset North General: 60 cases.",
        "The dataset North General asked to take part in Malignancy of breast masses.",
        "The model Random forest was admitted to Malignancy of breast masses.",
        "Hospital North published a result of Random forest on Malignancy of breast masses: rank 2 of 4.",
        "Hospital River published a newer result of Random forest on Malignancy of breast masses: rank 2 of 4.",
        (
            "Hospital Summit reported that Nearest neighbours failed on Malignancy of breast masses: "
            "it needed more memory than it was given."
        ),
        (
            "Ana’s committee disputed the result of Gradient boosting at North General on Malignancy of breast masses "
            "(implausible)."
        ),
        "Ben’s group withdrew the model Nearest neighbours (error found).",
    ):
        assert text in texts


def test_results_that_came_in_one_step_are_told_in_one_sentence():
    registry = lr.demo()
    paths = [path for path in registry.files if path.startswith("results/") and "/north." in path]
    assert told(registry.view(), step(*[path for path in paths if path.endswith(".yaml")])) == [
        (
            "Hospital North published results of 5 models on Malignancy of breast masses: Logistic regression, Random "
            "forest, Nearest neighbours, One feature and Gradient boosting."
        )
    ]


def test_the_records_of_a_huge_step_are_counted_and_not_read(monkeypatch):
    monkeypatch.setattr(news, "MOST_RECORDS", 2)
    monkeypatch.setattr(news, "MOST_SITES", 2)
    registry = lr.demo()
    paths = [path for path in registry.files if path.startswith(("results/", "cubes/")) and path.endswith(".yaml")]
    assert told(registry.view(), step(*paths)) == [
        "Hospital North published 5 results on Malignancy of breast masses.",
        "Hospital River published 5 results on Malignancy of breast masses.",
        "At once came also 7 cube records and 4 result records.",
    ]


def test_a_comparison_is_told():
    house = cb.compared()
    house.merge(house.propose(cb.comparison(house)).sign("north"))
    path = "comparisons/dora/heart/2/north.wards.1/dice/0001.yaml"
    assert told(house.view, step(path)) == ["North Institute compared 2 models case by case on Heart failure, by dice."]


def test_signatures_house_files_and_broken_records_are_told_without_a_guess():
    registry = lr.demo()
    bundle = next(path for path in registry.files if path.endswith(".json"))
    registry.files["members/eve/0001.yaml"] = b"kind: member\n"
    assert told(registry.view(), step(bundle), step("README.md"), step("members/eve/0001.yaml")) == [
        "Signatures were added to records that were there.",
        "Files of the house changed.",
        "1 record that counts as absent or cannot be read: members/eve/0001.yaml.",
    ]


def test_the_page_groups_by_day_and_links_what_each_sentence_is_about():
    page = site_of(rich())["changes.html"].decode()
    assert page.count("<h2") == 3
    assert '<a href="models/ben/forest/2/index.html">Ben’s group registered the model Random forest, version 2.' in page
    assert f"{page.count('<li><time')} events on 3 days, the newest first." in page


def test_without_steps_the_page_says_so_and_the_feed_is_empty():
    files = site_of(lr.demo(), steps=())
    assert b"Nothing is known of earlier steps here." in files["changes.html"]
    assert ET.fromstring(files["changes.atom"]).findall(f"{A}entry") == []


def rfc_4287_faults(data):
    """Say what RFC 4287 (4.1.1, 4.1.2, 4.2) asks and a feed does not hold."""
    feed = ET.fromstring(data)
    parts = [feed, *feed.findall(f"{A}entry")]
    if feed.tag != f"{A}feed" or feed.find(f"{A}author/{A}name") is None:
        yield "no feed with an author"
    for part in parts:
        for name in ("id", "title", "updated"):
            found = part.findall(A + name)
            if len(found) != 1 or not (found[0].text or "").strip():
                yield f"{part.tag} has {len(found)} {name}"
        yield from _fields(part)
    ids = [part.findtext(f"{A}id") for part in parts]
    if len(set(ids)) != len(ids):
        yield "ids are not unique"


def _fields(part):
    if uuid.UUID(part.findtext(f"{A}id")).urn != part.findtext(f"{A}id"):
        yield "an id is no URN"
    parse_time(part.findtext(f"{A}updated"))
    relations = [link.get("rel") for link in part.findall(f"{A}link")]
    if relations.count("alternate") != 1:
        yield "not exactly one alternate link"
    if part.tag == f"{A}entry" and part.find(f"{A}content") is None:
        yield "an entry without content"


@pytest.mark.parametrize("text", ["calm", *HOSTILE])
def test_t49_the_feed_is_valid_whatever_records_say(text):
    names = ("model", "dataset", "benchmark", "registry")
    registry = lr.Registry(texts=dict.fromkeys(names, text))
    registry.site("north", cases=20)
    registry.result("one-feature", "north", {"auroc": 0.9})
    data = site_of(registry)["changes.atom"]
    assert list(rfc_4287_faults(data)) == []
    parsed = feedparser.parse(data)
    assert not parsed.bozo, parsed.get("bozo_exception")
    titles = [entry.findtext(f"{A}title") for entry in ET.fromstring(data).findall(f"{A}entry")]
    assert f"Hospital North published a result of {text} on {text}: rank 1 of 1." in titles


def test_t49_what_xml_cannot_hold_becomes_the_sign_for_that():
    parent = ET.Element("entry")
    _text(parent, "title", "a\0b\x0b\ufffe\ud800<c>\n")
    assert parent.findtext("title") == "a\ufffdb\ufffd\ufffd\ufffd<c>\n"
    ET.fromstring(ET.tostring(parent, encoding="unicode"))


def test_an_entry_keeps_its_id_when_more_steps_come_and_another_registry_has_others():
    registry = rich()
    ids = [one.findtext(f"{A}id") for one in ET.fromstring(site_of(registry)["changes.atom"]).findall(f"{A}entry")]
    registry.notice("cubes/ben/near/1.yaml", "reinstate", by="ben", side="owner")
    later = ET.fromstring(site_of(registry, commit="b" * 40)["changes.atom"]).findall(f"{A}entry")
    assert [one.findtext(f"{A}id") for one in later][1:] == ids[: len(later) - 1]
    other = ET.fromstring(site_of(rich(), registry_id="mg1:" + "cd" * 32)["changes.atom"])
    assert not {one.text for one in other.iter(f"{A}id")} & set(ids)


def test_the_feed_is_as_new_as_its_newest_step():
    feed = ET.fromstring(site_of(rich())["changes.atom"])
    times = [entry.findtext(f"{A}updated") for entry in feed.findall(f"{A}entry")]
    assert times == sorted(times, reverse=True)
    assert feed.findtext(f"{A}updated") == times[0]
