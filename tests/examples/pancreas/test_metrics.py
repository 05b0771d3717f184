"""Metrics agree with what was worked out by hand and by other means; absent and broken masks are as declared."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from sklearn.metrics import f1_score
from surface_distance.lookup_tables import (
    ENCODE_NEIGHBOURHOOD_3D_KERNEL,
    create_table_neighbour_code_to_surface_area,
)

from medperf_git.leaderboard.bias import ITEMS
from medperf_git.records.models import Metric, Range
from medperf_git.runner.reduce import reduce_results

from .conftest import PILOT, Ended, loaded, run_main, run_process, write

STAGES = ("coarse/X", "coarse/Y", "coarse/Z", "fine")
SPACING = (1.5, 2.0, 3.0)
PARAMETERS = PILOT / "metrics" / "parameters.yaml"


def nifti(mask: np.ndarray, spacing: tuple[float, ...] = SPACING) -> bytes:
    return loaded("make_data").render_nifti(mask.astype(np.uint8), np.diag([*spacing, 1.0]))


def blank(*voxels: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((9, 8, 7), dtype=bool)
    for voxel in voxels:
        mask[voxel] = True
    return mask


def case(name: str, truth: np.ndarray, **masks: np.ndarray) -> dict[str, bytes]:
    """Return the files of a case; `coarse` stands for all three planes."""
    files = {f"labels/{name}.nii.gz": nifti(truth)}
    for stage in STAGES:
        key = stage.replace("/", "_")
        mask = masks.get(key, masks.get(stage.partition("/")[0]))
        if mask is not None:
            files[f"predictions/{stage}/{name}.nii.gz"] = nifti(mask)
    return files


def evaluate(folder: Path, files: dict[str, bytes], *, parameters: Path = PARAMETERS) -> tuple[Ended, Any]:
    write(folder, files)
    for name in ("predictions", "labels", "local"):
        (folder / name).mkdir(exist_ok=True)
    out = folder / "results.yaml"
    places = ("--predictions", folder / "predictions", "--labels", folder / "labels", "--local", folder / "local")
    done = run_main(loaded("evaluate"), *places, "--parameters", parameters, "--out", out)
    return done, yaml.safe_load(out.read_text(encoding="utf-8"))["cases"] if out.exists() else None


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two masks that overlap in part."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(14, 12, 10)), 2)
    return noise > np.quantile(noise, 0.85), np.roll(noise, 2, axis=seed % 3) > np.quantile(noise, 0.8)


def surface(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corners between voxels of both kinds, (n, 3) in mm, and the area that marching cubes give each."""
    padded, table = np.pad(mask, 1), create_table_neighbour_code_to_surface_area(SPACING)
    places, areas = [], []
    for corner in itertools.product(*(range(size + 1) for size in mask.shape)):
        eight = padded[tuple(slice(start, start + 2) for start in corner)]
        if eight.any() and not eight.all():
            places.append(np.array(corner) * SPACING)
            areas.append(table[int((eight * ENCODE_NEIGHBOURHOOD_3D_KERNEL).sum())])
    return np.array(places), np.array(areas)


def robust_maximum(distances: np.ndarray, areas: np.ndarray) -> float:
    """Return the smallest distance within which 95 % of the area lies."""
    order = np.argsort(distances)
    share = np.cumsum(areas[order]) / areas.sum()
    return float(distances[order][np.flatnonzero(share >= 0.95)[0]])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_metric_agrees_with_a_computation_from_its_definition(seed: int, tmp_path: Path) -> None:
    """Dice by scikit-learn; distances of every pair of surface elements in place of a distance transform."""
    truth, found = blobs(seed)
    done, cases = evaluate(tmp_path, case("A", truth, coarse=truth & found, fine=found))
    assert done.returncode == 0, done.stderr
    (there, there_area), (here, here_area) = surface(truth), surface(found)
    pairs = cdist(there, here)
    to_found, to_truth = pairs.min(axis=1), pairs.min(axis=0)
    near = there_area[to_found <= 5].sum() + here_area[to_truth <= 5].sum()
    wanted = {
        "dice": f1_score(truth.ravel(), found.ravel()),
        "surface_dice": near / (there_area.sum() + here_area.sum()),
        "hd95_mm": max(robust_maximum(to_found, there_area), robust_maximum(to_truth, here_area)),
        "volume_difference_ml": abs(int(truth.sum()) - int(found.sum())) * 9 / 1000,
    }
    assert cases["A"]["fine"] == pytest.approx(wanted, abs=1e-9, rel=0)
    assert 0 < wanted["surface_dice"] < 1
    coarse = f1_score(truth.ravel(), (truth & found).ravel())
    assert cases["A"]["coarse"]["X"]["dice"] == pytest.approx(coarse, abs=1e-9, rel=0)


