"""Judge a change: every rule, every finding, one verdict."""

from collections.abc import Iterator
from dataclasses import replace

from medperf_git.policy.case import Case
from medperf_git.policy.change import Change
from medperf_git.policy.form import NEWEST_RULES
from medperf_git.policy.rule import Rule
from medperf_git.policy.rules import GIT_RULES, RULE_SETS
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.findings import Finding
from medperf_git.records.record import parse_document
from medperf_git.records.strict_yaml import Document

_GIT_IDS = frozenset(rule.id for rule in GIT_RULES)


def judge(change: Change, *, rules: tuple[Rule, ...] | None = None) -> Verdict:
    """Return the verdict on a change, with every finding of every rule of the set that is in force."""
    case = Case(change)
    if rules is None:
        number = case.registry_before.rule_set if case.registry_before else NEWEST_RULES
        rules = RULE_SETS.get(number)
        if rules is None:
            message = f"this registry is judged by rules {number}, which this version does not know"
            finding = Finding("rules-version", message, fix="use a newer medperf-git")
            return Verdict(Outcome.COULD_NOT_CHECK, (finding,))
    return Verdict.of(_findings(case, rules))


def _findings(case: Case, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    for rule in rules:
        yield from (_with_line(case, finding) for finding in rule.check(case))
    # A fault under a name that no rule bears must never be lost.
    yield from (fault for fault in case.change.faults if fault.rule not in _GIT_IDS)


def _with_line(case: Case, finding: Finding) -> Finding:
    """Say on which line a finding about a part of an added record stands."""
    if finding.line or not finding.pointer or finding.path not in case.records:
        return finding
    return replace(finding, line=_document_of(case, finding.path).line_of(finding.pointer))


def _document_of(case: Case, path: str) -> Document:
    """Read an added record with the lines of its parts, once however many findings it has."""
    key = f"lines of {path}"
    if key not in case.memo:
        case.memo[key] = parse_document(case.change.added[path], case.records[path].place.kind)
    found: Document = case.memo[key]
    return found
