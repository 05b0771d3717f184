"""JSON-LD inside a page under the site's Content-Security-Policy, in headless Chromium: data, never executed."""

import html
import json
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from medperf_git.leaderboard.build import CSP
from medperf_git.leaderboard.exporting.document import script_json
from medperf_git.leaderboard.exporting.schema_org import dataset_node
from tests.support.exports import LINES, TEXTS, hostile, release_of

pytestmark = pytest.mark.browser

WATCH = """
window.broken = [];
document.addEventListener("securitypolicyviolation", event => broken.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def page_with(script: str) -> str:
    policy = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(CSP)}">'
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8">{policy}<title>T</title>{script}</head><p>x</p>'


def test_t49_linked_data_in_a_page_breaks_no_policy_runs_nothing_and_reads_back_equal(browser: Browser) -> None:
    page, pages = browser.new_page(), {}
    page.add_init_script(WATCH)
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=pages[route.request.url]))
    for place, line in enumerate(LINES[:8]):
        release = release_of(hostile(line, TEXTS[3]))
        people, record = release.people, release.record
        node = dataset_node(release.table, release.origin, people, committee=release.committee, created=record.created)
        url = f"http://site.test/{place}"
        pages[url] = page_with(f'<script type="application/ld+json">{script_json(node)}</script>')
        page.goto(url)
        assert page.evaluate("broken") == []
        elements = page.evaluate("[...document.querySelectorAll('*')].map(e => e.localName).join(' ')")
        assert elements == "html head meta meta title script body p"
        assert json.loads(page.evaluate("document.querySelector('script').textContent")) == node
    pages["http://site.test/run"] = page_with("<script>window.ran = 1</script>")
    page.goto("http://site.test/run")
    assert page.evaluate("broken") == ["script-src-elem"]  # the same policy stops what would run
    assert page.evaluate("window.ran ?? 0") == 0
