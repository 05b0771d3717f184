"""The table that says how firm an order is, as plain values for its template."""

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Other, Standing
from medperf_git.leaderboard.text import NOTHING, fixed, some
from medperf_git.leaderboard.words import Context


def firmness(analysis: Analysis) -> Context:
    """Say the rank of every model under other rules, without each site and at each site alone."""
    rows = [row for row in analysis.standings if row.rank is not None]
    if not isinstance(analysis.ranking, rk.Ranking) or len(rows) < 2:
        return {"rows": []}
    sites = {str(site.ref): site.title for site in analysis.table.sites}
    usable = [place for place, other in enumerate(analysis.others) if isinstance(other.ranking, rk.Ranking)]
    without, alone = list(rows[0].without), list(rows[0].alone) if len(rows[0].alone) > 1 else []
    return {
        "text": _firm_text(analysis, rows),
        "rule": analysis.ranking.rule.title,
        "others": [analysis.others[place].rule.title for place in usable],
        "without": [sites[site] for site in without],
        "alone": [sites[site] for site in alone],
        "rows": [_firm_row(row, usable, without, alone) for row in rows],
        "taus": [
            {"text": "", "why": "", "start": False},
            *[_tau(analysis.others[place].tau, start=False) for place in usable],
            *[_tau(analysis.without_taus[site], start=k == 0) for k, site in enumerate(without)],
            *[_tau(_alone_tau(rows, site), start=k == 0) for k, site in enumerate(alone)],
        ],
        "notes": [_why_not(other) for other in analysis.others if isinstance(other.ranking, un.Undefined)],
    }


def _firm_text(analysis: Analysis, rows: list[Standing]) -> str:
    first = [row for row in rows if row.rank == 1]
    unmoved = all(row.rank_range in (None, (1, 1)) for row in first)
    stays = "First place stays the same whichever site is left out" if unmoved else "First place depends on the sites"
    if not rows[0].without:
        stays = "With one site nothing can be left out"
    moved = [row for row in rows if any(rank not in (None, row.rank) for rank in row.others)]
    rules = (
        f"{some(len(moved), 'model')} would change rank under another rule" if moved else "no rule changes the order"
    )
    contest = analysis.contest
    tau = contest.mean_tau if isinstance(contest, un.Contest) and contest.tested else None
    agreement = (
        f" Kendall’s τ of the site resamples with this order is {fixed(tau, 2)} on average."
        if isinstance(tau, float)
        else ""
    )
    return f"{stays}; {rules}.{agreement}"


def _firm_row(row: Standing, usable: list[int], without: list[str], alone: list[str]) -> Context:
    ranks = [{"text": str(row.rank), "moved": False, "start": False}]
    ranks += [_rank(row.others[place], row.rank, start=False) for place in usable]
    ranks += [_rank(row.without[site], row.rank, start=k == 0) for k, site in enumerate(without)]
    ranks += [_rank(row.alone[site], row.rank, start=k == 0) for k, site in enumerate(alone)]
    return {"title": row.model.title, "ranks": ranks}


def _rank(rank: int | None, registered: int | None, *, start: bool) -> Context:
    return {"text": NOTHING if rank is None else str(rank), "moved": rank != registered, "start": start}


def _alone_tau(rows: list[Standing], site: str) -> float | un.Undefined:
    return un.kendall_tau(tuple(row.rank or 0 for row in rows), tuple(row.alone[site] for row in rows))


def _tau(tau: float | un.Undefined, *, start: bool) -> Context:
    if isinstance(tau, un.Undefined):
        return {"text": NOTHING, "why": tau.reason, "start": start}
    return {"text": fixed(tau, 2), "why": "", "start": start}


def _why_not(other: Other) -> str:
    reason = other.ranking.reason if isinstance(other.ranking, un.Undefined) else ""
    return f"{other.rule.title} is not shown: {reason}."
