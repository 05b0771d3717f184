"""What happens on a forge while somebody waits: each ends in the right new attempt or in the right sentence."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from medperf_git.errors import Refused
from medperf_git.flows.propose import propose
from medperf_git.forge.faults import ForgeProblem
from medperf_git.forge.port import Words
from medperf_git.records import layout, models
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import Push, PushOutcome, push
from tests.support import registry_builder as rb
from tests.support.forge_people import Village, until
from tests.support.pagure_forge import PagureForge
from tests.support.people import write_key
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH, SOUTH
from tests.support.story import RESULT, TREE, draft

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(scope="module")
def settled(forge: PagureForge, tmp_path_factory: pytest.TempPathFactory) -> Village:
    """One registry for the module, which everybody knows; each test is about records of its own."""
    village = Village(tmp_path_factory.mktemp("meanwhile"), forge, "meanwhile")
    village.found("ana")
    village.settle()
    return village


@pytest.fixture
def known(settled: Village) -> Callable[..., Village]:
    """Bring people to their machines, each once."""

    def known(*names: str) -> Village:
        settled.settle_in(*(name for name in names if not (settled.human(name).home / "config.json").exists()))
        return settled

    return known


@pytest.mark.parametrize("other", [5, 7])
def test_of_two_who_claim_the_same_number_the_second_ends_right(known: Callable[..., Village], other: int) -> None:
    """The same word as the first one's is said already; another one is placed behind it."""
    village = known("dora", "emil")
    subject = {5: MODEL, 7: TREE}[other]
    house = village.house
    said_by_dora, said_by_emil = (
        replace(house.event("prioritise", by=name, side="committee", subject=subject, kind="cube"), priority=priority)
        for name, priority in (("dora", 5), ("emil", other))
    )
    first, second = village.send("dora", said_by_dora), village.send("emil", said_by_emil)
    assert second.waits_for == "a merge"
    village.merge(first.id)
    emil = village.human("emil")
    emil.run("sync")
    assert "--resume" in emil.run("submit", code=1).out
    said = emil.run("submit", "--resume", "--yes")
    mine = [one for one in village.open_requests() if one["user"]["name"] == village.forge.accounts["emil"].name]
    (old,) = [one for one in mine if one["branch_from"] == f"submit/{second.id}"]
    assert f"close {old['full_url']} by hand" in said.err, "a person's own key may not close what it opened"
    village.forge.ask("POST", f"{village.name}/pull-request/{old['id']}/close", village.token("ana"))
    folder = layout.association_folder(BENCHMARK, "cube", subject)
    if other == 5:
        assert "nothing to do" in said.out
        assert mine == [old]
    else:
        assert "waits for a merge" in said.out
        (fresh,) = [one for one in mine if one is not old]
        village.merge(fresh["branch_from"].removeprefix("submit/"))
        assert layout.numbered(folder, 4) in village.house.files


def test_a_hospital_can_neither_push_to_main_nor_merge(known: Callable[..., Village]) -> None:
    village = known("south")
    south, main = village.human("south"), village.main
    proposed = village.send("south", village.house.event("request", by="south", subject=SOUTH))
    with south.at_machine():
        workspace = south.workspace()
        forge = workspace.forge
        assert not forge.may_merge()
        (request,) = forge.requests(proposed.id)
        with pytest.raises(ForgeProblem, match="does not let the token from MEDPERF_GIT_TOKEN do that") as refused:
            forge.merge(request, request.commit, Words("mine"))
        assert "lacks the right" in refused.value.hint
        access = forge._access()
        (pushed,) = push(
            workspace.copy, Remote.parse(village.url), [Push("refs/heads/main", request.commit)], access=access
        )
    assert pushed.outcome is PushOutcome.REFUSED
    assert village.main == main
    said = south.run("merge", proposed.id, code=1)
    assert "may not merge" in said.err
    assert village.main == main


def test_a_proposal_that_the_maintainer_closed_is_not_opened_over_their_head(known: Callable[..., Village]) -> None:
    village = known("moa")
    moa = village.human("moa")
    proposed = village.send("moa", rb.cube(replace(MODEL, name="bush")))
    (request,) = [one for one in village.open_requests() if one["branch_from"] == f"submit/{proposed.id}"]
    village.forge.ask("POST", f"{village.name}/pull-request/{request['id']}/close", village.token("ana"))
    said = moa.run("submit", code=1)
    assert (
        f"the pull request #{request['id']} was closed by {village.forge.accounts['ana'].name}" in said.out + said.err
    )
    assert request["full_url"] in said.out + said.err
    assert all(one["branch_from"] != f"submit/{proposed.id}" for one in village.open_requests())


def test_a_fork_that_was_deleted_is_made_again(known: Callable[..., Village]) -> None:
    village = known("east")
    east = village.human("east")
    proposed = village.send("east", rb.cube(replace(MODEL, member="east", name="bush")))
    key = village.forge.project_token(village.fork_of("east"), "east")
    village.forge.ask("POST", f"{village.fork_of('east')}/delete", key)
    until(lambda: True if village.forge.ask("GET", village.fork_of("east")).get("error") else None)
    said = east.run("submit")
    assert "making a fork of yours" in said.err
    assert village.refs(village.fork_of("east"))[f"refs/heads/submit/{proposed.id}"]
    mine = [one for one in village.open_requests() if one["branch_from"] == f"submit/{proposed.id}"]
    assert [one["repo_from"]["url_path"] for one in mine if one["repo_from"]] == [village.fork_of("east")]
    village.merge(proposed.id)


def test_a_branch_of_the_fork_with_other_content_is_not_written_over(known: Callable[..., Village]) -> None:
    village = known("moa")
    record = rb.cube(replace(MODEL, name="shrub"))
    village.send("moa", rb.cube(replace(MODEL, name="hedge")))  # the fork is there now
    wanted = _rehearsed(village, record)
    fork = village.forge.git_url(village.fork_of("moa"))
    own = village.folder / "own.git"
    stranger = village.git(f"--git-dir={own}", "commit-tree", "main^{tree}", "-p", "main", "-m", "something else")
    village.git_as("moa", f"--git-dir={own}", "push", "-q", fork, f"{stranger}:refs/heads/submit/{wanted}")
    with pytest.raises(Refused, match="holds something else already"):
        village.send("moa", record)
    assert village.refs(village.fork_of("moa"))[f"refs/heads/submit/{wanted}"] == stranger


def test_what_was_revoked_meanwhile_ends_in_a_new_signature_or_in_a_sentence(known: Callable[..., Village]) -> None:
    village = known("north")
    north = village.human("north")
    proposed = village.send("north", village.house.result())
    stolen = north.signer().public
    keys = rb.keys("north:new", recovery=["north:recovery"])
    revoked = (models.RevokedKey(stolen.openssh, village.main, "stolen"),)
    village.step("north:recovery north:new", village.house.member_now("north", keys=keys, revoked=revoked))
    write_key(north.key, "north:new")
    north.run("sync")
    assert "--resume" in north.run("submit", code=1).out
    said = north.run("submit", "--resume", "--yes")
    assert "signed again" in said.out
    village.step("emil", village.house.event("withdraw", by="emil", side="committee", subject=NORTH))
    said = north.run("submit", "--resume", "--yes", code=1)
    assert "association" in said.out
    assert proposed.id[:12] in said.out
    assert RESULT not in village.house.files


def _rehearsed(village: Village, record: models.Record) -> str:
    moa = village.human("moa")
    with moa.at_machine():
        workspace = moa.workspace()
        return propose(workspace, [draft(workspace.view, record)], title="Add it", dry_run=True).id
