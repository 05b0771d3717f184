"""Write registry_spec/rules.md from the rules and the authority table of the judge.

python scripts/rules-docs.py            # writes the page
python scripts/rules-docs.py --check    # fails when the page is not what the program says
"""

from __future__ import annotations

import sys
from pathlib import Path

from medperf_git.policy.authority import AUTHORITY
from medperf_git.policy.rules import RULES

PAGE = Path(__file__).resolve().parents[1] / "registry_spec" / "rules.md"
HEAD = """\
<!-- Made by `python scripts/rules-docs.py`; edit medperf_git/policy, not this page. -->

# What a change must satisfy

A change is judged by the tree before it, the tree after it, and the signatures in it. Keys, thresholds and approvals
always come from before; the accounts of a forge mean nothing. Every rule is asked, and all findings are shown at once.

## Whose signatures a record needs

The first row that a record falls under holds. Thresholds count distinct members and distinct keys. A retired member
counts for nothing. Where a decision of a committee or of maintainers says in whose name it is (`by`), that member
signs it.

| change | signatures needed |
|---|---|
"""


def render() -> str:
    """Return the page."""
    rows = "".join(f"| {row.change} | {row.signatures} |\n" for row in AUTHORITY)
    rules = "".join(f"| `{rule.id}` | {rule.title} | {rule.why} | {rule.fix} |\n" for rule in RULES)
    return f"{HEAD}{rows}\n## The rules\n\n| rule | what holds | why | what to do |\n|---|---|---|---|\n{rules}"


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == render()
        if not same:
            print("registry_spec/rules.md is not what the program says: python scripts/rules-docs.py", file=sys.stderr)
        return int(not same)
    PAGE.write_text(render(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
