"""A scratch folder for one process alone; those of processes that are gone are removed.

<root>/<token>.lock  held as long as its process lives     <root>/<token>/  what that process's containers see
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from medperf_git.runner.durable import locked
from medperf_git.runner.staging import private_folder
from medperf_git.runner.trees import remove_tree

_LOCK = ".lock"


@contextmanager
def own_scratch(root: Path) -> Iterator[Path]:
    """Yield an empty folder below `root` that no other process touches; it is gone afterwards."""
    private_folder(root)
    with ExitStack() as held:
        lock = _new_lock(root, held)
        folder = lock.with_suffix("")
        try:
            yield private_folder(folder)
        finally:
            remove_tree(folder)
            lock.unlink(missing_ok=True)


def _new_lock(root: Path, held: ExitStack) -> Path:
    while True:
        lock = root / (secrets.token_hex(8) + _LOCK)
        with suppress(BlockingIOError):
            held.enter_context(locked(lock))
            if lock.exists():  # else somebody took it for abandoned before it was held
                return lock


def remove_abandoned(root: Path) -> None:
    """Remove the scratch folders whose process is gone; call it when no container of theirs runs any more."""
    for entry in sorted(root.iterdir()) if root.is_dir() else ():
        lock = entry if entry.suffix == _LOCK else entry.with_suffix(_LOCK)
        if entry == lock or not lock.exists():
            _remove_unless_held(lock)


def _remove_unless_held(lock: Path) -> None:
    try:
        with locked(lock):
            remove_tree(lock.with_suffix(""))
            lock.unlink(missing_ok=True)
    except OSError:
        return  # its process lives
