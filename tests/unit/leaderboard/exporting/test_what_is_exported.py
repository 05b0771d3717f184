"""What counts as a plain value, what is left out with a reason, what exports rest on, the same bytes everywhere."""

import hashlib
import io
import json
import os
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import pytest
import yaml

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.exporting.archive import render_zip
from medperf_git.leaderboard.exporting.formats import FORMATS, format_named
from medperf_git.leaderboard.exporting.release import PlainScore, iter_scores, iter_values, left_out, read_release
from medperf_git.leaderboard.exporting.rendering import OF_DATASETS, OF_RELEASES, render_export
from medperf_git.leaderboard.exporting.schema_org import dataset_node
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.times import parse_time
from medperf_git.signing.files import FileSigner
from medperf_git.signing.note import Checkpoint, make_note
from tests.support import leaderboard_registry as lr
from tests.support.exports import ROOT, STEPS, Rich, exported, origin_of, release_of
from tests.support.people import write_key


def test_failed_partial_disputed_superseded_and_missing_results_are_no_values_and_listed() -> None:
    release = release_of(lr.demo())
    values = {(str(value.model.ref), str(value.site.ref)) for value in iter_values(release)}
    assert ("ana/one-feature@1", "river/tumours@1") not in values  # partial
    assert ("ben/near@1", "summit/tumours@1") not in values  # failed
    assert not any(model == "ben/late@1" for model, _ in values)  # disputed, and missing
    assert len(values) == 10
    told = {one.subject: one.reason for one in left_out(release)}
    assert told["ana/one-feature@1 on river/tumours@1"] == "partial"
    assert told["ben/near@1 on summit/tumours@1"] == "failed; it needed more memory than it was given"
    assert told["ben/late@1 on north/tumours@1"] == "disputed; ana: implausible"
    assert told["ben/late@1 on summit/tumours@1"] == "missing; no result yet"
    assert told["result"].startswith("superseded by ")


def test_the_single_files_count_what_is_left_out_by_its_kind() -> None:
    told = "30 values and 3 scores; left out: 1 disputed, 1 failed, 1 hidden, 2 missing, 1 partial, 2 score"
    (node,) = map(json.loads, exported("schema-org", lr.demo()).values())
    assert node["abstract"] == f"As of {lr.STEP_TIME}: {told}."
    cff = yaml.safe_load(exported("citation", lr.demo())["CITATION.cff"])
    assert cff["identifiers"][-1]["description"].endswith(told)
    (empty,) = map(json.loads, exported("schema-org", Rich().filled()).values())
    assert empty["abstract"].endswith("18 values and 2 scores; left out: nothing.")


def test_a_score_that_rests_on_a_partial_result_is_no_plain_score() -> None:
    scores = list(iter_scores(release_of(lr.demo())))
    plain = {str(one.standing.model.ref) for one in scores if isinstance(one, PlainScore)}
    assert plain == {"ben/logit@1", "ben/forest@1", "ben/near@1"}
    reasons = {one.subject: one.reason for one in scores if not isinstance(one, PlainScore)}
    assert reasons["score of ana/one-feature@1 in auroc"] == "it rests on river/tumours@1, which is partial"


def test_a_withdrawn_dataset_takes_its_values_and_the_scores_on_it_out_of_every_export() -> None:
    registry = Rich().filled()
    registry.notice("datasets/north/tumours/1.yaml", "withdraw", by="north", side="owner")
    release = release_of(registry)
    assert all(str(value.site.ref) != "north/tumours@1" for value in iter_values(release))
    assert not any(isinstance(one, PlainScore) for one in iter_scores(release))
    reasons = {one.subject: one.reason for one in left_out(release)}
    assert reasons["ben/forest@1 on north/tumours@1"] == "complete; dataset withdrawn"
    files = exported("croissant", registry)
    assert not any(name.startswith("north.") for name in files)
    assert json.loads(files["export.json"])["left_out"] == [
        {"kind": "marked", "subject": "north/tumours@1", "reason": "withdrawn", "path": "datasets/north/tumours/1.yaml"}
    ]
    assert not any("/.eval_results/" in name for name in exported("eval-results", registry))


