"""A result in a row of a table, in plain code: there may be some fifty on each of a thousand pages.

Rules kept here: every text is escaped; `root` leads from the page to the root of the site.
"""

from html import escape

from medperf_git.leaderboard.tables import Cell
from medperf_git.leaderboard.words import KINDS
from medperf_git.records.names import Ref


def subject_head(title: str, ref: Ref, url: str, root: str) -> str:
    """Write the head of a row: a model or a dataset, with a link to its page."""
    return f'<th scope="row"><a href="{root}{url}">{escape(title)}</a> <span class="ref">{ref}</span></th>'


def state_of(cell: Cell) -> str:
    """Write how a result stands, and why."""
    why = "; ".join(filter(None, (cell.reason, *cell.marks)))
    told = f' <span class="why">{escape(why)}</span>' if why else ""
    return f'<td><span class="tag {KINDS[cell.state]}">{cell.state}</span>{told}</td>'


def result_link(cell: Cell, root: str) -> str:
    """Write the link to a result's page."""
    if (page := cell.page) is None:
        return "<td>none</td>"
    url, name = page
    return f'<td><a class="id" href="{root}{escape(url)}">{name}</a></td>'
