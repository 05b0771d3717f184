"""What a preparator left when cases wait for a person, before anything of it is copied."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from medperf_git.runner.engine import GIB, Limits, Profile
from medperf_git.runner.preparation import PreparationFolder, WaitsForPerson
from medperf_git.runner.prepare import _Making
from medperf_git.runner.report import parse_report
from medperf_git.runner.tasks import Bench


def test_t21_a_link_among_unfinished_files_is_not_followed_for_the_check(tmp_path: Path) -> None:
    folder = PreparationFolder(tmp_path / "p")
    for key in ("output_path", "output_labels_path"):
        (folder.work / key).mkdir(parents=True)
    (folder.work / "output_labels_path" / "x").symlink_to("/etc")
    preparator: Any = SimpleNamespace(cube=SimpleNamespace(tasks={"sanity_check": None}))
    bench = Bench(engine=cast(Any, None), limits=Limits(memory_bytes=GIB, cpus=1), scratch=tmp_path)
    making = _Making(preparator, folder, bench, Profile.STRICT, lambda _: None, None)
    with pytest.raises(WaitsForPerson, match="x which is a symbolic link"):
        making._ask_whether_ready(parse_report(b"status: {a: -1}\nstatus_name: {a: X}\n"))
