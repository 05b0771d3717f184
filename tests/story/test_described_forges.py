"""The story through GitLab and Forgejo as they are described; no real one can be had (`tests/support/described_forge`).

Everybody but the maintainer works from a fork, and nobody can write to the fork of another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.flows.merging import merge_request
from medperf_git.flows.propose import Proposed
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.host import Host
from medperf_git.records.names import Ref
from tests.support import registry_builder as rb
from tests.support.clock import TestClock
from tests.support.described_forge import Answer, Asked, Forge, Pull, serving
from tests.support.described_forgejo import forgejo
from tests.support.described_gitlab import gitlab
from tests.support.people import Human, Town
from tests.support.registry_builder import BENCHMARK, METRICS, MODEL, NORTH, PREPARATOR, REFERENCE
from tests.support.story import RESULT, files_of, house_of
from tests.support.story import send as send_records

FACES = {Host.GITLAB: gitlab, Host.FORGEJO: forgejo}
LATE = Ref("moa", "late", 1)


@dataclass
class Guest(Human):
    """One person with an account at the forge."""

    token: str = ""
    certificate: Path = Path()

    @property
    def environ(self) -> dict[str, str]:
        """See `Human.environ`; the token stands in our own variable."""
        return {**super().environ, "MEDPERF_GIT_TOKEN": self.token, "SSL_CERT_FILE": str(self.certificate)}

    def workspace(self) -> Workspace:
        """See `Human.workspace`; Git too goes by the environment of this person."""
        with self.at_machine():
            return super().workspace()


@dataclass
class ForgeTown(Town):
    """People around a registry at a described forge; whoever begins it owns it there."""

    host: Host = Host.GITLAB
    forge: Forge = None  # type: ignore[assignment]  (a dataclass with a base that has defaults)

    @property
    def repository(self) -> Path:
        """The repository of the registry."""
        return self.forge.by_id(1).folder

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.forge.url}/ana/heart.git"

    def human(self, name: str) -> Human:
        """Return a person, who has an account."""
        if name not in self.people:
            token = self.forge.sign_up(name)
            home = self.folder / "people" / name
            self.people[name] = Guest(name, home, self.clock, token, self.forge.certificate)
        return self.people[name]

    def found(self, name: str) -> Human:
        """Let somebody begin the registry in an empty repository."""
        self.forge.create("ana/heart")
        human = self.human(name)
        human.run("init", self.url, "--name", self.name, "--as", name, "--key", human.key, "--yes")
        return human

    def pulls(self, proposal: str) -> list[Pull]:
        """Return the pull requests about a proposal."""
        return [one for one in self.forge.pulls if one.branch == f"submit/{proposal}"]

    def source(self, pull: Pull) -> str:
        """Return where the branch of a pull request lies."""
        return self.forge.by_id(pull.source).path

    def files(self) -> dict[str, bytes]:
        """Return what main holds as its maintainer verified it."""
        return files_of(self.founder.workspace().view)

    def send(self, name: str, *records: rb.Any) -> Proposed:
        """Let somebody propose records, and the maintainer merge them through the interface."""
        sent = send(self.human(name), *records)
        self.founder.run("sync")
        self.founder.run("merge", sent.id)
        return sent


@pytest.fixture(params=list(FACES), ids=[f"described-{host}" for host in FACES])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeTown]:
    clock = TestClock()
    face = FACES[request.param](tmp_path / "forge", clock)
    (tmp_path / "forge").mkdir()
    with serving(face.forge, face, tmp_path) as forge:
        made = ForgeTown(tmp_path / "town", "heart", clock=clock, host=request.param, forge=forge)
        made.found("ana")
        yield made


def send(human: Human, *records: rb.Any) -> Proposed:
    """Let somebody propose records from their own machine."""
    with human.at_machine():
        return send_records(human, *records)


def begin_benchmark(town: ForgeTown) -> Proposed:
    """Let the committee register its three cubes and propose the benchmark, which two of them and ana must sign."""
    for name in ("dora", "emil"):
        town.join(name)
    cubes = (rb.cube(PREPARATOR, "data-preparator"), rb.cube(REFERENCE), rb.cube(METRICS, "metrics"))
    town.send("dora", *cubes)
    house = house_of(town)
    return send(town.human("dora"), house.benchmark(), house.first_policy(house.benchmark()))


def test_init_finds_out_what_kind_of_described_forge_it_is(town: ForgeTown) -> None:
    assert f'"host": "{town.host}"' in (town.founder.home / "config.json").read_text()
    assert "registry/0001.yaml" in town.files()


def test_a_member_joins_from_a_fork_and_is_admitted_by_a_request_that_replaces_theirs(town: ForgeTown) -> None:
    dora = town.ask("dora")
    (asked,) = town.forge.pulls
    assert (town.source(asked), asked.author, asked.state) == ("dora/heart", "dora", "open")
    assert "Replaces" not in asked.body
    town.founder.run("admit", "dora", "--yes")
    admitted = town.forge.pulls[-1]
    assert (town.source(admitted), admitted.author, admitted.state) == ("ana/heart", "ana", "merged")
    assert f"Replaces #{asked.number}" in admitted.body
    assert "members/dora/0001.yaml" in town.files()
    assert "dora" in dora.run("sync").out + dora.run("whoami").out
    assert not town.forge.ref(town.forge.by_id(1), f"refs/heads/{admitted.branch}"), "our branch is tidied up"


def sign_between_forks(town: ForgeTown, proposed: Proposed) -> None:
    """Let emil sign from his fork what lies in dora's, and ana what lies in his."""
    assert "emil" in proposed.waits_for
    town.human("emil").run("sign", proposed.id[:12], "--yes")
    first, second = town.pulls(proposed.id)
    assert [town.source(one) for one in (first, second)] == ["dora/heart", "emil/heart"]
    assert f"Replaces #{first.number}" in second.body
    town.founder.run("sign", proposed.id[:12], "--yes")
    third = town.pulls(proposed.id)[-1]
    assert (town.source(third), third.state) == ("ana/heart", "merged")
    assert {f"#{one.number}" for one in (first, second)} <= set(re.findall(r"#\d+", third.body))
    assert str(BENCHMARK.name) in town.founder.run("benchmark", "ls").out


