"""Tasks and mounts of containers, beside the examples of their rules."""

from medperf_git.records import models
from medperf_git.records.digests import digest_of
from tests.support import registry_builder as rb

from .examples import SCRIPT, a_cube
from .judging import judged, messages


def test_a_task_may_have_no_mount_on_one_side() -> None:
    assert messages(a_cube(tasks={"infer": rb.task()})) == ["data_path is not mounted"]
    assert messages(a_cube(tasks={"infer": rb.task("data_path", outputs=())})) == ["output_path is not mounted"]


def test_additional_files_are_mounted_where_there_are_some() -> None:
    tasks = {"infer": rb.task("data_path", "additional_files")}
    files = models.Asset("https://example.org/weights.tar", 1000, digest_of(b"weights"))
    assert judged(a_cube(tasks=tasks, additional_files=files)).findings == ()
    assert len(judged(a_cube(tasks=tasks)).findings) == 1


def test_a_script_stands_for_the_metrics_and_weights_for_a_model() -> None:
    assert judged(a_cube(role="metrics", tasks={"run_script": SCRIPT})).findings == ()
    weights = models.Asset("https://example.org/weights.tar.gz", 3, digest_of(b"abc"))
    assert judged(a_cube(tasks={"run_script": SCRIPT}, additional_files=weights)).findings == ()


def test_a_preparator_may_read_its_own_report() -> None:
    tasks = rb.TASKS["data-preparator"] | {"sanity_check": rb.task("data_path", "report_file", outputs=())}
    assert judged(a_cube(role="data-preparator", tasks=tasks)).findings == ()


def test_a_preparator_may_check_when_it_counts() -> None:
    tasks = {name: task for name, task in rb.TASKS["data-preparator"].items() if name != "sanity_check"}
    assert judged(a_cube(role="data-preparator", tasks=tasks)).findings == ()


def test_what_other_tasks_of_a_model_mount_is_their_own_business() -> None:
    tasks = {"infer": rb.task("data_path"), "train": rb.task("model_files")}
    assert judged(a_cube(tasks=tasks)).findings == ()
