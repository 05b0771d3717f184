"""The metrics container agrees with scikit-learn, and the policy for absent phases does what it says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from .conftest import PILOT, metrics, run_program

PHASES = tuple(yaml.safe_load((PILOT / "metrics" / "parameters.yaml").read_text(encoding="utf-8"))["phases"])
Labels = dict[str, list[int]]


def write_phases(folder: Path, name: str, videos: Labels, phases: tuple[str, ...] = PHASES) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "second", "phase"])
        for video, found in videos.items():
            writer.writerows([video, second, phases[phase]] for second, phase in enumerate(found))
    return folder


def evaluate(truth: Labels, predicted: Labels, *, phases=PHASES, in_neither="leave-out", only_predicted="zero") -> dict:
    """Evaluate in this process."""
    parameters = metrics.Parameters(phases, in_neither == "leave-out", only_predicted == "leave-out")
    keyed = [
        {(v, str(s)): phase for v, found in videos.items() for s, phase in enumerate(found)}
        for videos in (truth, predicted)
    ]
    return metrics.evaluate(metrics.confusion_by_video(*keyed, len(phases)), parameters)


def sklearn_scores(truth: list[int], predicted: list[int], labels: list[int]) -> dict[str, float]:
    """Compute the same with scikit-learn, over the classes given."""
    how = {"labels": labels, "average": "macro", "zero_division": 0}
    return {
        "accuracy": accuracy_score(truth, predicted),
        "macro_precision": precision_score(truth, predicted, **how),
        "macro_recall": recall_score(truth, predicted, **how),
        "macro_f1": f1_score(truth, predicted, **how),
        "macro_jaccard": jaccard_score(truth, predicted, **how),
    }


def draw_videos(seed: int) -> tuple[Labels, Labels]:
    """Return true and predicted phases of five videos; single videos lack phases, and some are only predicted."""
    chance = np.random.default_rng(seed)
    truth = {f"v{n}": sorted(chance.choice(chance.choice(6, 4, replace=False), 60).tolist()) for n in range(5)}
    predicted = {
        video: [int(chance.integers(6)) if chance.random() < 0.2 else phase for phase in found]
        for video, found in truth.items()
    }
    return truth, predicted


@pytest.mark.parametrize(
    ("in_neither", "only_predicted"), [("leave-out", "zero"), ("zero", "zero"), ("leave-out", "leave-out")]
)
def test_every_score_agrees_with_scikit_learn_under_each_policy(in_neither: str, only_predicted: str):
    truth, predicted = draw_videos(1)
    found = evaluate(truth, predicted, in_neither=in_neither, only_predicted=only_predicted)

    def classes(true: list[int], guessed: list[int]) -> list[int]:
        if in_neither == "zero":
            return list(range(6))
        return sorted(set(true) if only_predicted == "leave-out" else {*true, *guessed})

    def expected(true: list[int], guessed: list[int]) -> dict[str, float]:
        return sklearn_scores(true, guessed, classes(true, guessed))

    each = [expected(truth[video], predicted[video]) for video in truth]
    assert any(len(set(predicted[video]) - set(truth[video])) > 0 for video in truth)
    for video, wanted in zip(truth, each, strict=True):
        assert {name: found["videos"][video][name] for name in wanted} == pytest.approx(wanted, abs=1e-9, rel=0)
    pooled = expected(*([phase for found in videos.values() for phase in found] for videos in (truth, predicted)))
    assert {name: found["frames"][name] for name in pooled} == pytest.approx(pooled, abs=1e-9, rel=0)
    for name in metrics.SCORES:
        values = [wanted[name] for wanted in each]
        over = {"mean": np.mean(values), "sd": np.std(values, ddof=0)}
        assert found["over_videos"][name] == pytest.approx(over, abs=1e-9, rel=0)


def test_recall_of_each_phase_and_the_counts_agree_with_scikit_learn():
    truth, predicted = draw_videos(2)
    found = evaluate(truth, predicted)
    for video, true in truth.items():
        there = sorted(set(true))
        recalls = recall_score(true, predicted[video], labels=there, average=None, zero_division=0)
        wanted = {PHASES[phase]: value for phase, value in zip(there, recalls, strict=True)}
        assert found["videos"][video]["recall"] == pytest.approx(wanted, abs=1e-9, rel=0)
    counts = np.array(found["frames"]["counts"]).reshape(6, 4)
    assert (counts.sum(axis=1) == 300).all()
    tp, fp, fn, _ = counts.T
    assert np.mean(2 * tp / (2 * tp + fp + fn)) == pytest.approx(found["frames"]["macro_f1"], abs=1e-9, rel=0)


def test_seven_classes_for_three_phases_that_occur_turn_836_into_358():
    # The third pilot of the MedPerf paper declared seven classes for six phases. Of the 13 frames here two are wrong.
    truth = {"toy": [0] * 3 + [1] * 5 + [2] * 5}
    predicted = {"toy": [0, 0, 1] + [1] * 4 + [2] + [2] * 5}
    seven = (*PHASES, "gallbladder-retraction")
    left_out = evaluate(truth, predicted, phases=seven)["frames"]["macro_f1"]
    as_zero = evaluate(truth, predicted, phases=seven, in_neither="zero")["frames"]["macro_f1"]
    assert (f"{left_out:.3f}", f"{as_zero:.3f}") == ("0.836", "0.358")
    toy = truth["toy"], predicted["toy"]
    assert left_out == pytest.approx(f1_score(*toy, average="macro"), abs=1e-9, rel=0)
    wanted = f1_score(*toy, labels=list(range(7)), average="macro", zero_division=0)
    assert as_zero == pytest.approx(wanted, abs=1e-9, rel=0)
    # Left out, the number of declared classes does not matter; as zero, six classes give a third number.
    assert evaluate(truth, predicted)["frames"]["macro_f1"] == left_out
    assert f"{evaluate(truth, predicted, in_neither='zero')['frames']['macro_f1']:.3f}" == "0.418"


def test_a_phase_in_the_truth_alone_counts_as_zero_under_every_policy():
    truth, predicted = {"v": [0, 0, 1]}, {"v": [0, 0, 0]}
    for in_neither, only_predicted in (("leave-out", "zero"), ("leave-out", "leave-out")):
        found = evaluate(truth, predicted, in_neither=in_neither, only_predicted=only_predicted)["videos"]["v"]
        assert found["macro_recall"] == 0.5
        assert found["macro_precision"] == pytest.approx((2 / 3 + 0) / 2)
        assert found["recall"] == {PHASES[0]: 1.0, PHASES[1]: 0.0}


def test_a_video_without_any_prediction_failed_and_counts_as_zero():
    truth = {"seen": [0, 1, 1, 2], "lost": [0, 1, 2]}
    found = evaluate(truth, {"seen": truth["seen"]})
    assert found["videos"]["lost"] is None
    assert found["over_videos"]["macro_f1"] == {"mean": 0.5, "sd": 0.5}
    assert found["frames"]["accuracy"] == pytest.approx(4 / 7)
    assert found["frames"]["counts"][:4] == [1, 0, 1, 5]


def test_results_and_what_stays_at_the_site_are_written(tmp_path: Path):
    truth, predicted = draw_videos(3)
    local = tmp_path / "local"
    local.mkdir()
    done = run_program(
        "metrics/evaluate.py",
        *("--predictions", write_phases(tmp_path / "predictions", "predictions.csv", predicted)),
        *("--labels", write_phases(tmp_path / "labels", "labels.csv", truth)),
        *("--parameters", PILOT / "metrics" / "parameters.yaml", "--out", tmp_path / "out.yaml", "--local", local),
    )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((tmp_path / "out.yaml").read_text(encoding="utf-8"))
    assert found == evaluate(truth, predicted)
    with (local / "confusion.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["frames"]) for row in rows) == 300
    right = sum(int(row["frames"]) for row in rows if row["phase"] == row["predicted"])
    assert found["frames"]["accuracy"] == pytest.approx(right / 300)


@pytest.mark.parametrize(
    ("predictions", "sentence"),
    [
        (("v,0,preparation", "v,1,preparation"), "labels.csv, row 4: second 2 of v has no prediction, but others have"),
        (("v,0,preparation", "v,0,preparation"), "predictions.csv, row 3: second 0 of v stands in the file twice"),
        (("v,0,tea",), "predictions.csv, row 2: phase 'tea' is none of preparation, "),
        ([f"v,{second},preparation" for second in range(4)], "the first is second 3 of v"),
        (("v,0,pr\udce9paration",), "predictions.csv: cannot be read as a table in UTF-8"),
        (("v,0," + "a" * 200_000,), "predictions.csv: cannot be read as a table in UTF-8"),
    ],
)
def test_predictions_that_are_not_as_agreed_are_refused(tmp_path: Path, predictions: list[str], sentence: str):
    labels = write_phases(tmp_path, "labels.csv", {"v": [0, 1, 2]}) / "labels.csv"
    text = "\n".join(["video,second,phase", *predictions])
    (tmp_path / "predictions.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(metrics.Malformed, match=sentence):
        metrics.confusion_by_video(
            metrics.read_phases(labels, PHASES), metrics.read_phases(tmp_path / "predictions.csv", PHASES), 6
        )


def test_parameters_have_no_defaults(tmp_path: Path):
    path = tmp_path / "parameters.yaml"
    for text, sentence in (
        ("absent: {}\n", "it must say `phases:`"),
        ("phases: [a, b]\n", "`absent:` must say `in_neither` and `only_predicted`"),
        ("phases: [a, b]\nabsent: {in_neither: one, only_predicted: zero}\n", "each leave-out or zero"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(metrics.Malformed, match=sentence):
            metrics.read_parameters(path)


def test_a_refusal_is_one_sentence_and_no_results_file(tmp_path: Path):
    labels = write_phases(tmp_path / "labels", "labels.csv", {"v": [0, 1]})
    done = run_program(
        "metrics/evaluate.py",
        *("--predictions", tmp_path, "--labels", labels, "--out", tmp_path / "out.yaml"),
        *("--parameters", PILOT / "metrics" / "parameters.yaml"),
    )
    assert done.returncode == 1
    assert done.stderr == "refused: predictions.csv: there is no such file in the folder that was given\n"
    assert not (tmp_path / "out.yaml").exists()
