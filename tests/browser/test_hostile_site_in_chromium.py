"""T49 in headless Chromium: every hostile text in every field, and no new node, no dialog, no request, no script."""

import functools
import http.server
import os
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

from medperf_git.leaderboard.build import build_site, write_site
from tests.support import hostile_registry as hr
from tests.support import leaderboard_registry as lr

pytestmark = pytest.mark.browser

NODES = """() => [...document.querySelectorAll("*")].map((node) =>
  node.tagName + " " + [...node.attributes].map((one) => one.name).sort().join(" "))"""
MOST_OF_A_KIND = 2


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, format, *args):  # noqa: A002 - the name of the base class
        pass


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Serve the site of hostile texts, and that of texts of the same shape; give its address and its pages."""
    top = tmp_path_factory.mktemp("sites")
    for name, texts in (("hostile", hr.PAYLOADS), ("calm", tuple(map(hr.harmless, hr.PAYLOADS)))):
        view = hr.poisoned("calm", taking_turns=texts).view()
        files = build_site(view, commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
        write_site(files, top / name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(top)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", chosen(sorted(name for name in files if name.endswith(".html")))
    server.shutdown()
    server.server_close()


def chosen(pages):
    """Return a few pages of each kind."""
    kinds = {}
    for page in pages:
        kind = page.partition("/")[0], "result" if page.startswith("results/") else page.rpartition("/")[2]
        kinds.setdefault(kind, []).append(page)
    return [page for same in kinds.values() for page in same[:MOST_OF_A_KIND]]


@pytest.fixture(scope="module")
def chromium():
    path = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_t49_no_hostile_text_adds_a_node_asks_for_anything_or_opens_a_dialog(sites, chromium):
    address, pages = sites
    assert len(pages) >= 4
    page, trouble = chromium.new_page(), []
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(address) or trouble.append(asked.url))
    page.on("popup", lambda opened: trouble.append(opened.url))
    for name in pages:
        seen = {}
        for site in ("calm", "hostile"):
            page.goto(f"{address}/{site}/{name}")
            at_first = page.evaluate(NODES)
            for button in page.locator("main button:visible").all()[:6]:
                if button.is_visible() and button.is_enabled():
                    button.click()
            seen[site] = at_first, page.evaluate(NODES)
            assert page.url.startswith(f"{address}/{site}/"), page.url
        assert seen["hostile"][0] == seen["calm"][0], name
        assert sorted(seen["hostile"][1]) == sorted(seen["calm"][1]), name
    assert trouble == []
