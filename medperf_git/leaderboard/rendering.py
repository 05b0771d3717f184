"""Pages → bytes: the templates, the static files, and the one file that names the commit."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from medperf_git.leaderboard.page import Page

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
STATIC = ("leaderboard.css", "leaderboard.js", "icon.svg")
SCHEMAS = tuple(f"leaderboard-{name}.1.json" for name in ("table", "cells", "index", "firm"))


def render_page(page: Page, common: Mapping[str, object]) -> bytes:
    """Render one page; `common` are the words that every template may use."""
    root = "../" * page.url.count("/")
    return (_template(page.template).render(root=root, **common, **page.context()).rstrip("\n") + "\n").encode()


def as_of_css(commit: str, step_time: str) -> bytes:
    """Write the one file from which pages take what they say of the commit that they are as of."""
    return (
        f'.as-of-commit::after {{ content: "{_css_text(commit)}" }}\n'
        f'.as-of-time::after {{ content: "{_css_text(step_time)}" }}\n'
    ).encode()


def _css_text(text: str) -> str:
    """Write text inside a CSS string: all but letters, digits and `-:.` as escapes (CSS Syntax 3, section 4.3.7)."""
    return "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "-:.") else f"\\{ord(sign):x} " for sign in text
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(lambda name: asset(name).decode()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@cache
def asset(name: str) -> bytes:
    """Return a file of the package."""
    return (resources.files("medperf_git.leaderboard") / "assets" / name).read_bytes()
