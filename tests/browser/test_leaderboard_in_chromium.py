"""The leaderboard in headless Chromium: quiet, sortable, readable without JavaScript, on any width, in the dark."""

import pytest

from medperf_git.leaderboard.build import build_site, write_site
from tests.support import leaderboard_registry as lr

pytestmark = pytest.mark.browser

BENCHMARK = "benchmarks/ana/breast/1/index.html"
RESULT = "results/ana/breast/1/river.tumours.1/ben.forest.1/0002.html"
STATUS = BENCHMARK.replace("index", "status")
PAGES = ("index.html", BENCHMARK, RESULT, STATUS)


def column(page, place):
    return page.locator(f".ranking tbody tr > :nth-child({place})").all_inner_texts()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_a_word_and_asks_nobody_else(opened, path):
    assert opened(f"demo/{path}").trouble == []


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", ["demo", "wide"])
def test_a_page_is_never_wider_than_its_window(opened, path, width, name):
    if name == "wide" and path == RESULT:
        path = RESULT.replace("river.tumours.1/ben.forest.1/0002", "site-a.tumours.1/ben.net-1.1/0001")
    page = opened(f"{name}/{path}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_sorting_turns_the_rows_says_so_and_is_in_the_url(opened):
    page = opened(f"demo/{BENCHMARK}")
    assert column(page, 1) == ["1", "2", "3", "4", "–"]
    page.get_by_role("button", name="Model").first.click()
    names = [text.split("\n")[0] for text in column(page, 2)]
    assert names == sorted(names)
    assert page.url.endswith("?ranking=model.asc")
    assert page.locator(".ranking th[aria-sort]").inner_text().startswith("Model")
    assert "Sorted by Model, ascending." in page.locator("#said").inner_text()
    page.get_by_role("button", name="Model").first.click()
    assert [text.split("\n")[0] for text in column(page, 2)] == names[::-1]


def test_a_shared_address_opens_sorted_with_what_is_unranked_last(opened):
    page = opened(f"demo/{BENCHMARK}?ranking=auroc.asc")
    assert column(page, 1) == ["4", "3", "2", "1", "–"]
    assert page.locator(".ranking th[aria-sort=ascending]").get_attribute("data-key") == "auroc"


def test_an_unknown_sort_in_the_address_changes_nothing(opened):
    page = opened(f"demo/{BENCHMARK}?ranking=%3Cimg%3E.asc")
    assert column(page, 1) == ["1", "2", "3", "4", "–"]
    assert page.trouble == []


def test_sorting_works_with_the_keyboard_alone(opened):
    page = opened(f"demo/{BENCHMARK}")
    page.locator(".ranking th[data-key=rank] button").focus()
    page.keyboard.press("Enter")
    assert column(page, 1) == ["4", "3", "2", "1", "–"]
    page.keyboard.press("Enter")
    assert column(page, 1)[0] == "1"
    assert "?" not in page.url


def test_everything_is_readable_without_javascript(opened):
    page = opened(f"demo/{BENCHMARK}", java_script_enabled=False)
    text = page.locator("main").inner_text()
    assert "Logistic regression is first of four" in text
    assert "it needed more memory than it was given" in text
    assert page.locator("th button").count() == 0
    assert page.locator(".heat .cell").count() == 45


def test_the_stages_are_readable_without_javascript_and_sort_with_it(opened):
    page = opened(f"demo/{STATUS}", java_script_enabled=False)
    assert "medperf-git run ana/breast@1 --dataset summit/tumours@1" in page.locator("main").inner_text()
    page = opened(f"demo/{STATUS}")
    page.get_by_role("button", name="Results of the models").click()
    sites = page.locator("table[data-sort=sites] tbody th .ref").all_inner_texts()
    assert sites == ["summit/tumours@1", "river/tumours@1", "north/tumours@1"]
    assert page.url.endswith("?sites=results.asc")


def test_dark_is_dark_and_light_is_light(opened):
    shade = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
    assert max(opened(f"demo/{BENCHMARK}", color_scheme="dark").evaluate(shade)) < 60
    assert min(opened(f"demo/{BENCHMARK}", color_scheme="light").evaluate(shade)) > 230


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_text_stands_out_from_its_ground(opened, path, scheme):
    low = opened(f"demo/{path}", color_scheme=scheme).evaluate(CONTRAST)
    assert low == []


def test_the_site_opens_from_a_folder(browser, tmp_path):
    files = build_site(lr.demo().view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    write_site(files, tmp_path / "site")
    page = browser.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(message.text))
    page.goto((tmp_path / "site" / BENCHMARK).as_uri())
    page.get_by_role("button", name="Model").first.click()
    assert trouble == []
    assert page.locator(".ranking th[data-key=model]").get_attribute("aria-sort") == "ascending"
    page.close()


@pytest.mark.parametrize("path", ["index.html", BENCHMARK, STATUS])
def test_t49_hostile_names_stay_text(opened, path):
    page = opened(f"hostile/{path}")
    assert page.trouble == []
    assert "owned" not in page.title() or "onerror" in page.title()
    assert page.locator("img, main script, iframe").count() == 0


def test_plots_have_a_name_and_a_description(opened):
    page = opened(f"demo/{BENCHMARK}")
    plots = page.locator(".strip")
    assert plots.count() == 4
    assert plots.first.locator("> title").text_content().startswith("Logistic regression: AUROC")
    assert "north/tumours@1: 0.981" in plots.first.locator("> desc").text_content()


CONTRAST = """() => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const linear = (x) => (x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => { const [r, g, b] = c.map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { for (let n = node; n; n = n.parentElement) {
    const c = rgb(getComputedStyle(n).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3); }
    return [255, 255, 255]; };
  const low = [];
  for (const node of document.querySelectorAll("main *, .masthead *, .colophon *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest("svg") || node.closest(".unseen")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color).slice(0, 3)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push([node.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return low;
}"""
