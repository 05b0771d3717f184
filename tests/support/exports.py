"""Registries and helpers for the tests of the exports: records that fill every text a format carries.

release = release_of(Rich(...).filled())
files = exported("citation", registry)
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.leaderboard.exporting.formats import format_named
from medperf_git.leaderboard.exporting.release import Origin, Release, read_origin, read_release
from medperf_git.leaderboard.exporting.rendering import render_export
from tests.support import leaderboard_registry as lr

ROOT = Path(__file__).resolve().parents[2]
STEPS = 17
LINES = (  # one line of text each, as a title may be
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "quote \" and ' and \\ and \\n and \\u003c",
    "<!-- --><b>",
    "&lt;script&gt;",
    "]]>",
    "key: value # no comment",
    "- a list?",
    "{a: 1}",
    "[x](javascript:alert(1))",
    "&anchor *alias",
    "!!python/object/apply:os.system ['true']",
    "%YAML 1.2",
    "---",
    "...",
    "? complex",
    "| block",
    "> folded",
    "@reserved `tick`",
    "yes",
    "null",
    "~",
    "1e5",
    "0o17",
    "0x1F",
    "1_000",
    "12:30:45",
    "2026-11-25",
    ".inf",
    "=",
    "<<",
    '=HYPERLINK("http://x","y")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "{{ 7*7 }}{% raw %}",
    "${alert(1)}",
    "https://schema.org/name",
    "@type",
    "_:blank",
    "Zoë’s 中文 🫀",
    "x" * 200,
)
TEXTS = ("two\nlines: here\n---\nand: three", "tab\tand\n  indent\n# hash\n", "\n .\n", "```\n</script>\n```")
CONTROL = "nul\x00 esc\x1b del\x7f next\x85 line\u2028 par\u2029 bom\ufeff \r\n\t end"


@dataclass
class Rich(lr.Registry):
    """A registry whose records say everything they may: descriptions, terms, acquisition, licences, websites."""

    def _add(self, path: str, kind: str, value: Mapping[str, Any], *, signer: str = "") -> None:
        more: dict[str, Any] = {}
        if kind == "dataset":
            more = {
                "description": self.text("about-dataset", "Aspirates, one case per patient."),
                "terms": self.text("terms", "For research; ask the owner."),
                "acquisition": {
                    "country": "DE",
                    "from_year": 2018,
                    "to_year": 2021,
                    "modality": self.text("modality", "cytology"),
                    "equipment": self.text("equipment", "light microscope"),
                },
                "statistics": {"age.mean": lr.decimal(54.5), "positive": 21},
                "disclosure": {"min_cases": 10},
            }
        if kind == "cube":
            more = {
                "description": self.text("about-cube", "A container."),
                "license": self.text("licence", "Apache-2.0"),
            }
        if kind == "member":
            more = {
                "title": self.text("member", str(value["title"])),
                "website": "https://example.org/",
                "country": "DE",
            }
        if kind == "registry":
            url = "https://example.org/site/checkpoint"
            more = {"checkpoint": {"url": url, "key": lr.key_of("notes"), "max_age_days": 7}}
        super()._add(path, kind, {**value, **more}, signer=signer)

    def filled(self) -> "Rich":
        """Add three sites and two models whose every value is plain."""
        for name, cases in (("north", 60), ("river", 120), ("summit", 200)):
            self.site(name, cases=cases)
        self.model("forest", self.text("model", "Random forest"))
        for place, model in enumerate(("one-feature", "forest")):
            for step, site in enumerate(self.sizes):
                base = 0.9 + 0.02 * place + 0.011 * step
                values = {"auroc": base, "sensitivity": base - 0.1, "brier": 0.2 - base / 10}
                self.result(model, site, {metric: round(value, 3) for metric, value in values.items()})
        return self


def hostile(text: str, block: str = "") -> Rich:
    """Put one text into every field of one line, and one (else the same) into every field of several."""
    line = ("registry", "model", "dataset", "benchmark", "unit", "engine", "client", "member", "modality", "equipment")
    more = ("licence", *(f"metric-{name}" for name in lr.METRICS))
    blocks = ("description", "bias", "about-dataset", "terms", "about-cube")
    return Rich(texts={**dict.fromkeys((*line, *more), text), **dict.fromkeys(blocks, block or text)}).filled()


def origin_of(registry: lr.Registry) -> Origin:
    """Say where the registry's records come from."""
    return read_origin(
        registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME, steps=STEPS
    )


def release_of(registry: lr.Registry) -> Release:
    """Read the benchmark's release."""
    return read_release(registry.view(), lr.BENCHMARK, origin_of(registry))


def exported(name: str, registry: lr.Registry) -> Mapping[str, bytes]:
    """Export the benchmark in a format."""
    return render_export(format_named(name), registry.view(), origin_of(registry), lr.BENCHMARK)


def written(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def run_validator(code: str, *argv: object) -> "subprocess.CompletedProcess[str] | None":
    """Run Python with the validators that need an environment of their own; None where they cannot be had."""
    environ = {**os.environ, "PYTHON": sys.executable}
    made = subprocess.run(
        ["bash", ROOT / "scripts/ensure-validators.sh"], capture_output=True, text=True, check=False, env=environ
    )
    if made.returncode == 3:
        return None
    assert made.returncode == 0, made.stderr
    environ = {**os.environ, "PYTHONPATH": str(ROOT / made.stdout.strip())}
    words = [sys.executable, "-c", code, *map(str, argv)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environ, timeout=120)
