"""The command line: one table of commands, each imported only when it is called.

Nothing heavy is imported here; `--help` of the whole program reads only the first line of each command.
"""

import importlib
from collections.abc import Sequence

import click

from medperf_git import __version__
from medperf_git.cli.options import registry_option

_HOME = "medperf_git.cli.commands."

SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "init:init",
        "registry": "registry:registry",
        "join": "join:join",
        "sync": "sync:sync",
        "doctor": "doctor:doctor",
        "whoami": "whoami:whoami",
        "completion": "completion:completion",
    },
    "People and keys": {
        "key": "key:key",
        "member": "member:member",
        "admit": "admit:admit",
        "sign": "sign:sign",
    },
    "Prepare": {
        "cube": "cube:cube",
        "dataset": "dataset:dataset",
        "benchmark": "benchmark:benchmark",
        "new": "new:new",
        "fmt": "fmt:fmt",
    },
    "Take part": {
        "association": "association:association",
        "approve": "decisions:approve",
        "reject": "decisions:reject",
        "withdraw": "decisions:withdraw",
        "reinstate": "decisions:reinstate",
        "prioritise": "decisions:prioritise",
        "dispute": "decisions:dispute",
        "resolve": "decisions:resolve",
        "inbox": "inbox:inbox",
    },
    "Run": {
        "run": "run:run",
        "runs": "runs:runs",
        "review": "review:review",
    },
    "Publish": {
        "submit": "submit:submit",
        "status": "status:status",
        "merge": "merge:merge",
        "result": "result:result",
        "leaderboard": "leaderboard:leaderboard",
    },
    "Trust": {
        "check": "check:check",
        "verify": "verify:verify",
        "audit": "audit:audit",
        "log": "log:log",
    },
}

COMMANDS: dict[str, str] = {name: _HOME + target for section in SECTIONS.values() for name, target in section.items()}

ALIASES: dict[str, str] = {
    "container": "cube",
    "model": "cube",
    "cubes": "cube",
    "containers": "cube",
    "models": "cube",
    "datasets": "dataset",
    "benchmarks": "benchmark",
    "associations": "association",
    "results": "result",
    "members": "member",
    "keys": "key",
    "registries": "registry",
    "prioritize": "prioritise",
}


class LazyGroup(click.Group):
    """A group whose commands are imported from `COMMANDS` when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the canonical names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command; None when there is none of that name."""
        target = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if target is None:
            return None
        module, _, function = target.partition(":")
        command = getattr(importlib.import_module(module), function)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and say which one is near when there is none."""
        if args and args[0] not in COMMANDS and args[0] not in ALIASES and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}.{_nearest(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under the headings of the table."""
        for title, section in SECTIONS.items():
            rows = [(name, _first_line(self.get_command(ctx, name))) for name in section]
            with formatter.section(title):
                formatter.write_dl(rows)


def _first_line(command: click.Command | None) -> str:
    return command.get_short_help_str(limit=100) if command else ""


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415  (only when something went wrong)

    near: Sequence[str] = difflib.get_close_matches(name, [*COMMANDS, *ALIASES], n=2)
    return f" Did you mean {' or '.join(near)}?" if near else " `medperf-git --help` lists them."


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="medperf-git")
@registry_option
def main(registry: str | None) -> None:
    """Federated evaluation of medical AI with nothing to host but a Git repository.

    Data never leaves a hospital; models run there in containers; only signed results travel.
    Start with `medperf-git doctor`, then `registry add URL`, or `init` a registry of your own.
    """
    from medperf_git.cli.session import remember_registry  # noqa: PLC0415

    remember_registry(registry)
