"""An engine that was looked at, with the site's limits, ready to run tasks; closed and stopped however it ends."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.flows.settings import RunSettings
from medperf_git.runner.engine import Engine
from medperf_git.runner.engines import open_engine
from medperf_git.runner.staging import remove_tree
from medperf_git.runner.tasks import Bench


@contextlib.contextmanager
def opened_engine(context: Context, settings: RunSettings) -> Iterator[Engine]:
    """Connect to the engine, remove what a client that is gone left there, and see that the sandbox holds."""
    engine = open_engine(settings.engine)
    try:
        for name in engine.reap():
            context.say(f"removed the container {name}, left by a command that is gone")
        cache = private_folder(context.home / "cache")
        for warning in engine.check_sandbox(settings.profile, cache=cache):
            context.say(f"warning: {warning}")
        yield engine
    finally:
        engine.close()


@contextlib.contextmanager
def opened_bench(context: Context, settings: RunSettings, *, scratch: Path | None = None) -> Iterator[Bench]:
    """Open an engine with a scratch folder of our own for tests and preparation; both are gone afterwards."""
    folder = private_folder(scratch or context.home / "scratch" / f"bench-{threading.get_ident():x}")
    stop = threading.Event()
    try:
        with opened_engine(context, settings) as engine:
            limits = settings.limits(engine.info())
            yield Bench(engine=engine, limits=limits, scratch=folder, stop=stop, gpus=settings.gpus)
    finally:
        stop.set()
        remove_tree(folder)
