"""The trial run of a benchmark's reference model on a dataset before it asks to join: its option, its words."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medperf_git.cli.output import echo_text

if TYPE_CHECKING:
    from medperf_git.flows.naming import Found
    from medperf_git.flows.settings import RunSettings
    from medperf_git.flows.workspace import Workspace
    from medperf_git.records.models import Benchmark, Dataset

F = TypeVar("F", bound=Callable[..., Any])


def no_trial_option(function: F) -> F:
    """Add `--no-trial`: ask without running the reference model on the dataset first."""
    text = "Do not run the reference model on the dataset first, say where this machine runs no containers."
    return click.option("--no-trial", is_flag=True, help=text)(function)


def try_on_data(
    workspace: "Workspace",
    benchmark: "Found[Benchmark]",
    dataset: "Found[Dataset]",
    settings: "RunSettings",
    *,
    dry_run: bool,
) -> None:
    """Run the reference model on a dataset, and show what came of it."""
    from medperf_git.flows.rehearsing import rehearse  # noqa: PLC0415  (loads the runner)

    if dry_run:
        echo_text(f"the reference model would first run on {dataset.ref}, where its data lie here")
        return
    for line in rehearse(workspace, benchmark, dataset, settings).lines():
        echo_text(line)
