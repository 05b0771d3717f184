"""The promises in plain words leave nothing out: each promise, and each attack of SECURITY.md."""

import re

from tests.support.pages import ROOT

PAGE = (ROOT / "docs/security-promises.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def numbers(text: str) -> set[int]:
    found = {int(number) for number in re.findall(r"\bT(\d\d)\b", text)}
    for first, last in re.findall(r"\bT(\d\d)–T(\d\d)\b", text):
        found |= set(range(int(first), int(last) + 1))
    return found


def test_every_promise_is_told() -> None:
    promised = re.findall(r"(?m)^- \*\*(P\d)\*\*", SECURITY)
    assert re.findall(r"(?m)^\| (P\d) \|", PAGE) == promised


def test_every_attack_stands_under_a_promise_or_under_what_is_not_promised() -> None:
    attacks = {int(number) for number in re.findall(r"(?m)^\| T(\d\d) \|", SECURITY)}
    assert numbers(PAGE) == attacks


def test_attacks_that_no_test_tries_are_not_promised() -> None:
    untried = {int(number) for number in re.findall(r"(?m)^\| T(\d\d) \|[^|]*\| (?:documented|later)", SECURITY)}
    promised, _, rest = PAGE.partition("## What is not promised")
    assert untried == numbers(rest.partition("\n## ")[0])
    assert not untried & numbers(promised)
