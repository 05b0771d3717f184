"""An engine with the site's limits, ready to run tasks; closed, stopped and cleaned however it ends."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.context import Context
from medperf_git.flows.fetch_progress import FetchProgress
from medperf_git.flows.home import private_folder
from medperf_git.flows.settings import RunSettings
from medperf_git.records.digests import bare_hex
from medperf_git.records.models import Asset
from medperf_git.runner.engine import Engine
from medperf_git.runner.engines import open_engine
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.image_uses import ImageUses
from medperf_git.runner.scratch import own_scratch, remove_abandoned
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack


@contextlib.contextmanager
def opened_engine(settings: RunSettings) -> Iterator[Engine]:
    """Connect to the engine, and let go of it afterwards."""
    engine = open_engine(settings.engine, mirrors=settings.mirrors)
    try:
        yield engine
    finally:
        engine.close()


@contextlib.contextmanager
def opened_bench(context: Context, settings: RunSettings, *, run_id: str = "") -> Iterator[Bench]:
    """Open an engine with a scratch folder for this process alone; what processes that are gone left is removed."""
    stop = threading.Event()
    with opened_engine(settings) as engine:
        for name in engine.reap():
            context.say(f"removed the container {name}, left by a command that is gone")
        remove_abandoned(private_folder(context.home / "scratch"))
        with own_scratch(context.home / "scratch") as folder:
            try:
                yield Bench(
                    engine=engine,
                    limits=settings.limits(engine.info()),
                    scratch=folder,
                    stop=stop,
                    fetch=lambda asset: fetch(context, asset),
                    unpack=lambda asset: unpack(fetch(context, asset), _unpacked(context, asset)),
                    gpus=settings.gpus,
                    run_id=run_id,
                    parallel=settings.max_parallel,
                    uses=ImageUses(engine.remove_image) if settings.low_disk else ImageUses(),
                    on_fetch=FetchProgress(context.say),
                )
            finally:
                stop.set()
                if settings.low_disk:
                    _remove_brought(engine)


def _remove_brought(engine: Engine) -> None:
    """Remove the images that this command brought; what cannot be removed now stays, and stops nothing."""
    with contextlib.suppress(EnvironmentProblem):
        for image_id in engine.brought_images():
            engine.remove_image(image_id)


def check_engine(context: Context, engine: Engine, settings: RunSettings) -> None:
    """See that the engine's sandbox holds; say what is weak."""
    for warning in engine.check_sandbox(settings.profile, cache=sandbox_cache(context)):
        context.say(f"warning: {warning}")


def sandbox_cache(context: Context) -> Path:
    """Return where it is kept that an engine's sandbox was probed."""
    return private_folder(context.home / "cache")


def fetch(context: Context, asset: Asset, *, base: Path | None = None) -> Path:
    """Return the verified file that a record names, fetched once."""
    return fetch_asset(asset, assets_folder(context), base=base)


def assets_folder(context: Context) -> Path:
    """Return where files that records name are kept by their digests."""
    return context.home / "cache" / "assets"


def _unpacked(context: Context, asset: Asset) -> Path:
    return context.home / "cache" / "unpacked" / bare_hex(asset.digest)
