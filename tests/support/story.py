"""A registry with a story behind it, in real Git behind the real hook, and a clone to push anything from.

town = build(folder)                        # init, five who join, cubes, a benchmark, approvals, one merged result
again = copy_town(town, elsewhere)          # a registry, and everybody's machine, of its own
clone = Clone.of(again, folder)
commit = clone.commit(house.propose(house.result()).sign("north", head=clone.main).files)
clone.push(commit, clone.branch_of(commit))
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medperf_git.flows.propose import Draft, Proposed, next_link, propose
from medperf_git.records import layout, models
from medperf_git.records.convert import value_of
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.registry.commits import Author, set_ref, submission_id, write_commit
from medperf_git.registry.objects import Store
from tests.support import registry_builder as rb
from tests.support.clock import TestClock
from tests.support.people import Human, Town, git_environ
from tests.support.registry_builder import (
    BENCHMARK,
    COMMITTEE,
    METRICS,
    MODEL,
    NORTH,
    PREPARATOR,
    REFERENCE,
    SOUTH,
    House,
)

EAST = Ref("east", "wards", 1)
TREE = Ref("moa", "tree", 1)
MEMBERS = (*COMMITTEE, "moa", "north", "east", "south")
CUBES = (rb.cube(PREPARATOR, "data-preparator"), rb.cube(REFERENCE), rb.cube(METRICS, "metrics"))
JOINING: tuple[tuple[Ref, Any], ...] = ((NORTH, "dataset"), (EAST, "dataset"), (MODEL, "cube"), (TREE, "cube"))
RESULT = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 1)


def build(folder: Path, *, result: bool = True) -> Town:
    """Make the registry: `ana` maintains, `dora` and `emil` decide, `north` and `east` are approved, `south` is not.

    Its genesis is made by `init`. What follows is written around the hook, which is fast, and is verified by
    everybody who joins; the result then goes the usual way.
    """
    town = Town(folder)
    town.found("ana")
    store, house = Store.open(town.repository), house_of(town)

    def step(seeds: str, *records: models.Record) -> None:
        files = house.propose(*records).sign(*seeds.split(), head=town.main).files
        author = Author("story", "story@example.invalid", town.clock())
        set_ref(store, "refs/heads/main", write_commit(store, town.main, files, message="Step\n", author=author))
        house.files |= files

    for name in MEMBERS:
        step(f"ana {name} {name}:recovery", rb.member(name))
    step("dora", *CUBES)
    step("moa", rb.cube(MODEL), rb.cube(TREE))
    step("dora emil ana", house.benchmark(), house.first_policy(house.benchmark()))
    for subject in (NORTH, EAST, SOUTH):
        step(subject.member, house.dataset(subject))
    for subject, kind in JOINING:
        step(subject.member, house.event("request", by=subject.member, subject=subject, kind=kind))
        step("emil", house.event("approve", by="emil", side="committee", subject=subject, kind=kind))
    for name in MEMBERS:
        human = town.human(name)
        human.run("join", town.url, "--as", name, "--key", human.key, "--yes", code=1)  # is one already: remembered
    if result:
        send(town.human("north"), house.result())
    return town


def play(folder: Path) -> Town:
    """Make the same registry as people do: each by their own commands and flows, all through the hook."""
    town = Town(folder)
    town.found("ana")
    for name in MEMBERS:
        town.join(name)
    send(town.human("dora"), *CUBES)
    send(town.human("moa"), rb.cube(MODEL, tested=rb.TESTED), rb.cube(TREE, tested=rb.TESTED))
    house = house_of(town)
    proposed = send(town.human("dora"), house.benchmark(), house.first_policy(house.benchmark()))
    for name in ("emil", "ana"):
        town.human(name).run("sign", proposed.id, "--yes")
    for subject in (NORTH, EAST, SOUTH):
        send(town.human(subject.member), house_of(town).dataset(subject))
    for subject, kind in JOINING:
        option = "--dataset" if kind == "dataset" else "--model"
        town.human(subject.member).run("association", "request", str(BENCHMARK), option, str(subject), "--yes")
        town.human("emil").run("approve", str(subject), "--yes")
    send(town.human("north"), house_of(town).result())
    return town


def copy_town(town: Town, folder: Path) -> Town:
    """Return a registry and homes of their own with the same content; everybody's clock goes on."""
    shutil.copytree(town.folder, folder, symlinks=True)
    copy = Town(folder, town.name, clock=TestClock(town.clock.moment))
    for name in town.people:
        config = copy.human(name).home / "config.json"
        if config.exists():
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace(str(town.folder), str(folder)), encoding="utf-8")
    return copy


