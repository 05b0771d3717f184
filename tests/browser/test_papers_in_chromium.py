"""The printed pages in headless Chromium: on paper, on a telephone, for people who cannot see them, and hostile."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from medperf_git.flows.paper_parts import Leaving
from medperf_git.flows.papers import dataset_paper, review_paper
from medperf_git.leaderboard.paper import render_paper
from medperf_git.records import models as m
from medperf_git.records.view import record_at
from tests.support.paper_samples import WHERE, registry, review

pytestmark = pytest.mark.browser

HOSTILE = "\"><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
PAGES = ("one", "many", "dataset", "hostile")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    for name, models, text in (("one", 1, ""), ("many", 41, ""), ("hostile", 3, HOSTILE)):
        made = registry(models=models, text=text)
        shown = review(made, models=models, failed=models // 3, text=text)
        (folder / f"{name}.html").write_bytes(render_paper(review_paper(made.view, WHERE, [shown])))
    made = registry()
    path = "datasets/clinic/cohort/1.yaml"
    benchmark = record_at(made.view, "benchmarks/ana/cells/1/benchmark.yaml", m.Benchmark)
    paper = dataset_paper(made.view, WHERE, Leaving(path, made.files[path]), benchmark=benchmark, stays=("42 files",))
    (folder / "dataset.html").write_bytes(render_paper(paper))
    return folder


@pytest.fixture
def opened(browser, folder):
    pages = []

    def go(name, *, width=1000):
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.trouble = []
        address = (folder / f"{name}.html").as_uri()
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("request", lambda asked: asked.url == address or page.trouble.append(asked.url))
        page.goto(address)
        return page

    yield go
    for page in pages:
        page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_by_everybody_and_asks_nobody(opened, name):
    page = opened(name)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.trouble == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_never_wider_than_its_window(opened, name):
    assert opened(name, width=360).evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_a_page_prints_with_nothing_cut_off_and_a_place_to_sign(opened, paper):
    page = opened("one")
    printed = page.pdf(format=paper)
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 660, "height": 900})  # what is left of a sheet between its margins
    wide = (
        "[...document.querySelectorAll('table, pre, dl, p')].filter(n => n.getBoundingClientRect().right > innerWidth)"
    )
    assert page.evaluate(f"{wide}.length") == 0
    assert page.locator(".sign dt").all_inner_texts().count("Signature") == 2


def test_a_run_of_many_models_says_the_most_important_things_on_its_first_sheets(opened):
    page = opened("many")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 660, "height": 900})
    place = page.locator("#sign").bounding_box()["y"]
    assert place < 4 * 980
    assert page.locator("#summary-table-3 ~ tbody tr, table:has(#summary-table-3) tbody tr").count() == 41


def test_t49_hostile_names_stay_text_on_paper(opened):
    page = opened("hostile")
    assert "owned" not in page.title()
    assert page.locator("img, script, iframe").count() == 0
    assert HOSTILE in page.locator("main").inner_text()
