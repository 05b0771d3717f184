"""Twenty proposals at once on one benchmark, merged by four processes: only who claimed the same number clashes."""

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.outbox import Outbox
from medperf_git.forge import port
from medperf_git.forge.plain import PlainGit
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from tests.support import registry_builder as rb
from tests.support.people import Town
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH, REFERENCE, SOUTH, House
from tests.support.story import EAST, RESULT, TREE, house_of, send

SEED = 20_261_127
MERGERS = ("ana", "dora", "emil", "moa")
PATIENCE = 20
ASKED_TWICE = layout.numbered(layout.association_folder(BENCHMARK, "dataset", SOUTH), 1)


@dataclass(frozen=True)
class Sent:
    """One open proposal: whose, its id, and its records by path."""

    by: str
    id: str
    records: Mapping[str, bytes]


def prioritise(house: House, by: str, subject: Ref, kind: str, priority: int) -> models.Association:
    return house.event("prioritise", by=by, side="committee", subject=subject, kind=kind, priority=priority)


def with_request(house: House, record: models.Cube | models.Dataset, kind: str) -> tuple[models.Record, ...]:
    digest = digest_of(write_record(record))
    return record, house.event("request", by=record.member, subject=record.ref, kind=kind, digest=digest)


def words(house: House) -> Iterator[tuple[str, tuple[models.Record, ...]]]:
    """Yield who proposes what: ten things of their own, and five on which two claim the same number."""
    for data, model in ((NORTH, TREE), (NORTH, REFERENCE), (EAST, MODEL), (EAST, TREE), (EAST, REFERENCE)):
        yield data.member, (house.result(data, model),)
    for name in ("bush", "vine"):
        yield "moa", with_request(house, rb.cube(Ref("moa", name, 1)), "cube")
    for member in ("north", "east"):
        yield member, with_request(house, house.dataset(Ref(member, "clinic", 1)), "dataset")
    yield "dora", (prioritise(house, "dora", EAST, "dataset", 2),)
    for subject, kind in ((MODEL, "cube"), (TREE, "cube"), (NORTH, "dataset")):
        for by, priority in (("dora", 3), ("emil", 7)):
            yield by, (prioritise(house, by, subject, kind, priority),)
    yield "south", (house.event("request", by="south"),)
    yield "emil", (house.event("request", by="emil", side="committee"),)
    yield "north", (house.notice("withdraw", RESULT, by="north"),)
    yield "emil", (house.notice("dispute", RESULT, by="emil", side="committee"),)


