"""One metric definition for each number of a results file."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows.benchmarks import NewBenchmark, build_benchmark, metrics_from_results, render_draft
from medperf_git.flows.known_metrics import known_metric
from medperf_git.flows.proposing_metrics import propose_metrics
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.runner.reduce import reduce_results
from tests.support.flows_world import ANA, TIME, world

CASES = """\
{first}:
  BraTS-001: {{ET: {{Dice: 0.81, HD95: 4.1}}, WT: {{Dice: 0.9, HD95: 2.5}}, failed: false}}
  BraTS-002: {{ET: {{Dice: .nan, HD95: 373.13}}, WT: {{Dice: 0.7, HD95: .inf}}}}
"""


@pytest.mark.parametrize(
    ("key", "title", "unit", "range_", "direction", "undefined"),
    [
        ("Dice_ET", "Dice", "1", (0, 1), "higher", "worst"),
        ("HD95", "95 % Hausdorff distance", "mm", (0, 374), "lower", "worst"),
        ("hausdorff95/WT", "95 % Hausdorff distance", "mm", (0, 374), "lower", "worst"),
        ("NSD", "Normalised surface Dice", "1", (0, 1), "higher", "worst"),
        ("surface_dice_1mm", "Normalised surface Dice", "1", (0, 1), "higher", "worst"),
        ("mIoU", "Jaccard index", "1", (0, 1), "higher", "worst"),
        ("Atelectasis AUC", "Area under the ROC curve", "1", (0, 1), "higher", "missing"),
        ("AUROC", "Area under the ROC curve", "1", (0, 1), "higher", "missing"),
        ("macro_f1", "F1", "1", (0, 1), "higher", "missing"),
        ("F1", "F1", "1", (0, 1), "higher", "missing"),
        ("recall", "Sensitivity", "1", (0, 1), "higher", "missing"),
        ("Specificity", "Specificity", "1", (0, 1), "higher", "missing"),
        ("balanced accuracy", "Balanced accuracy", "1", (0, 1), "higher", "missing"),
        ("PSNR", "Peak signal-to-noise ratio", "dB", (0, 100), "higher", "missing"),
        ("SSIM", "Structural similarity", "1", (-1, 1), "higher", "missing"),
        ("MAE", "Mean absolute error", "1", (0, 0), "lower", "missing"),
    ],
)
def test_a_metric_that_people_know_is_known(
    key: str, title: str, unit: str, range_: tuple[int, int], direction: str, undefined: str
) -> None:
    known = known_metric(key)
    assert known is not None
    assert (known.title, known.unit, (known.low, known.high)) == (title, unit, range_)
    assert (known.direction, known.undefined) == (direction, undefined)


@pytest.mark.parametrize("key", ["something", "n", "spectrum", "mapping", "accident", "discount"])
def test_a_word_that_only_begins_alike_is_not_known(key: str) -> None:
    assert known_metric(key) is None


@pytest.mark.parametrize(
    "key", ["dice_loss", "AUC loss", "accuracy/std", "Dice_sd", "hd95 std", "recall error", "auc_ci_lower"]
)
def test_what_is_about_a_metric_is_not_taken_for_it(key: str) -> None:
    """A loss or a spread ranked as the metric itself would turn the order of the models round."""
    assert known_metric(key) is None


def test_an_end_that_was_only_seen_is_to_be_checked() -> None:
    lines = [line for one in propose_metrics({"MAE": 0.3, "Dice": 0.8}).metrics for line in one.lines()]
    assert [line.strip() for line in lines if "# check" in line] == [
        'unit: "1"   # check', "range: {min: 0, max: 1}   # check",
    ]  # fmt: skip


def proposed(text: str) -> list[tuple[str, str, str, float, float]]:
    found = propose_metrics(load_foreign_yaml(text.encode()))
    return [(one.id, one.path, "mean" if one.cases else "none", one.low, one.high) for one in found.metrics]


@pytest.mark.parametrize(("first", "before"), [("cases", "/cases"), ("results", "/results")])
def test_a_file_with_one_entry_a_case_is_reduced(first: str, before: str) -> None:
    assert proposed(CASES.format(first=first))[:2] == [
        (("et-dice", "results-et-dice")[first == "results"], f"{before}/*/ET/Dice", "mean", 0, 1),
        (("et-hd95", "results-et-hd95")[first == "results"], f"{before}/*/ET/HD95", "mean", 0, 374),
    ]


def test_cases_may_be_the_whole_file_or_a_list() -> None:
    assert proposed("c1: {dice: 0.5}\nc2: {dice: 0.7}\n") == [("dice", "/*/dice", "mean", 0, 1)]
    assert proposed("rows:\n- {dice: 0.5}\n- {dice: 0.7}\n") == [("rows-dice", "/rows/*/dice", "mean", 0, 1)]


def test_classes_are_not_cases() -> None:
    assert proposed("Edema: {AUROC: 0.9, F1: 0.5}\nEffusion: {AUROC: 0.8, F1: 0.6}\n") == [
        ("edema-auroc", "/Edema/AUROC", "none", 0, 1),
        ("edema-f1", "/Edema/F1", "none", 0, 1),
        ("effusion-auroc", "/Effusion/AUROC", "none", 0, 1),
        ("effusion-f1", "/Effusion/F1", "none", 0, 1),
    ]
    assert [path for _, path, *_ in proposed("1: {dice: 0.5}\n2: {dice: 0.7}\n")] == ["/1/dice", "/2/dice"]


def test_mean_and_spread_over_videos_are_no_two_videos() -> None:
    assert [path for _, path, *_ in proposed("videos:\n  mean: {accuracy: 0.8}\n  std: {accuracy: 0.1}\n")] == [
        "/videos/mean/accuracy", "/videos/std/accuracy",
    ]  # fmt: skip


def test_the_results_of_the_surgical_pilot_are_no_cases() -> None:
    """It writes each metric over all frames, and its mean and standard deviation over videos."""
    text = "overall: {accuracy: 0.8, f1-score: 0.7}\nper_video:\n"
    text += "  accuracy: {mean: 0.8, std: 0.1}\n  f1-score: {mean: 0.7, std: 0.2}\n"
    assert [path for _, path, *_ in proposed(text)] == [
        "/overall/accuracy", "/overall/f1-score",
        "/per_video/accuracy/mean", "/per_video/accuracy/std", "/per_video/f1-score/mean", "/per_video/f1-score/std",
    ]  # fmt: skip


def test_no_single_case_becomes_a_metric() -> None:
    """The pancreas pilot writes a number for each volume beside their mean; elsewhere there are only those of cases."""
    mixed = propose_metrics({"DSC": {"fine": {"0001.npy": 0.7, "0002.npy": 0.8, "avg": 0.75}}})
    assert [metric.path for metric in mixed.metrics] == ["/DSC/fine/avg"]
    assert mixed.left_out[0] == "/DSC/fine/0001.npy: the number of a single case"
    alone = propose_metrics({"dice": {"case-1": 0.7, "case-2": 0.8}, "auc": {"patient 1": 0.5, "patient 2": "?"}})
    assert [(metric.path, metric.cases) for metric in alone.metrics] == [("/dice/*", 2)]
    assert alone.metrics[0].title == "dice"


def test_a_whole_number_that_is_too_large_gives_no_range() -> None:
    assert [(low, high) for *_, low, high in proposed("mse: 1" + "0" * 350 + "\n")] == [(0, 1)]


def test_ranges_hold_what_was_seen() -> None:
    seen = proposed("Dice: 87.5\nloss: 12.5\nscore: -3\nodd: 250\n")
    assert [(low, high) for *_, low, high in seen] == [(0, 100), (0, 100), (-10, 1), (0, 1000)]


def test_what_is_no_metric_is_said() -> None:
    found = propose_metrics(
        load_foreign_yaml(b"dice: 0.5\nmodel: net\nconfusion: [[1, 2]]\nok: true\nnum_cases: 5\n\"a\\tb\": 1\n'*': 1\n")
    )
    assert [metric.id for metric in found.metrics] == ["dice"]
    assert [said.partition(":")[0] for said in found.left_out][:4] == ["/model", "/confusion", "/ok", "/num_cases"]
    many = propose_metrics({f"m{number}": 0.5 for number in range(100)})
    assert len(many.metrics) == 64
    assert many.left_out[-1] == "and 24 more"


def test_two_keys_that_look_alike_get_two_ids() -> None:
    assert [metric.id for metric in propose_metrics({"a b": 0.1, "a-b": 0.2, "A_B": 0.3}).metrics] == [
        "a-b", "a-b-2", "a-b-3",
    ]  # fmt: skip


def test_a_file_without_numbers_proposes_nothing() -> None:
    with pytest.raises(UsageProblem, match="no number"):
        metrics_from_results(b"name: x\n")


@pytest.mark.parametrize(
    "results",
    [
        'auroc: 0.9\nBrier score: 0.1\nweird "key"/x~y: 3.5\nDice: 55.0\n',
        CASES.format(first="cases"),
        "Edema: {AUROC: 0.9, F1: .nan}\nEffusion: {AUROC: 0.8, F1: 0.6}\n",
        "PSNR: 31.5\nMSE: 120.25\nMAE: 3\nhd95: 900.5\nkappa: -0.2\n",
    ],
)
def test_a_draft_is_a_benchmark_that_takes_the_file_it_came_from(results: str, tmp_path: Path) -> None:
    made: Any = world()
    with tarfile.open(tmp_path / "demo.tar.gz", "w:gz"):
        pass
    science, _ = metrics_from_results(results.encode())
    wish = NewBenchmark(
        name="cells", data_preparator="prepare", reference_model="base", metrics_cube="score",
        demo_data=tmp_path / "demo.tar.gz", science=science,
    )  # fmt: skip
    record = build_benchmark(made.view, render_draft(wish), tmp_path, member=ANA, created=TIME)
    reduced = reduce_results(load_foreign_yaml(results.encode()), record.metrics, cases=2)
    assert list(reduced.values) == [metric.id for metric in record.metrics]
    assert reduced.undeclared == ()