def test_the_story_with_a_benchmark_signed_between_two_forks_ends_with_a_result_and_stands_an_audit(
    town: ForgeTown,
) -> None:
    sign_between_forks(town, begin_benchmark(town))
    for subject, option in ((MODEL, "--model"), (NORTH, "--dataset")):
        name = subject.member
        town.join(name)
        town.send(name, rb.cube(MODEL, tested=rb.TESTED) if subject is MODEL else house_of(town).dataset(NORTH))
        town.human(name).run("association", "request", str(BENCHMARK), option, str(subject), "--yes")
        town.founder.run("merge")
        town.human("emil").run("sync")
        town.human("emil").run("approve", str(subject), "--yes")
        town.founder.run("merge")
    town.human("north").run("sync")
    town.send("north", house_of(town).result())
    assert RESULT in town.files()
    assert "valid" in town.human("north").run("audit").out
    pulls = len(town.forge.pulls)
    town.human("north").run("submit", "--resume")
    assert len(town.forge.pulls) == pulls
    town.human("north").run("status")


def test_twice_the_same_does_nothing_twice(town: ForgeTown) -> None:
    moa = town.join("moa")
    first = send(moa, rb.cube(MODEL))
    calls = len(town.forge.called("POST", "/(pulls|merge_requests)$"))
    pulls, head = len(town.forge.pulls), town.pulls(first.id)[0].commit
    again = send(moa, rb.cube(MODEL))
    moa.run("submit")
    moa.run("submit", "--resume")
    assert again.id == first.id
    assert again.url == first.url
    assert len(town.forge.pulls) == pulls
    assert len(town.forge.called("POST", "/(pulls|merge_requests)$")) == calls
    assert town.pulls(first.id)[0].commit == head
    assert len(town.forge.called("POST", "/forks?$")) == 1


def test_what_is_merged_already_is_not_sent_again(town: ForgeTown) -> None:
    moa = town.join("moa")
    sent = town.send("moa", rb.cube(MODEL))
    pulls = len(town.forge.pulls)
    assert send(moa, rb.cube(MODEL)).merged
    moa.run("submit", "--resume")
    assert len(town.forge.pulls) == pulls
    assert town.pulls(sent.id)[0].state == "merged"


