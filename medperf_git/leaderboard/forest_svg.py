"""A forest plot → SVG, in plain code: there may be one for each of a thousand models, and templates are slower.

Rules kept here: every text is escaped; numbers come laid out and rounded.
"""

from collections.abc import Iterator
from html import escape

from markupsafe import Markup

from medperf_git.leaderboard.forest import COUNT, LEFT, RIGHT, TOP, WIDTH, Foot, Forest, Line


def svg_of(plot: Forest) -> Markup:
    """Draw a plot, with a title and a description for who cannot see it."""
    return Markup("".join(_iter_parts(plot)))  # noqa: S704 - escaped piece by piece


def _iter_parts(plot: Forest) -> Iterator[str]:
    name = plot.id
    yield (
        f'<svg class="forest" viewBox="0 0 {WIDTH} {plot.height}" width="{WIDTH}" height="{plot.height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d">\n<title id="{name}-t">{escape(plot.title)}</title>\n'
        f'<desc id="{name}-d">{escape(plot.description)}</desc>\n<text class="head" x="0" y="14">Site</text>'
        f'<text class="head end" x="{COUNT}" y="14">Cases</text>'
        f'<text class="head end" x="{WIDTH}" y="14">{escape(plot.metric)}</text>\n'
        f'<path class="edge" d="M0 21H{WIDTH}M{LEFT} {plot.axis_y}H{RIGHT}"/>\n'
    )
    for x, text in plot.ticks:
        yield f'<path class="grid" d="M{x} {TOP}V{plot.axis_y}"/>'
        yield f'<text class="tick" x="{x}" y="{plot.height - 4}">{text}</text>\n'
    if plot.mean:
        yield f'<path class="middle" d="M{plot.mean} {TOP}V{plot.axis_y}"/>\n'
    yield from map(_line, plot.lines)
    yield from map(_foot, plot.feet)
    yield "</svg>"


def _line(line: Line) -> str:
    whisker = f'<path class="whisker" d="M{line.span[0]} {line.y}H{line.span[1]}"/>' if line.span else ""
    x, y, side = line.square
    return (
        f'<text x="0" y="{line.text_y}">{escape(line.name)}</text>'
        f'<text class="end" x="{COUNT}" y="{line.text_y}">{line.n}</text>{whisker}'
        f'<rect class="square" x="{x}" y="{y}" width="{side}" height="{side}"/>'
        f'<text class="end" x="{WIDTH}" y="{line.text_y}">{line.value}</text>\n'
    )


def _foot(foot: Foot) -> str:
    reach = f'<path class="reach" d="M{foot.span[0]} {foot.y}H{foot.span[1]}"/>' if foot.span else ""
    diamond = f'<polygon class="diamond" points="{foot.diamond}"/>' if foot.diamond else ""
    return (
        f'{reach}{diamond}<text class="sum" x="0" y="{foot.text_y}">{escape(foot.name)}</text>'
        f'<text class="sum end" x="{WIDTH}" y="{foot.text_y}">{foot.value}</text>\n'
    )
