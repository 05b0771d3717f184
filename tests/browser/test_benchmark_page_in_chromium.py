"""The page of a benchmark as people use it: choose rows and columns, compare, share, print, with or without a mouse."""

from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe

from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.build import CSP, build_site, render_page, write_site
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.pages import index_context
from medperf_git.leaderboard.reading import read_tables
from medperf_git.records.names import Ref
from tests.support import leaderboard_registry as lr

pytestmark = pytest.mark.browser

BENCHMARK = "benchmarks/ana/breast/1/index.html"
LARGE = f"large/{BENCHMARK}"
METRIC = "large/benchmarks/ana/breast/1/metric-brier.html"
WIDE = f"wide/{BENCHMARK}"
SHEET = 703, 1055  # pixels between the margins of an A4 sheet, upright and sideways


def names(page, table=".ranking"):
    return page.locator(f"{table} tbody tr:visible th > a").all_inner_texts()


def pick(page, *titles):
    for title in titles:
        page.get_by_role("checkbox", name=f"Compare {title}", exact=True).check()


@pytest.mark.parametrize("width", [360, 768, 1920])
@pytest.mark.parametrize("path", [LARGE, METRIC])
def test_a_large_benchmark_fits_any_window(opened, path, width):
    page = opened(path, width=width)
    assert page.trouble == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelector('.compact').getBoundingClientRect().width") < 1600


def test_the_headings_of_a_long_table_stay_in_sight(opened):
    page = opened(LARGE)
    for table in (".ranking", ".heat"):
        region = page.locator(".scroll", has=page.locator(table)).first
        region.evaluate("region => region.scrollTo({top: 500, left: 200, behavior: 'instant'})")
        top, left = region.evaluate(
            "region => [region.getBoundingClientRect().top, region.getBoundingClientRect().left]"
        )
        head = page.locator(f"{table} thead tr:last-child th:nth-child(4)").first.bounding_box()
        assert abs(head["y"] - top) < 3
        row = page.locator(f"{table} tbody th").nth(12).bounding_box()
        assert row["x"] - left < (120 if table == ".ranking" else 3)


def test_rows_are_found_by_words_and_by_state_in_every_table(opened):
    page = opened(WIDE)
    page.get_by_label("Find").fill("  NETWORK 2 ")
    assert names(page) == ["Network 2"]
    assert names(page, ".heat[data-map=brier]") == ["Network 2"]
    assert page.locator("#said").inner_text() == "1 of 9 models shown."
    assert page.url.endswith("?find=NETWORK+2")
    page.get_by_role("button", name="Show all again").click()
    assert len(names(page)) == 9
    assert "?" not in page.url
    page.get_by_label("Show").select_option("unranked")
    assert names(page) == ["One feature"]
    page.get_by_label("Show").select_option("beside")
    assert names(page) == ["Network 1", "Network 2", "Network 3"]
    assert page.url.endswith("?show=beside")


