"""The pages of models, datasets, members, results and methods, and the small table: what a reader must find there."""

import html
import posixpath
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from medperf_git.leaderboard import forest, member_page, model_page, site_page
from medperf_git.leaderboard.build import build_site
from medperf_git.leaderboard.keys import key_lines
from medperf_git.leaderboard.methods_page import DETAILS
from medperf_git.leaderboard.result_page import blob_id
from medperf_git.leaderboard.rules import in_order
from medperf_git.leaderboard.statistics.meta import random_effects
from medperf_git.records import models
from medperf_git.records.record import read_record
from tests.support import compared_registry as cr
from tests.support import comparison_builder as cb
from tests.support import leaderboard_registry as lr
from tests.support.rich_registry import rich, steps_of

MODEL = "models/ben/forest/1/index.html"
SITE = "sites/river/tumours/1/index.html"
HOSTILE = "</title></desc><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def site_of(registry):
    return build_site(
        registry.view(),
        commit=lr.COMMIT,
        registry_id=lr.REGISTRY_ID,
        step_time=lr.STEP_TIME,
        steps=steps_of(registry),
    )


@pytest.fixture(scope="module")
def files():
    return site_of(rich())


@pytest.fixture(scope="module")
def compared():
    house = cb.compared()
    house.merge(house.propose(cb.comparison(house)).sign("north"))
    return build_site(house.view, commit=lr.COMMIT, registry_id=house.id, step_time=lr.STEP_TIME)


def text_of(data):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", data.decode())))


def test_every_model_dataset_and_member_has_a_page(files):
    models = {name for name in files if name.startswith("models/") and name.endswith(".html")}
    assert models == {
        f"models/{name}/index.html"
        for name in ("ana/one-feature/1", "ben/forest/1", "ben/forest/2", "ben/late/1", "ben/logit/1", "ben/near/1")
    }
    sites = {name for name in files if name.startswith("sites/")}
    names = ("north/tumours/1", "river/archive/1", "river/tumours/1", "summit/tumours/1")
    assert sites == {f"sites/{name}/index.html" for name in names}
    members = {name for name in files if name.startswith("members/")}
    assert members == {"members/index.html"} | {
        f"members/{name}/index.html" for name in ("ana", "ben", "north", "river", "summit")
    }


def test_a_model_says_where_it_stands_and_how_firmly(files):
    said = text_of(files[MODEL])
    assert "Rank 2 of 4 in Malignancy of breast masses." in said
    assert "Rank without one site 1–2" in said
    assert "3 of 3 sites, 100 % of the cases" in said
    assert "range over its sites 0.961–0.984" in said


def test_a_models_plot_has_a_name_a_description_and_a_table_that_says_the_same(files):
    page = files[MODEL].decode()
    (plot,) = re.findall(r"<svg class=\"forest\".*?</svg>", page, re.DOTALL)
    assert '<title id="forest-1-1-t">AUROC of Random forest at 3 sites</title>' in plot
    assert "From 0.961 at River Clinic to 0.984 at North General" in plot
    assert plot.count('class="square"') == 3
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page)
    assert [re.findall(r'class="num">([0-9.]+)', row) for row in rows] == [
        ["0.984", "60"],
        ["0.961", "120"],
        ["0.983", "200"],
    ]


def test_a_failed_and_a_withdrawn_cell_stand_in_the_models_table_with_the_reason(files):
    said = text_of(files["models/ben/near/1/index.html"])
    assert "failed it needed more memory than it was given" in said
    assert "withdraw by ben: error found" in said


def test_a_model_in_no_benchmark_shows_its_record_and_its_other_version(files):
    page = files["models/ben/forest/2/index.html"].decode()
    said = text_of(files["models/ben/forest/2/index.html"])
    assert "It takes part in no benchmark yet." in said
    for words in ("Apache-2.0", "For second reading; never alone.", "trees: 100", "1.5 GB of memory"):
        assert words in said
    assert lr.sha("forest-2") in said
    assert lr.sha("m") in said
    assert 'href="../../../../models/ben/forest/1/index.html"' in page


