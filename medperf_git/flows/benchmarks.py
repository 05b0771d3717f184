"""A committee's file → a benchmark record and its first policy; who stands where in a benchmark.

The file is any valid YAML: cubes by name, demo data by path; version, digests and sizes are filled in here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.demodata import asset_of
from medperf_git.flows.naming import find, next_version, parse_ref, refuse_withdrawn
from medperf_git.flows.policies import PolicyWish, first_policy
from medperf_git.flows.propose import Draft
from medperf_git.flows.proposing_metrics import propose_metrics
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.layout import Kind
from medperf_git.records.models import Asset, Benchmark, Cube, Reference
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.record import read_record, write_record, write_value
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.records.view import RecordView

CUBE_ROLES = {"data_preparator": "data-preparator", "reference_model": "model", "metrics_cube": "metrics"}

_SCIENCE = """\
title: "What is asked, in one line"
description: >-
  What the models are given, what they shall say, and for whom the answer matters.
# One entry for each number that may leave a hospital; nothing else ever does.
metrics:
  - id: auroc
    title: AUROC
    path: /auroc            # where it stands in the results file; `*` stands for every case
    unit: "1"
    range: {min: 0, max: 1}
    direction: higher       # or lower
    decimals: 3             # at most 4
    undefined: missing      # or worst: what .nan counts as
    reduction: none         # or mean, median over cases
    sd: false
    # worst: 0              # what counts as worst, where it is not the worse end of the range
    # With a `*` in the path, whose values by case stay at the site, these may be published too:
    # quantiles: [0.25, 0.5, 0.75]
    # counts: {path: /cases/*/confusion, length: 4}    # added up over cases
ranking:
  rule: mean-of-sites       # or mean-then-rank, meta; with comparisons rank-then-mean, fets-2022, brats, test-then-rank
  version: 1
  metrics: [auroc]
  weights: equal            # or cases, sqrt-cases, capped-cases (with `cap`)
  missing: exclude-site     # or exclude-model, worst
  seed: 1
partial: false              # whether a result may rest on a part of the cases
visibility: public
# comparisons: true         # sites may publish how models compare on the same cases, of metrics with a `*`
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBenchmark:
    """What the person who starts a benchmark says."""

    name: str
    data_preparator: str
    reference_model: str
    metrics_cube: str
    demo_data: Path
    demo_url: str | None = None
    science: str | None = None


def render_draft(wish: NewBenchmark) -> bytes:
    """Return the text of a commented draft file; cubes stand in it by name, demo data by path."""
    if fault := name_fault(wish.name):
        raise UsageProblem(f"{wish.name!r}: {fault}", hint="choose another --name")
    asset = asset_of(wish.demo_data, wish.demo_url)
    science = wish.science or _SCIENCE
    own = load_mapping(science.encode(), "the file of --science")
    lines = [
        "# A benchmark, for people to edit. Versions, digests and sizes are filled in when it is submitted.",
        f"name: {wish.name}",
        *(f"{key}: {getattr(wish, key)}" for key in CUBE_ROLES if key not in own),
        "# The packed demo data: raw files that everybody may have. `url` is where others fetch it.",
        "demo_data:",
        f"  path: {_quoted(str(wish.demo_data.resolve()))}",
        f"  url: {_quoted(asset.url)}",
        "",
    ]
    return ("\n".join(lines) + science).encode()


