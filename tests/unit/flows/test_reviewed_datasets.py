"""What was reviewed of a dataset is what is signed: the same bytes, whenever it is submitted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medperf_git.errors import Refused
from medperf_git.flows.datasets import build_submission, review_dataset
from medperf_git.flows.prepared import find_prepared, save
from medperf_git.records.digests import digest_of
from medperf_git.records.record import write_record
from medperf_git.records.times import parse_time
from tests.support.flows_world import CLINIC
from tests.unit.flows.test_prepared import prepared

TIMES = ("2026-11-25T10:00:00Z", "2026-11-26T11:30:00Z", "2026-11-27T12:00:00Z")


def at_work(home: Path) -> Any:
    """Return a workspace of the clinic in which every look at the clock is a day later."""
    made, _ = prepared(home)  # type: ignore[no-untyped-call]  # of an older test
    clock: Iterator[str] = iter(TIMES)
    context = SimpleNamespace(home=home, clock=lambda: parse_time(next(clock)), say=lambda _: None)
    return SimpleNamespace(
        view=made.view, member=CLINIC, require_member=lambda: CLINIC, registry_id="mg1:" + "ab" * 32, context=context
    )


def test_the_digest_on_paper_is_the_one_that_is_signed_days_later(tmp_path: Path) -> None:
    workspace = at_work(tmp_path)
    first = review_dataset(workspace, "fresh")
    assert review_dataset(workspace, "fresh").record == first.record
    drafts, _ = build_submission(workspace, "fresh", created=TIMES[2], benchmark="ana/cells@1")
    assert digest_of(write_record(drafts[0].record)) == digest_of(first.record)
    assert {one.record.created for one in drafts} == {TIMES[0]}


def test_other_words_than_those_reviewed_are_not_sent(tmp_path: Path) -> None:
    workspace = at_work(tmp_path)
    review_dataset(workspace, "fresh")
    save(replace(find_prepared(tmp_path, "fresh"), title="Other"))
    with pytest.raises(Refused) as caught:
        build_submission(workspace, "fresh", created=TIMES[2])
    assert caught.value.hint == "review it again: medperf-git dataset review fresh"
    assert b"Other" in review_dataset(workspace, "fresh").record
    drafts, _ = build_submission(workspace, "fresh", created=TIMES[2])
    assert drafts[0].record.created == TIMES[1]


def test_a_dataset_that_nobody_reviewed_is_of_the_time_of_its_submission(tmp_path: Path) -> None:
    drafts, _ = build_submission(at_work(tmp_path), "fresh", created=TIMES[2])
    assert drafts[0].record.created == TIMES[2]
