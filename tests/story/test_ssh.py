"""A registry behind a real sshd: the hook judges what is pushed there, and the host itself is verified."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import Push, PushOutcome, push
from tests.support.people import Human, Town, write_key
from tests.support.registry_builder import MODEL, cube
from tests.support.ssh_git import SshHost, own_ssh, serving
from tests.support.story import send


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path / "town")
    town.found("ana")
    return town


@pytest.fixture
def host(town: Town, tmp_path: Path) -> Iterator[SshHost]:
    keys = [write_key(tmp_path / "never" / "key", name).openssh for name in ("moa", "north")]
    (tmp_path / "sshd").mkdir()
    with serving(tmp_path / "sshd", keys) as host:
        yield host


@pytest.fixture
def moa(town: Town, host: SshHost, monkeypatch: pytest.MonkeyPatch) -> Human:
    """Somebody whose key the host knows, and who has not met the host."""
    human = town.human("moa")
    monkeypatch.setenv("PATH", own_ssh(human.folder, human.key))
    return human


def test_joining_admitting_and_merging_work_over_ssh(town: Town, host: SshHost, moa: Human) -> None:
    host.trust(moa.folder)
    asked = moa.run("join", host.url(town.repository), "--as", "moa", "--key", moa.key, "--yes")
    assert "waits for" in asked.out
    town.founder.run("admit", "moa", "--yes")
    moa.run("sync")
    with moa.at_machine():
        assert send(moa, cube(MODEL)).merged
    assert town.git("ls-tree", "--name-only", "main", "cubes/moa/forest/").splitlines()[0] == "cubes/moa/forest/1.yaml"
    assert town.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert "valid" in moa.run("audit").out


def test_the_hook_refuses_over_ssh_what_it_refuses_by_path(town: Town, host: SshHost, moa: Human) -> None:
    host.trust(moa.folder)
    moa.run("registry", "add", host.url(town.repository))
    stranger = town.git("commit-tree", "main^{tree}", "-p", "main", "-m", "nothing")
    with moa.at_machine():
        remote = Remote.parse(host.url(town.repository))
        (refused,) = push(town.repository, remote, [Push("refs/heads/else", stranger)])
    assert refused.outcome is PushOutcome.REFUSED
    assert any("refs/heads/else" in line or "submit/" in line for line in refused.messages), refused.messages
    assert town.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_host_that_is_not_known_is_refused_with_the_way_to_know_it(town: Town, host: SshHost, moa: Human) -> None:
    said = moa.run("registry", "add", host.url(town.repository), code=3)
    assert "the key of its host is not known here" in said.err
    assert f"ssh -T -p {host.port} " in said.err
    assert "compare the fingerprint" in said.err
    assert not (moa.folder / ".ssh" / "known_hosts").exists(), "nobody is believed by just being asked"


def test_a_configuration_that_believes_every_host_has_no_say(town: Town, host: SshHost, moa: Human) -> None:
    config = moa.folder / ".ssh" / "config"
    config.write_text(f"StrictHostKeyChecking no\n{config.read_text()}")
    assert "not known here" in moa.run("registry", "add", host.url(town.repository), code=3).err


def test_a_host_with_another_key_than_before_stops_everything(town: Town, host: SshHost, moa: Human) -> None:
    host.trust(moa.folder)
    moa.run("registry", "add", host.url(town.repository))
    host.trust(moa.folder, write_key(moa.folder / "other" / "key", "another host").openssh)
    said = moa.run("sync", code=5)
    assert "the host shows another key than the one known here" in said.err
    assert f"ssh-keygen -R '[127.0.0.1]:{host.port}'" in said.err


def test_a_key_that_the_host_does_not_know_is_told_and_nothing_hangs(town: Town, host: SshHost, moa: Human) -> None:
    host.trust(moa.folder)
    write_key(moa.key, "somebody else")
    said = moa.spawn("registry", "add", host.url(town.repository), start_new_session=True, timeout=60)
    assert said.returncode == 3
    assert "Permission denied" in said.stderr
    assert "your key" in said.stderr
