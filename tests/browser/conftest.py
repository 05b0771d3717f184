"""One headless Chromium, and sites built from the registries of the tests, for all tests that look at pages."""

import functools
import http.server
import os
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

from medperf_git.leaderboard.build import build_site, write_site
from tests.support import leaderboard_registry as lr

HOSTILE = "\"><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, format, *args):  # noqa: A002 - the name of the base class
        pass


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Serve four sites: one with every state, one with intervals, a large one, and one full of hostile text."""
    top = tmp_path_factory.mktemp("sites")
    hostile = lr.Registry(texts=dict.fromkeys(("registry", "model", "dataset", "benchmark", "description"), HOSTILE))
    hostile.site("north", cases=20)
    hostile.result("one-feature", "north", {"auroc": 0.9})
    made = {"demo": lr.demo(), "wide": lr.wide(), "large": lr.wide(24, 22), "hostile": hostile}
    for name, registry in made.items():
        files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
        write_site(files, top / name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(top)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(browser, site):
    """Open a page; what it says on the console, asks of others or does not find is gathered in `trouble`."""
    contexts = []

    def go(path, *, width=1400, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(site) or page.trouble.append(asked.url))
        page.on("response", lambda answer: answer.ok or page.trouble.append(answer.url))
        page.goto(f"{site}/{path}")
        return page

    yield go
    for context in contexts:
        context.close()
