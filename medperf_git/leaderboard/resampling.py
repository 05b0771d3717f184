"""First place in every resample of sites, where a rule's score is a mean over them, within a stated bound."""

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.by_rule import Computed

MOST = 250_000  # cells that are resampled 10 000 times: about two seconds


def contest_of(computed: Computed, *, seed: int) -> un.Contest | un.Undefined:
    """Say which models cannot be told from first place."""
    linear = computed.linear
    if linear is None:
        return un.Undefined("this rule’s score is no mean over sites: pairs of models are tested instead")
    grid = linear.counted.grid
    if len(grid.models) * len(grid.sites) > MOST:
        return un.Undefined(too_many(len(grid.models), len(grid.sites)))
    return un.contest(linear, seed=seed)


def too_many(models: int, sites: int) -> str:
    """Say why nothing is resampled."""
    return f"{models} models at {sites} sites are too many to be resampled; the data are in results.csv"
