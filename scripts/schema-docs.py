#!/usr/bin/env python3
"""Write registry_spec/records.md from the schemas: a table of fields for every kind of record.

scripts/schema-docs.py            write the page
scripts/schema-docs.py --check    exit 1 when the page differs from what would be written
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "registry_spec" / "records.md"
KINDS = (
    *("registry", "quarantine", "member", "cube", "dataset", "benchmark"),
    *("policy", "association", "result", "comparison", "notice"),
)
TABLE = "| field | needed | value | meaning |\n|---|---|---|---|\n"
HEAD = """# Records, field by field

Written by `scripts/schema-docs.py` from `schemas/*.1.json`; change the schemas, not this page. How a record is written
is in [text-form.md](text-form.md), where it lies in [layout.md](layout.md).

Fields stand in the order in which a record holds them. `a.b` is field `b` of the mapping `a`, `a[]` an entry of the
list `a`, `a.*` any field of the mapping `a`, whose names are free. *Needed* is said of a field inside the mapping that
holds it. No other fields are accepted; there is no null, and no list or mapping is empty.

What a schema cannot say is refused by these rules as well:

| rule | refuses |
|---|---|
| `name` | a reserved name, wherever a name or a reference stands |
| `blank` | a line with white space at an end, a text of nothing but white space (text-form.md) |
| `time` | a day or time that does not exist; a second 60 |
| `order` | a first number or time above the last: cases, years, a metric's range, `opens`, `started` |
| `duplicate-entry` | a maintainer, committee or listed member, metric, ranked metric, compared model or key twice |
| `threshold` | a threshold above the number of maintainers or of the committee |
| `ranking-metric` | a ranked metric that the benchmark does not define |
| `ranking-parameter` | weights, a missing rule or a parameter that the ranking rule does not take; `cap` without `capped-cases`, or the reverse; a level of 0 |
| `json-pointer` | a `~` in a metric's path or its counts' path that is not followed by `0` or `1` |
| `worst` | a worst value outside the metric's range, or without `undefined: worst` |
| `quantiles` | quantiles out of order, not between 0 and 1, or of a metric without `*` in its path |
| `compared` | models of a comparison out of order; not exactly one covariance and one entry for every pair of them |
| `house-file` | a listed house file that may not be one (layout.md) |
| `notice-subject` | a notice about something that is no record, or is itself a notice |
| `path` | a record whose words belong at another path |
| `chain` | `previous` in the first link of a chain, or none in a later one |
"""


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    page = render_page(TOP / "schemas")
    if not parser.parse_args().check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print(f"{PAGE.relative_to(TOP)} is not what the schemas say: run scripts/schema-docs.py", file=sys.stderr)
    return 1


def render_page(folder: Path) -> str:
    """Return the whole page for the schemas in `folder`."""
    parts = [HEAD]
    for kind in KINDS:
        schema = json.loads((folder / f"{kind}.1.json").read_text(encoding="utf-8"))
        parts.append(
            f"\n## {kind}\n\n{schema['description']}\n\n| field | needed | value | meaning |\n|---|---|---|---|\n"
        )
        parts.extend(f"| {' | '.join(row)} |\n" for row in _rows(schema, schema, ""))
        parts.extend(f"\n{sentence}\n" for sentence in _conditions(schema, schema, ""))
    return "".join(parts)


def _rows(shape: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, inner in shape.get("properties", {}).items():
        needed = "yes" if name in shape.get("required", []) else ""
        yield from _row(prefix + name, needed, inner=inner, root=root)
    free = shape.get("additionalProperties")
    if isinstance(free, dict):
        yield from _row(prefix + "*", "", inner=free, root=root)


def _row(name: str, needed: str, *, inner: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    shape = _resolved(inner, root)
    yield f"`{name}`", needed, _value(shape), _cell(shape["description"])
    yield from _rows(shape, root, name + ".")
    if shape.get("type") == "array":
        yield from _row(name + "[]", "", inner=shape["items"], root=root)


def _resolved(inner: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**root["$defs"][inner["$ref"].rpartition("/")[2]], **inner} if "$ref" in inner else inner


def _value(shape: Mapping[str, Any]) -> str:
    if "const" in shape:
        return f"`{shape['const']}`"
    if "enum" in shape:
        return " or ".join(f"`{word}`" for word in shape["enum"])
    named = shape.get("type", "object")
    types: list[str] = named if isinstance(named, list) else [named]
    words = {"object": "mapping", "array": "list", "string": "text", "boolean": "true or false"}
    said = " or ".join(words.get(one, one) for one in types)
    return ", ".join([said, *_limits(shape)])


def _limits(shape: Mapping[str, Any]) -> Iterator[str]:
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " fields"),
    ):
        if low in shape and high in shape:
            yield f"{shape[low]} to {shape[high]}{unit}"
        elif low in shape:
            yield f"at least {shape[low]}{unit}"
        elif high in shape:
            yield f"at most {shape[high]}{unit}"
    for holder, what in ((shape, ""), (shape.get("propertyNames", {}), "names ")):
        pattern = str(holder.get("pattern", ""))
        if pattern:
            yield what + f"`{_cell(pattern.removesuffix(chr(36) + '(?!' + chr(10) + ')').removeprefix('^'))}`"


def _conditions(shape: Mapping[str, Any], root: Mapping[str, Any], where: str) -> Iterator[str]:
    place = f" in `{where}`" if where else ""
    for rule in [shape, *shape.get("allOf", [])]:
        if "if" in rule:
            key, test = next(iter(rule["if"]["properties"].items()))
            then, otherwise = _demand(rule["then"]), _demand(rule["else"])
            yield f"With `{key}: {test['const']}`{place}, {then}; otherwise {otherwise}."
    if "oneOf" in shape:
        ways = [" and ".join(f"`{key}`" for key in branch["required"]) for branch in shape["oneOf"]]
        yield f"Either {' or '.join(ways)} stands{place}."
    for name, inner in shape.get("properties", {}).items():
        yield from _conditions(_resolved(inner, root), root, f"{where}.{name}".strip("."))


def _demand(branch: Mapping[str, Any]) -> str:
    needed = [f"`{key}` is needed" for key in branch.get("required", [])]
    refused = [f"`{key}` is refused" for key in branch.get("not", {}).get("required", [])]
    return " and ".join(needed + refused)


def _cell(text: str) -> str:
    for char, shown in (("|", "\\|"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(char, shown)
    return text


if __name__ == "__main__":
    sys.exit(main())
