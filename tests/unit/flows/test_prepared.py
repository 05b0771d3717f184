import json
from dataclasses import replace
from decimal import Decimal

import pytest

from medperf_git.errors import IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.datasets import (
    acquisition_words,
    build_dataset,
    hash_folders,
    new_salt,
    refuse_changed,
    registered,
)
from medperf_git.flows.prepared import Prepared, find_prepared, iter_prepared, local_rows, prepared_for, save
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.names import Ref
from medperf_git.runner.manifest import content_digest
from tests.support.flows_world import CLINIC, TIME, world


def prepared(home, *, salt="", version=1, **more):
    folder = home / "datasets" / f"clinic.fresh.{version}"
    for role, text in (("data", "a,b\n"), ("labels", "1\n")):
        (folder / role).mkdir(parents=True)
        (folder / role / "x.csv").write_text(text)
    roots = {"data": folder / "data", "labels": folder / "labels"}
    made = world()
    preparator = made.benchmark().record.data_preparator
    one = Prepared(
        folder=folder,
        name="fresh",
        title="Fresh",
        preparator=preparator,
        benchmark="ana/cells@1",
        cases=60,
        content=content_digest(roots),
        files=2,
        salt=salt,
        **more,
    )
    save(one)
    return made, one


def test_what_was_prepared_is_found_again(tmp_path):
    made, one = prepared(tmp_path, statistics={"num_cases": 60}, published=("num_cases",), words={"terms": "t"})
    assert list(iter_prepared(tmp_path)) == [one]
    assert find_prepared(tmp_path, "fresh") == one == find_prepared(tmp_path, "clinic/fresh@1")
    assert local_rows(tmp_path)[0]["cases"] == 60
    record = build_dataset(made.view, one, member=CLINIC, created=TIME)
    assert record.statistics == {"num_cases": 60}
    assert prepared_for(tmp_path, record) == one
    with pytest.raises(UsageProblem):
        find_prepared(tmp_path, "clinic/fresh@2")


def test_only_what_was_chosen_is_published(tmp_path):
    made, one = prepared(tmp_path, statistics={"num_cases": 60, "age": 61})
    record = build_dataset(made.view, one, member=CLINIC, created=TIME)
    assert (record.statistics, record.cases.exact, record.disclosure, record.acquisition) == (None, 60, None, None)


def test_a_salted_commitment_hides_the_digest_and_is_still_found(tmp_path):
    made, one = prepared(tmp_path, salt=new_salt(b"0" * 32))
    record = build_dataset(made.view, one, member=CLINIC, created=TIME)
    assert record.content.method == "mgds-v1-salted"
    assert record.content.digest != one.content
    assert prepared_for(tmp_path, record) == one
    assert "salt" not in one.as_value()


def test_one_flipped_byte_is_noticed(tmp_path):
    _, one = prepared(tmp_path)
    assert refuse_changed(one) == 2
    (one.folder / "data" / "x.csv").write_text("a,c\n")
    with pytest.raises(IntegrityBroken, match="have changed"):
        refuse_changed(one)


def test_the_same_data_are_not_registered_twice(tmp_path):
    made, one = prepared(tmp_path)
    record = build_dataset(made.view, one, member=CLINIC, created=TIME)
    assert registered(made.view, one, member=CLINIC) is None
    made.add(layout.dataset_path(record.ref), record)
    assert registered(made.view, one, member=CLINIC).ref == Ref("clinic", "fresh", 1)


def test_damaged_notes_are_refused(tmp_path):
    _, one = prepared(tmp_path)
    (one.folder / "dataset.json").write_text(json.dumps({"name": "fresh"}))
    with pytest.raises(UsageProblem, match="damaged"):
        list(iter_prepared(tmp_path))


def test_medperf_hash_is_the_one_of_the_documentation(tmp_path):
    (tmp_path / "nums.txt").write_text("1 2 3\n4 5 6\n7 8\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "nums.txt").rename(tmp_path / "data" / "nums.txt")
    (tmp_path / "labels" / "ans.txt").write_text("18\n34\n34\n")
    folders = [tmp_path / "data", tmp_path / "labels"]
    assert hash_folders(folders, medperf=True) == "fed6c0db8f02b94daa71e100cbfc139667a6e102fd9d5d81a4c264469d436039"
    assert hash_folders(folders, medperf=False).startswith("sha256:")


def test_years_are_read():
    words = acquisition_words({"country": "FI", "years": "2015-2019"})
    assert m.Acquisition(**words) == m.Acquisition("FI", 2015, 2019)
    with pytest.raises(UsageProblem):
        acquisition_words({"years": "lately"})


def test_a_statistic_that_shows_a_patient_is_refused_and_others_are_rounded(tmp_path):
    found = {"age_max": 97, "num_rare": 3, "mean_age": Decimal("61.23456")}
    made, one = prepared(tmp_path, statistics=found)
    for name in ("age_max", "num_rare"):
        with pytest.raises(Refused, match=name):
            build_dataset(made.view, replace(one, published=(name,)), member=CLINIC, created=TIME)
    record = build_dataset(made.view, replace(one, published=("mean_age",)), member=CLINIC, created=TIME)
    assert record.statistics == {"mean_age": Decimal("61.235")}


def test_of_two_registries_each_finds_its_own_data(tmp_path):
    made, one = prepared(tmp_path)
    assert made
    other = replace(one, folder=tmp_path / "datasets" / "lungs.clinic.fresh.2")
    other.folder.mkdir()
    save(other)
    assert find_prepared(tmp_path, "fresh").folder == other.folder
    assert find_prepared(tmp_path, "fresh", registry="clinic").folder == one.folder
    assert find_prepared(tmp_path, "fresh", registry="lungs").folder == other.folder
