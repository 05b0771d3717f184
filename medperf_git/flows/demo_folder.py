"""The folder of a demo: it bears a mark, and only a folder that bears it is ever emptied."""

import shutil
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem

MARK = ".medperf-git-demo"
_HINT = "remove it, or choose another --out"


def refuse_others(folder: Path) -> Path:
    """Return the folder where it is new, empty or an earlier demo's; UsageProblem where it is anybody else's."""
    try:
        others = folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file()
    except OSError as error:
        raise UsageProblem(f"{folder} is no folder of yours: {error.strerror}", hint="choose another --out") from error
    if others:
        raise UsageProblem(f"{folder} is there already and is not empty", hint=_HINT)
    return folder


def make_empty(folder: Path) -> None:
    """Make the folder, without what an earlier demo left in it; EnvironmentProblem where the disk refuses.

    It bears the mark from its first moment on and keeps it, so that the next demo removes what this one could not.
    """
    place = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()
        for place in folder.iterdir():
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            elif place.name != MARK:
                place.unlink()
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise EnvironmentProblem(f"{place} cannot be made empty ({why})", hint=_HINT) from error
