"""What YAML 1.2 forbids about lines and PyYAML lets pass: too little indentation, comments that touch.

Each check looks at the lines that one parser event spans. Found with the invalid documents of the YAML test suite.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

_LINE_END = re.compile(r"\r\n|\r|\n")
_BLOCK_HEADER = re.compile(r"[|>](?:[1-9][-+]?|[-+][1-9]?)?(?:[ \t]+#.*|[ \t]*)")
_AFTER_QUOTES = re.compile(r"[ \t:,\]}]|\Z")


class LineWatch:
    """Follows the events of one text and says what is wrong with their lines."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE_END.split(text)
        self._open: list[Any] = []  # start events of the collections around the present one

    def faults(self, event: Any) -> Iterator[tuple[int, str]]:
        """Yield (line from 1, what is wrong) for the lines of an event; call it with every event in order."""
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            start = self._open.pop()
            if start.flow_style:
                yield from self._continued(start, event, comments=True)
        elif isinstance(event, yaml.ScalarEvent):
            if event.style in ("|", ">"):
                yield from self._block_scalar(event)
            else:
                yield from self._continued(event, event, comments=False)
                yield from self._after_quotes(event)

    def _continued(self, first: Any, last: Any, *, comments: bool) -> Iterator[tuple[int, str]]:
        """Look at the lines of a flow node after its first: by spaces deeper than the block around it."""
        around = next((start.start_mark.column for start in reversed(self._open) if not start.flow_style), -1)
        for number in range(first.start_mark.line + 1, last.end_mark.line + 1):
            line = self._lines[number]
            content = line.lstrip(" ")
            if not content.strip(" \t") or (comments and content.startswith("#")):
                continue
            if len(line) - len(content) <= around:
                yield number + 1, "this line belongs to the value above and is not indented more than its key"

    def _block_scalar(self, event: Any) -> Iterator[tuple[int, str]]:
        start = event.start_mark
        if not _BLOCK_HEADER.fullmatch(self._lines[start.line], start.column):
            yield start.line + 1, "nothing but a comment after a space may follow `|` or `>`"
        widest = 0
        for number in range(start.line + 1, len(self._lines)):
            line = self._lines[number]
            if line.strip(" "):
                if widest > len(line) - len(line.lstrip(" ")):
                    yield number + 1, "an empty line above has more spaces than this one"
                return
            widest = max(widest, len(line))

    def _after_quotes(self, event: Any) -> Iterator[tuple[int, str]]:
        end = event.end_mark
        if event.style and not _AFTER_QUOTES.match(self._lines[end.line], end.column):
            yield end.line + 1, "a space is missing after the closing quote"
