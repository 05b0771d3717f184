"""Options that many commands share, written once so that they mean the same everywhere."""

from collections.abc import Callable, Container
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

CHOSEN = "medperf_git.registry"
_REGISTRY = ("-R", "--registry")


def registry_option(function: F) -> F:
    """Add `-R/--registry`: which registry, by alias or URL; the function is told it wherever it was given."""
    return click.option(*_REGISTRY, **_registry_words())(function)


def accept_registry(command: click.Command, name: str, *, without: Container[str]) -> None:
    """Let a command take `-R/--registry` behind its name, and all below it; those of `without` need no registry."""
    if name in without:
        return
    if isinstance(command, click.Group):
        for inner_name, inner in command.commands.items():
            accept_registry(inner, f"{name} {inner_name}", without=without)
    elif not any(_REGISTRY[0] in parameter.opts for parameter in command.params):
        command.params.append(click.Option(_REGISTRY, expose_value=False, **_registry_words()))


def _registry_words() -> dict[str, Any]:
    text = "Registry to use: an alias or a URL (default: the current one)."
    return {"metavar": "ALIAS|URL", "default": None, "help": text, "callback": _choose}


def _choose(context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Keep the choice for the whole command line; what stands behind the command outweighs what stands before it."""
    if value is not None:
        context.meta[CHOSEN] = value
    chosen: str | None = context.meta.get(CHOSEN)
    return chosen


def json_option(function: F) -> F:
    """Add `--json`: print one JSON document instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


def yes_option(function: F) -> F:
    """Add `--yes`: no confirmations."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(function)


def host_option(function: F) -> F:
    """Add `--host`: what kind of host stands behind an address."""
    kinds = ("plain", "github", "gitlab", "forgejo", "pagure", "other")
    text = "What kind of host it is, where neither its name nor its answers say."
    return click.option("--host", type=click.Choice(kinds), default=None, help=text)(function)


def dry_run_option(function: F) -> F:
    """Add `--dry-run`: say what would be written or sent, and write and send nothing."""
    return click.option("--dry-run", is_flag=True, help="Show what would happen; write and send nothing.")(function)


def light_option(function: F) -> F:
    """Add `--light`: of a large registry fetch only what is read."""
    text = "Fetch only what is read, and believe main as it stands now; the address must bear the registry's id."
    return click.option("--light", is_flag=True, help=text)(function)