def test_where_sites_publish_their_spread_the_plot_shows_each_sites_interval(compared):
    page = compared["models/moa/forest/1/index.html"].decode()
    assert page.count('class="whisker"') == 1
    assert "0.645 [0.602; 0.688]" in page
    assert '<span class="of under">0.602 to 0.688</span>' in page


def test_the_interval_of_one_site_is_students_as_r_gives_it():
    # R: 0.7 + c(-1, 1) * qt(0.975, 24) * 0.1 / sqrt(25)
    assert round(0.7 - forest._student(24) * 0.1 / 5, 7) == 0.6587220
    assert round(forest._student(59), 6) == 2.000995


def test_a_dataset_shows_what_was_published_and_no_more(files):
    said = text_of(files["sites/river/archive/1/index.html"])
    for words in ("50–99 cases", "mean age 61", "num cases 74", "2019–2023", "Fine needle aspirate", "ana/prep@1"):
        assert words in said
    assert "nothing below 20 cases; at most 2 decimals" in said
    assert "Salted commitment" in said
    assert "Only for this benchmark." in said
    assert "No statistics beyond the number of cases." in text_of(files[SITE])


def test_a_dataset_ranks_the_models_at_its_own_site(files):
    rows = re.findall(r"<tr><td class=\"num\">(.+?)</td>.*?<a [^>]*>(.+?)</a>", files[SITE].decode())
    assert rows == [
        ("1", "Logistic regression"),
        ("2", "Random forest"),
        ("3", "Nearest neighbours"),
        ("4", "One feature"),
        ("–", "Gradient boosting"),
    ]


def test_a_dataset_lists_the_comparisons_its_site_published(compared):
    said = text_of(compared["sites/north/wards/1/index.html"])
    assert "Dice: The baseline container and The forest container, on 60 cases; live" in said


def test_a_member_shows_every_key_with_how_long_it_is_good(files):
    said = text_of(files["members/ana/index.html"])
    assert f"{lr.fingerprint('ana')} {lr.CREATED} – revoked: it was lost" in said
    assert f"{lr.fingerprint('ana-2')} {lr.CREATED} 2028-01-01T00:00:00Z valid" in said
    assert "Country NO" in said
    assert "https://ana.example" in said
    assert "1 benchmark, 1 model; 3 results of its models." in said
    assert "2 datasets; 4 results measured on its data." in text_of(files["members/river/index.html"])


def test_the_list_of_members_counts_countries_only_where_somebody_names_one(files):
    assert "Where they are" in text_of(files["members/index.html"])
    assert "NO 1 0 0 not told 4 4 13" in text_of(files["members/index.html"])
    assert "Where they are" not in text_of(site_of(lr.demo())["members/index.html"])


def test_the_methods_explain_every_rule_that_is_known(files):
    said = text_of(files["methods.html"])
    for rule in in_order():
        assert DETAILS[rule.name].formula in said
        assert f"{rule.name}, version {rule.version}" in said
    assert "Registered by Malignancy of breast masses" in said
    assert lr.COMMIT in said


def test_the_snippet_for_a_frame_survives_a_hostile_title():
    registry = lr.Registry(texts={"benchmark": 'A "b" & <c>'})
    page = site_of(registry)["methods.html"].decode()
    (snippet,) = re.findall(r"<pre><code>(&lt;iframe.*?)</code>", page)
    pasted = html.unescape(snippet)
    assert 'title="A &#34;b&#34; &amp; &lt;c&gt;"' in pasted
    assert 'src="https://leaderboard.example/benchmarks/ana/breast/1/embed.html"' in pasted


def test_the_small_table_runs_no_script_and_says_who_is_first(files):
    page = files["benchmarks/ana/breast/1/embed.html"].decode()
    assert "script" not in page
    assert "Logistic regression is first of four" in page
    assert page.count("<tr") == 5


def test_the_blob_on_a_results_page_is_the_one_git_computes(files):
    path = "results/ana/breast/1/river.tumours.1/ben.forest.1/0002"
    assert blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    assert blob_id(rich().files[f"{path}.yaml"]) in files[f"{path}.html"].decode()


