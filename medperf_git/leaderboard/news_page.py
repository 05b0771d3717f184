"""What changed lately, as a page and as an Atom feed (RFC 4287).

Rules kept here: an entry's id follows from the registry and from the digests of the records it tells of, so it is the
same in every build; its time is the time of its step; all text goes through the XML serialiser.
"""

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, islice

from medperf_git import __version__
from medperf_git.leaderboard import urls
from medperf_git.leaderboard.news import News, iter_news
from medperf_git.leaderboard.page import DataFile, Page
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.text import some
from medperf_git.leaderboard.words import Context

ATOM = "http://www.w3.org/2005/Atom"
MOST_ENTRIES = 200
MOST_NAMED = 12  # records in the text of one entry
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/medperf-git/medperf-git#news")


def news_pages(site: SiteData) -> Iterator[Page | DataFile]:
    """Yield what changed lately, for people and for feed readers."""
    news = tuple(islice(iter_news(site.view, site.analyses, site.steps), MOST_ENTRIES))
    yield Page(urls.CHANGES, "changes.html", partial(news_context, news))
    yield DataFile(urls.FEED, partial(render_feed, site, news))


def news_context(news: Sequence[News]) -> Context:
    """Say what the page shows: sentences by day, the newest first."""
    days = [(day, list(group)) for day, group in groupby(news, key=lambda one: one.time[:10])]
    return {
        "trail": [{"url": "", "text": "What changed lately"}],
        "sentence": f"{some(len(news), 'event')} on {some(len(days), 'day')}, the newest first."
        if news
        else "Nothing is known of earlier steps here.",
        "days": [
            {
                "day": day,
                "rows": [
                    {
                        "time": one.time,
                        "clock": one.time[11:16],
                        "text": one.text,
                        "url": one.url,
                        "commit": one.commit[:12],
                    }
                    for one in group
                ],
            }
            for day, group in days
        ],
    }


def render_feed(site: SiteData, news: Sequence[News]) -> bytes:
    """Write the feed."""
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _text(feed, "id", _id(site.registry_id))
    _text(feed, "title", f"{site.tables.title}: what changed lately")
    _text(feed, "updated", news[0].time if news else site.step_time)
    ET.SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": urls.FEED})
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": urls.CHANGES})
    generator = ET.SubElement(feed, "generator", {"version": __version__})
    generator.text = "medperf-git"
    author = ET.SubElement(feed, "author")
    _text(author, "name", site.tables.title)
    for one in news:
        _entry(feed, site, one)
    ET.indent(feed, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(feed, encoding="unicode")}\n'.encode()


def _entry(feed: ET.Element, site: SiteData, one: News) -> None:
    entry = ET.SubElement(feed, "entry")
    told: list[str] = [digest for _, digest in one.records] or [one.commit, one.key]
    _text(entry, "id", _id(site.registry_id, *told))
    _text(entry, "title", one.text)
    _text(entry, "updated", one.time)
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": one.url or urls.CHANGES})
    paths = [f"{path} {digest}" for path, digest in one.records[:MOST_NAMED]]
    more = [f"and {len(one.records) - MOST_NAMED} more records"] if len(one.records) > MOST_NAMED else []
    _text(entry, "content", "\n".join([one.text, f"Step {one.commit}.", *paths, *more]))


def _id(*parts: str) -> str:
    """Give a URN that is the same wherever the same records are told."""
    return uuid.uuid5(_SPACE, "\n".join(parts)).urn


def _text(parent: ET.Element, name: str, text: str) -> None:
    """Add an element; what XML cannot hold becomes the sign for that."""
    ET.SubElement(parent, name).text = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
