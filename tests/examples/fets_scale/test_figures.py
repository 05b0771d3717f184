"""The README's table of a whole run says what the play itself wrote down."""

import json
import re

import pytest

from tests.examples.fets_scale.programs import EXAMPLE

FIGURES = json.loads((EXAMPLE / "results/figures.json").read_text(encoding="utf-8"))


def columns() -> list[list[float]]:
    """Return commands, wall time and processor time of each chapter in the README."""
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| ([\d ]+) \| ([\d ]+) s \| ([\d ]+) s \| \d+ MiB \|", text)
    return [[float(cell.replace(" ", "")) for cell in row] for row in rows]


def test_the_chapters_add_up_to_what_was_measured():
    _, wall, processor = (sum(column) for column in zip(*columns(), strict=True))
    assert wall == pytest.approx(FIGURES["seconds"]["all"], abs=3)
    assert processor == pytest.approx(FIGURES["cpu_seconds"], abs=3)


def test_the_kept_times_add_up():
    chapters = {name: seconds for name, seconds in FIGURES["seconds"].items() if name != "all"}
    assert sum(chapters.values()) == pytest.approx(FIGURES["seconds"]["all"], abs=0.1)
    assert FIGURES["seconds_a_result"]["all"] == pytest.approx(
        FIGURES["seconds"]["all"] / FIGURES["results"]["all"], abs=0.001
    )
