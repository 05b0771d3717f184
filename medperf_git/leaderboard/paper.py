"""A page for people who decide on paper what may leave: one self-contained file, printable, with no script.

Rules kept here: whatever a record or a container says is escaped by the template; nothing is fetched; no clock, so
the same content gives the same bytes.

    page = Paper("What would leave", "Review", "Two results …", (Section("who", "Who receives it", (Text("…"),)),))
    Path("review.html").write_bytes(render_paper(page))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import ClassVar, TypeAlias

from jinja2 import Environment, FunctionLoader, StrictUndefined

from medperf_git import __version__

CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
GENERATOR = "medperf-git paper"


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph; `strong` sets it apart."""

    kind: ClassVar[str] = "text"
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are; what is in `exact` is set letter by letter."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]
    exact: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the first cell of a row is its heading, columns from `numbers_from` on hold numbers.

    `links` are the places on the page that the rows' headings lead to.
    """

    kind: ClassVar[str] = "grid"
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers_from: int = 99
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bytes:
    """A file, byte for byte, with its digest."""

    kind: ClassVar[str] = "bytes"
    path: str
    size: int
    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """A heading below the section's; `anchor` is its place on the page."""

    kind: ClassVar[str] = "head"
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class SignHere:
    """Lines for a person's decision on paper."""

    kind: ClassVar[str] = "sign"
    who: str


Block: TypeAlias = Text | Bullets | Facts | Grid | Bytes | Head | SignHere


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; an `annex` begins on a new sheet."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    annex: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A page: what it is about, one sentence for those who read no further, its parts."""

    title: str
    eyebrow: str
    lead: str
    sections: Sequence[Section]


def render_paper(paper: Paper) -> bytes:
    """Return the page as HTML."""
    pages = Environment(
        loader=FunctionLoader(lambda name: (resources.files("medperf_git.leaderboard") / "assets" / name).read_text()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = pages.get_template("paper.html").render(paper=paper, csp=CSP, generator=GENERATOR, version=__version__)
    return (text.rstrip("\n") + "\n").encode()


def is_paper(data: bytes) -> bool:
    """Tell whether a file is a page that was made here."""
    return f'<meta name="generator" content="{GENERATOR}'.encode() in data[:2000]