def send(human: Human, *records: models.Record, title: str = "") -> Proposed:
    """Let somebody propose records from their own machine, each with its place and `previous` filled in."""
    workspace = human.workspace()
    drafts = [draft(workspace.view, record) for record in records]
    return propose(workspace, drafts, title=title or f"Add {drafts[0].path}")


def draft(view: RecordView, record: models.Record) -> Draft:
    """Return a record at its place; a link of a chain comes next."""
    folder = layout.expected_folder(record.KIND, value_of(record))
    if record.KIND not in layout.CHAINS:
        return Draft(folder, record)
    number, previous = next_link(view, folder)
    linked: Any = {"previous": previous}
    return Draft(layout.numbered(folder, number), replace(record, **linked))


def house_of(town: Town) -> House:
    """Return main as a registry in memory, with which records and signatures are made."""
    return House(files_of(town.founder.workspace().view))


def files_of(view: RecordView, folder: str = "") -> dict[str, bytes]:
    """Return every file of a view, by path."""
    files: dict[str, bytes] = {}
    for name in view.names(folder):
        path = f"{folder}/{name}" if folder else name
        if name.endswith("/"):
            files |= files_of(view, path[:-1])
        elif (data := view.blob(path)) is not None:
            files[path] = data
    return files


@dataclass(frozen=True)
class Clone:
    """A clone with a work tree, used with nothing but git: what somebody without medperf-git could push."""

    folder: Path
    town: Town

    @classmethod
    def of(cls, town: Town, folder: Path) -> "Clone":
        """Clone the registry of a town."""
        clone = cls(folder, town)
        folder.mkdir()
        clone.git("clone", "-q", town.url, ".")
        clone.git("config", "gc.auto", "0")
        return clone

    def git(self, *argv: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
        """Run git and return what it says on its standard output."""
        return self.run(*argv, check=check, env=env).stdout.strip()

    def run(
        self, *argv: str, check: bool = False, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run git and return how it ended."""
        whole = {**git_environ(), **(env or {})}
        return subprocess.run(
            ["git", *argv], cwd=self.folder, check=check, capture_output=True, text=True, env=whole, timeout=60
        )

    @property
    def main(self) -> str:
        """The commit of main as it was cloned or fetched last."""
        return self.git("rev-parse", "origin/main")

    @property
    def house(self) -> House:
        """Main as a registry in memory."""
        return house_of(self.town)

    def commit(self, files: Mapping[str, bytes | None], *, base: str = "", message: str = "Change") -> str:
        """Write (or, for None, remove) files on top of main, or of `base`, and return the commit."""
        self.git("checkout", "-q", "--detach", "--force", base or self.main)
        for path, data in files.items():
            if data is None:
                self.git("rm", "-q", "--", path)
                continue
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
            self.git("add", "--force", "--", path)
        return self.finish(message)

    def finish(self, message: str = "Change") -> str:
        """Commit what is in the index and return the commit."""
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def merged(self, commit: str) -> str:
        """Return a merge commit of main and `commit` that holds what `commit` holds."""
        return self.git("commit-tree", f"{commit}^{{tree}}", "-p", self.main, "-p", commit, "-m", "Merge")

    def branch_of(self, commit: str) -> str:
        """Return the branch whose name fits what a commit adds to main, changed files included."""
        names = self.git("diff", "--name-only", "--no-renames", "--diff-filter=AM", f"{self.main}...{commit}")
        show = ["git", "show"]
        files = {
            name: subprocess.run([*show, f"{commit}:{name}"], cwd=self.folder, check=True, capture_output=True).stdout
            for name in names.splitlines()
        }
        return f"refs/heads/submit/{submission_id(files)}"

    def push(self, what: str, ref: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Push a commit (nothing: delete) to a ref of the registry; the caller looks at how it ended."""
        return self.run("push", "-q", *options, "origin", f"{what}:{ref}")

    def refs(self) -> dict[str, str]:
        """Return every ref of the registry itself, by name."""
        lines = self.town.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}
