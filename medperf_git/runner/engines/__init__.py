"""Container engines by name; the one dictionary that `--engine`, help and documents read."""

import os
from collections.abc import Callable
from typing import TypeAlias

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.runner.engine import Engine
from medperf_git.runner.mirrors import Mirror


def _docker(mirrors: tuple[Mirror, ...]) -> Engine:
    from medperf_git.runner.engines.docker import DockerEngine  # noqa: PLC0415  (its library is slow to import)

    return DockerEngine.connect("docker", mirrors=mirrors)


def _podman(mirrors: tuple[Mirror, ...]) -> Engine:
    from medperf_git.runner.engines.docker import DockerEngine  # noqa: PLC0415  (its library is slow to import)

    return DockerEngine.connect("podman", mirrors=mirrors)


def _apptainer(mirrors: tuple[Mirror, ...]) -> Engine:
    from medperf_git.runner.engines.apptainer import ApptainerEngine  # noqa: PLC0415  (seldom the engine)

    return ApptainerEngine.connect(mirrors=mirrors)


Open: TypeAlias = Callable[[tuple[Mirror, ...]], Engine]
ENGINES: dict[str, Open] = {"docker": _docker, "podman": _podman, "apptainer": _apptainer}
DEFAULT_ENGINE = "docker"


def open_engine(name: str = DEFAULT_ENGINE, *, mirrors: tuple[Mirror, ...] = ()) -> Engine:
    """Connect to the engine of that name; EnvironmentProblem when it does not answer, or on Windows itself.

    `mirrors` are other places where images are asked for first.
    """
    if name not in ENGINES:
        raise UsageProblem(f"there is no engine {name!r}", hint=f"choose one of: {', '.join(ENGINES)}")
    if os.name != "posix":
        hint = "install it in WSL2 and repeat there; reading, signing and submitting work here"
        raise EnvironmentProblem("containers are run from Linux", hint=hint)
    return ENGINES[name](mirrors)
