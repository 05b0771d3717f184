"""Eight metrics a region agree with computations of other kinds, and what is empty or failed counts as declared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from scipy import ndimage
from scipy.spatial import cKDTree
from sklearn.metrics import confusion_matrix, f1_score

from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.models import Metric, Range
from medperf_git.runner.reduce import reduce_results

from .conftest import AFFINE, EXAMPLE, SHAPE, load_program, run_program, write_volume

# The library calls scipy by names that scipy 2 will drop; with it the runtime's lock would be renewed.
pytestmark = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")

PARAMETERS = EXAMPLE / "metrics" / "parameters.yaml"
UNIT = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    return load_program("metrics/evaluate.py", "brain_tumour_evaluate")


@pytest.fixture(scope="module")
def rules(metrics: ModuleType):
    return metrics.Parameters.read(PARAMETERS)


def blob(seed: int, shape: tuple[int, ...] = (30, 28, 24)) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = ndimage.gaussian_filter(noise, 2.5)
    return smooth > 1.2 * smooth.std()


def cube(*corners: tuple[int, int], shape: tuple[int, int, int] = (40, 24, 24)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*corner) for corner in corners)] = True
    return mask


def test_overlap_agrees_with_scikit_learn(metrics: ModuleType, rules):
    truth, found = blob(1), blob(2) | np.roll(blob(1), 1, axis=0)
    scores = metrics.evaluate_region(truth, found, UNIT, rules)[0]
    (tn, fp), (fn, tp) = confusion_matrix(truth.ravel(), found.ravel())
    wanted = {
        "dice": f1_score(truth.ravel(), found.ravel()),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "precision": tp / (tp + fp),
    }
    assert {name: scores[name] for name in wanted} == pytest.approx(wanted, abs=1e-9, rel=0)


def surface_points(mask: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """Return the corners between eight voxels of which some are marked and some are not, in mm."""
    padded = np.pad(mask, 1)
    counts = sum(
        padded[x : x + mask.shape[0] + 1, y : y + mask.shape[1] + 1, z : z + mask.shape[2] + 1].astype(int)
        for x in (0, 1)
        for y in (0, 1)
        for z in (0, 1)
    )
    return np.argwhere((counts > 0) & (counts < 8)) * np.array(edges)


@pytest.mark.parametrize("edges", [UNIT, (1.0, 1.5, 3.0)])
def test_surface_metrics_agree_with_the_library_and_with_nearest_neighbours(metrics: ModuleType, rules, edges):
    truth, found = blob(3), np.roll(blob(3), 2, axis=1) | blob(4)
    hd95, surface_dice = metrics.distances(truth, found, edges, rules)
    between = metrics.surface_distance.compute_surface_distances(truth, found, edges)
    assert hd95 == pytest.approx(metrics.surface_distance.compute_robust_hausdorff(between, 95), abs=1e-9)
    matched = metrics.surface_distance.compute_surface_dice_at_tolerance(between, 1)
    assert surface_dice == pytest.approx(matched, abs=1e-9)
    # The same distances by a tree of neighbours; areas are the library's.
    a, b = surface_points(truth, edges), surface_points(found, edges)
    there, back = np.sort(cKDTree(b).query(a)[0]), np.sort(cKDTree(a).query(b)[0])
    np.testing.assert_allclose(between["distances_gt_to_pred"], there, atol=1e-9)
    np.testing.assert_allclose(between["distances_pred_to_gt"], back, atol=1e-9)
    tails = []
    for distances, areas in ((there, between["surfel_areas_gt"]), (back, between["surfel_areas_pred"])):
        tails.append(distances[np.flatnonzero(np.cumsum(areas) >= 0.95 * areas.sum())[0]])
    assert hd95 == pytest.approx(max(tails), abs=1e-9)
    near = [
        areas[distances <= 1].sum()
        for distances, areas in ((there, between["surfel_areas_gt"]), (back, between["surfel_areas_pred"]))
    ]
    total = between["surfel_areas_gt"].sum() + between["surfel_areas_pred"].sum()
    assert surface_dice == pytest.approx(sum(near) / total, abs=1e-9)


def test_a_cube_that_is_moved_by_two_voxels_has_the_distance_that_a_hand_measures(metrics: ModuleType, rules):
    truth, found = cube((10, 20), (5, 15), (5, 15)), cube((12, 22), (5, 15), (5, 15))
    scores = metrics.evaluate_region(truth, found, UNIT, rules)[0]
    assert (scores["dice"], scores["hd95"], scores["lesion_hd95"]) == (0.8, 2.0, 2.0)
    assert (scores["sensitivity"], scores["precision"]) == (0.8, 0.8)


def test_what_is_empty_counts_as_declared(metrics: ModuleType, rules):
    some, none = cube((10, 20), (5, 15), (5, 15)), np.zeros((40, 24, 24), bool)
    right = {"dice": 1, "sensitivity": 1, "precision": 1, "surface_dice": 1, "lesion_dice": 1}
    wrong = dict.fromkeys(right, 0)
    far = {"hd95": 374, "lesion_hd95": 374}
    both, _, _ = metrics.evaluate_region(none, none, UNIT, rules)
    missed, _, _ = metrics.evaluate_region(some, none, UNIT, rules)
    invented, _, _ = metrics.evaluate_region(none, some, UNIT, rules)
    assert both == right | {"hd95": 0, "lesion_hd95": 0, "specificity": 1}
    assert missed == wrong | far | {"specificity": 1}
    assert invented == wrong | far | {"specificity": 1 - 1000 / none.size}


def test_the_lesion_toy_agrees_with_a_computation_by_hand(metrics: ModuleType, rules):
    # Three lesions: found exactly; found by half; missed. One part of the prediction is invented.
    exact, half, missed = (
        cube((2, 7), (2, 7), (2, 7)),
        cube((18, 22), (2, 6), (2, 6)),
        cube((32, 37), (2, 7), (2, 7)),
    )
    found = exact | cube((18, 20), (2, 6), (2, 6)) | cube((2, 5), (17, 20), (17, 20))
    lesions, invented = metrics.find_lesions(exact | half | missed, found, UNIT, rules)
    assert [lesion.volume_mm3 for lesion in lesions] == [125, 64, 125]
    assert [lesion.found for lesion in lesions] == [True, True, False]
    assert [lesion.dice for lesion in lesions] == pytest.approx([1, 2 * 32 / (64 + 32), 0], abs=1e-9)
    assert [lesion.hd95 for lesion in lesions] == [0, 2, 374]
    assert invented == 1
    dice, hd95 = metrics.lesion_scores(lesions, invented, rules)
    assert dice == pytest.approx((1 + 2 / 3 + 0 + 0) / 4, abs=1e-9)
    assert hd95 == pytest.approx((0 + 2 + 374 + 374) / 4, abs=1e-9)


def test_parts_that_meet_when_dilated_are_one_lesion_and_small_ones_are_left_out(metrics: ModuleType, rules):
    # A gap of six voxels closes when both sides grow by three; one of eight does not.
    near = cube((2, 7), (2, 7), (2, 7)) | cube((13, 18), (2, 7), (2, 7))
    apart = cube((2, 7), (2, 7), (2, 7)) | cube((15, 20), (2, 7), (2, 7))
    assert [lesion.volume_mm3 for lesion in metrics.find_lesions(near, near, UNIT, rules)[0]] == [250]
    assert [lesion.volume_mm3 for lesion in metrics.find_lesions(apart, apart, UNIT, rules)[0]] == [125, 125]
    # 48 mm³ that nobody found are left out; 64 mm³ would count. One that was found is no invented one.
    small, large = cube((2, 6), (2, 6), (2, 5)), cube((20, 25), (2, 7), (2, 7))
    assert metrics.evaluate_region(small | large, large, UNIT, rules)[0]["lesion_dice"] == 1
    assert metrics.evaluate_region(small | large, small | large, UNIT, rules)[0]["lesion_dice"] == 1
    lesions, invented = metrics.find_lesions(small | large, small | large, UNIT, rules)
    assert (len(lesions), invented) == (2, 0)


def test_a_part_of_the_prediction_within_three_voxels_of_a_lesion_belongs_to_it(metrics: ModuleType, rules):
    lesion = cube((10, 15), (5, 10), (5, 10))
    reaching, beyond = cube((17, 20), (5, 10), (5, 10)), cube((18, 20), (5, 10), (5, 10))
    assert metrics.find_lesions(lesion, lesion | reaching, UNIT, rules)[1] == 0
    assert metrics.find_lesions(lesion, lesion | beyond, UNIT, rules)[1] == 1
    # Touching at a corner is being connected: 26 neighbours.
    corner = cube((15, 18), (10, 13), (10, 13))
    assert metrics.find_lesions(lesion, lesion | corner, UNIT, rules)[1] == 0


def boxes(random: np.random.Generator, number: int) -> np.ndarray:
    """Mark boxes of different sizes anywhere in a volume, some of them cut by its border."""
    mask = np.zeros((64, 48, 40), bool)
    for corner, size in zip(
        random.integers(-2, (62, 46, 38), (number, 3)), random.integers(2, 9, (number, 3)), strict=True
    ):
        mask[tuple(slice(max(0, a), max(0, a + b)) for a, b in zip(corner, size, strict=True))] = True
    return mask


def brats_2023(truth: np.ndarray, found: np.ndarray, metrics: ModuleType) -> tuple[float, float]:
    """Follow the steps of BraTS 2023 over the whole volume, lesion by lesion, on a grid of 1 mm."""
    step, touching = ndimage.generate_binary_structure(3, 2), np.ones((3, 3, 3))
    groups, count = ndimage.label(ndimage.binary_dilation(truth, step, iterations=3), touching)
    parts, parts_count = ndimage.label(found, touching)
    dice, hd95, hit = [], [], set()
    for number in range(1, count + 1):
        lesion = truth * (groups == number) > 0
        inside = parts * ndimage.binary_dilation(lesion, step, iterations=3)
        ids = [i for i in range(1, parts_count + 1) if (inside == i).any()]
        hit |= set(ids)
        matched = np.zeros_like(lesion)
        for i in ids:
            matched |= parts == i
        if lesion.sum() <= 50:
            continue
        dice.append(2.0 * (lesion * matched).sum() / (lesion.sum() + matched.sum()))
        between = metrics.surface_distance.compute_surface_distances(lesion, matched, UNIT) if ids else None
        hd95.append(metrics.surface_distance.compute_robust_hausdorff(between, 95) if ids else 374)
    invented = parts_count - len(hit)
    number = len(dice) + invented
    return sum(dice) / number, (sum(hd95) + 374 * invented) / number


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_lesions_agree_with_the_steps_of_brats_2023_over_the_whole_volume(metrics: ModuleType, rules, seed: int):
    # At the border of the volume too: nothing is padded there.
    random = np.random.default_rng(seed)
    truth = boxes(random, 7)
    found = np.roll(boxes(random, 5) | truth, 1, axis=0) & ~boxes(random, 6)
    scores, lesions, invented = metrics.evaluate_region(truth, found, UNIT, rules)
    assert len(lesions) > 2
    assert invented > 0
    found_scores = (scores["lesion_dice"], scores["lesion_hd95"])
    assert found_scores == pytest.approx(brats_2023(truth, found, metrics), abs=1e-9, rel=0)


def test_three_mm_of_dilation_is_one_step_on_a_grid_of_three_mm(metrics: ModuleType, rules):
    # A gap of two voxels closes, one of three does not.
    near = cube((2, 7), (2, 7), (2, 7)) | cube((9, 14), (2, 7), (2, 7))
    apart = cube((2, 7), (2, 7), (2, 7)) | cube((10, 15), (2, 7), (2, 7))
    for mask, number in ((near, 1), (apart, 2)):
        assert len(metrics.find_lesions(mask, mask, (3.0, 3.0, 3.0), rules)[0]) == number


def test_distances_are_never_more_than_the_penalty(metrics: ModuleType, rules):
    truth, found = cube((2, 4), (2, 4), (2, 4)), cube((36, 38), (2, 4), (2, 4))
    assert metrics.distances(truth, found, (20.0, 1.0, 1.0), rules)[0] == 374
    strict = replace(rules, penalty_mm=5.0)
    assert metrics.distances(truth, found, UNIT, strict)[0] == 5


def labels(case: int = 0) -> np.ndarray:
    marked = np.zeros(SHAPE, np.uint8)
    marked[1 + case : 9, 1:9, 1:9], marked[3:7, 3:7, 3:7], marked[4:6, 4:6, 4:6] = 2, 4, 1
    return marked


SPOILT = {
    "a": None,
    "b": (labels()[:-1], AFFINE),
    "c": (labels(), AFFINE + np.eye(4)[:, ::-1] * 2),
    "d": (labels() + 5, AFFINE),
    "e": b"no image",
    "f": (np.where(labels() == 1, 3, labels()).astype(np.uint8), AFFINE),
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a good prediction, one with 3 for 4, and six that failed, each for a reason of its own."""
    out = tmp_path_factory.mktemp("evaluated")
    for name in ("predictions", "labels", "local"):
        (out / name).mkdir()
    for case in ("good", "three", *SPOILT):
        write_volume(out / "labels" / f"{case}_seg.nii.gz", labels())
    write_volume(out / "predictions" / "good.nii.gz", labels(1))
    three = labels(1)
    three[three == 4] = 3
    write_volume(out / "predictions" / "three.nii.gz", three)
    for case, content in SPOILT.items():
        if isinstance(content, bytes):
            (out / "predictions" / f"{case}.nii.gz").write_bytes(content)
        elif content is not None:
            write_volume(out / "predictions" / f"{case}.nii.gz", *content)
    done = run_evaluate(out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == "2 cases evaluated, 6 failed\n"
    return out


def run_evaluate(out: Path, parameters: Path = PARAMETERS):
    folders = ("--predictions", out / "predictions", "--labels", out / "labels", "--local", out / "local")
    return run_program("metrics/evaluate.py", *folders, "--parameters", parameters, "--out", out / "results.yaml")


def test_a_failed_case_has_no_values_and_its_reason_stays_at_the_site(evaluated: Path):
    cases = yaml.safe_load((evaluated / "results.yaml").read_text(encoding="utf-8"))["cases"]
    assert [case for case, entry in cases.items() if entry is None] == sorted(SPOILT)
    assert cases["good"] == cases["three"]
    names = {"dice", "hd95", "sensitivity", "specificity", "precision", "surface_dice", "lesion_dice", "lesion_hd95"}
    assert [set(cases["good"][region]) for region in ("et", "tc", "wt")] == [names] * 3
    assert cases["good"]["wt"]["sensitivity"] == pytest.approx(7 / 8, abs=1e-9)
    local = (evaluated / "local" / "cases.csv").read_text(encoding="utf-8")
    reasons = [line.split(",", 3)[3] for line in local.splitlines() if ",failed," in line]
    assert reasons == [
        "there is no prediction",
        '"it has 11x11x10 voxels, not 12x11x10"',
        "it lies elsewhere in space than the scans: another affine",
        '"it has other labels than 0, 1, 2 and 4 (or 3)"',
        "it cannot be read as NIfTI (ImageFileError)",
        '"it has other labels than 0, 1, 2 and 4 (or 3)"',
    ]
    assert 'good,wt,lesions,"1 of 1 found, 0 invented"' in local


def declared() -> tuple[Metric, ...]:
    """Return the metrics of benchmark.yaml as records hold them."""
    rows = load_foreign_yaml((EXAMPLE / "benchmark.yaml").read_bytes())["metrics"]
    return tuple(Metric(**row | {"range": Range(**row["range"]), "quantiles": tuple(row["quantiles"])}) for row in rows)


def test_the_declared_reduction_counts_a_failed_case_as_dice_0_and_hd95_374(evaluated: Path):
    content = load_foreign_yaml((evaluated / "results.yaml").read_bytes())
    values = reduce_results(content, declared(), cases=8).values
    assert len(values) == 24
    assert {(value.n, value.n_failed, value.n_undefined) for value in values.values()} == {(8, 6, 0)}
    good = content["cases"]["good"]["wt"]
    assert float(values["dice-wt"].value) == pytest.approx(2 * good["dice"] / 8, abs=5e-4)
    assert float(values["hd95-wt"].value) == pytest.approx((2 * good["hd95"] + 6 * 374) / 8, abs=5e-3)
    assert float(values["specificity-et"].value) == pytest.approx(2 / 8, abs=5e-5)


def test_a_prediction_of_nobody_and_labels_outside_the_set_are_refused(metrics: ModuleType, rules, tmp_path: Path):
    folders = [tmp_path / name for name in ("predictions", "labels")]
    for folder in folders:
        folder.mkdir()
    with pytest.raises(metrics.Malformed, match=r"the folder of labels holds no file that ends in _seg.nii.gz"):
        metrics.evaluate(*folders, rules)
    write_volume(tmp_path / "labels" / "P_seg.nii.gz", labels() + 1)
    with pytest.raises(metrics.Malformed, match=r"case P: P_seg.nii.gz is no volume of the labels 0, 1, 2 and 4"):
        metrics.evaluate(*folders, rules)
    write_volume(tmp_path / "predictions" / "Q.nii.gz", labels())
    done = run_evaluate(tmp_path)
    assert done.stderr == "refused: Q.nii.gz: this prediction belongs to no case\n"
    assert done.returncode == 1
    assert not (tmp_path / "results.yaml").exists()


@pytest.mark.parametrize("text", ["", "tolerance_mm: 1\n", "tolerance_mm: yes\n", "tolerance_mm: 0\n", "[1]\n"])
def test_parameters_have_no_defaults(metrics: ModuleType, tmp_path: Path, text: str):
    path = tmp_path / "parameters.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(metrics.Malformed, match=r"it must say `\w+_mm:` with a number above 0"):
        metrics.Parameters.read(path)
