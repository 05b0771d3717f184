"""Badges: small pictures that say who is first, or where a model stands, for a README or a paper's page.

Rules kept here: a badge fetches nothing; its text is laid out by a table of widths; it has a title for who cannot see
it; its colours stand out from each other by 4.5 to 1 or more.
"""

from collections.abc import Iterator
from functools import partial
from html import escape

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.analysis import Analysis, Standing
from medperf_git.leaderboard.page import DataFile
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.standing_words import badge_words, first_doubt, ranked_count
from medperf_git.leaderboard.text import listing
from medperf_git.leaderboard.widths import clip, width_of

_SIZE, _PAD, _HEIGHT = 11, 7, 20
_LABEL_ROOM, _TEXT_ROOM = 190, 260
_FIRST, _OTHER, _NONE = "#0b5d66", "#45525e", "#6b6459"


def badge_files(site: SiteData) -> Iterator[DataFile]:
    """Yield a badge for every benchmark, and one for every model in it."""
    for analysis in site.analyses:
        ref = analysis.table.ref
        yield DataFile(urls.benchmark_badge_url(ref), partial(benchmark_badge, analysis))
        for standing in analysis.standings:
            yield DataFile(urls.model_badge_url(standing.model.ref, ref), partial(model_badge, analysis, standing))


def benchmark_badge(analysis: Analysis) -> bytes:
    """Say who is first."""
    first = [standing.model.title for standing in analysis.standings if standing.rank == 1]
    if not first:
        return render_badge(analysis.table.title, "no ranking yet", _NONE)
    count = ranked_count(analysis)
    told = (
        f"first of {count}{first_doubt(analysis)}: {first[0]}"
        if len(first) == 1
        else f"{listing(first, most=2)} share first of {count}"
    )
    return render_badge(analysis.table.title, told, _FIRST)


def model_badge(analysis: Analysis, standing: Standing) -> bytes:
    """Say where a model stands."""
    colour = _NONE if standing.rank is None else _FIRST if standing.rank == 1 else _OTHER
    told = "; ".join((badge_words(analysis, standing), *standing.model.marks))
    return render_badge(analysis.table.title, told, colour)


def render_badge(label: str, text: str, colour: str) -> bytes:
    """Draw a badge of two fields; the title holds both texts whole, the picture what there is room for."""
    short, told = clip(label, _SIZE, _LABEL_ROOM), clip(text, _SIZE, _TEXT_ROOM)
    left, right = width_of(short, _SIZE) + 2 * _PAD, width_of(told, _SIZE) + 2 * _PAD
    whole = escape(f"{label}: {text}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.1f}" height="{_HEIGHT}" '
        f'viewBox="0 0 {left + right:.1f} {_HEIGHT}" role="img" aria-labelledby="t">\n<title id="t">{whole}</title>\n'
        f'<path fill="#1c2530" d="M3 0H{left:.1f}V{_HEIGHT}H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>\n'
        f'<path fill="{colour}" d="M{left:.1f} 0h{right - 3:.1f}a3 3 0 0 1 3 3v{_HEIGHT - 6}a3 3 0 0 1-3 3H{left:.1f}z'
        '"/>\n'
        '<g fill="#fff" font-family="Arial, Helvetica, &quot;Liberation Sans&quot;, sans-serif" '
        f'font-size="{_SIZE}">\n{_written(short, _PAD)}{_written(told, left + _PAD)}</g>\n</svg>\n'
    ).encode()


def _written(text: str, x: float) -> str:
    """Write a text that keeps its width whatever typeface is there."""
    return f'<text x="{x:.1f}" y="14" textLength="{width_of(text, _SIZE):.1f}">{escape(text)}</text>\n'
