"""Checks of a record against itself that a JSON Schema cannot say: each entry once, ends in order, names that exist.

Pure functions of one document; what needs other records is policy. Each check yields findings with pointer and line.
"""

import re
from collections.abc import Container, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from medperf_git.records.findings import Finding
from medperf_git.records.layout import Kind, is_house_file, place_of
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.ranking_rules import RULES
from medperf_git.records.schemas import schema_of
from medperf_git.records.strict_yaml import Document, Value, pointer_step
from medperf_git.records.text import SPACES
from medperf_git.records.times import parse_time

_TIMES = ("created", "started", "finished", "opens", "closes")
_NAME_KEYS = frozenset({"member", "name", "by"})
_NAME_LISTS = frozenset({"maintainers", "committee", "members"})
_MISUSED_TILDE = re.compile(r"~(?![01])")

# Which lists may hold each entry once; a list of mappings is compared by the key after `#`.
_ONCE: dict[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.REGISTRY: (("/maintainers",),),
    Kind.MEMBER: (("/keys/signing#key", "/keys/recovery#key"), ("/keys/encryption#key",)),
    Kind.BENCHMARK: (("/metrics#id",), ("/ranking/metrics",)),
    Kind.COMPARISON: (("/models#ref",),),
    Kind.POLICY: (("/committee",), ("/auto_approve/datasets/members",), ("/auto_approve/models/members",)),
}
# Which number may not exceed the other.
_ORDERED: dict[Kind, tuple[tuple[str, str], ...]] = {
    Kind.DATASET: (("/cases/from", "/cases/to"), ("/acquisition/from_year", "/acquisition/to_year")),
    Kind.RESULT: (("/cases/from", "/cases/to"), ("/started", "/finished")),
    Kind.POLICY: (("/opens", "/closes"),),
}
# Which threshold may not exceed the number of whom.
_THRESHOLDS: dict[Kind, tuple[tuple[str, str], ...]] = {
    Kind.REGISTRY: (("/threshold", "/maintainers"),),
    Kind.POLICY: (("/thresholds/change", "/committee"), ("/thresholds/events", "/committee")),
}


def check_itself(document: Document, kind: Kind) -> list[Finding]:
    """Return what is wrong with a document that has the shape of `kind`, looking at nothing but itself."""
    return [*check_entries(document, kind), *check_together(document, kind)]


def check_entries(document: Document, kind: Kind) -> list[Finding]:
    """Return what is wrong with top-level entries, each of them looked at alone."""
    return [*_times(document), *_blank_texts(document, kind), *_names(document, document.value, "")]


def check_together(document: Document, kind: Kind) -> list[Finding]:
    """Return what is wrong with entries beside each other."""
    found = [
        *_duplicates(document, kind),
        *_order(document, kind),
        *_thresholds(document, kind),
    ]
    match kind:
        case Kind.BENCHMARK:
            found.extend(_metrics(document))
        case Kind.REGISTRY:
            found.extend(_house_files(document))
        case Kind.COMPARISON:
            found.extend(_compared(document))
        case Kind.NOTICE:
            found.extend(_subject_of_notice(document))
        case _:
            pass
    return found


