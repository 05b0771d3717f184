"""`submit --resume` takes back nothing of others, loses nothing of mine, and signs nothing that nobody looked at."""

from dataclasses import replace

import pytest

from medperf_git.cli.session import TerminalPerson
from medperf_git.errors import EnvironmentProblem
from medperf_git.records.folds import member_state, policy_state
from medperf_git.records.models import Disclosure, Policy
from medperf_git.records.names import Ref
from tests.support import registry_builder as rb
from tests.support.people import Town
from tests.support.registry_builder import BENCHMARK, NORTH, SOUTH
from tests.support.story import RESULT, TREE, draft, house_of, send
from tests.support.story_attacks import ask

CLOSES = "2026-12-31T00:00:00Z"


@pytest.fixture
def manual(town: Town) -> Town:
    """Nobody's proposal is merged by itself."""
    for name in ("dora", "emil", "north", "moa", "south"):
        human = town.human(name)
        human.run("sync")
        human.run("registry", "use", "heart", "--merge", "manual")
    return town


def policy_of(town: Town) -> Policy:
    town.founder.run("sync")
    found = policy_state(town.founder.workspace().view, BENCHMARK)
    assert found is not None
    return found


def change_policy(town: Town, name: str, **changes: object) -> str:
    """Let one of the committee propose a policy, signed by both, on the state of now."""
    proposed = send(town.human(name), house_of(town).policy_now(**changes))
    other = "emil" if name == "dora" else "dora"
    town.human(other).run("sync")
    town.human(other).run("sign", proposed.id, "--yes")
    return proposed.id


