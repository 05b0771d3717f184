"""Every address of a site leads to a file of it, from wherever it lies: a sub-path of a host, a folder on a disk."""

import posixpath
import re
from collections.abc import Iterator, Mapping

import pytest

from medperf_git.leaderboard.build import build_site
from tests.support import hostile_registry as hr
from tests.support import leaderboard_registry as lr
from tests.support.site_reading import Page

_ELSEWHERE = re.compile(r"https?://", re.IGNORECASE)


def built(registry: lr.Registry) -> Mapping[str, bytes]:
    return build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)


SITES = {
    "demo": built(lr.demo()),
    "wide": built(lr.wide(3, 5)),
    "empty": built(lr.Registry()),
    "full": built(hr.poisoned("x")),
}


def addresses(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """Yield page, element and address, but for those that lead out of the site."""
    for name, data in files.items():
        if name.endswith(".html"):
            yield from ((name, tag, to) for tag, to in Page(data.decode()).addresses if not _ELSEWHERE.match(to))


@pytest.mark.parametrize("name", sorted(SITES))
def test_every_address_is_relative_and_names_a_file_and_a_place_in_it(name: str) -> None:
    files = SITES[name]
    anchors = {page: Page(data.decode()).anchors for page, data in files.items() if page.endswith(".html")}
    wrong = []
    for page, tag, to in addresses(files):
        path, _, place = to.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path.partition("?")[0])) if path else page
        if to.startswith("/") or target not in files or (place and place not in anchors.get(target, {place})):
            wrong.append((page, tag, to))
    assert wrong == []


@pytest.mark.parametrize("name", sorted(SITES))
def test_only_a_link_that_somebody_clicks_leads_out_of_the_site(name: str) -> None:
    pages = {page: Page(data.decode()) for page, data in SITES[name].items() if page.endswith(".html")}
    out = {(page, tag) for page, parsed in pages.items() for tag, to in parsed.addresses if _ELSEWHERE.match(to)}
    assert {tag for _, tag in out} <= {"a"}
    for data in (data for file, data in SITES[name].items() if file.endswith(".css")):
        assert b"url(" not in data
        assert b"@import" not in data