def metrics_from_results(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Propose a metric definition for every number of a results file, as YAML text to edit; and what is left out."""
    proposal = propose_metrics(load_mapping(data, "the results file"))
    if not proposal.metrics:
        raise UsageProblem("the results file has no number that could be a metric", hint="write them by hand")
    lines = ["metrics:", *(line for metric in proposal.metrics for line in metric.lines())]
    lines += [f"# left out: {said}" for said in proposal.left_out]
    head, _, rest = _SCIENCE.partition("metrics:")
    text = head + "\n".join(lines) + "\n" + rest[rest.index("ranking:") :].replace("[auroc]", f"[{proposal.first}]")
    return text, proposal.left_out


def build_benchmark(view: RecordView, data: bytes, folder: Path, *, member: str, created: str) -> Benchmark:
    """Fill a draft file (`folder` is where its relative paths start) into a benchmark record.

    Raises `Refused` with every finding when a field is wrong, `UsageProblem` when a name means nothing.
    """
    value = load_mapping(data, "the benchmark file")
    name = str(value.get("name", ""))
    if fault := name_fault(name):
        raise UsageProblem(f"name: {name!r}: {fault}", hint="write `name:` in the benchmark file")
    ref = Ref(member, name, next_version(view, Benchmark, member, name))
    for key, role in CUBE_ROLES.items():
        value[key] = _cube_reference(view, value.get(key), key, role=role, member=member)
    value["demo_data"] = _demo_asset(value.get("demo_data"), folder)
    if predecessor := value.get("predecessor"):
        value["predecessor"] = _as_value(find(view, Benchmark, _text(predecessor), member=member).reference)
    elif ref.version > 1:
        before = Ref(member, name, ref.version - 1)
        value["predecessor"] = _as_value(find(view, Benchmark, str(before), member=member).reference)
    value |= {"kind": "benchmark", "spec": 1, "created": created, "member": member, "version": ref.version}
    value.setdefault("partial", False)
    value.setdefault("visibility", "public")
    return _checked(layout.benchmark_path(ref), _exact(value))


def drafts_of(benchmark: Benchmark, wish: PolicyWish, *, member: str, created: str) -> list[Draft]:
    """Return a benchmark with its first policy, to travel in one proposal."""
    reference = Reference(benchmark.ref, digest_of(write_record(benchmark)))
    policy = first_policy(wish, reference, member=member, created=created)
    folder = layout.policy_folder(benchmark.ref)
    return [Draft(layout.benchmark_path(benchmark.ref), benchmark), Draft(layout.numbered(folder, 1), policy)]


def load_mapping(data: bytes, what: str) -> dict[str, Any]:
    """Read any YAML mapping; `UsageProblem` says what is wrong with it."""
    try:
        value = load_foreign_yaml(data)
    except Unreadable as error:
        raise UsageProblem(f"{what}: {error}", hint="correct the YAML") from error
    if not isinstance(value, dict):
        raise UsageProblem(f"{what} is no mapping of keys to values", hint="write `key: value` lines")
    return value


def demo_path(data: bytes, folder: Path) -> Path | None:
    """Return where a draft file says its demo data lies here, if it says so."""
    value = load_mapping(data, "the benchmark file").get("demo_data")
    text = value.get("path") if isinstance(value, dict) else value
    return folder / str(text) if text else None


def _cube_reference(view: RecordView, value: Any, key: str, *, role: str, member: str) -> dict[str, Any]:
    if not value:
        raise UsageProblem(f"{key} is missing", hint=f"write `{key}: member/name` in the benchmark file")
    found = find(view, Cube, str(parse_ref(view, Cube, _text(value), member=member)), member=member)
    refuse_withdrawn(view, found.stored)
    if found.record.role != role:
        raise Refused(f"{key} is {found.ref}, which is a {found.record.role}", hint=f"name a cube with the role {role}")
    return _as_value(found.reference)


def _text(value: Any) -> str:
    return str(value.get("ref", "")) if isinstance(value, dict) else str(value)


def _as_value(reference: Reference) -> dict[str, Any]:
    return {"ref": str(reference.ref), "digest": str(reference.digest)}


def _demo_asset(value: Any, folder: Path) -> dict[str, Any]:
    given = value if isinstance(value, dict) else {"path": value} if value else {}
    if given.get("path"):
        url = given.get("url")
        asset = asset_of(folder / str(given["path"]), str(url) if url else None)
        return _asset_value(asset)
    if {"url", "size", "digest"} <= given.keys():
        return {key: given[key] for key in ("url", "size", "digest")}
    raise UsageProblem("demo_data is missing", hint="write `demo_data: path/to/demo_data.tar.gz` in the benchmark file")


def _asset_value(asset: Asset) -> dict[str, Any]:
    return {"url": asset.url, "size": asset.size, "digest": str(asset.digest)}


def _exact(value: Any) -> Any:
    """Return the same values with every float as the decimal it was written as."""
    if isinstance(value, Mapping):
        return {str(key): _exact(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageProblem(f"{value} is no number a record can hold", hint="write a finite number")
        return int(value) if value.is_integer() else Decimal(repr(value))
    return value


def _checked(path: str, value: dict[str, Any]) -> Benchmark:
    for metric in value.get("metrics") or []:
        if isinstance(metric, dict) and isinstance(metric.get("unit"), int):
            metric["unit"] = str(metric["unit"])
    try:
        data = write_value(Kind.BENCHMARK, value)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageProblem(f"the benchmark file: {error}", hint="correct that value") from error
    reading = read_record(path, data)
    if reading.stored is None or not isinstance(reading.stored.record, Benchmark):
        said = "; ".join(f"{f.pointer or '/'}: {f.message} ({f.fix})" for f in reading.findings)
        raise Refused(f"the benchmark file is not complete: {said}", hint="correct the file and run this again")
    return reading.stored.record


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
