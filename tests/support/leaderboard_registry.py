"""A small registry in memory for the leaderboard's tests: real canonical records, and bundles of fixed shape.

registry = Registry()
registry.site("north", cases=60); registry.model("ridge", "Ridge")
registry.result("ridge", "north", {"auroc": 0.91})
view = registry.view()
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_value
from medperf_git.records.strict_yaml import Value
from medperf_git.records.view import MemoryView

CREATED = "2026-11-25T10:00:00Z"
COMMIT = "1f0c2d3e4b5a69788796a5b4c3d2e1f00f1e2d3c"
REGISTRY_ID = "mg1:" + "ab" * 32
STEP_TIME = "2026-11-25T12:00:00Z"
BENCHMARK = Ref("ana", "breast", 1)
METRICS: Mapping[str, Mapping[str, Any]] = {
    "auroc": {"title": "AUROC", "direction": "higher", "reduction": "none", "decimals": 3},
    "sensitivity": {"title": "Sensitivity", "direction": "higher", "reduction": "none", "decimals": 3},
    "brier": {"title": "Brier score", "direction": "lower", "reduction": "mean", "decimals": 3},
}


@dataclass
class Registry:
    """Files of a registry, added record by record; the keys are no real keys and nothing here is verified."""

    rule: str = "mean-of-sites"
    weights: str = "equal"
    missing: str = "exclude-site"
    metrics: tuple[str, ...] = ("auroc",)
    n: str = "exact"
    texts: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write what every registry here has: members, three cubes, a benchmark, a policy."""
        for member in ("ana", "ben"):
            self.member(member)
        self._add("registry/0001.yaml", "registry", {
            "name": "breast-net", "title": self.text("registry", "Breast imaging network"),
            "maintainers": ["ana", "ben"],
            "threshold": 1,
            "limits": {
                "members": 100, "names_per_member": 50, "chain_length": 99, "proposal_files": 100,
                "proposal_bytes": 1000000,
            },
        })  # fmt: skip
        self.cube("ana", "prep", "data-preparator", "Table preparator")
        self.cube("ana", "scores", "metrics", "Binary scores")
        self.cube("ana", "one-feature", "model", self.text("model", "One feature"))
        self._benchmark()
        self._policy()

    def text(self, what: str, plain: str) -> str:
        """Give the text of a field, replaced by a hostile one where the test asks for it."""
        return self.texts.get(what, plain)

    def member(self, name: str) -> None:
        """Add a member with one key."""
        title = {"ana": "Ana’s committee", "ben": "Ben’s group"}.get(name, f"Hospital {name.title()}")
        value = {"member": name, "title": title, "status": "active", "keys": {"signing": [{"key": key_of(name)}]}}
        self._add(layout.member_path(name, 1), "member", value)

    def cube(self, member: str, name: str, role: str, title: str) -> None:
        """Add a container."""
        image = {"type": "DockerImage", "reference": f"{name}:1", "id": sha(name), "platform": "linux/amd64"}
        names = {
            "data-preparator": ("prepare", "sanity_check", "statistics"),
            "model": ("infer",),
            "metrics": ("evaluate",),
        }
        tasks: dict[str, Any] = {task: {"run_args": {"command": task}} for task in names[role]}
        value = {
            "member": member, "name": name, "version": 1, "role": role, "title": title, "image": image, "tasks": tasks,
        }  # fmt: skip
        self._add(layout.cube_path(Ref(member, name, 1)), "cube", value, signer=member)

    def model(self, name: str, title: str = "", *, approved: bool = True) -> None:
        """Add a model of ben's and its association."""
        self.cube("ben", name, "model", title or name.title())
        self._associate("cube", Ref("ben", name, 1), approved=approved)

    def site(self, name: str, *, cases: int, title: str = "", approved: bool = True) -> None:
        """Add a hospital with one dataset and its association."""
        self.member(name)
        self.sizes[name] = cases
        value = {
            "member": name, "name": "tumours", "version": 1, "title": self.text("dataset", title or name.title()),
            "preparator": self._reference(layout.cube_path(Ref("ana", "prep", 1)), "ana/prep@1"),
            "cases": {"exact": cases}, "content": {"method": "mgds-v1", "digest": sha(name)},
        }  # fmt: skip
        ref = Ref(name, "tumours", 1)
        self._add(layout.dataset_path(ref), "dataset", value, signer=name)
        self._associate("dataset", ref, approved=approved)

    def result(
        self,
        model: str,
        site: str,
        values: Mapping[str, float] | None = None,
        *,
        outcome: str = "complete",
        reason: str = "",
        cases: int | None = None,
    ) -> str:
        """Add a result, the next of its chain; give its path."""
        owner = Ref("ana", model, 1) if model == "one-feature" else Ref("ben", model, 1)
        dataset = Ref(site, "tumours", 1)
        folder = layout.result_folder(BENCHMARK, dataset, owner)
        number = 1 + sum(path.startswith(folder) and path.endswith(".yaml") for path in self.files)
        size = self.sizes[site] if cases is None else cases
        value: dict[str, Any] = {
            **({"previous": digest_of(self.files[layout.numbered(folder, number - 1)])} if number > 1 else {}),
            "benchmark": self._reference(layout.benchmark_path(BENCHMARK), str(BENCHMARK)),
            "dataset": self._reference(layout.dataset_path(dataset), str(dataset)),
            "model": self._reference(layout.cube_path(owner), str(owner)),
            "data_preparator": self._reference(layout.cube_path(Ref("ana", "prep", 1)), "ana/prep@1"),
            "metrics_cube": self._reference(layout.cube_path(Ref("ana", "scores", 1)), "ana/scores@1"),
            "images": {"model": sha(model), "metrics": sha("scores")},
            "outcome": outcome, "attempt": number, "cases": {"exact": size},
            "sandbox": "strict", "engine": {"name": "docker", "version": self.text("engine", "27.3.1")},
            "started": CREATED, "finished": CREATED, "client": self.text("client", "0.1.0"),
            "assurance": "self-attested",
        }  # fmt: skip
        if reason:
            value["reason"] = reason
        if values is not None:
            value["values"] = {name: {"value": decimal(x), "n": size} for name, x in sorted(values.items())}
        path = layout.numbered(folder, number)
        self._add(path, "result", value, signer=site)
        return path

    def notice(self, path: str, event: str, *, by: str, side: str, reason: str = "error-found") -> None:
        """Add a notice about a record."""
        folder = layout.notice_folder(path)
        number = 1 + sum(name.startswith(folder + "/") and name.endswith(".yaml") for name in self.files)
        value: dict[str, Any] = {
            **({"previous": digest_of(self.files[layout.numbered(folder, number - 1)])} if number > 1 else {}),
            "record": {"path": path, "digest": digest_of(self.files[path])},
            "event": event, "by": by, "side": side, "reason": reason,
        }  # fmt: skip
        self._add(layout.numbered(folder, number), "notice", value, signer=by)

    def view(self) -> MemoryView:
        """See the files as a tree."""
        return MemoryView(self.files)

    def _benchmark(self) -> None:
        metrics = [
            {
                "id": name, "title": self.text(f"metric-{name}", str(words["title"])), "path": f"/{name}",
                "unit": self.text("unit", "1"), "range": {"min": 0, "max": 1}, "direction": words["direction"],
                "decimals": words["decimals"], "undefined": "missing", "reduction": words["reduction"], "sd": False,
            }
            for name, words in METRICS.items()
        ]  # fmt: skip
        ranking = {
            "rule": self.rule, "version": 1, "metrics": list(self.metrics), "weights": self.weights,
            "missing": self.missing, "seed": 20261125,
        }  # fmt: skip
        text = "Is a breast mass malignant? Cytological features of fine needle aspirates, one case per patient."
        value = {
            "member": "ana", "name": "breast", "version": 1,
            "title": self.text("benchmark", "Malignancy of breast masses"),
            "description": self.text("description", text),
            "data_preparator": self._reference(layout.cube_path(Ref("ana", "prep", 1)), "ana/prep@1"),
            "reference_model": self._reference(layout.cube_path(Ref("ana", "one-feature", 1)), "ana/one-feature@1"),
            "metrics_cube": self._reference(layout.cube_path(Ref("ana", "scores", 1)), "ana/scores@1"),
            "demo_data": {"url": "https://example.org/demo.tar.gz", "size": 1000, "digest": sha("demo")},
            "metrics": metrics, "ranking": ranking, "partial": True, "visibility": "public",
            "bias": {"intended_use": self.text("bias", "Second reading; never alone.")},
        }  # fmt: skip
        self._add(layout.benchmark_path(BENCHMARK), "benchmark", value, signer="ana")

    def _policy(self) -> None:
        value = {
            "benchmark": self._reference(layout.benchmark_path(BENCHMARK), str(BENCHMARK)),
            "committee": ["ana", "ben"], "thresholds": {"change": 2, "events": 1},
            "auto_approve": {"datasets": {"mode": "never"}, "models": {"mode": "list", "members": ["ben"]}},
            "disclosure": {"min_cases": 10, "decimals": 3, "n": self.n},
        }  # fmt: skip
        self._add(layout.numbered(layout.policy_folder(BENCHMARK), 1), "policy", value, signer="ana")

    def _associate(self, kind: str, ref: Ref, *, approved: bool) -> None:
        folder = layout.association_folder(BENCHMARK, kind, ref)
        path = layout.dataset_path(ref) if kind == "dataset" else layout.cube_path(ref)
        common = {
            "benchmark": self._reference(layout.benchmark_path(BENCHMARK), str(BENCHMARK)),
            "subject": {"kind": kind, "ref": str(ref), "digest": digest_of(self.files[path])},
        }
        first = layout.numbered(folder, 1)
        policy = digest_of(self.files[layout.numbered(layout.policy_folder(BENCHMARK), 1)])
        asked = {**common, "event": "request", "by": ref.member, "side": "owner", "policy": policy}
        self._add(first, "association", asked)
        if approved:
            previous = {"previous": digest_of(self.files[first])}
            value = {**previous, **common, "event": "approve", "by": "ana", "side": "committee"}
            self._add(layout.numbered(folder, 2), "association", value)

    def _reference(self, path: str, ref: str) -> dict[str, Value]:
        return {"ref": ref, "digest": digest_of(self.files[path])}

    def _add(self, path: str, kind: str, value: Mapping[str, Any], *, signer: str = "") -> None:
        data = write_value(layout.Kind(kind), {"kind": kind, "spec": 1, "created": CREATED, **value})
        findings = read_record(path, data).findings
        assert not findings, findings
        self.files[path] = data
        if signer:
            self.files[layout.bundle_of(path, key_id(signer))] = bundle(path, data, signer)


