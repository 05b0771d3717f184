"""Keys are found, made once, and asked for once; registries are added, chosen and forgotten."""

import subprocess
from pathlib import Path

import pytest

from tests.support.people import Human, Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.found("ana")
    return town


def test_join_takes_the_ed25519_key_in_the_ssh_folder(town: Town) -> None:
    bob = town.human("bob")
    told = bob.run("join", town.url, "--as", "bob", "--yes", "--json").value
    assert told["key"] == bob.signer().public.fingerprint
    assert [Path(path).name for path in told["made"]] == ["heart-bob-recovery"]


def test_join_makes_a_key_when_there_is_none(town: Town) -> None:
    bob = town.human("bob")
    for path in bob.key.parent.iterdir():
        path.unlink()
    told = bob.run("join", town.url, "--as", "bob", "--yes", "--json").value
    assert [Path(path).name for path in told["made"]] == ["heart-bob", "heart-bob-recovery"]
    for path in told["made"]:
        assert Path(path).stat().st_mode & 0o077 == 0
    town.founder.run("admit", "bob", "--yes")
    assert bob.run("whoami", "--json").value["key"] == told["key"]


def test_join_does_not_take_a_key_that_another_member_has(town: Town) -> None:
    town.join("bob")
    eve = town.human("eve")
    for suffix in ("", ".pub"):
        eve.key.with_name(eve.key.name + suffix).write_bytes(
            town.people["bob"].key.with_name("id_ed25519" + suffix).read_bytes()
        )
    told = eve.run("join", town.url, "--as", "eve", "--yes", "--json").value
    assert [Path(path).name for path in told["made"]] == ["heart-eve", "heart-eve-recovery"]


def test_a_protected_key_asks_once_for_a_command_whatever_is_signed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medperf_git.cli.session import TerminalPerson  # noqa: PLC0415

    bob = town.human("bob")
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(bob.key)], check=True)
    asked: list[str] = []

    def answer(_self: TerminalPerson, prompt: str) -> str:
        asked.append(prompt)
        return "open sesame"

    monkeypatch.setattr(TerminalPerson, "passphrase", answer)
    bob.run("join", town.url, "--as", "bob", "--key", bob.key, "--yes")
    assert len(asked) == 1


def test_key_new_makes_a_key_and_never_over_another(tmp_path: Path) -> None:
    ana = Human("ana", tmp_path)
    said = ana.run("key", "new", "laptop", "--yes")
    assert str(ana.home / "keys" / "laptop") in said.out
    assert "never overwritten" in ana.run("key", "new", "laptop", "--yes", code=1).err
    assert str(ana.home / "keys" / "laptop") in [row["where"] for row in ana.run("key", "ls", "--json").value]


def test_key_show_gives_the_forms_that_other_tools_read(town: Town) -> None:
    told = town.founder.run("key", "show", "--json").value
    assert told["openssh"].startswith("ssh-ed25519 ")
    assert told["pem"].startswith("-----BEGIN PUBLIC KEY-----")


def test_a_person_may_know_several_registries_and_choose(tmp_path: Path) -> None:
    one, two = Town(tmp_path / "1", name="heart"), Town(tmp_path / "2", name="lung")
    one.found("ana")
    two.found("ben")
    eve = Human("eve", tmp_path / "eve")
    eve.run("registry", "add", one.url)
    eve.run("registry", "add", two.url)
    rows = {row["alias"]: row["current"] for row in eve.run("registry", "ls", "--json").value}
    assert rows == {"heart": False, "lung": True}
    assert eve.run("-R", "heart", "member", "ls", "--json").value[0]["member"] == "ana"
    assert eve.run("member", "ls", "-R", one.url, "--json").value[0]["member"] == "ana"
    eve.run("registry", "use", "heart")
    assert eve.run("member", "ls", "--json").value[0]["member"] == "ana"
    eve.run("registry", "rm", "heart", "--yes")
    assert [row["alias"] for row in eve.run("registry", "ls", "--json").value] == ["lung"]
    assert not (eve.home / "registries" / "heart").exists()


def test_a_signature_of_one_registry_is_worth_nothing_in_another(tmp_path: Path) -> None:
    one, two = Town(tmp_path / "1"), Town(tmp_path / "2")
    one.found("ana")
    two.found("ana")
    one.ask("bob")
    commit = one.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/submit").split()
    files = one.git("diff", "--name-only", "main", commit[0]).splitlines()
    clone = tmp_path / "clone"
    from tests.support.people import git_environ  # noqa: PLC0415

    environ = git_environ()
    subprocess.run(["git", "clone", "-q", two.url, str(clone)], check=True, env=environ)
    for path in files:
        data = subprocess.run(
            ["git", f"--git-dir={one.repository}", "show", f"{commit[0]}:{path}"], capture_output=True, check=True
        ).stdout
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(data)
    subprocess.run(["git", "add", "-A"], cwd=clone, check=True, env=environ)
    subprocess.run(["git", "commit", "-q", "-m", "replay"], cwd=clone, check=True, env=environ)
    done = subprocess.run(
        ["git", "push", "-q", "origin", f"HEAD:{commit[1]}"],
        cwd=clone,
        check=False,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "it was signed for the registry mg1:" in done.stderr


def test_t38_a_poisoned_environment_and_configuration_are_not_obeyed(town: Town, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n", encoding="utf-8")
    script.chmod(0o755)
    bob = town.human("bob")
    (bob.folder / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {script}\n\thooksPath = {tmp_path}\n\tsshCommand = {script}\n"
        f'[url "/nowhere"]\n\tinsteadOf = {town.url}\n',
        encoding="utf-8",
    )
    poison = {"GIT_DIR": "/nowhere", "GIT_SSH_COMMAND": str(script), "GIT_EXEC_PATH": str(tmp_path), "GIT_TRACE": "1"}
    done = bob.spawn(*("join", town.url, "--as", "bob", "--key", bob.key, "--yes"), env={**bob.environ, **poison})
    assert done.returncode == 0, done.stderr
    assert not canary.exists()


def test_a_host_that_was_said_wrong_is_said_again_and_nothing_else_is_forgotten(town: Town) -> None:
    bob = town.join("bob")
    assert bob.run("registry", "add", town.url, "--host", "gitlab", "--json").value["host"] == "gitlab"
    assert bob.run("registry", "add", town.url, "--json").value["host"] == "gitlab", "what is not said stays"
    assert bob.run("registry", "add", town.url, "--host", "plain", "--json").value["host"] == "plain"
    (row,) = bob.run("registry", "ls", "--json").value
    assert (row["host"], row["member"]) == ("plain", "bob")
