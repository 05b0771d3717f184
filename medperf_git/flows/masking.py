"""Take out of a log what belongs to a hospital: names of cases and files, paths and names of the machine, long numbers.

It works on what can be recognised. A container may print anything in any disguise, so a person reads what is left
before it goes anywhere; nothing here sends it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_TOKEN = re.compile(r"‹[^›]*›|[\w.\-]+")
_PART = re.compile(r"[._\-]+")
_HOST_PATH = re.compile(r"/(?:home|Users|mnt|media|srv|root|run/user)/[^\s'\"`,;:)\]}<>]*")
_ADDRESS = re.compile(r"[\w.+\-]+@[\w\-]+\.[\w.\-]+")
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-/.]?(?:0[1-9]|1[0-2])[-/.]?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_DOTTED = re.compile(r"(?<![\w.])\d+(?:\.\d+){3,}(?![\w.])")
_LONG = re.compile(r"(?<![\w.])\d{6,}(?![\w.]|\s*(?:bytes?|B|[kKMG]i?B)\b)")
_TELLING = re.compile(r"(?=.*\d)(?=.*[^\W\d_]).{3,}|\d{4,}")
_TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".yaml", ".yml"})
_SHORTEST = 3
_MOST_PARTS = 24  # of a name; a DICOM number has about so many
_MOST_TEXT = 16 << 20
_LONGEST = 4096


class Mask:
    """Guards what is masked: one name gets one number, so that a reader sees what belongs together."""

    def __init__(self, names: Iterable[str] = (), *, mounts: Iterable[str] = (), host: Iterable[str] = ()) -> None:
        self._names = frozenset(_folded(name) for name in names if len(name) >= _SHORTEST)
        places = "|".join(re.escape(path.rstrip("/")) for path in mounts)
        self._below = re.compile(rf"({places})/([^\s'\"`,;:)\]}}<>]+)") if places else None
        known = sorted({text for text in host if len(text) >= _SHORTEST}, key=len, reverse=True)
        words = "|".join(rf"(?<![\w/.\-]){re.escape(text)}(?![\w])[^\s'\"`,;:)\]}}<>]*" for text in known)
        self._host = re.compile(words) if words else None
        self._numbers: dict[str, int] = {}
        self.counts: Counter[str] = Counter()

    def apply(self, text: str) -> str:
        """Return a text without what is masked; of an endless one only the beginning, up to a space."""
        if len(text) > _LONGEST:  # half a name would not be known for one, and patterns take long
            text = re.sub(r"\S*$", "…", text[:_LONGEST], count=1)
        text = unicodedata.normalize("NFC", text).replace("‹", "<").replace("›", ">")
        if self._below is not None:
            text = self._below.sub(lambda found: f"{found[1]}/{self._named(found[2])}", text)
        for pattern in filter(None, (self._host, _HOST_PATH)):
            text = self._outside(pattern, text, "host path or name")
        text = self._outside(_ADDRESS, text, "address")
        text = _TOKEN.sub(lambda found: self._token(found[0]), text)
        text = self._outside(_DATE, text, "date")
        for pattern in (_DOTTED, _LONG):
            text = self._outside(pattern, text, "number")
        return text

    def said(self) -> list[str]:
        """Say what was masked, and how often."""
        return [f"{count} × {kind}" for kind, count in sorted(self.counts.items())] or ["nothing was recognised"]

    def _outside(self, pattern: re.Pattern[str], text: str, kind: str) -> str:
        """Replace a pattern where nothing was masked yet."""

        def put(_: re.Match[str]) -> str:
            self.counts[kind] += 1
            return f"‹{kind}›"

        return _outside_marks(lambda part: pattern.sub(put, part), text)

    def _token(self, token: str) -> str:
        """Mask every run of a token's parts that is a name of the data; runs that overlap count as one."""
        if token.startswith("‹"):
            return token
        shown, kept_to = [], 0
        for start, end in _merged(self._names_in(token)):
            shown += [token[kept_to:start], self._named(token[start:end])]
            kept_to = end
        return "".join([*shown, token[kept_to:]])

    def _names_in(self, token: str) -> Iterator[tuple[int, int]]:
        bounds = [0, *(place for found in _PART.finditer(token) for place in found.span()), len(token)]
        starts, ends = bounds[0::2], bounds[1::2]
        for number, start in enumerate(starts):
            for end in ends[number : number + _MOST_PARTS]:
                if _folded(token[start:end]) in self._names:
                    yield start, end

    def _named(self, name: str) -> str:
        number = self._numbers.setdefault(_folded(name), len(self._numbers) + 1)
        self.counts["name of a file or case"] += 1
        return f"‹name {number}›"


def _folded(name: str) -> str:
    """Return a name without regard to its letters' case, and to how a file system writes its accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans, given in the order of their starts, as far as they do not overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def names_in(folders: Iterable[Path]) -> tuple[set[str], bool]:
    """Return the names of files and folders of a dataset, and what its small tables hold; and whether that is all.

    A name counts without its suffixes too, and in its words.
    """
    names: set[str] = set()
    left = _MOST_TEXT
    whole = True
    for folder in folders:
        for path in folder.rglob("*"):
            names.update(_forms(path.name))
            if path.suffix.lower() not in _TEXT_SUFFIXES or not path.is_file() or path.is_symlink():
                continue
            size = path.stat().st_size
            if size > left:
                whole = False
                continue
            left -= size
            names.update(_telling(path.read_bytes().decode("utf-8", "replace")))
    return names, whole


def _forms(name: str) -> Iterator[str]:
    yield name
    bare = name
    while (stem := Path(bare).stem) != bare:
        bare = stem
        yield bare
    if " " in name:
        yield from (word for part in name.split() for word in _forms(part))


def _telling(text: str) -> Iterator[str]:
    """Yield the words of a table that may name somebody: letters with digits, or four digits and more."""
    for token in _TOKEN.findall(text):
        word = token.strip(".-")
        if _TELLING.fullmatch(word):
            yield word


def _outside_marks(change: Callable[[str], str], text: str) -> str:
    parts = re.split(r"(‹[^›]*›)", text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))
