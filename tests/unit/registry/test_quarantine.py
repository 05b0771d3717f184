"""What makes an invalid step harmless, and by whose word: real records in real commits, the real judge."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from medperf_git.registry import quarantine
from medperf_git.registry.objects import Store
from medperf_git.registry.quarantine import Healing, find_healing, quarantinable, standing_behind
from medperf_git.registry.standing import SOUND, Standing
from medperf_git.registry.steps import judge_proposal
from medperf_git.registry.sync import audit
from tests.support import registry_builder as rb

from .hand import FOLDER, START, add, blob, genesis, raw_commit, raw_tree

CUBE = Ref("ana", "tree", 1)
PATH = layout.cube_path(CUBE)
FORGED = {PATH: write_record(rb.cube(CUBE))}
SET_ASIDE = layout.numbered(layout.QUARANTINE, 1)
BUNDLE = PATH + ".0123456789abcdef.sigstore.json"


@pytest.fixture
def root(store: Store) -> str:
    return genesis(store, rb.founded().files)


@pytest.fixture
def forged(store: Store, root: str) -> str:
    return add(store, root, FORGED)


def setting_aside(commit: str, *paths: str, head: str, by: tuple[str, ...] = ("ana", "ben")) -> dict[str, bytes]:
    """Return a quarantine record with its signatures."""
    record = models.Quarantine(created=rb.CREATED, commit=commit, paths=tuple(sorted(paths)), reason="forged")
    return dict(rb.founded().propose(record).sign(*by, head=head).files)


def joining(root: str, *signers: str) -> dict[str, bytes]:
    """Return a new member with these signatures."""
    return dict(rb.founded().propose(rb.member("zoe")).sign(*signers, head=root).files)


def valid_member(root: str) -> dict[str, bytes]:
    return joining(root, "ana", "zoe", "zoe:recovery")


def healing(store: Store, forged: str, *steps: str, root: str) -> Healing | None:
    return find_healing(store, forged, steps, valid=root, now=None)


def after(store: Store, parent: str, *files: Mapping[str, bytes]) -> list[str]:
    """Return one step for each of these sets of files, one after another."""
    steps: list[str] = []
    for number, one in enumerate(files):
        steps.append(add(store, steps[-1] if steps else parent, one, minutes=number + 2))
    return steps


def test_the_threshold_of_maintainers_sets_a_forged_step_aside(store: Store, root: str, forged: str) -> None:
    (step,) = after(store, forged, setting_aside(forged, PATH, head=root))
    assert healing(store, forged, step, root=root) == Healing(step, 0)
    assert audit(store, forged).stopped is not None
    report = audit(store, step)
    assert (report.stopped, report.set_aside) == (None, (forged,))


@pytest.mark.parametrize("by", [("ana",), ("zoe",), ()])
def test_fewer_set_nothing_aside(store: Store, root: str, forged: str, by: tuple[str, ...]) -> None:
    (step,) = after(store, forged, setting_aside(forged, PATH, head=root, by=by))
    assert healing(store, forged, step, root=root) is None


def test_a_step_about_something_else_sets_nothing_aside(store: Store, root: str, forged: str) -> None:
    unreadable = {SET_ASIDE: b"kind: quarantine\n"}
    other = setting_aside(root, PATH, head=root)
    more = setting_aside(forged, PATH, "cubes/ana/tree/2.yaml", head=root)
    for files in (unreadable, other, more, valid_member(root), {"README.md": b"x"}):
        assert healing(store, forged, *after(store, forged, files), root=root) is None


def test_an_unreadable_record_does_not_hide_a_good_one(store: Store, root: str, forged: str) -> None:
    good = setting_aside(forged, PATH, head=root)
    assert [
        record.commit for _, record in quarantine.quarantines_in(good | {"registry/quarantine/0000.yaml": b"x"})
    ] == [forged]
    assert list(quarantine.quarantines_in({PATH: good[SET_ASIDE]})) == []


def test_what_lies_between_is_valid_without_the_forged_step(store: Store, root: str, forged: str) -> None:
    aside = setting_aside(forged, PATH, head=root)
    steps = after(store, forged, valid_member(root), aside)
    assert healing(store, forged, *steps, root=root) == Healing(steps[1], 1)
    steps = after(store, forged, joining(root), aside)
    assert healing(store, forged, *steps, root=root) is None


def restoring(store: Store, commit: str, parent: str, *, minutes: int) -> str:
    return raw_commit(store, store.commit(commit).tree, (parent,), time=int(START.timestamp()) + 60 * minutes)


def test_exact_bytes_restored_heal_unless_time_ran_back(store: Store, root: str, forged: str) -> None:
    for minutes, heals in ((5, True), (0, True), (-1, False)):
        step = restoring(store, root, forged, minutes=minutes)
        assert healing(store, forged, step, root=root) == (Healing(step, 0) if heals else None)


def test_nothing_from_the_future_heals(store: Store, root: str, forged: str) -> None:
    step = restoring(store, root, forged, minutes=30)
    assert find_healing(store, forged, [step], valid=root, now=START) is None
    assert find_healing(store, forged, [step], valid=root, now=START + timedelta(minutes=30)) == Healing(step, 0)


def test_a_malformed_step_heals_nothing(store: Store, root: str, forged: str) -> None:
    bad = raw_commit(store, raw_tree(store), (forged,), time=999_999_999_999)
    assert healing(store, forged, bad, restoring(store, root, bad, minutes=5), root=root) is None


MANY = {f"cubes/ana/tree/{number}.yaml": b"x" for number in range(1, 502)}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({PATH: b"x"}, True),
        ({PATH: b"x", BUNDLE: b"x"}, True),
        ({BUNDLE: b"x"}, False),
        ({PATH: b"x", "README.md": b"x"}, False),
        ({"notes.txt": b"x"}, False),
        ({layout.member_path("zoe", 1): b"x"}, False),
        ({"registry/0002.yaml": b"x"}, False),
        ({layout.member_path("ana", 1): b"changed\n"}, False),
        (dict(list(MANY.items())[:500]), True),
        (MANY, False),
    ],
)
def test_only_records_that_nobodys_trust_hangs_on_can_be_set_aside(
    store: Store, root: str, files: dict[str, bytes], found: bool
) -> None:
    assert quarantinable(store, add(store, root, files)) == (frozenset(files) if found else None)


def test_the_first_step_an_empty_one_and_a_malformed_one_cannot_be_set_aside(store: Store, root: str) -> None:
    empty = raw_commit(store, store.commit(root).tree, (root,))
    bad = raw_commit(store, raw_tree(store), (root,), time=999_999_999_999)
    assert [quarantinable(store, commit) for commit in (root, empty, bad)] == [None, None, None]


def test_main_stands_behind_a_forged_step_while_all_else_is_valid(store: Store, root: str, forged: str) -> None:
    waiting = Standing(frozenset({PATH}), {forged: frozenset({PATH})})
    assert standing_behind(store, forged, broken=forged) == waiting
    (good,) = after(store, forged, valid_member(root))
    assert standing_behind(store, good, broken=forged) == waiting
    (bad,) = after(store, forged, joining(root))
    assert standing_behind(store, bad, broken=forged) == SOUND
    assert standing_behind(store, bad, broken=bad) == SOUND


Said = Callable[[Mapping[str, bytes], Standing], list[tuple[str, str]]]


@pytest.fixture
def said(store: Store, forged: str) -> Said:
    """What is said about quarantine in a proposal, and where."""

    def say(files: Mapping[str, bytes], standing: Standing) -> list[tuple[str, str]]:
        judged = judge_proposal(store, forged, add(store, forged, files, minutes=2), at=rb.AT, standing=standing)
        assert judged.outcome in (Outcome.PASS, Outcome.FAIL)
        return [(one.pointer, one.message) for one in judged.findings if one.rule == "quarantine"]

    return say


def test_a_quarantine_record_names_what_waits_for_one_and_all_of_it(said: Said, root: str, forged: str) -> None:
    waiting = Standing(frozenset({PATH}), {forged: frozenset({PATH})})
    nothing_waits = [("/commit", "no step of main waits to be set aside under this id")]
    assert said(setting_aside(forged, PATH, head=root), waiting) == []
    assert said(setting_aside(forged, PATH, head=root), SOUND) == nothing_waits
    assert said(setting_aside(root, PATH, head=root), waiting) == nothing_waits
    for paths in ((PATH, "cubes/ana/tree/2.yaml"), ("cubes/ana/tree/2.yaml",)):
        wrong = said(setting_aside(forged, *paths, head=root), waiting)
        assert wrong == [("/paths", "these are not the paths that the step added")]


def test_an_unreadable_quarantine_record_is_refused_as_such(store: Store, forged: str) -> None:
    head = add(store, forged, {SET_ASIDE: b"kind: quarantine\n"}, minutes=2)
    assert {one.rule for one in judge_proposal(store, forged, head, at=rb.AT).findings} == {"spec"}


def test_a_folder_where_a_record_should_be_is_no_crash(store: Store, root: str, forged: str) -> None:
    tree = raw_tree(store, (FOLDER, b"x", raw_tree(store, (b"120000", b"y", blob(store)))))
    assert healing(store, forged, raw_commit(store, tree, (forged,)), root=root) is None
