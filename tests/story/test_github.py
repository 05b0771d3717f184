"""The story through GitHub's interface: from forks, by pull requests, with tokens, merged by the interface.

The interface is an emulator's that nobody here wrote, the Git behind it is real, and every request was checked against
GitHub's own description (`tests/support/github_world.py` says which part is whose).
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.forge.port import Checks, Words
from medperf_git.records.names import Ref
from medperf_git.registry.commits import Author, write_commit
from medperf_git.registry.objects import Store
from tests.support import registry_builder as rb
from tests.support.github_town import Account, GitHubTown, github_town
from tests.support.github_world import Answer
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH
from tests.support.story import CUBES, RESULT, files_of

WRITES = ("POST", "PUT", "PATCH")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[GitHubTown]:
    """The registry `ana/heart`, begun by ana; nobody else is a member."""
    with github_town(tmp_path, "ana", "dora", "emil", "moa", "north") as made:
        made.found("ana")
        yield made


def written(town: GitHubTown) -> list[tuple[str, str, str]]:
    return [asked for asked in town.world.asked if asked[0] in WRITES]


def sources(town: GitHubTown, state: str = "open") -> list[tuple[str, str]]:
    return [(one["head"]["repo"]["full_name"], one["user"]["login"]) for one in town.world.pulls(state)]


def test_the_story_goes_through_github_from_forks_that_nobody_else_writes_to(town: GitHubTown, tmp_path: Path) -> None:
    ana = town.founder
    for name in ("dora", "emil", "moa", "north"):
        town.ask(name)
        (request,) = town.world.pulls()
        assert (request["head"]["repo"]["full_name"], request["base"]["ref"]) == (f"{name}/heart", "main")
        ana.run("admit", name, "--yes")
        assert town.world.pulls() == []
        assert town.git("show", "-s", "--format=%cn", "main") == "GitHub"

    def settled(name: str, *records: object) -> None:
        sent = town.send(name, *records)  # type: ignore[arg-type]
        assert (sent.merged, sent.waits_for) == (False, "a merge")
        assert "merged" in ana.run("merge").out

    settled("dora", *CUBES)
    settled("moa", rb.cube(MODEL, tested=rb.TESTED))
    house = town.house()
    opened = town.send("dora", house.benchmark(), house.first_policy(house.benchmark()))
    assert opened.waits_for == "2 committee members: emil; a maintainer: ana"
    town.human("emil").run("sign", opened.id, "--yes")
    assert sources(town) == [("emil/heart", "emil"), ("dora/heart", "dora")]
    later, earlier = town.world.pulls()
    assert f"Replaces #{earlier['number']}: the same records" in later["body"]
    assert not town.world.may_push("emil", "dora/heart")
    assert not town.world.may_push("dora", "emil/heart")
    assert "merged" in ana.run("sign", opened.id, "--yes").out
    assert town.world.pulls() == []

    settled("north", town.house().dataset(NORTH))
    for name, option, subject in (("north", "--dataset", NORTH), ("moa", "--model", MODEL)):
        town.human(name).run("association", "request", str(BENCHMARK), option, str(subject), "--yes")
        ana.run("merge")
        town.human("emil").run("approve", str(subject), "--yes")
        ana.run("merge")
    settled("north", town.house().result())

    north = town.human("north")
    north.run("sync")
    assert "valid" in north.run("audit").out
    with north.at_machine():
        assert RESULT in files_of(north.workspace().view)
    north.run("leaderboard", "build", "--out", tmp_path / "site")
    assert "0.912" in "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html"))
    assert set(town.world.heads(town.world.slug)) == {"main"}
    assert {state["merged"] for state in town.world.pulls("all")} == {True}


def test_joining_twice_opens_one_pull_request_and_writes_nothing_more(town: GitHubTown) -> None:
    north = town.ask("north")
    before, (request,) = written(town), town.world.pulls()
    said = north.run("join", "--as", "north", "--key", north.key, "--yes")
    assert request["html_url"] in said.out
    assert written(town) == before
    north.run("submit")
    north.run("submit", "--resume")
    assert written(town) == before
    assert [one["number"] for one in town.world.pulls("all")] == [request["number"]]


def test_signing_twice_opens_one_pull_request_of_the_signer(town: GitHubTown) -> None:
    town.settle("dora", "emil")
    town.send("dora", *CUBES)
    town.founder.run("merge")
    house = town.house()
    opened = town.send("dora", house.benchmark(), house.first_policy(house.benchmark()))
    emil = town.human("emil")
    emil.run("sign", opened.id, "--yes")
    emil.run("sign", opened.id, "--yes", code=1)  # it waits for somebody else now
    assert sources(town) == [("emil/heart", "emil"), ("dora/heart", "dora")]


def test_a_proposal_whose_base_moved_goes_on_as_it_is(town: GitHubTown) -> None:
    town.settle("dora", "moa")
    sent = town.send("dora", *CUBES)
    town.send("moa", rb.cube(MODEL))
    heads = town.world.heads("dora/heart")
    (mine, other) = sorted(town.world.pulls(), key=lambda one: str(one["user"]["login"]))
    town.founder.run("merge", next(one for one in town.world.heads("moa/heart") if one != "main"))
    assert [one["number"] for one in town.world.pulls()] == [mine["number"]]
    said = town.human("dora").run("submit", "--resume")
    assert "waits for a merge" in said.out
    assert town.world.heads("dora/heart") == heads
    town.founder.run("merge")
    assert sent.url == mine["html_url"] != other["html_url"]
    assert "nothing" in town.human("dora").run("submit", "--resume").out
    assert town.world.pulls() == []


def test_a_lost_answer_makes_nothing_twice(town: GitHubTown) -> None:
    town.world.losing += ["/forks", "/pulls"]
    town.ask("north")
    assert sources(town, "all") == [("north/heart", "north")]
    town.world.losing += ["/merge"]
    said = town.founder.run("admit", "north", "--yes")
    assert "merged" in said.out
    assert town.world.losing == []
    paths = [path.rpartition("/")[2] for verb, path, _ in written(town) if verb != "PATCH"]
    assert sorted(paths) == ["forks", "merge", "pulls", "pulls"]
    assert town.git("rev-list", "--count", "--first-parent", "main") == "2"


def test_a_fork_that_was_deleted_is_made_again_and_the_proposal_opened_anew(town: GitHubTown) -> None:
    north = town.ask("north")
    (before,) = town.world.pulls()
    town.world.forget("north/heart")
    said = north.run("submit", "--resume")
    assert "waits for" in said.out
    (after,) = town.world.pulls()
    assert after["head"]["sha"] == before["head"]["sha"]
    assert after["number"] > before["number"]


def test_a_branch_that_holds_something_else_is_not_overwritten(town: GitHubTown) -> None:
    north, fork = town.ask("north"), "north/heart"
    (request,) = town.world.pulls()
    before, branch = town.world.heads(fork), request["head"]["ref"]
    tree = town.world.git(fork, "hash-object", "-w", "-t", "tree", "/dev/null")
    other = town.world.git(fork, "commit-tree", tree, "-p", "main", "-m", "Something else")
    town.world.git(fork, "update-ref", f"refs/heads/{branch}", other)
    town.world.follow(fork, before)
    said = north.run("submit", "--resume", code=1)
    assert "holds something else already" in said.out + said.err
    assert town.world.heads(fork)[branch] == other


def test_what_a_maintainer_closed_is_not_opened_again(town: GitHubTown) -> None:
    north = town.ask("north")
    (request,) = town.world.pulls()
    town.world.close(request["number"])
    before = written(town)
    said = north.run("submit", "--resume", code=1)
    assert f"#{request['number']} was closed by ana" in said.out + said.err
    assert request["html_url"] in said.out + said.err
    assert written(town) == before


def test_a_fork_with_another_name_is_used(town: GitHubTown) -> None:
    world = town.world
    assert world.emulator("POST", f"/repos/{world.slug}/forks", "north", {"name": "mirror"}).status == 202
    world.make("north/mirror")
    world.git("north/mirror", "fetch", "-q", str(town.repository), "refs/heads/main:refs/heads/main")
    town.ask("north")
    assert sources(town) == [("north/mirror", "north")]
    assert not [path for _, path, _ in written(town) if path.endswith("/forks")]


def test_an_own_repository_of_the_same_name_is_left_alone(town: GitHubTown) -> None:
    assert town.world.emulator("POST", "/user/repos", "north", {"name": "heart"}).status == 201
    town.world.make("north/heart")
    town.ask("north")
    assert sources(town) == [("north/heart-1", "north")]
    assert town.world.heads("north/heart") == {}


def test_the_judges_comment_is_one_that_is_kept_up_to_date(town: GitHubTown) -> None:
    town.ask("north")
    (request,) = town.world.pulls()
    town.world.emulator(
        "POST", f"/repos/{town.world.slug}/issues/1/comments", "north", {"body": "<!-- medperf-git -->\nme!"}
    )
    ana = town.founder
    with ana.at_machine():
        forge = ana.workspace().forge
        proposal = request["head"]["ref"].removeprefix("submit/")
        (seen,) = forge.requests(proposal)
        for text in ("It waits.", "It waits.", "It passes."):
            forge.comment(seen, text)
    said = [(one["user"]["login"], one["body"]) for one in town.world.comments(request["number"])]
    assert said == [("north", "<!-- medperf-git -->\nme!"), ("ana", "<!-- medperf-git -->\nIt passes.")]
    verbs = [verb for verb, path, login in written(town) if "comments" in path and login == "ana"]
    assert verbs == ["POST", "PATCH"]


def test_what_the_judge_there_says_is_read(town: GitHubTown) -> None:
    north = town.ask("north")
    (request,) = town.world.pulls()
    with north.at_machine():
        forge = north.workspace().forge
        (seen,) = forge.requests(request["head"]["ref"].removeprefix("submit/"))
        told = [forge.checks(seen)]
        for conclusion in (None, "failure", "success"):
            town.world.judge(request["number"], conclusion)
            told.append(forge.checks(seen))
    assert told == [Checks.NONE, Checks.RUNNING, Checks.FAILED, Checks.PASSED]


def test_a_head_that_moved_after_it_was_judged_is_not_merged(town: GitHubTown) -> None:
    town.ask("north")
    (request,) = town.world.pulls()
    main, ana = town.main, town.founder
    with ana.at_machine():
        forge = ana.workspace().forge
        (seen,) = forge.requests(request["head"]["ref"].removeprefix("submit/"))
        with pytest.raises(Refused, match="changed meanwhile"):
            forge.merge(seen, "b" * 40, Words("Merge"))
    assert town.main == main
    assert len(town.world.pulls()) == 1


def test_who_may_not_push_may_not_merge_and_leaves_it_to_others(town: GitHubTown) -> None:
    town.settle("dora", "emil")
    town.send("dora", *CUBES)
    main = town.main
    said = town.human("emil").run("merge", code=1)
    assert "may not merge" in said.err
    assert town.main == main


def test_t59_the_account_of_a_hospital_is_worth_nothing_without_its_key(town: GitHubTown) -> None:
    town.settle("north")
    world, fork = town.world, "north/heart"
    assert world.answer("POST", f"/repos/{world.slug}/forks", "north", {}).status == 202
    files = town.house().propose(rb.cube(Ref("north", "net", 1))).sign("mallory").files
    store, before = Store.open(world.repository(fork)), world.heads(fork)
    author = Author("north", "north@example.invalid", town.clock())
    commit = write_commit(store, before["main"], files, message="Trust me\n", author=author)
    world.git(fork, "update-ref", "refs/heads/from-the-web", commit)
    world.follow(fork, before)
    words = {"title": "Trust me", "head": "north:from-the-web", "base": "main"}
    assert world.answer("POST", f"/repos/{world.slug}/pulls", "north", words).status == 201
    main = town.main
    assert "not merged (fail)" in town.founder.run("merge").out
    assert town.main == main
    assert world.answer("PUT", f"/repos/{world.slug}/pulls/1/merge", "ana", {}).status == 200  # on its page
    assert "is not valid" in town.human("north").run("sync", code=5).err


def test_a_wrong_token_is_named_by_where_it_comes_from_and_never_shown(town: GitHubTown) -> None:
    north = town.add("north")
    north.token = "ghp_wrong-wrong-wrong-wrong-wrong-wrong"
    said = north.run("join", "--as", "north", "--key", north.key, "--yes", code=3)
    assert "MEDPERF_GIT_TOKEN" in said.err
    assert north.token not in said.out + said.err
    assert town.world.pulls() == []


def test_the_sentence_about_single_sign_on_reaches_the_person(town: GitHubTown) -> None:
    north = town.add("north")
    link = f"{town.world.url}/orgs/ana/sso?authorization_request=abc"
    refusal = Answer(403, {"X-GitHub-SSO": f"required; url={link}"}, {"message": "Resource protected"})
    town.world.failing += [refusal] * 20
    said = north.run("join", "--as", "north", "--key", north.key, "--yes", code=3)
    town.world.failing.clear()
    assert "single sign-on" in said.err
    assert link in said.err


def test_the_token_is_in_no_argument_no_file_and_no_word(town: GitHubTown, tmp_path: Path) -> None:
    bin_, log = tmp_path / "bin", tmp_path / "arguments"
    bin_.mkdir()
    for name in ("git", "gh", "ssh"):
        real = next(
            (Path(place) / name for place in os.environ["PATH"].split(os.pathsep) if (Path(place) / name).exists()),
            None,
        )
        wrapper = bin_ / name
        ending = f'exec {real} "$@"' if real else "exit 1"
        wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >> {log}\n{ending}\n', encoding="utf-8")
        wrapper.chmod(0o755)
    north: Account = town.add("north")
    environment = {
        **north.environ,
        "PATH": f"{bin_}{os.pathsep}{north.environ['PATH']}",
        "GIT_TRACE_CURL": str(tmp_path / "trace"),
    }
    argv = ("join", "--as", "north", "--key", str(north.key), "--yes")
    town.world.clock = lambda: datetime.now(UTC)  # a program of its own has the machine's
    done = north.spawn(*argv, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(log.read_text(encoding="utf-8").splitlines()) >= 3
    assert len(town.world.pulls()) == 1
    kept = [path for place in (north.folder, log) for path in ([place] if place.is_file() else place.rglob("*"))]
    hidden = re.compile(re.escape(north.token).encode())
    assert not [path for path in kept if path.is_file() and hidden.search(path.read_bytes())]
    assert not (tmp_path / "trace").exists()
    assert north.token not in done.stdout + done.stderr


def test_the_emulator_and_the_description_are_those_that_are_pinned(town: GitHubTown) -> None:
    lock = json.loads((Path(__file__).parents[1] / "ci/node/package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]["node_modules/emulate"]["integrity"].startswith("sha512-")
    assert set(town.world.contract.description["paths"]) >= {"/repos/{owner}/{repo}/pulls/{pull_number}/merge"}


def test_a_request_that_github_does_not_describe_fails_the_test_that_makes_it(town: GitHubTown) -> None:
    odd = town.world.contract.faults("GET", f"{town.world.url}/api/v3/repos/ana/heart/pulls?state=maybe", {}, b"")
    assert len(odd) == 1
    unknown = town.world.contract.faults("GET", f"{town.world.url}/api/v3/repos/ana/heart?deep=1", {}, b"")
    assert "deep is not in GitHub's description" in unknown[0]
