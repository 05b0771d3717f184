"""Halves of downloads and archives that a killed command left, which may be large: removed after a day."""

import time
from contextlib import suppress
from pathlib import Path

from medperf_git.runner.trees import remove_tree

DAY = 86_400


def remove_leftovers(folder: Path, *, now: float | None = None) -> None:
    """Remove files and folders called `.….partial` in a folder to which nothing was written for a day."""
    before = (time.time() if now is None else now) - DAY
    for partial in folder.glob(".*.partial"):
        with suppress(OSError):  # another command removed it, or it is not ours to remove
            if partial.stat(follow_symlinks=False).st_mtime >= before:
                continue
            if partial.is_dir() and not partial.is_symlink():
                remove_tree(partial)
            else:
                partial.unlink()
