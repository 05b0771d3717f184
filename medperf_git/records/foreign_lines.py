"""Where in a file of somebody else's a key stands, for messages that people act upon."""

from collections.abc import Sequence

import yaml


def line_of(data: bytes, keys: Sequence[str]) -> int | None:
    """Return the line (from 1) of the last of `keys` that is there, None when the first is not; `data` is readable."""
    try:
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return None
    line: int | None = None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if getattr(pair[0], "value", None) == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
