"""AUROC and F1 are scikit-learn's to nine decimals, also of all sites together, and one class only has no AUROC."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score, roc_auc_score

from medperf_git.leaderboard.bias import ITEMS
from medperf_git.leaderboard.statistics import counts as ct
from medperf_git.records.layout import Kind
from medperf_git.records.models import Benchmark, Metric
from medperf_git.records.record import read_record, write_value
from medperf_git.runner.reduce import reduce_results

from .conftest import JUDGED, PILOT, Done, run_program

Table = dict[str, list[tuple[str, float]]]  # finding → label as written, probability
HEADER = ",".join(("case", *JUDGED))
BINS = 20


def key(finding: str) -> str:
    return finding.lower().replace(" ", "_")


def made_up(seed: int, cases: int, *, decimals: int = 6) -> Table:
    """Return labels and probabilities that go with them, somewhat."""
    chance = random.Random(seed)
    table: Table = {}
    for finding in JUDGED:
        truth = [str(int(chance.random() < 0.3)) for _ in range(cases)]
        table[finding] = [
            (label, round(min(1, max(0, chance.gauss(0.35 + 0.2 * int(label), 0.2))), decimals)) for label in truth
        ]
    return table


def evaluate(folder: Path, table: Table, parameters: str = f"threshold: 0.5\nbins: {BINS}\n") -> Done:
    rows = list(zip(*(table[finding] for finding in JUDGED), strict=True))
    labels = "".join(f"C{n},{','.join(label for label, _ in row)}\n" for n, row in enumerate(rows))
    # Predictions stand in another order than labels.
    predictions = "".join(f"C{n},{','.join(str(p) for _, p in row)}\n" for n, row in reversed(list(enumerate(rows))))
    return evaluate_texts(folder, f"{HEADER}\n{predictions}", f"{HEADER}\n{labels}", parameters)


def evaluate_texts(
    folder: Path, predictions: str, labels: str, parameters: str = f"threshold: 0.5\nbins: {BINS}\n"
) -> Done:
    for name in ("predictions", "labels", "local"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "predictions/predictions.csv").write_text(predictions, encoding="utf-8", errors="surrogateescape")
    (folder / "labels/labels.csv").write_text(labels, encoding="utf-8")
    (folder / "parameters.yaml").write_text(parameters, encoding="utf-8")
    places = ("--predictions", folder / "predictions", "--labels", folder / "labels", "--local", folder / "local")
    more = ("--parameters", folder / "parameters.yaml", "--out", folder / "results.yaml")
    return run_program(PILOT / "metrics/evaluate.py", *places, *more)


def results_of(folder: Path, table: Table) -> dict:
    done = evaluate(folder, table)
    assert done.code == 0, done.err
    return yaml.safe_load((folder / "results.yaml").read_text(encoding="utf-8"))


def columns(table: Table, finding: str) -> tuple[list[int], list[float]]:
    told = [(int(label), p) for label, p in table[finding] if label]
    return [label for label, _ in told], [p for _, p in told]


def benchmark() -> Benchmark:
    """Return benchmark.yaml as the record that the committee would submit."""
    digest = f"sha256:{'0' * 64}"
    cubes = {
        part: {"ref": f"xray-committee/{name}@1", "digest": digest}
        for part, name in (
            ("data_preparator", "preparator"),
            ("reference_model", "intensity"),
            ("metrics_cube", "metrics"),
        )
    }
    told = yaml.safe_load((PILOT / "benchmark.yaml").read_text(encoding="utf-8"))
    identity = {"kind": "benchmark", "spec": 1, "created": "2026-11-20T12:00:00Z", "member": "xray-committee"}
    named = {"name": "chest-xray", "version": 1, "demo_data": {"url": "demo", "size": 1, "digest": digest}}
    data = write_value(Kind.BENCHMARK, identity | named | cubes | told)
    reading = read_record("benchmarks/xray-committee/chest-xray/1/benchmark.yaml", data)
    assert not reading.findings
    assert reading.stored is not None
    assert isinstance(reading.stored.record, Benchmark)
    return reading.stored.record


def declared() -> tuple[Metric, ...]:
    return benchmark().metrics


@pytest.mark.parametrize("decimals", [6, 1])
def test_values_are_those_of_scikit_learn_to_nine_decimals(tmp_path: Path, decimals: int):
    table = made_up(1, 300, decimals=decimals)  # with one decimal many are equal, and some lie on the threshold
    found = results_of(tmp_path, table)
    wanted = {}
    for finding in JUDGED:
        truth, scores = columns(table, finding)
        wanted[finding] = roc_auc_score(truth, scores)
        told = found["findings"][key(finding)]
        assert told["auroc"] == pytest.approx(wanted[finding], abs=1e-9, rel=0)
        assert told["f1"] == pytest.approx(f1_score(truth, [p >= 0.5 for p in scores]), abs=1e-9, rel=0)
        tp, fp, fn, tn = told["counts"]
        assert (tp + fn, fp + tn) == (sum(truth), 300 - sum(truth))
        assert float(ct.f1(tp, fp, fn)) == pytest.approx(told["f1"], abs=1e-9, rel=0)
    assert found["mean_auroc"] == pytest.approx(np.mean(list(wanted.values())), abs=1e-9, rel=0)


def test_counts_of_three_sites_give_scikit_learns_values_of_all_their_cases(tmp_path: Path):
    sites = [made_up(seed, cases) for seed, cases in ((2, 40), (3, 60), (4, 25))]
    results = [results_of(tmp_path / str(number), site) for number, site in enumerate(sites)]
    for finding in JUDGED:
        truth, scores = (np.concatenate(part) for part in zip(*(columns(site, finding) for site in sites), strict=True))
        told = [result["findings"][key(finding)] for result in results]
        groups = ct.pooled_counts([row["counts_by_threshold"] for row in told]).reshape(-1, 4)
        pooled = ct.auroc(*groups.T)
        binned = np.digitize(scores, [number / BINS for number in range(1, BINS)])
        assert float(pooled) == pytest.approx(roc_auc_score(truth, binned), abs=1e-9, rel=0)
        assert float(pooled) == pytest.approx(roc_auc_score(truth, scores), abs=0.02)  # bins cost little
        tp, fp, fn, _ = ct.pooled_counts([row["counts"] for row in told])
        assert float(ct.f1(tp, fp, fn)) == pytest.approx(f1_score(truth, scores >= 0.5), abs=1e-9, rel=0)


def test_a_site_with_one_class_only_has_no_auroc_and_the_benchmark_says_missing(tmp_path: Path):
    table = made_up(5, 30)
    table["Consolidation"] = [("0", p) for _, p in table["Consolidation"]]
    found = results_of(tmp_path, table)
    assert math.isnan(found["findings"]["consolidation"]["auroc"])
    assert math.isnan(found["mean_auroc"])
    assert found["findings"]["consolidation"]["f1"] == 0  # something was called, and all of it is false
    values = reduce_results(found, declared(), cases=30).values
    missing = {name for name, value in values.items() if value.value is None}
    assert missing == {"consolidation-auroc", "mean-auroc"}
    assert values["consolidation-auroc"].n_undefined == 30
    assert values["consolidation-auroc"].counts is None
    assert len(values["edema-auroc"].counts) == 76
    assert len(values["edema-f1"].counts) == 4


def test_a_finding_that_neither_occurs_nor_is_called_has_no_f1(tmp_path: Path):
    table = made_up(6, 10)
    table["Edema"] = [("0", 0.4) for _ in table["Edema"]]
    assert math.isnan(results_of(tmp_path, table)["findings"]["edema"]["f1"])


def test_a_case_without_a_label_takes_no_part_in_that_finding(tmp_path: Path):
    table = made_up(7, 50)
    table["Edema"] = [("" if number < 10 else label, p) for number, (label, p) in enumerate(table["Edema"])]
    told = results_of(tmp_path, table)["findings"]["edema"]
    truth, scores = columns(table, "Edema")
    assert told["auroc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9, rel=0)
    assert (told["labelled"], sum(told["counts"])) == (40, 40)


def test_every_declared_metric_and_count_is_found_in_the_results(tmp_path: Path):
    reduced = reduce_results(results_of(tmp_path, made_up(8, 60)), declared(), cases=60)
    assert all(value.value is not None for value in reduced.values.values())
    assert reduced.undeclared == ()
    assert len(reduced.values) == 11
    areas = [name for name in reduced.values if name.endswith("-auroc") and name != "mean-auroc"]
    assert list(benchmark().ranking.metrics) == areas


def test_the_benchmark_answers_every_point_of_the_bias_checklist():
    assert set(benchmark().bias) == {item.name for item in ITEMS}


def test_single_cases_stay_at_the_site(tmp_path: Path):
    results_of(tmp_path, made_up(9, 12))
    lines = (tmp_path / "local/cases.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "finding,case,label,probability"
    assert len(lines) == 1 + 5 * 12
    assert "C1" not in (tmp_path / "results.yaml").read_text(encoding="utf-8")


def row(case: str, cells: Sequence[str]) -> str:
    return f"{case},{','.join(cells)}\n"


GOOD = HEADER + "\n" + row("A1", [".9"] * 5) + row("A2", [".1"] * 5)
LABELS = HEADER + "\n" + row("A1", "10101") + row("A2", "01010")


@pytest.mark.parametrize(
    ("predictions", "labels", "sentence"),
    [
        (HEADER + "\n" + row("A1", [".9"] * 5), LABELS, "labels.csv, row 3: this case has no prediction"),
        (GOOD + row("A3", [".9"] * 5), LABELS, "predictions.csv: 1 case(s) that have no label"),
        (GOOD + row("A1", [".9"] * 5), LABELS, "predictions.csv, row 4: a case stands in the file twice"),
        (GOOD.replace(".1,.1,", ".1,nan,"), LABELS, "row 3: Cardiomegaly is 'nan', which is no probability"),
        (GOOD.replace(".1,.1,", "1.5,.1,"), LABELS, "row 3: Atelectasis is '1.5', which is no probability"),
        (GOOD.replace(".1,.1,", ".1,,"), LABELS, "row 3: Cardiomegaly is '', which is not a number"),
        (GOOD.replace("Edema", "Oedema"), LABELS, "predictions.csv, row 1: no column 'Edema'"),
        (GOOD, LABELS.replace("A1,1", "A1,2"), "labels.csv: Atelectasis is '2', which is none of 0, 1 and nothing"),
        (GOOD, HEADER + "\n", "labels.csv: holds no cases"),
        (GOOD.replace("A2", "\udce9"), LABELS, "predictions.csv: cannot be read as a table in UTF-8"),
        (GOOD + "A" * 200_000, LABELS, "predictions.csv: cannot be read as a table in UTF-8"),
    ],
)
def test_incomplete_predictions_are_refused(tmp_path: Path, predictions: str, labels: str, sentence: str):
    done = evaluate_texts(tmp_path, predictions, labels)
    assert done.code == 1
    assert done.err.startswith("refused: ")
    assert sentence in done.err
    assert not (tmp_path / "results.yaml").exists()


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [("bins: 20\n", "it must say `threshold:`"), ("threshold: 0.5\n", "it must say `bins:`")],
)
def test_threshold_and_bins_have_no_default(tmp_path: Path, parameters: str, sentence: str):
    assert sentence in evaluate_texts(tmp_path, GOOD, LABELS, parameters).err