def test_a_head_that_moved_after_it_was_judged_is_not_merged(town: ForgeTown) -> None:
    moa = town.join("moa")
    sent = send(moa, rb.cube(MODEL))
    workspace = town.founder.workspace()
    judged = workspace.proposals()[sent.id]
    pull, fork = town.pulls(sent.id)[0], town.forge.find("moa/heart")
    moved = town.forge.git(fork.folder, "commit-tree", f"{judged}^{{tree}}", "-p", judged, "-m", "more")
    merge = workspace.forge.merge

    def move_then_merge(*given: rb.Any) -> None:
        town.forge.git(fork.folder, "update-ref", f"refs/heads/{pull.branch}", moved)
        town.forge.settle()
        merge(*given)

    workspace.forge.merge = move_then_merge  # type: ignore[method-assign]  (between judging and merging)
    with town.founder.at_machine(), pytest.raises(Refused, match="it has changed meanwhile") as refused:
        merge_request(workspace, sent.id, commit=judged, title="Add a model")
    assert "submit --resume" in refused.value.hint
    assert pull.state == "open"
    assert MODEL.name not in town.founder.run("cube", "ls").out


def test_a_forge_that_still_looks_at_a_request_is_asked_again(town: ForgeTown) -> None:
    town.forge.slow_check = 1
    town.ask("moa")
    town.founder.run("admit", "moa", "--yes")
    assert "members/moa/0001.yaml" in town.files()
    assert len(town.forge.called("PUT" if town.host is Host.GITLAB else "POST", "/merge$")) == 2


def test_a_fork_that_is_slow_to_come_is_waited_for(town: ForgeTown) -> None:
    town.forge.slow_fork = 3
    town.ask("moa")
    assert town.source(town.forge.pulls[0]) == "moa/heart"


def test_a_repository_of_the_same_name_that_is_no_fork_is_left_alone(town: ForgeTown) -> None:
    moa = town.human("moa")
    own = town.forge.create("moa/heart")
    said = moa.run("join", town.url, "--as", "moa", "--key", moa.key, "--yes", code=1)
    assert "you have another repository of the name of ana/heart there" in said.err
    assert not town.forge.git(own.folder, "for-each-ref")
    own.path = "moa/renamed"
    moa.run("submit")
    assert [town.source(one) for one in town.forge.pulls] == ["moa/heart"]


def test_a_fork_that_was_deleted_is_made_anew(town: ForgeTown) -> None:
    moa = town.join("moa")
    fork = town.forge.find("moa/heart")
    fork.path, fork.parent = "moa/heart-deleted", None
    sent = send(moa, rb.cube(MODEL))
    assert town.source(town.pulls(sent.id)[0]) == "moa/heart"


def test_what_was_replaced_is_closed_by_the_merge_and_tidied_up_by_its_author(town: ForgeTown) -> None:
    dora = town.join("dora")
    asked = town.forge.pulls[0]
    assert (town.source(asked), asked.state, asked.closed_by) == ("dora/heart", "closed", "ana")
    assert "This stands in main now." in str(asked.comments)
    dora.run("submit")
    assert not town.forge.ref(town.forge.find("dora/heart"), f"refs/heads/{asked.branch}")


def test_what_a_maintainer_closed_is_not_opened_over_their_head(town: ForgeTown) -> None:
    moa = town.join("moa")
    sent = send(moa, rb.cube(LATE))
    pull = town.pulls(sent.id)[0]
    town.forge.close(pull, by="ana")
    pulls = len(town.forge.pulls)
    with pytest.raises(Refused, match=f"#{pull.number} was closed") as refused:
        send(moa, rb.cube(LATE))
    assert ("by ana" in refused.value.message) == (town.host is Host.GITLAB), "Forgejo does not say by whom"
    assert str(pull.number) in refused.value.hint
    assert len(town.forge.pulls) == pulls
    assert pull.state == "closed"


def test_a_member_of_the_forge_who_may_push_but_not_merge_waits_for_a_merge(town: ForgeTown) -> None:
    town.forge.merge_role = {"ana"}
    moa = town.join("moa")
    town.forge.by_id(1).pushers.add("moa")
    sent = send(moa, rb.cube(MODEL))
    assert (sent.merged, sent.waits_for) == (False, "a merge")
    assert town.source(town.pulls(sent.id)[0]) == "ana/heart"
    town.founder.run("merge")
    assert town.pulls(sent.id)[0].state == "merged"


def test_a_request_that_somebody_closed_keeps_no_other_one_from_being_merged(town: ForgeTown) -> None:
    moa = town.join("moa")
    town.forge.by_id(1).pushers.add("moa")
    moa.run("registry", "use", "heart", "--merge", "manual")
    sent = sorted(send(moa, rb.cube(Ref("moa", name, 1))).id for name in ("oak", "elm", "ash"))
    town.pulls(sent[0])[0].state = "closed"  # its branch lies in the registry itself, and stays there
    told = town.founder.run("merge", "--json", code=1).value
    assert [(one["id"], one["merged"]) for one in told] == [(sent[0], False), (sent[1], True), (sent[2], True)]
    assert "no open pull request holds" in told[0]["note"]
    assert [town.pulls(one)[0].state for one in sent] == ["closed", "merged", "merged"]
    assert "no open pull request holds" in town.founder.run("merge", sent[0], code=1).err


