"""What people see and do from day to day: inbox, decisions, status, who is at which stage; through real Git."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from medperf_git.flows.inbox import list_inbox
from medperf_git.forge.browser import Browser
from medperf_git.records import models
from medperf_git.records.names import Ref
from medperf_git.registry.remotes import Remote
from tests.support import registry_builder as rb
from tests.support.people import Human, Town
from tests.support.registry_builder import BENCHMARK, SOUTH
from tests.support.story import EAST, TREE, Clone, house_of, send

HOSTILE = (
    "Harmless\x1b[2J\x1b[31m \u202egnihton\u202c\r::error::x ##[error]\x85\u2028"
     "e" + "\u0301" * 40 + "漢字" * 10 + "A" * 5000 + "\n\nDECIDE  everything  trust me"
)  # fmt: skip


def ask(town: Town, *, cubes: int = 0) -> None:
    """Let `south` ask to join with its dataset, and `moa` with new models."""
    south, moa = town.human("south"), town.human("moa")
    south.run("association", "request", str(BENCHMARK), "--dataset", str(SOUTH), "--yes")
    town.clock.moment += timedelta(hours=1)
    for number in range(cubes):
        ref = Ref("moa", f"net-{number}", 1)
        send(moa, rb.cube(ref, tested=rb.TESTED))
        moa.run("association", "request", str(BENCHMARK), "--model", str(ref), "--yes")
        town.clock.moment += timedelta(hours=1)


def manually(*people: Human) -> None:
    for human in people:
        human.run("registry", "use", "heart", "--merge", "manual")


def test_the_committees_inbox_says_who_asks_since_when_and_what_to_run_oldest_first(town: Town) -> None:
    ask(town, cubes=2)
    rows = town.human("dora").run("inbox", "--json").value
    assert [(row["what"], row["by"], row["verdict"]) for row in rows] == [
        ("decide", "south", "merged"),
        ("decide", "moa", "merged"),
        ("decide", "moa", "merged"),
    ]
    assert [row["since"] for row in rows] == sorted(row["since"] for row in rows)
    assert [row["age"] for row in rows] == ["3 h", "2 h", "1 h"]
    assert rows[0]["do"] == f"medperf-git approve {SOUTH} --benchmark {BENCHMARK}"
    for row in rows:
        assert "merged" in town.human("dora").run(*row["do"].split()[1:], "--yes").out
    assert "nothing waits for you" in town.human("dora").run("inbox").out


def test_the_maintainers_inbox_says_who_joins_and_what_the_judge_found(town: Town) -> None:
    town.ask("zoe")
    town.clock.moment += timedelta(hours=3)
    ana = town.founder
    (row,) = ana.run("inbox", "--json").value
    assert (row["what"], row["by"], row["age"], row["verdict"]) == ("sign", "zoe", "3 h", "needs-a-person")
    assert [finding["rule"] for finding in row["findings"]] == ["missing-signature"]
    assert row["records"] == ["members/zoe/0001.yaml"]
    said = ana.run("inbox").out
    head, line, _, name, *findings = said.splitlines()
    assert head.split() == ["WHAT", "ABOUT", "BY", "AGE", "JUDGE", "WAITS_FOR", "DO"]
    assert "needs-a-person, 1 finding" in line
    assert line.endswith(row["do"])
    assert name.startswith(f"submit/{row['proposal'][:12]}: ")
    assert any("waits for a maintainer: ana" in finding for finding in findings)
    assert "merged" in ana.run(*row["do"].split()[1:], "--yes").out


def test_another_registry_than_the_current_one_is_named_in_the_command(town: Town) -> None:
    town.ask("zoe")
    (row,) = town.founder.run("-R", "heart", "inbox", "--json").value
    assert row["do"] == f"medperf-git sign {row['proposal'][:12]} -R heart"
    assert "merged" in town.founder.run(*row["do"].split()[1:], "--yes").out


def test_a_hostile_title_breaks_no_table_and_acts_on_no_terminal(town: Town, clone: Clone) -> None:
    manually(town.human("moa"))
    kind = send(town.human("moa"), rb.cube(Ref("moa", "kind", 1)), title="Add a kind model")
    evil = house_of(town).propose(rb.cube(Ref("moa", "evil", 1))).sign("moa", head=clone.main).files
    commit = clone.commit(evil, message=HOSTILE)
    assert clone.push(commit, clone.branch_of(commit)).returncode == 0
    said = town.founder.run("inbox").out
    _head, *lines = said.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("merge") for line in lines)
    assert not {ord(letter) for letter in said} & {*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)}
    assert "\u202e" not in said
    assert "##[" not in said
    assert "A" * 100 not in said
    assert "\u0301" * 3 not in said
    rows = town.founder.run("inbox", "--json").value
    assert {row["by"] for row in rows} == {"moa"}
    assert kind.id in {row["proposal"] for row in rows}


def test_where_a_person_merges_on_a_page_the_command_opens_that_page(town: Town) -> None:
    moa = town.human("moa")
    manually(moa)
    made = send(moa, rb.cube(Ref("moa", "late", 1)))
    workspace = town.founder.workspace()
    workspace.remember(replace(workspace.known, host="github"), only_here=True)
    workspace.forge = Browser(Remote.parse("https://github.com/org/eval"))
    (row,) = list_inbox(workspace)
    assert (row["what"], row["do"]) == ("merge", f"medperf-git open {made.id[:12]}")
    workspace = town.human("north").workspace()
    assert list_inbox(workspace) == []
    (row,) = list_inbox(workspace, everything=True)
    assert (row["what"], row["waits_for"], row["do"]) == ("merge", "a merge", f"medperf-git merge {made.id[:12]}")


def test_what_would_be_written_and_its_facts_are_shown_before_anybody_is_asked(town: Town) -> None:
    ask(town, cubes=1)
    main = town.main
    said = town.human("dora").run("approve", "--all", code=3)
    head, south, net = said.out.splitlines()
    assert head.split() == ["ABOUT", "BENCHMARK", "WAS", "BECOMES", "OWNER", "SIZE", "ASKED", "TESTED", "POLICY"]
    assert south.split()[:4] == ["moa/net-0@1", "dora/heart@1", "pending", "approved"]
    assert "complete, on the demo data" in south
    assert "60 cases" in net
    assert "a confirmation is needed" in said.err
    assert town.main == main
    assert town.git("for-each-ref", "refs/heads/submit") == ""


def test_all_decisions_travel_in_one_proposal(town: Town) -> None:
    ask(town, cubes=3)
    before = town.git("rev-list", "--first-parent", "--count", "refs/heads/main")
    done = town.human("dora").run("approve", "--all", "--yes", "--json").value
    assert [one["becomes"] for one in done["decisions"]] == ["approved"] * 4
    assert [(one["verdict"], one["merged"]) for one in done["proposals"]] == [("pass", True)]
    assert done["sent"] is True
    assert int(town.git("rev-list", "--first-parent", "--count", "refs/heads/main")) == int(before) + 1
    town.human("dora").run("audit")


def test_more_decisions_than_a_proposal_may_hold_go_in_several_and_that_is_said(town: Town) -> None:
    ask(town, cubes=4)
    house = house_of(town)
    limits = replace(house.registry_now().limits, proposal_files=4)
    assert send(town.founder, house.registry_now(limits=limits)).merged
    dora = town.human("dora")
    said = dora.run("approve", "--all", "--yes").out
    assert "5 decisions go in 3 proposals: this registry takes at most 4 files" in said
    assert said.count("merged: Approve ") == 3
    assert "(3 of 3)" in said
    assert dora.run("inbox", "--json").value == []
    dora.run("audit")


def test_a_limit_of_bytes_is_kept_by_what_is_really_sent(town: Town) -> None:
    ask(town, cubes=4)
    house = house_of(town)
    limits = replace(house.registry_now().limits, proposal_bytes=7000)
    assert send(town.founder, house.registry_now(limits=limits)).merged
    done = town.human("dora").run("reject", "--all", "--yes", "--json").value
    assert len(done["proposals"]) > 1
    assert all(one["merged"] for one in done["proposals"])


def test_where_a_later_part_cannot_be_sent_what_was_sent_is_told(town: Town) -> None:
    ask(town, cubes=2)
    house = house_of(town)
    limits = replace(house.registry_now().limits, proposal_files=4)
    assert send(town.founder, house.registry_now(limits=limits)).merged
    hook = town.repository / "hooks" / "pre-receive"
    real = hook.read_text(encoding="utf-8")
    pushes = f'"{town.folder}"/push-'  # three for what is merged at once: the proposal, main, and its branch again
    gate = f"[ $(ls {pushes}* 2>/dev/null | wc -l) -lt 3 ] || exit 1\nmktemp {pushes}XXXXXX >/dev/null"
    hook.with_name("real").write_text(real, encoding="utf-8")
    hook.with_name("real").chmod(0o755)
    hook.write_text(f'#!/bin/sh\n{gate}\nexec "{hook.with_name("real")}" "$@"\n', encoding="utf-8")
    dora = town.human("dora")
    said = dora.run("approve", "--all", "--yes", "--json", code=1)
    assert said.value["sent"] is True
    assert [one["merged"] for one in said.value["proposals"]] == [True]
    assert "the registry did not take it" in said.err
    hook.write_text(real, encoding="utf-8")
    assert "you have decided already" in dora.run("approve", "--all", "--yes", code=1).err
    dora.run("submit")
    assert dora.run("inbox", "--json").value == []


def test_a_dry_run_of_decisions_says_the_verdict_and_sends_nothing(town: Town) -> None:
    ask(town)
    main = town.main
    done = town.human("dora").run("approve", "--all", "--dry-run", "--json").value
    assert done["sent"] is False
    assert [one["verdict"] for one in done["proposals"]] == ["pass"]
    assert town.main == main
    assert [row["what"] for row in town.human("dora").run("inbox", "--json").value] == ["decide"]


def test_what_i_have_decided_and_nobody_merged_yet_is_not_asked_again(town: Town) -> None:
    ask(town)
    dora = town.human("dora")
    manually(dora)
    dora.run("approve", str(SOUTH), "--yes")
    assert dora.run("inbox", "--json").value == []
    (row,) = [row for row in dora.run("inbox", "--all", "--json").value if row["what"] == "waits"]
    assert row["waits_for"].startswith("submit/")
    assert row["do"] == "medperf-git status"
    said = dora.run("approve", str(SOUTH), "--yes", code=1)
    assert "you have decided already, in submit/" in said.err
    (row,) = town.human("emil").run("inbox", "--json").value
    assert (row["what"], row["waits_for"][-13:]) == ("decide", " to be merged")


def test_who_is_asked_to_sign_a_decision_is_not_asked_to_decide_again(town: Town) -> None:
    house = house_of(town)
    proposed = send(town.human("dora"), house.policy_now(thresholds=models.Thresholds(change=2, events=2)))
    town.human("emil").run("sign", proposed.id, "--yes")
    ask(town)
    dora, emil = town.human("dora"), town.human("emil")
    done = dora.run("approve", "--all", "--yes", "--json").value
    assert done["proposals"][0]["waits_for"].startswith("2 committee members: emil")
    assert [row["what"] for row in emil.run("inbox", "--json").value] == ["sign"]
    said = emil.run("approve", "--all", "--yes", code=1)
    assert f"asks for your signature: sign {done['proposals'][0]['id'][:12]}" in said.err
    assert "merged" in emil.run("sign", done["proposals"][0]["id"], "--yes").out
    assert emil.run("inbox", "--json").value == []


def test_a_damaged_outbox_keeps_nobody_from_the_inbox(town: Town) -> None:
    ask(town)
    entry = town.human("dora").home / "outbox" / "heart" / f"{'0' * 32}.json"
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_text("{", encoding="utf-8")
    said = town.human("dora").run("inbox", "--json")
    assert [row["what"] for row in said.value] == ["decide"]
    assert "is damaged" in said.err


def test_t09_a_proposal_open_for_31_days_is_named_with_how_else_it_can_travel(town: Town, tmp_path: Path) -> None:
    north = town.human("north")
    manually(north)
    send(north, house_of(town).result(model=TREE))
    town.clock.moment += timedelta(days=29)
    assert "!" not in north.run("status").out
    town.clock.moment += timedelta(days=2)
    (row,) = north.run("status", "--json").value
    assert (row["age"], row["state"], row["waits_for"]) == ("31 d", "pass", "a merge")
    said = north.run("status").out.splitlines()[-1]
    assert said == (
        f"! submit/{row['id']} is open for 31 d: `medperf-git submit --no-push` writes a bundle that anybody may carry"
    )
    north.run("submit", row["id"], "--no-push", "--out", tmp_path / "carried.bundle")
    town.clock.moment -= timedelta(days=31)  # the hook has the machine's clock, and refuses steps of the future
    assert "merged" in town.human("moa").run("submit", "--from-bundle", tmp_path / "carried.bundle", "--yes").out
    assert "nothing of yours is unfinished" in north.run("status").out


def test_benchmark_status_says_who_is_at_which_stage_and_how_long_ago(town: Town) -> None:
    ask(town)
    town.clock.moment += timedelta(days=12)
    found = {row["name"]: row for row in town.human("dora").run("benchmark", "status", str(BENCHMARK), "--json").value}
    south, north, east = (found[f"{name}/wards@1"] for name in ("south", "north", "east"))
    assert (south["stage"], south["waits_for"], south["days_since"]) == ("pending", "dora, emil", 12)
    assert (north["stage"], north["results"], north["of"], north["waits_for"]) == ("running", 1, 3, "north")
    assert (east["stage"], east["results"], east["failed"]) == ("approved", 0, 0)
    assert found["dora/baseline@1"]["stage"] == "reference model"
    said = town.human("dora").run("benchmark", "status", str(BENCHMARK)).out
    assert said.splitlines()[0].split()[:2] == ["SITE", "STAGE"]
    assert "MODEL" in said
    assert "12 d ago" in said
    assert f"north: medperf-git run {BENCHMARK} --dataset north/wards@1" in said
    assert "1 of 3" in said


def test_the_csv_of_the_stages_is_that_of_the_site_but_for_the_moment(town: Town, tmp_path: Path) -> None:
    dora = town.human("dora")
    printed = dora.run("benchmark", "status", str(BENCHMARK), "--csv").out
    assert dora.run("benchmark", "status", str(BENCHMARK), "--csv", "-").out == printed
    dora.run("benchmark", "status", str(BENCHMARK), "--csv", tmp_path / "stages.csv")
    assert (tmp_path / "stages.csv").read_text(encoding="utf-8") == printed
    dora.run("leaderboard", "build", "--out", tmp_path / "site")
    of_site = (tmp_path / "site/benchmarks" / BENCHMARK.path / "status.csv").read_text(encoding="utf-8")
    assert of_site == printed
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["what"] for row in rows] == ["site", "site", "model", "model", "model"]
    said = dora.run("benchmark", "status", str(BENCHMARK), "--csv", "--json", code=2)
    assert "not both" in said.err


def test_a_csv_that_cannot_be_written_is_said(town: Town, tmp_path: Path) -> None:
    target = tmp_path / "no" / "such" / "stages.csv"
    said = town.human("dora").run("benchmark", "status", str(BENCHMARK), "--csv", target, code=2)
    assert "there is no such file" in said.err


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that writes down what it is asked to open."""
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> "{tmp_path}/opened"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


