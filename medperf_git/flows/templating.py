"""A new container from a template: a folder that `docker build` builds and `cube test` passes at once.

The templates lie in the package. Their demo data is made here: twelve cases, the same each time, raw or prepared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from medperf_git.errors import UsageProblem
from medperf_git.records.names import name_fault

DEFAULT_BASE = "python:3.11-slim"
_SUFFIX = ".tmpl"
_CASES, _VALUES = 12, 8


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of template is, how its demo is tested, and what beside that imports it."""

    what: str
    options: str
    more: str = ""


KINDS: dict[str, Kind] = {
    "data-preparator": Kind(
        "Prepares the raw data of a hospital for a benchmark: `prepare`, `sanity_check`, `statistics`.",
        "--data {name}/demo/data --labels {name}/demo/labels",
    ),
    "model": Kind("A model: it reads prepared data and writes predictions (`infer`).", "--data {name}/demo/data"),
    "metrics": Kind(
        "Compares predictions with labels and writes numbers (`evaluate`).",
        "--predictions {name}/demo/predictions --labels {name}/demo/labels",
    ),
    "script": Kind(
        "Runs the weights of any model and compares with the labels (`run_script`): its benchmark's models are files.",
        "--data {name}/demo/data --labels {name}/demo/labels --model-files {name}/demo/weights",
    ),
}


def write_template(kind: str, name: str, folder: Path, *, base: str = DEFAULT_BASE) -> str:
    """Write the template of a kind into the new folder; return the options of `cube test` for its demo data."""
    if fault := name_fault(name):
        raise UsageProblem(f"{name!r}: {fault}", hint="choose another name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageProblem(f"{folder} is there already", hint="choose another name, or --out")
    chosen = KINDS[kind]
    place = "." if folder.resolve() == Path.cwd() else str(folder)
    words = {
        "name": name,
        "image": f"{name}:0.1",
        "base": base,
        "what": chosen.what,
        "options": chosen.options.format(name=place),
        "more": chosen.more,
    }
    for path, text in (*_iter_texts("common"), *_iter_texts(kind), *_demo(kind)):
        place_of = folder / path
        place_of.parent.mkdir(parents=True, exist_ok=True)
        place_of.write_text(_filled(text, words), encoding="utf-8")
    return words["options"]


def _iter_texts(folder: str) -> Iterator[tuple[str, str]]:
    root: Traversable = resources.files("medperf_git") / "templates" / "cube" / folder
    for entry in sorted(root.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(_SUFFIX):
            yield entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    for key, value in words.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def _demo(kind: str) -> Iterator[tuple[str, str]]:
    """Yield the demo files of a kind: made-up cases of which every second is positive and has higher values."""
    cases = [f"case-{number:02}" for number in range(1, _CASES + 1)]
    if kind != "metrics":
        scale = 1 if kind == "data-preparator" else 100
        for number, case in enumerate(cases):
            values = (_value(number, place) / scale for place in range(_VALUES))
            yield f"demo/data/{case}.csv", "value\n" + "".join(f"{value:g}\n" for value in values)
    if kind == "metrics":
        rows = "".join(f"{case},{(_value(number, 0)) / 100:g}\n" for number, case in enumerate(cases))
        yield "demo/predictions/predictions.csv", "case,probability\n" + rows
    if kind != "model":
        rows = "".join(f"{case},{number % 2}\n" for number, case in enumerate(cases))
        yield "demo/labels/labels.csv", "case,label\n" + rows
    if kind == "script":
        yield "demo/weights/weights.json", '{"factor": 1.0, "offset": -0.5}\n'


def _value(number: int, place: int) -> int:
    """Return a measurement: around 35 for negative cases, 65 for positive ones, one of each on the wrong side."""
    level = 35 if (number % 2 == 0) != (number in (4, 7)) else 65
    return level + (number * 7 + place * 5) % 13 - 6
