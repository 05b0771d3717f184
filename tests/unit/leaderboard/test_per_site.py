"""A row of an array stands for the dictionary that it would be."""

import numpy as np
import pytest

from medperf_git.leaderboard.per_site import PerSite
from medperf_git.records.names import Ref

SITES = tuple(Ref(name, "tumours", 1) for name in ("north", "river", "summit"))


@pytest.mark.parametrize("row", [[0.5, np.nan, -0.25], [np.nan] * 3, [0.0, 1.0, 2.0]])
def test_it_is_the_dictionary_of_the_sites_that_have_a_value(row: list[float]) -> None:
    found = PerSite(SITES, np.array(row))
    expected = {site: value for site, value in zip(SITES, row, strict=True) if not np.isnan(value)}
    assert found == expected
    assert bool(found) == bool(expected)
    assert len(found) == len(expected)
    assert list(found) == list(expected)
    assert list(found.keys()) == list(expected.keys())
    assert list(found.values()) == list(expected.values())
    assert list(found.items()) == list(expected.items())
    for site in (*SITES, Ref("zoe", "tumours", 1)):
        assert found.get(site) == expected.get(site)
        assert (site in found) == (site in expected)