def decline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def answer(_self: TerminalPerson, question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(TerminalPerson, "confirm", answer)
    return asked


def test_a_policy_that_lost_its_number_keeps_what_others_changed_meanwhile(manual: Town) -> None:
    dora, emil = manual.human("dora"), manual.human("emil")
    stricter = Disclosure(20, 2, "exact")
    first = change_policy(manual, "emil", closes=CLOSES)
    change_policy(manual, "dora", disclosure=stricter)
    manual.founder.run("merge", first)
    said = dora.run("submit", "--resume", "--yes")
    assert "disclosure.min_cases: 10 → 20" in said.out
    assert f"kept from others: closes: {CLOSES}" in said.out
    emil.run("sync")
    (again,) = [row["id"] for row in dora.run("status", "--json").value]
    emil.run("sign", again, "--yes")
    manual.founder.run("merge", again)
    now = policy_of(manual)
    assert (now.closes, now.disclosure) == (CLOSES, stricter)


def test_two_who_change_the_same_field_are_told_which_and_nothing_is_signed(manual: Town) -> None:
    first = change_policy(manual, "emil", closes=CLOSES)
    change_policy(manual, "dora", closes="2027-01-31T00:00:00Z", committee=policy_of(manual).committee[::-1])
    manual.founder.run("merge", first)
    said = manual.human("dora").run("submit", "--resume", "--yes", code=1)
    assert f"no longer applies: you and benchmarks/{BENCHMARK.path}/policy/0002.yaml both changed closes" in said.out
    assert "committee" not in said.out
    assert manual.human("dora").run("status", "--json").value == []
    assert policy_of(manual).closes == CLOSES


def test_what_is_laid_over_is_shown_and_asked_and_a_no_leaves_everything(
    manual: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = change_policy(manual, "emil", closes=CLOSES)
    change_policy(manual, "dora", disclosure=Disclosure(20, 2, "exact"))
    manual.founder.run("merge", first)
    refs = manual.git("for-each-ref")
    asked = decline(monkeypatch)
    said = manual.human("dora").run("submit", "--resume", code=1)
    assert asked == ["Sign and send it like this?"]
    assert "disclosure.min_cases: 10 → 20" in said.err
    assert "not signed, nothing was sent" in said.out
    assert manual.git("for-each-ref") == refs
    assert [row["state"] for row in manual.human("dora").run("status", "--json").value] == ["refused"]


def test_two_updates_of_one_member_both_hold(manual: Town) -> None:
    north = manual.human("north")
    first = send(north, house_of(manual).member_now("north", website="https://north.example"))
    second = house_of(manual).member_now("north", title="North Hospital", created="2026-11-25T10:30:00Z")
    send(north, second)
    manual.founder.run("merge", first.id)
    said = north.run("submit", "--resume", "--yes")
    assert "title: North Institute → North Hospital" in said.out
    manual.founder.run("merge")
    now = member_state(manual.founder.workspace().view, "north")
    assert now is not None
    assert (now.title, now.website) == ("North Hospital", "https://north.example")
    manual.founder.run("audit")


def test_of_several_decisions_only_what_stands_is_dropped(manual: Town) -> None:
    dora, emil = manual.human("dora"), manual.human("emil")
    ask(manual)
    leaf = rb.Ref("moa", "leaf", 1)
    send(manual.human("moa"), rb.cube(leaf))
    manual.founder.run("merge")
    send(manual.human("moa"), house_of(manual).event("request", by="moa", subject=leaf, kind="cube"))
    manual.founder.run("merge")
    dora.run("approve", "--all", "--yes")
    emil.run("approve", "south/wards", "--yes")
    (of_emil,) = [row["id"] for row in emil.run("status", "--json").value]
    manual.founder.run("merge", of_emil)
    (told,) = dora.run("submit", "--resume", "--json").value
    assert sorted(record["became"] for record in told["records"]) == ["kept", "stands"]
    assert told["done"] is True
    manual.founder.run("merge")
    manual.founder.run("sync")
    house = house_of(manual)
    assert (rb.status(house, SOUTH), rb.status(house, leaf, "cube")) == ("approved", "approved")
    manual.founder.run("audit")


def test_a_result_is_never_numbered_anew_and_the_rest_of_its_proposal_goes_on(manual: Town) -> None:
    north, house = manual.human("north"), house_of(manual)
    other = rb.values(auroc=rb.value("0.913"))
    mine = [house.result(NORTH, TREE, created="2026-11-25T10:40:00Z"), house.result(NORTH, rb.REFERENCE)]
    send(north, *mine, title="Submit 2 results")
    second = replace(house.result(NORTH, TREE, values=other), created="2026-11-25T10:50:00Z")
    first = send(north, second)
    manual.founder.run("merge", first.id)
    branches = manual.git("for-each-ref", "--format=%(refname)", "refs/heads/submit")
    said = north.run("submit", "--resume", code=1)
    assert "given up: the result " in said.out
    assert "`medperf-git review`" in said.out
    assert "`medperf-git result submit`" in said.out
    assert set(branches.splitlines()) <= set(manual.git("for-each-ref", "--format=%(refname)").splitlines())
    manual.founder.run("merge")
    merged = manual.git("ls-tree", "-r", "--name-only", "main", "results").splitlines()
    folder = RESULT.replace("moa.forest.1", "{}")
    expected = [RESULT, folder.format("moa.tree.1"), folder.format(rb.REFERENCE.folder)]
    assert sorted(path for path in merged if path.endswith(".yaml")) == sorted(expected)


def test_an_event_is_shown_with_what_changed_in_between(manual: Town) -> None:
    emil, dora = manual.human("emil"), manual.human("dora")
    for human, priority in ((dora, 3), (emil, 7)):
        human.run("prioritise", "moa/forest", "--priority", priority, "--yes")
    (of_dora,) = [row["id"] for row in dora.run("status", "--json").value]
    manual.founder.run("merge", of_dora)
    said = emil.run("submit", "--resume")
    assert "meanwhile: prioritise by dora" in said.out


def test_an_event_on_what_was_decided_twice_meanwhile_is_asked_about(
    manual: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = manual.human("dora")
    send(manual.human("emil"), house_of(manual).notice("dispute", RESULT, by="emil", side="committee"))
    manual.founder.run("merge")
    resolve = house_of(manual).notice("resolve", RESULT, by="emil", side="committee")
    send(manual.human("emil"), resolve)
    for event in ("resolve", "dispute"):
        one = send(dora, house_of(manual).notice(event, RESULT, by="dora", side="committee"))
        manual.founder.run("merge", one.id)
    asked = decline(monkeypatch)
    said = manual.human("emil").run("submit", "--resume", code=1)
    assert asked
    assert "meanwhile: resolve by dora" in said.err
    assert "dispute by dora" in said.err


def test_a_request_under_another_policy_than_the_one_in_force_is_made_anew_once_its_author_agrees(
    manual: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    south = manual.human("south")
    ask(manual)
    manual.founder.run("merge", change_policy(manual, "emil", closes=CLOSES))
    assert "submit --resume" in south.run("submit", code=1).out
    with monkeypatch.context() as patched:
        asked = decline(patched)
        assert "has another policy in force now" in south.run("submit", "--resume", code=1).err
    assert asked
    assert "made anew and signed again" in south.run("submit", "--resume", "--yes").out
    manual.founder.run("merge")
    manual.founder.run("sync")
    assert rb.status(house_of(manual), SOUTH) == "pending"


def test_an_event_that_no_longer_fits_says_why(manual: Town) -> None:
    south = manual.human("south")
    invite = draft(house_of(manual).view, house_of(manual).event("request", by="dora", side="committee"))
    own = send(south, house_of(manual).event("request", by="south"))
    assert own.waits_for == "a merge"
    one = send(manual.human("dora"), invite.record)
    manual.founder.run("merge", one.id)
    said = south.run("submit", "--resume", code=1)
    assert "no longer applies: request cannot follow: south/wards@1 still waits for a decision" in said.out
    assert south.run("status", "--json").value == []


def test_a_name_that_somebody_else_took_meanwhile_is_told(manual: Town) -> None:
    zoe, zack = manual.human("zoe"), manual.human("zack")
    for human in (zoe, zack):
        human.run("join", manual.url, "--as", "lab", "--key", human.key, "--yes")
    (of_zoe,) = [row["id"] for row in zoe.run("status", "--json").value]
    manual.founder.run("sign", of_zoe, "--yes")
    manual.founder.run("merge")
    said = zack.run("submit", "--resume", "--yes", code=1)
    assert "no longer applies: somebody else began members/lab meanwhile" in said.out


def test_what_was_signed_for_another_registry_of_the_same_alias_is_sent_to_none_but_that(
    town: Town, beside: Town
) -> None:
    moa, secret = town.human("moa"), rb.cube(Ref("moa", "secret", 1))
    moa.run("sync")
    away = town.repository.rename(town.repository.with_name("away.git"))
    with pytest.raises(EnvironmentProblem, match="signed and kept"):
        send(moa, secret)
    moa.run("registry", "rm", "heart", "--yes")
    moa.run("join", beside.url, "--as", "moa", "--key", moa.key, "--yes", code=1)  # is one there already: remembered
    main = beside.main
    for command in (["submit", "--yes"], ["submit", "--resume", "--yes"]):
        assert "it was signed for another registry" in moa.run(*command, code=1).out
    assert beside.main == main
    assert beside.git("for-each-ref", "refs/heads/submit") == ""
    assert away.is_dir()
    assert send(moa, secret).merged, "whoever means it can say it there too"
