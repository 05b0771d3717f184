"""Files that containers write: any YAML or JSON, read safely but not as a record.

Bounded in bytes, depth and nodes; no alias, tag or constructor; duplicate keys refused. Numbers are plain floats
and integers, `.nan` and `.inf` stay what they are: the benchmark's metric definitions decide what becomes of them.
What starts like JSON is read as JSON first, since YAML 1.1 takes JSON's `1e-05` for text.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from medperf_git.records.findings import Finding
from medperf_git.records.json_bounds import bounds_fault, has_lone_surrogate
from medperf_git.records.strict_yaml import Unreadable

MAX_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 40
_MAX_NODES = 1_000_000
_MAX_NUMBER = 400  # characters; 1:1:1:… is a number in base 60 whose conversion takes quadratic time
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + name for name in ("null", "bool", "int", "float", "str", "timestamp")}
# An IndexError or KeyError comes from PyYAML's constructors, of `!!int ""` and `!!bool x`.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError, IndexError, KeyError)
_SURROGATE = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")
_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+\Z")


def load_foreign_yaml(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read one YAML (or JSON) document into dictionaries, lists, text, numbers, booleans and None.

    Raises `Unreadable` when it is too large, too deep, ambiguous (aliases, tags, duplicate keys) or no YAML.
    """
    if len(data) > max_bytes:
        raise _fault(f"{len(data)} bytes; at most {max_bytes} are read")
    try:
        text = data.decode("utf-8")
        value = _load(text)
    except Unreadable:
        raise
    except _NOT_YAML as error:
        raise _fault(f"not YAML: {(str(error).splitlines() or [type(error).__name__])[0][:200]}") from error
    if _SURROGATE.search(text) and has_lone_surrogate(value):
        raise _fault("an escape makes half a character (a lone surrogate)")
    return value


def _load(text: str) -> Any:
    if text.startswith("\ufeff"):
        raise _fault("it starts with a byte order mark")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _load_json(text)
        except json.JSONDecodeError:
            pass  # YAML in flow style
    _check_events(text)
    return yaml.load(text, Loader=_loader())  # noqa: S506  (a safe loader with fewer constructors)


def dump_foreign_yaml(value: Any) -> bytes:
    """Write values for a container to read, as plain YAML."""
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True).encode("utf-8")


def _load_json(text: str) -> Any:
    if fault := bounds_fault(text, max_depth=_MAX_DEPTH, max_nodes=_MAX_NODES):
        raise _fault(fault)
    return json.loads(text, object_pairs_hook=_once)


def _check_events(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER), start=1):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or count > _MAX_NODES:
            raise _fault(f"deeper than {_MAX_DEPTH} levels or more than {_MAX_NODES} nodes")
        if isinstance(event, yaml.AliasEvent):
            raise _fault("aliases are not read")
        tag = getattr(event, "tag", None)
        if tag and tag not in _PLAIN_TAGS:
            raise _fault(f"tag {tag[:80]} is not read")


@cache
def _loader() -> type[Any]:
    class Loader(_LOADER):  # type: ignore[misc]  # chosen at run time: C or Python
        pass

    def mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
        build = loader.construct_object
        return _once((build(key, deep=True), build(value, deep=True)) for key, value in node.value)

    def number(loader: Any, node: yaml.ScalarNode) -> Any:
        if len(node.value) > _MAX_NUMBER:
            raise _fault(f"a number of {len(node.value)} characters")
        is_float = node.tag == _TAG + "float"
        return loader.construct_yaml_float(node) if is_float else loader.construct_yaml_int(node)

    Loader.add_constructor(_TAG + "map", mapping)
    Loader.add_constructor(_TAG + "int", number)
    Loader.add_constructor(_TAG + "float", number)
    Loader.add_constructor(_TAG + "timestamp", lambda loader, node: loader.construct_scalar(node))
    Loader.add_implicit_resolver(_TAG + "float", _EXPONENT, list("-+.0123456789"))
    return Loader


def _once(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str | int | float | bool):
            raise _fault("a key is neither text nor a number")
        if key in values:
            raise _fault(f"the key {str(key)[:80]!r} appears twice")
        values[key] = value
    return values


def _fault(message: str) -> Unreadable:
    return Unreadable(Finding("results-file", message, fix="the container must write plain YAML or JSON"))
