"""The genesis and joining, through real Git and the real hook."""

import subprocess
import sys
from pathlib import Path

import pytest

from medperf_git.flows.doctor import examine
from medperf_git.flows.server_hook import hook_text
from tests.support.people import Town, git_environ


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def files_of(town: Town, commit: str = "refs/heads/main") -> set[str]:
    return set(town.git("ls-tree", "-r", "--name-only", commit).splitlines())


def test_the_root_commit_holds_exactly_the_registry_record_its_maintainer_bundles_and_house_files(town: Town) -> None:
    town.found("ana")
    records = {path for path in files_of(town) if not path.endswith(".sigstore.json")}
    assert records == {
        "README.md",
        "registry/0001.yaml",
        "members/ana/0001.yaml",
    }
    bundles = [path.rpartition(".yaml.")[0] for path in files_of(town) - records]
    assert sorted(bundles) == ["members/ana/0001", "members/ana/0001", "registry/0001"]
    assert town.git("rev-list", "--count", "main") == "1"


def test_init_prints_the_pinned_address_and_the_pin_is_the_digest_of_the_registry_record(town: Town) -> None:
    ana = town.human("ana")
    told = ana.run("init", town.url, "--name", "heart", "--as", "ana", "--key", ana.key, "--yes", "--json").value
    record = subprocess.run(
        ["git", f"--git-dir={town.repository}", "show", "main:registry/0001.yaml"], capture_output=True, check=True
    ).stdout
    import hashlib  # noqa: PLC0415

    assert told["pinned"] == f"{town.url}#mg1:{hashlib.sha256(record).hexdigest()}"


def test_two_registries_of_the_same_words_have_different_ids(tmp_path: Path) -> None:
    ids = []
    for number in range(2):
        town = Town(tmp_path / str(number))
        ids.append(town.found("ana").run("registry", "show", "--json").value["id"])
    assert ids[0] != ids[1]


def test_a_pinned_address_of_another_registry_is_refused_and_leaves_nothing_behind(town: Town) -> None:
    town.found("ana")
    bob = town.human("bob")
    said = bob.run("registry", "add", f"{town.url}#mg1:{'0' * 64}", code=5)
    assert "another registry" in said.err
    assert bob.run("registry", "ls", "--json").value == []


def test_a_member_joins_and_is_admitted(town: Town) -> None:
    ana = town.found("ana")
    bob = town.ask("bob")
    assert bob.run("status", "--json").value[0]["waits_for"] == "a maintainer: ana"
    inbox = ana.run("inbox", "--json").value
    assert [row["what"] for row in inbox] == ["sign"]
    said = ana.run("admit", "bob", "--yes")
    assert "merged" in said.out
    assert 'title: "bob"' not in said.out
    assert bob.run("whoami", "--json").value["status"] == "active"
    assert bob.run("status", "--json").value == []
    assert town.git("for-each-ref", "refs/heads/submit") == ""


def test_every_new_key_signs_its_own_introduction(town: Town) -> None:
    town.found("ana")
    town.join("bob")
    bundles = [path for path in files_of(town) if path.startswith("members/bob/0001.yaml.")]
    assert len(bundles) == 3  # signing key, recovery key, the maintainer


def test_joining_twice_does_nothing_twice(town: Town) -> None:
    town.found("ana")
    bob = town.ask("bob")
    before = town.git("for-each-ref", "refs/heads/submit")
    bob.run("join", town.url, "--as", "bob", "--key", bob.key, "--yes")
    assert town.git("for-each-ref", "refs/heads/submit") == before


def test_the_name_of_a_member_cannot_be_taken_again(town: Town) -> None:
    town.found("ana")
    town.join("bob")
    eve = town.human("eve")
    said = eve.run("join", town.url, "--as", "bob", "--key", eve.key, "--yes", code=1)
    assert "bob is a member already" in said.err


def test_a_key_of_another_member_is_refused_at_joining(town: Town) -> None:
    town.found("ana")
    bob = town.join("bob")
    eve = town.human("eve")
    said = eve.run("join", town.url, "--as", "eve", "--key", bob.key, "--yes", code=1)
    assert "already used by bob" in said.err


def test_a_folder_with_something_in_it_is_no_place_for_a_registry(tmp_path: Path, town: Town) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x", encoding="utf-8")
    said = town.human("ana").run("init", tmp_path / "full", "--name", "heart", "--as", "ana", "--yes", code=2)
    assert "not empty" in said.err


def test_audit_of_a_fresh_registry_judges_every_step_from_the_genesis(town: Town) -> None:
    ana = town.found("ana")
    town.join("bob")
    assert ana.run("audit", "--json").value["steps"] == 2
    assert [row["what"] for row in ana.run("log", "--json").value] == ["Introduce member bob", "Begin the registry"]


def test_the_installed_hook_refuses_with_a_sentence_when_its_interpreter_is_gone(town: Town) -> None:
    town.found("ana")
    hook = town.repository / "hooks" / "pre-receive"
    assert sys.executable in hook.read_text(encoding="utf-8")
    hook.write_text(hook_text(town.repository, python="/nonexistent/python"), encoding="utf-8")
    bob = town.human("bob")
    said = bob.run("join", town.url, "--as", "bob", "--key", bob.key, "--yes", code=1)
    assert "is not installed at /nonexistent/python any more" in said.err
    assert town.git("for-each-ref", "refs/heads/submit") == ""


def test_doctor_writes_a_missing_hook_anew(town: Town) -> None:
    ana = town.found("ana")
    (town.repository / "hooks" / "pre-receive").unlink()
    rows = ana.run("doctor", "--json", code=3).value
    assert any(row["state"] == "fail" and "takes everything" in row["found"] for row in rows)
    ana.run("doctor", "--install-hook", town.repository)
    with ana.at_machine():
        assert not [one for one in examine(ana.context()) if one.state == "fail"]


