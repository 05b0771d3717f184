"""Whatever is put onto main, and whenever a reader looks, all readers agree, and nothing forged ever counts.

Histories of valid, invalid, healing and junk steps are made at random. For every length of every history a reader who
looked after each step, one who looks for the first time, and the host's own hook must come to the same.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.folds import registry_state
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, set_ref, write_commit, write_root
from medperf_git.registry.quarantine import quarantinable, standing_behind
from medperf_git.registry.receive import MAIN, Main
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.steps import judge_proposal
from medperf_git.registry.sync import audit, sync
from tests.support import registry_builder as rb
from tests.support.registry_builder import House
from tests.support.story import files_of

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW = START + timedelta(days=1)
HISTORIES, LENGTH = 80, 7


class Line:
    """A main that grows step by step, by whoever can write to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.store = open_copy(folder)
        self.random = random.Random(seed)
        self.count = 0
        founding = rb.genesis(*rb.genesis_records()).files
        self.steps = [write_root(self.store, founding, message="Begin\n", author=self.author())]
        self.id = House(dict(founding)).id
        self.put(self.signed(rb.member("moa"), "ana", "moa", "moa:recovery"))

    @property
    def tip(self) -> str:
        return self.steps[-1]

    def author(self) -> Author:
        self.count += 1
        return Author("somebody", "somebody@example.invalid", START + timedelta(seconds=self.count))

    def put(self, files: dict[str, bytes]) -> None:
        self.steps.append(write_commit(self.store, self.tip, files, message="Step\n", author=self.author()))

    def signed(self, record: models.Record, *who: str) -> dict[str, bytes]:
        """Return a record with its number in the tree as it is, and signatures by keys of the beginning."""
        view = Snapshot.at(self.store, self.tip)
        house = House({**files_of(view)})
        path = ""
        if isinstance(record, models.Quarantine):
            taken = [int(name[:4]) for name in view.names(layout.QUARANTINE) if name[:4].isdigit()]
            path = layout.numbered(layout.QUARANTINE, max(taken, default=0) + 1)
        proposal = house.propose().add(record, path=path)
        return dict(proposal.sign(*who, head=self.steps[0], registry=self.id).files)

    # --- what may happen to main

    def valid(self) -> None:
        self.put(self.signed(rb.cube(Ref("moa", f"good{self.count}", 1)), "moa"))

    def forged_cube(self) -> None:
        record = rb.cube(Ref("moa", f"bad{self.count}", 1))
        self.put({layout.cube_path(record.ref): write_record(record)})

    def forged_trust(self) -> None:
        registry = registry_state(Snapshot.at(self.store, self.steps[0]))
        assert registry is not None
        mine = replace(registry, genesis=None, maintainers=(MemberName("mal"),), threshold=1)
        mallory = rb.member("mal")
        self.put(
            {
                layout.registry_path(2 + self.count): write_record(replace(mine, previous=rb.IMAGE)),
                layout.member_path("mal", 1): write_record(mallory),
            }
        )

    def forged_quarantine(self) -> None:
        record = models.Quarantine(
            created=rb.CREATED, commit=self.tip, paths=(layout.registry_path(1), "x"), reason="forged"
        )
        self.put({layout.numbered(layout.QUARANTINE, 1 + self.count): write_record(record)})

    def edited(self) -> None:
        path = layout.member_path("moa", 1)
        data = Snapshot.at(self.store, self.steps[1]).blob(path)
        assert data is not None
        self.put({path: data.replace(b"Moa Institute", b"Moa's place")})

    def restored(self) -> None:
        """Put the tree of the last valid step back, or that of some other one."""
        broken = audit(self.store, self.tip, now=NOW)
        good = broken.pin.commit if broken.pin and self.random.random() < 0.7 else self.random.choice(self.steps)
        self.steps.append(tree_again(self.store, good, self.tip, self.author()))

    def quarantined(self) -> None:
        self._quarantine()

    def quarantined_with_junk(self) -> None:
        self._quarantine(junk={"junk.txt": b"junk\n"})

    def quarantined_by_one(self) -> None:
        self._quarantine(who=("ana",))

    def _quarantine(self, junk: dict[str, bytes] | None = None, who: tuple[str, ...] = ("ana", "ben")) -> None:
        stopped = audit(self.store, self.tip, now=NOW).stopped
        commit = stopped.commit if stopped else self.random.choice(self.steps[1:])
        paths = quarantinable(self.store, commit) or frozenset({"cubes/moa/x/1.yaml"})
        record = models.Quarantine(created=rb.CREATED, commit=commit, paths=tuple(sorted(paths)), reason="forged")
        self.put({**self.signed(record, *who), **(junk or {})})


