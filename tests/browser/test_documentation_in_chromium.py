"""The documentation as readers see it: every page, narrow and wide, without a request to anybody else."""

import functools
import http.server
import json
import re
import threading
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Quiet
from tests.docs.test_site import docs
from tests.support.pages import ROOT

pytestmark = pytest.mark.browser
NARROW, WIDE = 360, 1280
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNSEEN = "[...document.images].filter(one => !one.naturalWidth).map(one => one.src)"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the documentation and serve it; what stands in the repository, not what was built before."""
    out = tmp_path_factory.mktemp("documentation") / "site"
    started = time.monotonic()
    docs.build(out)
    took = time.monotonic() - started
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(out)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield out, f"http://127.0.0.1:{server.server_port}", took
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser, built):
    context = browser.new_context(viewport={"width": NARROW, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(built[1]) or page.trouble.append(asked.url))
    page.on("response", lambda answer: answer.status < 400 or page.trouble.append(answer.url))
    yield page
    context.close()


def test_the_site_is_built_within_ten_seconds(built) -> None:
    assert built[2] < 10


def test_every_page_fits_narrow_and_wide_and_asks_nobody_else(built, page) -> None:
    out, address, _ = built
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.html"))
    assert len(names) == len(docs.Pages.found(ROOT).places)
    wrong = []
    for name in names:
        for width in (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": 900})
            if width == NARROW:
                page.goto(f"{address}/{name}", wait_until="load")
            if (over := page.evaluate(OVERFLOW)) > 0:
                wrong.append(f"{name} at {width}: {over} px too wide")
        wrong += [f"{name}: {source} is not shown" for source in page.evaluate(UNSEEN)]
    assert wrong == []
    assert page.trouble == []


@pytest.mark.parametrize("name", ["index.html", "quick-start.html", "coming-from-medperf.html"])
def test_axe_finds_nothing(built, page, name: str) -> None:
    page.goto(f"{built[1]}/{name}")
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_privacy_officers_page_prints_on_two_sheets(built, page, paper: str) -> None:
    page.goto(f"{built[1]}/manuals/privacy-officer.html")
    printed = page.pdf(format=paper, margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"))
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 2


def test_search_finds_a_page(built, page) -> None:
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto(f"{built[1]}/index.html")
    page.get_by_role("button", name="Search").first.click()
    page.keyboard.type("privacy officer")
    page.get_by_text("For a privacy officer").last.wait_for(timeout=10_000)
    assert page.trouble == []


def test_the_index_of_the_search_knows_every_page(built) -> None:
    known = {one["location"].partition("#")[0] for one in json.loads((built[0] / "search.json").read_text())["items"]}
    assert {path.relative_to(built[0]).as_posix() for path in built[0].rglob("*.html")} == known
