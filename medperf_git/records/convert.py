"""Plain values ↔ typed records; by cattrs, with the few fields whose written form differs from the typed one."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, cast, get_type_hints

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from medperf_git.records import models
from medperf_git.records.layout import Kind
from medperf_git.records.names import Ref
from medperf_git.records.schemas import SPEC
from medperf_git.records.strict_yaml import Value


def record_from_value(kind: Kind, value: dict[str, Value]) -> models.Record:
    """Build the typed record; the value has passed its schema."""
    fields = {key: inner for key, inner in value.items() if key not in ("kind", "spec")}
    return _converter().structure(fields, models.MODELS[kind])


def field_from_value(kind: Kind, key: str, value: Value) -> Any:
    """Build one field of a record, as `record_from_value` does; `kind` and `spec` are none."""
    if key in ("kind", "spec"):
        return None
    build, field_type = _fields(kind)[key]
    return build(value, field_type)


def record_of_fields(kind: Kind, fields: Mapping[str, Any]) -> models.Record:
    """Put a record together from what `field_from_value` made of each of its keys."""
    return models.MODELS[kind](**{key: field for key, field in fields.items() if key not in ("kind", "spec")})


@cache
def _fields(kind: Kind) -> dict[str, tuple[Any, Any]]:
    """Return what builds each field, and its type."""
    types = {key: one for key, one in get_type_hints(models.MODELS[kind]).items() if key != "KIND"}
    return {key: (_converter().get_structure_hook(one), one) for key, one in types.items()}


def value_of(record: models.Record) -> dict[str, Value]:
    """Return the plain values of a record, with its kind and schema version, absent fields left out."""
    fields = cast(dict[str, Value], _converter().unstructure(record))
    return {"kind": str(record.KIND), "spec": SPEC, **fields}


@cache
def _converter() -> Converter:
    converter = Converter(omit_if_default=True, forbid_extra_keys=True)
    converter.register_structure_hook(Ref, lambda text, _: Ref.parse(text))
    converter.register_unstructure_hook(Ref, str)
    for alternatives in (int | Decimal, str | int, str | tuple[str, ...]):
        for union in (alternatives, alternatives | None):
            converter.register_structure_hook(union, _as_is)
            converter.register_unstructure_hook(union, _lists)
    low, high = override(rename="from"), override(rename="to")
    converter.register_structure_hook(models.Cases, make_dict_structure_fn(models.Cases, converter, low=low, high=high))
    converter.register_unstructure_hook(
        models.Cases,
        make_dict_unstructure_fn(models.Cases, converter, _cattrs_omit_if_default=True, low=low, high=high),
    )
    # Which defaults are left out is decided by `None` alone: a cosigning of 1 that was written stays written.
    converter.register_unstructure_hook(models.Cosigning, lambda own: {"dataset": own.dataset, "result": own.result})
    converter.register_unstructure_hook_func(lambda t: getattr(t, "__origin__", None) is tuple, _lists_of(converter))
    return converter


def _as_is(value: Any, _: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _lists_of(converter: Converter) -> Any:
    return lambda items: [converter.unstructure(item) for item in items]
