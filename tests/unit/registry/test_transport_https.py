"""Fetching and pushing over TLS, from a server that is not ours."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.registry.bare import create_registry, open_copy
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import (
    MAIN,
    MAIN_REFSPEC,
    UPSTREAM_MAIN,
    Access,
    Credential,
    Push,
    PushOutcome,
    fetch,
    list_refs,
    push,
)
from tests.support.https_git import TOKEN, USER, Host, serving

from .hand import add, genesis

HOOK = """#!/bin/sh
read old new ref
[ "$ref" = refs/heads/main ] && echo welcome && exit 0
echo 'rule bad: not here' >&2
exit 1
"""
SUBMIT = "refs/heads/submit/" + "a" * 32


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "hosted").mkdir()
    create_registry(tmp_path / "hosted/registry.git", pre_receive=HOOK)
    with serving(tmp_path / "hosted", tmp_path) as found:
        yield found


@pytest.fixture
def remote(host: Host) -> Remote:
    return Remote.parse(f"{host.url}/registry.git")


def as_ana(host: Host, secret: str = TOKEN) -> Access:
    return Access(Credential(USER, secret), ca_file=host.certificate)


def test_who_has_the_token_pushes_and_everybody_reads(store: Store, remote: Remote, host: Host, tmp_path: Path) -> None:
    root = genesis(store)
    (result,) = push(store.path, remote, [Push(MAIN, root)], access=as_ana(host))
    assert (result.outcome, result.messages) == (PushOutcome.ACCEPTED, ("welcome",))
    assert ("git-receive-pack", USER) in host.asked
    host.asked.clear()
    anybody = Access(ca_file=host.certificate)
    assert list_refs(remote, access=anybody) == {MAIN: root}
    copy = open_copy(tmp_path / "other.git")
    fetch(copy.path, remote, [MAIN_REFSPEC], access=anybody)
    assert copy.ref(UPSTREAM_MAIN) == root
    assert {user for _, user in host.asked} == {""}


def test_two_million_bytes_arrive_whole(store: Store, remote: Remote, host: Host, tmp_path: Path) -> None:
    """Git sends a large push in chunks, of which a server is told no length."""
    large = add(store, genesis(store), {f"{number}.yaml": os.urandom(200_000) for number in range(10)})
    (result,) = push(store.path, remote, [Push(MAIN, large)], access=as_ana(host))
    assert result.outcome is PushOutcome.ACCEPTED
    copy = open_copy(tmp_path / "other.git")
    fetch(copy.path, remote, [MAIN_REFSPEC], access=Access(ca_file=host.certificate))
    subprocess.run(["git", f"--git-dir={copy.path}", "fsck", "--strict"], check=True, capture_output=True)
    assert copy.ref(UPSTREAM_MAIN) == large


def test_what_the_hook_of_the_host_refused_is_told(store: Store, remote: Remote, host: Host) -> None:
    (result,) = push(store.path, remote, [Push(SUBMIT, genesis(store))], access=as_ana(host))
    assert result.outcome is PushOutcome.REFUSED
    assert "rule bad: not here" in result.messages
    assert list_refs(remote, access=as_ana(host)) == {}


@pytest.mark.parametrize("secret", ["", "another-secret"])
def test_who_has_no_token_pushes_nothing_and_is_not_asked_for_one(
    store: Store, remote: Remote, host: Host, secret: str
) -> None:
    access = as_ana(host, secret) if secret else Access(ca_file=host.certificate)
    with pytest.raises(EnvironmentProblem) as caught:
        push(store.path, remote, [Push(MAIN, genesis(store))], access=access)
    assert "another-secret" not in str(caught.value) + caught.value.hint
    assert list_refs(remote, access=as_ana(host)) == {}


def test_a_host_whose_certificate_nobody_vouches_for_is_not_believed(store: Store, remote: Remote, host: Host) -> None:
    with pytest.raises(EnvironmentProblem):
        push(store.path, remote, [Push(MAIN, genesis(store))], access=Access(Credential(USER, TOKEN)))
    assert host.asked == []
