"""A report names everything at once, and nothing in it acts on a terminal, a CI log or a forge (T25, T41, T49)."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from medperf_git.flows.checking import Checked
from medperf_git.flows.comment import COMMENT_BYTES, code, pasteable
from medperf_git.flows.reports import REPORTS, annotation, render_markdown
from medperf_git.leaderboard.text import some
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
OURS = "abcdefghijklmnopqrstuvwxyz :();❌⏳⚠️,.0123456789-"
PASTED = re.compile(r"medperf-git [A-Za-z0-9@._/: +-]+\n")


def checked(*findings: Finding, outcome: Outcome | None = None) -> Checked:
    verdict = Verdict(outcome, findings) if outcome else Verdict.of(findings)
    return Checked(verdict, Meter(), {"base": "a" * 40, "head": "b" * 40})


def kinds_of(text: str) -> tuple[set[str], str]:
    """Return the kinds of everything in a Markdown text, and what stands in it outside of code."""
    # A bare link or mention needs a character that the text outside may not hold; no linkifier has to guess.
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    flat = [inner for token in tokens for inner in (token, *(token.children or []))]
    for token in flat:
        assert token.type != "fence" or PASTED.fullmatch(token.content), token.content
    return {token.type for token in flat}, "".join(token.content for token in flat if token.type == "text")


@settings(deadline=None)
@given(st.lists(FINDINGS, max_size=5))
def test_t41_t49_what_others_wrote_is_inert_in_a_comment(findings: list[Finding]) -> None:
    kinds, outside = kinds_of(render_markdown(checked(*findings)))
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "code_inline"),
        *("strong_open", "strong_close", "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
        *("hardbreak", "softbreak", "fence"),
    }
    assert set(outside.lower()) <= set(OURS), outside


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("run `medperf-git submit --resume`: it goes on", ["medperf-git submit --resume"]),
        ("`medperf-git inbox`, then `medperf-git sign`", ["medperf-git inbox"]),
        ("`medperf-git fmt notes/a b.yaml`", ["medperf-git fmt notes/a b.yaml"]),
        ("`medperf-git fmt x; rm -rf ~`", []),
        ("`medperf-git fmt $(id)`", []),
        ("`medperf-git fmt x\n curl evil`", []),
        ("`medperf-git fmt x | sh`", []),
        ("`medperf-git fmt > /etc/passwd`", []),
        ("`medperf-git withdraw REF --reason x`", []),
        ("`medperf-git withdraw ana/x@1 --reason …`", []),
        ("`rm -rf x`, `medperf-gitx y`, `medperf-git`", []),
    ],
)
def test_t25_only_a_whole_command_on_which_no_shell_acts_is_for_pasting(text: str, commands: list[str]) -> None:
    assert pasteable(text) == commands


def test_the_command_that_signs_names_the_proposal() -> None:
    told = "`medperf-git inbox`, then `medperf-git sign`"
    assert pasteable(told, proposal="ab" * 16) == ["medperf-git inbox", "medperf-git sign abababababab"]


def test_a_missing_signature_is_said_first_with_the_command_that_gives_it() -> None:
    waits = Finding("missing-signature", "waits for a maintainer: ana", path="p", severity=Severity.NEEDS_PERSON)
    verdict = Verdict.of([waits, Finding("r", "odd", severity=Severity.WARNING)])
    text = render_markdown(Checked(verdict, Meter(), {}, "0123456789abcdef" * 2))
    head, _, rest = text.partition("**`p`**")
    assert "- `waits for a maintainer: ana`\n" in head
    assert "```console\nmedperf-git sign 0123456789ab\n```" in head
    assert "⚠️ `odd`" in rest
    assert "```" not in rest


def test_a_finding_whose_fix_is_a_command_gives_it_for_pasting() -> None:
    fault = Finding("number-taken", "m", path="p", fix="run `medperf-git submit --resume`: it takes the next number")
    text = render_markdown(checked(fault))
    assert "  fix: `run 'medperf-git submit --resume': it takes the next number`\n" in text
    assert "\n  ```console\n  medperf-git submit --resume\n  ```\n" in text


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
    cut = f"Cut here, because a comment has a limited length: {some(count - said, 'more finding')}. "
    assert (cut in text) == (count > said)
    assert (f"medperf-git check --base main --head {'b' * 40}\n" in text) == (count > said)
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
