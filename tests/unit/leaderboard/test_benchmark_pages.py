"""What a benchmark's page says: the checklist with its gaps, versions, what a rank means, what is too much for it."""

import re
from dataclasses import replace

import pytest

from medperf_git.leaderboard import section_cells
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.bias import ITEMS, checklist
from medperf_git.leaderboard.build import CSP, build_site, render_page
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.pages import benchmark_context, index_context, metric_pages
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.section_cells import window
from medperf_git.leaderboard.stages import Stage
from medperf_git.leaderboard.status_page import status_context
from medperf_git.leaderboard.tables import BenchmarkTable, Cell
from medperf_git.records.names import Ref
from medperf_git.records.times import parse_time
from tests.support import leaderboard_registry as lr
from tests.support.compared_registry import drawn, registry_of


@pytest.fixture(scope="module")
def tables():
    return read_tables(lr.wide(3, 6).view())


def enlarged(table: BenchmarkTable, models: int, sites: int) -> BenchmarkTable:
    """Repeat the models and sites of a table; every cell stands for one result."""
    rows = [table.models[m % len(table.models)] for m in range(models)]
    columns = [table.sites[s % len(table.sites)] for s in range(sites)]
    new_rows = tuple(
        replace(one, ref=Ref("ben", f"net-{m:04d}", 1), title=f"Network {m}") for m, one in enumerate(rows)
    )
    new_columns = tuple(
        replace(one, ref=Ref(f"site-{s:04d}", "tumours", 1), title=f"Hospital number {s}", cases=50 + s)
        for s, one in enumerate(columns)
    )
    cells = {}
    for m, row in enumerate(new_rows):
        for s, column in enumerate(new_columns):
            cell = table.cells[rows[m].ref, columns[s].ref]
            cells[row.ref, column.ref] = Cell(row.ref, column.ref, cell.state, cell.reason, result=cell.result)
    seen = sum(cell.result is not None for cell in cells.values())
    return replace(table, models=new_rows, sites=new_columns, cells=cells, seen=seen)


def rendered(page: Page, tables) -> str:
    common = {
        "registry": tables, "commit": lr.COMMIT, "registry_id": lr.REGISTRY_ID, "step_time": lr.STEP_TIME,
        "version": "0", "csp": CSP,
    }  # fmt: skip
    return render_page(page, common).decode()


def test_a_large_benchmark_stays_below_one_megabyte_a_page_and_says_where_the_rest_is(tables):
    analysis = analyse(enlarged(tables.benchmarks[0], 62, 42))
    page = rendered(Page(analysis.table.url, "benchmark.html", lambda: benchmark_context(analysis)), tables)
    assert len(page.encode()) < 1_000_000
    assert "the best 60 of 62 models at the 40 largest of 42 sites" in page
    assert "<td>every site, 42 in all</td>" in page
    others = list(metric_pages(analysis))
    assert [other.url.rpartition("/")[2] for other in others] == ["metric-sensitivity.html", "metric-brier.html"]
    assert len(rendered(others[1], tables).encode()) < 500_000
    assert all(other.url.rpartition("/")[2] in page for other in others)


def test_the_ranking_of_very_many_models_shows_the_first_and_says_where_the_rest_is(tables):
    analysis = analyse(enlarged(tables.benchmarks[0], 160, 6))
    page = rendered(Page(analysis.table.url, "benchmark.html", lambda: benchmark_context(analysis)), tables)
    assert "The first 150 of 160 models; all of them are in ranking.csv." in page
    assert page.count("<tr data-row=") == 150 + 3 * 60


def test_long_names_leave_fewer_models_in_a_map(tables):
    long = "a" + "b" * 62
    table = enlarged(tables.benchmarks[0], 62, 42)
    sites = tuple(replace(site, ref=Ref(long, f"{long[:-3]}{k:03d}", 1)) for k, site in enumerate(table.sites))
    fewer = window(replace(analyse(tables.benchmarks[0]), table=replace(table, sites=sites, cells={}, seen=0)))
    assert 0 < fewer.cells < 60 * 40


