import tarfile

import pytest

from medperf_git.errors import IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.benchmarks import (
    NewBenchmark,
    build_benchmark,
    demo_path,
    drafts_of,
    load_mapping,
    metrics_from_results,
    render_draft,
)
from medperf_git.flows.demodata import asset_of, check_asset, opened
from medperf_git.flows.naming import at_ref
from medperf_git.flows.policies import PolicyWish, build_policy_change
from medperf_git.flows.settings import RunSettings, parse_duration, parse_size
from medperf_git.records import models as m
from medperf_git.records.folds import policy_state
from medperf_git.records.names import Ref
from medperf_git.runner.engine import EngineInfo
from tests.support.flows_world import ANA, TIME, world


def demo(folder):
    (folder / "raw.csv").write_text("1\n")
    (folder / "paths.yaml").write_text("data_path: .\nlabels_path: .\n")
    with tarfile.open(folder / "demo.tar.gz", "w:gz") as archive:
        archive.add(folder / "raw.csv", "raw.csv")
        archive.add(folder / "paths.yaml", "paths.yaml")
    return folder / "demo.tar.gz"


def wish(folder, **more):
    given = {"data_preparator": "prepare", "reference_model": "base", "metrics_cube": "score", **more}
    return NewBenchmark(name="cells", demo_data=demo(folder), **given)


def test_a_draft_is_filled_into_a_record_with_its_first_policy(tmp_path):
    made = world()
    text = render_draft(wish(tmp_path))
    record = build_benchmark(made.view, text, tmp_path, member=ANA, created=TIME)
    assert record.ref == Ref("ana", "cells", 1)
    assert record.data_preparator == at_ref(made.view, m.Cube, Ref("ana", "prepare", 1)).reference
    assert record.demo_data.url == "demo.tar.gz"
    assert demo_path(text, tmp_path) == tmp_path / "demo.tar.gz"
    policy = PolicyWish(committee=["bob", "ana"], change_threshold=2, auto_approve_models="always", min_cases=20)
    for draft in drafts_of(record, policy, member=ANA, created=TIME):
        made.put(draft)
    state = policy_state(made.view, record.ref)
    assert (state.committee, state.thresholds.change, state.disclosure.min_cases) == (("ana", "bob"), 2, 20)
    assert state.auto_approve.models.mode == "always"


def test_a_second_version_names_the_one_before(tmp_path):
    made = world()
    made.benchmark()
    record = build_benchmark(made.view, render_draft(wish(tmp_path)), tmp_path, member=ANA, created=TIME)
    assert (record.version, record.predecessor.ref.version) == (2, 1)


def test_science_stays_as_it_was_written(tmp_path):
    science = (
        "title: T\ndescription: D\nmetrics:\n- {id: auroc, title: A, path: /a, unit: 1, range: {min: 0.0, max: 1.5},"
    )
    science += " direction: higher, decimals: 3, undefined: missing, reduction: none, sd: false}\n"
    science += "ranking: {rule: mean-of-sites, version: 1, metrics: [auroc], weights: equal, missing: worst, seed: 1}\n"
    record = build_benchmark(
        world().view, render_draft(wish(tmp_path, science=science)), tmp_path, member=ANA, created=TIME
    )
    assert record.metrics[0].unit == "1"
    assert str(record.metrics[0].range.max) == "1.5"


def test_a_cube_of_another_role_is_refused(tmp_path):
    text = render_draft(wish(tmp_path, metrics_cube="base"))
    with pytest.raises(Refused, match="is a model"):
        build_benchmark(world().view, text, tmp_path, member=ANA, created=TIME)


def test_every_wrong_field_is_named(tmp_path):
    text = (
        render_draft(wish(tmp_path))
        .replace(b"direction: higher", b"direction: up")
        .replace(b"decimals: 3", b"decimals: 9")
    )
    with pytest.raises(Refused) as refused:
        build_benchmark(world().view, text, tmp_path, member=ANA, created=TIME)
    assert "/metrics/0/direction" in str(refused.value)
    assert "/metrics/0/decimals" in str(refused.value)


@pytest.mark.parametrize("text", [b"- a\n", b"a: [\n", b"name: Cells\n", b"name: cells\n"])
def test_a_file_that_is_no_benchmark_is_refused(text, tmp_path):
    with pytest.raises(UsageProblem):
        build_benchmark(world().view, text, tmp_path, member=ANA, created=TIME)


def test_metrics_are_proposed_from_a_results_file():
    text, left_out = metrics_from_results(b"auroc: 0.9\nname: x\nBrier score: 0.1\n")
    value = load_mapping(text.encode(), "it")
    assert left_out == ("/name: text",)
    assert [metric["id"] for metric in value["metrics"]] == ["auroc", "brier-score"]
    assert value["ranking"]["metrics"] == ["auroc"]


def test_a_later_policy_keeps_what_is_not_said():
    made = world()
    benchmark = made.benchmark()
    draft = build_policy_change(made.view, benchmark, PolicyWish(min_cases=30), created=TIME)
    assert (draft.path[-9:], draft.record.disclosure.min_cases, draft.record.committee) == (
        "0002.yaml",
        30,
        ("ana", "bob"),
    )
    with pytest.raises(UsageProblem, match="nothing would change"):
        build_policy_change(made.view, benchmark, PolicyWish(), created=TIME)
    with pytest.raises(UsageProblem, match="threshold"):
        build_policy_change(made.view, benchmark, PolicyWish(change_threshold=3), created=TIME)


def test_demo_data_is_checked_and_unpacked(tmp_path):
    path = demo(tmp_path)
    asset = asset_of(path)
    check_asset(path, asset)
    with opened(path, tmp_path) as unpacked:
        assert (unpacked.data / "raw.csv").read_text() == "1\n"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(IntegrityBroken):
        check_asset(path, asset)


def test_demo_data_that_points_outside_is_refused(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    (folder / "paths.yaml").write_text("data_path: ../..\nlabels_path: .\n")
    with pytest.raises(UsageProblem, match="not in it"), opened(folder, tmp_path):
        pass


@pytest.mark.parametrize(("text", "size"), [("4g", 4 * 1024**3), ("512m", 512 * 1024**2), ("10", 10), ("1.5k", 1536)])
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172800), ("5s", 5)])
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "-5"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(UsageProblem):
        parse_size(text)
    with pytest.raises(UsageProblem):
        parse_duration(text)


def test_limits_follow_the_host_unless_the_site_says_more():
    info = EngineInfo(name="docker", version="1", identity="x", cpus=2, memory_bytes=1000, platform="linux/amd64")
    assert RunSettings(max_parallel=2).limits(info).memory_bytes == 400
    assert RunSettings(memory_bytes=300, wall_seconds=5.0).limits(info).wall_seconds == 5.0
    with pytest.raises(UsageProblem):
        RunSettings(memory_bytes=2000).limits(info)
