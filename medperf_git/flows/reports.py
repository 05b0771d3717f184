"""One verdict, said in four ways: text for people, JSON for programs, annotations and Markdown for forges.

Every finding is in every report, grouped by its file, with a way to mend it. What others wrote can act on nothing:
not on a terminal or a CI log (threat T25), and in Markdown it stands in code spans only, where a forge makes no
mention, link, picture or HTML of it (T41, T49).

REPORTS["markdown"](checked)    # → the whole report, with a line feed at its end
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from medperf_git.flows.checking import Checked
from medperf_git.flows.wording import by_file, json_text, render_findings, visible
from medperf_git.policy.rules import RULES
from medperf_git.policy.verdict import Outcome
from medperf_git.records.findings import Finding, Severity

COMMENT_BYTES = 65_000  # forges refuse a comment above 65 536 characters

WORDS = {
    Outcome.PASS: "pass: it would be accepted",
    Outcome.NEEDS_PERSON: "needs a person: nothing is wrong, a signature is missing",
    Outcome.FAIL: "fail: it would be refused",
    Outcome.COULD_NOT_CHECK: "could not check: the trouble is on this side, not in the proposal",
}
_LEVELS = {Severity.ERROR: "error", Severity.NEEDS_PERSON: "warning", Severity.WARNING: "notice"}
_MARKS = {Severity.ERROR: "❌", Severity.NEEDS_PERSON: "⏳", Severity.WARNING: "⚠️"}
_FIXES = {rule.id: rule.fix for rule in RULES}
_WHOLE = "the proposal as a whole"
_CELL = 600  # characters of one value in a comment; the text report has all of them


def render_text(checked: Checked) -> str:
    """Return the report for people: files, their findings, and the verdict last."""
    lines = [*render_findings(_with_fixes(checked)), *_count(checked), WORDS[checked.verdict.outcome]]
    return "\n".join(lines) + "\n"


def render_json(checked: Checked) -> str:
    """Return the report for programs, in ASCII."""
    return json_text(checked.as_value()) + "\n"


def render_github(checked: Checked) -> str:
    """Return annotations, then the text: GitHub shows ten annotations of a step, and its log has everything."""
    lines = [annotation(finding) for finding in _with_fixes(checked)]
    return "".join(line + "\n" for line in lines) + render_text(checked)


def render_markdown(checked: Checked) -> str:
    """Return a comment of at most `COMMENT_BYTES`; what does not fit is counted."""
    head = f"### {WORDS[checked.verdict.outcome]}\n"
    blocks = list(_blocks(_with_fixes(checked)))
    room = COMMENT_BYTES - len(head.encode()) - 200  # for the last line
    said: list[str] = []
    for block in blocks:
        room -= len(block.encode())
        if room < 0:
            break
        said.append(block)
    left = sum(block.startswith("- ") for block in blocks[len(said) :])
    more = f"\n{left} more findings: `medperf-git check` names all of them.\n" if left else ""
    return head + "".join(said) + more


REPORTS: dict[str, Callable[[Checked], str]] = {
    "text": render_text,
    "json": render_json,
    "github": render_github,
    "markdown": render_markdown,
}


def annotation(finding: Finding) -> str:
    """Return a finding as a GitHub annotation, its values escaped as the workflow commands' grammar says."""
    parts = {"file": finding.path, "line": str(finding.line) if finding.line else "", "title": finding.rule}
    properties = ",".join(f"{key}={_property(value)}" for key, value in parts.items() if value)
    told = [f"{name} {value}" for name, value in (("expected", finding.expected), ("got", finding.got)) if value]
    message = finding.message + (f" ({', '.join(told)})" if told else "")
    fix = f" Fix: {finding.fix}" if finding.fix else ""
    return f"::{_LEVELS[finding.severity]} {properties}::{_data(message + fix)}"


def code(text: str) -> str:
    """Return text as one Markdown code span, in which nothing is anything but text; an empty one says so."""
    shown = visible(" ".join(text.split("\n"))).replace("`", "'").replace("##[", "#\\#[").strip()
    shown = shown if len(shown) <= _CELL else shown[: _CELL - 1] + "…"
    return f"`{shown}`" if shown else "`(empty)`"


def _with_fixes(checked: Checked) -> list[Finding]:
    """Return all findings, those without a way to mend them with that of their rule."""
    return [
        finding if finding.fix else replace(finding, fix=_FIXES.get(finding.rule, ""))
        for finding in checked.verdict.findings
    ]


def _count(checked: Checked) -> Iterable[str]:
    errors = [finding for finding in checked.verdict.findings if finding.severity is Severity.ERROR]
    if len(errors) > 1:
        yield f"{len(errors)} errors in {len({finding.path for finding in errors})} places"


def _blocks(findings: Iterable[Finding]) -> Iterable[str]:
    for path, group in by_file(findings).items():
        yield f"\n**{code(path or _WHOLE)}**\n\n"
        for finding in group:
            yield _item(finding)


def _item(finding: Finding) -> str:
    where = f"line {finding.line}: " if finding.line else ""
    pairs = (("expected", finding.expected), ("got", finding.got), ("fix", finding.fix))
    details = "".join(f"  \n  {name}: {code(value)}" for name, value in pairs if value)
    return f"- {_MARKS[finding.severity]} {where}{code(finding.message)} ({code(finding.rule)}){details}\n"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
