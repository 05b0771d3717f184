"""Options that many commands share, written once so that they mean the same everywhere."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def registry_option(function: F) -> F:
    """Add `-R/--registry`: which registry, by alias or URL; given before or after the command."""
    text = "Registry to use: an alias or a URL (default: the current one)."
    return click.option("-R", "--registry", metavar="ALIAS|URL", default=None, help=text)(function)


def json_option(function: F) -> F:
    """Add `--json`: print one JSON document instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


def yes_option(function: F) -> F:
    """Add `--yes`: no confirmations."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(function)


def dry_run_option(function: F) -> F:
    """Add `--dry-run`: say what would be written or sent, and write and send nothing."""
    return click.option("--dry-run", is_flag=True, help="Show what would happen; write and send nothing.")(function)
