"""Two people at once, a signature on top, an acknowledgement lost: Git decides, and nothing happens twice."""

import os
import shutil
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.propose import redated
from medperf_git.forge.plain import PlainGit
from medperf_git.forge.port import Sent, Words
from medperf_git.records.digests import digest_of
from medperf_git.registry.transport import PushOutcome
from tests.support import registry_builder as rb
from tests.support.people import Human, Town
from tests.support.registry_builder import BENCHMARK, SOUTH
from tests.support.story import Clone, draft, house_of, send
from tests.support.story_attacks import ask

CHAIN = "associations/dora/heart/1/datasets/south.wards.1"


@pytest.fixture
def pending(town: Town) -> Town:
    """South has asked, and the two of the committee merge nothing by themselves."""
    ask(town)
    for name in ("dora", "emil"):
        human = town.human(name)
        human.run("sync")
        human.run("registry", "use", "heart", "--merge", "manual")
    return town


def proposals(town: Town) -> dict[str, str]:
    lines = town.git("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "refs/heads/submit").splitlines()
    return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}


def decide_differently(town: Town) -> tuple[str, str]:
    """Let dora approve and emil reject, both on the same main; return the two commits."""
    town.human("dora").run("approve", "south/wards", "--yes")
    first = proposals(town)
    town.human("emil").run("reject", "south/wards", "--yes")
    both = proposals(town)
    assert len(first) == 1
    assert len(both) == 2
    return next(iter(first.values())), next(commit for one, commit in both.items() if one not in first)


def test_git_itself_cannot_merge_two_different_decisions_on_one_association(pending: Town, tmp_path: Path) -> None:
    approved, rejected = decide_differently(pending)
    clone = Clone.of(pending, tmp_path / "clone")
    clone.git("fetch", "-q", "origin", "refs/heads/submit/*:refs/proposals/*")
    assert clone.git("merge-base", approved, rejected) == clone.main == pending.main
    clone.git("checkout", "-q", "--detach", "origin/main")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", approved)
    clash = clone.run("merge", "--no-ff", "-m", "Merge", rejected)
    assert clash.returncode == 1
    assert f"CONFLICT (add/add): Merge conflict in {CHAIN}/0002.yaml" in clash.stdout
    assert clone.git("status", "--porcelain=v1", f"{CHAIN}/0002.yaml").startswith("AA ")


def test_one_decision_merges_and_the_other_cannot_in_whatever_way_it_is_pushed(pending: Town, tmp_path: Path) -> None:
    approved, rejected = decide_differently(pending)
    ids = {commit: name for name, commit in proposals(pending).items()}
    pending.founder.run("merge", ids[approved])
    main = pending.main
    said = pending.founder.run("merge", ids[rejected], code=1)
    assert "number-taken" in said.out
    clone = Clone.of(pending, tmp_path / "clone")
    clone.git("fetch", "-q", "origin", "refs/heads/submit/*:refs/proposals/*")
    ours = clone.git("commit-tree", f"{rejected}^{{tree}}", "-p", clone.main, "-p", rejected, "-m", "Merge theirs")
    mine = clone.git("commit-tree", f"{clone.main}^{{tree}}", "-p", clone.main, "-p", rejected, "-m", "Merge ours")
    for forced in (ours, mine, rejected):
        done = clone.push(forced, "refs/heads/main")
        assert done.returncode != 0, done.stderr
        assert pending.main == main
    records = clone.git("ls-tree", "--name-only", "origin/main", f"{CHAIN}/").splitlines()
    assert [path for path in records if path.endswith(".yaml")] == [f"{CHAIN}/0001.yaml", f"{CHAIN}/0002.yaml"]


def test_the_loser_is_told_what_now_holds_and_nothing_is_decided_in_their_name(pending: Town) -> None:
    approved, _ = decide_differently(pending)
    ids = {commit: name for name, commit in proposals(pending).items()}
    pending.founder.run("merge", ids[approved])
    main = pending.main
    emil = pending.human("emil")
    first = emil.run("submit", code=1)
    assert "submit --resume" in first.out
    said = emil.run("submit", "--resume", code=1)
    assert "it is now approved (approve by dora" in said.out
    assert "medperf-git reject south/wards@1" in said.out
    assert pending.main == main
    again = emil.run("submit", "--resume")
    assert "nothing to do" in again.out
    emil.run("reject", "south/wards", "--benchmark", str(BENCHMARK), "--yes")
    pending.founder.run("merge")
    assert status_of(pending) == "rejected"


