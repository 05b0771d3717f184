"""Files that containers write: any YAML or JSON, read safely but not as a record.

Bounded in bytes, depth and nodes; no alias, tag or constructor; duplicate keys refused. Numbers are plain floats
and integers, `.nan` and `.inf` stay what they are: the benchmark's metric definitions decide what becomes of them.
"""

from typing import Any

import yaml

from medperf_git.records.findings import Finding
from medperf_git.records.strict_yaml import Unreadable

MAX_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 40
_MAX_NODES = 1_000_000
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}


def load_foreign_yaml(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read one YAML (or JSON) document into dictionaries, lists, text, numbers, booleans and None.

    Raises `Unreadable` when it is too large, too deep, ambiguous (aliases, tags, duplicate keys) or no YAML.
    """
    if len(data) > max_bytes:
        raise _fault(f"{len(data)} bytes; at most {max_bytes} are read")
    try:
        _check_events(data)
        return yaml.load(data, Loader=_loader())  # noqa: S506  (a safe loader with fewer constructors)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise _fault(f"not YAML: {str(error).splitlines()[0]}") from error


def dump_foreign_yaml(value: Any) -> bytes:
    """Write values for a container to read, as plain YAML."""
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True).encode("utf-8")


def _check_events(data: bytes) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(data, Loader=_LOADER), start=1):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or count > _MAX_NODES:
            raise _fault(f"deeper than {_MAX_DEPTH} levels or more than {_MAX_NODES} nodes")
        if isinstance(event, yaml.AliasEvent):
            raise _fault("aliases are not read")
        tag = getattr(event, "tag", None)
        if tag and tag not in _PLAIN_TAGS:
            raise _fault(f"tag {tag} is not read")


def _loader() -> type[Any]:
    class Loader(_LOADER):  # type: ignore[misc]  # chosen at run time: C or Python
        pass

    def mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs = [(loader.construct_object(key, deep=True), value) for key, value in node.value]
        if any(not isinstance(key, str | int | float | bool) for key, _ in pairs):
            raise _fault("a key is neither text nor a number")
        if len({key for key, _ in pairs}) != len(pairs):
            raise _fault("a key appears twice")
        return {key: loader.construct_object(value, deep=True) for key, value in pairs}

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
    return Loader


def _fault(message: str) -> Unreadable:
    return Unreadable(Finding("results-file", message, fix="the container must write plain YAML or JSON"))
