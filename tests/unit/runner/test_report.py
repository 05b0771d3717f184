"""A preparator's report is read whatever its form, and harms nobody."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from medperf_git.runner.report import Report, ReportCase, parse_report, placed, read_report
from medperf_git.runner.report_watch import watched

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

MEDPERF = b"""\
comment: {0: '', 1: 'Change the "verified" flag to 1', 2: ''}
data_path: {0: data.csv, 1: data.csv, 2: data.csv}
labels_path: {0: labels.csv, 1: labels.csv, 2: labels.csv}
num_changed_voxels: {0: .nan, 1: 12, 2: 0}
status: {0: 9, 1: -5.1, 2: 6}
status_name: {0: DONE, 1: UNVERIFIED_ERROR, 2: VERIFIED}
"""


def test_medperfs_table_gives_stages_and_those_who_wait() -> None:
    report = parse_report(MEDPERF)
    assert (len(report.cases), report.done, report.fault) == (3, 1, "")
    assert report.waiting == (
        ReportCase(case="1", status=-5.1, stage="UNVERIFIED_ERROR", comment='Change the "verified" flag to 1',
                   data_path="data.csv", labels_path="labels.csv"),
    )  # fmt: skip
    assert [(stage.status, stage.cases, stage.percent, stage.waits) for stage in report.stages()] == [
        (-5.1, 1, 33.3, True), (6.0, 1, 33.3, False), (9.0, 1, 33.3, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        {"p|1": {"status": -1, "status_name": "LOOK"}, "p|2": {"status": 2}},
        [{"case": "p|1", "status": -1, "status_name": "LOOK"}, {"subject": "p|2", "status": 2}],
        {"status": {"p|1": -1, "p|2": 2}, "status_name": {"p|1": "LOOK"}, "other": {"p|3": [1, {}]}},
    ],
)
def test_the_same_table_by_rows_or_as_a_list_is_read(value: object) -> None:
    assert parse_report(json.dumps(value).encode()).cases == (
        ReportCase(case="p|1", status=-1.0, stage="LOOK"), ReportCase(case="p|2", status=2.0),
    )  # fmt: skip


def test_columns_that_are_lists_are_numbered() -> None:
    assert [case.case for case in parse_report(b"status: [1, -2]").waiting] == ["1"]


def test_what_is_no_table_is_shown_as_it_is() -> None:
    assert parse_report(b"stage: 1\nnotes: [a]\n").other == ("stage: 1",)
    assert parse_report(b"just words").other == ("it is no table of cases",)
    assert parse_report(b"").cases == ()


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 50_000, b"a: &x [1]\nb: *x", b"!!python/object/apply:os.system [true]", b"\xff\xfe", b"a: 1\na: 2",
        b"? {a: 1}\n: 2", b"status: {[1, 2]: 3}", b"status: {null: 1}",
    ],
)  # fmt: skip
def test_t24_what_cannot_be_read_is_a_fault_and_no_exception(data: bytes) -> None:
    report = parse_report(data)
    assert report.fault
    assert report.cases == ()


def test_t24_odd_values_become_nothing() -> None:
    odd = {
        "a": float("nan"), "b": 10**400, "c": True, "d": "-1", "e": None, "f": [-1], "g": {"x": -1}, "h": float("-inf"),
    }  # fmt: skip
    report = parse_report(json.dumps({"status": odd, "comment": {"a": "x\n\r\ty" * 1000, "b": [1]}}).encode())
    assert [case.status for case in report.cases] == [None] * 8
    assert len(report.cases[0].comment) <= 500
    assert "\n" not in report.cases[0].comment
    assert report.waiting == ()


def test_a_report_is_read_through_no_link_and_no_pipe(tmp_path: Path) -> None:
    assert read_report(tmp_path / "none.yaml") is None
    (tmp_path / "empty.yaml").touch()
    assert read_report(tmp_path / "empty.yaml") is None
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        report = read_report(tmp_path / name)
        assert report is not None
        assert report.fault


def test_paths_of_a_container_are_found_here_and_never_outside(tmp_path: Path) -> None:
    mounts = {"/mlcommons/volumes/data": tmp_path / "data", "/mlcommons/volumes/data2": tmp_path / "two"}
    for path, there in (
        ("/mlcommons/volumes/data/p/1.nii", tmp_path / "data" / "p" / "1.nii"),
        ("/mlcommons/volumes/data", tmp_path / "data"),
        ("/mlcommons/volumes/data2/x", tmp_path / "two" / "x"),
        ("p/1.nii", tmp_path / "data" / "p" / "1.nii"),
        ("/etc/passwd", None),
        ("../../x", None),
        ("/mlcommons/volumes/data/../../x", None),
        ("a\0b", None),
        ("", None),
    ):
        assert placed(path, mounts, within=tmp_path / "data") == there


def test_a_report_is_told_when_it_changes_and_once_at_the_end(tmp_path: Path) -> None:
    seen: list[Report] = []
    told = threading.Event()

    def tell(report: Report) -> None:
        seen.append(report)
        told.set()

    path = tmp_path / "report.yaml"
    with watched(path, tell, every=0.02):
        path.write_text("status: {a: 1}")
        assert told.wait(10)
        path.write_text("status: {a: 1, b: 2}")
    assert len(seen[-1].cases) == 2
    assert 2 <= len(seen) <= 4
