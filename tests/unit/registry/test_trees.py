import json
import subprocess
import sys

import pytest

from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.trees import compare_trees, entry_fault, order_fault, parse_tree

from .hand import FILE, FOLDER, blob, genesis, raw_tree

HOSTILE_NAMES = [
    b".",
    b"..",
    b"",
    b".git",
    b".GIT",
    b".Git",
    b"git~1",
    b"GIT~2",
    b"gi7eba~1",
    b".git.",
    b".git ",
    b".git::$INDEX_ALLOCATION",
    b".g\xe2\x80\x8cit",
    b".gi\xef\xbb\xbft",
    b".gitattributes",
    b".gitmodules",
    b".gitignore",
    b"a/b",
    b"../x",
    b"/etc",
    b"a\\b",
    b"C:x",
    b"con",
    b"NUL.yaml",
    b"com1",
    b"x.",
    b"new\nline",
    b"bell\x07",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"-\x1b[2J",
    b"a b",
    b"x" * 300,
]
HOSTILE_MODES = [b"120000", b"160000", b"100755", b"100664", b"100777", b"040000", b"0", b"0100644", b"40755"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_refused(store: Store, name: bytes) -> None:
    found = compare_trees(store, None, after=raw_tree(store, (FILE, name, blob(store))))
    assert [fault.rule for fault in found.faults] == ["git-object"]
    assert not found.added
    assert all(character.isprintable() for character in found.faults[0].path)


@pytest.mark.parametrize("mode", HOSTILE_MODES)
def test_a_hostile_mode_is_refused(store: Store, mode: bytes) -> None:
    found = compare_trees(store, None, after=raw_tree(store, (mode, b"record.yaml", blob(store))))
    assert [fault.rule for fault in found.faults] == ["git-object"]
    assert not found.added


def test_a_changed_mode_alone_is_seen(store: Store) -> None:
    oid = blob(store)
    before, after = (raw_tree(store, (mode, b"a.yaml", oid)) for mode in (FILE, b"100755"))
    assert [fault.rule for fault in compare_trees(store, before, after=after).faults] == ["git-object"]


@pytest.mark.parametrize(
    "names", [[b"a", b"a"], [b"b", b"a"], [b"A", b"a"]], ids=["duplicate", "unsorted", "only case differs"]
)
def test_a_folder_out_of_order_is_refused(store: Store, names: list[bytes]) -> None:
    tree = raw_tree(store, *((FILE, name, blob(store)) for name in names))
    assert "git-object" in {fault.rule for fault in compare_trees(store, None, after=tree).faults}


def test_a_file_and_a_folder_of_one_name_are_refused() -> None:
    assert order_fault([(FILE, b"a", b"1" * 20), (FILE, b"a.b", b"1" * 20), (FOLDER, b"a", b"2" * 20)])


def test_folders_sort_as_git_sorts_them() -> None:
    entries = [(FILE, b"a.b", b"1" * 20), (FOLDER, b"a", b"2" * 20), (FILE, b"a0", b"1" * 20)]
    assert not order_fault(entries)


@pytest.mark.parametrize("data", [b"100644 a", b"100644 a\0short", b"junk", b"100644 a\0" + b"1" * 20 + b"x"])
def test_a_malformed_tree_is_refused(data: bytes) -> None:
    with pytest.raises(BadObject):
        parse_tree(data)


def test_an_empty_folder_is_refused(store: Store) -> None:
    tree = raw_tree(store, (FOLDER, b"empty", raw_tree(store)))
    assert "empty" in compare_trees(store, None, after=tree).faults[0].message


def test_a_folder_that_is_a_blob_is_refused(store: Store) -> None:
    found = compare_trees(store, None, after=raw_tree(store, (FOLDER, b"members", blob(store))))
    assert [(fault.rule, fault.path) for fault in found.faults] == [("git-object", "members/")]


READ_A_BOMB = """
import json, pathlib, re, sys, time
from medperf_git.registry.objects import Store
from medperf_git.registry.trees import compare_trees
store, before = Store.open(pathlib.Path(sys.argv[1])), time.perf_counter()
found = compare_trees(store, None, after=bytes.fromhex(sys.argv[2]))
seconds = time.perf_counter() - before
rules = sorted({fault.rule for fault in found.faults})
status = pathlib.Path("/proc/self/status")  # its peak is this program's alone; that of getrusage is inherited
peak = re.search(r"VmHWM:\\s*(\\d+)", status.read_text()) if status.exists() else None
print(json.dumps([rules, seconds, int(peak[1]) if peak else 0]))
"""


def test_t35_a_tree_bomb_is_refused_at_once(store: Store) -> None:
    level = blob(store)
    mode = FILE
    for _ in range(10):
        level = raw_tree(store, *((mode, b"f%d" % number, level) for number in range(10)))
        mode = FOLDER
    words = [sys.executable, "-c", READ_A_BOMB, str(store.path), level.hex()]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    rules, seconds, kibibytes = json.loads(done.stdout)
    assert rules == ["too-large"]
    assert seconds < 1
    assert kibibytes < 200 * 1024


def test_a_deep_chain_of_folders_is_refused(store: Store) -> None:
    level, mode = blob(store), FILE
    for _ in range(300):
        level, mode = raw_tree(store, (mode, b"d", level)), FOLDER
    assert {fault.rule for fault in compare_trees(store, None, after=level).faults} == {"too-large"}


def test_wide_folders_use_up_the_bytes(store: Store) -> None:
    wide = raw_tree(store, *((FILE, b"f%05d" % number, blob(store)) for number in range(3000)))
    top = raw_tree(store, *((FOLDER, b"d%02d" % number, wide) for number in range(50)))
    found = compare_trees(store, None, after=top, max_entries=10**6, max_bytes=500_000)
    assert {fault.rule for fault in found.faults} == {"too-large"}


def test_added_changed_and_removed_are_told_apart(store: Store) -> None:
    one, two = blob(store, b"1"), blob(store, b"2")
    same = raw_tree(store, (FILE, b"x", one))
    before = raw_tree(store, (FILE, b"a", one), (FILE, b"b", one), (FOLDER, b"gone", same), (FOLDER, b"same", same))
    after = raw_tree(store, (FILE, b"a", two), (FOLDER, b"b", same), (FOLDER, b"new", same), (FOLDER, b"same", same))
    found = compare_trees(store, before, after=after)
    assert found.added == {"b/x": one, "new/x": one}
    assert found.changed == {"a": two}
    assert sorted(found.removed) == ["b", "gone/"]
    assert not found.faults


def test_only_differing_folders_are_read(store: Store) -> None:
    tree = store.commit(genesis(store)).tree
    mark = store.meter.mark()
    assert compare_trees(store, tree, after=tree).added == {}
    assert store.meter.since(mark).objects_read == 0


def test_ordinary_names_are_fine() -> None:
    for name in (b"0001.yaml", b"ana.brain-mri.1", b".github", b".gitlab-ci.yml", b"README.md", b"LICENSE"):
        assert not entry_fault(FILE, name)
