from dataclasses import replace
from decimal import Decimal

import pytest

from medperf_git.records import models as m
from medperf_git.records.convert import value_of
from medperf_git.records.record import check_document, read_record, write_record
from medperf_git.records.selfcheck import check_itself, value_at
from medperf_git.records.strict_yaml import parse_yaml

from .examples import ANA, BOB, COMPLETE, EXAMPLES, HOSPITAL, KEY, LATER, METRIC, MINIMAL, OTHER_KEY, TIME, digest

BENCHMARK, POLICY = "benchmarks/ana/aspirate/2/benchmark.yaml", "benchmarks/ana/aspirate/1/policy/0002.yaml"
MEMBER, DATASET, REGISTRY = "members/hospital-a/0002.yaml", "datasets/hospital-a/cohort/2.yaml", "registry/0002.yaml"
RESULT = "results/ana/aspirate/1/hospital-a.cohort.2/bob.forest.3/0002.yaml"
NOTICE = "notices/datasets/hospital-a/cohort/2/0002.yaml"


def ranking(*metrics: str) -> m.Ranking:
    benchmark = COMPLETE[BENCHMARK]
    assert isinstance(benchmark, m.Benchmark)
    return replace(benchmark.ranking, metrics=metrics)


CASES = [
    (REGISTRY, {"maintainers": (ANA, BOB, ANA)}, "duplicate-entry", "/maintainers/2"),
    (REGISTRY, {"threshold": 3}, "threshold", "/threshold"),
    (REGISTRY, {"maintainers": (ANA, "nul")}, "name", "/maintainers/1"),
    (REGISTRY, {"name": "head"}, "name", "/name"),
    (REGISTRY, {"house_files": {"members/x.yaml": digest("")}}, "house-file", "/house_files/members~1x.yaml"),
    (
        REGISTRY,
        {"house_files": {".github/.gitattributes": digest("")}},
        "house-file",
        "/house_files/.github~1.gitattributes",
    ),
    (REGISTRY, {"created": "2026-02-30T10:00:00Z"}, "time", "/created"),
    (MEMBER, {"keys": m.Keys((m.KeyEntry(KEY), m.KeyEntry(KEY)))}, "duplicate-entry", "/keys/signing/1/key"),
    (
        MEMBER,
        {"keys": m.Keys((m.KeyEntry(KEY),), (m.KeyEntry(OTHER_KEY), m.KeyEntry(KEY)))},
        "duplicate-entry",
        "/keys/recovery/1/key",
    ),
    (
        BENCHMARK,
        {"metrics": (METRIC, replace(METRIC, path="/b")), "ranking": ranking("auroc")},
        "duplicate-entry",
        "/metrics/1/id",
    ),
    (BENCHMARK, {"ranking": ranking("auroc", "auroc")}, "duplicate-entry", "/ranking/metrics/1"),
    (BENCHMARK, {"ranking": ranking("auroc", "f1")}, "ranking-metric", "/ranking/metrics/1"),
    *(
        (BENCHMARK, {"ranking": replace(ranking("dice.mean"), **changes)}, "ranking-parameter", f"/ranking/{field}")
        for field, changes in (
            ("weights", {"rule": "meta", "missing": "exclude-site", "weights": "cases"}),
            ("weights", {"weights": "sqrt-cases"}),
            ("weights", {"rule": "mean-of-sites", "weights": "capped-cases"}),
            ("missing", {"rule": "test-then-rank", "weights": "equal", "missing": "worst"}),
            ("adjust", {"adjust": "none"}),
            ("method", {"method": "PM"}),
            ("cap", {"cap": 100}),
            ("alpha", {"alpha": 0}),
        )
    ),
    (
        BENCHMARK,
        {"metrics": (replace(METRIC, range=m.Range(Decimal("0.5"), 0)),), "ranking": ranking("auroc")},
        "order",
        "/metrics/0/range/min",
    ),
    (
        BENCHMARK,
        {"metrics": (replace(METRIC, path="/a~2b"),), "ranking": ranking("auroc")},
        "json-pointer",
        "/metrics/0/path",
    ),
    (POLICY, {"committee": (ANA, ANA)}, "duplicate-entry", "/committee/1"),
    (POLICY, {"thresholds": m.Thresholds(3, 1)}, "threshold", "/thresholds/change"),
    (POLICY, {"thresholds": m.Thresholds(1, 3)}, "threshold", "/thresholds/events"),
    (POLICY, {"opens": LATER, "closes": TIME}, "order", "/opens"),
    (POLICY, {"closes": "2026-11-25T25:00:00Z"}, "time", "/closes"),
    (
        POLICY,
        {"auto_approve": m.AutoApprovals(m.AutoApproval("list", (BOB, BOB)), m.AutoApproval("never"))},
        "duplicate-entry",
        "/auto_approve/datasets/members/1",
    ),
    (
        POLICY,
        {"auto_approve": m.AutoApprovals(m.AutoApproval("never"), m.AutoApproval("list", (BOB, HOSPITAL, BOB)))},
        "duplicate-entry",
        "/auto_approve/models/members/2",
    ),
    (DATASET, {"cases": m.Cases(low=10, high=9)}, "order", "/cases/from"),
    (DATASET, {"acquisition": m.Acquisition(from_year=2020, to_year=2019)}, "order", "/acquisition/from_year"),
    (RESULT, {"cases": m.Cases(low=10, high=9)}, "order", "/cases/from"),
    (RESULT, {"started": LATER, "finished": TIME}, "order", "/started"),
    (RESULT, {"finished": "2026-11-31T10:00:00Z"}, "time", "/finished"),
    (NOTICE, {"by": "all"}, "name", "/by"),
]


