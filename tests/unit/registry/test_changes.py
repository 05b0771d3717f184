import pytest

from medperf_git.registry.changes import change_between, genesis_change, read_proposal
from medperf_git.registry.objects import Store
from medperf_git.registry.trees import MAX_ENTRIES

from .hand import FILE, FOLDER, GENESIS, START, add, blob, genesis, merge, raw_commit, raw_tree, rules

CUBE = {"cubes/ana/model/1.yaml": b"cube\n"}


def test_a_proposal_adds_what_main_has_not(store: Store) -> None:
    root = genesis(store)
    change = change_between(store, root, add(store, root, CUBE), at=START)
    assert dict(change.added) == CUBE
    assert change.faults == ()
    assert change.before.blob("cubes/ana/model/1.yaml") is None
    assert change.after.blob("cubes/ana/model/1.yaml") == b"cube\n"
    assert change.after.names("") == ("cubes/", "members/", "registry/")


def test_main_may_have_moved_on(store: Store) -> None:
    root = genesis(store)
    head = add(store, root, CUBE)
    main = root
    for number in range(5):
        side = add(store, main, {f"cubes/ana/other/{number}.yaml": b"o"})
        main = merge(store, main, side, {f"cubes/ana/other/{number}.yaml": b"o"})
    proposal = read_proposal(store, main, head, at=START)
    assert proposal.fork == root
    assert dict(proposal.change.added) == CUBE
    assert proposal.change.after.blob("cubes/ana/other/3.yaml") == b"o"


def test_a_proposal_that_merged_main_in_is_read_from_there(store: Store) -> None:
    root = genesis(store)
    first = add(store, root, CUBE)
    main = add(store, root, {"cubes/ana/other/1.yaml": b"o"})
    head = merge(store, first, main, {"cubes/ana/other/1.yaml": b"o"})
    main = add(store, main, {"cubes/ana/other/2.yaml": b"o"}, minutes=9)
    change = change_between(store, main, head, at=START)
    assert dict(change.added) == CUBE
    assert change.faults == ()


def test_a_file_already_there_with_the_same_bytes_is_fine(store: Store) -> None:
    root = genesis(store)
    head = add(store, root, CUBE)
    proposal = read_proposal(store, add(store, root, CUBE, minutes=5), head, at=START)
    assert proposal.change.faults == ()
    assert not proposal.change.added
    assert dict(proposal.files) == CUBE


def test_a_number_taken_by_somebody_else_is_told(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, {"cubes/ana/model/1.yaml": b"theirs\n"}, minutes=5)
    change = change_between(store, main, add(store, root, CUBE), at=START)
    assert [(fault.rule, fault.path) for fault in change.faults] == [("number-taken", "cubes/ana/model/1.yaml")]
    assert change.after.blob("cubes/ana/model/1.yaml") == b"theirs\n"


def test_a_changed_record_is_refused(store: Store) -> None:
    root = genesis(store)
    change = change_between(store, root, add(store, root, {"members/ana/0001.yaml": b"other\n"}), at=START)
    assert [(fault.rule, fault.path) for fault in change.faults] == [("append-only", "members/ana/0001.yaml")]
    assert not change.added


def test_a_removed_record_is_refused(store: Store) -> None:
    root = genesis(store)
    members = raw_tree(store, (FILE, b"0002.yaml", blob(store)))
    head = raw_commit(store, raw_tree(store, (FOLDER, b"members", members)), (root,))
    assert {fault.path for fault in change_between(store, root, head, at=START).faults} == {"members/ana/", "registry/"}


@pytest.mark.parametrize("path", ["README.md", "LICENSE", ".gitlab-ci.yml", ".github/workflows/ci.yml"])
def test_a_house_file_may_change(store: Store, path: str) -> None:
    root = genesis(store, GENESIS | {path: b"old\n"})
    change = change_between(store, root, add(store, root, {path: b"new\n"}), at=START)
    assert change.faults == ()
    assert dict(change.added) == {path: b"new\n"}
    assert change.after.blob(path) == b"new\n"


def test_a_house_file_may_not_vanish(store: Store) -> None:
    root = genesis(store, {"README.md": b"x", "LICENSE": b"y"})
    head = raw_commit(store, raw_tree(store, (FILE, b"LICENSE", blob(store, b"y"))), (root,))
    assert rules(change_between(store, root, head, at=START)) == {"append-only"}


def test_an_unrelated_history_is_refused(store: Store) -> None:
    other = genesis(store, {"registry/0001.yaml": b"other\n"})
    assert rules(change_between(store, genesis(store), other, at=START)) == {"history"}


def test_a_second_root_is_refused(store: Store) -> None:
    root = genesis(store)
    stranger = genesis(store, {"cubes/x/y/1.yaml": b"z"})
    head = merge(store, root, stranger, CUBE)
    main = add(store, root, {"a.yaml": b"a"})
    assert rules(change_between(store, main, head, at=START)) == {"history"}


def test_a_blob_bomb_is_refused_unread(store: Store) -> None:
    root = genesis(store)
    head = add(store, root, {"cubes/ana/model/1.yaml": b"0" * 5_000_000})
    mark = store.meter.mark()
    change = change_between(store, root, head, at=START)
    assert [(fault.rule, fault.path) for fault in change.faults] == [("too-large", "cubes/ana/model/1.yaml")]
    assert store.meter.since(mark).bytes_read < 10_000


def test_limits_differ_by_kind_of_file(store: Store) -> None:
    root = genesis(store)
    files = {
        "comparisons/a/b/1/d/m/0001.yaml": b"c" * 500_000,
        "cubes/ana/model/1.yaml.0123456789abcdef.sigstore.json": b"s" * 16_385,
    }
    change = change_between(store, root, add(store, root, files), at=START)
    assert [fault.path for fault in change.faults] == ["cubes/ana/model/1.yaml.0123456789abcdef.sigstore.json"]


def test_too_many_files_are_refused(store: Store) -> None:
    root = genesis(store)
    one = blob(store)
    wide = raw_tree(store, *((FILE, b"%05d" % number, one) for number in range(MAX_ENTRIES + 10)))
    head = raw_commit(store, raw_tree(store, (FOLDER, b"cubes", wide)), (root,))
    assert "too-large" in rules(change_between(store, root, head, at=START))


def test_a_signer_may_have_seen_any_earlier_main_and_no_other_commit(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, {"a.yaml": b"a"}, minutes=1)
    side = add(store, main, {"b.yaml": b"b"}, minutes=2)
    main2 = merge(store, main, side, {"b.yaml": b"b"}, minutes=3)
    change = change_between(store, main2, add(store, main2, CUBE, minutes=4), at=START)
    assert all(one in change.history for one in (root, main, main2))
    assert not any(one in change.history for one in (side, "0" * 40, "main", store.commit(root).tree.hex()))


def test_a_genesis_is_everything_in_its_tree(store: Store) -> None:
    change = genesis_change(store, genesis(store), at=START)
    assert dict(change.added) == GENESIS
    assert change.before.names("") == ()
    assert "0" * 40 not in change.history


def test_cost_does_not_follow_the_registry(store: Store) -> None:
    costs = []
    for size in (10, 400):
        many = {f"results/r{number:03d}/0001.yaml": b"r%d" % number for number in range(size)}
        root = genesis(store, GENESIS | many)
        head = add(store, root, CUBE)
        fresh = Store.open(store.path)  # which has read nothing yet
        change_between(fresh, root, head, at=START)
        costs.append(fresh.meter.objects_read)
    assert costs[0] == costs[1]
