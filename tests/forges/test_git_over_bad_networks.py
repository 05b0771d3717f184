"""Every bad answer to `git` itself: it ends in time, says what it was, and a second push is harmless."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.registry import transport
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import (
    MAIN,
    MAIN_REFSPEC,
    Access,
    Credential,
    Push,
    PushOutcome,
    fetch,
    list_refs,
    push,
)
from tests.support.connect_proxy import proxying
from tests.support.far_registry import SECRET
from tests.support.faulty import BADS, Bad, Faulty
from tests.support.people import git_environ
from tests.support.small_forge import SmallForge

SLUG = "bob/heart"
REF = "refs/heads/submit/" + "0123456789abcdef" * 2
BOUND = 15.0
BROKEN = r"RPC failed|[Rr]ecv failure|recv error|hung up|Empty reply|early EOF|unable to access|transfer closed|reset"
# Git takes a page for the listing of an old-fashioned host, which lists no branch and takes no push.
PAGE = r"http-push failed|couldn't find remote ref|not valid: is this a git repository"
STRANGE = rf"{PAGE}|unexpected|invalid|[Pp]rotocol|RPC failed|hung up|not found|parse|recv"
TOLD = {
    "connection refused": r"Failed to connect|Connection refused|Couldn't connect",
    "reset at accept": BROKEN + "|handshake",
    "another authority's certificate": r"certificate",
    "another host's certificate": r"certificate",
    "no TLS at all": r"TLS|packet|handshake|reset",
    "silent from the start": r"it has said nothing for \S+ s",
    "no answer": r"it has said nothing for \S+ s|too slow|RPC failed",
    "slow drip": r"it has said nothing for \S+ s|too slow|RPC failed",
    "truncated JSON": STRANGE + r"|it has said nothing for \S+ s",  # `git` waits for the rest of a report
    "400": "400",
    "401": r"could not read Username|Authentication failed|401",
    "404": r"not found|404",
    "429": "429",
    "422 exists": "422",
    "422 validation": "422",
}


def told_of(bad: Bad) -> str:
    """Return what `git` says of a bad answer."""
    if bad.name in TOLD:
        return TOLD[bad.name]
    if bad.name[:3].isdigit():
        return bad.name[:3] + "|redirect" * bad.name.startswith("3")
    return BROKEN + "|" + STRANGE


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Make a repository of one commit, and a copy of it that has another."""
    folder = tmp_path_factory.mktemp("repositories")
    there, copy = folder / f"forge/{SLUG}.git", folder / "copy.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(there)], check=True, env=git_environ())
    git = ["git", f"--git-dir={there}"]

    def run(*argv: str, at: list[str] = git) -> str:
        return subprocess.run(
            [*at, *argv], capture_output=True, text=True, check=True, env=git_environ()
        ).stdout.strip()

    tree = subprocess.run([*git, "mktree"], input=b"", capture_output=True, check=True, env=git_environ()).stdout
    run("update-ref", MAIN, run("commit-tree", tree.decode().strip(), "-m", "genesis"))
    shutil.copytree(there, copy)
    at = ["git", f"--git-dir={copy}"]
    return folder, run("commit-tree", tree.decode().strip(), "-p", MAIN, "-m", "Add a model", at=at)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second where people wait most of a minute."""
    monkeypatch.setattr(transport, "SLOW_SECONDS", 1)
    monkeypatch.setitem(transport.SILENT_SECONDS, Transport.HTTPS, 1.5)


@pytest.fixture
def world(template: tuple[Path, str], secure_server: Faulty, short: None, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder, commit = template
    shutil.copytree(folder, tmp_path / "world")
    secure_server.inner = SmallForge(tmp_path / "world/forge", tokens={SECRET: "bob"}).answer
    secure_server.heal()
    yield tmp_path / "world/copy.git", commit
    secure_server.heal()


def access(server: Faulty) -> Access:
    return Access(Credential("bob", SECRET), ca_file=server.certificate)


def problem_of(run: Callable[[], object]) -> EnvironmentProblem:
    began = time.monotonic()
    with pytest.raises(EnvironmentProblem) as caught:
        run()
    assert time.monotonic() - began < BOUND
    told = caught.value.message + caught.value.hint
    assert caught.value.hint
    assert SECRET not in told
    assert "secret@" not in told
    return caught.value


CELLS = [
    pytest.param(call, bad, done, id=f"{call}, {bad.name}{', done' if done else ''}")
    for call in ("push refs", "push")
    for bad in BADS
    for done in ((False, True) if bad.late and call == "push" else (False,))
    if call == "push refs" or not bad.connect
]


@pytest.mark.parametrize(("call", "bad", "done"), CELLS)
def test_a_push_that_is_answered_badly_ends_in_time_and_is_harmless_to_do_again(
    world: tuple[Path, str], secure_server: Faulty, call: str, bad: Bad, done: bool
) -> None:
    copy, commit = world
    remote = Remote.parse(f"{secure_server.url}/{SLUG}")
    secure_server.plan(bad, call, done=done, gone=True)
    problem = problem_of(lambda: push(copy, remote, [Push(REF, commit)], access=access(secure_server)))
    assert problem.message.startswith(f"cannot push to {remote.url}: ")
    assert re.search(told_of(bad), problem.message), problem.message
    secure_server.heal()
    there = list_refs(remote, access=access(secure_server)).get(REF)
    assert there == (commit if done else None)
    (result,) = push(copy, remote, [Push(REF, commit)], access=access(secure_server))
    assert result.outcome is (PushOutcome.UP_TO_DATE if done else PushOutcome.ACCEPTED)
    assert list_refs(remote, access=access(secure_server))[REF] == commit


@pytest.mark.parametrize("bad", BADS, ids=lambda bad: bad.name)
def test_a_fetch_that_is_answered_badly_ends_in_time_and_changes_nothing(
    world: tuple[Path, str], secure_server: Faulty, bad: Bad
) -> None:
    copy, _ = world
    remote = Remote.parse(f"{secure_server.url}/{SLUG}")
    secure_server.plan(bad, "fetch refs", gone=True)
    problem = problem_of(lambda: fetch(copy, remote, [MAIN_REFSPEC], access=access(secure_server)))
    assert problem.message.startswith(f"cannot fetch {remote.url}: ")
    assert re.search(told_of(bad), problem.message), problem.message
    secure_server.heal()
    fetch(copy, remote, [MAIN_REFSPEC], access=access(secure_server))


@pytest.mark.parametrize("bad", BADS, ids=lambda bad: bad.name)
def test_a_listing_that_is_answered_badly_is_never_an_empty_one(
    world: tuple[Path, str], secure_server: Faulty, bad: Bad
) -> None:
    remote = Remote.parse(f"{secure_server.url}/{SLUG}")
    secure_server.plan(bad, "fetch refs", gone=True)
    problem = problem_of(lambda: list_refs(remote, access=access(secure_server)))
    assert re.search(f"{told_of(bad)}|what answers there is no Git host", problem.message), problem.message


def test_an_empty_repository_lists_nothing(world: tuple[Path, str], secure_server: Faulty) -> None:
    empty = world[0].parent / "forge/bob/empty.git"
    subprocess.run(["git", "init", "-q", "--bare", str(empty)], check=True, env=git_environ())
    assert list_refs(Remote.parse(f"{secure_server.url}/bob/empty"), access=access(secure_server)) == {}


def children_of(name: str) -> list[str]:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if name in line and "remote-http" in line]


def test_a_host_that_drops_every_packet_is_given_up(world: tuple[Path, str]) -> None:
    """A full queue of connections: the system answers nobody, as a firewall does."""
    copy, commit = world
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        remote = Remote.parse(f"https://127.0.0.1:{port}/{SLUG}")
        for run in (
            lambda: fetch(copy, remote, [MAIN_REFSPEC]),
            lambda: list_refs(remote),
            lambda: push(copy, remote, [Push(REF, commit)]),
        ):
            assert problem_of(run).message.endswith(f"{remote.url}: it has said nothing for 1.5 s")
        for one in waiting:
            one.close()
        time.sleep(0.2)
        assert children_of(str(port)) == [], "a helper of git goes on"


def test_a_slow_host_that_goes_on_speaking_is_waited_for(
    world: tuple[Path, str], secure_server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, commit = world
    inner, remote = secure_server.inner, Remote.parse(f"{secure_server.url}/{SLUG}")

    def slowly(asked: object) -> object:
        time.sleep(0.7)
        return inner(asked)  # type: ignore[arg-type]

    monkeypatch.setattr(secure_server, "inner", slowly)
    (result,) = push(copy, remote, [Push(REF, commit)], access=access(secure_server))
    assert result.outcome is PushOutcome.ACCEPTED


def test_a_fetch_of_much_says_nothing_of_its_progress(world: tuple[Path, str], tmp_path: Path) -> None:
    problem = problem_of(lambda: fetch(world[0], Remote.at_path(tmp_path / "nowhere"), [MAIN_REFSPEC]))
    assert "%" not in problem.message


def test_git_trusts_the_file_that_the_person_names(
    world: tuple[Path, str], secure_server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, names = (
        Remote.parse(f"{secure_server.url}/{SLUG}"),
        ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    )
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert "certificate" in problem_of(lambda: list_refs(remote)).message
    for name in names:
        with monkeypatch.context() as patched:
            patched.setenv(name, str(secure_server.certificate))
            assert MAIN in list_refs(remote)


def test_git_goes_through_the_proxy_of_the_house(
    world: tuple[Path, str], secure_server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, commit = world
    remote = Remote.parse(f"{secure_server.url}/{SLUG}")
    with proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        (result,) = push(copy, remote, [Push(REF, commit)], access=access(secure_server))
        assert result.outcome is PushOutcome.ACCEPTED
        assert {place for place, _ in proxy.asked} == {f"127.0.0.1:{secure_server.port}"}
        proxy.asked.clear()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert REF in list_refs(remote, access=access(secure_server))
        assert proxy.asked == []
        monkeypatch.delenv("NO_PROXY")
        proxy.refuses = 407
        assert "407" in problem_of(lambda: list_refs(remote, access=access(secure_server))).message
    assert "HTTPS_PROXY" in os.environ


def test_a_host_that_is_silent_over_ssh_is_given_up(
    world: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of ssh a program that is connected and hears nothing; sshd itself answers its own signs of life."""
    copy, commit = world
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/ssh"
    program.write_text("#!/bin/sh\nexec sleep 8\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setitem(transport.SILENT_SECONDS, Transport.SSH, 0.5)
    remote = Remote.parse("git@host.example:heart")
    for run in (lambda: fetch(copy, remote, [MAIN_REFSPEC]), lambda: push(copy, remote, [Push(REF, commit)])):
        assert problem_of(run).message.endswith("git@host.example:heart: it has said nothing for 0.5 s")