def decimal(number: float) -> int | Decimal:
    """Write a number as records have it."""
    return int(number) if number == int(number) else Decimal(repr(number))


def sha(text: str) -> str:
    """Give a digest that depends on a word."""
    return digest_of(text.encode())


def raw_key(name: str) -> bytes:
    """Give 32 bytes that stand for a member's public key."""
    return hashlib.sha256(f"key of {name}".encode()).digest()


def key_id(name: str) -> str:
    """Give the 16 hexadecimal digits in a bundle's name."""
    return hashlib.sha256(raw_key(name)).hexdigest()[:16]


def key_of(name: str) -> str:
    """Give a member's key line."""
    return "ssh-ed25519 " + base64.b64encode(_blob(name)).decode()


def fingerprint(name: str) -> str:
    """Give a key's OpenSSH fingerprint."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(name)).digest()).decode().rstrip("=")


def bundle(path: str, data: bytes, signer: str) -> bytes:
    """Make a bundle of the right shape; its signature is no signature."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}],
        "predicate": {"registry": REGISTRY_ID, "head": COMMIT, "signer": signer, "signedAt": CREATED},
    }
    payload = base64.b64encode(json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()).decode()
    envelope = {"payload": payload, "signatures": [{"keyid": fingerprint(signer), "sig": ""}]}
    return json.dumps({"dsseEnvelope": envelope}).encode()


