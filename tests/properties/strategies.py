"""Records that fit their schemas, drawn by Hypothesis from the schemas themselves, with text that invites mistakes."""

import base64
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from medperf_git.records.quick import _compiled
from medperf_git.records.schemas import schema_of
from medperf_git.records.strict_yaml import MAX_INTEGER
from medperf_git.records.text import SPACES, text_fault

_MORE = 3  # entries beyond the fewest that a list or a free mapping must have
ODD = (
    """
no|Yes|ON|off|y|N|true|False|null|~|nan|.inf|-.INF|1|-1|0|-0|+1|01|0o14|0x1f|0b1|1_000|1e5|12e45678|1.10|.5|5.|1.5|22:22
190:20:30|2026-01-01|2026-01-01T10:00:00Z|2026-01-01 10:00:00|=|<<|- a|-|--|---|...|? a|?|: a|a: b|a:|:a|a #b|#a|a#b|[a]
{a: b}|[|]|{|}|,|a, b|&a|*a|!a|!!str a|!!python/name:os.system|%YAML 1.2|@a|`a|'a'|"a"|'|"
\\|\\n|\\u202e|\\x41|a\\|a'b|a"b|>|>-|a/b|a.b|a-b|a--b|-a|a-|a_b|_a|a+b|a:b|a::b|ana/x@1|<a href="x">|$(id)
${HOME}|x\ty|Ä|é è|日本語|العربية|ไทย|한국어|😀|½|→ “x”
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
odd = st.sampled_from([*ODD, "|", "|-", "a" * 128, "a" * 129, "a" * 200])
seen = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
free = st.text(seen, min_size=1, max_size=12).filter(lambda text: not text_fault(text))
lines = (odd | free).filter(lambda text: not re.search("[\t\r\n]", text) and text == text.strip(SPACES))
texts = (
    lines
    | st.lists(odd | free, min_size=2, max_size=3).map("\n".join).filter(lambda text: not text_fault(text))
    | st.sampled_from(["a\n", "a\r\nb", "a\tb\n", "\ta", "a\n\n\nb", " a ", "a  b", "\n a"])
).filter(lambda text: text.strip(SPACES + "\t\r\n"))
integers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.integers(-3, 300)
decimals = st.builds(
    lambda n, places: Decimal(n).scaleb(-places), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(1, 9)
)
_NAMED = {"line": lines, "text": texts}
numbers = integers | decimals.map(lambda n: int(n) if n == n.to_integral_value() else n)
hexadecimal = st.integers(0, 2**256 - 1).map("{:064x}".format)
names = st.sampled_from(["ana", "hospital-a", "a1", "0x", "12", "on", "no", "yes", "1e5", "n-0", "x" * 63])
# Patterns whose texts would take Hypothesis one draw for each of many characters.
LONG: dict[str, st.SearchStrategy[str]] = {
    "^sha256:[0-9a-f]{64}$": hexadecimal.map("sha256:{}".format),
    "^[0-9a-f]{64}$": hexadecimal,
    "^ssh-ed25519 [A-Za-z0-9+/]{68}$": st.binary(min_size=51, max_size=51).map(
        lambda data: "ssh-ed25519 " + base64.b64encode(data).decode()
    ),
    "^[a-z0-9](-?[a-z0-9]){1,62}$": names,
    "^[a-z0-9](-?[a-z0-9]){1,62}/[a-z0-9](-?[a-z0-9]){1,62}@[1-9][0-9]{0,5}$": st.builds(
        "{}/{}@{}".format, names, names, st.integers(1, 999_999)
    ),
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$": st.datetimes().map(
        lambda time: time.strftime("20%y-%m-%dT%H:%M:%SZ")
    ),
}


@cache
def records(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return the records of a kind, as plain values."""
    root = schema_of(kind)
    return _strategy(root, root)


def _strategy(schema: Any, root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (
            {"line": lines, "text": texts}[name] if name in ("line", "text") else _strategy(root["$defs"][name], root)
        )
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"]
    if isinstance(kinds, list):
        return st.one_of(*(_strategy({**schema, "type": kind}, root) for kind in kinds))
    return _TYPES[kinds](schema, root)


def _string(schema: Mapping[str, Any], _: Mapping[str, Any]) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    if "pattern" not in schema:
        return texts.filter(lambda text: low <= len(text) <= high)
    pattern = schema["pattern"].removesuffix("(?!\n)")
    if pattern in LONG:
        return LONG[pattern]
    whole = re.compile(schema["pattern"])
    shaped = st.from_regex(re.compile(pattern.removeprefix("^").removesuffix("$")), fullmatch=True)
    fitting = [text for text in ODD if whole.search(text)]
    either = shaped | st.sampled_from(fitting) if fitting else shaped
    return either.filter(lambda text: low <= len(text) <= high and not text_fault(text))


def _number(schema: Mapping[str, Any], source: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema["type"] == "integer":
        return st.integers(-MAX_INTEGER if low is None else low, MAX_INTEGER if high is None else high)
    if low is not None and high is not None:  # a filter would refuse nearly all, and hypothesis the strategy
        millionths = st.integers(*(int(Decimal(str(end)).scaleb(6)) for end in (low, high)))
        exact = millionths.map(lambda whole: Decimal(whole).scaleb(-6))
        return exact.map(lambda n: int(n) if n == n.to_integral_value() else n.normalize())
    if low == 0 and high is None:
        return source.map(abs)
    return source.filter(lambda number: (low is None or number >= low) and (high is None or number <= high))


def _array(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    low = max(schema.get("minItems", 1), 1)
    return st.lists(_strategy(schema["items"], root), min_size=low, max_size=min(low + _MORE, schema["maxItems"]))


def _object(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if isinstance(schema.get("additionalProperties"), Mapping):
        keys = _string({"type": "string", **schema.get("propertyNames", {})}, root)
        low = max(schema.get("minProperties", 1), 1)
        return st.dictionaries(
            keys, _strategy(schema["additionalProperties"], root), min_size=low, max_size=low + _MORE
        )
    fields = {key: _strategy(inner, root) for key, inner in schema["properties"].items()}
    conditions = [_condition(one, root) for one in [schema, *schema.get("allOf", [])] if {"if", "oneOf"} & set(one)]
    needed = schema.get("required", [])
    whole = st.fixed_dictionaries(
        {key: fields[key] for key in fields if key in needed},
        optional={key: fields[key] for key in fields if key not in needed},
    )

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        value = draw(whole)
        for branch_for in conditions:
            branch = branch_for(draw, value)
            for key in set(branch.get("required", [])) - set(value):
                value[key] = draw(fields[key])
            unwanted = branch.get("not", {})
            for one in unwanted.get("anyOf", [unwanted]):
                for key in one.get("required", []):
                    value.pop(key, None)
        return value or {next(iter(fields)): draw(next(iter(fields.values())))}

    return drawn()


def _condition(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Callable[[st.DrawFn, Any], Mapping[str, Any]]:
    """Return what chooses the branch of a condition; our branches only say which keys must be there and which not."""
    if "oneOf" in schema:
        return lambda draw, _: draw(st.sampled_from(schema["oneOf"]))
    when = _compiled(schema["if"], root)
    return lambda _, value: schema.get("then" if when(value) else "else", {})


_TYPES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _string,
    "integer": lambda schema, _: _number(schema, integers),
    "number": lambda schema, _: _number(schema, numbers),
    "boolean": lambda *_: st.booleans(),
    "array": _array,
    "object": _object,
}
