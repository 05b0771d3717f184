"""The ranking table of a benchmark page, as plain values for its template."""

from collections.abc import Iterator

from medperf_git.leaderboard import plots
from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing
from medperf_git.leaderboard.meaning import weighing
from medperf_git.leaderboard.text import NOTHING, fixed, listing, percent, some, span, whole
from medperf_git.leaderboard.words import MISSING_RULES, Context

ROWS_SHOWN = 150  # with the plots about 300 kB of page
OTHERS_APART = 2  # other rules: from there on one column says the lowest and the highest rank by them
SCORES_APART = 2  # ranking metrics: from there on an interval stands below its score, not beside it


def ranking_scale(analysis: Analysis) -> plots.Scale | None:
    """Find the one scale of all plots in the table."""
    values: list[float] = []
    for row in analysis.standings:
        values += row.scores[0].per_site.values()
        interval = row.scores[0].interval
        values += (interval.low, interval.high) if isinstance(interval, un.Interval) else ()
        values += (row.scores[0].value,) if row.scores[0].value is not None else ()
    return plots.scale_for(values)


def rank_meaning(analysis: Analysis) -> str:
    """Say in one sentence what a rank means, and what it does not."""
    if not isinstance(analysis.ranking, rk.Ranking):
        return "Without a ranking the scores below stand side by side and claim nothing."
    sites = len(analysis.ranking.counted.grid.sites)
    where = "at this one site" if sites == 1 else f"at these {whole(sites)} sites"
    whose = "it" if sites == 1 else "they"
    tested = analysis.beside in ("resamples", "tests")
    tint = "cannot be told from first place" if tested else "are not behind first place everywhere"
    close = f" Tinted rows {tint}." if _several_first(analysis) else ""
    return (
        f"A rank says how a model did {where}, on the cases {whose} had, under the rule that the committee signed; "
        f"it does not say how the model would do elsewhere.{close}"
    )


def _several_first(analysis: Analysis) -> bool:
    return sum(row.beside_first or row.rank == 1 for row in analysis.standings) > 1


def rows_left_out(analysis: Analysis) -> str:
    """Say where the rows are that a page leaves out; empty where it has all."""
    rows = len(analysis.standings)
    if rows <= ROWS_SHOWN:
        return ""
    return f"The first {whole(ROWS_SHOWN)} of {whole(rows)} models; all of them are in ranking.csv."


def interval_name(analysis: Analysis) -> str:
    """Name the column of intervals after what it holds."""
    kinds = {
        score.interval.kind
        for row in analysis.standings
        for score in row.scores
        if isinstance(score.interval, un.Interval)
    }
    if kinds <= {un.IntervalKind.RANGE, un.IntervalKind.SINGLE}:
        return "Range over sites"
    without_test = kinds & {un.IntervalKind.RANGE, un.IntervalKind.SINGLE}
    return "95 % interval or range" if without_test else "95 % interval"


def ranking_caption(analysis: Analysis) -> str:
    """Say in words what the rule does."""
    rule = f"{analysis.rule.title}: {analysis.rule.sentence}" if analysis.rule else "No rule could be applied."
    weighing = f" {weighing_of(analysis)}" if analysis.rule and analysis.rule.weights is None else ""
    several = " With several metrics, the ranks in each are averaged." if len(analysis.metrics) > 1 else ""
    missing = MISSING_RULES.get(analysis.table.ranking.missing, "")
    return f"{rule}{weighing}{several} {missing}"


def weighing_of(analysis: Analysis) -> str:
    """Say how sites weigh, where they do not weigh the same."""
    if not isinstance(analysis.ranking, rk.Ranking) or analysis.settings.weights == "equal":
        return ""
    words = weighing(analysis.ranking, analysis.settings)
    return f"{words[:1].upper()}{words[1:]}.".replace("site weighing", "site weighs")


def ranked_by(analysis: Analysis) -> str:
    """Say that the one score which a short table shows is not all that ranks; nothing where it is."""
    if len(analysis.metrics) == 1:
        return ""
    return f"; the rank is by {listing([metric.title for metric in analysis.metrics])} together"


