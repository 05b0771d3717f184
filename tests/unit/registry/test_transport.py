import os
import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.bare import create_registry, open_copy
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote, known_host, ssh_words
from medperf_git.registry.transport import (
    MAIN,
    MAIN_REFSPEC,
    PROPOSALS_REFSPEC,
    UPSTREAM_MAIN,
    UPSTREAM_PROPOSALS,
    Access,
    Credential,
    Push,
    PushOutcome,
    build_environment,
    fetch,
    list_refs,
    push,
)

from .hand import FILE, FOLDER, add, blob, genesis, raw_commit, raw_tree

YES = "#!/bin/sh\necho welcome\nexit 0\n"
NO = "#!/bin/sh\necho 'rule bad: this is bad' >&2\nprintf 'esc\\033[2Jape\\n'\nexit 1\n"
SUBMIT = "refs/heads/submit/" + "a" * 32


@pytest.fixture
def registry(tmp_path: Path) -> Store:
    return create_registry(tmp_path / "registry.git", pre_receive=YES)


@pytest.fixture
def remote(registry: Store) -> Remote:
    return Remote.at_path(registry.path)


def test_what_is_pushed_can_be_fetched(store: Store, remote: Remote, tmp_path: Path) -> None:
    root = genesis(store)
    head = add(store, root, {"a.yaml": b"a"})
    results = push(store.path, remote, [Push(MAIN, root), Push(SUBMIT, head)])
    assert [result.outcome for result in results] == [PushOutcome.ACCEPTED] * 2
    assert results[0].messages == ("welcome",)
    assert list_refs(remote) == {MAIN: root, SUBMIT: head}
    copy = open_copy(tmp_path / "other.git")
    fetch(copy.path, remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC])
    assert copy.ref(UPSTREAM_MAIN) == root
    assert copy.refs(UPSTREAM_PROPOSALS) == {UPSTREAM_PROPOSALS + "a" * 32: head}
    assert push(store.path, remote, [Push(SUBMIT, None)])[0].outcome is PushOutcome.ACCEPTED
    fetch(copy.path, remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC])
    assert copy.refs(UPSTREAM_PROPOSALS) == {}


def test_doing_it_twice_is_up_to_date(store: Store, remote: Remote) -> None:
    root = genesis(store)
    push(store.path, remote, [Push(MAIN, root)])
    assert push(store.path, remote, [Push(MAIN, root)])[0].outcome is PushOutcome.UP_TO_DATE


def test_what_the_hook_said_is_kept_without_what_a_terminal_obeys(store: Store, tmp_path: Path) -> None:
    registry = create_registry(tmp_path / "strict.git", pre_receive=NO)
    result = push(store.path, Remote.at_path(registry.path), [Push(MAIN, genesis(store))])[0]
    assert result.outcome is PushOutcome.REFUSED
    assert "rule bad: this is bad" in result.messages
    assert any("esc[2Jape" in message for message in result.messages)
    assert registry.ref(MAIN) is None


def test_a_push_that_would_lose_commits_is_told_apart(store: Store, remote: Remote) -> None:
    root = genesis(store)
    push(store.path, remote, [Push(MAIN, add(store, root, {"a.yaml": b"a"}))])
    other = push(store.path, remote, [Push(MAIN, add(store, root, {"b.yaml": b"b"}))])[0]
    assert other.outcome is PushOutcome.NOT_FORWARD


def test_an_unreachable_remote_is_our_trouble(store: Store, tmp_path: Path) -> None:
    nowhere = Remote.at_path(tmp_path / "nowhere.git")
    root = genesis(store)
    for attempt in (
        lambda: push(store.path, nowhere, [Push(MAIN, root)]),
        lambda: fetch(store.path, nowhere, [MAIN_REFSPEC]),
        lambda: list_refs(nowhere),
    ):
        with pytest.raises(EnvironmentProblem) as caught:
            attempt()
        assert caught.value.hint


def test_a_hostile_tree_does_not_arrive(registry: Store, remote: Remote, store: Store) -> None:
    bad = raw_tree(registry, (FOLDER, b".GIT", raw_tree(registry, (FILE, b"config", blob(registry)))))
    registry.repository.references.create(MAIN, raw_commit(registry, bad))
    with pytest.raises(EnvironmentProblem):
        fetch(store.path, remote, [MAIN_REFSPEC])
    assert store.ref(UPSTREAM_MAIN) is None


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "main", "refs/heads/a b", "refs/heads/-x", "refs/heads/x:y", "HEAD"]
)
def test_t36_a_ref_that_could_be_an_option_is_refused(store: Store, remote: Remote, ref: str) -> None:
    root = genesis(store)
    with pytest.raises(UsageProblem):
        push(store.path, remote, [Push(ref, root)])
    with pytest.raises(UsageProblem):
        fetch(store.path, remote, [ref])
    with pytest.raises(UsageProblem):
        push(store.path, remote, [Push(MAIN, "--force")])


