"""Options that several of these commands share: how to run containers, how a benchmark is run."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from medperf_git.flows.policies import PolicyWish
    from medperf_git.flows.settings import RunSettings

ENGINE_OPTIONS = ("engine", "profile", "memory", "disk", "timeout", "gpus", "mirror", "low_disk")
F = TypeVar("F", bound=Callable[..., Any])

_N = click.Choice(["exact", "bucket"])
_PROFILE = click.Choice(["strict", "unlimited", "compat"])
_WHO = "NEVER|ALWAYS|MEMBERS"


def engine_options(function: F) -> F:
    """Add `--engine --profile --memory --disk --timeout --gpus --mirror --low-disk`."""
    options = (
        click.option("--engine", default="docker", show_default=True, help="docker, podman or apptainer."),
        click.option("--profile", type=_PROFILE, default="strict", show_default=True, help="Sandbox profile."),
        click.option("--memory", metavar="SIZE", help="Memory of one container, like 4g (default: 80 % of the host)."),
        click.option(
            "--disk",
            metavar="SIZE",
            help="Cap of /tmp, of the outputs and of each volume, like 50g (default: 20g, 100g, 256m).",
        ),
        click.option(
            "--timeout", metavar="DURATION", help="Wall-clock limit of one container, like 30m (default: 24h)."
        ),
        click.option("--gpus", default="", metavar="all|NUMBERS", help="GPUs that containers may use (default: none)."),
        click.option(
            "--mirror",
            multiple=True,
            metavar="FROM=TO",
            envvar="MEDPERF_GIT_MIRROR",
            help="Ask for images of FROM at TO first; the digest decides (also: MEDPERF_GIT_MIRROR).",
        ),
        click.option("--low-disk", is_flag=True, help="Remove images that were fetched after their last step."),
    )
    return _apply(function, options)


def settings_of(options: Mapping[str, Any], *, max_parallel: int = 1) -> "RunSettings":
    """Return what `engine_options` were given, as a value."""
    from medperf_git.flows.settings import DAY, RunSettings, parse_duration, parse_size  # noqa: PLC0415
    from medperf_git.runner.engine import Profile  # noqa: PLC0415
    from medperf_git.runner.mirrors import Mirror  # noqa: PLC0415

    return RunSettings(
        engine=options["engine"],
        profile=Profile(options["profile"]),
        memory_bytes=parse_size(options["memory"]) if options["memory"] else None,
        disk_bytes=parse_size(options["disk"]) if options["disk"] else None,
        wall_seconds=parse_duration(options["timeout"]) if options["timeout"] else DAY,
        max_parallel=max_parallel,
        gpus=options["gpus"],
        mirrors=tuple(map(Mirror.parse, options["mirror"])),
        low_disk=options["low_disk"],
    )


def policy_options(function: F) -> F:
    """Add what a policy says: committee, thresholds, automatic approval, dates, disclosure limits."""
    options = (
        click.option("--committee", metavar="A,B", help="Its members, separated by commas."),
        click.option("--change-threshold", type=click.IntRange(1), help="Members who must sign a change."),
        click.option("--events-threshold", type=click.IntRange(1), help="Members who must sign a decision."),
        click.option("--auto-approve-datasets", metavar=_WHO, help="Whose datasets are approved at once."),
        click.option("--auto-approve-models", metavar=_WHO, help="Whose models are approved at once."),
        click.option("--opens", metavar="TIME", help="No results before, like 2026-12-01T00:00:00Z."),
        click.option("--closes", metavar="TIME", help="No results after."),
        click.option("--min-cases", type=click.IntRange(1), help="Fewest cases a published value rests on."),
        click.option("--decimals", type=click.IntRange(0, 4), help="Most decimals of a published value."),
        click.option("--n", type=_N, help="How numbers of cases are written."),
    )
    return _apply(function, options)


def wish_of(options: Mapping[str, Any]) -> "PolicyWish":
    """Return what `policy_options` were given, as a value."""
    from medperf_git.flows.policies import PolicyWish  # noqa: PLC0415

    committee = options["committee"]
    names = [name.strip() for name in committee.split(",") if name.strip()] if committee else None
    return PolicyWish(**{**options, "committee": names})


def _apply(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
