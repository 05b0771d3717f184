"""The order without each site in turn, and at each site alone, under any rule."""

from collections.abc import Mapping

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.by_rule import MOST_FITS, Computed, Ranks

MOST_CELLS = 200_000  # of a ranking that is computed again without each site: half a second
Orders = Mapping[str, Ranks]


def leave_one_out(computed: Computed) -> Orders | un.Undefined:
    """Rank again without each site in turn."""
    sites = computed.ranking.counted.grid.sites
    if len(sites) < 2:
        return un.Undefined("with one site nothing can be left out")
    if reason := _too_many(computed):
        return un.Undefined(reason)
    places = range(len(sites))
    if computed.linear is not None:
        return {site: again.ranks for site, again in un.leave_one_out(computed.linear)}
    return {sites[gone]: computed.again([s for s in places if s != gone]) for gone in places}


def one_site_each(computed: Computed) -> Orders | un.Undefined:
    """Rank at each counted site alone."""
    sites = computed.ranking.counted.grid.sites
    if reason := _too_many(computed):
        return un.Undefined(reason)
    if computed.linear is not None:
        return {site: again.ranks for site, again in un.one_site_each(computed.linear)}
    return {name: computed.again([s]) for s, name in enumerate(sites)}


def _too_many(computed: Computed) -> str:
    grid = computed.ranking.counted.grid
    models, sites = len(grid.models), len(grid.sites)
    if models * sites > MOST_CELLS:
        return f"{models} models at {sites} sites are too many to rank again without each site"
    if computed.refits * sites * (1 if computed.refits > 1 else models) > MOST_FITS:
        return f"this rule is too slow to be computed again for {models} models without each of {sites} sites"
    return ""
