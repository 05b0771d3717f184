"""Every kept input and every seed of the fuzz targets, as an ordinary test; and a second of fuzzing each."""

import random

import pytest

from tests.fuzz.campaign import CORPUS, Broken, corpus_of, fuzz, largest_kib, mutated, run_one
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_keeps_its_promises(name):
    seeds = list(TARGETS[name].seeds())
    assert seeds
    for data in seeds:
        run_one(name, data)


@pytest.mark.parametrize("path", [path for name in TARGETS for path in corpus_of(name)], ids=lambda path: path.name)
def test_every_kept_input_keeps_its_promises(path):
    before = largest_kib()
    run_one(path.parent.name, path.read_bytes())
    assert largest_kib() - before < 64 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_a_second_of_fuzzing_finds_nothing(name):
    assert fuzz(name, seconds=1, seed=0).runs > 5


def test_the_corpus_has_folders_of_targets_only_and_is_small():
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
    assert sum(path.stat().st_size for name in TARGETS for path in corpus_of(name)) < 1_000_000


def test_the_same_seed_makes_the_same_inputs():
    pool = list(TARGETS["record"].seeds())
    made = [
        [mutated(pool[0], chance, pool=pool, words=TARGETS["record"].words) for _ in range(50)]
        for chance in (random.Random(3), random.Random(3))
    ]
    assert made[0] == made[1]


def test_a_broken_promise_names_its_target(monkeypatch):
    def run(data):
        raise ZeroDivisionError("x")

    monkeypatch.setitem(TARGETS, "names", type(TARGETS["names"])(run, TARGETS["names"].seeds))
    with pytest.raises(Broken, match="names: ZeroDivisionError: x"):
        run_one("names", b"")
