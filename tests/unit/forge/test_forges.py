"""Which adapter speaks to which address, and what people are shown."""

import subprocess
import sys
from pathlib import Path

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.forge import browser
from medperf_git.forge.browser import Browser, web_page
from medperf_git.forge.choice import forge_for
from medperf_git.forge.credentials import find_credential, find_token
from medperf_git.forge.host import Host, api_of, host_of
from medperf_git.forge.plain import PlainGit
from medperf_git.forge.port import Words
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import Access, Credential, Push, PushOutcome, PushResult
from tests.support.people import Town

NOTHING = {"PATH": "/nowhere"}  # no environment, and no command to ask
ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/srv/registry.git", "plain"),
        ("ssh://git@host.example/srv/registry.git", "plain"),
        ("git@host.example:registry.git", "plain"),
        ("https://github.com/org/registry", "browser"),
        ("git@github.com:org/registry.git", "browser"),
        ("ssh://git@gitlab.example.org/org/registry.git", "browser"),
        ("https://forge.example/org/registry", "plain"),
        ("https://gitlab.example.org/org/registry", "browser"),
    ],
)
def test_without_a_token_forges_are_seen_in_a_browser_and_all_else_is_plain_git(address: str, name: str) -> None:
    assert forge_for(address, NOTHING).name == name


@pytest.mark.parametrize("address", ["https://forge.example/org/registry", "git@forge.example:org/registry"])
def test_a_host_whose_name_says_nothing_is_what_was_recorded_of_it(address: str) -> None:
    assert forge_for(address, NOTHING, host=Host.PAGURE).name == "browser"
    assert forge_for(address, {**NOTHING, "MEDPERF_GIT_TOKEN": "secret"}, host=Host.PLAIN).name == "plain"


def test_without_its_library_a_forge_is_seen_in_a_browser_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "github", None)
    monkeypatch.delitem(sys.modules, "medperf_git.forge.github", raising=False)
    said: list[str] = []
    environ = {**NOTHING, "MEDPERF_GIT_TOKEN": "secret"}
    assert forge_for("https://github.com/org/registry", environ, say=said.append).name == "browser"
    assert "pip install 'medperf-git[github]'" in said[0]


def test_the_libraries_of_forges_are_loaded_only_where_one_is_spoken_to() -> None:
    asks = "import sys, medperf_git.cli.main; print({'github', 'gitlab'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/x",
        "file:///srv/registry.git",
        "http://forge.example/org/registry",
        "git://forge.example/registry",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=touch /tmp/x",
        "ssh://-oProxyCommand=x/registry",
        "https://user:token@forge.example/org/registry",
        "fd::17",
        "host.example:-x",
        "https://forge.example/\x1b[31m",
        "",
    ],
)
def test_t37_twelve_addresses_are_refused_before_git_sees_them(address: str) -> None:
    with pytest.raises(UsageProblem):
        forge_for(address, {})


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://github.com/org/registry.git", f"https://github.com/org/registry/compare/main...submit/{ID}?expand=1"),
        ("git@github.com:org/registry.git", f"https://github.com/org/registry/compare/main...submit/{ID}?expand=1"),
        (
            "https://gitlab.com/org/registry",
            f"https://gitlab.com/org/registry/-/merge_requests/new?merge_request%5Bsource_branch%5D=submit%2F{ID}",
        ),
        ("https://github.example:8443/org/r", f"https://github.example:8443/org/r/compare/main...submit/{ID}?expand=1"),
        ("https://codeberg.org/org/r", f"https://codeberg.org/org/r/compare/main...submit/{ID}"),
    ],
)
def test_the_page_to_open_is_the_forges_own(address: str, page: str) -> None:
    assert Browser(Remote.parse(address), host=host_of(address)).page_of(ID) == page


@pytest.mark.parametrize(
    ("address", "interface"),
    [
        ("https://github.com/org/registry", "https://api.github.com"),
        ("git@github.com:org/registry.git", "https://api.github.com"),
        ("ssh://git@ssh.github.com:443/org/registry.git", "https://api.github.com"),
        ("https://clinic.ghe.com/org/registry", "https://api.clinic.ghe.com"),
        ("https://github.clinic.example:8443/org/registry", "https://github.clinic.example:8443/api/v3"),
        ("ssh://git@altssh.gitlab.com:443/org/registry.git", "https://gitlab.com/api/v4"),
    ],
)
def test_the_interface_of_an_address_is_found_from_its_page(address: str, interface: str) -> None:
    assert api_of(host_of(address), web_page(address)) == interface


