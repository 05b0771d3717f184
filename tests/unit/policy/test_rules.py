"""Each rule: an accepted example, a refused example, its message golden; and none that could be removed unnoticed."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medperf_git.policy.judge import judge
from medperf_git.policy.rules import RULES
from medperf_git.policy.verdict import Outcome
from medperf_git.records import models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.names import Ref
from medperf_git.records.view import MemoryView
from tests.support.registry_builder import NORTH, REFERENCE, House, join, settled, value, values

from .examples import RULE_EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
BY_ID = {rule.id: rule for rule in RULES}
REFUSED = [(rule, name) for rule, found in RULE_EXAMPLES.items() for name in found.refused]


def shown(finding: Finding) -> str:
    fields = finding.as_value()
    return "\n".join(f"  {name}: {fields[name]}" for name in fields)


def test_every_rule_has_an_accepted_and_a_refused_example() -> None:
    assert list(BY_ID) == [rule.id for rule in RULES], "two rules share an id"
    assert set(RULE_EXAMPLES) == set(BY_ID)
    assert all(found.refused for found in RULE_EXAMPLES.values())


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(BY_ID)


@pytest.mark.parametrize("rule", BY_ID)
def test_the_accepted_example_passes(rule: str) -> None:
    verdict = RULE_EXAMPLES[rule].accepted(settled()).judge()
    assert verdict.findings == ()
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(("rule", "name"), REFUSED)
def test_the_refused_example_is_refused_by_its_rule(rule: str, name: str) -> None:
    change = RULE_EXAMPLES[rule].refused[name](settled()).change()
    own = judge(change, rules=(BY_ID[rule],)).findings
    assert name.partition(":")[0] in {finding.rule for finding in own}
    verdict = judge(change)
    assert set(own) <= set(verdict.findings)
    waits = all(finding.severity is Severity.NEEDS_PERSON for finding in verdict.findings)
    assert verdict.outcome is (Outcome.NEEDS_PERSON if waits else Outcome.FAIL)


@pytest.mark.parametrize(("rule", "name"), REFUSED)
def test_a_rule_that_is_removed_is_missed(rule: str, name: str) -> None:
    change = RULE_EXAMPLES[rule].refused[name](settled()).change()
    own = set(judge(change, rules=(BY_ID[rule],)).findings)
    whole = judge(change)
    less = judge(change, rules=tuple(one for one in RULES if one.id != rule))
    assert own
    assert not own & set(less.findings), "another rule says the same thing: one of them is too many"
    assert (less.outcome, less.findings) != (whole.outcome, whole.findings)


@pytest.mark.parametrize("rule", BY_ID)
def test_the_words_of_a_refusal_are_golden(rule: str) -> None:
    """With UPDATE_GOLDEN=1 the files are written anew; read the difference before you commit it."""
    parts = []
    for name, example in RULE_EXAMPLES[rule].refused.items():
        found = judge(example(settled()).change(), rules=(BY_ID[rule],)).findings
        parts.append(f"# {name}\n" + "\n".join(map(shown, found)) + "\n")
    text, path = "\n".join(parts), GOLDEN / f"{rule}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("rule", BY_ID)
def test_every_finding_says_what_to_do(rule: str) -> None:
    for example in RULE_EXAMPLES[rule].refused.values():
        for finding in judge(example(settled()).change()).findings:
            assert finding.message
            assert finding.fix


def bucketed(*, low: int, high: int) -> tuple[House, Ref]:
    """Return a registry that publishes ranges, and an approved dataset with one."""
    house, ref = settled(), Ref("south", "clinic", 1)
    house.merge(house.propose(house.policy_now(disclosure=models.Disclosure(15, 3, "bucket"))).sign("dora", "emil"))
    house.merge(house.propose(house.dataset(ref, cases=models.Cases(low=low, high=high))).sign("south"))
    return join(house, ref), ref


@pytest.mark.parametrize(
    ("high", "entry", "outcome"),
    [
        (19, value("0.9", n=None), Outcome.PASS),  # perhaps 17: the site knows
        (14, value("0.9", n=None), Outcome.FAIL),
        (19, models.MetricValue(n_failed=0, n_undefined=0), Outcome.PASS),  # perhaps 12, and held back
        (19, models.MetricValue(n_failed=20), Outcome.FAIL),
    ],
)
def test_where_numbers_are_ranges_only_what_cannot_be_is_refused(
    high: int, entry: models.MetricValue, outcome: Outcome
) -> None:
    house, ref = bucketed(low=10, high=high)
    found = {"auroc": entry, "brier": models.MetricValue(n_failed=1)}
    result = house.result(ref, cases=models.Cases(low=10, high=high), values=found)
    assert house.propose(result).sign("south", "south:2").judge().outcome is outcome


@pytest.mark.parametrize(("n", "outcome"), [(60, Outcome.PASS), (61, Outcome.FAIL)])
def test_failed_cases_that_enter_as_the_worst_value_are_among_n(n: int, outcome: Outcome) -> None:
    house = settled()
    first = house.benchmark()
    metrics = tuple(replace(metric, undefined="worst") for metric in first.metrics)
    benchmark = house.benchmark(Ref("dora", "heart", 2), metrics=metrics)
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    policy = house.first_policy(benchmark, auto_approve=always)
    house.merge(house.propose(benchmark, policy).sign("dora", "emil"))
    reference = house.benchmark_reference(benchmark.ref)
    names = {"benchmark": reference, "policy": house.digest("benchmarks/dora/heart/2/policy/0001.yaml")}
    house.merge(house.propose(house.event("request", by="north", subject=NORTH, **names)).sign("north"))
    found = values(auroc=value("0.9", n=n, n_failed=2, n_undefined=1))
    result = house.result(NORTH, REFERENCE, benchmark=reference, values=found)
    assert house.propose(result).sign("north").judge().outcome is outcome


def test_a_finding_about_a_part_of_a_record_says_on_which_line_it_stands() -> None:
    change = RULE_EXAMPLES["values"].refused["range"](settled()).change()
    (finding,) = judge(change).findings
    assert change.added[finding.path].split(b"\n")[finding.line - 1] == b"    value: 1.2"


@pytest.mark.parametrize("moment", [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)])
def test_a_result_at_the_first_and_at_the_last_moment_is_taken(moment: datetime) -> None:
    house = settled()
    times = {"opens": "2026-11-01T00:00:00Z", "closes": "2026-12-01T00:00:00Z"}
    house.merge(house.propose(house.policy_now(**times)).sign("dora", "emil"))
    assert house.propose(house.result()).sign("north").later(moment).judge().outcome is Outcome.PASS


def test_a_mended_benchmark_names_the_withdrawn_one_it_mends() -> None:
    house = settled()
    old = house.benchmark_reference()
    path = "benchmarks/dora/heart/1/benchmark.yaml"
    house.merge(house.propose(house.notice("withdraw", path, by="dora")).sign("dora", "emil"))
    benchmark = house.benchmark(Ref("dora", "heart", 2), predecessor=old)
    proposal = house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil")
    assert proposal.judge().outcome is Outcome.PASS


def test_an_encryption_key_is_nobody_elses_either() -> None:
    house = settled()
    mine = models.KeyEntry("age1" + "q" * 58)
    own = house.member_now("north", keys=replace(house.member_now("north").keys, encryption=(mine,)))
    house.merge(house.propose(own).sign("north"))
    other = house.member_now("moa", keys=replace(house.member_now("moa").keys, encryption=(mine,)))
    verdict = house.propose(other).sign("moa").judge()
    assert {finding.rule for finding in verdict.findings} == {"key"}


def test_what_git_cannot_read_is_said_once() -> None:
    change = settled().propose().fault("git-object").change()
    nothing = replace(change, before=MemoryView({}), after=MemoryView({}))
    assert [finding.rule for finding in judge(nothing).findings] == ["git-object"]


def test_a_fault_under_an_unknown_name_is_not_lost() -> None:
    assert settled().propose().fault("never-heard-of").judge().outcome is Outcome.FAIL


def test_a_request_names_the_very_bytes_of_its_subject() -> None:
    house = settled()
    request = house.event("request", by="south", digest=digest_of(b"other bytes"))
    verdict = house.propose(request).sign("south").judge()
    assert {finding.rule for finding in verdict.findings} == {"reference"}


def test_an_approval_of_what_was_withdrawn_meanwhile_is_refused() -> None:
    house = settled()
    house.merge(house.propose(house.event("request", by="south")).sign("south"))
    house.merge(house.propose(house.notice("withdraw", "datasets/south/wards/1.yaml", by="south")).sign("south"))
    approval = house.event("approve", by="dora", side="committee")
    verdict = house.propose(approval).sign("dora").judge()
    assert {finding.rule for finding in verdict.findings} == {"withdrawn"}
