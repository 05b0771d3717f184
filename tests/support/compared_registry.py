"""A registry in memory whose sites publish comparisons, made from values by case that the test keeps.

house = ComparedRegistry(rule="fets-2022")
house.model("forest"); house.site("north", cases=40)
house.cases("north", {"forest": {"dice": [...]}, "ridge": {"dice": [...]}})    # results and comparisons
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medperf_git.leaderboard.statistics.ranks import Floats
from medperf_git.records import layout
from medperf_git.records.convert import value_of
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record
from medperf_git.runner.comparison import compare_cases
from tests.support.leaderboard_registry import BENCHMARK, Registry, decimal, sha

CASE_METRICS: Mapping[str, Mapping[str, Any]] = {
    "dice": {"title": "Dice", "direction": "higher", "range": {"min": 0, "max": 1}},
    "hd95": {"title": "HD95", "direction": "lower", "range": {"min": 0, "max": 374}},
}
DECIMALS = 4
Values = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass
class ComparedRegistry(Registry):
    """Two metrics with a value for each case, published as mean and standard deviation."""

    metrics: tuple[str, ...] = ("dice",)
    weights: str = "cases"
    extras: Mapping[str, Any] = field(default_factory=dict)
    reduction: str = "mean"

    def cases(self, site: str, values: Values, *, compare: Sequence[str] | None = None) -> None:
        """Add the results of models on a site's cases, and the comparison of all of them or of those named."""
        for model, metrics in values.items():
            self.measured(model, site, metrics)
        chosen = sorted(values if compare is None else compare)
        if len(chosen) > 1:
            for metric in CASE_METRICS:
                if all(metric in values[model] for model in chosen):
                    self.comparison(site, metric, {model: values[model][metric] for model in chosen})

    def measured(self, model: str, site: str, metrics: Mapping[str, Sequence[float]]) -> str:
        """Add a result that publishes the mean and the standard deviation over cases."""
        path = self.result(model, site, dict.fromkeys(metrics, 0.5))
        entries = {
            name: {
                "value": decimal(round(statistics.fmean(cases), DECIMALS)),
                "n": len(cases),
                "sd": decimal(round(statistics.stdev(cases), DECIMALS) if len(cases) > 1 else 0),
            }
            for name, cases in sorted(metrics.items())
        }
        self.replace(path, values=entries)
        return path

    def comparison(self, site: str, metric: str, values: Mapping[str, Sequence[float]]) -> str:
        """Add a site's comparison, the next of its chain; give its path."""
        dataset = Ref(site, "tumours", 1)
        refs = {model: _ref(model) for model in values}
        order = sorted(values, key=lambda model: refs[model])
        block = compare_cases(
            [{f"case-{at:04d}": value for at, value in enumerate(values[model])} for model in order],
            higher_is_better=CASE_METRICS[metric]["direction"] == "higher",
            decimals=DECIMALS,
        )
        folder = layout.comparison_folder(BENCHMARK, dataset, metric)
        number = 1 + sum(path.startswith(f"{folder}/") and path.endswith(".yaml") for path in self.files)
        path = layout.numbered(folder, number)
        models = [
            {
                "ref": str(refs[model]),
                "digest": digest_of(self.files[layout.cube_path(refs[model])]),
                "result": digest_of(self.files[self.newest(model, site)]),
                "mean": mean,
                "mean_rank": rank,
            }
            for model, mean, rank in zip(order, block.means, block.mean_ranks, strict=True)
        ]
        pairs = [{name: getattr(pair, name) for name in pair.__dataclass_fields__} for pair in block.pairs]
        self._add(path, "comparison", {
            **({"previous": digest_of(self.files[layout.numbered(folder, number - 1)])} if number > 1 else {}),
            "benchmark": self._reference(layout.benchmark_path(BENCHMARK), str(BENCHMARK)),
            "dataset": self._reference(layout.dataset_path(dataset), str(dataset)),
            "metric": metric, "n": block.n, "models": models, "covariance": list(block.covariance), "pairs": pairs,
            "client": "0.1.0",
        }, signer=site)  # fmt: skip
        return path

    def newest(self, model: str, site: str) -> str:
        """Give the path of the newest result of a model at a site."""
        folder = layout.result_folder(BENCHMARK, Ref(site, "tumours", 1), _ref(model))
        return max(path for path in self.files if path.startswith(f"{folder}/") and path.endswith(".yaml"))

    def replace(self, path: str, **fields: Any) -> None:
        """Write a record again with other fields."""
        stored = read_record(path, self.files[path]).stored
        assert stored is not None
        value = {**value_of(stored.record), **fields}
        self._add(path, str(value.pop("kind")), value)

    def _benchmark(self) -> None:
        metrics = [
            {
                "id": name, "title": words["title"], "path": f"/cases/*/{name}", "unit": "1", "range": words["range"],
                "direction": words["direction"], "decimals": DECIMALS, "undefined": "missing",
                "reduction": self.reduction, "sd": True,
            }
            for name, words in CASE_METRICS.items()
        ]  # fmt: skip
        ranking = {
            "rule": self.rule, "version": 1, "metrics": list(self.metrics), "weights": self.weights,
            "missing": self.missing, "seed": 7, **self.extras,
        }  # fmt: skip
        value = {
            "member": "ana", "name": "breast", "version": 1, "title": "Masses", "description": "Where is the mass?",
            "data_preparator": self._reference(layout.cube_path(Ref("ana", "prep", 1)), "ana/prep@1"),
            "reference_model": self._reference(layout.cube_path(Ref("ana", "one-feature", 1)), "ana/one-feature@1"),
            "metrics_cube": self._reference(layout.cube_path(Ref("ana", "scores", 1)), "ana/scores@1"),
            "demo_data": {"url": "https://example.org/demo.tar.gz", "size": 1000, "digest": sha("demo")},
            "metrics": metrics, "ranking": ranking, "partial": True, "visibility": "public", "comparisons": True,
        }  # fmt: skip
        self._add(layout.benchmark_path(BENCHMARK), "benchmark", value, signer="ana")


def _ref(model: str) -> Ref:
    return Ref("ana" if model == "one-feature" else "ben", model, 1)


def drawn(seed: int, *, sites: Sequence[int], models: int, spread: float = 0.1) -> list[Floats]:
    """Draw the values of models on the cases of sites, (metric, model, case) each: Dice, then HD95, with some ties."""
    random = np.random.Generator(np.random.PCG64(seed))
    found = []
    for cases in sites:
        hard = random.normal(0, spread, cases)
        dice = 0.8 - 0.02 * np.arange(models)[:, None] + hard + random.normal(0, 0.05, (models, cases))
        dice = np.asarray(np.round(np.clip(dice, 0, 1), 2), dtype=np.float64)
        hd95 = np.round(10 + 60 * (1 - dice) + random.normal(0, 2, (models, cases)), 1)
        found.append(np.stack([dice, hd95]))
    return found


def registry_of(sites: Sequence[Floats], **words: Any) -> ComparedRegistry:
    """Return a registry of those values: models `m0`, `m1`, … at sites `s0`, `s1`, …, all of them compared."""
    house = ComparedRegistry(**words)
    names = [f"m{row}" for row in range(sites[0].shape[1])]
    for name in names:
        house.model(name)
    for at, values in enumerate(sites):
        house.site(f"s{at}", cases=values.shape[2])
        rows = {
            name: {metric: values[k, row].tolist() for k, metric in enumerate(CASE_METRICS)}
            for row, name in enumerate(names)
        }
        house.cases(f"s{at}", rows)
    return house
