"""The context of one command: home folder, clock, the person at the terminal, the chosen registry.

context = open_context(yes=yes)          # for what needs no registry
workspace = open_workspace(yes=yes)      # the chosen registry, as last verified
"""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from medperf_git.cli.options import CHOSEN
from medperf_git.cli.output import say
from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.wording import escape

if TYPE_CHECKING:
    from medperf_git.flows.context import Context
    from medperf_git.flows.workspace import Workspace
    from medperf_git.forge.patience import Patience


class TerminalPerson:
    """Asks the person at the terminal; a run without one is told so, not left hanging."""

    def passphrase(self, prompt: str) -> str:
        """Ask for a passphrase without showing it."""
        _need_terminal("a passphrase is needed", "load the key into ssh-agent with `ssh-add`, then run this again")
        return str(click.prompt(escape(prompt), hide_input=True, err=True, default="", show_default=False))

    def new_passphrase(self, prompt: str) -> str:
        """Ask twice for the passphrase of a new key without showing it."""
        _need_terminal("a passphrase for a new key is asked for", "with --yes the key is made without one")
        options: dict[str, Any] = {"hide_input": True, "err": True, "default": "", "show_default": False}
        return str(click.prompt(escape(prompt), confirmation_prompt=True, **options))

    def confirm(self, question: str) -> bool:
        """Ask yes or no; no is the default."""
        _need_terminal("a confirmation is needed", "run it again with --yes")

        return bool(click.confirm(escape(question), default=False, err=True))


def open_context(registry: str | None = None, *, yes: bool = False) -> "Context":
    """Build the context of this command; `registry` is one that it names itself, else what `-R` said counts."""
    from medperf_git.flows.context import Context  # noqa: PLC0415
    from medperf_git.flows.home import home_folder  # noqa: PLC0415

    here = click.get_current_context(silent=True)
    chosen = registry or (here.meta.get(CHOSEN) if here else None) or os.environ.get("MEDPERF_GIT_REGISTRY") or None
    return Context(
        home=home_folder(os.environ),
        clock=now,
        person=TerminalPerson(),
        say=say,
        registry=chosen,
        environ=dict(os.environ),
        assume_yes=yes,
        patience=patience(),
    )


def open_workspace(
    registry: str | None = None, *, yes: bool = False, refresh: bool = False, healing: bool = False
) -> "Workspace":
    """Open the chosen registry; with `refresh`, fetch and verify what is new first.

    `healing` is for the commands by which maintainers mend a registry: an invalid step is said, and does not end them.
    """
    from medperf_git.flows.workspace import Workspace  # noqa: PLC0415

    workspace = Workspace.open(open_context(registry, yes=yes), healing=healing)
    if refresh:
        workspace.refresh()
    if workspace.broken is not None:
        say(f"note: {workspace.broken.message}")
    return workspace


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def patience() -> "Patience":
    """Return how long a forge is waited for."""
    from medperf_git.forge.patience import Patience  # noqa: PLC0415

    return Patience()


def _need_terminal(what: str, hint: str) -> None:
    if not sys.stdin.isatty():
        raise EnvironmentProblem(f"{what}, and there is no terminal to ask at", hint=hint)