def test_two_voxels_worked_out_by_hand(tmp_path: Path) -> None:
    """Eight corners each, of one area; four of them lie two voxels from the other's, four lie three: 1.5 mm a voxel."""
    files = case("A", blank((1, 3, 3)), coarse=blank(), fine=blank((4, 3, 3)))
    tolerance = tmp_path / "parameters.yaml"
    tolerance.write_text("{tolerance_mm: 3, both_empty: 0}", encoding="utf-8")
    _, cases = evaluate(tmp_path / "a", files, parameters=tolerance)
    assert cases["A"]["fine"] == {"dice": 0.0, "surface_dice": 0.5, "hd95_mm": 4.5, "volume_difference_ml": 0.0}
    tolerance.write_text("{tolerance_mm: 4.5, both_empty: 0}", encoding="utf-8")
    _, cases = evaluate(tmp_path / "b", files, parameters=tolerance)
    assert cases["A"]["fine"]["surface_dice"] == 1


def test_planes_are_scored_alone_and_by_the_vote_of_two(tmp_path: Path) -> None:
    """Label: 4 voxels. X holds one of them, Y two, Z two and two others; two planes agree on 2 of the label's."""
    one, two, three, four = ((2, 2, place) for place in range(4))
    masks = {
        "coarse_X": blank(one),
        "coarse_Y": blank(one, two),
        "coarse_Z": blank(two, three, (5, 5, 5), (5, 5, 6)),
        "fine": blank(one, two, three, four),
    }
    _, cases = evaluate(tmp_path, case("A", masks["fine"], **masks))
    assert cases["A"]["coarse"] == {
        "X": {"dice": 2 * 1 / (1 + 4)},
        "Y": {"dice": 2 * 2 / (2 + 4)},
        "Z": {"dice": 2 * 2 / (4 + 4)},
        "vote": {"dice": 2 * 2 / (2 + 4)},
    }
    assert cases["A"]["fine"] == {"dice": 1.0, "surface_dice": 1.0, "hd95_mm": 0.0, "volume_difference_ml": 0.0}


def test_empty_masks_count_as_the_pilot_declared(tmp_path: Path) -> None:
    some, none = blank((3, 3, 3), (3, 3, 4)), blank()
    files = case("both", none, coarse=none, fine=none)
    files |= case("label", none, coarse=some, fine=some) | case("found", some, coarse=none, fine=none)
    done, cases = evaluate(tmp_path, files)
    assert done.returncode == 0, done.stderr
    for name, volume in (("both", 0.0), ("label", 0.018), ("found", 0.018)):
        fine = cases[name]["fine"]
        assert (fine["dice"], fine["surface_dice"]) == (0, 0)
        assert math.isnan(fine["hd95_mm"])
        assert fine["volume_difference_ml"] == pytest.approx(volume, abs=1e-9, rel=0)
        assert cases[name]["coarse"]["vote"]["dice"] == 0
    other = tmp_path / "other.yaml"
    other.write_text("{tolerance_mm: 5, both_empty: 1}", encoding="utf-8")
    _, cases = evaluate(tmp_path / "one", files, parameters=other)
    assert (cases["both"]["fine"]["dice"], cases["both"]["fine"]["surface_dice"]) == (1, 1)
    assert (cases["found"]["fine"]["dice"], cases["label"]["fine"]["surface_dice"]) == (0, 0)


def declared() -> list[Metric]:
    content = yaml.safe_load((PILOT / "benchmark.yaml").read_text(encoding="utf-8"))
    return [Metric(**{**one, "range": Range(**one["range"])}) for one in content["metrics"]]


