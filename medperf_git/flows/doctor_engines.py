"""Look for container engines: which answer, and what the probe finds of their sandbox."""

import shutil
from collections.abc import Iterator

from medperf_git.errors import MedperfGitError, Refused
from medperf_git.flows.bench import sandbox_cache
from medperf_git.flows.context import Context
from medperf_git.flows.house_examined import Examined
from medperf_git.runner.engine import Engine, Profile
from medperf_git.runner.engines import ENGINES, open_engine

_WHAT = "container engine"


def engines(context: Context) -> Iterator[Examined]:
    """Look at every engine whose command is here; one that holds the strict sandbox is enough."""
    found = [name for name in ENGINES if shutil.which(name)]
    if not found:
        remedy = "install Docker, Podman or Apptainer; needed to test and run containers only"
        yield Examined("warn", _WHAT, f"none of the commands {', '.join(ENGINES)}", remedy)
        return
    looked = [_look(context, name) for name in found]
    holds = any(one.state == "ok" for lines in looked for one in lines)
    for lines in looked:
        for one in lines:
            # What lacks beside an engine that is well is told, and is no fault of this machine.
            yield Examined("ok", one.what, f"{one.found}; {one.remedy}") if holds and one.state != "ok" else one


def _look(context: Context, name: str) -> list[Examined]:
    try:
        engine = open_engine(name)
    except MedperfGitError as problem:
        return [Examined("warn", _WHAT, f"{name}: {problem.message}", problem.hint)]
    try:
        return _probed(context, engine, name)
    except MedperfGitError as problem:
        return [Examined("warn", _WHAT, f"{name}: {problem.message}", problem.hint)]
    finally:
        engine.close()


def _probed(context: Context, engine: Engine, name: str) -> list[Examined]:
    info = engine.info()
    about = f"{name} {info.version}{', rootless' if info.rootless else ''}"
    try:
        # A home folder that is not there yet is not made just to look.
        cache = sandbox_cache(context) if context.home.exists() else None
        warnings = engine.check_sandbox(Profile.STRICT, cache=cache)
    except Refused as refused:
        return [Examined("warn", _WHAT, f"{about}: {refused.message}", refused.hint)]
    noted = f"; {'; '.join(warnings)}" if warnings else ""
    return [Examined("ok", _WHAT, f"{about}, keeps the strict sandbox{noted}")]