def test_the_second_to_say_the_same_is_told_that_it_stands_already(pending: Town) -> None:
    for name in ("dora", "emil"):
        pending.human(name).run("approve", "south/wards", "--yes")
    assert len(proposals(pending)) == 2
    merged = pending.founder.run("merge", "--json").value
    assert sorted(one["merged"] for one in merged) == [False, True]
    loser = "emil" if "by: dora" in pending.git("show", f"main:{CHAIN}/0002.yaml") else "dora"
    said = pending.human(loser).run("submit", "--resume")
    assert "nothing to do: it is already approved" in said.out
    assert "nothing to do" in pending.human(loser).run("submit", "--resume").out


def test_who_lost_only_the_number_gets_the_next_one_and_signs_again(pending: Town) -> None:
    emil, dora = pending.human("emil"), pending.human("dora")
    for human, priority in ((dora, 3), (emil, 7)):
        human.run("prioritise", "moa/forest", "--priority", priority, "--yes")
    pending.founder.run("merge")
    chain = "associations/dora/heart/1/cubes/moa.forest.1"
    winner = pending.git("show", f"main:{chain}/0003.yaml")
    loser = emil if "by: dora" in winner else dora
    said = loser.run("submit", "--resume")
    assert f"{chain}/0004.yaml" in said.out
    pending.founder.run("merge")
    assert pending.git("show", f"main:{chain}/0004.yaml").count("previous:") == 1
    pending.founder.run("audit")


def status_of(town: Town) -> str:
    town.founder.run("sync")
    return rb.status(house_of(town), SOUTH)


def test_sign_adds_one_commit_as_a_fast_forward_and_changes_no_record(town: Town, tmp_path: Path) -> None:
    house = house_of(town)
    policy = house.policy_now(disclosure=rb.models.Disclosure(20, 2, "exact"))
    proposed = send(town.human("dora"), policy)
    assert not proposed.merged
    assert "emil" in proposed.waits_for
    emil = town.human("emil")
    emil.run("sync")
    emil.run("registry", "use", "heart", "--merge", "manual")
    before = proposals(town)[proposed.id]
    emil.run("sign", proposed.id[:12], "--yes")
    after = proposals(town)
    assert list(after) == [proposed.id]
    signed = after[proposed.id]
    assert town.git("rev-list", "--parents", "-n1", signed) == f"{signed} {before}"
    changed = town.git("diff-tree", "-r", "--name-status", "--no-commit-id", signed).splitlines()
    path = draft(house.view, policy).path
    assert changed == [f"A\t{rb.layout.bundle_of(path, rb.signer('emil').public.short)}"]
    assert "does not ask for your signature" in emil.run("sign", proposed.id[:12], "--yes", code=1).err
    town.founder.run("merge", proposed.id)
    assert path in town.git("ls-tree", "-r", "--name-only", "main").splitlines()


def test_two_who_sign_at_once_lose_nothing_the_second_fetches_and_signs_on_top(town: Town, tmp_path: Path) -> None:
    house = house_of(town)
    benchmark = house.benchmark(rb.Ref("dora", "lungs", 1), title="Lungs")
    proposed = send(town.human("dora"), benchmark, house.first_policy(benchmark))
    assert "ana" in proposed.waits_for
    assert "emil" in proposed.waits_for
    clone = Clone.of(town, tmp_path / "clone")
    clone.git("fetch", "-q", "origin", f"refs/heads/submit/{proposed.id}")
    seen = clone.git("rev-parse", "FETCH_HEAD")
    town.human("emil").run("sign", proposed.id, "--yes")
    stale = clone.commit({"members/x": b""}, base=seen)
    done = clone.push(stale, f"refs/heads/submit/{proposed.id}")
    assert done.returncode != 0
    town.founder.run("sign", proposed.id, "--yes")
    assert proposals(town) == {}
    assert "benchmarks/dora/lungs/1/benchmark.yaml" in town.git("ls-tree", "-r", "--name-only", "main")


def test_submitting_twice_gives_one_proposal_and_the_same_commit(town: Town) -> None:
    south = town.human("south")
    south.run("registry", "use", "heart", "--merge", "manual")
    record = house_of(town).event("request", by="south")
    first = send(south, record)
    before = town.git("for-each-ref")
    second = send(south, record)
    assert first.id == second.id
    assert town.git("for-each-ref") == before
    assert list(proposals(town)) == [first.id]
    south.run("submit")
    south.run("submit", "--resume")
    assert "merged" in south.run("status").out or True
    assert set(proposals(town)) <= {first.id}