def test_a_fork_by_hand_is_remembered_by_no_rehearsal_and_is_no_folder(town: ForgeTown) -> None:
    moa = town.join("moa")
    config, fork = moa.home / "config.json", moa.workspace().url.replace("/ana/", "/moa/")
    before = config.read_bytes()
    assert f"would go to {fork}" in moa.run("submit", "--fork", fork, "--dry-run").err
    assert "is no folder" in moa.run("submit", "--fork", "garbage", code=2).err
    assert config.read_bytes() == before
    moa.run("submit", "--fork", fork)
    assert f'"fork": "{fork}"' in config.read_text(encoding="utf-8")


def test_a_token_is_in_no_file_and_no_message(town: ForgeTown) -> None:
    moa = town.ask("moa")
    said = moa.run("status").out + moa.run("sync").err
    assert "token-of" not in said
    kept = [path for path in moa.folder.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"token-of-" in path.read_bytes()]


def test_a_token_that_expired_is_told_with_its_remedy(town: ForgeTown) -> None:
    moa = town.join("moa")
    town.forge.tokens.pop("token-of-moa")
    said = moa.run("cube", "ls")
    assert said.code == 0
    with pytest.raises(Exception, match="does not accept the token from MEDPERF_GIT_TOKEN") as refused:
        send(moa, rb.cube(MODEL))
    assert "MEDPERF_GIT_TOKEN" in getattr(refused.value, "hint", "")


def shadowed(town: ForgeTown, proposal: str, *, branch: str) -> Pull:
    """Let a stranger open the same records again, by a commit that comes before the honest one in order."""
    town.human("eve")
    honest = town.pulls(proposal)[0]
    fork = town.forge.fork(town.forge.by_id(1), "eve")
    source = str(town.forge.by_id(honest.source).folder)
    town.forge.git(fork.folder, "fetch", "-q", source, f"refs/heads/{honest.branch}")
    made = honest.commit
    for number in range(1000):
        if made < honest.commit:
            break
        tree, parent = f"{honest.commit}^{{tree}}", f"{honest.commit}^"
        made = town.forge.git(fork.folder, "commit-tree", tree, "-p", parent, "-m", f"Add a model {number}")
    town.forge.git(fork.folder, "update-ref", f"refs/heads/{branch}", made)
    opened = town.forge.open(town.forge.by_id(1), fork, branch=branch, title="x", body="", author="eve")
    town.forge.settle()
    return opened


def test_t09_a_copy_of_a_proposal_from_another_branch_keeps_nothing_from_being_merged(town: ForgeTown) -> None:
    moa = town.join("moa")
    first, second = send(moa, rb.cube(MODEL)), send(moa, rb.cube(LATE))
    for sent in (first, second):
        branch = f"x-{sent.id[:4]}"
        if town.forge.find("eve/heart") is None:
            shadowed(town, sent.id, branch=branch)
    town.founder.run("merge")
    assert [town.pulls(sent.id)[0].state for sent in (first, second)] == ["merged", "merged"]


def test_what_cannot_be_tidied_up_after_a_merge_ends_no_command(town: ForgeTown) -> None:
    moa = town.join("moa")
    first, second = send(moa, rb.cube(MODEL)), send(moa, rb.cube(LATE))
    town.human("eve")
    registry = town.forge.by_id(1)
    fork = town.forge.fork(registry, "eve")
    for sent in (first, second):
        (honest,) = town.pulls(sent.id)
        source, branch = town.forge.by_id(honest.source).folder, f"refs/heads/{honest.branch}"
        town.forge.git(fork.folder, "fetch", "-q", str(source), f"+{branch}:{branch}")
        town.forge.open(registry, fork, branch=honest.branch, title="x", body="", author="eve")

    def locked(asked: Asked) -> Answer | None:
        talks = asked.method == "POST" and re.search("/(notes|comments)$", asked.path)
        return Answer(403, {"message": "the conversation is locked"}) if talks else None

    town.forge.override = locked
    said = town.founder.run("merge")
    assert [one.state for sent in (first, second) for one in town.pulls(sent.id)].count("merged") == 2
    assert "the conversation is locked" in said.err
