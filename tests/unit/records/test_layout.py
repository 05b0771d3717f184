import pytest

from medperf_git.records import layout
from medperf_git.records.convert import value_of
from medperf_git.records.layout import CHAINS, Kind, expected_folder, is_house_file, place_of, split_bundle
from medperf_git.records.names import Ref

from .examples import EXAMPLES

SHORT = "0123456789abcdef"


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_path_of_a_record_follows_from_its_words_and_tells_its_kind(path):
    record = EXAMPLES[path]
    place = place_of(path)
    assert place is not None
    assert place.kind is record.KIND
    expected = expected_folder(record.KIND, value_of(record))
    assert expected == (place.folder if place.kind in CHAINS else place.path)
    assert place.number == (int(path[-9:-5]) if place.kind in CHAINS else 0)


def test_builders_of_paths_agree_with_the_reader():
    one, two, three = Ref("ana", "x1", 1), Ref("bob", "y1", 2), Ref("eve", "z1", 3)
    expected = {
        layout.registry_path(1): Kind.REGISTRY,
        layout.member_path("ana", 9999): Kind.MEMBER,
        layout.cube_path(one): Kind.CUBE,
        layout.dataset_path(one): Kind.DATASET,
        layout.benchmark_path(one): Kind.BENCHMARK,
        layout.numbered(layout.policy_folder(one), 1): Kind.POLICY,
        layout.numbered(layout.association_folder(one, "dataset", two), 1): Kind.ASSOCIATION,
        layout.numbered(layout.association_folder(one, "cube", two), 1): Kind.ASSOCIATION,
        layout.numbered(layout.result_folder(one, two, three), 1): Kind.RESULT,
        layout.numbered(layout.notice_folder(layout.benchmark_path(one)), 1): Kind.NOTICE,
        layout.numbered(layout.notice_folder(layout.member_path("ana", 1)), 1): Kind.NOTICE,
    }
    assert {path: place.kind for path in expected if (place := place_of(path))} == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "registry",
        "registry/",
        "registry/0000.yaml",
        "registry/1.yaml",
        "registry/10000.yaml",
        "registry/00001.yaml",
        "registry/0001.yml",
        "registry/0001.YAML",
        "registry/0001.yaml\n",
        "registry/0001.yaml/",
        "registry/٠٠٠١.yaml",
        "registry//0001.yaml",
        "/registry/0001.yaml",
        "./registry/0001.yaml",
        "registry/x/0001.yaml",
        "registry/../registry/0001.yaml",
        "Registry/0001.yaml",
        "REGISTRY/0001.yaml",
        "registry/0001",
        "registry/.git/0001.yaml",
        ".git/config",
        ".git/0001.yaml",
        "git~1/0001.yaml",
        "members/0001.yaml",
        "members/Ana/0001.yaml",
        "members/ana/0000.yaml",
        "members/ana/x/0001.yaml",
        "members/.git/0001.yaml",
        "members/../0001.yaml",
        "members/./0001.yaml",
        "members//0001.yaml",
        "members/con/0001.yaml",
        "members/registry/0001.yaml",
        "members/ａna/0001.yaml",
        "members/аna/0001.yaml",
        "members/ana\x00/0001.yaml",
        "members/ana /0001.yaml",
        "members/ana./0001.yaml",
        "members\\ana\\0001.yaml",
        "cubes/ana/x1/0.yaml",
        "cubes/ana/x1/01.yaml",
        "cubes/ana/x1/0001.yaml",
        "cubes/ana/x1/1000000.yaml",
        "cubes/ana/x1/1",
        "cubes/ana/x1/.yaml",
        "cubes/ana/x1/1.yaml.yaml",
        "cubes/ana/x1/y1/1.yaml",
        "cubes/ana/1.yaml",
        "cubes/ana/../1.yaml",
        "datasets/ana/git/1.yaml",
        "datasets/ana/x1/-1.yaml",
        "benchmarks/ana/x1/1.yaml",
        "benchmarks/ana/x1/1/Benchmark.yaml",
        "benchmarks/ana/x1/1/benchmark.yaml/x",
        "benchmarks/ana/x1/01/benchmark.yaml",
        "benchmarks/ana/x1/1/policies/0001.yaml",
        "benchmarks/ana/x1/1/policy/x/0001.yaml",
        "benchmarks/ana/x1/1/policy/0000.yaml",
        "associations/ana/x1/1/models/bob.y1.1/0001.yaml",
        "associations/ana/x1/1/cubes/bob.y1/0001.yaml",
        "associations/ana/x1/1/cubes/bob.y1.0/0001.yaml",
        "associations/ana/x1/1/cubes/bob.y1.1/x/0001.yaml",
        "associations/ana/x1/1/cubes/bob.y1.1.yaml",
        "results/ana/x1/1/bob.y1.1/0001.yaml",
        "results/ana/x1/1/bob.y1.1/eve.z1.1/x/0001.yaml",
        "results/ana/x1/1/bob.y1.1/../0001.yaml",
        "notices/0001.yaml",
        "notices/x/0001.yaml",
        "notices/registry/0001.yaml",
        "notices/notices/registry/0001/0001/0001.yaml",
        "notices/registry/0000/0001.yaml",
        "notices/README.md/0001.yaml",
        "notices/notices/0001.yaml",
        "unknown/ana/0001.yaml",
        ".gitattributes",
        "README.md",
        "members/ana/0001.yaml." + SHORT + ".sigstore.json",
    ],
)
def test_t33_a_hostile_path_is_no_record_path(path):
    assert place_of(path) is None


