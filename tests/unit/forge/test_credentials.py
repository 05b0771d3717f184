"""Where tokens come from, and where they never go; the forges' own commands are stand-ins on PATH, Git is real."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from medperf_git.errors import UsageProblem
from medperf_git.forge import credentials
from medperf_git.forge.credentials import KEPT, VARIABLE, Token, credential_of, find_credential, find_token
from medperf_git.forge.host import Host
from medperf_git.registry.remotes import Remote

HUB, LAB = Remote.parse("https://github.com/ana/heart.git"), Remote.parse("https://gitlab.com/ana/heart.git")
BERG = Remote.parse("https://codeberg.org/ana/heart.git")
CLINIC = Remote.parse("https://git.clinic.example/ana/heart.git")
# What the real ones do with the variables of tokens, by their documentation and (glab 1.53) by trying it: the
# environment goes first, whatever host is asked about.
GLAB = """
for name in GITLAB_TOKEN GITLAB_ACCESS_TOKEN OAUTH_TOKEN; do
    eval value=\\$$name; if [ -n "$value" ]; then echo "$value"; exit 0; fi
done
[ "$1 $2 $3 $4 $5" = "config get token --host gitlab.com" ] && echo glab-kept
exit 0
"""
GH = """
if [ "$4" = github.com ]; then value=${GH_TOKEN:-$GITHUB_TOKEN}
else value=${GH_ENTERPRISE_TOKEN:-$GITHUB_ENTERPRISE_TOKEN}; fi
if [ -n "$value" ]; then echo "$value"; exit 0; fi
[ "$1 $2 $3 $4" = "auth token --hostname github.com" ] && echo gh-kept && exit 0
echo "no oauth token found for $4" >&2
exit 1
"""


class Machine:
    """A machine with some commands and nobody's configuration."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.home = folder / "bin", folder / "home"
        self.bin.mkdir()
        self.home.mkdir()
        self.seen = folder / "seen"
        for name in ("git", "sh", "cat", "env", "tr", "sleep"):
            real = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
            (self.bin / name).symlink_to(real.stdout.strip())

    def put(self, name: str, script: str) -> None:
        """Put a command on PATH; it notes its arguments and environment first."""
        path = self.bin / name
        path.write_text(
            f"#!/bin/sh\n(echo \"$0 $*\"; tr '\\0' ' ' < /proc/$$/environ; echo) >> {self.seen}\n{script}\n"
        )
        path.chmod(0o755)

    def store(self, *addresses: str) -> None:
        """Let Git keep credentials in its own store."""
        (self.home / ".gitconfig").write_text("[credential]\n\thelper = store\n")
        (self.home / ".git-credentials").write_text("".join(f"{one}\n" for one in addresses))

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a command."""
        return {"PATH": str(self.bin), "HOME": str(self.home), **more}

    @property
    def noted(self) -> str:
        """What the commands were given."""
        return self.seen.read_text() if self.seen.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_our_own_variable_goes_first_then_the_forges_then_its_command_then_git(machine: Machine) -> None:
    machine.put("gh", GH)
    machine.store("https://bob:git-kept@github.com")
    both = {VARIABLE: "own", "GH_TOKEN": "first", "GITHUB_TOKEN": "second"}
    found = []
    for name in (*both, ""):
        found.append(find_token(HUB, Host.GITHUB, machine.environ(**both)))
        both.pop(name, None)
    (machine.bin / "gh").unlink()
    found.append(find_token(HUB, Host.GITHUB, machine.environ()))
    machine.store()
    found.append(find_token(HUB, Host.GITHUB, machine.environ()))
    assert found == [
        Token("own", VARIABLE),
        Token("first", "GH_TOKEN"),
        Token("second", "GITHUB_TOKEN"),
        Token("gh-kept", "`gh`"),
        Token("git-kept", "`git credential`", "bob"),
        None,
    ]


@pytest.mark.parametrize(
    ("host", "remote", "variable", "command"),
    [
        (Host.GITHUB, HUB, "GH_TOKEN", "gh"),
        (Host.GITHUB, HUB, "GITHUB_TOKEN", "gh"),
        (Host.GITLAB, LAB, "GITLAB_TOKEN", "glab"),
        (Host.GITLAB, LAB, "GITLAB_ACCESS_TOKEN", "glab"),
        (Host.FORGEJO, BERG, "FORGEJO_TOKEN", ""),
        (Host.PAGURE, Remote.parse("https://pagure.io/heart.git"), "PAGURE_TOKEN", ""),
    ],
)
def test_a_token_of_one_host_never_goes_to_another(
    machine: Machine, host: Host, remote: Remote, variable: str, command: str
) -> None:
    machine.put("gh", GH)
    machine.put("glab", GLAB)
    environ = machine.environ(**{variable: "of-home"})
    assert find_token(remote, host, environ) == Token("of-home", variable)
    for elsewhere in (
        "https://git.clinic.example/ana/heart",
        "https://github.com.evil.example/a/b",
        "https://evil.example/github.com/a",
        f"{remote.url.partition('/ana')[0].partition('/heart')[0]}:8443/a/b",
    ):
        assert find_token(Remote.parse(elsewhere), host, environ) is None, elsewhere
    assert not command or command in machine.noted, "the forge's own command was asked"
    assert "of-home" not in machine.noted


def test_glab_and_gh_cannot_say_a_token_of_the_environment_for_another_host(machine: Machine) -> None:
    machine.put("gh", GH)
    machine.put("glab", GLAB)
    names = [one.name for kept in KEPT.values() for one in kept.variables]
    environ = machine.environ(**dict.fromkeys([*names, "OAUTH_TOKEN", "CI_JOB_TOKEN"], "secret-of-home"))
    assert find_token(CLINIC, Host.GITLAB, environ) is None
    assert find_token(CLINIC, Host.GITHUB, environ) is None
    assert {"gh", "glab"} <= {line.split()[0].rpartition("/")[2] for line in machine.noted.splitlines() if line}
    assert "secret-of-home" not in machine.noted


@pytest.mark.parametrize(
    ("host", "given"),
    [
        (Host.GITHUB, {"GH_ENTERPRISE_TOKEN": "x", "GH_HOST": "git.clinic.example"}),
        (Host.GITHUB, {"GITHUB_TOKEN": "x", "GITHUB_SERVER_URL": "https://git.clinic.example"}),
        (Host.GITLAB, {"GITLAB_TOKEN": "x", "GITLAB_HOST": "git.clinic.example"}),
        (Host.GITLAB, {"GITLAB_TOKEN": "x", "GITLAB_HOST": "https://git.clinic.example/"}),
        (Host.GITLAB, {"GITLAB_ACCESS_TOKEN": "x", "GL_HOST": "Git.Clinic.Example"}),
        (Host.FORGEJO, {"FORGEJO_TOKEN": "x", "FORGEJO_HOST": "git.clinic.example"}),
        (Host.FORGEJO, {"GITEA_SERVER_TOKEN": "x", "GITEA_SERVER_URL": "https://git.clinic.example"}),
        (Host.FORGEJO, {"GITEA_TOKEN": "x", "GITEA_INSTANCE_URL": "https://git.clinic.example"}),
        (Host.PAGURE, {"PAGURE_TOKEN": "x", "PAGURE_HOST": "git.clinic.example"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else str(value),
)
def test_a_host_of_ones_own_is_named_by_a_variable_and_home_gets_nothing_then(
    machine: Machine, host: Host, given: dict[str, str]
) -> None:
    environ = machine.environ(**given)
    assert find_token(CLINIC, host, environ) == Token("x", next(iter(given)))
    home = {
        Host.GITHUB: HUB,
        Host.GITLAB: LAB,
        Host.FORGEJO: BERG,
        Host.PAGURE: Remote.parse("https://pagure.io/heart"),
    }
    assert find_token(home[host], host, environ) is None


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "echo kept; exit 1",
        "echo",
        "echo 'not logged in'",
        "echo one; echo two",
        "printf '\\033[31mred\\033[0m'",
        "printf '\\377\\376\\000'",
        "cat /bin/sh",
        "echo töken",
    ],
)
def test_whatever_else_a_command_prints_is_no_token(machine: Machine, script: str) -> None:
    machine.put("glab", script)
    assert find_token(LAB, Host.GITLAB, machine.environ()) is None


def test_a_command_that_hangs_is_left_behind(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_SECONDS", 1)
    machine.put("glab", "sleep 30")
    began = time.monotonic()
    assert find_token(LAB, Host.GITLAB, machine.environ()) is None
    assert time.monotonic() - began < 15


def test_a_command_that_is_not_there_or_not_to_be_run_is_passed_over(machine: Machine) -> None:
    assert find_token(LAB, Host.GITLAB, machine.environ()) is None
    (machine.bin / "glab").write_text("no program")
    assert find_token(LAB, Host.GITLAB, machine.environ()) is None


def test_git_is_asked_for_the_host_and_its_own_name_is_kept(machine: Machine) -> None:
    machine.store("https://ana:of-clinic@git.clinic.example", "https://ana:of-other@other.example")
    found = find_token(CLINIC, Host.FORGEJO, machine.environ())
    assert found == Token("of-clinic", "`git credential`", "ana")
    assert find_token(Remote.parse("https://third.example/a/b"), Host.FORGEJO, machine.environ()) is None
    assert find_token(Remote.parse("git@git.clinic.example:ana/heart.git"), Host.FORGEJO, machine.environ()) == found


def test_git_never_asks_a_person(machine: Machine) -> None:
    machine.put("asks", "echo asked")
    (machine.home / ".gitconfig").write_text(f"[core]\n\taskPass = {machine.bin / 'asks'}\n")
    environ = machine.environ(GIT_ASKPASS=str(machine.bin / "asks"), SSH_ASKPASS=str(machine.bin / "asks"))
    assert find_token(CLINIC, Host.FORGEJO, environ) is None
    assert "asks" not in machine.noted


def test_a_helper_of_git_sees_no_token_of_the_environment(machine: Machine) -> None:
    machine.put("git-credential-noting", "echo username=ana; echo password=kept")
    (machine.home / ".gitconfig").write_text("[credential]\n\thelper = noting\n")
    names = [VARIABLE, *(one.name for kept in KEPT.values() for one in kept.variables)]
    environ = machine.environ(**dict.fromkeys(names, "secret-of-home"), GITEA_SERVER_URL="https://a.example")
    del environ[VARIABLE]
    assert find_token(CLINIC, Host.GITLAB, environ) == Token("kept", "`git credential`", "ana")
    assert "noting get" in machine.noted
    assert "secret-of-home" not in machine.noted


def test_the_settings_of_git_in_the_environment_have_no_say(machine: Machine) -> None:
    more = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": "!echo password=x;:",
    }
    assert find_token(CLINIC, Host.FORGEJO, machine.environ(**more)) is None


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "töken", "x" * 5000, "a\x1b[31m"])
def test_what_can_be_no_token_is_refused_without_being_repeated(machine: Machine, value: str) -> None:
    with pytest.raises(UsageProblem, match=f"{VARIABLE} holds no token") as refused:
        find_token(HUB, Host.GITHUB, machine.environ(**{VARIABLE: value}))
    assert value not in str(refused.value) + refused.value.hint


def test_blanks_around_a_token_are_dropped_and_nothing_but_blanks_is_none(machine: Machine) -> None:
    assert find_token(HUB, Host.GITHUB, machine.environ(**{VARIABLE: " own\n"})) == Token("own", VARIABLE)
    assert find_token(HUB, Host.GITHUB, machine.environ(**{VARIABLE: " \n", "GH_TOKEN": "x"})) == Token("x", "GH_TOKEN")


def test_a_token_is_in_no_argument_of_any_process(machine: Machine, mocker: MockerFixture) -> None:
    machine.put("glab", GLAB)
    machine.store("https://ana:of-clinic@git.clinic.example")
    run = mocker.spy(subprocess, "run")
    for remote, host in ((LAB, Host.GITLAB), (CLINIC, Host.FORGEJO)):
        assert find_token(remote, host, machine.environ()) is not None
    asked = [call.args[0] for call in run.call_args_list]
    assert asked == [["glab", "config", "get", "token", "--host", "gitlab.com"], ["git", "credential", "fill"]]
    assert not [call for call in run.call_args_list if "kept" in str(call) or "of-clinic" in str(call)]


def test_a_token_and_a_credential_are_not_shown(machine: Machine) -> None:
    found = find_token(HUB, Host.GITHUB, machine.environ(GH_TOKEN="hidden"))
    assert found is not None
    assert "hidden" not in repr(found) + str(found) + repr(credential_of(found, Host.GITHUB))


@pytest.mark.parametrize(
    ("host", "name"), [(Host.GITHUB, "x-access-token"), (Host.GITLAB, "oauth2"), (Host.FORGEJO, "x-access-token")]
)
def test_git_says_the_name_that_the_forge_expects_beside_a_token(host: Host, name: str) -> None:
    assert credential_of(Token("x", VARIABLE), host).username == name
    assert credential_of(Token("x", "`git credential`", "ana"), host).username == "ana"


def test_a_path_and_an_ssh_remote_ask_for_no_credential(machine: Machine) -> None:
    environ = machine.environ(**{VARIABLE: "x"})
    assert find_token(Remote.parse(str(machine.home)), Host.PLAIN, environ) is None
    assert find_credential(Remote.parse("git@github.com:ana/heart.git"), environ) is None
    assert os.environ.get(VARIABLE) is None


@pytest.mark.parametrize(
    ("named", "address", "found"),
    [
        ("forge.example", "https://forge.example/org/r", True),
        ("https://forge.example/", "https://forge.example/org/r", True),
        ("forge.example:8443", "https://forge.example:8443/org/r", True),
        ("forge.example", "https://elsewhere.example/org/r", False),
        ("forge.example", "https://forge.example:8443/org/r", False),
        ("", "https://elsewhere.example/org/r", True),
    ],
)
def test_the_token_of_all_hosts_is_bound_to_the_one_that_is_named_beside_it(
    named: str, address: str, found: bool
) -> None:
    environ = {"PATH": "/nowhere", "MEDPERF_GIT_TOKEN": "secret", "MEDPERF_GIT_TOKEN_HOST": named}
    assert (find_token(Remote.parse(address), Host.FORGEJO, environ) is not None) == found
