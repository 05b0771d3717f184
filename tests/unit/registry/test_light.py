"""What a light copy fetches, when, and how often it asks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from pygit2.enums import FileMode

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.bare import create_registry, open_copy
from medperf_git.registry.batches import bring_below
from medperf_git.registry.changes import MainLine, read_proposal
from medperf_git.registry.commits import set_ref
from medperf_git.registry.history import FirstParentLine, line_between
from medperf_git.registry.light import LightSupply
from medperf_git.registry.objects import BadObject, Below, Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.sync import Pin, sync, write_pin
from medperf_git.registry.transport import (
    ALL_HISTORY,
    COMMITS_ALONE,
    MAIN,
    MAIN_REFSPEC,
    NO_ACCESS,
    PROPOSALS_REFSPEC,
    UPSTREAM_MAIN,
    fetch,
    fetch_objects,
    fetch_older,
    light_depth,
    mark_light,
)

from .hand import FILE, FOLDER, START, add, believing_git, blob, genesis, merge, raw_commit, raw_tree

NO_HOOK = "#!/bin/sh\nexit 0\n"
SUBMIT = "refs/heads/submit/" + "a" * 32


@pytest.fixture
def registry(tmp_path: Path) -> Store:
    return create_registry(tmp_path / "registry.git", pre_receive=NO_HOOK)


@pytest.fixture
def light(registry: Store, tmp_path: Path) -> Callable[..., tuple[Store, LightSupply]]:
    """Return what makes a light copy of the registry as it is then."""

    def make(depth: int = 2) -> tuple[Store, LightSupply]:
        store = open_copy(tmp_path / "light.git")
        mark_light(store.path, depth)
        remote = Remote.at_path(registry.path)
        supply = LightSupply(store, remote, lambda: NO_ACCESS)
        store.supply = supply
        fetch(store.path, remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC])
        return store, supply

    return make


def grown(store: Store, steps: Sequence[Mapping[str, bytes]], *, merged: bool = False) -> list[str]:
    """Put a history of these steps on main, each by a proposal of its own where `merged`; return its commits."""
    line = [genesis(store)]
    for number, files in enumerate(steps, start=1):
        head = add(store, line[-1], files, minutes=2 * number)
        line.append(merge(store, line[-1], head, files, minutes=2 * number + 1) if merged else head)
    set_ref(store, MAIN, line[-1])
    return line


def numbered(count: int) -> list[dict[str, bytes]]:
    return [{f"cubes/moa/model-{number}/1.yaml": b"%d\n" % number} for number in range(count)]


def test_commits_alone_are_fetched_and_contents_when_they_are_read(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, numbered(4))
    store, supply = light()
    assert [store.has_commit(one) for one in line] == [False, False, False, True, True]
    assert not store.has(store.commit(line[-1]).tree)
    assert Snapshot.at(store, line[-1]).blob("cubes/moa/model-2/1.yaml") == b"2\n"
    assert Snapshot.at(store, line[-1]).blob("cubes/moa/model-9/1.yaml") is None
    asked = supply.questions
    assert Snapshot.at(store, line[-1]).blob("cubes/moa/model-2/1.yaml") == b"2\n"
    assert supply.questions == asked


def test_who_reads_everything_asks_seldom(registry: Store, light: Callable[..., tuple[Store, LightSupply]]) -> None:
    files = {
        f"results/a/b/1/d{one}/m{other}/0001.yaml": b"%d %d\n" % (one, other) for one in range(9) for other in range(9)
    }
    line = grown(registry, [files])
    store, supply = light()
    view = Snapshot.at(store, line[-1])
    assert {path: view.blob(path) for path in files} == files
    assert supply.questions < 40
    assert supply.size < sum(pack.stat().st_size for pack in registry.path.rglob("*")) + 20_000


def test_following_main_asks_as_often_for_many_steps_as_for_few(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]], tmp_path: Path
) -> None:
    first = grown(registry, numbered(2))
    store, supply = light()
    pin = tmp_path / "pin.json"
    write_pin(pin, Pin("mg1:" + "0" * 64, first[-1], 0, trusted=first[-1]))
    line = [first[-1]]
    for number in range(60):
        files = {f"datasets/north/d{number}/1.yaml": b"%d\n" % number}
        head = add(registry, line[-1], files, minutes=10 + 2 * number)
        line.append(merge(registry, line[-1], head, files, minutes=11 + 2 * number))
    set_ref(registry, MAIN, line[-1])
    fetch(store.path, Remote.at_path(registry.path), [MAIN_REFSPEC, PROPOSALS_REFSPEC])
    report = sync(store, line[-1], pin_file=pin, judge=believing_git)
    assert report.pin == Pin("mg1:" + "0" * 64, line[-1], 60, trusted=first[-1])
    assert supply.questions < 16


def test_older_history_is_fetched_as_far_as_it_is_asked_for(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, numbered(40), merged=True)
    store, _ = light()
    aside = registry.commit(line[20]).parents[1]
    main = FirstParentLine(store, line[-1])
    assert line[30] in main
    assert not store.has_commit(line[2])
    assert light_depth(store.path) not in (2, ALL_HISTORY)
    assert aside not in main
    assert "ab" * 20 not in main
    assert "no commit" not in main
    assert not store.shallow
    assert light_depth(store.path) == ALL_HISTORY
    assert bytes(line_between(store, line[-1], None)).hex() == "".join(line)
    fetch(store.path, Remote.at_path(registry.path), [MAIN_REFSPEC])
    assert not store.shallow


def test_an_earlier_step_is_found_wherever_history_was_left_out(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, numbered(20))
    store, _ = light()
    earlier = Snapshot.at(store, line[-1]).earlier(line[3])
    assert earlier is not None
    assert earlier.blob("cubes/moa/model-2/1.yaml") == b"2\n"
    assert earlier.blob("cubes/moa/model-3/1.yaml") is None
    assert Snapshot.at(store, line[-1]).earlier("cd" * 20) is None


def test_how_long_a_file_stood_is_asked_for_all_steps_at_once(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, numbered(30))
    store, supply = light(64)
    path = "cubes/moa/model-5/1.yaml"
    assert MainLine(store, line[-1]).held_since(line[6], path)
    assert supply.questions < 8
    assert not MainLine(store, line[-1]).held_since(line[5], path)


def test_a_proposal_with_main_merged_into_it_is_read_as_from_a_whole_copy(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, numbered(20))
    old = add(registry, line[2], {"cubes/moa/mine/1.yaml": b"mine\n"}, minutes=5)
    both = merge(registry, old, line[15], dict(numbered(15)[14]), minutes=70)
    tree = registry.commit(merge(registry, line[15], old, {"cubes/moa/mine/1.yaml": b"mine\n"}, minutes=71)).tree
    head = raw_commit(registry, tree, (old, line[15]), time=int(START.timestamp()) + 4300)
    assert both != head
    set_ref(registry, SUBMIT, head)
    store, _ = light()
    here, there = (read_proposal(one, line[-1], head, at=START) for one in (store, registry))
    assert (here.fork, here.files, here.change.faults) == (there.fork, there.files, there.change.faults)
    assert here.fork == line[15]
    assert here.files == {"cubes/moa/mine/1.yaml": b"mine\n"}


class Silent:
    """A supply that answers, and brings nothing."""

    def __init__(self) -> None:
        self.asked = 0

    def bring(self, ids: Sequence[bytes], below: Below = Below.NOTHING) -> None:
        self.asked += len(ids)

    def bring_older(self) -> bool:
        self.asked += 1
        return False

    def bring_history(self) -> None:
        self.asked += 1


def test_what_does_not_come_is_asked_for_once(registry: Store, light: Callable[..., tuple[Store, LightSupply]]) -> None:
    line = grown(registry, numbered(4))
    store, _ = light()
    silent = Silent()
    store.supply = silent
    with pytest.raises(EnvironmentProblem) as caught:
        store.tree(store.commit(line[-1]).tree)
    assert (silent.asked, "sync --full" in caught.value.hint) == (1, True)
    with pytest.raises(EnvironmentProblem):
        store.commit(line[0])
    assert silent.asked == 2


def test_t35_a_folder_that_lies_in_ten_to_the_twelve_places_is_looked_into_once(store: Store) -> None:
    repository = store.repository
    blob, tree = repository.create_blob(b"x"), None
    for _ in range(12):
        builder = repository.TreeBuilder()
        for number in range(10):
            mode, oid = (FileMode.TREE, tree) if tree else (FileMode.BLOB, blob)
            builder.insert(f"f{number}", oid, mode)
        tree = builder.write()
    assert tree is not None
    store.supply = Silent()
    bring_below(store, [tree.raw], Below.ALL)
    assert (store.meter.trees_read, store.supply.asked) == (12, 0)


def test_what_is_too_large_is_refused_when_it_has_come(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    line = grown(registry, [{"cubes/moa/big/1.yaml": b"x" * 70_000}])
    store, _ = light()
    assert Snapshot.at(store, line[-1]).blob("cubes/moa/big/1.yaml") is None
    with pytest.raises(BadObject, match="70000 bytes where 65536 are allowed"):
        store.blob(Snapshot.at(store, line[-1]).blob_id("cubes/moa/big/1.yaml") or b"", limit=65_536)


def test_a_hostile_folder_does_not_arrive(registry: Store, light: Callable[..., tuple[Store, LightSupply]]) -> None:
    bad = raw_tree(registry, (FOLDER, b".GIT", raw_tree(registry, (FILE, b"config", blob(registry)))))
    root = raw_tree(registry, (FOLDER, b"cubes", bad))
    commit = raw_commit(registry, root)
    set_ref(registry, MAIN, commit)
    store, _ = light()
    with pytest.raises(EnvironmentProblem, match="could not be fetched"):
        store.tree(bad)
    assert not store.has(bad)


def test_an_object_that_the_host_does_not_have_is_its_fault_and_said(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    grown(registry, numbered(1))
    store, _ = light()
    with pytest.raises(EnvironmentProblem, match="this light copy lacks 1 objects, which could not be fetched"):
        store.tree(bytes.fromhex("ab" * 20))


@pytest.mark.parametrize(
    ("what", "kind"), [("--upload-pack=x", COMMITS_ALONE), ("ab" * 20, "sparse:oid=main"), ("ab", "")]
)
def test_t36_an_id_or_filter_that_could_be_an_option_is_refused(store: Store, what: str, kind: str) -> None:
    remote = Remote.at_path(store.path)
    with pytest.raises(UsageProblem):
        fetch_objects(store.path, remote, [what], kind)
    with pytest.raises(UsageProblem):
        fetch_older(store.path, remote, "--upload-pack=x", 1)


def test_the_mark_of_a_light_copy_is_read_whatever_stands_in_it(store: Store) -> None:
    assert light_depth(store.path) is None
    mark_light(store.path, 7)
    assert light_depth(store.path) == 7
    (store.path / "light").write_text("many\n")
    assert light_depth(store.path) == 256
    (store.path / "light").unlink()
    (store.path / "light").mkdir()
    with pytest.raises(EnvironmentProblem, match="cannot read"):
        light_depth(store.path)


def test_nothing_of_a_promise_is_written_into_the_copy(
    registry: Store, light: Callable[..., tuple[Store, LightSupply]]
) -> None:
    grown(registry, numbered(3))
    store, _ = light()
    assert "promisor" not in (store.path / "config").read_text(encoding="utf-8")
    assert store.ref(UPSTREAM_MAIN) == registry.ref(MAIN)
