"""Values → YAML that every parser reads alike, of version 1.1 or 1.2: text stands in double quotes.

Only a key of plain letters stands without quotes. The same values give the same bytes.
"""

import re
from functools import cache
from typing import Any

import yaml

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,62}")
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_STRING = "tag:yaml.org,2002:str"


def render_yaml(value: Any) -> bytes:
    """Write dictionaries, lists, text, numbers, booleans and None in block style, in the order given."""
    text: str = yaml.dump(
        value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000_000_000
    )
    return text.encode()


@cache
def _dumper() -> type[yaml.SafeDumper]:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar(_STRING, value, style='"')

    def mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
        pairs = [(_key(dumper, key), dumper.represent_data(inner)) for key, inner in value.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)

    Dumper.add_representer(str, text)
    Dumper.add_representer(dict, mapping)
    return Dumper


def _key(dumper: yaml.SafeDumper, key: str) -> yaml.ScalarNode:
    plain = _PLAIN_KEY.fullmatch(key) is not None and key.lower() not in _NOT_PLAIN
    return dumper.represent_scalar(_STRING, key, style=None if plain else '"')