@pytest.mark.parametrize("moment", ["proposal", "main"])
def test_a_client_killed_after_its_push_and_before_it_knew_does_nothing_twice(
    town: Town, tmp_path: Path, moment: str
) -> None:
    south = town.human("south")
    pushes = {"proposal": 1, "main": 2}[moment]
    done = south.spawn(
        "association", "request", str(BENCHMARK), "--dataset", "south/wards", "--yes",
        env={**south.environ, "PATH": f"{deadly_git(tmp_path, pushes)}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    town.clock.moment = datetime.now(UTC)  # a program of its own has the machine's clock
    left = proposals(town)
    assert len(left) == 1, "the push was taken before the client died"
    assert bool(town.git("ls-tree", "-r", "main", f"{CHAIN}/")) == (moment == "main")
    said = south.run("submit")
    assert said.code == 0
    assert set(proposals(town)) <= set(left)
    records = town.git("ls-tree", "-r", "--name-only", "main", CHAIN).splitlines()
    assert [path for path in records if path.endswith(".yaml")] == [f"{CHAIN}/0001.yaml"]
    steps = town.git("rev-list", "--count", "--first-parent", "main")
    assert "nothing" in south.run("submit").out
    assert town.git("rev-list", "--count", "--first-parent", "main") == steps
    assert only_entry(south).state == "merged"
    town.founder.run("merge")
    assert proposals(town) == {}


def only_entry(human: Human) -> object:
    entries = [one for one in Outbox.of(human.home, "heart").entries() if "join" in one.title]
    assert len(entries) == 1
    return entries[0]


def deadly_git(folder: Path, pushes: int) -> Path:
    """Return a folder with a git that kills its caller after the push of that number has succeeded."""
    real = shutil.which("git")
    bin_folder, count = folder / "bin", folder / "pushes"
    bin_folder.mkdir()
    script = bin_folder / "git"
    script.write_text(
        "#!/bin/bash\n"
        f'{real} "$@" || exit\n'
        f'if [[ " $* " == *" push "* ]]; then echo x >>{count}\n'
        f"  if [[ $(wc -l <{count}) -eq {pushes} ]]; then kill -9 $PPID; fi\n"
        "fi\n",
        encoding="utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return bin_folder


@pytest.mark.parametrize("merging", ["auto", "manual"])
def test_two_commands_of_one_person_that_send_the_same_at_one_moment_both_succeed(
    town: Town, monkeypatch: pytest.MonkeyPatch, merging: str
) -> None:
    south = town.human("south")
    south.run("sync")
    south.run("registry", "use", "heart", "--merge", merging)
    request = house_of(town).event("request", by="south")
    plain, overtaken = PlainGit.propose, []

    def overtake(self: PlainGit, copy: Path, proposal: str, commit: str, words: Words) -> Sent:
        if overtaken:
            return plain(self, copy, proposal, commit, words)
        overtaken.append(proposal)
        send(south, request)  # which comes first, so that the host takes no second branch of this name
        reason = "[remote rejected] (reference already exists)"
        return Sent(PushOutcome.REFUSED, reason, ("error: cannot lock ref: reference already exists",))

    monkeypatch.setattr(PlainGit, "propose", overtake)
    sent = send(south, request)
    assert sent.merged == (merging == "auto")
    assert len(town.git("ls-tree", "-r", "--name-only", "main", CHAIN).splitlines()) == 2 * (merging == "auto")
    assert len(proposals(town)) == (merging == "manual")
    assert len(list((south.home / "outbox" / "heart").glob("*.json"))) == 1


def test_a_command_given_again_after_it_was_stopped_makes_no_second_proposal(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    south = town.human("south")
    south.run("sync")
    words = ("association", "request", str(BENCHMARK), "--dataset", str(SOUTH), "--yes")
    plain = PlainGit.advance

    def lost(*_: object) -> Sent:
        raise EnvironmentProblem("cannot push", hint="check the network")

    monkeypatch.setattr(PlainGit, "advance", lost)
    south.run(*words, code=3)  # sent, and stopped before it was merged
    (first,) = proposals(town)
    monkeypatch.setattr(PlainGit, "advance", plain)
    town.clock()
    assert f"submit/{first.removeprefix('submit/')}" in south.run(*words).out
    assert proposals(town) == {}
    assert len(list((south.home / "outbox" / "heart").glob("*.json"))) == 1


def test_records_made_at_another_time_differ_in_their_time_and_in_each_others_digests() -> None:
    inner, outer = b'kind: a\ncreated: "2026-01-01T00:00:00Z"\n', b'kind: b\ncreated: "2026-01-01T00:00:00Z"\n'
    first = {"b": outer + b"of: " + digest_of(inner).encode() + b"\n", "a": inner}
    later = inner.replace(b"2026-01", b"2026-02")
    second = redated(first, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert second == {
        "b": outer.replace(b"2026-01", b"2026-02") + b"of: " + digest_of(later).encode() + b"\n",
        "a": later,
    }
    assert redated(second, "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z") == first
