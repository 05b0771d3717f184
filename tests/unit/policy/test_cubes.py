"""Tasks and mounts of containers, beside the examples of their rules."""

from medperf_git.records import models
from medperf_git.records.digests import digest_of
from tests.support import registry_builder as rb

from .examples import a_cube
from .judging import judged, messages


def test_a_task_may_have_no_mount_on_one_side() -> None:
    assert messages(a_cube(tasks={"infer": rb.task()})) == ["data_path is not mounted"]
    assert messages(a_cube(tasks={"infer": rb.task("data_path", outputs=())})) == ["output_path is not mounted"]


def test_additional_files_are_mounted_where_there_are_some() -> None:
    tasks = {"infer": rb.task("data_path", "additional_files")}
    files = models.Asset("https://example.org/weights.tar", 1000, digest_of(b"weights"))
    assert judged(a_cube(tasks=tasks, additional_files=files)).findings == ()
    assert len(judged(a_cube(tasks=tasks)).findings) == 1
