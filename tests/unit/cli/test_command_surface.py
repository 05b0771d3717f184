"""The commands are those of the design, quick to ask for help, and speak one language."""

import subprocess
import sys

import click
import pytest

from medperf_git.cli.main import ALIASES, COMMANDS, SECTIONS, main

# DESIGN, section "The command surface": top-level commands, and the sub-commands of groups.
ALONE = (
    *("demo", "whoami", "sync", "audit", "verify", "log", "join", "admit", "sign", "new", "fmt", "check", "open"),
    *("approve", "reject", "withdraw", "reinstate", "prioritise", "dispute", "resolve", "inbox"),
    *("run", "review", "compare", "submit", "status", "merge", "init", "completion", "doctor"),
)
SURFACE: dict[str, set[str]] = {
    **{name: set() for name in ALONE},
    "storage": {"show", "move", "prune"},
    "registry": {"add", "ls", "use", "rm", "show"},
    "key": {"new", "ls", "show"},
    "member": {"ls", "show", "rotate", "revoke"},
    "cube": {"new", "import", "test", "submit", "ls", "show"},
    "dataset": {"prepare", "progress", "verify", "submit", "review", "ls", "show", "hash", "export", "import"},
    "benchmark": {"new", "test", "submit", "edit", "status", "ls", "show"},
    "association": {"request", "ls", "show"},
    "runs": {"ls", "show", "logs", "stop", "report", "prune"},
    "result": {"submit", "ls", "show"},
    "leaderboard": {"build", "show", "open", "diff", "export"},
}
# Imported before any command runs, these would be felt at every `--help`.
HEAVY = [
    "pygit2",
    "yaml",
    "jsonschema",
    "cryptography",
    "docker",
    "requests",
    "numpy",
    "scipy",
    "jinja2",
    "rich",
    "cattrs",
]


def context() -> click.Context:
    return click.Context(main, info_name="medperf-git")


def command(name: str) -> click.Command:
    found = main.get_command(context(), name)
    assert found is not None
    return found


def test_every_live_command_is_in_the_design() -> None:
    assert set(COMMANDS) <= set(SURFACE)


@pytest.mark.parametrize("name", [name for name, inner in SURFACE.items() if inner and name in COMMANDS])
def test_every_sub_command_is_in_the_design(name: str) -> None:
    group = command(name)
    assert isinstance(group, click.Group)
    assert set(group.commands) <= SURFACE[name], name


def test_every_alias_leads_to_a_command() -> None:
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_and_sub_command_explains_itself(name: str) -> None:
    found = command(name)
    commands = [found, *(found.commands.values() if isinstance(found, click.Group) else [])]
    for one in commands:
        assert one.help, one.name
        for parameter in one.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (one.name, parameter.name)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_listing_speaks_json(name: str) -> None:
    found = command(name)
    listing = found.commands.get("ls") if isinstance(found, click.Group) else None
    for one in filter(None, [listing, found if name in ("status", "inbox", "log", "check", "doctor") else None]):
        assert any("--json" in parameter.opts for parameter in one.params), one.name


def test_the_sections_hold_every_command_once() -> None:
    names = [name for section in SECTIONS.values() for name in section]
    assert sorted(names) == sorted(set(names))


def test_help_imports_nothing_heavy() -> None:
    script = "import sys\nfrom medperf_git.cli import boundary\nboundary.main(['--help'])\n"
    script += f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
