#!/usr/bin/env python3
"""Take the pictures of the pilots' leaderboards for docs/pilots.md, from built sites, in a headless Chromium.

scripts/screenshots.py examples/*/results/site                      # of the runs that are kept
make pilots && scripts/screenshots.py pilots-out/site
scripts/screenshots.py demo-out/site --benchmark breast-aspirates --out /tmp/pictures

For each benchmark of the sites that a pilot under examples/ has: `docs/images/pilot-<name>.png`, the page from its
top to the end of the ranking (at most 1500 px), and in `docs/images/pilots.json` the sentence at its top, the
commit and the day. Then `make docs` brings them into the page.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, sync_playwright

TOP = Path(__file__).resolve().parents[1]
OUT = TOP / "docs/images"
WIDTH, HIGHEST, BELOW = 1200, 1500, 24  # px


def pilots() -> dict[str, str]:
    """Return the pilot of each benchmark's name."""
    described = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(TOP.glob("examples/*/pilot.yaml"))]
    return {pilot["benchmark"]: pilot["pilot"] for pilot in described}


def take(sites: list[Path], out: Path, wanted: dict[str, str]) -> dict[str, Any]:
    """Take one picture for each wanted benchmark of the sites; return what is said below each."""
    found = [(site, json.loads((site / "index.json").read_text(encoding="utf-8"))) for site in sites]
    said: dict[str, Any] = {}
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for site, index, entry in ((at, told, one) for at, told in found for one in told["benchmarks"]):
            name = entry["benchmark"].partition("/")[2].partition("@")[0]
            if name in wanted:
                _picture(browser, site / entry["page"], out / f"pilot-{wanted[name]}.png")
                day = str(index["step_time"]).partition("T")[0]
                kept = {key: entry[key] for key in ("benchmark", "title", "headline")}
                said[wanted[name]] = {
                    **kept,
                    "results": entry["counts"]["shown"],
                    "commit": index["commit"],
                    "day": day,
                }
        browser.close()
    if missing := sorted(set(wanted) - {one["benchmark"].partition("/")[2].partition("@")[0] for one in said.values()}):
        raise SystemExit(f"no site has a benchmark named {', '.join(missing)}")
    return said


def _picture(browser: Browser, page_of: Path, out: Path) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light", reduced_motion="reduce")
    page.goto(page_of.resolve().as_uri())
    ranking = page.locator("section[aria-labelledby=ranking]").bounding_box()
    if ranking is None:
        raise SystemExit(f"{page_of} has no ranking")
    height = min(HIGHEST, ranking["y"] + ranking["height"] + BELOW)
    page.screenshot(path=out, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    page.close()


def main() -> int:
    """Take the pictures of all pilots, or of the benchmarks that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sites", type=Path, nargs="+", help="folders that `leaderboard build` wrote")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--benchmark", action="append", help="the name of a benchmark (default: those of the pilots)")
    asked = parser.parse_args()
    wanted = {name: name for name in asked.benchmark} if asked.benchmark else pilots()
    asked.out.mkdir(parents=True, exist_ok=True)
    said = take(asked.sites, asked.out, wanted)
    text = json.dumps(said, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (asked.out / "pilots.json").write_text(text, encoding="utf-8", newline="\n")
    for name in said:
        print(asked.out / f"pilot-{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
