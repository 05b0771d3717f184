"""How far two rankings agree: Kendall's tau-b (Kendall 1945) of one ranking with many at once."""

import math
from collections.abc import Sequence

import numpy as np

from medperf_git.leaderboard.statistics.ranks import Floats


def kendall_taus(ranks: Sequence[float], merits: Floats) -> Floats:
    """Kendall's tau-b of one ranking with each of many, given as merits (row, model); NaN for a row that is all tied.

    scipy has it for two rankings at a time; here all rows are compared with the one, a model at a time.
    """
    places, columns = np.asarray(ranks), np.ascontiguousarray(merits.T)
    agreeing = np.zeros(len(merits), dtype=np.int64)
    untied = agreeing.copy()
    for model in range(len(places) - 1):
        better, worse = columns[model] > columns[model + 1 :], columns[model] < columns[model + 1 :]
        signs = better.view(np.int8) - worse.view(np.int8)
        ahead = np.sign(places[model + 1 :] - places[model]).astype(np.int8)
        untied += (better | worse).sum(axis=0, dtype=np.int32)
        agreeing += (ahead[:, None] * signs).sum(axis=0, dtype=np.int32)
    pairs = math.comb(len(places), 2) - sum(
        math.comb(int(tied), 2) for tied in np.unique(places, return_counts=True)[1]
    )
    lengths = np.sqrt(untied * float(pairs))
    return np.asarray(np.divide(agreeing, lengths, out=np.full(len(merits), np.nan), where=lengths > 0))