def how_to_read(analysis: Analysis) -> str:
    """Say how plot and tint are read; nothing where there is neither."""
    if not any(row.scores[0].per_site for row in analysis.standings):
        return ""
    few = len(analysis.table.sites) <= plots.SITES_APART
    reading = f"In the plot each {'dot' if few else 'fine stroke'} is a site, the tall stroke the score"
    contest = analysis.contest
    if not isinstance(contest, un.Contest):
        tests = " A tinted row cannot be told from first place by tests of pairs." if analysis.beside else ""
        return f"{reading}.{tests}"
    if contest.tested:
        how = "exact site bootstrap" if contest.sites < un.EXACT_BELOW else f"site bootstrap, {whole(un.DRAWS)} draws"
        return (
            f"{reading}, the bar its 95\N{NO-BREAK SPACE}% interval ({how}: sites are resampled, not cases). "
            "A tinted row cannot be told from first place: "
            "it does at least as well in 2.5\N{NO-BREAK SPACE}% of the resamples or more."
        )
    bar = ", the bar the range over the model’s sites" if len(analysis.table.sites) > 1 else ""
    tint = " A tinted row is not behind first place everywhere: at a site or more it does at least as well."
    return (
        f"{reading}{bar}. {some(contest.sites, 'site')} in the ranking: "
        f"fewer than five allow no interval and no test.{tint if _several_first(analysis) else ''}"
    )


def ranking_notes(analysis: Analysis) -> list[str]:
    """Say what needs a word beside the table."""
    notes = []
    if isinstance(analysis.ranking, rk.Ranking):
        counted = analysis.ranking.counted
        notes += [f"Left out of the ranking: {out.name} ({out.reason})." for out in counted.sites_out]
    if any(score.own_sites_differ for row in analysis.standings for score in row.scores):
        notes.append("‡ The range or interval covers all sites of this model, the score only those that count for all.")
    weighed = any(analysis.others[place].rule.name == "mean-then-rank" for place in _usable(analysis))
    by_cases = analysis.rule is not None and (
        analysis.rule.name == "mean-then-rank" or analysis.settings.weights != "equal"
    )
    if (weighed or by_cases) and any(metric.reduction != "mean" for metric in analysis.metrics):
        names = listing([metric.title for metric in analysis.metrics if metric.reduction != "mean"])
        notes.append(f"{names}: a score over cases is the sites’ values weighted by cases, not a pooled value.")
    return notes


def ranking_row(analysis: Analysis, row: Standing, scale: plots.Scale | None, place: int) -> Context:
    """Say one row."""
    return {
        "anchor": row.model.ref.folder,
        "rank": "" if row.rank is None else str(row.rank),
        "title": row.model.title,
        "ref": row.model.ref,
        "state": _state(row),
        "beside": row.beside_first,
        "unranked": row.unranked,
        "tags": _tags(analysis, row),
        "scores": [_score(score) for score in row.scores],
        "plot": _strip(row, scale, place) if scale and row.scores[0].per_site else None,
        "ranks": [_ranks(found, row.rank) for found in _rank_spans(analysis, row)],
        "sites": row.sites,
        "sites_of": len(analysis.table.sites),
        "cases": NOTHING if row.cases is None else whole(row.cases),
        "cases_sort": "" if row.cases is None else row.cases,
        "coverage": "" if row.coverage is None else percent(row.coverage),
    }


def rank_columns(analysis: Analysis) -> list[Context]:
    """Name the columns that say how firm a rank is: by tests, without a site, by other rules."""
    columns = [("tests", "Ranks that tests leave open")] if _tested(analysis) else []
    columns.append(("without", "Rank without one site"))
    usable = _usable(analysis)
    if len(usable) > OTHERS_APART:
        columns.append(("others", f"Rank by {len(usable)} other rules"))
    else:
        rules = [analysis.others[place].rule for place in usable]
        columns += [(rule.name, f"Rank by {_inside(rule.title)}") for rule in rules]
    return [{"key": key, "title": title} for key, title in columns]


def _rank_spans(analysis: Analysis, row: Standing) -> Iterator[tuple[int, int] | None]:
    """Give the lowest and the highest rank for each of those columns; None where there is none."""
    if _tested(analysis):
        yield _left_open(row)
    yield row.rank_range
    ranks = [row.others[place] if row.others else None for place in _usable(analysis)]
    if len(ranks) > OTHERS_APART:
        known = [rank for rank in ranks if rank is not None]
        yield (min(known), max(known)) if known else None
    else:
        yield from ((rank, rank) if rank is not None else None for rank in ranks)