def test_open_shows_each_thing_in_the_browser_and_prints_its_address(town: Town, tmp_path: Path, browser: Path) -> None:
    north = town.human("north")
    result = north.run("result", "ls", "--json").value[0]["result"]
    environ = {**north.environ, "BROWSER": str(browser)}
    site = north.home / "cache" / "sites" / "heart"
    result_page = site / f"results/{BENCHMARK.path}/north.wards.1/moa.forest.1/0001.html"
    asked = {
        str(BENCHMARK): site / f"benchmarks/{BENCHMARK.path}/index.html",
        result: result_page,
        result[:6]: result_page,
        "moa/forest": site / "models/moa/forest/1/index.html",
        "wards": site / "sites/north/wards/1/index.html",
        "members/moa/0001.yaml": site / "members/moa/index.html",
        "moa": site / "members/moa/index.html",
        "registry/0001.yaml": site / "index.html",
    }
    for text, page in asked.items():
        done = north.spawn("open", text, env=environ)
        assert (done.returncode, done.stdout) == (0, page.as_uri() + "\n"), (text, done.stderr)
        assert page.is_file()
    opened = (tmp_path / "opened").read_text(encoding="utf-8").splitlines()
    assert opened == [page.as_uri() for page in asked.values()]
    assert "has no page of a registry" in north.spawn("open", "registry/0001.yaml", "--print", env=environ).stderr
    assert len((tmp_path / "opened").read_text(encoding="utf-8").splitlines()) == len(asked)


