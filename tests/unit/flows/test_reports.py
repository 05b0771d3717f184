"""A report names everything at once, and nothing in it acts on a terminal, a CI log or a forge (T25, T41, T49)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from medperf_git.flows.checking import Checked
from medperf_git.flows.reports import COMMENT_BYTES, REPORTS, annotation, code, render_markdown
from medperf_git.policy.rules import RULES
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.findings import Finding, Severity
from medperf_git.registry.objects import Meter

ACTIVE = [
    *("@everyone", "[a](https://x.example)", "![](https://x.example/p.png)", "<img src=x onerror=alert(1)>"),
    *("<!-- ", "-->", "https://x.example", "www.x.example", "`", "``", "```", "~~~", "$`x`$", "#1", "\n\n# h", "|"),
    *("::error::", "\r\n::add-mask::", "%0A", "##[group]", "\x1b]8;;https://x\x07", "\u202e", "\u2028", "&lt;", "\\`"),
    *("/approve", "ping @org/team", "GH-1", "a/b#2", "![[x]]", ":+1:", "<script>", "[^1]", "- [ ] x", "\t", "  \n"),
]
HOSTILE = st.lists(st.sampled_from(ACTIVE) | st.text(max_size=8), max_size=8).map("".join)
FINDINGS = st.builds(
    Finding,
    rule=st.sampled_from([rule.id for rule in RULES]),
    message=HOSTILE,
    path=HOSTILE,
    line=st.integers(0, 9),
    expected=HOSTILE,
    got=HOSTILE,
    fix=HOSTILE,
    severity=st.sampled_from(Severity),
)
FORBIDDEN = {*range(0x20), *range(0x7F, 0xA0)} - {0x0A}
OURS = "abcdefghijklmnopqrstuvwxyz :();❌⏳⚠️,0123456789-"


def checked(*findings: Finding, outcome: Outcome | None = None) -> Checked:
    verdict = Verdict(outcome, findings) if outcome else Verdict.of(findings)
    return Checked(verdict, Meter(), {"base": "a" * 40, "head": "b" * 40})


@settings(deadline=None)
@given(st.lists(FINDINGS, max_size=5))
def test_t41_t49_what_others_wrote_is_inert_in_a_comment(findings: list[Finding]) -> None:
    # A bare link or mention needs a character that `outside` may not hold; no linkifier has to guess.
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(render_markdown(checked(*findings)))
    flat = [inner for token in tokens for inner in (token, *(token.children or []))]
    kinds = {token.type for token in flat}
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "code_inline"),
        *("strong_open", "strong_close", "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
        *("hardbreak", "softbreak"),
    }
    outside = "".join(token.content for token in flat if token.type == "text")
    assert set(outside.lower()) <= set(OURS), outside


@settings(deadline=None)
@given(st.lists(FINDINGS, max_size=5), st.sampled_from(sorted(REPORTS)))
def test_t25_no_report_holds_what_a_terminal_acts_upon(findings: list[Finding], form: str) -> None:
    text = REPORTS[form](checked(*findings))
    assert not {ord(character) for character in text} & FORBIDDEN
    commands = [line for line in text.split("\n") if line.lstrip().startswith("::")]
    assert len(commands) == (len(findings) if form == "github" else 0)
    rest = "\n".join(line for line in text.split("\n") if line not in commands)
    assert "##[" not in rest


@settings(deadline=None)
@given(FINDINGS)
def test_t25_an_annotation_is_one_workflow_command_and_no_second(finding: Finding) -> None:
    line = annotation(finding)
    assert "\n" not in line
    assert "\r" not in line
    head, _, _rest = line.partition(" ")
    assert head in ("::error", "::warning", "::notice")
    properties = line.removeprefix(head + " ").partition("::")[0]
    assert [part.partition("=")[0] for part in properties.split(",")] == [
        name for name, value in (("file", finding.path), ("line", finding.line), ("title", finding.rule)) if value
    ]


def test_an_annotation_escapes_percent_line_ends_and_separators() -> None:
    finding = Finding("rule", "100% ::error::\r\nx", path="a,b:c%.yaml", line=3)
    assert annotation(finding) == "::error file=a%2Cb%3Ac%25.yaml,line=3,title=rule::100%25 ::error::\\x0d%0Ax"


@pytest.mark.parametrize("count", [1, 2000])
def test_a_comment_fits_a_forge_and_counts_what_does_not(count: int) -> None:
    findings = [Finding("layout", "ä" * 900, path=f"notes/{number}.txt", fix="remove it") for number in range(count)]
    text = render_markdown(checked(*findings))
    assert len(text.encode()) <= COMMENT_BYTES
    said = sum(line.startswith("- ") for line in text.splitlines())
    assert (f"{count - said} more findings" in text) == (count > said)
    assert said > 0


@pytest.mark.parametrize("form", sorted(REPORTS))
def test_every_report_names_every_finding_its_file_and_a_fix(form: str) -> None:
    findings = [Finding(rule.id, f"fault {number}", path=f"f{number % 3}") for number, rule in enumerate(RULES)]
    text = REPORTS[form](checked(*findings))
    for number, rule in enumerate(RULES):
        assert f"fault {number}" in text
        assert form == "json" or rule.fix.replace("`", "'" if form == "markdown" else "`") in text
    if form == "text":
        assert [line for line in text.splitlines() if not line.startswith(" ")] == [
            *("f0", "f1", "f2", f"{len(RULES)} errors in 3 places", "fail: it would be refused"),
        ]


def test_json_is_the_verdict_as_plain_values() -> None:
    value = json.loads(REPORTS["json"](checked(Finding("layout", "m", path="p"))))
    assert value["verdict"] == "fail"
    assert value["findings"] == [{"rule": "layout", "message": "m", "path": "p", "severity": "error"}]


@pytest.mark.parametrize("text", ["", " ", "`", "``"])
def test_an_empty_span_does_not_open_one(text: str) -> None:
    assert MarkdownIt().renderInline(f"{code(text)} *x*").endswith("</code> <em>x</em>")


def test_our_own_trouble_is_said_as_ours() -> None:
    for form in ("text", "github", "markdown"):
        text = REPORTS[form](checked(outcome=Outcome.COULD_NOT_CHECK))
        assert "the trouble is on this side, not in the proposal" in text
