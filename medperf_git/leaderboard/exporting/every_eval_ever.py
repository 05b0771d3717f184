"""A model's values as Every Eval Ever has them (EvalEval coalition, schema 0.3.0): one JSON file per model.

Every value is a string where the schema wants one. The file's name is a UUID made from the results it rests on, so the
same results give the same file at every commit. https://github.com/evaleval/every_eval_ever
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from medperf_git.leaderboard.cell_files import render_json
from medperf_git.leaderboard.exporting.document import MANIFEST, render_manifest, without_empty
from medperf_git.leaderboard.exporting.hugging_face import interval_facts, rule_facts
from medperf_git.leaderboard.exporting.release import (
    PlainScore,
    Release,
    Value,
    cube_of,
    evidence,
    iter_scores,
    iter_values,
    left_out,
)
from medperf_git.leaderboard.exporting.schema_org import file_name
from medperf_git.leaderboard.tables import MetricInfo, ResultEntry, Subject
from medperf_git.records.names import Ref
from medperf_git.records.times import parse_time

SCHEMA = "0.3.0"


def render(release: Release) -> Mapping[str, bytes]:
    """Write `data/<benchmark>/<owner>/<model>/<uuid>.json` for every model with a plain value."""
    values: dict[Ref, list[Value]] = {}
    scores: dict[Ref, list[PlainScore]] = {}
    for value in iter_values(release):
        values.setdefault(value.model.ref, []).append(value)
    for score in iter_scores(release):
        if isinstance(score, PlainScore):
            scores.setdefault(score.standing.model.ref, []).append(score)
    files: dict[str, bytes] = {}
    for model in release.table.models:
        if own := values.get(model.ref):
            folder = f"data/{file_name(release.table)}/{model.ref.member}/{model_name(model.ref)}"
            document = _document(release, model, own, scores.get(model.ref, []))
            files[f"{folder}/{_uuid(release, own)}.json"] = render_json(document)
    files[MANIFEST] = render_manifest(
        "every-eval-ever",
        release.origin,
        benchmark=str(release.table.ref),
        records=evidence(release),
        out=left_out(release),
    )
    return files


def model_name(ref: Ref) -> str:
    """Name a model version in a path; versions of a model are models of their own there."""
    return f"{ref.name}-v{ref.version}"


def _entries(values: Iterable[Value]) -> dict[str, ResultEntry]:
    found = {}
    for value in values:
        assert value.cell.result is not None  # noqa: S101 - a plain value has a result
        found[value.cell.result.source.path] = value.cell.result
    return found


def _uuid(release: Release, values: list[Value]) -> uuid.UUID:
    digests = "\n".join(entry.source.digest for entry in _entries(values).values())
    seed = f"{release.origin.registry_id}\n{release.table.ref}\n{values[0].model.ref}\n{digests}\n"
    return uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4)


def _document(release: Release, model: Subject, values: list[Value], scores: list[PlainScore]) -> dict[str, Any]:
    origin, table = release.origin, release.table
    entries = _entries(values).values()
    epoch = str(int(parse_time(origin.step_time).timestamp()))
    own_id = f"{model.ref.member}/{model_name(model.ref)}"
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{file_name(table)}/{own_id}/{epoch}",
        "evaluation_timestamp": max(entry.finished for entry in entries),
        "retrieved_timestamp": epoch,
        "source_metadata": without_empty(
            {
                "source_name": table.title,
                "source_type": "documentation",
                "source_organization_name": origin.registry_title or origin.registry_name or origin.registry_id,
                "source_organization_url": origin.site_url,
                "evaluator_relationship": _relationship(model, values),
                "additional_details": {
                    "registry": origin.registry_id,
                    "commit": origin.commit,
                    "step_time": origin.step_time,
                    "benchmark": str(table.ref),
                    "benchmark_record": f"{table.source.path} {table.source.digest}",
                    **rule_facts(table),
                },
            }
        ),
        "model_info": _model_info(release, model, own_id, entries),
        "eval_library": {
            "name": "medperf-git",
            "version": ", ".join(sorted({entry.client for entry in entries})),
            "additional_details": {
                "metrics": next(str(cube.ref) for cube in table.cubes if cube.role == "metrics"),
                "metrics_image": ", ".join(sorted({entry.images["metrics"] for entry in entries})),
            },
        },
        "evaluation_results": [
            *(_result(release, value) for value in values),
            *(_score(release, score) for score in scores),
        ],
    }


def _relationship(model: Subject, values: list[Value]) -> str:
    """Say who evaluated: sites other than the model's owner, the owner alone, or both."""
    own = {value.site.ref.member == model.ref.member for value in values}
    return {frozenset({False}): "third_party", frozenset({True}): "first_party"}.get(frozenset(own), "collaborative")


