"""How deep and how numerous the values of a JSON text are, counted on the text before anything is built of it."""

import re

_BRACKET = re.compile(r"[\[\]{}]")


def bounds_fault(text: str, *, max_depth: int, max_nodes: int) -> str:
    """Say that a text would make too deep or too many JSON values, or return an empty string.

    Up to where a text stops being JSON the count is right; behind that no reader of JSON gets.
    """
    # Without its escapes a string ends at the next quote, so every second part lies outside strings.
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    nodes = 1 + sum(map(outside.count, ",:[{"))
    if nodes > max_nodes or _depth(outside) > max_depth:
        return f"deeper than {max_depth} levels or more than {max_nodes} nodes"
    return ""


def _depth(outside: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(outside):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def has_lone_surrogate(value: object) -> bool:
    r"""Tell whether some text in plain values holds half a character, which JSON's `\ud800` can make."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and not one.isascii() and re.search("[\ud800-\udfff]", one):
            return True
    return False
