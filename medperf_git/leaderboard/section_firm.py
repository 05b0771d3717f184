"""How firm an order is, as plain values for its template: other rules, other sites, and what was set aside.

Rules kept here: a rule that cannot be computed is named with the reason; a table that would be too wide becomes its
lowest and highest rank, and says where all of it is.
"""

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Other, Standing
from medperf_git.leaderboard.firm_data import has_effects
from medperf_git.leaderboard.section_effects import effect_tables, pool_tables
from medperf_git.leaderboard.section_pairs import has_pairs, pair_tables
from medperf_git.leaderboard.text import NOTHING, fixed, listing, some, whole
from medperf_git.leaderboard.words import Context

MOST_ROWS = 200
MOST_COLUMNS = 12  # sites: a wider table nobody reads, and no paper holds


def firmness(analysis: Analysis) -> Context:
    """Say the rank of every model under other rules, without each site and at each site alone, and every test."""
    rows = [row for row in analysis.standings if row.rank is not None]
    if not isinstance(analysis.ranking, rk.Ranking) or len(rows) < 2:
        return {"rows": []}
    sites = {str(site.ref): site.title for site in analysis.table.sites}
    usable = usable_others(analysis)
    narrow = len(rows[0].without) <= MOST_COLUMNS
    without = list(rows[0].without) if narrow else []
    alone = list(rows[0].alone) if narrow and len(rows[0].alone) > 1 else []
    ends = bool(rows[0].without) and not narrow
    shown = rows[:MOST_ROWS]
    return {
        "text": _firm_text(analysis, rows),
        "beside": _beside(analysis, rows),
        "rule": analysis.ranking.rule.title,
        "own": analysis.own_name,
        "others": [analysis.others[place].rule.title for place in usable],
        "ends": ends,
        "without": [sites[site] for site in without],
        "alone": [sites[site] for site in alone],
        "rows": [_firm_row(analysis, row, usable, without, alone, ends=ends) for row in shown],
        "taus": [
            {"text": "", "why": "", "start": False},
            *([{"text": "", "why": "", "start": False}] if analysis.own_name else []),
            *[_tau(analysis.others[place].tau, start=False) for place in usable],
            *(_ends_taus(analysis) if ends else []),
            *[_tau(analysis.without_taus[site], start=k == 0) for k, site in enumerate(without)],
            *[_tau(_alone_tau(rows, site), start=k == 0) for k, site in enumerate(alone)],
        ],
        "notes": [*_notes(analysis, rows), *_why_not(analysis), *_permutations(analysis)],
        "reversals": _reversals(analysis),
        "pairs": pair_tables(analysis),
        "effects": effect_tables(analysis),
        "pools": pool_tables(analysis),
        "aside": _aside(analysis),
        "files": {"pairs": has_pairs(analysis), "effects": has_effects(analysis)},
    }


def firm_notes(analysis: Analysis) -> list[str]:
    """Say in plain lines what stands beside the ranking: reversals, tests that are not there, and why no other rule."""
    lines = _reversals(analysis)
    for metric, found in zip(analysis.metrics, analysis.pairs, strict=True):
        if isinstance(found, un.Undefined) and isinstance(analysis.ranking, rk.Ranking):
            lines.append(f"No pair of models is tested by {metric.title}: {found.reason}.")
    lines += [f"{line[:-1]}; nothing here rests on its comparison." for line in _aside(analysis)]
    return (
        [*lines, *_why_not(analysis), *_permutations(analysis)] if isinstance(analysis.ranking, rk.Ranking) else lines
    )


def usable_others(analysis: Analysis) -> list[int]:
    """Number the other rules that give a ranking."""
    return [place for place, other in enumerate(analysis.others) if not _is_out(other)]


def _is_out(other: Other) -> bool:
    return isinstance(other.ranking, un.Undefined)


def _firm_text(analysis: Analysis, rows: list[Standing]) -> str:
    first = [row for row in rows if row.rank == 1]
    unmoved = all((rank == 1) == (row in first) for row in rows for rank in row.without.values())
    stays = "First place stays the same whichever site is left out" if unmoved else "First place depends on the sites"
    if not rows[0].without:
        reason = analysis.without
        stays = f"{reason[:1].upper()}{reason[1:]}" if reason else "With one site nothing can be left out"
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


