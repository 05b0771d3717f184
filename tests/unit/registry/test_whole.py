"""The whole check finds what is wrong with any file of a commit, in one process or two, known or not."""

from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import registry as bench
from medperf_git.errors import EnvironmentProblem
from medperf_git.registry import whole
from medperf_git.registry.cache import Verified
from medperf_git.registry.commits import write_commit
from medperf_git.registry.folder_check import FolderCheck
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.trust import Trust
from medperf_git.registry.whole import WholeReport, check_whole
from tests.support import registry_builder as rb

from .hand import FILE, FOLDER, author, raw_commit, raw_tree

RESULT = "results/dora/heart/1/hospital-0000.wards.1/moa.extra-model.1/0001.yaml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bench.Made:
    return bench.make(tmp_path_factory.mktemp("registry") / "20.git", 20)


@pytest.fixture
def here(made: bench.Made) -> Store:
    return Store.open(made.path)


@pytest.fixture
def main(here: Store) -> str:
    return here.ref("refs/heads/main") or ""


def files_of(here: Store, commit: str, prefix: str = "") -> dict[str, bytes]:
    view = Snapshot.at(here, commit)
    return {path: view.blob(path) or b"" for path, _ in view.iter_blob_ids(prefix)}


def found(here: Store, commit: str, known: Verified | None = None) -> set[tuple[str, str]]:
    report = check_whole(here, commit, known=known or Verified())
    return {(finding.rule, finding.path) for finding in report.findings}


def with_files(here: Store, main: str, files: Mapping[str, bytes]) -> str:
    return write_commit(here, main, files, message="Change", author=author())


def test_a_registry_as_it_should_be_has_no_findings(here: Store, main: str) -> None:
    report = check_whole(here, main, known=Verified())
    records = [path for path in files_of(here, main) if path.endswith(".yaml")]
    bundles = [path for path in files_of(here, main) if path.endswith(".json")]
    assert report == WholeReport(len(records), len(bundles), ())


def test_the_results_of_each_dataset_are_a_share_of_their_own(here: Store, main: str) -> None:
    view = Snapshot.at(here, main)
    check = FolderCheck(here, Trust.of(view), b"", Verified())
    shares = [path for path, _ in whole._spread(check, view.tree)]
    assert [path for path in shares if path.startswith("results/dora/heart/1/hospital-")] == [
        f"results/dora/heart/1/hospital-{number:04d}.wards.1/" for number in range(4)
    ]
    assert {"members/", "cubes/", "associations/dora/heart/1/"} <= set(shares)


def test_two_processes_say_what_one_says(here: Store, main: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "_WORTH_IT", 0)
    broken = with_files(here, main, {RESULT: b"kind: result\n"})
    told: list[tuple[int, int]] = []
    for commit in (main, broken):
        alone, both = Verified(), Verified()
        expected = check_whole(here, commit, known=alone, processes=1)
        shared = check_whole(here, commit, known=both, processes=2, progress=lambda *done: told.append(done))
        assert shared == expected
        assert both.entries == alone.entries or not expected.findings
    assert told[0][0] == 1
    assert told[-1][0] == told[-1][1]


def test_trouble_in_one_of_two_processes_is_our_trouble(
    here: Store, main: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "_WORTH_IT", 0)
    root = raw_tree(here, (FOLDER, b"cubes", raw_tree(here, (FILE, b"x.yaml", b"\1" * 20))))
    with pytest.raises(EnvironmentProblem, match="is missing from") as caught:
        check_whole(here, raw_commit(here, root), known=Verified())
    assert "fetch again" in caught.value.hint