def test_a_long_index_is_filtered_by_words(browser, tmp_path):
    tables = read_tables(lr.wide(1, 1).view())
    topics = ("Breast", "Brain", "Heart", "Liver", "Kidney", "Lung", "Prostate", "Skin")
    analyses = [
        analyse(replace(tables.benchmarks[0], ref=Ref("ana", topic.lower(), 1), title=topic)) for topic in topics
    ]
    common = {
        "registry": tables, "commit": lr.COMMIT, "registry_id": lr.REGISTRY_ID, "step_time": lr.STEP_TIME,
        "version": "0", "csp": CSP,
    }  # fmt: skip
    index = render_page(Page("index.html", "index.html", lambda: index_context(tables, tuple(analyses))), common)
    files = build_site(lr.wide(1, 1).view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    write_site({**files, "index.html": index}, tmp_path / "site")
    page = browser.new_page()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    page.get_by_label("Find a benchmark").fill("br")
    assert page.locator(".entry:visible h3").all_inner_texts() == ["Breast", "Brain"]
    assert page.locator("[data-count]").inner_text() == "2 of 8 benchmarks"
    page.close()


def test_columns_go_and_come_back(opened):
    page = opened(WIDE)
    page.locator("summary").click()
    page.get_by_role("checkbox", name="AUROC").uncheck()
    assert page.locator(".ranking th[data-col=auroc]:visible").count() == 0
    assert page.locator(".ranking td.score:visible").count() == 0
    assert page.locator("#said").inner_text() == "1 of 6 columns hidden."
    page.keyboard.press("Escape")
    assert page.locator("fieldset:visible").count() == 0
    assert page.url.endswith("?hide=auroc")
    page.locator("summary").click()
    page.get_by_role("checkbox", name="AUROC").check()
    assert page.locator(".ranking td.score:visible").count() == 9


def test_a_shared_address_opens_as_it_was_seen(opened):
    page = opened(WIDE)
    page.get_by_role("button", name="Model").first.click()
    page.get_by_label("Find").fill("network")
    page.locator("summary").click()
    page.get_by_role("checkbox", name="Cases and coverage").uncheck()
    pick(page, "Network 4", "Network 2")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#compare select").select_option("brier")
    state = "document.querySelector('main').innerText + document.querySelector('#compare').innerText"
    seen = page.evaluate(state)
    again = opened(page.url.partition("/wide/")[1].lstrip("/") + page.url.partition("/wide/")[2])
    assert again.evaluate(state) == seen
    assert "Differences to Network 4" in seen
    assert "Brier score" in again.locator(".sides caption").inner_text()
    assert again.trouble == []


def test_what_an_address_says_and_the_page_does_not_know_is_ignored(opened):
    plain = opened(WIDE)
    bad = "?ranking=__proto__.asc&find=&show=<b>&hide=x,constructor&compare=<img src=x>~..~&by=evil&other=1"
    page = opened(WIDE + bad)
    assert page.trouble == []
    assert page.locator("#compare:visible, .picked:visible, main img").count() == 0
    assert page.locator("main").inner_text() == plain.locator("main").inner_text()


def test_models_stand_side_by_side_with_their_differences_at_every_site(opened):
    page = opened(WIDE)
    pick(page, "Network 1")
    assert page.get_by_role("button", name="Compare", exact=True).is_disabled()
    pick(page, "Network 2")
    page.get_by_role("button", name="Compare", exact=True).click()
    rows = page.locator(".sides tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.innerText))")
    assert len(rows) == 7
    for _, one, other, difference, _ in rows:
        assert float(difference.replace("\N{MINUS SIGN}", "-")) == pytest.approx(float(other) - float(one), abs=1e-9)
    ahead = sum(float(row[2]) > float(row[1]) for row in rows)
    assert f"at {ahead} of 7" in page.locator(".sides tfoot").inner_text()
    assert page.url.endswith("?compare=ben.net-1.1%7Eben.net-2.1")
    page.keyboard.press("Escape")
    assert page.locator("#compare:visible").count() == 0
    pick(page, "Network 3", "Network 4")
    page.get_by_role("checkbox", name="Compare Network 5").click()
    assert not page.get_by_role("checkbox", name="Compare Network 5").is_checked()
    assert page.locator("#said").inner_text().startswith("At most 4 models")
    page.get_by_role("button", name="Clear").click()
    assert "?" not in page.url


def test_missing_and_disputed_values_are_said_and_not_subtracted(opened):
    page = opened(f"demo/{BENCHMARK}")
    pick(page, "Logistic regression", "Gradient boosting")
    page.get_by_role("button", name="Compare", exact=True).click()
    rows = page.locator(".sides tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.innerText))")
    told = ["0.999\ndisputed, not counted", "missing\nno result yet", "missing\nno result yet"]
    assert [row[2:4] for row in rows] == [[text, "–"] for text in told]
    assert page.locator(".sides .best").count() == 0


def test_focus_is_not_lost_when_a_comparison_closes_over_filtered_rows(opened):
    page = opened(WIDE)
    pick(page, "Network 1", "Network 2")
    page.get_by_label("Find").fill("Network 7")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('[data-find]')")


def test_everything_can_be_done_with_the_keyboard(opened):
    page = opened(WIDE)
    page.get_by_label("Find").focus()
    page.keyboard.type("network")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("Show").input_value() == "beside"
    page.keyboard.press("ArrowUp")
    for title in ("Network 1", "Network 2"):
        page.get_by_role("checkbox", name=f"Compare {title}").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Compare", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "compare"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Compare Network 2"


def test_without_javascript_no_control_is_shown_that_needs_it(opened):
    page = opened(WIDE, java_script_enabled=False)
    assert page.locator("button:visible, input:visible, select:visible, summary:visible, aside:visible").count() == 0
    assert page.locator(".ranking tbody tr:visible").count() == 9


@pytest.mark.parametrize("path", [f"demo/{BENCHMARK}", LARGE])
def test_a_page_prints_with_no_table_cut(opened, path):
    page = opened(path)
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 3 <= printed.count(b"/Type /Page\n") <= 12
    page.emulate_media(media="print")
    for width, tables in zip(SHEET, (".ranking, .plain:not(.firm), .heat:not(.compact)", ".compact"), strict=True):
        page.set_viewport_size({"width": width, "height": 900})
        size = "tables => tables.map(t => [t.caption.innerText, Math.ceil(t.getBoundingClientRect().width)])"
        assert [found for found in page.locator(tables).evaluate_all(size) if found[1] > width] == []
    assert page.locator(".tools:visible, .pick:visible").count() == 0


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("demo/index.html", "light"),
        ("demo/index.html", "dark"),
        (f"demo/{BENCHMARK}", "light"),
        (f"demo/{BENCHMARK}", "dark"),
        (LARGE, "dark"),
        (METRIC, "light"),
    ],
)
def test_a_page_can_be_read_by_everybody(opened, path, scheme):
    page = opened(path, color_scheme=scheme, reduced_motion="reduce")
    if "index.html" not in path or "benchmarks" in path:
        for box in page.locator(".pick input").all()[:2]:
            box.check()
        page.get_by_role("button", name="Compare", exact=True).click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_every_cell_has_an_edge_where_colours_are_forced(opened):
    page = opened(f"demo/{BENCHMARK}", forced_colors="active")
    edges = "cells => cells.filter(cell => getComputedStyle(cell).borderTopWidth !== '1px').length"
    assert page.locator(".heat td.cell").count() > 20
    assert page.locator(".heat td.cell").evaluate_all(edges) == 0


def test_a_metric_may_bear_the_name_of_a_column_or_a_dot(browser, tmp_path, monkeypatch):
    words = {"title": "Score", "direction": "higher", "reduction": "none", "decimals": 3}
    monkeypatch.setattr(lr, "METRICS", {"sites": {**words, "title": "Lesion sites"}, "dice.et": words})
    registry = lr.Registry(metrics=("sites", "dice.et"))
    registry.site("north", cases=60)
    for model, found, dice in (("ridge", 0.9, 0.1), ("net", 0.8, 0.3)):
        registry.model(model)
        registry.result(model, "north", {"sites": found, "dice.et": dice})
    files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    write_site(files, tmp_path / "site")
    page = browser.new_page()
    for column, first in (("metric.sites.desc", "Ridge"), ("dice.et.desc", "Net")):
        page.goto(f"{(tmp_path / 'site' / BENCHMARK).as_uri()}?ranking={column}&hide=sites")
        assert names(page)[0] == first
        assert page.locator(".ranking [data-key='metric.sites']").is_visible()
        assert page.locator(".ranking [data-key='sites']").is_hidden()
    page.close()
