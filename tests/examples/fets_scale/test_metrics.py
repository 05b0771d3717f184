"""Dice and HD95 of balls, beside a count of points and beside percentiles of sampled surfaces."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.examples.fets_scale.programs import load, run_container

(evaluate,) = load("evaluate", folder="metrics")
HEADER = ",".join(evaluate.COLUMNS)
PAIRS = [
    (0.0, 5.0, 9.0),
    (3.0, 20.0, 20.0),
    (7.5, 12.0, 26.0),
    (14.0, 20.0, 5.0),
    (30.0, 11.0, 25.0),
    (0.4, 10.0, 10.3),
]


def counted_dice(distance: float, one: float, two: float) -> float:
    """Count the points of a fine grid that lie in both balls."""
    axis = np.arange(-32, 58, 0.8) + 0.05
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    first, second = x**2 + y**2 + z**2 <= one**2, (x - distance) ** 2 + y**2 + z**2 <= two**2
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def sampled_hd95(distance: float, one: float, two: float) -> float:
    """Take both percentiles over points that are spread evenly over each sphere (Archimedes)."""
    height = np.linspace(-1, 1, 400_001)

    def one_way(near: float, far: float) -> float:
        centre = np.sqrt(near**2 + distance**2 + 2 * near * distance * height)
        return float(np.percentile(np.abs(centre - far), 95))

    return max(one_way(one, two), one_way(two, one))


@pytest.mark.parametrize(("distance", "one", "two"), PAIRS)
def test_dice_of_balls_is_what_counting_points_gives(distance: float, one: float, two: float):
    assert evaluate.dice(distance, one, two) == pytest.approx(counted_dice(distance, one, two), abs=0.01)


@pytest.mark.parametrize(("distance", "one", "two"), PAIRS)
def test_hd95_of_balls_is_the_percentile_of_sampled_surfaces(distance: float, one: float, two: float):
    assert evaluate.hd95(distance, one, two) == pytest.approx(sampled_hd95(distance, one, two), abs=1e-4)


def test_dice_of_balls_in_each_other_is_the_share_of_volumes():
    assert evaluate.dice(2, 10, 5) == pytest.approx(2 * 125 / (1000 + 125), abs=1e-12)
    assert evaluate.dice(0, 10, 10) == 1
    assert evaluate.dice(20, 10, 10) == 0


def test_a_region_that_only_one_has_gets_the_penalty_of_brats():
    ball, nothing = [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]
    assert evaluate.compare(ball, nothing) == (0, 374)
    assert evaluate.compare(nothing, ball) == (0, 374)
    assert evaluate.compare(nothing, nothing) == (1, 0)
    assert evaluate.compare(ball, ball) == (1, 0)


def balls(root: Path, folder: str, *rows: str) -> None:
    name = "predictions.csv" if folder == "predictions" else "labels.csv"
    (root / "input" / folder).mkdir(parents=True, exist_ok=True)
    (root / "input" / folder / name).write_text("\n".join([HEADER, *rows]) + "\n")


def test_a_case_without_a_prediction_is_left_empty(tmp_path: Path):
    row = "50,50,50,5,50,50,50,9,50,50,50,20"
    balls(tmp_path, "labels", f"a,{row}", f"b,{row}")
    balls(tmp_path, "predictions", f"a,{row}")
    done = run_container("metrics", "evaluate.py", root=tmp_path)
    assert done.returncode == 0, done.stderr
    cases = yaml.safe_load((tmp_path / "output" / "results.yaml").read_text())["cases"]
    assert cases["b"] is None
    assert cases["a"] == {f"{kind}_{region}": value for kind, value in (("dice", 1), ("hd95", 0)) for region in
                          ("et", "tc", "wt")}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,1,1,1,1,1,1,1,1,1,1,1", "predictions.csv, row 2: three balls are twelve numbers"),
        ("a,1,1,1,-1,1,1,1,1,1,1,1,1", "predictions.csv, row 2: three balls are twelve numbers"),
        ("a,1,1,1,nan,1,1,1,1,1,1,1,1", "predictions.csv, row 2: three balls are twelve numbers"),
        ("c,1,1,1,1,1,1,1,1,1,1,1,1", "predictions.csv: case c has no row in labels.csv"),
    ],
)
def test_a_malformed_prediction_is_refused_by_name(tmp_path: Path, row: str, said: str):
    balls(tmp_path, "labels", "a,1,1,1,1,1,1,1,1,1,1,1,1")
    balls(tmp_path, "predictions", row)
    done = run_container("metrics", "evaluate.py", root=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"refused: {said}")
