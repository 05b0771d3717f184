"""Each rule: an accepted example, a refused example, its message golden; and none that could be removed unnoticed."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.policy.judge import judge
from medperf_git.policy.rule import Rule
from medperf_git.policy.rules import RULES
from medperf_git.policy.verdict import Outcome
from medperf_git.records import models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.folds import marks_of
from medperf_git.records.names import Ref
from medperf_git.records.view import MemoryView
from medperf_git.signing import age
from tests.support.registry_builder import NORTH, REFERENCE, House, Proposal, join, keys, member, settled, value, values

from .examples import RULE_EXAMPLES


def small_order() -> str:
    """Return 32 zero bytes, a point of small order, as a well-formed age recipient."""
    digits = [0] * 52
    prefix = [*(ord(letter) >> 5 for letter in "age"), 0, *(ord(letter) & 31 for letter in "age")]
    check = age._polymod([*prefix, *digits, *[0] * 6]) ^ 1
    return "age1" + "".join(age._CHARACTERS[one] for one in [*digits, *((check >> 5 * (5 - n)) & 31 for n in range(6))])


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
        (19, models.MetricValue(absent="held-back"), Outcome.PASS),  # perhaps 12
        (19, models.MetricValue(sd=0), Outcome.FAIL),  # nothing says why there is no value
        (19, models.MetricValue(n_failed=1), Outcome.FAIL),
    ],
)
def test_where_numbers_are_ranges_only_what_cannot_be_is_refused(
    high: int, entry: models.MetricValue, outcome: Outcome
) -> None:
    house, ref = bucketed(low=10, high=high)
    found = {"auroc": entry, "brier": models.MetricValue(absent="failed")}
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


@pytest.mark.parametrize("path", ["members/north/0001.yaml", "README.md"], ids=["of main", "no record"])
def test_a_finding_about_what_is_no_record_of_the_change_has_no_line(path: str) -> None:
    """A rule may point into a record of main, whose lines are not those of anything proposed."""
    found = Finding("some-rule", "points elsewhere", path=path, pointer="/title")
    rule = Rule("some-rule", "a rule", "to point", "nothing", lambda _: [found])
    assert RULE_EXAMPLES["values"].accepted(settled()).judge((rule,)).findings == (found,)


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


AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # the example of age's own manual


def encrypting(house: House, name: str, line: str = AGE) -> Proposal:
    keys = replace(house.member_now(name).keys, encryption=(models.KeyEntry(line),))
    return house.propose(house.member_now(name, keys=keys)).sign(name)


def test_an_encryption_key_that_somebody_copied_keeps_nobody_out() -> None:
    house = settled()
    house.merge(encrypting(house, "moa"))
    assert encrypting(house, "north").judge().outcome is Outcome.PASS


@pytest.mark.parametrize(
    "line",
    [
        "age1" + "b" * 58,  # no letter of Bech32
        AGE[:-1] + "q",  # one letter changed
        "age1" + "q" * 58,  # no checksum
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5fj6sv",  # a good checksum over other bytes
        small_order(),
    ],
)
def test_an_encryption_key_that_is_none_is_refused(line: str) -> None:
    assert {finding.rule for finding in encrypting(settled(), "north", line).judge().findings} <= {"key", "schema"}
    assert encrypting(settled(), "north", line).judge().outcome is Outcome.FAIL


def test_an_expired_key_signs_nothing_new_and_a_later_step_decides() -> None:
    house = settled()
    ends = datetime(2026, 12, 1, tzinfo=UTC)
    now = house.member_now("north").keys
    keys = replace(now, signing=(replace(now.signing[0], expires="2026-12-01T00:00:00Z"),))
    house.merge(house.propose(house.member_now("north", keys=keys)).sign("north"))
    result = house.propose(house.result()).sign("north")
    assert result.later(ends - timedelta(seconds=1)).judge().outcome is Outcome.PASS
    assert {one.rule for one in result.later(ends).judge().findings} >= {"signature", "unsigned"}


def test_a_result_rests_on_a_revoked_key_only_from_the_step_of_the_revocation_on() -> None:
    house = settled()
    before = house.remember()
    house.merge(house.propose(house.result()).sign("north"))
    path = "results/dora/heart/1/north.wards.1/moa.forest.1/0001.yaml"
    after = house.remember()
    for since, suspect in ((before, True), (after, False)):
        own = house.copy()
        entry = models.RevokedKey(own.member_now("north").keys.signing[0].key, since, "stolen")
        fresh = replace(own.member_now("north", revoked=(entry,)), keys=keys("north:2", recovery=["north:recovery"]))
        own.merge(own.propose(fresh).sign("north:recovery", "north:2"))
        assert (marks_of(own.view, path).suspect, marks_of(own.view, path).disputed) == (suspect, suspect)


def test_a_registry_judged_by_unknown_rules_is_not_judged_and_nobody_is_blamed() -> None:
    house = settled()
    registry = house.registry_now(rules=7)
    path = "registry/0002.yaml"
    change = house.propose().add(registry).change()
    after = MemoryView(house.files | {path: change.added[path]})
    verdict = judge(replace(house.propose(house.result()).sign("north").change(), before=after))
    assert verdict.outcome is Outcome.COULD_NOT_CHECK
    assert "newer medperf-git" in verdict.findings[0].fix


def test_t67_names_that_are_easily_taken_for_others_are_shown_to_the_maintainer() -> None:
    house = settled()
    admitted = house.propose(member("m0a")).sign("ana", "m0a", "m0a:recovery").judge()
    assert admitted.outcome is Outcome.PASS
    assert [(one.rule, one.severity) for one in admitted.findings] == [("lookalike", Severity.WARNING)]
    benchmark = house.benchmark(Ref("moa", "hearts", 1))
    policy = house.first_policy(benchmark)
    opened = house.propose(benchmark, policy).sign("dora", "emil", "moa", "ana").judge()
    assert [one.message for one in opened.findings] == ["'hearts' is easily taken for 'dora/heart'"]


def test_the_longest_chain_still_takes_what_ends_or_protects() -> None:
    house = settled()
    limits = replace(house.registry_now().limits, chain_length=1)
    house.merge(house.propose(house.registry_now(limits=limits)).sign("ana", "ben"))
    assert (
        house.propose(house.event("reject", by="emil", side="committee", subject=NORTH)).sign("emil").judge().outcome
        is Outcome.PASS
    )
    lost = house.member_now("north", status="retired")
    assert house.propose(lost).sign("north:recovery").judge().outcome is Outcome.PASS
    grown = house.member_now("north", keys=keys("north", "north:2", recovery=["north:recovery"]))
    assert house.propose(grown).sign("north", "north:2").judge().outcome is Outcome.FAIL


def test_a_committee_can_change_under_a_withdrawn_benchmark() -> None:
    house = settled()
    notice = house.notice("withdraw", "benchmarks/dora/heart/1/benchmark.yaml", by="dora")
    house.merge(house.propose(notice).sign("dora", "emil"))
    tighter = replace(house.policy_now().disclosure, min_cases=20)
    assert house.propose(house.policy_now(disclosure=tighter)).sign("dora", "emil").judge().outcome is Outcome.PASS


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