def test_the_page_of_an_ssh_address_is_https() -> None:
    assert web_page("ssh://git@forge.example:2222/org/registry.git") == "https://forge.example/org/registry"


def test_a_token_comes_from_the_environment_for_https_only() -> None:
    environ = {"MEDPERF_GIT_TOKEN": "secret"}
    https = Remote.parse("https://forge.example/org/registry")
    assert find_credential(https, environ) == Credential("x-access-token", "secret")
    assert find_credential(Remote.parse("git@forge.example:r"), environ) is None
    assert "secret" not in repr(find_credential(https, environ))


@pytest.mark.parametrize("secret", ["ghp_one\nghp_two", "ghp_\x00one", "ghp_öne", "Bearer ghp_one"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(secret: str) -> None:
    remote = Remote.parse("https://github.com/org/registry")
    for variable in ("MEDPERF_GIT_TOKEN", "GH_TOKEN"):
        with pytest.raises(UsageProblem) as caught:
            find_token(remote, Host.GITHUB, {**NOTHING, variable: secret})
        assert variable in caught.value.message
        assert "ghp_" not in caught.value.message + caught.value.hint


def test_a_token_comes_from_the_persons_own_git_credential_store(tmp_path: Path) -> None:
    (tmp_path / ".git-credentials").write_text("https://me:stored@forge.example\n", encoding="utf-8")
    (tmp_path / ".gitconfig").write_text("[credential]\n\thelper = store\n", encoding="utf-8")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    assert find_credential(Remote.parse("https://forge.example/org/r"), environ) == Credential("me", "stored")
    assert find_credential(Remote.parse("https://other.example/org/r"), environ) is None


def test_a_plain_registry_is_fetched_with_its_proposals(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.found("ana")
    town.ask("bob")
    copy = tmp_path / "copy.git"
    subprocess.run(["git", "init", "-q", "--bare", str(copy)], check=True)
    forge = forge_for(town.url, {})
    assert isinstance(forge, PlainGit)
    forge.fetch(copy)
    done = subprocess.run(
        ["git", f"--git-dir={copy}", "for-each-ref", "--format=%(refname)"], capture_output=True, text=True, check=True
    )
    names = done.stdout.split()
    assert names[0] == "refs/upstream/main"
    assert len([name for name in names if name.startswith("refs/upstream/submit/")]) == 1


@pytest.mark.parametrize(
    ("fork", "page"),
    [
        ("ssh://git@pagure.io/forks/north/heart.git", "https://pagure.io/fork/north/heart"),
        ("ssh://git@pagure.io:2222/forks/north/clinic/heart.git", "https://pagure.io/fork/north/clinic/heart"),
    ],
)
def test_a_fork_at_pagure_has_its_page_beside_the_registrys(fork: str, page: str) -> None:
    registry = Remote.parse("https://pagure.io/heart.git")
    assert Browser(registry, host=Host.PAGURE, own=Remote.parse(fork)).page_of(ID) == f"{page}/diff/main..submit/{ID}"


def test_the_page_of_a_fork_has_the_port_of_the_registrys_page_not_that_of_ssh() -> None:
    registry, fork = Remote.parse("https://host.example:8443/a.git"), Remote.parse("ssh://git@host.example:22/b/a.git")
    page = Browser(registry, host=Host.GITLAB, own=fork).page_of(ID)
    assert page.startswith("https://host.example:8443/b/a/-/merge_requests/new?")


@pytest.mark.parametrize(
    ("fork", "bears_it"),
    [
        ("https://forge.example/moa/eval", True),
        ("https://FORGE.example/moa/eval", True),
        ("https://forge.example:8443/moa/eval", False),
        ("https://elsewhere.example/moa/eval", False),
        ("git@forge.example:moa/eval.git", False),
    ],
)
def test_a_fork_by_hand_gets_the_token_at_the_registrys_own_host_by_https_only(
    fork: str, bears_it: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Access] = []

    def accepted(_copy: Path, remote: Remote, pushes: list[Push], *, access: Access) -> list[PushResult]:
        assert remote.url == fork
        given.append(access)
        return [PushResult(one.ref, PushOutcome.ACCEPTED, "", ()) for one in pushes]

    monkeypatch.setattr(browser, "push", accepted)
    forge = forge_for("https://forge.example/org/eval", {"MEDPERF_GIT_TOKEN": "secret"}, host=Host.FORGEJO, fork=fork)
    forge.propose(tmp_path, ID, "0" * 40, Words("", ""))
    forge.forget(tmp_path, ID, "")
    assert [access.credential is not None for access in given] == [bears_it, bears_it]