def test_a_case_without_a_prediction_failed_and_counts_as_declared(tmp_path: Path) -> None:
    some = blank((3, 3, 3), (3, 3, 4))
    whole, left_out = case("A", some, coarse=some, fine=some), case("B", some)
    half = {name: content for name, content in case("C", some, coarse=some, fine=some).items() if "/X/" not in name}
    done, cases = evaluate(tmp_path, whole | left_out | half)
    assert done.stdout == "3 cases evaluated, 1 without a prediction\n"
    assert cases["B"] is None
    assert set(cases["C"]["coarse"]) == {"Y", "Z"}
    found = reduce_results({"cases": cases}, declared(), cases=3).values
    counted = {name: (float(one.value), one.n, one.n_failed) for name, one in found.items() if one.value is not None}
    assert counted == {
        "fine-dice": (0.667, 3, 1),
        "coarse-vote-dice": (0.333, 3, 2),
        "coarse-x-dice": (0.333, 3, 2),
        "coarse-y-dice": (0.667, 3, 1),
        "coarse-z-dice": (0.667, 3, 1),
        "fine-surface-dice": (0.667, 3, 1),
        "fine-hd95": (0.0, 3, 1),  # the median of 0, 0 and 500
        "fine-volume-difference": (66.7, 3, 1),  # the mean of 0, 0 and 200
    }
    with (tmp_path / "local" / "cases.csv").open(encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert (rows["A"]["fine_dice"], rows["B"]["fine_dice"], rows["C"]["coarse_X_dice"]) == ("1.0", "", "")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("fine/A", nifti(blank()[1:]), "case A: fine/A.nii.gz has the shape (8, 8, 7), the label has (9, 8, 7)"),
        ("fine/A", nifti(blank(), (1.5, 2.0, 3.2)), "case A: fine/A.nii.gz lies elsewhere than its label"),
        ("coarse/Y/A", nifti(blank() + 2), "case A: coarse/Y/A.nii.gz holds values other than 0 and 1"),
        ("coarse/Z/A", b"nothing", "case A: coarse/Z/A.nii.gz cannot be read as NIfTI"),
        ("fine/A", nifti(blank())[:60], "case A: fine/A.nii.gz cannot be read as NIfTI"),
        ("fine/B", nifti(blank()), "case B: fine/B.nii.gz has no label"),
    ],
)
def test_a_broken_mask_is_refused_with_case_and_file(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    files = case("A", blank((3, 3, 3)), coarse=blank(), fine=blank())
    done, cases = evaluate(tmp_path, files | {f"predictions/{name}.nii.gz": content})
    assert (done.returncode, done.stderr, cases) == (1, f"refused: {sentence}\n", None)


@pytest.mark.parametrize("text", ["{}", "{tolerance_mm: 5}", "{tolerance_mm: yes, both_empty: 0}", "[]"])
def test_the_rules_have_no_defaults(text: str, tmp_path: Path) -> None:
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(text, encoding="utf-8")
    done, _ = evaluate(tmp_path, case("A", blank()), parameters=parameters)
    said = "refused: parameters.yaml: it must say `tolerance_mm:` and `both_empty:`, each with a number\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_folder_without_labels_is_refused_without_a_traceback(tmp_path: Path) -> None:
    places = ("--predictions", tmp_path, "--labels", tmp_path, "--parameters", PARAMETERS, "--out", tmp_path / "o.yaml")
    done = run_process("metrics/evaluate.py", *places)
    assert (done.returncode, done.stderr) == (1, "refused: the labels folder holds no <case>.nii.gz\n")


def test_the_benchmark_answers_the_whole_bias_checklist_and_says_that_data_are_synthetic() -> None:
    content = yaml.safe_load((PILOT / "benchmark.yaml").read_text(encoding="utf-8"))
    assert set(content["bias"]) == {item.name for item in ITEMS}
    assert "synthetic" in content["title"]
    assert "SYNTHETIC" in content["description"]
    assert content["ranking"]["rule"] == "mean-of-sites"
    assert content["ranking"]["metrics"] == ["fine-dice"]
    pilot = yaml.safe_load((PILOT / "pilot.yaml").read_text(encoding="utf-8"))
    assert all("synthetic" in site["title"] for site in pilot["sites"])