def _blob(name: str) -> bytes:
    return b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + raw_key(name)


def demo(rule: str = "mean-of-sites") -> Registry:
    """Three hospitals, four models, a failure, a partial, a superseded and a missing result."""
    registry = Registry(rule=rule)
    for name, cases, title in (
        ("north", 60, "North General"),
        ("river", 120, "River Clinic"),
        ("summit", 200, "Summit University"),
    ):
        registry.site(name, cases=cases, title=title)
    for name, title in (("logit", "Logistic regression"), ("forest", "Random forest"), ("near", "Nearest neighbours")):
        registry.model(name, title)
    registry.model("late", "Gradient boosting", approved=True)
    values = {
        "logit": ((0.981, 0.952, 0.041), (0.974, 0.931, 0.052), (0.992, 0.967, 0.031)),
        "forest": ((0.984, 0.929, 0.049), (0.961, 0.914, 0.061), (0.983, 0.958, 0.040)),
        "near": ((0.947, 0.905, 0.066), (0.952, 0.897, 0.070), None),
        "one-feature": ((0.902, 0.810, 0.112), (0.874, 0.776, 0.131), (0.931, 0.842, 0.098)),
    }
    for model, sites in values.items():
        for site, numbers in zip(("north", "river", "summit"), sites, strict=True):
            if numbers is None:
                registry.result(model, site, outcome="failed", reason="out-of-memory")
                continue
            named = dict(zip(METRICS, numbers, strict=True))
            if (model, site) == ("forest", "river"):
                registry.result(model, site, {name: round(number - 0.01, 3) for name, number in named.items()})
            outcome = "partial" if (model, site) == ("one-feature", "river") else "complete"
            registry.result(model, site, named, outcome=outcome, cases=117 if outcome == "partial" else None)
    disputed = registry.result("late", "north", {"auroc": 0.999, "sensitivity": 0.99, "brier": 0.002})
    registry.notice(disputed, "dispute", by="ana", side="committee", reason="implausible")
    return registry


def wide(models: int = 8, sites: int = 7) -> Registry:
    """More sites, so that there are intervals and a test."""
    registry = Registry(metrics=("auroc",))
    names = [f"site-{chr(97 + place // 26) if place > 25 else ''}{chr(97 + place % 26)}" for place in range(sites)]
    for place, name in enumerate(names):
        registry.site(name, cases=40 + 37 * place, title=f"Hospital {name[5:].upper()}")
    for m in range(models):
        registry.model(f"net-{m + 1}", f"Network {m + 1}")
        for s, name in enumerate(names):
            base = 0.95 - 0.012 * max(0, m - 2) + 0.013 * ((s * 5 + m * 3) % 7 - 3) / 3
            values = {"auroc": base, "sensitivity": base - 0.06, "brier": 0.3 * (1 - base) + 0.04}
            registry.result(f"net-{m + 1}", name, {key: round(min(value, 1.0), 3) for key, value in values.items()})
    return registry
