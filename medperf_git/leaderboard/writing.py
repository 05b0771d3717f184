"""A site's files → a folder on disk, in place of an older site there."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem


def write_site(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], out: Path) -> int:
    """Put a site at `out`, in place of an older site; return how many files it has.

    Files are written as they come. UsageProblem: the folder holds anything else. EnvironmentProblem: the disk refuses.
    """
    out = out.absolute()
    if out.exists() and not is_site(out):
        raise UsageProblem(f"{out} holds something that is no site of ours", hint="choose a new or empty folder")
    pairs = files.items() if isinstance(files, Mapping) else files
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as waiting:
            fresh, old = Path(waiting) / "new", Path(waiting) / "old"
            number = 0
            for number, (name, data) in enumerate(pairs, start=1):  # noqa: B007 - counted for the caller
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(data)
            if out.exists():
                out.rename(old)
            fresh.rename(out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"the site could not be written to {out}: {error.strerror}", hint="check free space and permissions"
        ) from error
    return number


def is_site(folder: Path) -> bool:
    """Tell whether a folder is empty or holds a site that this program made."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        index = json.loads((folder / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("made_by") == "medperf-git leaderboard"
