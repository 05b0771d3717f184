"""T49: twenty-five hostile texts in every free field of every record, through every file of the site.

Each site is held against that of the same records with a text of the same shape that means nothing: no node more or
less, no formula in a table, no feed that does not parse, and the text itself where a reader expects it.
"""

import re
from collections.abc import Mapping
from functools import cache

import pytest

from medperf_git.leaderboard.build import build_site
from tests.support import hostile_registry as hr
from tests.support import leaderboard_registry as lr
from tests.support.site_reading import READERS, faults_of, shape_of, texts_of

# No record of these kinds is in the registry in memory: what they say in free text is on no page.
UNSEEN = {"comparison/client", "quarantine/paths/-"}
SHOWN = (
    "index.html",
    "benchmarks/ana/breast/1/index.html",
    "results/ana/breast/1/north.tumours.1/ben.other.1/0001.html",
)


@cache
def site_of(payload: str) -> Mapping[str, bytes]:
    """Build the site of a registry that says the payload everywhere."""
    view = hr.poisoned(payload).view()
    return build_site(view, commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)


def test_t49_every_free_field_of_every_kind_of_record_is_filled() -> None:
    registry = hr.poisoned("calm")
    kinds = [path.name.partition(".")[0] for path in hr.SCHEMAS.glob("*.1.json")]
    assert {name for kind in kinds for name in hr.fields(kind)} - registry.reached == UNSEEN
    assert len(registry.reached) > 20


@pytest.mark.parametrize("text", hr.REFUSED)
def test_t49_no_record_can_say_what_turns_text_around_or_cannot_be_seen(text: str) -> None:
    assert hr.refuses(text)


@pytest.mark.parametrize("payload", hr.PAYLOADS)
def test_t49_hostile_text_adds_no_node_no_formula_and_breaks_no_file(payload: str) -> None:
    hostile, calm = site_of(payload), site_of(hr.harmless(payload))
    assert _stable(hostile) == _stable(calm)
    for (name, data), (known, other) in zip(sorted(hostile.items()), sorted(calm.items()), strict=True):
        assert faults_of(name, data) == [], name
        assert shape_of(name, data) == shape_of(known, other), name


@pytest.mark.parametrize("payload", hr.PAYLOADS)
def test_t49_what_a_record_says_is_read_as_it_was_written(payload: str) -> None:
    site = site_of(payload)
    for name in SHOWN:
        texts = [" ".join(text.split()) for text in texts_of(name, site[name])]
        assert any(" ".join(payload.split()) in text for text in texts), name
    feeds = [name for name in site if name.endswith((".atom", ".xml"))]
    assert feeds
    for name in feeds:
        assert any(payload in text for text in texts_of(name, site[name])), name


def test_t49_a_kind_of_file_that_nobody_looks_at_is_none_of_the_site() -> None:
    kinds = {name.rpartition(".")[2] for name in site_of(hr.PAYLOADS[0])}
    assert kinds <= set(READERS)
    assert {"html", "svg", "atom", "csv", "json"} <= kinds


def _stable(files: Mapping[str, bytes]) -> list[str]:
    """Return the names of files, those by digest made alike."""
    return sorted(re.sub(r"[0-9a-f]{12,64}", "#", name) for name in files)
