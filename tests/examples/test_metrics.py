"""The metrics agree with definitions written down independently, and refuse incomplete predictions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml
from sklearn.metrics import auc, confusion_matrix, roc_curve

from .conftest import EXAMPLE, run_program

PARAMETERS = EXAMPLE / "metrics" / "parameters.yaml"
LABELS = "case,malignant\nA1,1\nA2,0\nA3,1\n"


def evaluate(folder: Path, predictions: str, labels: str = LABELS, parameters: Path = PARAMETERS):
    (folder / "predictions.csv").write_text(predictions, encoding="utf-8")
    (folder / "labels.csv").write_text(labels, encoding="utf-8")
    arguments = ("--predictions", folder, "--labels", folder, "--parameters", parameters, "--out", folder / "out.yaml")
    return run_program("metrics/evaluate.py", *arguments)


def test_metrics_agree_with_an_independent_computation(tmp_path: Path):
    chance = random.Random(1)
    truth = [int(chance.random() < 0.3) for _ in range(400)]
    # One decimal gives ties, also with the threshold itself.
    scores = [round(min(1, max(0, chance.gauss(0.35 + 0.3 * label, 0.2))), 1) for label in truth]
    cases = list(enumerate(zip(truth, scores, strict=True)))
    predictions = "case,probability\n" + "".join(f"C{n},{score}\n" for n, (_, score) in reversed(cases))
    labels = "case,malignant\n" + "".join(f"C{n},{label}\n" for n, (label, _) in cases)
    done = evaluate(tmp_path, predictions, labels)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((tmp_path / "out.yaml").read_text(encoding="utf-8"))

    false_positive, true_positive, _ = roc_curve(truth, scores)
    tn, fp, fn, tp = confusion_matrix(truth, [int(score >= 0.5) for score in scores]).ravel()
    wanted = {
        "auroc": auc(false_positive, true_positive),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "brier": sum((score - label) ** 2 for label, score in zip(truth, scores, strict=True)) / len(truth),
        "n_cases": 400,
    }
    assert found == pytest.approx(wanted, abs=1e-9, rel=0)


def test_one_class_only_gives_an_undefined_auroc(tmp_path: Path):
    assert evaluate(tmp_path, "case,probability\nA1,.9\n", "case,malignant\nA1,1\n").returncode == 0
    text = (tmp_path / "out.yaml").read_text(encoding="utf-8")
    assert "auroc: .nan" in text
    assert "specificity: .nan" in text
    assert "sensitivity: 1.0" in text


@pytest.mark.parametrize(
    ("predictions", "sentence"),
    [
        ("case,probability\nA1,.9\nA2,.1\n", "labels.csv, row 4: this case has no prediction"),
        ("case,probability\nA1,.9\nA2,.1\nA3,nan\n", "predictions.csv, row 4: the probability is NaN"),
        ("case,probability\nA1,.9\nA2,.1\nA3,\n", "predictions.csv, row 4: '' is not a number"),
        ("case,probability\nA1,.9\nA2,.1\nA3,1.5\n", "predictions.csv, row 4: '1.5' is no probability"),
        ("case,probability\nA1,.9\nA2,.1\nA3,inf\n", "predictions.csv, row 4: 'inf' is no probability"),
        ("case,probability\nA1,.9\nA2,.1\nA3,.9\nA9,.9\n", "predictions.csv: 1 case(s) that have no label"),
        ("case,probability\nA1,.9\nA1,.1\nA2,.1\nA3,.9\n", "predictions.csv, row 3: a case stands in the file twice"),
        ("id,score\nA1,.9\n", "predictions.csv, row 1: the columns must be case and probability"),
    ],
)
def test_incomplete_predictions_are_refused(tmp_path: Path, predictions: str, sentence: str):
    done = evaluate(tmp_path, predictions)
    assert done.returncode == 1
    assert f"refused: {sentence}" in done.stderr
    assert not (tmp_path / "out.yaml").exists()


def test_the_threshold_has_no_default(tmp_path: Path):
    empty = tmp_path / "parameters.yaml"
    empty.write_text("{}\n", encoding="utf-8")
    done = evaluate(tmp_path, "case,probability\nA1,.9\nA2,.1\nA3,.8\n", parameters=empty)
    assert "it must say `threshold:`" in done.stderr
