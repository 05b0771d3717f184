"""Every option that a message of the runner names is there, and no message is longer than a person reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from medperf_git import runner
from medperf_git.cli.main import main
from medperf_git.runner.engine import GIB, Ended, Limits, Profile, StepResult, StepSpec
from medperf_git.runner.explain import explain

FOLDER = Path(runner.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
CONTAINERS = (("run",), ("cube", "test"), ("dataset", "prepare"), ("benchmark", "test"))
OF_OTHERS = {
    "preflight.py": {"--version"},  # asked of NVIDIA's toolkit
    "podman.py": {"--time", "--user"},  # of the commands that start it
    "apptainer.py": {"--silent", "--disable-cache", "--no-https", "--memory-swap", "--cpus", "--pids-limit"},
    "apptainer_arguments.py": {
        "--containall",
        "--cleanenv",
        "--no-eval",
        "--no-home",
        "--no-mount",
        "--net",
        "--network",
        "--no-privs",
        "--drop-caps",
        "--mount",
        "--pwd",
        "--security",
        "--writable-tmpfs",
        "--memory-swap",
        "--cpus",
        "--pids-limit",
        "--nv",
        "--nvccli",
    },
    "adopt.py": {"--in-place"},  # of `dataset prepare --already-prepared`, the one command that reaches it
    "preparation.py": {"--name"},  # of `dataset prepare`, the one command that reaches it
    "mlcube.py": {"--shm-size", "--gpus", "--runtime"},  # options of docker that an mlcube.yaml holds
    "command_line.py": {  # a command of docker, shown as it is
        *("--cap-drop", "--cpus", "--entrypoint", "--env", "--network", "--pids-limit", "--read-only", "--rm"),
        *("--security-opt", "--shm-size", "--tmpfs", "--user", "--volume"),
    },
}


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


def named(file: Path) -> Iterator[str]:
    """Yield the options in every text but docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield from OPTION.findall(node.value)


def everywhere(command: click.Command) -> set[str]:
    found = options_of(command)
    if isinstance(command, click.Group):
        context = click.Context(command)
        inner = (command.get_command(context, name) for name in command.list_commands(context))
        found |= {option for one in inner if one for option in everywhere(one)}
    return found


@pytest.mark.parametrize("command", CONTAINERS, ids=" ".join)
def test_every_option_that_a_hint_names_is_one_of_every_command_that_runs_containers(command: tuple[str, ...]) -> None:
    live = options_of(command_at(command))
    for file in FOLDER.rglob("*.py"):
        unknown = set(named(file)) - live - OF_OTHERS.get(file.name, set())
        assert not unknown, f"{file.name} names {unknown}, which `{' '.join(command)}` does not have"


def test_every_option_that_a_flow_names_is_one_of_some_command() -> None:
    live = everywhere(main) | {"--version", "--help"}
    for flow in ("bench", "cubes", "preparing", "prepared", "reviewing", "runbook", "running", "settings", "trying"):
        unknown = set(named(FOLDER.parent / "flows" / f"{flow}.py")) - live
        assert not unknown, f"{flow} names {unknown}, which no command has"


def test_a_path_that_a_container_printed_is_shortened(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("PermissionError: [Errno 13] Permission denied: '/" + "\x1b[31m" * 2000 + "'")
    limits = Limits(memory_bytes=GIB, cpus=1)
    spec = StepSpec(
        image_id="x", command=None, entrypoint=None, environment=(), binds=(), limits=limits, profile=Profile.STRICT,
        scratch=tmp_path,
    )  # fmt: skip
    _, hint = explain(StepResult(exit_code=1, ended=Ended.EXITED, seconds=1.0), spec, log)
    assert len(hint) < 400
    assert "\x1b" not in hint
