"""Real pushes through a real hook, whose judge believes Git alone."""

import os
import sys
from pathlib import Path

import pytest

import medperf_git
from medperf_git.registry.bare import create_registry
from medperf_git.registry.commits import proposal_ref, submission_id
from medperf_git.registry.objects import Store
from medperf_git.registry.receive import RefUpdate, judge_push, open_received, parse_updates
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import MAIN, Push, PushOutcome, PushResult, push

from .hand import FILE, FOLDER, START, add, believing_git, blob, genesis, git, merge, raw_commit, raw_tree

HOOK = """#!{python}
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from registry.hand import START, believing_git
from medperf_git.registry.receive import judge_push, open_received, parse_updates
store = open_received(os.environ, Path.cwd())
assert not [name for name in os.environ if name.startswith("GIT_")]
verdicts = judge_push(store, parse_updates(sys.stdin.read()), at=START, judge=believing_git)
for verdict in verdicts:
    for finding in verdict.findings:
        print(finding.rule, finding.path, finding.message)
sys.exit(0 if all(verdict.accepted for verdict in verdicts) else 1)
"""
FILES = {"cubes/ana/model/1.yaml": b"cube\n"}
WAITING = {"cubes/ana/model/wait.yaml": b"cube\n"}


@pytest.fixture
def registry(tmp_path: Path) -> Store:
    path = [str(Path(medperf_git.__file__).parent.parent), str(Path(__file__).parent.parent)]
    return create_registry(tmp_path / "registry.git", pre_receive=HOOK.format(python=sys.executable, path=path))


@pytest.fixture
def root(store: Store, registry: Store) -> str:
    root = genesis(store)
    assert send(store, registry, MAIN, root).outcome is PushOutcome.ACCEPTED
    return root


def send(store: Store, registry: Store, ref: str, commit: str | None) -> PushResult:
    return push(store.path, Remote.at_path(registry.path), [Push(ref, commit)])[0]


def ref_of(files: dict[str, bytes]) -> str:
    return proposal_ref(submission_id(files))


def refused_for(result: PushResult, rule: str) -> bool:
    return result.outcome is PushOutcome.REFUSED and any(line.startswith(rule + " ") for line in result.messages)


def test_main_begins_with_a_genesis(registry: Store, root: str) -> None:
    assert registry.ref(MAIN) == root


def test_main_does_not_begin_with_a_bad_genesis(store: Store, registry: Store) -> None:
    assert refused_for(send(store, registry, MAIN, genesis(store, {"bad.yaml": b"x"})), "bad")
    assert registry.ref(MAIN) is None


def test_nothing_is_proposed_before_there_is_a_main(store: Store, registry: Store) -> None:
    assert refused_for(send(store, registry, ref_of(FILES), add(store, genesis(store), FILES)), "ref")


@pytest.mark.parametrize("files", [FILES, WAITING])
def test_a_proposal_that_passes_or_waits_is_taken_from_quarantine(
    store: Store, registry: Store, root: str, files: dict[str, bytes]
) -> None:
    head = add(store, root, files)
    assert send(store, registry, ref_of(files), head).outcome is PushOutcome.ACCEPTED
    assert registry.ref(ref_of(files)) == head


def test_a_proposal_that_fails_is_refused_with_its_reason(store: Store, registry: Store, root: str) -> None:
    files = {"cubes/ana/model/bad.yaml": b"x"}
    result = send(store, registry, ref_of(files), add(store, root, files))
    assert refused_for(result, "bad")
    assert result.messages == ("bad  this is bad",)


def test_a_proposal_is_named_after_its_files(store: Store, registry: Store, root: str) -> None:
    assert refused_for(send(store, registry, ref_of(WAITING), add(store, root, FILES)), "proposal-id")


def test_a_bundle_is_added_by_moving_forward(store: Store, registry: Store, root: str) -> None:
    head = add(store, root, FILES)
    send(store, registry, ref_of(FILES), head)
    signed = add(store, head, {"cubes/ana/model/1.yaml.0123456789abcdef.sigstore.json": b"{}"}, minutes=3)
    assert send(store, registry, ref_of(FILES), signed).outcome is PushOutcome.ACCEPTED


def test_a_proposal_is_never_replaced(store: Store, registry: Store, root: str) -> None:
    send(store, registry, ref_of(FILES), add(store, root, FILES))
    other = add(store, root, FILES, minutes=7)
    with pytest.raises(Exception, match="non-zero"):
        git(store.path, "push", "--force", str(registry.path), f"{other}:{ref_of(FILES)}")