def test_the_map_of_a_large_benchmark_shows_the_best_models_and_the_largest_sites(tables, monkeypatch):
    monkeypatch.setattr(section_cells, "MODELS_IN_MAP", 2)
    monkeypatch.setattr(section_cells, "SITES_IN_MAP", 3)
    analysis = analyse(tables.benchmarks[0])
    seen = window(analysis)
    assert [model.ref for model in seen.models] == [row.model.ref for row in analysis.standings[:2]]
    cases = sorted((site.cases for site in analysis.table.sites), reverse=True)
    assert sorted((site.cases for site in seen.sites), reverse=True) == cases[:3]
    assert seen.left_out == "the best 2 of 4 models at the 3 largest of 6 sites"


def test_a_map_shows_the_number_of_cases_where_it_is_not_that_of_the_site():
    page = benchmark_context(analyse(read_tables(lr.demo().view()).benchmarks[0]))
    cells = {cell["small"] for row in page["maps"][0]["rows"] for cell in row["cells"]}
    assert "partial, n = 117" in cells
    assert not any(small.startswith("n = ") for small in cells)


def test_cells_without_a_result_share_a_line_and_every_other_one_has_its_own(tables, monkeypatch):
    table = read_tables(lr.demo().view()).benchmarks[0]
    found, more = section_cells.gaps(table)
    said = [(line["model"], line["site"], line["state"]) for line in found]
    assert said == [
        ("Gradient boosting", "North General", "disputed"),
        ("Gradient boosting", "River Clinic and Summit University", "missing"),
        ("Nearest neighbours", "Summit University", "failed"),
    ]
    assert more == ""
    monkeypatch.setattr(section_cells, "GAPS_LISTED", 2)
    found, more = section_cells.gaps(table)
    assert (len(found), more) == (2, "1 more cell of this kind: see results.csv.")


def test_a_narrow_map_leaves_out_the_zero_before_the_point():
    context = benchmark_context(analyse(read_tables(lr.wide(2, 9).view()).benchmarks[0]))
    texts = [cell["text"] for cell in context["maps"][0]["rows"][0]["cells"]]
    assert all(text.startswith(".9") and len(text) == 4 for text in texts)


def test_the_checklist_lists_what_is_said_what_the_record_says_and_every_gap(tables):
    table = replace(
        tables.benchmarks[0], bias={"ethics_approval": "Board 12.", "task.category": "Triage.", "mission": "To see."}
    )
    found = checklist(table)
    said = {answer.name: answer for answer in found.answers}
    assert said["ethics-approval"].text == "Board 12."
    assert said["task-category"].text == "Triage."
    assert (said["mission"].title, said["mission"].text) == ("Mission", "To see.")
    assert said["metrics"].by_record
    asked = [answer for answer in found.answers if answer.name != "mission"]
    assert len(asked) + len(found.gaps) == len(ITEMS)
    assert {gap.name for gap in found.gaps}.isdisjoint(said)
    points = f"{len(asked)} of the 28 points of the BIAS checklist are answered"
    assert found.sentence == f"{points}; {len(found.gaps)} gaps listed below."


def test_all_points_of_the_checklist_can_be_answered(tables):
    table = replace(tables.benchmarks[0], bias={item.name: "Yes." for item in ITEMS})
    assert checklist(table).gaps == ()
    assert checklist(table).sentence == "28 of the 28 points of the BIAS checklist are answered."


def test_an_older_version_names_the_newest_one_and_lists_all(tables):
    table = tables.benchmarks[0]
    versions = (table.ref, Ref("ana", "breast", 2), Ref("ana", "brain", 7))
    analysis = analyse(table)
    page = Page(table.url, "benchmark.html", lambda: benchmark_context(analysis, versions=versions))
    text = rendered(page, tables)
    assert "There is a newer version of this benchmark" in text
    assert 'href="../../../../benchmarks/ana/breast/2/index.html"' in text
    assert "ana/brain@7" not in text
    assert "newer version" not in rendered(
        Page(table.url, "benchmark.html", lambda: benchmark_context(analysis, versions=(table.ref,))), tables
    )


@pytest.mark.parametrize(
    ("opens", "closes", "text"), [("", "", "without an end"), ("a", "", "from a"), ("a", "b", "from a until b")]
)
def test_the_days_of_a_benchmark_do_not_depend_on_when_the_page_is_built(tables, opens, closes, text):
    table = tables.benchmarks[0]
    policy = replace(table.policy, opens=opens, closes=closes)
    facts = benchmark_context(analyse(replace(table, policy=policy)))["policy"]
    assert [fact["text"] for fact in facts if fact["name"] == "Open"] == [text]