def push(town: Town, folder: Path, files: dict[str, bytes | None], ref: str) -> subprocess.CompletedProcess[str]:
    """Commit files on a clone of main as nobody in particular, and push them raw."""
    clone = folder / f"clone-{ref.replace('/', '-')}"
    environ = git_environ()
    subprocess.run(["git", "clone", "-q", town.url, str(clone)], check=True, env=environ)
    for path, data in files.items():
        place = clone / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            place.unlink()
        else:
            place.write_bytes(data)
    subprocess.run(["git", "add", "-A"], cwd=clone, check=True, env=environ)
    subprocess.run(["git", "commit", "-q", "-m", "raw"], cwd=clone, check=True, env=environ)
    command = ["git", "push", "-q", "origin", f"HEAD:{ref}"]
    return subprocess.run(command, cwd=clone, check=False, env=environ, capture_output=True, text=True)


SUBMIT = "refs/heads/submit/" + "0" * 32
RAW = {
    "an edited record": {"registry/0001.yaml": b"kind: registry\n"},
    "a deleted record": {"members/ana/0001.yaml": None},
    "a stray file": {"notes.txt": b"hello\n"},
    "an unsigned record": {
        "members/eve/0001.yaml": b'kind: member\nspec: 1\ncreated: "2026-11-25T11:00:00Z"\nmember: eve\ntitle: Eve\n'
        b'status: active\nkeys:\n  signing:\n    - key: "ssh-ed25519 '
        b'AAAAC3NzaC1lZDI1NTE5AAAAIAuSHSNb6tZQmC3hy9LNsz7/qQKHd+hUYWpQpxVE9Vlj"\n'
    },
    "a changed house file": {"README.md": b"# mine now\n"},
}
EXPECTED = {
    "an edited record": "a merged record never changes",
    "a deleted record": "what is merged is never removed",
    "a stray file": "no file of a registry has this path",
    "an unsigned record": "nobody whose signature counts has signed this record",
    "a changed house file": "a house file changes only together with a registry record",
}


@pytest.mark.parametrize("ref", ["refs/heads/main", SUBMIT])
@pytest.mark.parametrize("name", list(RAW))
def test_a_raw_push_is_refused_with_the_reason_and_main_does_not_move(
    town: Town, tmp_path: Path, name: str, ref: str
) -> None:
    town.found("ana")
    before = town.main
    done = push(town, tmp_path, dict(RAW[name]), ref)
    assert done.returncode != 0
    assert EXPECTED[name] in done.stderr
    assert town.main == before
    assert town.git("for-each-ref", "refs/heads/submit") == ""


@pytest.mark.parametrize("ref", ["refs/heads/other", "refs/tags/v1"])
def test_no_other_branch_or_tag_can_be_pushed(town: Town, tmp_path: Path, ref: str) -> None:
    town.found("ana")
    done = push(town, tmp_path, {"README.md": b"# x\n"}, ref)
    assert done.returncode != 0
    assert "no other branch or tag lives here" in done.stderr


def test_an_open_proposal_cannot_be_deleted(town: Town) -> None:
    town.found("ana")
    town.ask("bob")
    name = town.git("for-each-ref", "--format=%(refname)", "refs/heads/submit")
    done = subprocess.run(
        ["git", f"--git-dir={town.repository}", "push", "-q", town.url, f":{name}"],
        env=git_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "only a merged proposal may be deleted" in done.stderr


def test_a_history_that_went_back_stops_its_readers(town: Town) -> None:
    town.found("ana")
    first = town.main
    bob = town.join("bob")
    town.git("update-ref", "refs/heads/main", first)
    said = bob.run("sync", code=5)
    assert "went back" in said.err


def test_an_unreachable_registry_is_said_and_what_was_verified_still_serves(town: Town) -> None:
    town.found("ana")
    bob = town.join("bob")
    town.repository.rename(town.folder / "gone.git")
    said = bob.run("member", "ls", "--json")
    assert "working with what was verified before" in said.err
    assert len(said.value) == 2


def test_dry_runs_write_and_send_nothing(town: Town) -> None:
    ana = town.human("ana")
    said = ana.run("init", town.url, "--name", "heart", "--as", "ana", "--key", ana.key, "--dry-run")
    assert "registry/0001.yaml" in said.out
    assert not town.repository.exists()
    assert not ana.home.exists()
    town.found("ana")
    bob = town.add("bob")
    said = bob.run("join", "--as", "bob", "--yes", "--dry-run")
    assert "nothing was sent" in said.out
    assert not (bob.home / "keys").exists()
    assert "nobody yet" in bob.run("whoami").out
    town.ask("bob")
    before = town.git("for-each-ref")
    assert "would sign as ana" in ana.run("admit", "bob", "--dry-run").out
    assert "not merged (needs-a-person)" in ana.run("merge", "--dry-run").out
    bob.run("submit", "--dry-run")
    assert town.git("for-each-ref") == before


def test_a_genesis_that_is_not_taken_leaves_nothing_behind(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from medperf_git.flows import founding  # noqa: PLC0415

    monkeypatch.setattr(founding, "hook_text", lambda _: "#!/bin/sh\necho no; exit 1\n")
    ana = town.human("ana")
    said = ana.run("init", town.url, "--name", "heart", "--as", "ana", "--key", ana.key, "--yes", code=1)
    assert "did not take the genesis" in said.err
    monkeypatch.undo()
    town.found("ana")
    assert ana.run("registry", "ls", "--json").value[0]["alias"] == "heart"