@pytest.mark.parametrize(
    "ref", ["refs/heads/other", "refs/tags/v1", "refs/heads/submit/xyz", "refs/heads/submit/" + "A" * 32, "refs/x/y"]
)
def test_every_other_ref_is_refused(store: Store, registry: Store, root: str, ref: str) -> None:
    assert refused_for(send(store, registry, ref, root), "ref")


def test_main_moves_by_a_passing_merge(store: Store, registry: Store, root: str) -> None:
    head = add(store, root, FILES)
    merged = merge(store, root, head, FILES)
    assert send(store, registry, MAIN, merged).outcome is PushOutcome.ACCEPTED


def test_main_does_not_take_what_waits(store: Store, registry: Store, root: str) -> None:
    merged = merge(store, root, add(store, root, WAITING), WAITING)
    assert refused_for(send(store, registry, MAIN, merged), "main-only-passes")


def test_main_judges_each_step(store: Store, registry: Store, root: str) -> None:
    bad = add(store, root, {"bad.yaml": b"x"})
    assert refused_for(send(store, registry, MAIN, add(store, bad, FILES, minutes=2)), "bad")
    good = add(store, root, {"good.yaml": b"x"})
    assert send(store, registry, MAIN, add(store, good, FILES, minutes=2)).outcome is PushOutcome.ACCEPTED


def test_main_never_goes_back_or_away(store: Store, registry: Store, root: str) -> None:
    later = add(store, root, FILES)
    send(store, registry, MAIN, later)
    for command in (["--force"], ["--delete"]):
        target = MAIN if command == ["--delete"] else f"{root}:{MAIN}"
        with pytest.raises(Exception, match="non-zero"):
            git(store.path, "push", *command, str(registry.path), target)
    assert registry.ref(MAIN) == later


def test_main_takes_no_step_from_the_future(store: Store, registry: Store, root: str) -> None:
    assert refused_for(send(store, registry, MAIN, add(store, root, FILES, minutes=60)), "step-time")


def test_only_a_merged_proposal_may_be_deleted(store: Store, registry: Store, root: str) -> None:
    head = add(store, root, FILES)
    ref = ref_of(FILES)
    send(store, registry, ref, head)
    assert refused_for(send(store, registry, ref, None), "ref")
    send(store, registry, MAIN, merge(store, root, head, FILES))
    assert send(store, registry, ref, None).outcome is PushOutcome.ACCEPTED
    assert registry.ref(ref) is None


def test_a_squashed_proposal_may_be_deleted(store: Store, registry: Store, root: str) -> None:
    send(store, registry, ref_of(FILES), add(store, root, FILES))
    send(store, registry, MAIN, add(store, root, FILES, minutes=5))
    assert send(store, registry, ref_of(FILES), None).outcome is PushOutcome.ACCEPTED


def test_a_ref_to_something_else_than_a_commit_is_refused(store: Store, root: str) -> None:
    thing = blob(store).hex()
    store.repository.references.create(MAIN, root)
    for ref in (MAIN, "refs/heads/submit/" + "a" * 32):
        update = RefUpdate(root if ref == MAIN else "0" * 40, thing, ref)
        assert not judge_push(store, [update], at=START, judge=believing_git)[0].accepted


def test_a_hostile_tree_is_a_finding(store: Store) -> None:
    root = genesis(store)
    store.repository.references.create(MAIN, root)
    tree = raw_tree(
        store, (b"120000", b"cubes", blob(store)), (FOLDER, b"x", raw_tree(store, (FILE, b"y", blob(store))))
    )
    update = RefUpdate("0" * 40, raw_commit(store, tree, (root,)), "refs/heads/submit/" + "a" * 32)
    verdict = judge_push(store, [update], at=START, judge=believing_git)[0]
    assert not verdict.accepted
    assert {"git-object", "append-only", "proposal-id"} == {finding.rule for finding in verdict.findings}


def test_lines_of_the_hook_are_read() -> None:
    old, new = "0" * 40, "1" * 40
    assert parse_updates(f"{old} {new} {MAIN}\n") == (RefUpdate(old, new, MAIN),)
    for line in ("junk", f"{old} {new}", f"{old} xyz {MAIN}"):
        with pytest.raises(ValueError, match="pre-receive"):
            parse_updates(line)


def test_the_environment_is_cleared_after_reading(store: Store) -> None:
    environment = dict(os.environ) | {"GIT_DIR": ".", "GIT_QUARANTINE_PATH": "x"}
    open_received(environment, store.path)
    assert not [name for name in environment if name.startswith("GIT_")]