def test_t38_a_poisoned_environment_changes_nothing(
    store: Store, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\nexit 1\n")
    script.chmod(0o755)
    home = Path(os.environ["HOME"])
    (home / ".gitconfig").write_text(
        f'[url "ext::{script} %S"]\n\tinsteadOf = /\n[core]\n\tfsmonitor = {script}\n\thooksPath = {tmp_path}\n'
        f"\tsshCommand = {script}\n[credential]\n\thelper = {script}\n[protocol]\n\tallow = always\n"
    )
    for hook in ("pre-push", "post-checkout", "reference-transaction"):
        (tmp_path / hook).symlink_to(script)
    evil = str(script)
    poison = {
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "0",
        "GIT_CONFIG_PARAMETERS": f"'core.hooksPath'='{tmp_path}'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": evil,
        "GIT_SSH": evil,
        "GIT_SSH_COMMAND": evil,
        "GIT_ASKPASS": evil,
        "SSH_ASKPASS": evil,
        "GIT_EXEC_PATH": str(tmp_path),
        "GIT_PROXY_COMMAND": evil,
        "GIT_EXTERNAL_DIFF": evil,
        "GIT_EDITOR": evil,
        "GIT_PAGER": evil,
        "GIT_DIR": str(tmp_path),
        "GIT_WORK_TREE": str(tmp_path),
        "GIT_OBJECT_DIRECTORY": str(tmp_path),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_TRACE": str(canary),
        "GIT_ALLOW_PROTOCOL": "ext:file:https:ssh",
        "XDG_CONFIG_HOME": str(home),
    }
    for name, value in poison.items():
        monkeypatch.setenv(name, value)
    root = genesis(store)
    assert push(store.path, remote, [Push(MAIN, root)])[0].outcome is PushOutcome.ACCEPTED
    fetch(store.path, remote, [MAIN_REFSPEC])
    assert list_refs(remote) == {MAIN: root}
    assert not canary.exists()


def test_only_the_transport_of_the_address_is_allowed(store: Store, remote: Remote) -> None:
    environment = build_environment(os.environ, Remote.parse("https://example.org/r"))
    command = ["git", f"--git-dir={store.path}", "fetch", "--end-of-options", remote.url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "not allowed" in done.stderr


def test_a_credential_is_bound_to_its_host_and_never_told(store: Store) -> None:
    access = Access(Credential("ana", "ghp_topsecret"))
    remote = Remote.parse("https://127.0.0.1:1/registry")
    environment = build_environment({"PATH": os.environ["PATH"]}, remote, access)
    keys = [value for name, value in environment.items() if name.startswith("GIT_CONFIG_KEY_")]
    assert "http.https://127.0.0.1:1/.extraHeader" in keys
    assert "ghp_topsecret" not in repr(access)
    with pytest.raises(EnvironmentProblem) as caught:
        fetch(store.path, remote, [MAIN_REFSPEC], access=access)
    assert "ghp_topsecret" not in str(caught.value) + caught.value.hint
    with pytest.raises(UsageProblem):
        build_environment({}, Remote.parse("git@host:registry"), access)


def test_what_ssh_and_tls_need_stays() -> None:
    caller = {
        "HOME": "/h",
        "SSH_AUTH_SOCK": "/s",
        "SSL_CERT_FILE": "/c",
        "HTTPS_PROXY": "p",
        "GIT_SSH": "x",
        "LD_X": "y",
    }
    environment = build_environment(caller, Remote.parse("git@host:r"))
    assert {"HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "HTTPS_PROXY"} <= set(environment)
    assert not {"GIT_SSH", "LD_X"} & set(environment)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authority_of_a_house_is_git_s_too_unless_a_call_names_another(tmp_path, variable):
    remote, caller = Remote.parse("https://example.org/r"), {variable: "/house.pem"}
    assert build_environment(caller, remote)["GIT_SSL_CAINFO"] == "/house.pem"
    assert "GIT_SSL_CAINFO" not in build_environment(caller, remote, Access(ca_file=tmp_path / "other.pem"))
    assert "GIT_SSL_CAINFO" not in build_environment({}, remote)


@pytest.mark.parametrize(
    ("address", "words", "known"),
    [
        ("ssh://git@host.example:2222/a.git", "ssh -T -p 2222 git@host.example", "'[host.example]:2222'"),
        ("ssh://host.example/a.git", "ssh -T host.example", "host.example"),
        ("git@host.example:team/a.git", "ssh -T git@host.example", "host.example"),
    ],
)
def test_how_a_person_meets_the_host_of_an_ssh_address(address: str, words: str, known: str) -> None:
    remote = Remote.parse(address)
    assert (ssh_words(remote), known_host(remote)) == (words, known)
