"""Frames that are rendered once: the bytes are those of a page rendered whole."""

from functools import partial

from markupsafe import Markup

from medperf_git.leaderboard.about import Masthead
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.rendering import CSP, render_page
from medperf_git.leaderboard.shared_frame import SharedFrames


def common(title: str = "Hearts & minds") -> dict[str, object]:
    masthead = Masthead("hearts", title, ("ana",))
    return {"registry": masthead, "registry_id": "mg1:0", "version": "1", "csp": CSP}


def page(title: object, step: str, main: str, url: str = "a/b.html", first: str = "Heart") -> Page:
    trail = [{"url": "benchmarks/index.html", "text": first}, {"url": "", "text": step}]
    return Page(url, "result.html", partial(dict, title=title, trail=trail, main=Markup(main)))


def test_pages_of_one_frame_have_the_bytes_of_pages_rendered_whole():
    frames = SharedFrames(common())
    for one in (
        page("A <b>title</b>", 'step "1"', "<p>x</p>"),
        page(Markup("A &amp; B"), "<step>", "\0title\0 and {{ root }} and \\1"),
        page("A", "2", "<p>y</p>\n\n", url="c.html"),
        page("A", "2", "", first="<Lungs>"),
        page("\0main\0", "\0step\0", "<p>\0main\0</p>"),
    ):
        assert frames.render(one) == render_page(one, frames._common)


def test_a_frame_in_which_a_mark_stands_already_is_not_shared():
    for mark in ("\0main\0", "\0title\0", "\0step\0"):
        frames, one = SharedFrames(common(f"Hearts {mark}")), page("A", "1", "<p>x</p>")
        assert frames.render(one) == render_page(one, frames._common)


def test_a_page_of_other_words_is_rendered_whole():
    words = {"title": "A", "trail": [{"url": "", "text": "1"}], "main": "x", "more": 1}
    one = Page("a.html", "result.html", partial(dict, words))
    assert SharedFrames(common()).render(one) == render_page(one, common())