def _beside(analysis: Analysis, rows: list[Standing]) -> str:
    """Name the models that cannot be told from first place, as one group."""
    group = [row.model.title for row in rows if row.beside_first]
    how = {"resamples": "site resamples", "tests": "tests of pairs"}.get(analysis.beside, "")
    if len(group) < 2 or not how:
        return ""
    return f"Cannot be told from first place, by {how}: {listing(group, most=12)}."


def _firm_row(
    analysis: Analysis, row: Standing, usable: list[int], without: list[str], alone: list[str], *, ends: bool
) -> Context:
    ranks = [{"text": str(row.rank), "moved": False, "start": False}]
    ranks += [{"text": fixed(row.own, 3), "moved": False, "start": False}] if analysis.own_name else []
    ranks += [_rank(row.others[place], row.rank, start=False) for place in usable]
    if ends and row.rank_range:
        ranks += [_rank(rank, row.rank, start=k == 0) for k, rank in enumerate(row.rank_range)]
    ranks += [_rank(row.without[site], row.rank, start=k == 0) for k, site in enumerate(without)]
    ranks += [_rank(row.alone[site], row.rank, start=k == 0) for k, site in enumerate(alone)]
    return {"title": row.model.title, "ranks": ranks}


def _rank(rank: int | None, registered: int | None, *, start: bool) -> Context:
    return {"text": NOTHING if rank is None else str(rank), "moved": rank != registered, "start": start}


def _alone_tau(rows: list[Standing], site: str) -> float | un.Undefined:
    return un.kendall_tau(tuple(row.rank or 0 for row in rows), tuple(row.alone[site] for row in rows))


def _ends_taus(analysis: Analysis) -> list[Context]:
    known = sorted(tau for tau in analysis.without_taus.values() if isinstance(tau, float))
    texts = [fixed(known[0], 2), fixed(known[-1], 2)] if known else [NOTHING, NOTHING]
    return [{"text": text, "why": "", "start": k == 0} for k, text in enumerate(texts)]


def _tau(tau: float | un.Undefined, *, start: bool) -> Context:
    if isinstance(tau, un.Undefined):
        return {"text": NOTHING, "why": tau.reason, "start": start}
    return {"text": fixed(tau, 2), "why": "", "start": start}


def _why_not(analysis: Analysis) -> list[str]:
    """Name the rules that give no ranking, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for other in analysis.others:
        if isinstance(other.ranking, un.Undefined):
            reasons.setdefault(other.ranking.reason, []).append(other.rule.title)
    return [
        f"Not ranked by {listing(titles, most=6)}: "
        f"{reason if len(titles) == 1 else reason.replace('this rule needs', 'these rules need')}."
        for reason, titles in reasons.items()
    ]


def _permutations(analysis: Analysis) -> list[str]:
    """Say why the challenge’s own test is not here, where its rule is registered."""
    if analysis.table.ranking.rule != "brats":
        return []
    return ["BraTS permutes ranks case by case; values by case stay at the sites, so signed ranks are tested instead."]


def _notes(analysis: Analysis, rows: list[Standing]) -> list[str]:
    """Say what the tables leave out, and where it is."""
    notes = []
    if len(rows) > MOST_ROWS:
        notes.append(f"The first {whole(MOST_ROWS)} of {whole(len(rows))} models; all of them are in ranking.csv.")
    if len(rows[0].without) > MOST_COLUMNS:
        count = whole(len(rows[0].without))
        notes.append(f"Shown are the lowest and the highest rank without one of {count} sites; each is in table.json.")
    elif analysis.without and rows[0].without:
        notes.append(f"{analysis.without[:1].upper()}{analysis.without[1:]}.")
    return notes


def _reversals(analysis: Analysis) -> list[str]:
    titles = {row.model.ref: row.model.title for row in analysis.standings}
    return [
        f"Weighting turns an order round: with every site weighing the same {titles[one.by_sites]} is before "
        f"{titles[one.by_cases]}, and behind it when sites weigh their cases."
        for one in analysis.reversals[:6]
    ]


def _aside(analysis: Analysis) -> list[str]:
    """Name the comparisons that are there and on which nothing rests, with the reason."""
    if not analysis.table.comparisons:
        return []
    titles = {str(site.ref): site.title for site in analysis.table.sites}
    return [
        f"{titles[name]}: {reason}."
        for name, reason in dict.fromkeys((out.name, out.reason) for shared in analysis.shared for out in shared.aside)
    ][:MOST_ROWS]