def value_at(value: Value, pointer: str) -> "Value | None":
    """Return what a JSON Pointer without escapes leads to, or None."""
    for step in pointer.split("/")[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _found(document: Document, rule: str, pointer: str, *, message: str, fix: str, got: object = "") -> Finding:
    return Finding(rule, message, pointer=pointer, line=document.line_of(pointer), got=str(got), fix=fix)


def _times(document: Document) -> Iterator[Finding]:
    for key in _TIMES:
        text = document.value.get(key)
        if isinstance(text, str):
            try:
                parse_time(text)
            except ValueError as error:
                fix = "write a day and time that exist"
                yield _found(document, "time", f"/{key}", message=str(error), fix=fix, got=text)


def _blank_texts(document: Document, kind: Kind) -> Iterator[Finding]:
    """Refuse a line that starts or ends with a space, and a text of nothing but white space."""
    for steps, is_line in _text_places(kind):
        for where, text in _texts_at(document.value, steps, ""):
            if is_line and text != text.strip(SPACES):
                message, fix = "a line starts and ends with something to be seen", "remove the spaces around it"
                yield _found(document, "blank", where, message=message, got=repr(text), fix=fix)
            elif not text.strip(SPACES + "\t\r\n"):
                message, fix = "there is nothing to be read in this text", "write something, or leave the key out"
                yield _found(document, "blank", where, message=message, got=repr(text), fix=fix)


@cache
def _text_places(kind: Kind) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Return where a schema has a line or a text, `*` for any step, and whether it is a line."""
    schema = schema_of(kind)
    return tuple(_places_in(schema, schema["$defs"], ()))


def _places_in(schema: Any, known: Mapping[str, Any], steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Look at what a field is declared as; our schemas declare fields in `properties`, never inside a condition."""
    if not isinstance(schema, Mapping):
        return
    if (declared := str(schema.get("$ref", "")).rpartition("/")[2]) in ("line", "text"):
        yield steps, declared == "line"
    elif declared:
        yield from _places_in(known[declared], known, steps)
    for key, inner in schema.get("properties", {}).items():
        yield from _places_in(inner, known, (*steps, key))
    for word in ("additionalProperties", "items"):
        yield from _places_in(schema.get(word), known, (*steps, "*"))


def _texts_at(value: Value, steps: tuple[str, ...], pointer: str) -> Iterator[tuple[str, str]]:
    if not steps:
        yield from [(pointer, value)] if isinstance(value, str) else []
    elif isinstance(value, dict):
        for key in value if steps[0] == "*" else [steps[0]] if steps[0] in value else []:
            yield from _texts_at(value[key], steps[1:], pointer + pointer_step(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts_at(item, steps[1:], pointer + pointer_step(number))


def _names(document: Document, value: Value, pointer: str) -> Iterator[Finding]:
    """Refuse reserved names wherever a name or a reference stands; their form is the schema's to check."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if fault := _name_fault(key, inner):
                    where = pointer + pointer_step(key)
                    yield _found(document, "name", where, message=fault, got=inner, fix="use another name")
            elif isinstance(inner, list | dict):
                where = pointer + pointer_step(key)
                if isinstance(inner, list) and key in _NAME_LISTS:
                    yield from _names_in_list(document, inner, where)
                yield from _names(document, inner, where)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if isinstance(inner, list | dict):
                yield from _names(document, inner, pointer + pointer_step(number))


def _name_fault(key: str, text: str) -> str:
    if key in _NAME_KEYS:
        return name_fault(text) and f"{text!r}: {name_fault(text)}"
    try:
        _ = Ref.parse(text) if key == "ref" else None
    except ValueError as error:
        return str(error)
    return ""


def _names_in_list(document: Document, items: list[Value], pointer: str) -> Iterator[Finding]:
    for number, item in enumerate(items):
        if fault := name_fault(str(item)):
            where = pointer + pointer_step(number)
            yield _found(document, "name", where, message=f"{item!r}: {fault}", got=item, fix="use another name")


def _duplicates(document: Document, kind: Kind) -> Iterator[Finding]:
    for group in _ONCE.get(kind, ()):
        seen: dict[str, str] = {}
        for pointer, entry in (pair for place in group for pair in _entries(document, place)):
            if entry in seen:
                message = f"{entry!r} stands here twice; the first is at {seen[entry]}"
                yield _found(document, "duplicate-entry", pointer, message=message, got=entry, fix="keep one")
            seen.setdefault(entry, pointer)


def _entries(document: Document, place: str) -> Iterator[tuple[str, str]]:
    pointer, _, key = place.partition("#")
    items = value_at(document.value, pointer)
    for number, item in enumerate(items if isinstance(items, list) else []):
        where = f"{pointer}/{number}" + (f"/{key}" if key else "")
        yield where, str(item[key] if isinstance(item, dict) else item)


def _order(document: Document, kind: Kind) -> Iterator[Finding]:
    for low, high in _ORDERED.get(kind, ()):
        yield from _in_order(document, low, high)


def _in_order(document: Document, low: str, high: str) -> Iterator[Finding]:
    first, last = value_at(document.value, low), value_at(document.value, high)
    if _exceeds(first, last):
        message = f"{low} is {first}, more than {high}, which is {last}"
        yield _found(document, "order", low, message=message, got=first, fix="exchange them, or correct one")


def _exceeds(first: "Value | None", last: "Value | None") -> bool:
    """Compare two numbers, or two times, whose text has the order of time."""
    if isinstance(first, str) and isinstance(last, str):
        return first > last
    return isinstance(first, int | Decimal) and isinstance(last, int | Decimal) and first > last


def _thresholds(document: Document, kind: Kind) -> Iterator[Finding]:
    for pointer, whose in _THRESHOLDS.get(kind, ()):
        wanted, people = value_at(document.value, pointer), value_at(document.value, whose)
        if isinstance(wanted, int) and isinstance(people, list) and wanted > len(people):
            message = f"{wanted} signatures are asked of {len(people)} in {whose}: nothing could ever be signed"
            yield _found(document, "threshold", pointer, message=message, got=wanted, fix=f"at most {len(people)}")


def _metrics(document: Document) -> Iterator[Finding]:
    declared = set()
    metrics = value_at(document.value, "/metrics")
    for number, metric in enumerate(metrics if isinstance(metrics, list) else []):
        where = f"/metrics/{number}"
        declared.add(value_at(metric, "/id"))
        yield from _in_order(document, f"{where}/range/min", f"{where}/range/max")
        for pointer in ("/path", "/counts/path"):
            path = str(value_at(metric, pointer) or "")
            if _MISUSED_TILDE.search(path):
                message, fix = "`~` in a JSON Pointer is followed by 0 or 1 (RFC 6901)", "write `~0` or `~1`"
                yield _found(document, "json-pointer", where + pointer, message=message, got=path, fix=fix)
        yield from _worst(document, metric, where)
        yield from _quantiles(document, metric, where)
    yield from _ranked(document, declared)
    yield from _ranking_parameters(document)


def _worst(document: Document, metric: Value, where: str) -> Iterator[Finding]:
    """Refuse a worst value that nothing could count as, or that lies outside the metric's range."""
    worst, pointer = value_at(metric, "/worst"), f"{where}/worst"
    if worst is None:
        return
    if value_at(metric, "/undefined") != "worst":
        fix = "write `undefined: worst`, or leave `worst` out"
        yield _found(document, "worst", pointer, message="nothing counts as this value", got=worst, fix=fix)
    low, high = value_at(metric, "/range/min"), value_at(metric, "/range/max")
    if _exceeds(low, worst) or _exceeds(worst, high):
        message, fix = f"{worst} is outside {low} to {high}", "widen the range, or choose a value within it"
        yield _found(document, "worst", pointer, message=message, got=worst, fix=fix)


def _quantiles(document: Document, metric: Value, where: str) -> Iterator[Finding]:
    """Refuse quantiles of a single value, the smallest and largest ones, and those out of order."""
    wanted = value_at(metric, "/quantiles")
    shares = [share for share in wanted if isinstance(share, int | Decimal)] if isinstance(wanted, list) else []
    if shares and "*" not in str(value_at(metric, "/path")).split("/"):
        message, fix = "one value has no quantiles", "let `*` in the path stand for every case"
        yield _found(document, "quantiles", f"{where}/quantiles", message=message, fix=fix)
    for number, share in enumerate(shares):
        pointer = f"{where}/quantiles/{number}"
        if not 0 < share < 1:
            message, fix = "the smallest and the largest value are single patients'", "write a number between 0 and 1"
            yield _found(document, "quantiles", pointer, message=message, got=share, fix=fix)
        if number and share <= shares[number - 1]:
            message, fix = "quantiles stand in order, each once", "sort them"
            yield _found(document, "quantiles", pointer, message=message, got=share, fix=fix)


def _ranked(document: Document, declared: Container[object]) -> Iterator[Finding]:
    for where, name in _entries(document, "/ranking/metrics"):
        if name not in declared:
            fix = "rank by metrics that this benchmark defines"
            yield _found(document, "ranking-metric", where, message=f"no metric {name!r}", got=name, fix=fix)


def _ranking_parameters(document: Document) -> Iterator[Finding]:
    """Refuse weights, a missing rule or a parameter that the registered rule does not take."""
    ranking = value_at(document.value, "/ranking")
    facts = RULES.get(str(value_at(ranking, "/rule"))) if isinstance(ranking, dict) else None
    if facts is None or not isinstance(ranking, dict):
        return
    rule, weights = str(ranking["rule"]), ranking.get("weights")
    for field, taken in (("weights", facts.weights), ("missing", facts.missing)):
        if ranking.get(field) not in taken:
            message, fix = f"{rule} takes no `{field}: {ranking.get(field)}`", f"write {' or '.join(taken)}"
            yield _found(
                document, "ranking-parameter", f"/ranking/{field}", message=message, got=ranking.get(field), fix=fix
            )
    for field in ("adjust", "method"):
        if field in ranking and field not in facts.parameters:
            message, fix = f"{rule} takes no `{field}`", "leave it out"
            yield _found(
                document, "ranking-parameter", f"/ranking/{field}", message=message, got=ranking[field], fix=fix
            )
    if ("cap" in ranking) != (weights == "capped-cases"):
        message, fix = "`cap` and `weights: capped-cases` go together", "write both, or neither"
        where = "/ranking/cap" if "cap" in ranking else "/ranking/weights"
        yield _found(document, "ranking-parameter", where, message=message, got=ranking.get("cap", weights), fix=fix)
    if ranking.get("alpha") == 0:
        message, fix = "a test at level 0 tells nothing apart", "write a number above 0, such as 0.05"
        yield _found(document, "ranking-parameter", "/ranking/alpha", message=message, got=0, fix=fix)


def _compared(document: Document) -> Iterator[Finding]:
    """Refuse models out of order, and anything but one covariance and one entry for every pair of them."""
    refs = [str(value_at(model, "/ref")) for model in _items(document, "/models")]
    for number in range(1, len(refs)):
        if _order_of(refs[number]) < _order_of(refs[number - 1]):
            fix = "sort the models by member, name and version"
            where, message = f"/models/{number}/ref", "models stand in order"
            yield _found(document, "compared", where, message=message, got=refs[number], fix=fix)
    count = len(refs)
    for key, wanted in (("covariance", count * (count + 1) // 2), ("pairs", count * (count - 1) // 2)):
        if (there := len(_items(document, f"/{key}"))) != wanted:
            message = f"{count} models have {wanted} entries of `{key}`, and here are {there}"
            yield _found(document, "compared", f"/{key}", message=message, got=there, fix="make the record anew")
            return
    expected = [(first, second) for first in range(1, count + 1) for second in range(first + 1, count + 1)]
    for number, (pair, entry) in enumerate(zip(expected, _items(document, "/pairs"), strict=True)):
        got = (value_at(entry, "/first"), value_at(entry, "/second"))
        if got != pair:
            message, where = f"this is the place of {pair[0]} with {pair[1]}", f"/pairs/{number}"
            said, fix = f"{got[0]} with {got[1]}", "make the record anew"
            yield _found(document, "compared", where, message=message, got=said, fix=fix)
            return


def _items(document: Document, pointer: str) -> list[Value]:
    items = value_at(document.value, pointer)
    return items if isinstance(items, list) else []


def _order_of(text: str) -> tuple[str, str, int]:
    try:
        ref = Ref.parse(text)
    except ValueError:  # the rule `name` says so
        return (text, "", 0)
    return (ref.member, ref.name, ref.version)


def _house_files(document: Document) -> Iterator[Finding]:
    listed = value_at(document.value, "/house_files")
    for path in listed if isinstance(listed, dict) else {}:
        if not is_house_file(path):
            where = "/house_files" + pointer_step(path)
            fix = "README.md, LICENSE, .gitlab-ci.yml and files below .github and .forgejo may be listed"
            yield _found(document, "house-file", where, message=f"{path} may not be a house file", fix=fix)


def _subject_of_notice(document: Document) -> Iterator[Finding]:
    path = str(value_at(document.value, "/record/path"))
    place = place_of(path)
    if place is None or place.kind is Kind.NOTICE:
        message, fix = f"{path} is no record that a notice can be about", "name a record, not a notice"
        yield _found(document, "notice-subject", "/record/path", message=message, got=path, fix=fix)
