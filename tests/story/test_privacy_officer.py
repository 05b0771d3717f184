"""A hospital asks for two of its own keys on every result: the engineer sends, the privacy officer reads and signs."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from medperf_git.flows.naming import at_ref
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.runner.engine import Profile
from medperf_git.runner.outcome import Outcome, outcome_to_plain
from medperf_git.runner.store import RunFolder
from tests.support.people import Human, Town, write_key
from tests.support.registry_builder import BENCHMARK, IMAGE, MODEL, NORTH
from tests.support.story import files_of, house_of, send

RESULT = "results/dora/heart/1/north.wards.1/moa.forest.1/0001.yaml"


def put_run(engineer: Human) -> str:
    """Leave a finished run of one model on the engineer's machine, as `run` would."""
    view = engineer.workspace().view
    run = RunFolder(engineer.home / "runs" / "0123456789abcdef")
    run.path.mkdir(parents=True)
    plan = {"benchmark": {"ref": str(BENCHMARK)}, "dataset": {"ref": str(NORTH)}, "cases": 60}
    (run.path / "plan.json").write_text(json.dumps(plan))
    names = [metric.id for metric in at_ref(view, m.Benchmark, BENCHMARK).record.metrics]
    outcome = Outcome(
        model=at_ref(view, m.Cube, MODEL).reference,
        outcome="complete",
        attempt=1,
        images=m.Images(IMAGE, IMAGE),
        parameters=None,
        sandbox=Profile.STRICT,
        engine=m.EngineUsed("docker", "20.10"),
        started="2026-11-25T10:00:00Z",
        finished="2026-11-25T11:00:00Z",
        infer_key=digest_of(b"i"),
        evaluate_key=digest_of(b"e"),
        values={name: m.MetricValue(value=Decimal("0.81234"), n=60) for name in names},
    )
    run.model(MODEL).write_outcome(outcome_to_plain(outcome))
    return run.run_id


@pytest.fixture
def pair(beside: Town, tmp_path: Path) -> tuple[Human, Human]:
    """The engineer and the officer of `north`, each with a key and a machine of their own."""
    engineer, officer = beside.human("north"), beside.human("officer")
    write_key(tmp_path / "officer", "the officer")
    engineer.run("member", "rotate", "--key", tmp_path / "officer.pub", "--keep", "--yes")
    (proposal,) = beside.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit").split()
    officer.run("registry", "add", beside.url)
    officer.run("sign", proposal, "--as", "north", "--key", tmp_path / "officer", "--yes")
    engineer.run("sync")
    engineer.run("member", "rotate", "--no-key", "--cosign-results", "2", "--yes")
    return engineer, officer


def test_a_result_waits_for_the_privacy_officer_who_reads_it_in_plain_words_and_signs(
    pair: tuple[Human, Human], beside: Town, tmp_path: Path
) -> None:
    engineer, officer = pair
    run = put_run(engineer)
    page, again = tmp_path / "review.html", tmp_path / "sign.html"
    said = engineer.run("review", run, "--out", page).out
    assert f"wrote {page}" in said
    assert "This house asks for 2 of its own keys" in page.read_text()
    sent = engineer.run("result", "submit", run, "--yes").out
    assert "submitted: Submit the result of moa/forest@1" in sent
    assert "waiting for: the owner north with 2 of its keys" in sent
    assert "whoever holds another key of your house reads and signs it there: medperf-git sign " in sent
    assert RESULT not in files_of(engineer.workspace().view)

    (waiting,) = officer.run("inbox", "--json").value
    assert (waiting["what"], waiting["by"]) == ("sign", "north")
    words = waiting["do"].split()[1:]
    written = officer.run(*words, "--out", again).out
    assert "nothing was signed" in written
    assert RESULT not in files_of(engineer.workspace().view)
    shown = officer.run(*words, "--dry-run").err
    assert "result of The forest container (moa/forest@1) on north/wards@1: complete; AUROC 0.812" in shown
    signed = officer.run(*words, "--yes").out
    assert "merged" in signed

    data = files_of(engineer.workspace().view)[RESULT]
    digest = str(digest_of(data)).removeprefix("sha256:")
    for paper in (page, again):
        assert digest in paper.read_text()
        assert "privacy officer" in paper.read_text()
    assert "nothing waits for you" in officer.run("inbox").out


def test_the_engineer_alone_cannot_publish_and_cannot_sign_twice(pair: tuple[Human, Human]) -> None:
    engineer, officer = pair
    run = put_run(engineer)
    engineer.run("review", run)
    engineer.run("result", "submit", run, "--yes")
    (waiting,) = officer.run("inbox", "--json").value
    refused = engineer.run("sign", waiting["proposal"], "--yes", code=1)
    assert "does not ask for your signature" in refused.err
    assert RESULT not in files_of(engineer.workspace().view)
    again = engineer.run("review", run).out
    assert "moa/forest@1: complete" in again


def test_a_dataset_waits_for_the_second_key_too_where_the_house_wants_it(
    pair: tuple[Human, Human], beside: Town, tmp_path: Path
) -> None:
    engineer, officer = pair
    engineer.run("member", "rotate", "--no-key", "--cosign-datasets", "2", "--yes")
    ref = Ref("north", "clinic", 1)
    sent = send(engineer, house_of(beside).dataset(ref))
    assert "the owner north with 2 of its keys" in sent.waits_for
    page = tmp_path / "dataset.html"
    officer.run("sign", str(ref), "--out", page)
    text = page.read_text()
    for said in ("a description of 60 cases as a group", "not salted", "This house asks for 2 of its own keys"):
        assert said in text
    signed = officer.run("sign", str(ref), "--yes")
    assert "dataset north/clinic@1 of" in signed.err
    assert "merged" in signed.out
