#!/usr/bin/env python3
"""Build the documentation as a site of plain files; a link that leads nowhere stops it.

make docs                                 # into .cache/site-docs
scripts/build_docs.py --out FOLDER        # elsewhere
make docs-serve                           # serve it here, and build again whenever a page changes

Pages lie where readers of the repository look for them: `docs/`, `registry_spec/`, the README of each example.
Before Zensical builds, they are copied into one folder as `NAVIGATION` says, and their links are turned: to another
page of the site, or, where they lead to a file that is no page, to that file at the source's host. One thing more
is changed: a block of commands bears the name of the person who types it.
"""

import argparse
import functools
import http.server
import os
import posixpath
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
THEME = TOP / "docs/theme"
OUT = TOP / ".cache/site-docs"
SOURCE = "https://github.com/medperf-git/medperf-git"
SPEC = ("README", "layout", "text-form", "records", "statement", "history", "comparisons", "rules")

# Sections and their pages, each by its path in the repository; a pattern stands for all that it matches, in order.
NAVIGATION: dict[str, tuple[str, ...]] = {
    "Start": ("docs/README.md", "docs/quick-start.md", "docs/coming-from-medperf.md"),
    "Manuals": (
        *(
            f"docs/manuals/{role}.md"
            for role in ("data-owner", "model-owner", "benchmark-committee", "registry-maintainer")
        ),
        *(f"docs/manuals/{name}.md" for name in ("privacy-officer", "submitting", "reader")),
    ),
    "Pilots": ("docs/pilots.md", "examples/*/RE*.md"),
    "Security": ("docs/security-promises.md", "SECURITY.md"),
    "Reference": (
        *(f"docs/reference/{name}.md" for name in ("commands", "containers", "engines", "crash-safety")),
        *(f"docs/reference/{name}.md" for name in ("exports", "statistics", "rankings")),
        "docs/reference/*.md",
    ),
    "Specification": tuple(f"registry_spec/{name}.md" for name in SPEC),
    "Project": ("docs/citing.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    "Decisions": ("docs/adr/*.md",),
}
PLACES = (  # where a page of the repository stands in the site; the first that fits
    (r"docs/README\.md", "index.md"),
    (r"docs/(.+)", r"\1"),
    (r"registry_spec/README\.md", "specification/index.md"),
    (r"registry_spec/(.+)", r"specification/\1"),
    (r"examples/([^/]+)/README\.md", r"examples/\1.md"),
    (r"examples/([^/]+)/REAL_DATA\.md", r"examples/\1-real-data.md"),
    (r"SECURITY\.md", "security.md"),
    (r"([A-Z]+)\.md", lambda found: found[0].lower()),
    (r"(.+)", r"\1"),
)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")
CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TYPED = re.compile(r"^<!-- executed: \d+ ([a-z-]+) -->\n```console$", re.MULTILINE)


class BrokenPageError(Exception):
    """A page names something that is not there; all of it is said at once."""


@dataclass(frozen=True)
class Pages:
    """The pages of the site: of each section, and where each stands."""

    sections: dict[str, list[str]]
    places: dict[str, str]

    @classmethod
    def found(cls, top: Path = TOP) -> "Pages":
        """Find what `NAVIGATION` names; a page that a pattern finds again stays where it was named first."""
        sections: dict[str, list[str]] = {}
        seen: dict[str, str] = {}
        for section, patterns in NAVIGATION.items():
            sections[section] = []
            for name in (name for pattern in patterns for name in _matches(top, pattern)):
                if name not in seen:
                    seen[name] = place_of(name)
                    sections[section].append(name)
        return cls(sections, seen)


def _matches(top: Path, pattern: str) -> list[str]:
    found = sorted(path.relative_to(top).as_posix() for path in top.glob(pattern))
    if not found and "*" not in pattern:
        raise BrokenPageError(f"{pattern} is in the navigation and is not there")
    return found


def place_of(name: str) -> str:
    """Return where a page of the repository stands in the site."""
    return next(re.sub(shape, place, name) for shape, place in PLACES if re.fullmatch(shape, name))


def stage(folder: Path, top: Path = TOP) -> Pages:
    """Copy all pages and pictures into `folder` with their links turned, and write the settings beside them."""
    pages = Pages.found(top)
    links = Links(pages, top)
    for name, place in pages.places.items():
        _write(folder / "pages" / place, links.turned(name))
    if links.problems:
        raise BrokenPageError("\n".join(links.problems))
    for picture, place in links.pictures.items():
        _write(folder / "pages" / place, (top / picture).read_bytes())
    shutil.copytree(THEME / "assets", folder / "pages/assets", dirs_exist_ok=True)
    settings = (THEME / "zensical.toml").read_text(encoding="utf-8")
    _write(folder / "zensical.toml", settings.replace("nav = []", f"nav = {_navigation(pages, top)}"))
    return pages


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@dataclass
class Links:
    """Turns the links of pages; keeps which pictures they show, and which links lead nowhere."""

    pages: Pages
    top: Path
    pictures: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def turned(self, name: str) -> str:
        """Return the text of a page with its links turned; code is left as it is."""
        text = TYPED.sub(r'```console title="\1"', (self.top / name).read_text(encoding="utf-8"))
        parts = enumerate(CODE.split(text))
        return "".join(
            part if number % 2 else LINK.sub(lambda one: self._link(one, name), part) for number, part in parts
        )

    def _link(self, found: re.Match[str], name: str) -> str:
        target, _, anchor = found[2].partition("#")
        if "://" in found[2] or found[2].startswith("mailto:") or not target:
            return found[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if there.startswith("..") or not (self.top / there).exists():
            self.problems.append(f"{name}: {found[2]} leads nowhere")
            return found[0]
        turned = self._address(there, name, shown=found[1].startswith("!"))
        return f"{found[1]}{turned}{'#' if anchor else ''}{anchor}{found[3]}"

    def _address(self, there: str, name: str, *, shown: bool) -> str:
        if shown:
            self.pictures[there] = place_of(there)
        place = self.pages.places.get(there) or self.pictures.get(there)
        if place:
            return posixpath.relpath(place, posixpath.dirname(self.pages.places[name]) or ".")
        return f"{SOURCE}/{'tree' if (self.top / there).is_dir() else 'blob'}/main/{there}"


def _navigation(pages: Pages, top: Path) -> str:
    sections = []
    for section, names in pages.sections.items():
        entries = ", ".join(f"{{{_quoted(_title(top / name))} = {_quoted(pages.places[name])}}}" for name in names)
        sections.append(f"{{{_quoted(section)} = [{entries}]}}")
    return f"[{', '.join(sections)}]"


def _title(page: Path) -> str:
    found = re.search(r"(?m)^# (.+)$", page.read_text(encoding="utf-8"))
    if not found:
        raise BrokenPageError(f"{page} has no title")
    return found[1].replace("`", "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def build(out: Path, top: Path = TOP) -> None:
    """Build the site of `top` into `out`; leave `out` as it was and raise when a page names what is not there."""
    staging = out.parent / f"{out.name}-pages"
    shutil.rmtree(staging, ignore_errors=True)
    stage(staging, top)
    options = ("--strict", "--clean", "--config-file", str(staging / "zensical.toml"))
    words = [sys.executable, "-m", "zensical", "build", *options]
    done = subprocess.run(words, cwd=staging, capture_output=True, text=True, check=False)
    if done.returncode or not (staging / "site/index.html").is_file():
        raise BrokenPageError(
            f"zensical ended with {done.returncode}:\n{ANSI.sub('', done.stdout + done.stderr)}".strip()
        )
    (staging / "site/404.html").unlink()  # it is right at the root of a host only; every host has one of its own
    shutil.rmtree(out, ignore_errors=True)
    shutil.move(staging / "site", out)


def serve(out: Path, port: int) -> None:
    """Serve the site on this machine alone, and build it again whenever a page has changed."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(out))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)", flush=True)
    seen = _state()
    while True:
        time.sleep(1)
        if (now := _state()) != seen:
            seen = now
            try:
                build(out)
                print("built again", flush=True)
            except BrokenPageError as problem:
                print(problem, file=sys.stderr, flush=True)


def _state() -> dict[str, int]:
    watched = [*THEME.rglob("*"), *(TOP / "docs/images").iterdir(), *(TOP / name for name in Pages.found().places)]
    return {str(path): path.stat().st_mtime_ns for path in watched}


def main() -> int:
    """Build, and serve where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the site; emptied first")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine until Ctrl-C")
    parser.add_argument("--port", type=int, default=8030)
    asked = parser.parse_args()
    out = asked.out.resolve()
    if out.exists() and any(out.iterdir()) and not (out / "sitemap.xml").is_file():
        print(f"{out} holds something else; choose another --out", file=sys.stderr)
        return 2
    try:
        build(out)
    except BrokenPageError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"documentation: {os.path.relpath(out)}/index.html")
    if asked.serve:
        try:
            serve(out, asked.port)
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