def test_a_result_links_the_others_of_its_chain_its_model_its_dataset_and_its_benchmark(files):
    page = files["results/ana/breast/1/river.tumours.1/ben.forest.1/0001.html"].decode()
    for url in ("ben.forest.1/0002.html", "models/ben/forest/1/index.html", "sites/river/tumours/1/index.html"):
        assert url in page
    assert "This result is superseded by" in page


def test_what_belongs_to_one_result_takes_at_most_six_kilobytes(files):
    pages = [data for name, data in files.items() if name.startswith("results/") and name.endswith(".html")]
    assert max(len(re.findall(rb"<main.*</main>", data, re.DOTALL)[0]) for data in pages) <= 6 * 1024


def test_pages_of_one_thing_name_no_commit(files):
    for name, data in files.items():
        if name.startswith(("models/", "sites/", "members/", "results/", "benchmarks/")):
            assert lr.COMMIT.encode() not in data, name


def test_a_table_of_many_sites_is_cut_with_the_reason_and_a_plot_keeps_the_best_and_the_worst():
    page = site_of(lr.wide(2, 104))["models/ben/net-1/1/index.html"].decode()
    assert page.count('class="square"') == forest.MOST_SITES
    assert "Drawn are the 20 best and the 20 worst of 104 sites" in page
    assert "The first 60 of 104 sites" in page
    assert page.count('<tr><th scope="row">') == 60


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def skeleton(data):
    parser = Skeleton()
    parser.feed(data.decode())
    return parser.seen


def test_t49_hostile_words_in_models_and_datasets_add_no_node():
    fields = ("description", "licence", "parameters", "terms", "modality", "title")
    calm, hostile = site_of(rich(dict.fromkeys(fields, "calm"))), site_of(rich(dict.fromkeys(fields, HOSTILE)))
    for name, data in calm.items():
        if name.endswith((".html", ".svg", ".atom")):
            assert skeleton(hostile[name]) == skeleton(data), name


def test_every_link_of_the_rich_site_leads_to_a_file_and_to_an_id_in_it(files):
    ids = {name: set(re.findall(r'\sid="([^"]*)"', data.decode())) for name, data in files.items() if is_text(name)}
    for name in ids:
        for address in re.findall(r'(?:href|src)="([^"]*)"', files[name].decode()):
            target, _, anchor = html.unescape(address).partition("#")
            found = posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else name
            assert found in files, (name, address)
            assert not anchor or anchor in ids[found], (name, address)


def is_text(name):
    return name.endswith((".html", ".svg", ".atom"))


