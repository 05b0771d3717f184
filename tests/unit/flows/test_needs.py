"""What a run needs, added up; and runs that are pruned."""

from pathlib import Path

from medperf_git.flows.amounts import duration_text, size_text
from medperf_git.flows.needs import ModelNeeds, RunNeeds
from medperf_git.records.names import Ref

GIB = 1 << 30


def needs(name: str, **fields: object) -> ModelNeeds:
    known = {"here": True, "fetch_bytes": 0, "disk_bytes": GIB, "memory_bytes": GIB, "seconds": 3600.0, "gpu": False}
    return ModelNeeds(model=Ref("ana", name, 1), **known | {"problems": ()} | fields)


def test_hours_are_those_of_the_whole_command_as_many_at_a_time_as_wished() -> None:
    models = tuple(needs(f"m{hours}", seconds=3600.0 * hours) for hours in (1, 5, 2, 2))
    assert RunNeeds(models, 1, 100 * GIB, Path("/d")).seconds == 10 * 3600
    assert RunNeeds(models, 2, 100 * GIB, Path("/d")).seconds == 5 * 3600
    assert RunNeeds(models, 2, 100 * GIB, Path("/d")).totals()["time"] == "5 h 00 min"
    assert RunNeeds((), 4, GIB, Path("/d")).seconds == 0


def test_what_nobody_knows_is_told_and_makes_a_sum_a_lower_bound() -> None:
    models = (needs("one", fetch_bytes=3 * GIB, here=False), needs("two", fetch_bytes=None, here=False, seconds=None))
    total = RunNeeds(models, 1, 100 * GIB, Path("/d")).totals()
    assert (total["fetch"], total["time"], total["image"]) == ("≥ 3.0 GiB", "≥ 1 h 00 min", "2 to be fetched")
    assert models[1].row()["fetch"] == models[1].row()["time"] == "unknown"
    assert total["unknown_times"] == 1


def test_too_little_disk_is_warned_of_before_anything_starts() -> None:
    models = (needs("one", disk_bytes=30 * GIB, fetch_bytes=5 * GIB), needs("two", disk_bytes=20 * GIB))
    alone, together = RunNeeds(models, 1, 40 * GIB, Path("/d")), RunNeeds(models, 2, 40 * GIB, Path("/d"))
    assert not any("warning" in line for line in alone.notes())
    (warning,) = together.notes()
    assert warning.startswith("warning: 55.0 GiB of disk may be needed, and 40.0 GiB may be filled at /d; make room")


def test_images_that_are_removed_after_their_last_step_need_room_for_as_many_as_run_at_once() -> None:
    models = tuple(needs(f"m{size}", here=False, disk_bytes=0, fetch_bytes=size * GIB) for size in (3, 1, 7, 5))
    assert RunNeeds(models, 2, 8 * GIB, Path("/d")).disk_bytes == 16 * GIB
    frugal = RunNeeds(models, 2, 12 * GIB, Path("/d"), low_disk=True)
    assert (frugal.disk_bytes, frugal.fetch_bytes) == (12 * GIB, 16 * GIB)
    assert list(frugal.notes()) == []


def test_a_problem_is_told_and_counted() -> None:
    models = (needs("one"), needs("two", gpu=True, problems=("needs a GPU: --gpus",)))
    assert models[1].row()["fits"] == "needs a GPU: --gpus"
    assert RunNeeds(models, 1, GIB, Path("/d")).totals()["fits"] == "1 of 2"


def test_amounts_are_written_as_people_read_them() -> None:
    assert [size_text(count) for count in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.0 TiB",
    ]  # fmt: skip
    assert [duration_text(seconds) for seconds in (0.04, 9.94, 59.4, 61, 3599, 7260, 200000)] == [
        "0.0 s", "9.9 s", "59 s", "1 min 01 s", "59 min 59 s", "2 h 01 min", "55 h 33 min",
    ]  # fmt: skip
