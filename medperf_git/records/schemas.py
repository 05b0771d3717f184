"""JSON Schemas (2020-12): the shape of each kind and version, from files that lie beside or inside the package.

Nothing is ever fetched: the registry of references is empty, and our schemas refer only to themselves.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medperf_git.records.findings import Finding
from medperf_git.records.strict_yaml import Document, pointer_step

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

KINDS = (
    *("registry", "quarantine", "member", "cube", "dataset", "benchmark"),
    *("policy", "association", "result", "comparison", "notice"),
)
SPEC = 1


@cache
def asset_folder(name: str) -> Path:
    """Return the folder `name` (schemas, hooks): inside an installed wheel, else at the top of the checkout."""
    inside = Path(str(resources.files("medperf_git"))) / "_assets" / name
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / name


@cache
def schema_of(kind: str, spec: int = SPEC) -> Mapping[str, Any]:
    """Return the schema of a kind; KeyError when this client knows no such kind or version."""
    path = asset_folder("schemas") / f"{kind}.{spec}.json"
    if kind not in KINDS or not path.is_file():
        raise KeyError(f"{kind}.{spec}")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def check_shape(document: Document, kind: str, spec: int = SPEC) -> list[Finding]:
    """Return every way in which a document differs from its schema, each once."""
    errors = _validator(kind, spec).iter_errors(document.value)
    return list(dict.fromkeys(_finding(error, document) for error in errors))


@cache
def _validator(kind: str, spec: int) -> "Draft202012Validator":
    # Only explaining a refusal needs them; accepting (`quick`) and starting the command line do not.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    return Draft202012Validator(schema_of(kind, spec), registry=Registry())


def _finding(error: "ValidationError", document: Document) -> Finding:
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    cause = best_match(error.context) if error.context else None
    shown = cause if cause is not None and error.validator in ("oneOf", "anyOf") else error
    pointer = "".join(pointer_step(step) for step in shown.absolute_path)
    rule = str(shown.validator)
    message, fix = _WORDS.get(rule, _said_by_schema)(shown)
    return Finding(
        "schema",
        message,
        pointer=pointer,
        line=document.line_of(pointer),
        expected=_short(shown.schema.get("description", "") if isinstance(shown.schema, Mapping) else ""),
        got="" if rule in ("required", "additionalProperties") else _short(shown.instance),
        fix=fix,
    )


def _extra(error: "ValidationError") -> tuple[str, str]:
    schema: Any = error.schema
    instance: Any = error.instance
    known = schema.get("properties", {})
    unknown = _short(", ".join(repr(key) for key in instance if key not in known))
    return f"unknown key {unknown}", f"remove it; known keys: {', '.join(known)}"


def _missing(error: "ValidationError") -> tuple[str, str]:
    wanted: Any = error.validator_value
    instance: Any = error.instance
    absent = ", ".join(repr(key) for key in wanted if key not in instance)
    return f"missing key {absent}", "add it"


def _not_listed(error: "ValidationError") -> tuple[str, str]:
    allowed: Any = error.validator_value
    return f"{_short(error.instance)!r} is not one of the allowed values", "use one of: " + ", ".join(map(str, allowed))


def _other_than_known(error: "ValidationError") -> tuple[str, str]:
    known: Any = error.validator_value
    return (
        f"{_short(error.instance)!r} is not known here, only {known!r} is",
        f"write {known}, or use a newer medperf-git",
    )


def _said_by_schema(error: "ValidationError") -> tuple[str, str]:
    limit = error.validator_value if isinstance(error.validator_value, str | int | float) else ""
    return f"does not satisfy {error.validator} {_short(limit)}".strip(), "write what is expected there"


def _not_together(error: "ValidationError") -> tuple[str, str]:
    # Our schemas use `not` only to forbid keys: {"required": [key]}, or anyOf of such.
    unwanted: Any = error.validator_value
    branches = unwanted.get("anyOf", [unwanted])
    instance: Any = error.instance if isinstance(error.instance, dict) else {}
    keys = ", ".join(repr(key) for branch in branches for key in branch.get("required", []) if key in instance)
    if not keys:
        return "is no mapping", "write keys and values"
    return f"{keys} does not go with the other keys", "remove it, or correct what it belongs to"


def _empty(error: "ValidationError") -> tuple[str, str]:
    return f"has {len(error.instance)} entries, fewer than {error.validator_value}", "add one, or leave the key out"  # type: ignore[arg-type]  # these rules look at collections only


def _wrong_type(error: "ValidationError") -> tuple[str, str]:
    return f"is {_TYPES.get(type(error.instance), 'of another type')}, not {_wanted(error.validator_value)}", _FIX_TYPE


def _unfit(error: "ValidationError") -> tuple[str, str]:
    return f"{_short(error.instance)!r} has not the form that is expected here", f"match {error.validator_value}"


def _out_of_range(error: "ValidationError") -> tuple[str, str]:
    word = {"minimum": "less", "maximum": "more"}[str(error.validator)]
    return f"{_short(error.instance)} is {word} than {error.validator_value}", "write a number within the limits"


def _wanted(types: object) -> str:
    return " or ".join(types) if isinstance(types, list) else str(types)


_FIX_TYPE = "write what is expected there; numbers stand without quotes, text that looks like a number within"
_TYPES: dict[type, str] = {
    str: "text",
    int: "an integer",
    bool: "true or false",
    Decimal: "a decimal",
    list: "a list",
    dict: "a mapping",
}
_WORDS = {
    "additionalProperties": _extra,
    "required": _missing,
    "enum": _not_listed,
    "const": _other_than_known,
    "not": _not_together,
    "minItems": _empty,
    "minProperties": _empty,
    "type": _wrong_type,
    "pattern": _unfit,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def iter_kinds() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every kind with its newest schema."""
    for kind in KINDS:
        yield kind, schema_of(kind)
