"""The same commit gives the same bytes: in any folder, time zone, language, hash order and number of processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from medperf_git.flows.sites import site_cache, write_from_store
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.objects import Store
from medperf_git.registry.sync import registry_id
from tests.support.golden_site import ROOT, clone_of_demo, files_under

# The locale is set as a whole, as a careless library would, so that a decimal comma would show.
PROGRAM = """
import locale, sys, time
time.tzset()
locale.setlocale(locale.LC_ALL, "")
if sys.argv.pop(1) == "comma":
    assert locale.localeconv()["decimal_point"] == ","
from medperf_git.cli.boundary import run
run()
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone_of_demo(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Make a locale with decimal commas, of the sources that Debian has; plain UTF-8 where there are none."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef"):
        made = ["localedef", "-f", "UTF-8", "-i", "de_DE", str(folder / "de_DE.UTF-8")]
        if subprocess.run(made, capture_output=True, check=False).returncode == 0:
            return {"LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
    return {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}


def built(registry: Path, out: Path, *options: str, **environ: str) -> dict[str, bytes]:
    """Build the site by the command, in a process of its own, and read it."""
    out.parent.mkdir(parents=True)
    comma = "comma" if environ.get("LC_ALL", "").startswith("de_DE") else "point"
    command = [sys.executable, "-c", PROGRAM, comma, "leaderboard", "build", "--repo", str(registry), "--out", str(out)]
    home = out.parent / "home"
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), **environ}
    done = subprocess.run([*command, *options], env=surroundings, cwd=out.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return files_under(out)


@pytest.mark.parametrize(("processes", "steps"), [(1, 3), (2, 1)])
def test_a_site_that_grew_is_the_one_built_anew_with_any_number_of_processes(
    registry: Path, tmp_path: Path, processes: int, steps: int
) -> None:
    store = Store.open(registry)
    line = list(iter_ids(line_between(store, str(store.ref("refs/heads/main")), None)))
    known, whole, grown = registry_id(store, line[0]), tmp_path / "whole" / "site", tmp_path / "grown" / "site"
    cache = site_cache(tmp_path / "home", grown)
    for commit in (line[-1 - steps], line[-1]):
        write_from_store(store, commit=commit, registry=known, out=grown, cache=cache, processes=processes)
    write_from_store(store, commit=line[-1], registry=known, out=whole, processes=3 - processes)
    anew, grew = files_under(whole), files_under(grown)
    assert list(grew) == list(anew)
    assert [name for name in anew if anew[name] != grew[name]] == []


def test_same_commit_gives_the_same_site_wherever_and_however_it_is_built(
    registry: Path, german: Mapping[str, str], tmp_path: Path
) -> None:
    one = built(
        registry, tmp_path / "a" / "site", "--no-cache", TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="0"
    )
    again = tmp_path / "another place" / "b" / "leaderboard"
    other = built(registry, again, TZ="UTC", PYTHONHASHSEED="1", **german)
    assert list(one) == list(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert len(one) > 20
