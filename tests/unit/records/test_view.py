from medperf_git.records import layout, models
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import (
    MemoryView,
    bundles_of,
    chain,
    folders,
    iter_results,
    iter_versions,
    record_at,
    stored_at,
    versions_of,
)

from .examples import EXAMPLES, MINIMAL

FILES = {path: write_record(record) for path, record in EXAMPLES.items()}
VIEW = MemoryView(FILES)


def test_a_view_in_memory_lists_folders_like_a_tree():
    view = MemoryView({"a/b/c": b"1", "a/d": b"2", "e": b"3"})
    assert view.names("") == ("a/", "e")
    assert view.names("a") == ("b/", "d")
    assert view.names("a/b") == ("c",)
    assert view.names("missing") == view.names("e") == ()
    assert view.blob("a/d") == b"2"
    assert view.blob("a") is None
    assert folders(view, "a") == ("b",)


def test_a_record_is_found_by_its_path_and_type():
    path = "members/ana/0001.yaml"
    assert record_at(VIEW, path, models.Member) == MINIMAL[path]
    assert record_at(VIEW, path, models.Cube) is None
    assert record_at(VIEW, "members/bob/0001.yaml", models.Member) is None


def test_a_broken_record_is_absent_for_readers():
    assert stored_at(MemoryView({"members/ana/0001.yaml": b"kind: member\n"}), "members/ana/0001.yaml") is None


def test_a_chain_ends_before_its_first_gap_or_broken_link():
    good = MINIMAL["notices/members/ana/0001/0001.yaml"]
    folder = "notices/members/ana/0001"
    first = write_record(good)
    assert [link.place.number for link in chain(MemoryView({f"{folder}/0001.yaml": first}), folder)] == [1]
    assert chain(MemoryView({f"{folder}/0002.yaml": first}), folder) == ()
    broken = {f"{folder}/0001.yaml": first, f"{folder}/0002.yaml": first}
    assert len(chain(MemoryView(broken), folder)) == 1, "0002 lacks `previous`"


def test_bundles_are_found_beside_their_record_only():
    files = dict.fromkeys(
        [
            "members/ana/0001.yaml",
            "members/ana/0001.yaml.0123456789abcdef.sigstore.json",
            "members/ana/0001.yaml.fedcba9876543210.sigstore.json",
            "members/ana/0001.yaml.short.sigstore.json",
            "members/ana/0002.yaml.0123456789abcdef.sigstore.json",
        ],
        b"",
    )
    assert [path[22:26] for path in bundles_of(MemoryView(files), "members/ana/0001.yaml")] == ["0123", "fedc"]


def test_versions_come_in_the_order_of_numbers():
    view = MemoryView(dict.fromkeys([f"cubes/ana/x1/{n}.yaml" for n in (10, 9, 1, 2)], b""))
    assert [ref.version for ref in iter_versions(view, "cubes")] == [1, 2, 9, 10]
    assert versions_of(view, "cubes", member="ana", name="x1")[-1] == Ref("ana", "x1", 10)
    assert versions_of(view, "cubes", member="ana", name="y1") == ()


def test_versions_of_benchmarks_are_folders():
    assert list(iter_versions(VIEW, "benchmarks")) == [Ref("ana", "aspirate", 1), Ref("ana", "aspirate", 2)]


def test_strange_names_in_a_tree_do_not_stop_readers():
    strange = ["²", "٣", "0", "007", "x", "-1", "1000000", "1.yaml", ""]
    files = [f"cubes/ana/x1/{name}.yaml" for name in strange] + ["cubes/ana/x1/5.yaml", "cubes/Ana/x1/1.yaml"]
    files += ["cubes/ana/x1/5.yaml.0123456789abcdef.sigstore.json", "cubes/ana/con/1.yaml", "cubes/a.b/x1/1.yaml"]
    files += ["cubes/ana/x1/6.yaml/x", "benchmarks/ana/x1/²/benchmark.yaml", "benchmarks/ana/x1/3.yaml"]
    files += ["results/ana/x1/1/strange/bob.y1.1/0001.yaml", "results/ana/x1/1/bob.d1.1/strange.1/0001.yaml"]
    files += ["results/ana/x1/1/bob.d1.1/bob.y1.1/0001.yaml"]
    view = MemoryView(dict.fromkeys(files, b""))
    assert list(iter_versions(view, "cubes")) == [Ref("ana", "x1", 5)]
    assert list(iter_versions(view, "benchmarks")) == []
    assert list(iter_results(view, Ref("ana", "x1", 1))) == [(Ref("bob", "d1", 1), Ref("bob", "y1", 1))]


def test_results_of_a_benchmark_are_listed_by_dataset_and_model():
    found = list(iter_results(VIEW, Ref("ana", "aspirate", 1)))
    assert found == [(Ref("hospital-a", "cohort", 2), Ref("bob", "forest", 3))]
    assert layout.result_folder(Ref("ana", "aspirate", 1), *found[0]) + "/0001.yaml" in FILES
