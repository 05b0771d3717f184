"""`--dry-run` writes and sends nothing, `--json` prints one document, and all that was done is told."""

from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows import resuming
from medperf_git.flows.outbox import Entry
from medperf_git.flows.workspace import Workspace
from tests.story.test_carrying import nothing_reached
from tests.support.people import Human, Town


def test_a_rehearsed_hook_is_not_written(town: Town) -> None:
    hook = town.repository / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    settings = (town.repository / "config").read_bytes()
    command = ("doctor", "--install-hook", town.repository)
    assert f"would be written: {hook}" in town.founder.run(*command, "--dry-run").out
    assert town.founder.run(*command, "--dry-run", "--json").value == {"hook": str(hook), "written": False}
    assert hook.read_text(encoding="utf-8") == "#!/bin/sh\nexit 1\n"
    assert (town.repository / "config").read_bytes() == settings
    assert town.founder.run(*command, "--json").value == {"hook": str(hook), "written": True}
    assert "medperf-git init" in hook.read_text(encoding="utf-8")


def test_a_registry_at_no_forge_has_no_forks(town: Town) -> None:
    south = town.human("south")
    config = (south.home / "config.json").read_bytes()
    for fork in ("git@forge.example:south/heart.git", "garbage"):
        assert "which has no forks" in south.run("submit", "--fork", fork, code=1).err
    assert (south.home / "config.json").read_bytes() == config
    assert "nothing to do" in south.run("submit", "--fork", "none").out


def test_a_rehearsal_in_json_is_one_document(town: Town, tmp_path: Path) -> None:
    zoe, ana, south = town.ask("zoe"), town.founder, town.human("south")
    (row,) = ana.run("inbox", "--json").value
    expected = {"id": row["proposal"], "would_sign": ["members/zoe/0001.yaml"], "as": "ana", "sent": False}
    assert ana.run("admit", "zoe", "--dry-run", "--json").value == expected
    assert ana.run("sign", row["proposal"], "--dry-run", "--json").value == expected
    init = ana.run("init", tmp_path / "new.git", "--name", "new", "--as", "ana", "--dry-run", "--json").value
    assert "registry/0001.yaml" in init["would_write"]
    assert not (tmp_path / "new.git").exists()
    with nothing_reached(town):
        south.run("withdraw", "south/wards", "--yes", code=3)
        out = tmp_path / "x.bundle"
        told = south.run("submit", "--no-push", "--dry-run", "--json", "--out", out).value
    assert told["file"] == str(out)
    assert len(told["proposals"]) == 1
    assert not out.exists()
    assert zoe.run("status", "--json").value[0]["state"] == "needs-a-person"


@pytest.fixture
def waiting(town: Town) -> Human:
    """South, of whom two things wait."""
    south = town.human("south")
    south.run("sync")
    with nothing_reached(town):
        south.run("association", "request", "dora/heart", "--dataset", "south/wards", "--yes", code=3)
        south.run("withdraw", "south/wards", "--yes", code=3)
    return south


def test_a_rehearsal_of_one_proposal_shows_that_one(waiting: Human) -> None:
    first, second = waiting.run("status", "--json").value
    (shown,) = waiting.run("submit", second["id"], "--dry-run", "--json").value
    assert shown["id"] == second["id"] != first["id"]
    assert "0 of my proposals" in waiting.run("submit", "0000", "--dry-run", code=2).err


def test_an_empty_word_names_nothing_and_never_everything(town: Town, waiting: Human) -> None:
    main = town.main
    assert "0 of my proposals begin with ''" in waiting.run("submit", "", "--yes", code=2).err
    assert town.main == main
    waiting.run("registry", "use", "heart", "--merge", "manual")
    waiting.run("submit", waiting.run("status", "--json").value[0]["id"], "--yes")
    assert "no open proposals begin with ''" in town.founder.run("merge", "", code=2).err
    assert town.main == main


def test_a_word_that_would_say_nothing_is_refused(waiting: Human) -> None:
    (first, _second) = waiting.run("status", "--json").value
    assert "leave one of them out" in waiting.run("submit", first["id"], "--all", code=2).err
    assert "name the FILE" in waiting.run("submit", "--house-file", "README.md=x", code=2).err


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_what_was_sent_is_told_where_the_network_ends_behind_it(
    waiting: Human, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    first, second = waiting.run("status", "--json").value
    whole = resuming.resume

    def resume_until_the_end(workspace: Workspace, entry: Entry, *, renumber: bool) -> resuming.Resumed:
        if entry.id.startswith(second["id"]):
            raise EnvironmentProblem("the registry cannot be reached", hint="check the network")
        return whole(workspace, entry, renumber=renumber)

    monkeypatch.setattr(resuming, "resume", resume_until_the_end)
    said = waiting.run("submit", "--yes", *(["--json"] if as_json else []), code=3)
    assert "cannot be reached" in said.err
    if as_json:
        assert [(one["id"][:12], one["note"]) for one in said.value] == [(first["id"], "merged")]
    else:
        assert f"(submit/{first['id']}): merged" in said.out


def test_a_rehearsed_join_names_no_key_file_that_is_gone_already(town: Town) -> None:
    said = town.human("zoe").run("join", town.url, "--as", "zoe", "--dry-run", "--yes").out
    assert "you sign with SHA256:" in said
    assert "new key" not in said
    assert "recovery key" not in said


def test_what_can_never_be_sent_says_how_it_is_given_up(town: Town, waiting: Human) -> None:
    request, withdrawal = waiting.run("status", "--json").value
    waiting.run("submit", withdrawal["id"], "--yes")
    said = waiting.run("submit", "--resume", "--yes", code=1).out
    (kept,) = (waiting.home / "outbox" / "heart").glob(f"{request['id']}*.json")
    assert f"to give it up, move {kept} away" in said
    assert "was withdrawn and takes part in nothing new" in said
    kept.rename(town.folder / "given-up.json")
    assert "nothing of yours is unfinished" in waiting.run("submit", "--resume", "--yes").out


def test_of_another_registry_than_the_current_one_the_command_names_it(waiting: Human) -> None:
    assert waiting.run("status", "--json").value[0]["waits_for"] == "you: medperf-git submit"
    assert waiting.run("-R", "heart", "status", "--json").value[0]["waits_for"] == "you: medperf-git submit -R heart"
