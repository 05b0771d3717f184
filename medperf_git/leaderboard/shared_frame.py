"""Pages of one kind whose frame is rendered once: they differ in a title, the last step of the trail and the inside.

Rules kept here: the bytes are those of `render_page`; where that cannot be told for sure, it renders the page.
"""

from collections.abc import Mapping
from functools import partial

from markupsafe import Markup, escape

from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.rendering import render_page

# In place of the three words; no record may hold such a character, and a frame that has one twice is not used.
_MARKS = ("\0title\0", "\0step\0", "\0main\0")


class SharedFrames:
    """Renders pages with the words `title`, `trail` and `main`; `common` are those of every page."""

    def __init__(self, common: Mapping[str, object]) -> None:
        self._common = common
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def render(self, page: Page) -> bytes:
        """Render one page."""
        words = page.context()
        if words.keys() != {"title", "trail", "main"}:
            return render_page(page, self._common)
        *before, last = words["trail"]
        key = (page.template, page.url.count("/"), last["url"], *((step["url"], step["text"]) for step in before))
        pieces = self._known.get(key)
        if pieces is None:
            pieces = self._known[key] = self._pieces(page, before, last["url"])
        if not pieces:
            return render_page(page, self._common)
        start, title, step, end = pieces
        inside = escape(words["title"]), title, escape(last["text"]), step, escape(words["main"]), end
        return "".join((start, *inside)).encode()

    def _pieces(self, page: Page, before: list[object], url: object) -> tuple[str, ...]:
        """Return what stands around the three words; nothing where they do not stand once each, in their order."""
        title, step, main = map(Markup, _MARKS)
        words = {"title": title, "trail": [*before, {"url": url, "text": step}], "main": main}
        frame = render_page(Page(page.url, page.template, partial(dict, words)), self._common).decode()
        pieces: list[str] = []
        for mark in _MARKS:
            head, found, frame = frame.partition(mark)
            pieces.append(head)
            if not found:
                return ()
        pieces.append(frame)
        return () if any(mark in piece for piece in pieces for mark in _MARKS) else tuple(pieces)
