"""Container engines by name; the one dictionary that `--engine`, help and documents read."""

import os
from collections.abc import Callable

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.runner.engine import Engine


def _docker() -> Engine:
    from medperf_git.runner.engines.docker import DockerEngine  # noqa: PLC0415  (its library is slow to import)

    return DockerEngine.connect("docker")


def _podman() -> Engine:
    from medperf_git.runner.engines.docker import DockerEngine  # noqa: PLC0415  (its library is slow to import)

    return DockerEngine.connect("podman")


ENGINES: dict[str, Callable[[], Engine]] = {"docker": _docker, "podman": _podman}
DEFAULT_ENGINE = "docker"


def open_engine(name: str = DEFAULT_ENGINE) -> Engine:
    """Connect to the engine of that name; EnvironmentProblem when it does not answer, or on Windows itself."""
    if name not in ENGINES:
        raise UsageProblem(f"there is no engine {name!r}", hint=f"choose one of: {', '.join(ENGINES)}")
    if os.name != "posix":
        hint = "install it in WSL2 and repeat there; reading, signing and submitting work here"
        raise EnvironmentProblem("containers are run from Linux", hint=hint)
    return ENGINES[name]()
