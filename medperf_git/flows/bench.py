"""An engine with the site's limits, ready to run tasks; closed, stopped and cleaned however it ends."""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.flows.settings import RunSettings
from medperf_git.records.digests import bare_hex
from medperf_git.records.models import Asset
from medperf_git.runner.engine import Engine
from medperf_git.runner.engines import open_engine
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.staging import remove_tree
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack


@contextlib.contextmanager
def opened_engine(settings: RunSettings) -> Iterator[Engine]:
    """Connect to the engine, and let go of it afterwards."""
    engine = open_engine(settings.engine)
    try:
        yield engine
    finally:
        engine.close()


@contextlib.contextmanager
def opened_bench(context: Context, settings: RunSettings, *, run_id: str = "") -> Iterator[Bench]:
    """Open an engine with a scratch folder of its own; the folder is gone afterwards, and an older one before."""
    folder = context.home / "scratch" / (run_id or secrets.token_hex(8))
    remove_tree(folder)
    private_folder(folder)
    stop = threading.Event()
    try:
        with opened_engine(settings) as engine:
            yield Bench(
                engine=engine,
                limits=settings.limits(engine.info()),
                scratch=folder,
                stop=stop,
                fetch=lambda asset: fetch(context, asset),
                unpack=lambda asset: unpack(fetch(context, asset), _unpacked(context, asset)),
                gpus=settings.gpus,
                run_id=run_id,
            )
    finally:
        stop.set()
        remove_tree(folder)


def check_engine(context: Context, engine: Engine, settings: RunSettings) -> None:
    """Remove what a client that is gone left on the engine, and see that the sandbox holds; say what is weak."""
    for name in engine.reap():
        context.say(f"removed the container {name}, left by a command that is gone")
    for warning in engine.check_sandbox(settings.profile, cache=sandbox_cache(context)):
        context.say(f"warning: {warning}")


def sandbox_cache(context: Context) -> Path:
    """Return where it is kept that an engine's sandbox was probed."""
    return private_folder(context.home / "cache")


def fetch(context: Context, asset: Asset, *, base: Path | None = None) -> Path:
    """Return the verified file that a record names, fetched once."""
    return fetch_asset(asset, context.home / "cache" / "assets", base=base)


def _unpacked(context: Context, asset: Asset) -> Path:
    return context.home / "cache" / "unpacked" / bare_hex(asset.digest)
