"""What a merged step, a proposal and a decision do to the ranking, asked on the command line of a real registry."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from medperf_git.records import models
from tests.support.people import Town
from tests.support.registry_builder import BENCHMARK
from tests.support.story import EAST, TREE, house_of, send


def test_diff_says_what_the_last_step_of_main_did(town: Town) -> None:
    north = town.human("north")
    said = north.run("leaderboard", "diff").out.splitlines()
    assert said[0] == f"main~1 ({town.git('rev-parse', 'main~1')[:12]}) → main ({town.main[:12]})"
    assert "A ranking changes." in said
    assert any(line.startswith("- First place: ") and line.endswith("; before there was none.") for line in said)
    assert "- moa/forest@1 at north/wards@1: a new result." in said
    everything = north.run("leaderboard", "diff", "main~2", "--json").value
    assert everything["after"] == {"name": "main", "commit": town.main}
    assert [one["benchmark"] for one in everything["benchmarks"]] == [str(BENCHMARK)]
    assert "main~2" in north.run("leaderboard", "diff", "main~2", "main", "--benchmark", str(BENCHMARK)).out


def test_diff_of_two_equal_states_says_that_nothing_changes(town: Town) -> None:
    north = town.human("north")
    for pair in (("main", "main"), ("main",), (town.main, "HEAD"), (town.main[:9],)):
        assert "Nothing in any ranking changes." in north.run("leaderboard", "diff", *pair).out.splitlines()
    town.git("tag", "paper", town.main)
    assert town.main[:12] in north.run("leaderboard", "diff", town.main[:7]).out


def test_diff_goes_back_in_time_when_it_is_asked_to(town: Town) -> None:
    value = town.human("north").run("leaderboard", "diff", "main", "main~1", "--json").value
    (one,) = value["benchmarks"]
    assert {row["move"] for row in one["models"] if row["before"] and row["before"]["rank"]} == {"left"}
    assert [change["event"] for change in one["results"]] == ["gone"]


def test_diff_sets_an_open_proposal_beside_main_and_refuses_one_that_would_be_refused(town: Town) -> None:
    dora, policy = town.human("dora"), house_of(town).policy_now()
    tighter = models.Disclosure(
        min_cases=policy.disclosure.min_cases + 5, decimals=policy.disclosure.decimals, n="bucket"
    )
    proposed = send(dora, house_of(town).policy_now(disclosure=tighter))
    assert not proposed.merged
    said = dora.run("leaderboard", "diff", proposed.id[:12]).out
    assert f"→ submit/{proposed.id[:12]}" in said.splitlines()[0]
    assert "Changed: exact numbers of cases, yes → no." in said
    again = dora.run("leaderboard", "diff", "main", f"submit/{proposed.id}", "--json").value
    assert [fact["what"] for fact in again["benchmarks"][0]["rules"]] == [
        "fewest cases of a result",
        "exact numbers of cases",
    ]
    assert "comes second" in dora.run("leaderboard", "diff", proposed.id[:12], "main", code=2).err
    town.clock.moment += timedelta(minutes=1)
    other = send(dora, house_of(town).policy_now(disclosure=models.Disclosure(min_cases=99, decimals=1, n="bucket")))
    town.human("emil").run("sign", other.id, "--yes")
    assert "would be refused" in dora.run("leaderboard", "diff", proposed.id[:12], code=1).err


def test_diff_says_what_names_no_state(town: Town) -> None:
    north = town.human("north")
    assert "before the first of them" in north.run("leaderboard", "diff", "main~999", code=2).err
    assert "names no step of main" in north.run("leaderboard", "diff", "nothing", code=2).err
    assert "there is no benchmark" in north.run("leaderboard", "diff", "--benchmark", "dora/lung@1", code=2).err


def test_a_second_model_moves_the_ranking_and_check_says_so_before_it_is_merged(town: Town) -> None:
    east = town.human("east")
    house = house_of(town)
    better = {
        name: models.MetricValue(Decimal("0.99"), n=value.n) for name, value in (house.result().values or {}).items()
    }
    assert send(east, house.result(dataset=EAST, model=TREE, values=better)).merged
    said = east.run("leaderboard", "diff").out
    assert "moa/tree@1 at east/wards@1: a new result." in said


def test_open_shows_the_site_and_a_benchmark_and_builds_it_once(town: Town, tmp_path: Path) -> None:
    north = town.human("north")
    site = north.home / "cache" / "sites" / "heart"
    first = north.run("leaderboard", "open", "--print")
    assert first.out.strip() == (site / "index.html").as_uri()
    assert "building the leaderboard" in first.err
    again = north.run("leaderboard", "open", str(BENCHMARK), "--print")
    assert again.out.strip() == (site / "benchmarks" / BENCHMARK.path / "index.html").as_uri()
    assert "building the leaderboard" not in again.err
    assert "there is no benchmark" in north.run("leaderboard", "open", "dora/lung", "--print", code=2).err
    nowhere = {**north.environ, "BROWSER": "/bin/false", "DISPLAY": "", "PATH": "/nonexistent"}
    done = north.spawn("leaderboard", "open", env=nowhere)
    assert done.returncode == 0, done.stderr
    assert "no browser could be opened here" in done.stdout
