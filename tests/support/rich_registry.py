"""The demo of the leaderboard's tests with everything that records may say: countries, statistics, keys that came and
went, a second version, notices about models and datasets; and the steps that led there.

registry = rich()
steps = steps_of(registry)          # one record a step, the newest first
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_value
from tests.support import leaderboard_registry as lr


@dataclass(frozen=True)
class OneStep:
    """A `leaderboard.steps.Step`."""

    commit: str
    time: str
    paths: tuple[str, ...]


def add(registry: lr.Registry, path: str, kind: str, value: Mapping[str, Any], *, signer: str = "") -> None:
    """Add a record, checked against its schema."""
    data = write_value(layout.Kind(kind), {"kind": kind, "spec": 1, "created": lr.CREATED, **value})
    findings = read_record(path, data).findings
    assert not findings, findings
    registry.files[path] = data
    if signer:
        registry.files[layout.bundle_of(path, lr.key_id(signer))] = lr.bundle(path, data, signer)


def rich(texts: Mapping[str, str] | None = None) -> lr.Registry:
    """Give the registry; `texts` replaces `description`, `terms`, `licence`, `parameters` and `modality`."""
    words = {
        "description": "Trees, grown at random.\n\nFor second reading; never alone.",
        "licence": "Apache-2.0",
        "parameters": "trees: 100\ndepth: 4\n",
        "terms": "Only for this benchmark.",
        "modality": "Fine needle aspirate",
        "title": "Random forest",
        **(texts or {}),
    }
    registry = lr.demo()
    image = {
        "type": "DockerImage", "reference": "example.org/forest:2", "id": lr.sha("forest-2"), "manifest": lr.sha("m"),
        "platform": "linux/amd64",
    }  # fmt: skip
    add(registry, layout.cube_path(Ref("ben", "forest", 2)), "cube", {
        "member": "ben", "name": "forest", "version": 2, "role": "model", "title": words["title"],
        "description": words["description"], "license": words["licence"], "image": image,
        "tasks": {"infer": {"run_args": {"command": "infer"}}}, "parameters": words["parameters"],
        "resources": {"seconds_per_case": 2, "peak_memory_bytes": 1_500_000_000, "gpu": False},
        "tested": {"data": lr.sha("demo"), "outcome": "complete"},
    }, signer="ben")  # fmt: skip
    preparator = {"ref": "ana/prep@1", "digest": digest_of(registry.files[layout.cube_path(Ref("ana", "prep", 1))])}
    add(registry, layout.dataset_path(Ref("river", "archive", 1)), "dataset", {
        "member": "river", "name": "archive", "version": 1, "title": "Archive", "description": words["description"],
        "preparator": preparator, "cases": {"from": 50, "to": 99},
        "content": {"method": "mgds-v1-salted", "digest": lr.sha("archive")},
        "statistics": {"mean_age": 61, "num_cases": 74},
        "acquisition": {"country": "NO", "from_year": 2019, "to_year": 2023, "modality": words["modality"]},
        "terms": words["terms"], "disclosure": {"min_cases": 20, "decimals": 2},
    }, signer="river")  # fmt: skip
    _keys(registry)
    registry.notice(layout.cube_path(Ref("ben", "near", 1)), "withdraw", by="ben", side="owner")
    return registry


def _keys(registry: lr.Registry) -> None:
    """Ana says where it is and takes a new key; then it revokes the first one."""
    first = layout.member_path("ana", 1)
    base = {"member": "ana", "title": "Ana’s committee", "country": "NO", "website": "https://ana.example"}
    keys = {"signing": [{"key": lr.key_of("ana")}, {"key": lr.key_of("ana-2"), "expires": "2028-01-01T00:00:00Z"}]}
    second = layout.member_path("ana", 2)
    add(registry, second, "member", {
        "previous": digest_of(registry.files[first]), **base, "status": "active", "keys": keys,
    }, signer="ana")  # fmt: skip
    add(registry, layout.member_path("ana", 3), "member", {
        "previous": digest_of(registry.files[second]), **base, "status": "active",
        "keys": {"signing": keys["signing"][1:]},
        "revoked": [{"key": lr.key_of("ana"), "since": lr.COMMIT, "reason": "lost"}],
    }, signer="ana-2")  # fmt: skip


def steps_of(registry: lr.Registry, most: int = 50) -> tuple[OneStep, ...]:
    """Give one step for each record, in the order in which they were added, the newest first."""
    records = [path for path in registry.files if path.endswith(".yaml")]
    found = [
        OneStep(f"{number + 1:x}".zfill(40), f"2026-11-{20 + number // 24:02d}T{number % 24:02d}:00:00Z", (path,))
        for number, path in enumerate(records)
    ]
    return tuple(reversed(found))[:most]