def test_a_killed_process_is_our_trouble(here: Store, main: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed:
        def __init__(self, *_: object, **__: object) -> None:
            raise BrokenProcessPool

    monkeypatch.setattr(whole, "_WORTH_IT", 0)
    monkeypatch.setattr(whole, "ProcessPoolExecutor", Killed)
    with pytest.raises(EnvironmentProblem, match="was killed"):
        check_whole(here, main, known=Verified())


def test_what_is_known_is_not_read_again(here: Store, main: str, tmp_path: Path) -> None:
    known = Verified.load(tmp_path / "verified")
    check_whole(here, main, known=known)
    known.save()
    fresh = Store.open(here.path)
    assert check_whole(fresh, main, known=Verified.load(tmp_path / "verified")) == WholeReport(0, 0, ())
    assert fresh.meter.others_read == 1, "the commit alone"


def test_one_more_result_is_the_only_one_read(here: Store, made: bench.Made, main: str) -> None:
    known = Verified()
    check_whole(here, main, known=known)
    assert check_whole(here, made.head, known=known) == WholeReport(1, 1, ())


def test_a_new_member_makes_no_signature_new(here: Store, main: str) -> None:
    known = Verified()
    check_whole(here, main, known=known)
    maker = bench.Maker.__new__(bench.Maker)
    maker.house, maker.main = rb.House(files_of(here, main)), main
    more = with_files(here, main, maker.signed([rb.member("newcomer")], "ana"))
    report = check_whole(here, more, known=known)
    assert (report.records, report.findings) == (1, ())


def test_a_signature_of_a_key_that_lost_its_holder_is_read_again(here: Store, main: str) -> None:
    known = Verified()
    check_whole(here, main, known=known)
    gone = {path: b"" for path in files_of(here, main, "members/hospital-0001") if path.endswith(".yaml")}
    faults = found(here, with_files(here, main, gone), known)
    signed = {path for path in files_of(here, main) if path.endswith(".json") and "/hospital-0001" in path}
    own = {path for path in signed if path.startswith("members/")}
    assert {path for rule, path in faults if rule == "signature"} == signed - own


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda data: data.replace(b"outcome: complete", b"outcome: perfect"), "schema"),
        (lambda data: data + b"\n", "canonical"),
        (lambda data: data.replace(b"kind: result", b"kind: dataset"), "kind"),
        (lambda data: data[:50], "yaml-syntax"),
        (lambda data: data.replace(b"model-0001", b"model-0002"), "path"),
    ],
)
def test_a_record_that_is_wrong_by_itself_is_found(here: Store, main: str, change, rule: str) -> None:
    path = next(path for path in files_of(here, main, "results") if "model-0001" in path and path.endswith(".yaml"))
    assert found(here, with_files(here, main, {path: change(files_of(here, main)[path])})) == {(rule, path)}


def test_other_bytes_than_were_signed_are_found(here: Store, main: str) -> None:
    path = next(path for path in files_of(here, main, "results") if path.endswith(".yaml"))
    data = files_of(here, main)[path].replace(b"value: 0.912", b"value: 0.999")
    assert {rule for rule, _ in found(here, with_files(here, main, {path: data}))} == {"signature"}


def test_a_record_without_a_signature_and_a_signature_without_a_record_are_found(here: Store, made: bench.Made) -> None:
    files = files_of(here, made.head)
    bundle = next(path for path in files if path.startswith(RESULT) and path.endswith("json"))
    main = here.ref("refs/heads/main") or ""
    assert found(here, with_files(here, main, {RESULT: files[RESULT]})) == {("unsigned", RESULT)}
    assert found(here, with_files(here, main, {bundle: files[bundle]})) == {("stray-signature", bundle)}


def test_a_signature_under_the_name_of_another_key_is_found(here: Store, made: bench.Made, main: str) -> None:
    files = files_of(here, made.head)
    bundle = next(path for path in files if path.startswith(RESULT) and path.endswith("json"))
    other = RESULT + "." + rb.signer("ana").public.short + ".sigstore.json"
    assert found(here, with_files(here, main, {RESULT: files[RESULT], other: files[bundle]})) == {("signature", other)}


def test_files_that_no_registry_has_are_found_and_house_files_are_not(here: Store, main: str) -> None:
    files = {"README.md": b"# Us\n", ".github/workflows/check.yml": b"on: push\n", "notes/a.txt": b"x"}
    assert found(here, with_files(here, main, files)) == {("layout", "notes/a.txt")}


def test_hostile_trees_are_findings(here: Store, main: str) -> None:
    blob = here.repository.create_blob(b"x").raw
    inner = raw_tree(here, (b"120000", b"link", blob), (FILE, b"a\x07b", blob))
    deep = blob_tree = raw_tree(here, (FILE, b"x.yaml", blob))
    for _ in range(20):
        deep = raw_tree(here, (FOLDER, b"d", deep))
    empty = raw_tree(here)
    root = raw_tree(here, (FOLDER, b"cubes", inner), (FOLDER, b"deep", deep), (FOLDER, b"empty", empty))
    rules = {rule for rule, _ in found(here, raw_commit(here, root, (main,)))}
    assert rules == {"git-object", "too-large"}
    not_a_tree = raw_commit(here, blob)
    assert {rule for rule, _ in found(here, not_a_tree)} == {"git-object"}
    assert found(here, raw_commit(here, raw_tree(here, (FOLDER, b"x", blob)))) >= {("git-object", "x/")}
    assert found(here, raw_commit(here, raw_tree(here, (FILE, b"x.yaml", blob_tree)))) == {("git-object", "x.yaml")}


def test_a_broken_record_does_not_hide_that_the_rest_is_known(here: Store, main: str) -> None:
    known = Verified()
    broken = with_files(here, main, {RESULT: b"kind: result\n"})
    first, again = (check_whole(here, broken, known=known) for _ in range(2))
    assert first.findings == again.findings
    assert again.records == 1
    assert replace(again, findings=()) == WholeReport(1, 0, ())