def test_t33_a_path_of_a_million_notices_is_refused_without_recursion():
    assert place_of("notices/" * 500_000 + "0001/" * 500_000 + "0001.yaml") is None


@pytest.mark.parametrize(
    "path",
    ["README.md", "LICENSE", ".gitlab-ci.yml", ".github/workflows/check.yml", ".github/CODEOWNERS", ".forgejo/a_b/C.d"],
)
def test_house_files_are_few(path):
    assert is_house_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "readme.md",
        "docs/README.md",
        "LICENSE.md",
        ".gitattributes",
        ".gitmodules",
        ".gitignore",
        ".github",
        ".github/",
        ".github//x",
        ".github/../members/ana/0001.yaml",
        ".github/./x",
        ".github/x/..",
        ".github/.gitattributes",
        ".github/workflows/.gitmodules",
        ".github/.GIT/config",
        ".github/.git~1/x",
        ".github/x.",
        ".github/x\n",
        ".github/a b",
        ".github/a:b",
        ".github/ü",
        ".GITHUB/workflows/x.yml",
        ".forgejo/.gitignore",
    ],
)
def test_t34_no_other_file_is_a_house_file(path):
    assert not is_house_file(path)


def test_a_bundle_lies_beside_its_record():
    path = layout.bundle_of("members/ana/0001.yaml", SHORT)
    assert path == "members/ana/0001.yaml.0123456789abcdef.sigstore.json"
    assert split_bundle(path) == ("members/ana/0001.yaml", SHORT)


@pytest.mark.parametrize(
    "path",
    [
        "members/ana/0001.yaml.0123456789ABCDEF.sigstore.json",
        "members/ana/0001.yaml.0123456789abcde.sigstore.json",
        "members/ana/0001.yaml.0123456789abcdef0.sigstore.json",
        "members/ana/0001.yaml.0123456789abcdef.sigstore.json\n",
        "members/ana/0001.0123456789abcdef.sigstore.json",
        ".yaml.0123456789abcdef.sigstore.json",
        "README.md.0123456789abcdef.sigstore.json",
        "members/ana/0001.yaml",
    ],
)
def test_another_path_is_no_bundle(path):
    assert split_bundle(path) is None


def test_the_bundle_of_a_bundle_is_no_bundle_of_a_record():
    twice = layout.bundle_of(layout.bundle_of("members/ana/0001.yaml", SHORT), SHORT)
    split = split_bundle(twice)
    assert split is None or place_of(split[0]) is None


def test_words_that_give_no_path_are_refused():
    with pytest.raises(ValueError, match="reserved"):
        expected_folder(Kind.CUBE, {"member": "con", "name": "x1", "version": 1})
    with pytest.raises(ValueError, match="reference"):
        expected_folder(Kind.POLICY, {"benchmark": "ana/x1@1"})
    with pytest.raises(ValueError, match="reference"):
        expected_folder(Kind.ASSOCIATION, {"subject": "x", "benchmark": {"ref": "ana/x1@1"}})
    assert expected_folder(Kind.NOTICE, {"record": "x"}) == "notices/"