@pytest.mark.parametrize(("path", "changes", "rule", "pointer"), CASES)
def test_a_record_that_contradicts_itself_is_refused(path, changes, rule, pointer):
    data = write_record(replace(EXAMPLES[path], **changes))
    reading = read_record(path, data)
    assert reading.stored is None
    (finding,) = reading.findings
    assert (finding.rule, finding.pointer, finding.path) == (rule, pointer, path)
    assert finding.message
    assert finding.fix
    last = pointer.rpartition("/")[2].replace("~1", "/")
    line = data.decode().split("\n")[finding.line - 1]
    assert last in line or (last.isdigit() and line.strip().startswith("- ")), line


@pytest.mark.parametrize(
    "path",
    [
        "notices/datasets/hospital-a/cohort/2/0001.yaml",
        "unknown/x.yaml",
        "a/../b.yaml",
        "datasets/hospital-a/cohort/0.yaml",
    ],
)
def test_a_notice_is_about_a_record_that_can_be(path):
    notice = COMPLETE[NOTICE]
    assert isinstance(notice, m.Notice)
    reading = read_record(NOTICE, write_record(replace(notice, record=m.About(path, digest("x")))))
    assert reading.findings[0].rule == "notice-subject"


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_agree_with_themselves(path):
    record = EXAMPLES[path]
    assert check_itself(parse_yaml(write_record(record)), record.KIND) == []


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (REGISTRY, {"threshold": 2}),
        (POLICY, {"opens": TIME, "closes": TIME}),
        (DATASET, {"cases": m.Cases(low=10, high=10)}),
        (DATASET, {"acquisition": m.Acquisition(to_year=2019)}),
        (BENCHMARK, {"metrics": (replace(METRIC, range=m.Range(1, 1)),), "ranking": ranking("auroc")}),
        (BENCHMARK, {"metrics": (replace(METRIC, path="/a~0b~1c/*"),), "ranking": ranking("auroc")}),
    ],
)
def test_ends_that_touch_are_in_order(path, changes):
    assert read_record(path, write_record(replace(EXAMPLES[path], **changes))).findings == ()


def test_all_contradictions_are_gathered():
    policy = MINIMAL["benchmarks/ana/aspirate/1/policy/0001.yaml"]
    broken = replace(policy, committee=(ANA, ANA), thresholds=m.Thresholds(3, 4), opens=LATER, closes=TIME)
    findings = check_document(parse_yaml(write_record(broken)), broken.KIND)
    assert sorted(finding.rule for finding in findings) == ["duplicate-entry", "order", "threshold", "threshold"]


def test_a_pointer_that_leads_nowhere_gives_nothing():
    value = value_of(COMPLETE[BENCHMARK])
    assert value_at(value, "/metrics/0/id") == "auroc"
    assert value_at(value, "/metrics/9/id") is None
    assert value_at(value, "/metrics/x") is None
    assert value_at(value, "/title/x") is None
    assert value_at(value, "/missing") is None
