"""Names as long, and as tall, as records let them be: every other column of a table stays in sight on a phone."""

import pytest

from medperf_git.leaderboard.build import build_site, write_site
from tests.support import leaderboard_registry as lr

pytestmark = pytest.mark.browser

TALL = "ก" + "\N{THAI CHARACTER MAI THO}" * 100  # one letter under a hundred marks, which no line break parts
SPILT = """() => [...document.querySelectorAll("tbody th")].filter((head) => {
  const room = head.getBoundingClientRect(), range = document.createRange();
  range.selectNodeContents(head);
  const clipped = getComputedStyle(head).overflowX === "clip";
  return room.width > innerWidth * 0.62 || (!clipped && range.getBoundingClientRect().right > room.right + 1);
}).map((head) => head.textContent.trim())"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    registry = lr.Registry(texts={"registry": "x" + "\N{COMBINING CYRILLIC MILLIONS SIGN}" * 80, "dataset": TALL})
    for name, title in (("m" * 60, "m" * 60), ("n-" * 29 + "zz", "W" * 60), ("tall", TALL)):
        registry.model(name, title)
    for site in ("s" * 60, "t" * 39 + "-" + "u" * 20):
        registry.site(site, cases=30)
        registry.result("m" * 60, site, {"auroc": 0.8})
        registry.result("tall", site, {"auroc": 0.7})
    files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    top = tmp_path_factory.mktemp("long")
    write_site(files, top)
    return top


@pytest.mark.parametrize(
    "path",
    ["index.html", "members/index.html", "models/ben/tall/1/index.html"]
    + [f"benchmarks/ana/breast/1/{name}.html" for name in ("index", "status", "embed")],
)
def test_no_name_spills_over_other_columns_or_widens_the_page(browser, folder, path):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto((folder / path).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(SPILT) == []
    page.close()


def test_long_names_cut_nothing_off_on_paper(browser, folder):
    page = browser.new_page(viewport={"width": 703, "height": 1055})
    page.emulate_media(media="print")
    page.goto((folder / "benchmarks/ana/breast/1/index.html").as_uri())
    widest = page.locator("table").evaluate_all("all => Math.max(...all.map(one => one.getBoundingClientRect().right))")
    assert widest <= 704
    page.close()
