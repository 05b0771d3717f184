"""A built site as a hostile reader meets it: the nodes of its pages and feeds, every cell of its tables, its data.

shape_of("index.html", data)      # → elements with the names of their attributes, in order; text is none of it
texts_of("changes.atom", data)    # → every text in it, as a reader gets it
"""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

Shape = list[tuple[str, tuple[str, ...]]]
ADDRESSES = frozenset(
    ("href", "src", "xlink:href", "action", "formaction", "data", "poster", "srcset", "srcdoc", "background", "cite")
)
_SCHEME = re.compile(r"[\s\x00-\x20]*([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_FORMULA = tuple("=+-@\t\r\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH COMMERCIAL AT}")


class Page(HTMLParser):
    """The nodes of a page, what is in them, and what must never be among them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: Shape = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self.addresses: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self._data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element, its attributes' names, and what is wrong with them."""
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [value or "" for _, value in attrs]
        given = dict(attrs)
        self._data = tag if tag in ("script", "style") else ""
        if tag == "style" or (tag == "script" and not given.get("src") and "json" not in (given.get("type") or "")):
            self.faults.append(f"an inline {tag}")
        self.anchors |= {given["id"]} if given.get("id") else set()  # type: ignore[arg-type]  # it is there
        self.addresses += [(tag, value or "") for name, value in attrs if name in ADDRESSES]
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"{tag} {name}={value}")
            scheme = _SCHEME.match(value or "")
            if name in ADDRESSES and ((scheme and scheme[1].lower() not in ("https", "http")) or name == "srcdoc"):
                self.faults.append(f"{tag} {name}={value}")
            if name in ADDRESSES and tag not in ("a", "link") and (scheme or (value or "").startswith("//")):
                self.faults.append(f"{tag} asks elsewhere: {value}")

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self.shape.append((f"/{tag}", ()))
        self._data = ""

    def handle_data(self, data: str) -> None:
        """Keep a text; what stands in a script is data in JSON, and nothing in it ends the script."""
        if self._data == "script" and data.strip():
            self.texts += list(_iter_strings(json.loads(data)))
            if "<" in data:
                self.faults.append("a script holds <")
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """Keep a comment as a node."""
        self.shape.append(("!--", ()))

    def handle_decl(self, decl: str) -> None:
        """Keep a declaration as a node."""
        self.shape.append((f"!{decl}", ()))

    def unknown_decl(self, data: str) -> None:
        """Call a section of characters a fault: no page has one."""
        self.faults.append(f"<![{data}")

    def handle_pi(self, data: str) -> None:
        """Call a processing instruction a fault."""
        self.faults.append(f"<?{data}")


@lru_cache(maxsize=4)
def page_of(data: bytes) -> Page:
    """Read a page; the last few are kept."""
    return Page(data.decode())


def shape_of(name: str, data: bytes) -> Any:
    """Return all but the texts of a file: nodes of a page, feed or picture, keys of JSON, columns of a table."""
    return _reader(name).shape(data)


def texts_of(name: str, data: bytes) -> list[str]:
    """Return every text of a file, as whoever reads it gets it."""
    return _reader(name).texts(data)


def faults_of(name: str, data: bytes) -> list[str]:
    """Return what is alive in a file and should not be; it must be readable at all, else that is raised."""
    return _reader(name).faults(data)


class _Reader:
    def __init__(
        self,
        shape: Callable[[bytes], Any],
        texts: Callable[[bytes], list[str]],
        faults: Callable[[bytes], list[str]],
    ) -> None:
        self.shape, self.texts, self.faults = shape, texts, faults


def _reader(name: str) -> _Reader:
    return READERS[name.rpartition(".")[2] if "." in name else name.rpartition("/")[2]]


def _xml(data: bytes) -> ET.Element:
    assert b"<!DOCTYPE" not in data
    assert b"<!ENTITY" not in data
    return ET.fromstring(data)


def _xml_shape(data: bytes) -> Shape:
    return [(node.tag, tuple(node.attrib)) for node in _xml(data).iter()]


def _xml_texts(data: bytes) -> list[str]:
    nodes = list(_xml(data).iter())
    return [text for node in nodes for text in (node.text or "", node.tail or "", *node.attrib.values()) if text]


def _xml_faults(data: bytes) -> list[str]:
    found = []
    for node in _xml(data).iter():
        tag = node.tag.rpartition("}")[2]
        if tag in ("script", "foreignObject", "image", "use", "iframe", "set", "animate"):
            found.append(tag)
        for name, value in node.attrib.items():
            bare = name.rpartition("}")[2]
            scheme = _SCHEME.match(value)
            if bare.startswith("on") or (bare in ADDRESSES and scheme and scheme[1].lower() not in ("http", "https")):
                found.append(f"{tag} {name}={value}")
    return found


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _csv_faults(data: bytes) -> list[str]:
    return [
        cell for row in _rows(data) for cell in row if cell.lstrip(" \n").startswith(_FORMULA) and not _number(cell)
    ]


def _number(cell: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?", cell) is not None


def _json_shape(data: bytes) -> Any:
    return _without_texts(json.loads(data))


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_texts(one) for one in value]
    return type(value).__name__


def _iter_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _iter_strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _iter_strings(one)


def _plain(data: bytes) -> Any:
    return data


def _of_ours(_data: bytes) -> list[str]:
    return []


_XML = _Reader(_xml_shape, _xml_texts, _xml_faults)
READERS: Mapping[str, _Reader] = {
    "html": _Reader(
        lambda data: page_of(data).shape,
        lambda data: page_of(data).texts,
        lambda data: page_of(data).faults,
    ),
    "svg": _XML,
    "atom": _XML,
    "xml": _XML,
    "csv": _Reader(
        lambda data: [len(row) for row in _rows(data)], lambda data: [c for r in _rows(data) for c in r], _csv_faults
    ),
    "json": _Reader(_json_shape, lambda data: list(_iter_strings(json.loads(data))), _of_ours),
    "css": _Reader(_plain, _of_ours, _of_ours),
    "js": _Reader(_plain, _of_ours, _of_ours),
}