def test_values_are_those_of_the_records_in_every_format() -> None:
    registry = Rich().filled()
    wanted = {("ben/forest@1", "north/tumours@1", "auroc"): 0.92}
    card = exported("model-index", registry)["ben.forest.1/README.md"].decode()
    front = yaml.safe_load(card.partition("---\n")[2].partition("\n---\n")[0])
    results = {one["dataset"]["type"]: one for one in front["model-index"][0]["results"]}
    metrics = {one["type"]: one["value"] for one in results["north/tumours@1"]["metrics"]}
    assert metrics == {"auroc": 0.92, "sensitivity": 0.82, "brier": 0.108}
    mean = round((0.92 + 0.931 + 0.942) / 3, 12)
    assert [one["value"] for one in results["ana/breast@1"]["metrics"]] == [mean]
    entries = yaml.safe_load(exported("eval-results", registry)["ben.forest.1/.eval_results/ana-breast-1.yaml"])
    assert [(entry["dataset"]["task_id"], entry["value"]) for entry in entries] == [("v1-auroc", mean)]
    assert entries[0]["source"]["url"] == "https://example.org/site/benchmarks/ana/breast/1/index.html"
    files = exported("every-eval-ever", registry)
    document = next(json.loads(data) for name, data in files.items() if "/ben/forest-v1/" in name)
    scores = {
        (one["source_data"]["additional_details"].get("dataset"), one["metric_config"]["metric_id"]): one
        for one in document["evaluation_results"]
    }
    found = scores["north/tumours@1", "ana-breast-1.auroc"]["score_details"]
    assert found["score"] == wanted["ben/forest@1", "north/tumours@1", "auroc"]
    assert found["uncertainty"] == {"num_samples": 60}
    assert scores[None, "ana-breast-1.auroc"]["score_details"]["score"] == mean
    assert scores["north/tumours@1", "ana-breast-1.brier"]["metric_config"]["lower_is_better"] is True
    assert document["source_metadata"]["evaluator_relationship"] == "third_party"


def test_an_interval_is_exported_from_five_sites_on_and_a_range_never() -> None:
    def intervals(registry: lr.Registry) -> list[object]:
        files = exported("every-eval-ever", registry)
        found = [json.loads(data) for name, data in files.items() if name.startswith("data/")]
        results = [one["score_details"].get("uncertainty", {}) for file in found for one in file["evaluation_results"]]
        return [one["confidence_interval"] for one in results if "confidence_interval" in one]

    assert intervals(Rich().filled()) == []
    wide = intervals(lr.wide(3, 6))
    assert len(wide) == 3
    assert all(one["method"] == "exact site bootstrap" and one["lower"] < one["upper"] for one in wide)


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_export_names_its_commit_registry_and_the_digest_of_the_benchmark_or_dataset(one) -> None:
    registry = Rich().filled()
    files = exported(one.name, registry)
    text = b"\n".join(files.values()).decode()
    record = "datasets/north/tumours/1.yaml" if one.datasets else "benchmarks/ana/breast/1/benchmark.yaml"
    assert lr.COMMIT in text
    assert lr.REGISTRY_ID in text
    assert digest_of(registry.files[record]) in text
    assert one.single == (len(files) == 1)
    if not one.single:
        manifest = json.loads(files["export.json"])
        assert manifest["made_by"] == f"medperf-git leaderboard export {one.name}"
        assert manifest["standard"] == one.standard
        assert {digest_of(registry.files[told["path"]]) for told in manifest["records"]} == {
            told["digest"] for told in manifest["records"]
        }


@pytest.mark.parametrize("name", ["model-index", "every-eval-ever", "citation", "croissant", "schema-org", "ro-crate"])
def test_no_licence_is_stated_that_no_record_states(name: str) -> None:
    text = b"\n".join(data for path, data in exported(name, lr.demo()).items() if "records/" not in path).decode()
    for word in ("Apache", "CC-BY", "creativecommons", "license:", '"license": "'):
        assert word not in text


def test_the_licence_of_a_model_and_the_terms_of_a_dataset_are_carried_as_stated() -> None:
    registry = Rich(texts={"licence": "LicenseRef-Lab", "terms": "Ask first."}).filled()
    card = exported("model-index", registry)["ben.forest.1/README.md"].decode()
    assert 'license: "other"\nlicense_name: "LicenseRef-Lab"\n' in card
    assert 'license: "apache-2.0"\n' in exported("model-index", Rich().filled())["ben.forest.1/README.md"].decode()
    assert b'"description": "Ask first."' in exported("croissant", registry)["north.tumours.1/croissant.json"]


def test_the_node_for_a_page_is_free_of_the_commit_and_its_time() -> None:
    release = release_of(Rich().filled())
    node = dataset_node(
        release.table, release.origin, release.people, committee=release.committee, created=release.record.created
    )
    text = json.dumps(node)
    assert lr.COMMIT not in text
    assert lr.STEP_TIME not in text
    assert node["variableMeasured"][0]["propertyID"] == "auroc"


def test_the_same_results_give_the_same_file_of_every_eval_ever_at_another_commit() -> None:
    view = Rich().filled().view()
    origin = origin_of(Rich().filled())
    render = OF_RELEASES["every-eval-ever"]
    names = [
        {name for name in render(read_release(view, lr.BENCHMARK, one)) if name.startswith("data/")}
        for one in (origin, type(origin)("ff" * 20, origin.registry_id, lr.STEP_TIME, STEPS + 1))
    ]
    assert names[0] == names[1]
    assert {uuid.UUID(Path(name).stem).version for name in names[0]} == {4}


