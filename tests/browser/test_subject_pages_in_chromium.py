"""Pages of models, datasets, members, results, methods and news in Chromium: quiet, narrow, accessible, framed."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from medperf_git.leaderboard.build import build_site, write_site
from tests.support import compared_registry as cr
from tests.support import leaderboard_registry as lr
from tests.support.rich_registry import rich, steps_of

pytestmark = pytest.mark.browser

# A page of each family, and how it is looked at: axe takes a second for each.
PAGES = (
    ("pooled/models/ben/m1/1/index.html", "light", 360),
    ("rich/models/ben/forest/2/index.html", "dark", 360),
    ("rich/sites/river/tumours/1/index.html", "dark", 1440),
    ("rich/members/ana/index.html", "light", 360),
    ("rich/members/index.html", "dark", 360),
    ("rich/results/ana/breast/1/river.tumours.1/ben.forest.1/0001.html", "dark", 360),
    ("rich/methods.html", "light", 360),
    ("rich/changes.html", "dark", 1440),
    ("rich/benchmarks/ana/breast/1/embed.html", "light", 360),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("subjects")
    pooled = cr.registry_of(cr.drawn(3, sites=(20, 30, 25, 40, 33), models=2), metrics=("dice",), weights="equal")
    for name, registry in (("rich", rich()), ("pooled", pooled)):
        words = {"commit": lr.COMMIT, "registry_id": lr.REGISTRY_ID, "step_time": lr.STEP_TIME}
        write_site(build_site(registry.view(), steps=steps_of(registry), **words), top / name)
    return top


@pytest.mark.parametrize(("path", "scheme", "width"), PAGES)
def test_a_page_is_accessible_quiet_and_never_wider_than_its_window(browser, folder, path, scheme, width):
    trouble = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: trouble.append(message.text))
    page.goto((folder / path).as_uri())
    assert trouble == []  # before axe, which tries to fetch the style sheet and may not
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    context.close()
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_the_small_table_works_in_a_frame_of_another_page_and_leads_out_of_it(browser, site):
    page = browser.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(message.text))
    source = f"{site}/demo/benchmarks/ana/breast/1/embed.html"
    page.set_content(f'<iframe src="{source}" title="Ranking" width="480" height="320"></iframe>')
    frame = page.frame_locator("iframe")
    assert "is first of four" in frame.locator("main").inner_text()
    assert frame.locator("caption").evaluate("node => getComputedStyle(node).textAlign") == "left"
    assert frame.locator("h1 a").get_attribute("target") == "_top"
    assert trouble == []
    page.close()


def test_a_badge_is_a_picture_with_a_name_in_another_page(browser, folder):
    page = browser.new_page()
    page.goto((folder / "rich/benchmarks/ana/breast/1/badge.svg").as_uri())
    assert page.evaluate("document.querySelector('title').textContent").endswith(
        "first of 4, not clearly: Logistic regression"
    )
    wide = "[...document.querySelectorAll('text')].map(t => t.getBBox().width - Number(t.getAttribute('textLength')))"
    assert all(abs(more) < 0.6 for more in page.evaluate(wide))
    page.close()