def test_a_page_says_what_a_rank_means_and_what_it_does_not(tables):
    meaning = benchmark_context(analyse(tables.benchmarks[0]))["meaning"]
    assert meaning.startswith("A rank says how a model did at these 6 sites")
    assert "does not say how the model would do elsewhere" in meaning
    empty = replace(tables.benchmarks[0], models=(), cells={}, seen=0, hidden=())
    assert benchmark_context(analyse(empty))["meaning"].startswith("Without a ranking")


@pytest.mark.parametrize("compared", [False, True])
def test_the_page_lists_every_data_file_beside_it_and_no_other(compared):
    registry = lr.demo()
    if compared:
        registry = registry_of(drawn(3, sites=[20, 30, 40, 50, 60], models=3))
    files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    folder = "benchmarks/ana/breast/1/"
    listed = set(re.findall(r'<li><a href="([^"]+)">\1</a>', files[f"{folder}index.html"].decode()))
    beside = {name.removeprefix(folder) for name in files if name.startswith(folder)}
    by_site = {name for name in beside if name.startswith(("results/", "table/"))}
    assert listed == beside - by_site - {"index.html", "status.html"}
    assert ("pairs.csv" in listed) == compared


def test_very_many_comparisons_are_cut_and_counted():
    table = read_tables(registry_of(drawn(3, sites=[20, 30], models=2)).view()).benchmarks[0]
    context = benchmark_context(analyse(replace(table, comparisons=table.comparisons * 26)))
    assert len(table.comparisons) == 4
    assert len(context["comparisons"]) == 100
    assert context["more_comparisons"] == "And 4 more comparisons: see table.json."


def test_the_index_marks_older_versions_and_leaves_very_many_benchmarks_to_its_table(tables):
    one = tables.benchmarks[0]
    versions = [replace(one, ref=Ref("ana", "breast", version)) for version in range(1, 202)]
    many = replace(tables, benchmarks=tuple(versions), seen=201 * one.seen)
    analysis = analyse(one)
    analyses = tuple(replace(analysis, table=table) for table in versions)
    context = index_context(many, analyses)
    assert len(context["benchmarks"]) == 200
    assert context["more_benchmarks"] == "And 1 more benchmark, listed in the table below."
    assert all(entry["older"] for entry in context["benchmarks"])
    assert not index_context(tables, (analysis,))["benchmarks"][0]["older"]
    page = rendered(Page("index.html", "index.html", lambda: context), tables)
    assert 'href="benchmarks/ana/breast/201/index.html">ana/breast@201</a>' in page
    assert len(page.encode()) < 500_000
    further = [replace(one, ref=Ref("ana", "breast", version)) for version in range(1, 401)]
    even_more = replace(tables, benchmarks=tuple(further), seen=400 * one.seen)
    context = index_context(even_more, tuple(replace(analysis, table=table) for table in further))
    assert len(context["account"]) == 300 + 1
    assert context["account"][-1]["name"] == "100 more benchmarks"
    assert context["more_benchmarks"] == "And 200 more benchmarks, listed in index.json."


def test_the_page_of_stages_of_very_many_shows_who_is_waited_for_and_says_where_the_rest_is(tables):
    stages = [
        Stage(
            kind="dataset",
            subject=Ref(f"site-{k:04d}", "tumours", 1),
            owner_title="a" * 200,
            title="b" * 200,
            status="approved",
            expected=9,
        )
        for k in range(900)
    ]
    stages += [replace(stage, kind="cube") for stage in stages]
    last = replace(stages[-1], waits_for=("ana", "ben"), command="medperf-git approve ben/late@1", title="The last one")
    context = status_context(tables.benchmarks[0], [*stages[:-1], last], as_of=parse_time(lr.STEP_TIME))
    page = rendered(Page("benchmarks/ana/breast/1/status.html", "status.html", lambda: context), tables)
    assert len(page.encode()) < 1_000_000
    assert page.count('<th scope="row"') == 400
    assert "200 of 900 sites, those for whom somebody is waited first; all are in status.csv." in page
    assert "200 of 900 models" in page
    assert "The last one" in page