def test_the_crate_holds_every_record_of_the_release_with_its_signatures() -> None:
    registry = lr.demo()
    registry.site("elsewhere", cases=12, approved=False)
    files = exported("ro-crate", registry)
    held = {name.removeprefix("records/") for name in files if name.startswith("records/")}
    others = {path for path in registry.files if "elsewhere" in path and path.startswith(("datasets/",))}
    assert held == set(registry.files) - others  # a dataset that is not associated is no part of the release
    graph = {node["@id"]: node for node in json.loads(files["ro-crate-metadata.json"])["@graph"]}
    assert all(
        graph[name]["sha256"] == hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name in graph and name != "ro-crate-metadata.json"
    )


def test_the_checkpoint_in_the_crate_is_the_text_of_the_signed_note(tmp_path: Path) -> None:
    write_key(tmp_path / "notes", "a key for notes alone")
    told = Checkpoint(lr.REGISTRY_ID, STEPS, lr.COMMIT, parse_time(lr.STEP_TIME))
    note = make_note(told, FileSigner.load(tmp_path / "notes"))
    assert note.startswith(exported("ro-crate", lr.demo())["checkpoint.txt"] + b"\n\xe2\x80\x94 ")


def test_the_archive_holds_the_same_files_and_no_clock() -> None:
    files = exported("ro-crate", lr.demo())
    archive = zipfile.ZipFile(io.BytesIO(render_zip(files)))
    assert {name: archive.read(name) for name in archive.namelist()} == dict(files)
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_croissant_without_a_benchmark_describes_every_dataset_of_the_registry() -> None:
    registry = Rich().filled()
    registry.site("elsewhere", cases=12, approved=False)
    files = render_export(format_named("croissant"), registry.view(), origin_of(registry), None)
    assert "elsewhere.tumours.1/croissant.json" in files
    assert json.loads(files["export.json"])["benchmark"] is None


def test_an_unknown_format_and_a_missing_or_unreadable_benchmark_are_refused_with_what_to_do() -> None:
    with pytest.raises(UsageProblem, match="no export format 'parquet'") as refused:
        format_named("parquet")
    assert all(one.name in refused.value.hint for one in FORMATS)
    registry = lr.demo()
    for one in FORMATS:
        if not one.datasets:
            with pytest.raises(UsageProblem, match="is about one benchmark"):
                render_export(one, registry.view(), origin_of(registry), None)
    with pytest.raises(UsageProblem, match="ana/other@1 cannot be read"):
        read_release(registry.view(), Ref("ana", "other", 1), origin_of(registry))


def test_a_benchmark_whose_rule_finds_no_ranking_exports_its_values_and_no_score() -> None:
    registry = Rich(rule="fets-2022").filled()  # it ranks by comparisons, and no site has published any
    release = release_of(registry)
    assert len(list(iter_values(release))) == 18
    out = [one for one in left_out(release) if one.kind == "score"]
    assert {one.subject for one in out} == {
        f"score of {name} in auroc" for name in ("ana/one-feature@1", "ben/forest@1")
    }
    assert all("comparison" in one.reason for one in out)
    assert not any("/.eval_results/" in name for name in exported("eval-results", registry))


def test_every_format_has_one_function_of_its_kind() -> None:
    assert {one.name for one in FORMATS if one.datasets} == set(OF_DATASETS)
    assert {one.name for one in FORMATS if not one.datasets} == set(OF_RELEASES)


def test_the_page_of_exports_and_the_help_name_every_format_with_its_standard() -> None:
    page = (ROOT / "docs/reference/exports.md").read_text(encoding="utf-8")
    commands = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    for one in FORMATS:
        assert f"\n| `{one.name}` | {one.standard} | " in page
        assert f"\n- **{one.name}**" in page
        assert f"\n  {one.name:<16} {one.standard}\n" in commands


def test_a_benchmark_without_results_exports_too() -> None:
    registry = lr.Registry()
    registry.site("north", cases=20)
    for one in FORMATS:
        assert exported(one.name, registry)


DIGESTS = """
import hashlib, sys
from tests.support import leaderboard_registry as lr
from tests.support.exports import Rich, exported
from medperf_git.leaderboard.exporting.archive import render_zip
from medperf_git.leaderboard.exporting.formats import FORMATS
for registry in (lr.demo(), Rich().filled()):
    for one in FORMATS:
        print(one.name, hashlib.sha256(render_zip(exported(one.name, registry))).hexdigest())
"""


def test_the_bytes_are_the_same_in_another_place_time_zone_locale_and_order_of_hashes(tmp_path: Path) -> None:
    told = set()
    for place, (zone, locale, seed) in enumerate((("UTC", "C", "1"), ("Asia/Kolkata", "de_DE.UTF-8", "2"))):
        folder = tmp_path / str(place)
        folder.mkdir()
        environ = {**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", DIGESTS]
        done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=True)
        told.add(done.stdout)
    assert len(told) == 1
    assert all(one.name in told.pop() for one in FORMATS[:1])
