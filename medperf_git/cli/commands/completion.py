"""Completion for shells."""

import click

from medperf_git.cli.output import print_line


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; source it in its startup file."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    root = click.get_current_context().find_root().command
    found = get_completion_class(shell)
    if found is not None:
        print_line(found(root, {}, "medperf-git", "_MEDPERF_GIT_COMPLETE").source())
