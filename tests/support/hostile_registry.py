"""The leaderboard's small registry with one text in every free field of every record, found by the schemas.

A field that a schema gains is filled without a word here, or a test names it (`fields` less `reached`).

registry = poisoned("<script>alert(1)</script>")
calm = poisoned(harmless("<script>alert(1)</script>"))     # the same shape, of x alone
"""

import base64
import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from medperf_git.records.canonical import Unwritable
from tests.support import leaderboard_registry as lr

SCHEMAS = Path(__file__).parents[2] / "schemas"
PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script src=//x.example></script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' autofocus onfocus='alert(1)",
    '" style="background:url(//x.example)" onmouseover="alert(1)',
    "</title></style></textarea></noscript><script>alert(1)</script>",
    "</desc></text></svg><iframe srcdoc='<script>alert(1)</script>'>",
    "<svg><style>*{background:url(//x.example)}</style></svg>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a><form action=//x.example><input name=q>",
    "<base href=//x.example/><meta http-equiv=refresh content=0;url=//x.example>",
    "{{ 7*7 }}{% raw %}{{ ''.__class__ }} ${7*7} #{7*7}",
    "<!-- --><!--><b>-->",
    "]]><b/><![CDATA[<b/>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;&lt;b&gt;&#60;b&#62;',
    "[x](javascript:alert(1)) ![x](//x.example/p.png) <https://x.example> `x` **x** @everyone",
    '=HYPERLINK("http://x.example","y")',
    "+1+cmd|' /C calc'!A0",
    "-2+3; =1+1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '\N{FULLWIDTH EQUALS SIGN}1+1,"=1+1",\'=1',
    "\N{HEBREW LETTER ALEF}\N{ARABIC LETTER ALEF} 1 < 2 & 3 > 2 \\ / %3Cb%3E \\u003cb\\u003e",
    "w" * 190,
)
REFUSED = (
    "\x00",
    "\x1b]8;;//x\x07",
    "\x7f",
    "\u0085",
    "\u200b",
    "\u2028",
    "\u202ecod.exe",
    "\u2066",
    "\ufeff",
    "e\u0301\u0301",
    " =1+1",
    "\t=1",
    "\r=1",
)
_PROBE = "'&"


@dataclass
class Poisoned(lr.Registry):
    """A registry whose every record says `payload` wherever a person may say what they like, or several in turn."""

    payload: str = "calm"
    taking_turns: tuple[str, ...] = ()
    turns: int = 0
    reached: set[str] = field(default_factory=set)

    def _add(self, path: str, kind: str, value: Mapping[str, Any], *, signer: str = "") -> None:
        schema = schema_of(kind)
        filled = self._filled(_with_room(kind, value), schema, root=schema, where=kind)
        super()._add(path, kind, filled, signer=signer)

    def _next_payload(self) -> str:
        """Give the text for one field: always the payload, or each of those that take turns."""
        if not self.taking_turns:
            return self.payload
        self.turns += 1
        return self.taking_turns[self.turns % len(self.taking_turns)]

    def _filled(self, value: Any, schema: Mapping[str, Any], *, root: Mapping[str, Any], where: str) -> Any:
        schema = resolve(schema, root)
        if is_free(schema) and not isinstance(value, list):
            self.reached.add(where)
            return fit(self._next_payload(), schema)
        if isinstance(value, dict):
            known: Mapping[str, Any] = schema.get("properties", {})
            others = schema.get("additionalProperties")
            for name, inner in known.items():
                if name not in value and may_be_added(resolve(inner, root), root):
                    value[name] = {}
            return {
                name: self._filled(one, known.get(name, others or {}), root=root, where=_below(where, name, known))
                for name, one in value.items()
            }
        if isinstance(value, list):
            where = where if is_free(schema) else f"{where}/-"  # a text, or a list of texts
            return [self._filled(one, schema.get("items", {}), root=root, where=where) for one in value]
        return value


def _below(where: str, name: str, known: Mapping[str, Any]) -> str:
    return f"{where}/{name if name in known else '*'}"


def poisoned(payload: str, **options: Any) -> Poisoned:
    """Return a registry in which everything that a page may show has happened once, and all of it says `payload`."""
    registry = Poisoned(payload=payload, **options)
    for name, cases in (("north", 60), ("river", 120), ("summit", 200), ("fjord", 80), ("delta", 90)):
        registry.site(name, cases=cases)
        registry.result("one-feature", name, {"auroc": 0.9, "sensitivity": 0.8, "brier": 0.1})
    registry.site("waits", cases=30, approved=False)
    registry.model("waits-too", approved=False)
    for place, name in enumerate(("other", "third", "late")):
        registry.model(name)
        for site in ("north", "river", "summit", "fjord"):
            auroc = round(0.95 - 0.01 * place, 3)
            registry.result(name, site, {"auroc": auroc, "sensitivity": 0.7, "brier": 0.2})
    registry.result("other", "delta", outcome="failed", reason="timeout")
    registry.result("third", "delta", {"auroc": 0.7, "sensitivity": 0.7, "brier": 0.2}, outcome="partial", cases=40)
    again = registry.result("other", "north", {"auroc": 0.97, "sensitivity": 0.8, "brier": 0.1})
    registry.notice(again, "dispute", by="ana", side="committee", reason="implausible")
    taken = registry.result("late", "delta", {"auroc": 0.6, "sensitivity": 0.8, "brier": 0.1})
    registry.notice(taken, "withdraw", by="delta", side="owner")
    folder = taken.rpartition("/")[0]
    registry.files[f"{folder}/0002.yaml"] = f"kind: result\n{payload}: {payload}\n".encode()
    registry.files["results/=1+1,@x/-2.yaml"] = payload.encode()
    signed = next(path for path in sorted(registry.files) if path.startswith(again.rpartition("/")[0] + "/0001.yaml."))
    registry.files[signed] = _with_hostile_statement(registry.files[signed], payload)
    return registry


