"""The command line: one table of commands, each imported only when it is called.

Nothing heavy is imported here: `--help` of the whole program is written from the table alone.
"""

import importlib
from collections.abc import Sequence
from typing import NamedTuple

import click

from medperf_git import __version__
from medperf_git.cli.options import accept_registry, registry_option

_HOME = "medperf_git.cli.commands."


class Entry(NamedTuple):
    """Where a command lies below `cli.commands`, and what it does in a few words."""

    target: str
    summary: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Start": {
        "demo": Entry("demo:demo", "a whole evaluation on this machine, or a recorded one"),
        "init": Entry("init:init", "begin a registry"),
        "registry": Entry("registry:registry", "add, list, choose and forget registries"),
        "join": Entry("join:join", "propose to become a member"),
        "sync": Entry("sync:sync", "fetch and verify what is new"),
        "doctor": Entry("doctor:doctor", "what is missing on this machine, and what to do"),
        "whoami": Entry("whoami:whoami", "who you are here, and with which key you sign"),
        "completion": Entry("completion:completion", "completion for bash, zsh and fish"),
        "storage": Entry("storage:storage", "what takes room here, and what may go"),
    },
    "People and keys": {
        "key": Entry("key:key", "make, list and show your keys"),
        "member": Entry("member:member", "list and show members"),
        "admit": Entry("admit:admit", "admit a new member"),
        "sign": Entry("sign:sign", "sign somebody else's proposal"),
    },
    "Prepare": {
        "cube": Entry("cube:cube", "containers: preparators, models, metrics"),
        "dataset": Entry("dataset:dataset", "prepare, review and register datasets"),
        "benchmark": Entry("benchmark:benchmark", "open, test and watch benchmarks"),
        "new": Entry("new:new", "start a commented draft of a record"),
        "fmt": Entry("fmt:fmt", "bring records into canonical form"),
    },
    "Take part": {
        "association": Entry("association:association", "ask that a dataset or model takes part"),
        "approve": Entry("decisions:approve", "say yes to datasets and models"),
        "reject": Entry("decisions:reject", "say no to datasets and models"),
        "withdraw": Entry("decisions:withdraw", "withdraw a record, or leave a benchmark"),
        "reinstate": Entry("decisions:reinstate", "take back a withdrawal"),
        "prioritise": Entry("decisions:prioritise", "in which order models run"),
        "dispute": Entry("decisions:dispute", "mark a result as disputed"),
        "resolve": Entry("decisions:resolve", "end a dispute"),
        "inbox": Entry("inbox:inbox", "what waits for you"),
    },
    "Run": {
        "run": Entry("run:run", "run the models of a benchmark on a dataset"),
        "runs": Entry("runs:runs", "look at the runs on this machine"),
        "review": Entry("review:review", "see what would leave before it leaves"),
    },
    "Publish": {
        "submit": Entry("submit:submit", "send what is yours and not there yet"),
        "status": Entry("status:status", "where your proposals stand"),
        "merge": Entry("merge:merge", "merge what passes"),
        "compare": Entry("compare:compare", "publish how models compare on the same cases"),
        "result": Entry("result:result", "submit, list and show results"),
        "leaderboard": Entry("leaderboard:leaderboard", "build or show the leaderboard"),
    },
    "Trust": {
        "check": Entry("check:check", "would it be accepted"),
        "verify": Entry("verify:verify", "is this what was signed"),
        "audit": Entry("audit:audit", "verify the whole history"),
        "log": Entry("log:log", "what was merged, newest first"),
        "open": Entry("open:open_ref", "look at something in the browser"),
    },
}

COMMANDS: dict[str, str] = {
    name: _HOME + entry.target for section in SECTIONS.values() for name, entry in section.items()
}

# Commands, and groups of them, for which there is no registry to choose.
WITHOUT_REGISTRY = frozenset(
    (
        *("demo", "init", "registry add", "registry ls", "registry use", "registry rm", "completion", "fmt"),
        *("runs", "key new", "key ls", "cube new", "cube import", "benchmark new", "dataset hash"),
        *("dataset progress", "dataset export", "dataset import", "storage"),
    )
)

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
        name = ALIASES.get(cmd_name, cmd_name)
        target = COMMANDS.get(name)
        if target is None:
            return None
        module, _, function = target.partition(":")
        command = getattr(importlib.import_module(module), function)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is no click command")
        accept_registry(command, name, without=WITHOUT_REGISTRY)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and say which one is near when there is none."""
        if args and args[0] not in COMMANDS and args[0] not in ALIASES and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}.{_nearest(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands under the headings of the table; none is imported for it."""
        for title, section in SECTIONS.items():
            rows = [(name, entry.summary) for name, entry in section.items()]
            with formatter.section(title):
                formatter.write_dl(rows)


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
