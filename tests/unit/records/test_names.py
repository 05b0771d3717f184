import pytest

from medperf_git.records.names import RESERVED, Ref, name_fault, skeleton


@pytest.mark.parametrize("name", ["a1", "ab", "a-b", "1a", "hospital-a", "a" * 63, "a" + "-a" * 31, "a-" * 31 + "b"])
def test_a_name_has_two_to_sixty_three_letters_digits_and_single_inner_hyphens(name):
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    "name",
    ["", "a", "-a", "a-", "a--b", "A1", "a_b", "a.b", "a b", "ab\n", "\nab", "a" * 64, "a/b", "a@b", "..", "ab\x00"],
)
def test_another_text_is_no_name(name):
    assert "2 to 63" in name_fault(name)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("аna", "U+0430"),
        ("a\u202eb", "U+202E"),
        ("cafe\u0301", "U+0301"),
        ("caf\u00e9", "U+00E9"),
        ("a1\u0663", "U+0663"),
        ("abc\n", "U+000A"),
        ("Ana", "U+0041"),
    ],
)
def test_t32_a_strange_character_in_a_name_is_named_by_its_code_point(name, point):
    assert point in name_fault(name)


def test_reserved_names_are_refused():
    assert {"con", "git", "head", "com1", "lpt9", "registry", "latest"} <= RESERVED
    assert all("reserved" in name_fault(name) for name in RESERVED)


def test_names_that_differ_only_in_hyphens_share_a_skeleton():
    assert skeleton("a-b-c") == skeleton("ab-c") == "abc"


def test_a_reference_reads_and_writes_in_three_forms():
    ref = Ref.parse("ana/fast-forest@12")
    assert ref == Ref("ana", "fast-forest", 12) == Ref.from_folder("ana.fast-forest.12")
    assert (str(ref), ref.folder, ref.path) == ("ana/fast-forest@12", "ana.fast-forest.12", "ana/fast-forest/12")
    assert ref.unversioned == "ana/fast-forest"
    assert Ref.parse(str(ref)) == ref == Ref.from_folder(ref.folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "ana/x1",
        "ana/x1@",
        "ana/x1@0",
        "ana/x1@01",
        "ana/x1@1000000",
        "ana/x1@1.0",
        "ana/x1@-1",
        "ana/x1@１",
        "ana/x1@1\n",
        "ana//x1@1",
        "/ana/x1@1",
        "ana/x1/y1@1",
        "ana/x1@1@1",
        "ana/con@1",
        "Ana/x1@1",
        "ana/X1@1",
        "../x1@1",
        "ana/x1@ 1",
        "ana/..@1",
    ],
)
def test_another_text_is_no_reference(text):
    with pytest.raises(ValueError, match=r"reference like|in '|the version"):
        Ref.parse(text)


@pytest.mark.parametrize("folder", ["", "ana.x1", "ana.x1.1.1", "ana.x1.0", "ana/x1.x1.1", "..1", "ana.x1.1\n", "a..1"])
def test_another_text_is_no_folder_of_a_reference(folder):
    with pytest.raises(ValueError, match=r"folder like|reference like|in '|the version"):
        Ref.from_folder(folder)
