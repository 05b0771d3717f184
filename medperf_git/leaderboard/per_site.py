"""The values of one model by site, without a number of Python's own for each of them."""

from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView

import numpy as np
from numpy.typing import NDArray

from medperf_git.records.names import Ref


class PerSite(Mapping[Ref, float]):
    """A row of an array as a mapping from the sites that have a value; `row` is NaN where one has none."""

    __slots__ = ("_row", "_sites")

    def __init__(self, sites: Sequence[Ref], row: NDArray[np.float64]) -> None:
        self._sites, self._row = sites, row

    def __len__(self) -> int:
        return int((~np.isnan(self._row)).sum())

    def __iter__(self) -> Iterator[Ref]:
        return (self._sites[at] for at in np.flatnonzero(~np.isnan(self._row)).tolist())

    def __getitem__(self, site: Ref) -> float:
        value = self._row.item(self._sites.index(site)) if site in self._sites else np.nan
        if np.isnan(value):
            raise KeyError(site)
        return float(value)

    def items(self) -> ItemsView[Ref, float]:
        """Return the pairs, from one pass over the row."""
        return dict(zip(self, self._row[~np.isnan(self._row)].tolist(), strict=True)).items()

    def values(self) -> ValuesView[float]:
        """Return the values, from one pass over the row."""
        return dict(enumerate(self._row[~np.isnan(self._row)].tolist())).values()