def test_where_sites_publish_their_spread_random_effects_stand_below_the_mean_and_badges_say_the_rank_interval():
    house = cr.registry_of(cr.drawn(3, sites=(40, 60, 25, 90, 33), models=3), metrics=("dice",), weights="equal")
    files = build_site(house.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    page = files["models/ben/m1/1/index.html"].decode()
    assert page.count('class="whisker"') == 5
    assert page.count('class="diamond"') == 2
    assert page.count('class="reach"') == 1
    values = [stored.values["dice"] for stored in _dice_of(house, "m1")]
    y, v = [float(one.value) for one in values], [float(one.sd) ** 2 / one.n for one in values]
    fit = random_effects(y, v)
    assert f"{fit.estimate:.4f} [{fit.low:.4f}; {fit.high:.4f}]" in page
    assert f"another site is expected from {fit.prediction_low:.4f} to {fit.prediction_high:.4f}" in page
    assert "95\N{NO-BREAK SPACE}% rank interval" in page
    assert re.search(
        r"<title id=\"t\">Masses: rank 2 of 3, 95\N{NO-BREAK SPACE}% [123–]+</title>",
        files["models/ben/m1/1/badge-ana.breast.1.svg"].decode(),
    )


def _dice_of(house, model):
    paths = (path for path in house.files if path.endswith(f"ben.{model}.1/0001.yaml") and path.startswith("results/"))
    return [read_record(path, house.files[path]).stored.record for path in paths]


def test_pages_of_what_is_in_many_benchmarks_and_lists_of_many_members_stay_small(monkeypatch):
    monkeypatch.setattr(model_page, "MOST_STANDS", 0)
    monkeypatch.setattr(site_page, "MOST_BENCHMARKS", 0)
    monkeypatch.setattr(member_page, "MOST_MEMBERS", 2)
    files = site_of(lr.demo())
    assert "In further benchmarks Malignancy of breast masses ana/breast@1 rank 2 of 4" in text_of(files[MODEL])
    assert "In further benchmarks Malignancy of breast masses ana/breast@1 approved" in text_of(files[SITE])
    assert "The first 2 of 5 members, by name" in text_of(files["members/index.html"])
    assert files["members/index.html"].count(b'<th scope="row"') == 2


def test_a_key_that_was_replaced_says_until_when_it_stood_and_an_encryption_key_is_shown_whole():
    key = "age1" + "q" * 58
    first = models.Member(
        created="2026-01-01T00:00:00Z",
        member="north",
        title="North",
        status="active",
        keys=models.Keys((models.KeyEntry(lr.key_of("a")),), encryption=(models.KeyEntry(key),)),
    )
    second = replace(first, created="2026-02-01T00:00:00Z", keys=models.Keys((models.KeyEntry(lr.key_of("b")),)))
    lines = [
        (line.use, line.name, line.since[:10], line.until[:10], line.stands) for line in key_lines([first, second])
    ]
    assert lines == [
        ("signing", lr.fingerprint("a"), "2026-01-01", "2026-02-01", "replaced"),
        ("signing", lr.fingerprint("b"), "2026-02-01", "", "valid"),
        ("encryption", key, "2026-01-01", "2026-02-01", "replaced"),
    ]
    retired = key_lines([first, replace(second, status="retired")])
    assert [line.stands for line in retired if not line.until] == ["its member has retired"]


def test_short_tables_say_what_ranks_when_the_score_they_show_is_not_all_of_it():
    registry = lr.Registry(metrics=("auroc", "brier"))
    registry.model("ridge", "Ridge")
    registry.site("north", cases=60)
    for model, auroc in (("ridge", 0.9), ("one-feature", 0.91)):
        registry.result(model, "north", {"auroc": auroc, "brier": 0.1 if model == "ridge" else 0.3})
    files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    for name in ("index.html", "benchmarks/ana/breast/1/embed.html"):
        assert "the rank is by AUROC and Brier score together" in files[name].decode()


def test_a_page_of_one_site_or_of_no_result_names_no_plot_range_or_column_that_is_not_there():
    one, empty = lr.Registry(), lr.Registry()
    for registry in (one, empty):
        registry.model("ridge", "Ridge")
        registry.site("north", cases=60)
    one.result("ridge", "north", {"auroc": 0.9})
    one.result("one-feature", "north", {"auroc": 0.8})
    pages = [
        {
            name: data.decode()
            for name, data in build_site(
                registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME
            ).items()
            if name.endswith(".html")
        }
        for registry in (one, empty)
    ]
    page = pages[0]["benchmarks/ana/breast/1/index.html"]
    assert "at this one site, on the cases it had" in page
    assert "site left out" not in page.partition("Rank of each model")[2].partition("</caption>")[0]
    assert "the bar the range" not in page
    assert "A tinted row" not in page
    assert "tinted: first place.</caption>" in pages[0]["benchmarks/ana/breast/1/embed.html"]
    page = pages[1]["benchmarks/ana/breast/1/index.html"]
    assert "In the plot" not in page
    assert "There is no result record yet." in page
    assert "1 benchmark, 1 site, no result yet." in pages[1]["index.html"]


def test_a_withdrawn_model_is_marked_wherever_its_rank_stands(files):
    small, index = (files[name].decode() for name in ("benchmarks/ana/breast/1/embed.html", "index.html"))
    assert re.search(r'<th scope="row">Nearest neighbours <span class="tag warn">withdrawn</span></th>', small)
    assert re.search(r'<span class="who">Nearest neighbours <span class="tag warn">withdrawn</span></span>', index)
    assert "; withdrawn</title>" in files["models/ben/near/1/badge-ana.breast.1.svg"].decode()
