#!/usr/bin/env python3
"""Write what docs/pilots.md says of each pilot: from its description, and from the picture of its leaderboard.

scripts/pilots-docs.py            write it
scripts/pilots-docs.py --check    exit 1 when the page differs from what would be written
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs/pilots.md"
TABLE = ("<!-- pilots: written by `make docs` -->", "<!-- end of pilots -->")
MAP = """\
## Where the sites are

![Map of the world with one dot in each country that has a site](images/sites.svg)

A dot stands in the middle of a country and nowhere else: the map is drawn from the two letters that a member *may* give
when joining (`join --country`), and nothing finer is known to the registry. These sites are made up, and so are their
countries.
"""
PICTURES = ("<!-- leaderboards: written by `make docs` -->", "<!-- end of leaderboards -->")


def main() -> int:
    """Write or compare the page."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before, TOP)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(after, encoding="utf-8", newline="\n")
    elif before != after:
        print("docs/pilots.md is not what the pilots say: run `make docs`", file=sys.stderr)
        return 1
    return 0


def render(page: str, top: Path) -> str:
    """Return the page with its two generated parts written anew."""
    found = {path.parent.name: _read(path) for path in sorted(top.glob("examples/*/pilot.yaml"))}
    page = _replaced(page, TABLE, table(found, top))
    return _replaced(page, PICTURES, pictures(found, top))


def _read(path: Path) -> dict[str, Any]:
    pilot = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {**pilot, "science": yaml.safe_load((path.parent / "benchmark.yaml").read_text(encoding="utf-8"))}


def _replaced(page: str, marks: tuple[str, str], text: str) -> str:
    begin, end = marks
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"docs/pilots.md lacks the line {begin if not found else end}")
    return f"{head}{begin}\n\n{text}\n{end}{tail}"


def table(pilots: dict[str, dict[str, Any]], top: Path) -> str:
    """Return a row for each pilot."""
    rows = ["| pilot | models | sites and cases | ranked by | read |", "|---|---|---|---|---|"]
    for folder, pilot in pilots.items():
        models = "; ".join(_cell(model["title"]) for model in pilot["models"])
        sites = f"{len(pilot['sites'])} sites, {sum(site['cases'] for site in pilot['sites'])} cases"
        titles = {metric["id"]: _cell(metric["title"]) for metric in pilot["science"]["metrics"]}
        metrics = "; ".join(titles[one] for one in pilot["science"]["ranking"]["metrics"])
        metrics += f" ({len(titles)} metrics in all)"
        pages = [f"[what it is](../examples/{folder}/README.md)"]
        if (top / f"examples/{folder}/REAL_DATA.md").is_file():
            pages.append(f"[on the real data](../examples/{folder}/REAL_DATA.md)")
        rows.append(f"| {_cell(pilot['science']['title'])} | {models} | {sites} | {metrics} | {', '.join(pages)} |")
    return "\n".join(rows) + "\n"


def pictures(pilots: dict[str, dict[str, Any]], top: Path) -> str:
    """Return each pilot's picture with the sentence at its top, then the map; what was not drawn is not told."""
    file = top / "docs/images/pilots.json"
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    parts = []
    for folder, pilot in pilots.items():
        if one := said.get(folder):
            title, headline = _cell(pilot["science"]["title"]), _cell(one["headline"])
            parts.append(
                f"### {title}\n\n{headline} {one['results']} results, as of {one['day']}, "
                f"commit `{one['commit'][:12]}`. "
                f"Synthetic patients, made-up sites.\n\n"
                f"![Leaderboard of the pilot {folder}: {headline}](images/pilot-{folder}.png)\n"
            )
    return "\n".join([*parts, MAP] if (top / "docs/images/sites.svg").is_file() else parts)


def _cell(text: str) -> str:
    plain = " ".join(str(text).split())
    for sign in "\\`*_[]<>|":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


if __name__ == "__main__":
    sys.exit(main())