def harmless(payload: str) -> str:
    """Return a text of the same shape that means nothing: every sign but a space is an x, an address stays one."""
    return re.sub(r"\S", "x", payload)


def fields(kind: str) -> Iterator[str]:
    """Yield every free field of a kind of record, as `kind/field`."""
    root = schema_of(kind)
    yield from _iter_free(root, root, kind)


def schema_of(kind: str) -> Mapping[str, Any]:
    """Return the schema of a kind."""
    return _schemas()[kind]


@cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    return {
        path.name.partition(".")[0]: json.loads(path.read_text("utf-8")) for path in sorted(SCHEMAS.glob("*.1.json"))
    }


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow the references of a schema within its file."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema if isinstance(schema, Mapping) else {}


def is_free(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema lets a person write what they like, quotes and ampersands at least."""
    kinds = schema.get("type", ())
    if "string" not in ((kinds,) if isinstance(kinds, str) else kinds) or "enum" in schema or "const" in schema:
        return False
    return "pattern" not in schema or any(re.search(schema["pattern"], text) for text in _forms(_PROBE))


def may_be_added(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Tell whether a field that is left out can be filled with nothing but free texts."""
    if is_free(schema):
        return True
    inner = {name: resolve(one, root) for name, one in schema.get("properties", {}).items()}
    needed = schema.get("required", [])
    return any(map(is_free, inner.values())) and all(is_free(inner[name]) for name in needed)


def fit(payload: str, schema: Mapping[str, Any]) -> str:
    """Return the payload as a field lets it in: without line feeds or spaces, behind a scheme, shorter."""
    most = schema.get("maxLength", 8000)
    for text in _forms(payload):
        if "pattern" not in schema or re.search(schema["pattern"], text[:most]):
            return text[:most]
    raise ValueError(f"{payload!r} does not go into {schema}")


def refuses(text: str) -> bool:
    """Tell whether no record can be written that says `text`."""
    try:
        lr.Registry(texts={"benchmark": text})
    except (Unwritable, AssertionError):
        return True
    return False


def _with_room(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's value with those optional parts whose free texts need something else beside them."""
    full = copy.deepcopy(dict(value))
    asset = {"url": "", "size": 1, "digest": lr.sha("asset")}
    match kind:
        case "registry":
            full["checkpoint"] = {"url": "", "key": lr.key_of("checkpoint"), "max_age_days": 30}
        case "benchmark":
            full["metrics"][0]["counts"] = {"path": "", "length": 4}
        case "cube":
            full["image"]["archive"] = dict(asset)
            full["additional_files"] = dict(asset)
            for task in full["tasks"].values():
                task["run_args"] = {"command": ["", ""], "entrypoint": "", "environment": {"X": ""}, "gpus": ""}
                for volumes in ("input_volumes", "output_volumes"):
                    task[volumes] = {"data": {"mount_path": "", "type": "directory"}}
    return full


def _forms(payload: str) -> Iterator[str]:
    """Yield the payload in the forms that fields ask for, the freest first."""
    bare = re.sub(r'[\t\n\r "<>\\]', "_", payload)
    yield payload
    yield re.sub(r"\s", "_", payload)
    yield f"https://x.example/{bare}"
    yield "/" + payload.replace("/", "|")
    yield "/" + payload.replace(":", "|")
    yield re.sub(r"\s", "_", payload).replace("/", "|")


def _iter_free(schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> Iterator[str]:
    schema = resolve(schema, root)
    if is_free(schema):
        yield where
        return
    for name, inner in schema.get("properties", {}).items():
        yield from _iter_free(inner, root, f"{where}/{name}")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _iter_free(schema["additionalProperties"], root, f"{where}/*")
    if isinstance(schema.get("items"), Mapping):
        yield from _iter_free(schema["items"], root, f"{where}/-")


def _with_hostile_statement(bundle: bytes, payload: str) -> bytes:
    """Return a bundle of which every text that a page may show is the payload."""
    value = json.loads(bundle)
    envelope = value["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"] |= dict.fromkeys(("signer", "signedAt", "head"), payload)
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps(value).encode()
