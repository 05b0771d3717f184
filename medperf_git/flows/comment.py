"""A verdict as the comment under a proposal: Markdown that a hospital's engineer reads without knowing Git.

Every finding is in it with what mends it, then whose signature is missing, then what the change does to the ranking
and how a result compares. What others wrote stands in code spans only, where a forge makes no mention, link, picture
or HTML of it (threats T41, T49); a command is for pasting only when it holds nothing that a shell acts upon. It fits
a forge: what does not is counted.

text = render_markdown(checked)
"""

import re
from collections.abc import Iterable, Iterator

from medperf_git.flows.checking import Checked
from medperf_git.flows.wording import by_file, visible
from medperf_git.leaderboard.text import some
from medperf_git.policy.verdict import Outcome
from medperf_git.records.findings import Finding, Severity
from medperf_git.registry.objects import is_commit_id

COMMENT_BYTES = 65_000  # forges refuse a comment above 65 536 characters
HEADS = {
    Outcome.PASS: "pass: it would be accepted",
    Outcome.NEEDS_PERSON: "needs a person: nothing is wrong, a signature is missing",
    Outcome.FAIL: "fail: it would be refused",
    Outcome.COULD_NOT_CHECK: "could not check: the trouble is on this side, not in the proposal",
}
NEXT = {
    Outcome.PASS: "Nothing is wrong and no signature is missing. Nobody is waited for: it can be merged.\n",
    Outcome.NEEDS_PERSON: "Nothing has to be mended. It waits for somebody to sign:\n",
    Outcome.FAIL: (
        "It cannot be merged as it is. Below stands each fault, with what mends it. Where the registry has only moved "
        "on meanwhile, this mends it in this same proposal, on the machine that sent it:\n"
    ),
    Outcome.COULD_NOT_CHECK: "This says nothing about the proposal. It is judged again; nobody has to send it again.\n",
}
RESUME = "medperf-git submit --resume"
_SIGN = "medperf-git sign"
_MARKS = {Severity.ERROR: "❌", Severity.NEEDS_PERSON: "⏳", Severity.WARNING: "⚠️"}
_WHOLE = "the proposal as a whole"
_CELL = 600  # characters of one value in a comment; the text report has all of them
_ROOM_FOR_THE_END = 400
_MOST_WAITS = 10
# A whole command in back-ticks, of characters on which no shell acts and without a placeholder in capitals.
_COMMAND = re.compile(r"`(medperf-git(?: (?![A-Z]+\b)[A-Za-z0-9@._/:+-]+)+)`")


def render_markdown(checked: Checked, findings: Iterable[Finding] | None = None) -> str:
    """Return a comment of at most `COMMENT_BYTES`; `findings` are those of the verdict, fixes filled in."""
    listed = list(checked.verdict.findings if findings is None else findings)
    head = "".join(_head(checked, listed))
    blocks = [*_blocks(listed, checked.proposal), *_ranking(checked), *_comparison(checked)]
    room = COMMENT_BYTES - len(head.encode()) - _ROOM_FOR_THE_END
    said: list[str] = []
    for block in blocks:
        room -= len(block.encode())
        if room < 0:
            break
        said.append(block)
    return head + "".join(said) + _end(checked, blocks[len(said) :])


def code(text: str) -> str:
    """Return text as one Markdown code span, in which nothing is anything but text; an empty one says so."""
    shown = visible(" ".join(text.split("\n"))).replace("`", "'").replace("##[", "#\\#[").strip()
    shown = shown if len(shown) <= _CELL else shown[: _CELL - 1] + "…"
    return f"`{shown}`" if shown else "`(empty)`"


def pasteable(text: str, *, proposal: str = "") -> list[str]:
    """Return the commands in a text that can be pasted as they stand; the one that signs names the proposal."""
    found = dict.fromkeys(_COMMAND.findall(text))
    signing = [_signing(proposal)] if proposal and _SIGN in found else []
    return [command for command in found if command != _SIGN] + signing


def _signing(proposal: str) -> str:
    return f"{_SIGN} {proposal[:12]}"


def _head(checked: Checked, findings: list[Finding]) -> Iterator[str]:
    outcome = checked.verdict.outcome
    yield f"### {HEADS[outcome]}\n\n{NEXT[outcome]}"
    if outcome is Outcome.FAIL and checked.change is not None:
        yield _fence(RESUME)
    if outcome is Outcome.NEEDS_PERSON:
        waits = dict.fromkeys(one.message for one in findings if one.severity is Severity.NEEDS_PERSON)
        yield "\n" + "".join(f"- {code(message)}\n" for message in list(waits)[:_MOST_WAITS])
        yield f"- and {len(waits) - _MOST_WAITS} more, below\n" if len(waits) > _MOST_WAITS else ""
        if checked.proposal:
            yield "\nThat person looks at the records and signs them with\n"
            yield _fence(_signing(checked.proposal))


def _blocks(findings: list[Finding], proposal: str) -> Iterator[str]:
    for path, group in by_file(findings).items():
        yield f"\n**{code(path or _WHOLE)}**\n\n"
        for finding in group:
            yield _item(finding, proposal)


def _item(finding: Finding, proposal: str) -> str:
    where = f"line {finding.line}: " if finding.line else ""
    pairs = (("expected", finding.expected), ("got", finding.got), ("fix", finding.fix))
    details = "".join(f"  \n  {name}: {code(value)}" for name, value in pairs if value)
    waits = finding.severity is Severity.NEEDS_PERSON  # the head has said what that person does
    commands = [] if waits else pasteable(finding.fix, proposal=proposal)
    paste = "".join(_fence(command, indent="  ") for command in commands)
    return f"- {_MARKS[finding.severity]} {where}{code(finding.message)} ({code(finding.rule)}){details}\n{paste}"


def _fence(command: str, *, indent: str = "") -> str:
    return f"\n{indent}```console\n{indent}{command}\n{indent}```\n"


def _ranking(checked: Checked) -> list[str]:
    """Say in one block what the change does to the rankings, a few lines of each."""
    if checked.ranking is None:
        return []
    from medperf_git.flows.comparing import Style  # noqa: PLC0415  (brings numpy and scipy)
    from medperf_git.flows.ranking_words import COMMENT, render_difference  # noqa: PLC0415

    style = Style(quote=code, bold="**", heading="#### ")
    return ["".join(render_difference(checked.ranking, style, most=COMMENT))]


def _comparison(checked: Checked) -> list[str]:
    if checked.comparison is None:
        return []
    from medperf_git.flows.comparing import Style, render_comparison  # noqa: PLC0415  (brings numpy and scipy)

    return list(render_comparison(checked.comparison, Style(quote=code, bold="**", heading="#### ")))


def _end(checked: Checked, left: list[str]) -> str:
    """Say what did not fit, and how to see it."""
    if not left:
        return ""
    findings = sum(block.startswith("- ") for block in left)
    results = sum(block.startswith("\n**") and "\n\n- " in block for block in left)
    counted = [some(findings, "more finding")] if findings else []
    counted += [some(results, "more compared result")] if results else []
    told = " and ".join(counted) or "the rest"
    head = checked.subject.get("head")
    known = isinstance(head, str) and is_commit_id(head)
    asked = "" if checked.comparison is None and checked.ranking is None else " --compare"
    command = f"medperf-git check --base main --head {head}{asked}" if known else "medperf-git check"
    return f"\nCut here, because a comment has a limited length: {told}. This shows all of it:\n{_fence(command)}"
