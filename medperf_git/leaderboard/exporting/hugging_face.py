"""A model's values for the Hugging Face Hub, in its two formats: `model-index` and `.eval_results`.

`model-index` stands in the front matter of a model card, one entry per dataset and one for the registered score.
`.eval_results/*.yaml` holds one score per ranking metric; its `dataset.id` names the benchmark's repository on the Hub.
https://github.com/huggingface/hub-docs/blob/main/modelcard.md and /docs/hub/eval-results.md
"""

from collections.abc import Iterator, Mapping
from typing import Any

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.exporting.document import MANIFEST, render_manifest, rests_on, without_empty
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
from medperf_git.leaderboard.tables import BenchmarkTable, MetricInfo, Subject
from medperf_git.records.names import Ref
from medperf_git.records.quoted_yaml import render_yaml

TASK = "other"  # of the Hub's closed list; no record says which of its task types a benchmark is
_INTERVALS = (un.IntervalKind.EXACT, un.IntervalKind.DRAWN, un.IntervalKind.EFFECTS)
_LICENCES = frozenset({"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "mpl-2.0"})


def render_index(release: Release) -> Mapping[str, bytes]:
    """Write one model card per model with a plain value."""
    values, scores = _by_model(release), _scores_by_model(release)
    files = {
        f"{_folder(model.ref)}/README.md": _card(release, model, values[model.ref], scores.get(model.ref, []))
        for model in release.table.models
        if model.ref in values
    }
    files[MANIFEST] = _manifest(release, "model-index")
    return files


def render_results(release: Release) -> Mapping[str, bytes]:
    """Write one file of scores per model that has one, and the benchmark's own `eval.yaml` that names the tasks."""
    name = file_name(release.table)
    files = {
        f"{_folder(ref)}/.eval_results/{name}.yaml": render_yaml([_entry(release, score) for score in scores])
        for ref, scores in _scores_by_model(release).items()
    }
    files[f"{name}/eval.yaml"] = render_yaml(_tasks(release))
    files[MANIFEST] = _manifest(release, "eval-results")
    return files


def _folder(ref: Ref) -> str:
    return f"{ref.member}.{ref.name}.{ref.version}"


def _manifest(release: Release, name: str) -> bytes:
    benchmark = str(release.table.ref)
    return render_manifest(name, release.origin, benchmark=benchmark, records=evidence(release), out=left_out(release))


def _by_model(release: Release) -> dict[Ref, list[Value]]:
    found: dict[Ref, list[Value]] = {}
    for value in iter_values(release):
        found.setdefault(value.model.ref, []).append(value)
    return found


def _scores_by_model(release: Release) -> dict[Ref, list[PlainScore]]:
    found: dict[Ref, list[PlainScore]] = {}
    for score in iter_scores(release):
        if isinstance(score, PlainScore):
            found.setdefault(score.standing.model.ref, []).append(score)
    return dict(sorted(found.items()))


def _card(release: Release, model: Subject, values: list[Value], scores: list[PlainScore]) -> bytes:
    """Write a card: front matter, then a body without any text from a record but names of a closed alphabet."""
    front = {**_licence(release, model.ref), "model-index": [{"name": model.title, "results": []}]}
    results = front["model-index"][0]["results"]
    results += [*_iter_results(release, values), *([_overall(release, scores)] if scores else [])]
    body = (
        f"Results of {model.ref} in the benchmark {release.table.ref}, exported from {rests_on(release.origin)}.\n"
        f"What is missing, failed, partial, disputed or withdrawn is not among them; `{MANIFEST}` lists it.\n"
    )
    return b"---\n" + render_yaml(front) + b"---\n\n" + body.encode()


def _licence(release: Release, ref: Ref) -> dict[str, Any]:
    """Give the model's licence where its record states one, in the Hub's words."""
    cube = cube_of(release.view, ref)
    if cube is None or cube.license is None:
        return {}
    known = cube.license.lower()
    return {"license": known} if known in _LICENCES else {"license": "other", "license_name": cube.license}


def _iter_results(release: Release, values: list[Value]) -> Iterator[dict[str, Any]]:
    by_site: dict[Ref, list[Value]] = {}
    for value in values:
        by_site.setdefault(value.site.ref, []).append(value)
    for site, own in by_site.items():
        entry = own[0].cell.result
        assert entry is not None  # noqa: S101 - a plain value has a result
        dataset = {
            "name": own[0].site.title,
            "type": str(site),
            "args": {"cases": entry.cases, "record": entry.source.path, "digest": entry.source.digest},
        }
        yield {"task": _task(release), "dataset": dataset, "metrics": [_metric(one) for one in own]}


def _task(release: Release) -> dict[str, str]:
    return {"type": TASK, "name": release.table.title}


def _metric(value: Value) -> dict[str, Any]:
    measured = value.measured
    args = without_empty(
        {
            **_direction(value.metric),
            "n": measured.n,
            "sd": measured.sd,
            "n_failed": measured.n_failed,
            "n_undefined": measured.n_undefined,
        }
    )
    return {"type": value.metric.id, "value": value.number, "name": value.metric.title, "args": args}


def _direction(metric: MetricInfo) -> dict[str, Any]:
    return {"unit": metric.unit, "better": "higher" if metric.higher_is_better else "lower"}


def _overall(release: Release, scores: list[PlainScore]) -> dict[str, Any]:
    """Give the scores by the registered rule, over all sites that count."""
    table, origin = release.table, release.origin
    dataset = {
        "name": table.title,
        "type": str(table.ref),
        "args": {
            "registry": origin.registry_id,
            "commit": origin.commit,
            "record": table.source.path,
            "digest": table.source.digest,
            **rule_facts(table),
        },
    }
    metrics = [
        {
            "type": score.score.metric.id,
            "value": score.number,
            "name": score.score.metric.title,
            "args": {**_direction(score.score.metric), "sites": len(score.cells), **interval_facts(score)},
        }
        for score in scores
    ]
    return {"task": _task(release), "dataset": dataset, "metrics": metrics}


def rule_facts(table: BenchmarkTable) -> dict[str, str]:
    """Name the registered rule."""
    spec = table.ranking
    return {"rule": f"{spec.rule} version {spec.version}", "weights": spec.weights, "missing": spec.missing}


def interval_facts(score: PlainScore) -> dict[str, Any]:
    """Give a score's 95 % interval with how it was made; nothing where there are too few sites for one."""
    found = score.score.interval
    if not isinstance(found, un.Interval) or found.kind not in _INTERVALS:
        return {}
    return {"low": round(found.low, 12), "high": round(found.high, 12), "interval": found.kind.value}


def task_id(table: BenchmarkTable, metric: MetricInfo) -> str:
    """Name one task: the metric under one version of the benchmark."""
    return f"v{table.ref.version}-{metric.id}"


def _entry(release: Release, score: PlainScore) -> dict[str, Any]:
    table, origin = release.table, release.origin
    results = [cell.result for cell in score.cells if cell.result is not None]
    page = origin.page(table.url)
    ids = " ".join(entry.source.id for entry in results)
    rule = ", ".join(f"{name} {text}" for name, text in rule_facts(table).items())
    return without_empty(
        {
            "dataset": {"id": f"{table.ref.member}/{table.ref.name}", "task_id": task_id(table, score.score.metric)},
            "value": score.number,
            "date": max((entry.finished for entry in results), default=""),
            "source": {"url": page, "name": origin.registry_title or table.title} if page else None,
            "notes": f"{rule}; {len(results)} sites; {rests_on(origin)}; results {ids}",
        }
    )


def _tasks(release: Release) -> dict[str, Any]:
    table = release.table
    return without_empty(
        {
            "name": table.title,
            "description": table.description,
            "evaluation_framework": "medperf-git",
            "tasks": [
                {"id": task_id(table, metric), "config": "default", "split": "test"}
                for metric in release.analysis.metrics
            ],
        }
    )