def _model_info(release: Release, model: Subject, own_id: str, entries: Iterable[ResultEntry]) -> dict[str, Any]:
    cube = cube_of(release.view, model.ref)
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "record": str(model.ref),
        "image": ", ".join(sorted({entry.images["model"] for entry in entries})),
        **({"license": cube.license} if cube and cube.license else {}),
    }
    owner = release.person(model.ref.member).title
    return {"name": model.title, "id": own_id, "developer": owner, "additional_details": details}


def _metric(release: Release, metric: MetricInfo) -> dict[str, Any]:
    table = release.table
    return without_empty(
        {
            "evaluation_description": table.description,
            "metric_id": f"{file_name(table)}.{metric.id}",
            "metric_name": metric.title,
            "metric_unit": metric.unit,
            "lower_is_better": not metric.higher_is_better,
            "score_type": "continuous",
            "min_score": "-Infinity" if metric.low is None else metric.low,
            "max_score": "Infinity" if metric.high is None else metric.high,
        }
    )


def _result(release: Release, value: Value) -> dict[str, Any]:
    entry, measured = value.cell.result, value.measured
    assert entry is not None  # noqa: S101 - a plain value has a result
    uncertainty = without_empty({"standard_deviation": measured.sd, "num_samples": measured.n})
    signers = ", ".join(sorted({signature.signer for signature in entry.source.signatures}))
    source = {
        "dataset_name": value.site.title,
        "source_type": "other",
        "additional_details": {"dataset": str(value.site.ref), "cases": entry.cases},
    }
    details = {
        "record": entry.source.path,
        "digest": entry.source.digest,
        "signed_by": signers,
        "assurance": entry.assurance,
        "engine": entry.engine,
        "sandbox": entry.sandbox,
    }
    score = {"score": value.number, "details": details}
    return {
        "evaluation_result_id": f"{entry.source.path}#{value.metric.id}",
        "evaluation_name": f"{value.metric.title} at {value.site.title}",
        "source_data": source,
        "evaluation_timestamp": entry.finished,
        "metric_config": _metric(release, value.metric),
        "score_details": {**score, "uncertainty": uncertainty} if uncertainty else score,
    }


def _score(release: Release, score: PlainScore) -> dict[str, Any]:
    table, metric = release.table, score.score.metric
    facts = interval_facts(score)
    results = [cell.result for cell in score.cells if cell.result is not None]
    details = {
        **rule_facts(table),
        "sites": str(len(score.cells)),
        "results": ", ".join(entry.source.digest for entry in results),
    }
    found: dict[str, Any] = {"score": score.number, "details": details}
    if facts:
        found["uncertainty"] = {
            "confidence_interval": {
                "lower": facts["low"],
                "upper": facts["high"],
                "confidence_level": 0.95,
                "method": facts["interval"],
            }
        }
    return {
        "evaluation_result_id": f"{table.ref} {score.standing.model.ref} {metric.id}",
        "evaluation_name": f"{metric.title} over {len(score.cells)} sites",
        "source_data": {
            "dataset_name": table.title,
            "source_type": "other",
            "additional_details": {"datasets": ", ".join(str(cell.dataset) for cell in score.cells)},
        },
        "evaluation_timestamp": max((entry.finished for entry in results), default=release.origin.step_time),
        "metric_config": _metric(release, metric),
        "score_details": found,
    }
