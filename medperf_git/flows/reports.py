"""One verdict, said in four ways: text for people, JSON for programs, annotations and Markdown for forges.

Every finding is in every report, grouped by its file, with a way to mend it. What others wrote can act on nothing:
not on a terminal or a CI log (threat T25), nor in Markdown (`comment`).

REPORTS["markdown"](checked)    # → the whole report, with a line feed at its end
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from medperf_git.flows import comment
from medperf_git.flows.checking import Checked
from medperf_git.flows.wording import escape, json_text, one_line, render_findings, visible
from medperf_git.policy.rules import RULES
from medperf_git.records.findings import Finding, Severity

_LEVELS = {Severity.ERROR: "error", Severity.NEEDS_PERSON: "warning", Severity.WARNING: "notice"}
_FIXES = {rule.id: rule.fix for rule in RULES}


def render_text(checked: Checked) -> str:
    """Return the report for people: files, their findings, and the verdict last."""
    lines = [*render_findings(_with_fixes(checked)), *_count(checked), comment.HEADS[checked.verdict.outcome]]
    return "\n".join(lines) + "\n" + "".join((*_ranking(checked), *_comparison(checked)))


def render_json(checked: Checked) -> str:
    """Return the report for programs, in ASCII."""
    return json_text(checked.as_value()) + "\n"


def render_github(checked: Checked) -> str:
    """Return annotations, then the text: GitHub shows ten annotations of a step, and its log has everything."""
    lines = [annotation(finding) for finding in _with_fixes(checked)]
    return "".join(line + "\n" for line in lines) + render_text(checked)


def render_markdown(checked: Checked) -> str:
    """Return the comment under a proposal."""
    return comment.render_markdown(checked, _with_fixes(checked))


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


def _ranking(checked: Checked) -> Iterable[str]:
    if checked.ranking is None:
        return ()
    from medperf_git.flows.comparing import Style  # noqa: PLC0415  (brings numpy and scipy)
    from medperf_git.flows.ranking_words import render_difference  # noqa: PLC0415

    return render_difference(checked.ranking, Style(quote=lambda text: escape(one_line(text))))


def _comparison(checked: Checked) -> Iterable[str]:
    if checked.comparison is None:
        return ()
    from medperf_git.flows.comparing import Style, render_comparison  # noqa: PLC0415  (brings numpy and scipy)

    return render_comparison(checked.comparison, Style(quote=lambda text: escape(one_line(text))))


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
