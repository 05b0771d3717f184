"""Scratch folders: one for each process, and none that outlives it."""

import subprocess
import sys
from pathlib import Path

from medperf_git.runner.scratch import own_scratch, remove_abandoned

HOLD = """
import sys
from pathlib import Path
from medperf_git.runner.scratch import own_scratch
with own_scratch(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_two_processes_have_two_folders_and_neither_takes_the_others(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        remove_abandoned(tmp_path)
        with own_scratch(tmp_path) as ours:
            assert ours != theirs
            assert ours.stat().st_mode & 0o777 == 0o700
            remove_abandoned(tmp_path)
            assert ours.is_dir()
        assert (theirs / "file").exists()
        other.kill()
    assert (theirs / "file").exists()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_of_older_versions_are_removed(tmp_path: Path) -> None:
    (tmp_path / "0123456789abcdef" / "x").mkdir(parents=True)
    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