def tree_again(store: object, of: str, parent: str, author: Author) -> str:
    """Return a commit on `parent` with the whole tree of an earlier one."""
    import pygit2  # noqa: PLC0415  (only here)

    repository = store.repository  # type: ignore[attr-defined]  # a Store
    tree, who = repository[of].tree_id, author.signature()
    return str(repository.create_commit(None, who, who, "Back\n", tree, [pygit2.Oid(hex=parent)]))


MOVES: tuple[Callable[[Line], None], ...] = (
    Line.valid,
    Line.valid,
    Line.forged_cube,
    Line.forged_cube,
    Line.forged_trust,
    Line.forged_quarantine,
    Line.edited,
    Line.restored,
    Line.restored,
    Line.quarantined,
    Line.quarantined,
    Line.quarantined_with_junk,
    Line.quarantined_by_one,
)


def looks_sound(line: Line, commit: str) -> None:
    """Assert that nothing forged counts at a commit that a reader believes."""
    view = Snapshot.at(line.store, commit)
    registry = registry_state(view)
    assert registry is not None
    assert registry.maintainers == tuple(rb.MAINTAINERS)
    assert view.blob(layout.member_path("mal", 1)) is None
    moa = view.blob(layout.member_path("moa", 1))
    assert moa is None or b"Moa Institute" in moa
    assert not [path for path in files_of(view) if "/bad" in path]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_t69_all_readers_agree_at_every_length_of_every_history(tmp_path: Path, seed: int) -> None:
    line = Line(tmp_path / "line.git", seed)
    pin_file, hook_file = tmp_path / "pin.json", tmp_path / "hook.json"
    stopped_at_least_once = False
    for _ in range(LENGTH):
        line.random.choice(MOVES)(line)
        fresh = audit(line.store, line.tip, now=NOW)
        step_by_step = sync(line.store, line.tip, pin_file=pin_file, now=NOW)
        assert (fresh.pin, bool(fresh.stopped)) == (step_by_step.pin, bool(step_by_step.stopped))
        if fresh.stopped and step_by_step.stopped:
            assert fresh.stopped.commit == step_by_step.stopped.commit
        assert fresh.pin is not None
        looks_sound(line, fresh.pin.commit)
        set_ref(line.store, MAIN, line.tip)
        host = Main.of(line.store, pin_file=hook_file, at=NOW, judge=rb.judge)
        assert (host.valid, host.broken) == (fresh.pin.commit, fresh.stopped is not None)
        stopped_at_least_once |= fresh.stopped is not None
    assert line.count > LENGTH


def test_t69_what_check_passes_heals_and_what_heals_check_passes(tmp_path: Path) -> None:
    line = Line(tmp_path / "line.git", 0)
    line.valid()
    line.forged_cube()
    line.valid()
    stopped = audit(line.store, line.tip, now=NOW).stopped
    assert stopped is not None
    standing = standing_behind(line.store, line.tip, broken=stopped.commit)
    line.quarantined()
    judged = judge_proposal(line.store, line.steps[-2], line.tip, at=NOW, standing=standing)
    assert judged.outcome is Outcome.PASS, judged.findings
    healed = audit(line.store, line.tip, now=NOW)
    assert healed.stopped is None
    assert healed.set_aside == (stopped.commit,)
    line.valid()
    assert audit(line.store, line.tip, now=NOW).stopped is None


@pytest.mark.parametrize("bad", [Line.forged_trust, Line.forged_quarantine, Line.edited])
def test_t69_what_touches_trust_is_restored_and_never_set_aside(tmp_path: Path, bad: Callable[[Line], None]) -> None:
    line = Line(tmp_path / "line.git", 0)
    line.valid()
    good = line.tip
    bad(line)
    line.quarantined()
    assert audit(line.store, line.tip, now=NOW).stopped is not None
    line.steps.append(tree_again(line.store, good, line.tip, line.author()))
    healed = audit(line.store, line.tip, now=NOW)
    assert healed.stopped is None
    assert healed.pin is not None
    assert healed.pin.commit == line.tip
    looks_sound(line, line.tip)