@dataclass
class Crowd:
    """The open proposals, and what each of the processes was told about them."""

    town: Town
    sent: list[Sent]
    told: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def lost(self) -> list[Sent]:
        """The proposals of which main has not every record, byte for byte."""
        return [one for one in self.sent if any(self.in_main(path) != data for path, data in one.records.items())]

    def in_main(self, path: str) -> bytes | None:
        """Return a file of main."""
        command = ["git", f"--git-dir={self.town.repository}", "show", f"main:{path}"]
        done = subprocess.run(command, capture_output=True, check=False)
        return None if done.returncode else done.stdout

    def open(self) -> set[str]:
        """Return the ids of the open proposals."""
        return set(self.town.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit").split())

    def steps(self) -> int:
        """Return how many steps main has."""
        return int(self.town.git("rev-list", "--count", "--first-parent", "main"))

    def merge_by(self, name: str, ids: list[str]) -> None:
        """Let one person merge these in this order, by the program; who is overtaken too often tries again later."""
        waiting = [(proposal, 0) for proposal in ids]
        while waiting:
            proposal, tries = waiting.pop(0)
            done = self.town.human(name).spawn("merge", proposal, "--json")
            assert done.returncode in (0, 1), f"{name}: {done.returncode} {done.stdout} {done.stderr}"
            (told,) = json.loads(done.stdout)
            assert told["merged"] == (done.returncode == 0)
            self.told.setdefault(proposal, []).append(told)
            if not told["merged"] and told["verdict"] == "pass":
                assert tries < PATIENCE, f"{proposal} was overtaken {tries} times"
                waiting.append((proposal, tries + 1))


@pytest.fixture
def crowd(town: Town) -> Crowd:
    """Everybody proposes, and nobody merges yet."""
    for name in ("ana", *rb.COMMITTEE, "moa", "north", "east", "south"):
        human = town.human(name)
        human.run("sync")
        human.run("registry", "use", "heart", "--merge", "manual")
    made = Crowd(town, [])
    for by, records in words(house_of(town)):
        proposed = send(town.human(by), *records)
        entry = Outbox.of(town.human(by).home, town.name).get(proposed.id)
        assert entry is not None
        made.sent.append(Sent(by, proposed.id, dict(entry.records)))
    return made


def test_of_twenty_proposals_merged_by_four_processes_none_is_lost(crowd: Crowd) -> None:
    town, chance = crowd.town, random.Random(SEED)
    claims = Counter(path for one in crowd.sent for path in one.records)
    contested = {path for path, count in claims.items() if count > 1}
    assert (len(crowd.sent), len(contested), len(crowd.open())) == (20, 5, 20)
    ids, before = [one.id for one in crowd.sent], crowd.steps()
    chance.shuffle(ids)
    with ThreadPoolExecutor(len(MERGERS)) as pool:
        list(pool.map(crowd.merge_by, MERGERS, (ids[n :: len(MERGERS)] for n in range(len(MERGERS)))))
    town.clock.moment = datetime.now(UTC)  # the programs had the machine's clock

    lost = crowd.lost
    assert sorted(path for one in lost for path in one.records) == sorted(contested), "one of each two lost, no other"
    assert crowd.steps() == before + 15, "each of the others is one step of main"
    assert crowd.open() == {one.id for one in lost}
    assert all(crowd.told[one.id][-1]["merged"] for one in crowd.sent if one not in lost)
    for one in lost:
        rules = {finding["rule"] for finding in crowd.told[one.id][-1]["findings"]}
        assert rules == {"number-taken", "stray-signature"}
    newcomer = town.add("zoe")
    newcomer.run("audit")
    every_loser_resumes(crowd, lost, chance)
    town.founder.run("merge")
    assert crowd.steps() == before + 15 + 4
    for path in contested - {ASKED_TWICE}:
        assert crowd.in_main(next_of(path)), f"the next word after {path} is the loser's"
    assert crowd.in_main(next_of(ASKED_TWICE)) is None
    newcomer.run("audit")


def every_loser_resumes(crowd: Crowd, lost: list[Sent], chance: random.Random) -> None:
    """Let each who lost run `submit --resume`: all get the next number, but who asked for what is asked for already."""
    whose = sorted({one.by for one in lost})
    (too_late,) = (one.by for one in lost if ASKED_TWICE in one.records)
    for name in chance.sample(whose, k=len(whose)):
        said = crowd.town.human(name).run("submit", "--resume", "--yes", "--json", code=int(name == too_late))
        fates = {fate["path"]: fate for row in said.value for fate in row["records"]}
        assert fates.keys() == {path for one in lost if one.by == name for path in one.records}
        for path, fate in fates.items():
            if path == ASKED_TWICE:
                assert fate["became"] == "lapsed"
                assert "still waits for a decision" in fate["note"]
            else:
                assert (fate["became"], fate["now"]) == ("placed-anew", next_of(path))


def next_of(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return layout.numbered(folder, int(name.removesuffix(".yaml")) + 1)


@pytest.fixture
def overtaken(town: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Let dora merge the proposal of this rank, by id, between ana's look at main and her first push to it."""

    def prepare(rank: int) -> list[str]:
        for name in ("ana", "dora", "emil"):
            town.human(name).run("sync")
            town.human(name).run("registry", "use", "heart", "--merge", "manual")
        house, emil = house_of(town), town.human("emil")
        subjects = ((MODEL, "cube"), (TREE, "cube"), (NORTH, "dataset"))
        ids = sorted(send(emil, prioritise(house, "emil", subject, kind, 5)).id for subject, kind in subjects)
        truly, pushes = PlainGit.advance, iter([True])

        def advance(forge: PlainGit, copy: Path, commit: str) -> port.Sent:
            if next(pushes, False):
                town.human("dora").run("merge", ids[rank])
            return truly(forge, copy, commit)

        monkeypatch.setattr(PlainGit, "advance", advance)
        return ids

    return prepare


def test_who_merges_all_passes_over_what_somebody_else_merges_meanwhile(
    town: Town, overtaken: Callable[[int], list[str]]
) -> None:
    ids = overtaken(1)
    merged = town.human("ana").run("merge", "--json").value
    assert {one["id"]: one["merged"] for one in merged} == dict.fromkeys(ids, True)


def test_who_merges_what_somebody_else_merges_meanwhile_is_told_that_it_stands(
    town: Town, overtaken: Callable[[int], list[str]]
) -> None:
    first, *_ = overtaken(0)
    assert "merged meanwhile" in town.human("ana").run("merge", first).out