def _usable(analysis: Analysis) -> list[int]:
    return [place for place, other in enumerate(analysis.others) if isinstance(other.ranking, rk.Ranking)]


def _left_open(row: Standing) -> tuple[int, int] | None:
    found = row.rank_interval
    return found if isinstance(found, tuple) else None


def _tested(analysis: Analysis) -> bool:
    return any(_left_open(row) is not None for row in analysis.standings)


def _inside(title: str) -> str:
    """Give a title as it stands inside a line: small letters, unless it is a name such as BraTS."""
    return title if any(sign.isupper() for sign in title[1:]) else title.lower()


def _ranks(found: tuple[int, int] | None, registered: int | None) -> Context:
    if found is None:
        return {"text": NOTHING, "sort": "", "moved": False}
    low, high = found
    return {"text": span(str(low), str(high)), "sort": f"{low}.{high:04d}", "moved": low == high != registered}


def _state(row: Standing) -> str:
    """Give the words by which a page's reader can choose rows."""
    if row.rank is None:
        return "unranked"
    beside = " beside" if row.beside_first or row.rank == 1 else ""
    gaps = "" if row.coverage is None or row.coverage == 1 else " gaps"
    return f"ranked{beside}{gaps}"


def _tags(analysis: Analysis, row: Standing) -> list[Context]:
    tags = [{"kind": "warn", "text": mark} for mark in row.model.marks]
    contest = analysis.contest
    if row.model.standing == "reference model":
        tags.insert(0, {"kind": "none", "text": "reference"})
    if isinstance(contest, un.Contest) and row.rank is not None:
        if row.rank == 1 and row.first_share is not None:
            tags.append({"kind": "good", "text": f"first {_share(contest, row.first_share)}"})
        elif row.beside_first and row.not_behind is not None:
            tags.append({"kind": "near", "text": f"at least as good {_share(contest, row.not_behind)}"})
    return tags


def _share(contest: un.Contest, share: float) -> str:
    if contest.tested:
        return f"in {percent(share)} of resamples"
    return f"at {round(share * contest.sites)} of {some(contest.sites, 'site')}"


def _score(score: Score) -> Context:
    decimals = score.metric.decimals
    interval = score.interval
    if isinstance(interval, un.Undefined):
        return {"text": fixed(score.value, decimals), "sort": "", "interval": NOTHING, "note": ""}
    text = span(fixed(interval.low, decimals), fixed(interval.high, decimals))
    note = ""
    if score.own_sites_differ:
        note = f"over all {some(interval.sites, 'site')} of this model, whose mean is {fixed(interval.mean, decimals)}"
    return {
        "text": fixed(score.value, decimals),
        "sort": "" if score.value is None else repr(round(score.value, 12)),
        "interval": text,
        "note": note,
    }


def _strip(row: Standing, scale: plots.Scale, place: int) -> plots.Strip:
    score = row.scores[0]
    decimals = score.metric.decimals
    few = len(score.per_site) <= plots.SITES_APART
    dots = tuple(
        plots.Dot(scale.at(value), f"{site}: {fixed(value, decimals)}") for site, value in score.per_site.items() if few
    )
    low, high = (fixed(end(score.per_site.values()), decimals) for end in (min, max))
    among = f"{some(len(score.per_site), 'site')}, from {low} to {high}"
    interval = score.interval if isinstance(score.interval, un.Interval) else None
    told = f"; {interval.kind.value} {_words_of(interval, decimals)}" if interval else ""
    return plots.Strip(
        id=f"strip-{place}",
        title=f"{row.model.title}: {score.metric.title} {fixed(score.value, decimals)}",
        description=("; ".join(dot.text for dot in dots) if few else among) + told,
        dots=dots,
        bar=(scale.at(interval.low), scale.at(interval.high)) if interval and interval.sites > 1 else None,
        mark=scale.at(score.value) if score.value is not None else "",
        sampled=interval is not None and not interval.is_range,
        grid=tuple(tick.x for tick in scale.ticks),
        strokes="" if few else plots.strokes_at(scale.at(value) for value in score.per_site.values()),
    )


def _words_of(interval: un.Interval, decimals: int) -> str:
    return f"{fixed(interval.low, decimals)} to {fixed(interval.high, decimals)}"