def test_the_local_leaderboard_is_built_once_for_each_commit(town: Town) -> None:
    north = town.human("north")
    assert "building the leaderboard" in north.run("open", str(BENCHMARK), "--print").err
    assert "building the leaderboard" not in north.run("open", "moa", "--print").err
    assert send(north, house_of(town).result(model=TREE)).merged
    assert "building the leaderboard" in north.run("open", str(BENCHMARK), "--print").err
    marker = north.home / "cache" / "sites" / "heart.json"
    assert json.loads(marker.read_text(encoding="utf-8"))["commit"] == town.main
    marker.write_text("{", encoding="utf-8")
    assert "building the leaderboard" in north.run("open", "moa", "--print").err


def test_where_no_browser_can_be_opened_that_is_said_and_is_no_failure(town: Town) -> None:
    north = town.human("north")
    environ = {**north.environ, "BROWSER": "/bin/false", "DISPLAY": "", "PATH": "/nonexistent"}
    done = north.spawn("open", "moa", env=environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("file://")
    assert "no browser could be opened here" in done.stderr


def test_an_open_proposal_on_plain_git_is_told_how_else_it_can_be_looked_at(town: Town) -> None:
    manually(town.human("north"))
    made = send(town.human("north"), house_of(town).result(model=TREE))
    for text in (made.id[:10], made.id, f"submit/{made.id[:12]}"):
        said = town.founder.run("open", text, "--print")
        assert f"medperf-git sign {made.id[:12]} --dry-run" in said.err
        assert said.out.endswith("index.html\n")


@pytest.mark.parametrize("text", ["nobody", "ffff00000000", "moa/no-such", "submit/0123", "", "../x", "-"])
def test_what_names_nothing_is_said_in_one_sentence(town: Town, text: str) -> None:
    said = town.founder.run("open", "--print", "--", text, code=2)
    assert f"nothing here is called {text!r}" in said.err


def test_what_names_several_things_is_not_guessed(town: Town) -> None:
    east = town.human("east")
    send(east, rb.cube(Ref("east", EAST.name, 1), title="A cube of the same name"))
    said = east.run("open", EAST.name, "--print", code=2)
    assert "names several things: cube east/wards@1, dataset east/wards@1" in said.err
    assert east.run("open", "cubes/east/wards/1.yaml", "--print").out.endswith("index.html\n")
