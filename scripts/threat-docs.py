#!/usr/bin/env python3
"""Write the table of attacks in SECURITY.md: each with the tests that bear its number, or why there is none.

scripts/threat-docs.py            write the table
scripts/threat-docs.py --check    exit 1 when the page differs, or an attack has neither tests nor a reason
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "SECURITY.md"
BEGIN, END = "<!-- attacks: written by `make docs` -->", "<!-- end of attacks -->"
TEST = re.compile(r"^\s*def test((?:_t\d{2})+)_", re.MULTILINE)

ATTACKS = {
    1: "A proposal adds its key to a hospital's and signs a result",
    2: "A proposal replaces a hospital's key, then signs",
    3: "One maintainer lowers the threshold or removes the others",
    4: "A change of trust hides among records",
    5: "A forged commit or a force push lands on main around CI",
    6: "A host serves an old main",
    7: "A host never shows new commits",
    8: "A host shows different histories to different hospitals",
    9: "A host never merges a competitor's proposal",
    10: "A result is replayed into another registry",
    11: "A result is filed under another model, dataset or benchmark version",
    12: "A model is run often and the best result submitted",
    13: "A hospital invents a result",
    14: "A dataset is altered after it was registered",
    15: "An image is swapped behind its tag",
    16: "An image archive takes over local tags",
    17: "A container escapes",
    18: "A container sends data over a network",
    19: "A container hides data in digits, keys or texts of its metrics",
    20: "Data leaves by logs, predictions or temporary files",
    21: "A container leaves links, pipes, devices or hostile names as output",
    22: "A container exhausts processes, memory, disk, log or time",
    23: "An image's volume gives unlimited disk",
    24: "A results file attacks its reader",
    25: "Names and logs carry terminal escapes or CI commands",
    26: "A record expands without end by aliases",
    27: "A record crashes the parser by nesting",
    28: "A record means different types to different readers",
    29: "Two parsers see two records",
    30: "A record brings a schema, a reference or a pattern",
    31: "A pattern passes a line feed or foreign digits",
    32: "Names look alike or are invisible",
    33: "A tree has hostile names",
    34: "A tree holds links, submodules or odd modes",
    35: "A tree or a blob is a bomb",
    36: "A branch or a name becomes an option of a program",
    37: "An address runs a program or leads elsewhere",
    38: "The environment or configuration of Git is hostile",
    39: "A workflow gives a proposal's code secrets",
    40: "A proposal edits the workflow that judges it",
    41: "Titles and branches are executed by a workflow",
    42: "A cache is poisoned for the publishing job",
    43: "The publishing job uses what a proposal's run left",
    44: "The tag of an action is moved",
    45: "A token is left on disk by a workflow",
    46: "A proposal runs on a machine of one's own",
    47: "A workflow's environment file is written",
    48: "A proposal brings its own validator",
    49: "A record attacks the reader of the site",
    50: "A stolen key signs",
    51: "A stolen key back-dates",
    52: "A key of small order or in a second form",
    53: "One key under two members meets a threshold",
    54: "One person brings many members",
    55: "A signature made for something else is used here",
    56: "A signature is left out, or of an unknown kind",
    57: "One text is signed and another shown",
    58: "Two decisions of a committee contradict",
    59: "A hospital's account at the forge is stolen",
    60: "A secret of CI is stolen",
    61: "A dependency or a release is poisoned",
    62: "A model changes after its approval",
    63: "Two proposals are valid alone and wrong together",
    64: "A digest tells which public data set a hospital used",
    65: "Small cohorts, and the difference of two versions",
    66: "Personal data or secrets in records",
    67: "A name is easily taken for another",
    68: "A name or number is used again",
    69: "One invalid commit stops every client for ever",
    70: "Thousands of proposals or files",
    71: "A data owner keeps a decrypted model",
    72: "A model's key is granted to an attacker's key",
    73: "A key or plaintext is left after a failure",
    74: "An archive writes outside its folder",
    75: "A record sets variables or devices of the host",
    76: "Something that must not be public was merged",
}
REASONS = {
    13: "documented: a data owner can sign a false result; every result says how far its run is vouched for",
    71: "documented: it cannot be prevented",
    72: "later, with private models",
    73: "later, with private models",
    76: "documented: what was merged was published, and copies cannot be recalled; a signed take-down comes later",
}


def main() -> int:
    """Write the table or compare it; say which attacks have neither tests nor a reason."""
    found = tests_by_number()
    bare = [number for number in ATTACKS if number not in found and number not in REASONS]
    before = PAGE.read_text(encoding="utf-8")
    head, _, rest = before.partition(BEGIN)
    after = f"{head}{BEGIN}\n\n{table(found)}\n{END}{rest.partition(END)[2]}"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(after, encoding="utf-8", newline="\n")
    elif before != after:
        print("SECURITY.md is not what the tests say: run `make docs`", file=sys.stderr)
        return 1
    for number in bare:
        print(f"T{number:02d} has neither a test nor a reason: {ATTACKS[number]}", file=sys.stderr)
    return 1 if bare else 0


def tests_by_number() -> dict[int, list[str]]:
    """Return the files whose tests bear each number."""
    found: dict[int, list[str]] = {}
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for number in _numbers_in(path.read_text(encoding="utf-8")):
            found.setdefault(number, []).append(path.relative_to(TOP).as_posix())
    return found


def _numbers_in(text: str) -> list[int]:
    return sorted({int(number) for names in TEST.findall(text) for number in re.findall(r"\d{2}", names)})


def table(found: dict[int, list[str]]) -> str:
    """Return the rows."""
    rows = ["| | attack | tests that bear its number |", "|---|---|---|"]
    for number, attack in ATTACKS.items():
        links = ", ".join(f"[{Path(name).stem}]({name})" for name in found.get(number, []))
        rows.append(f"| T{number:02d} | {attack} | {links or REASONS.get(number, '')} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
