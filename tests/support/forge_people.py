"""People around a registry on a whole forge: each with an account there, an API key, and no right to push but in forks.

village = Village(tmp_path, forge, "heart")
ana = village.found("ana")                  # a project on the forge, and the registry in it
north = village.ask("north")                # asks to join: a fork, a branch, a pull request
village.admit("north")
"""

import base64
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from medperf_git.flows.propose import Proposed
from medperf_git.records import models
from medperf_git.registry.commits import Author, set_ref, write_commit
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from tests.support import registry_builder as rb
from tests.support import story
from tests.support.clock import TestClock
from tests.support.pagure_forge import PagureForge
from tests.support.people import Human, Said, git_environ
from tests.support.registry_builder import MODEL, NORTH, SOUTH, House
from tests.support.story import CUBES, EAST, JOINING, MEMBERS, TREE

T = TypeVar("T")
SECONDS = 120


class ClockOfToday(TestClock):
    """The machine's clock: the forge dates its merges by it."""

    def __call__(self) -> datetime:
        """Return the time in whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Colleague(Human):
    """A person with something in their environment: an authority to trust, and perhaps a token."""

    surroundings: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of this person's programs."""
        return {**super().environ, **self.surroundings}


@dataclass
class Village:
    """People around one registry, a project `name` on the forge."""

    folder: Path
    forge: PagureForge
    name: str
    people: dict[str, Colleague] = field(default_factory=dict)
    _house: House = field(default_factory=House)
    _pending: bool = False

    @property
    def url(self) -> str:
        """The address of the registry."""
        return self.forge.git_url(self.name)

    @property
    def founder(self) -> Colleague:
        """Who maintains the registry."""
        return next(iter(self.people.values()))

    def human(self, name: str) -> Colleague:
        """Return a person with their own API key."""
        if name not in self.people:
            trusted = {"SSL_CERT_FILE": str(self.forge.certificate)}
            token = {"MEDPERF_GIT_TOKEN": self.forge.accounts[name].token}
            clock = ClockOfToday()
            self.people[name] = Colleague(name, self.folder / "people" / name, clock, trusted | token)
        return self.people[name]

    def found(self, name: str, **settings: object) -> Colleague:
        """Let somebody make a project and begin the registry in it, with a key of the project."""
        human = self.human(name)
        self.forge.new_project(self.name, owner=name, **settings)
        human.surroundings["MEDPERF_GIT_TOKEN"] = self.forge.project_token(self.name, name)
        human.run("init", self.url, "--name", self.name, "--as", name, "--key", human.key, "--yes")
        self._fetch()
        return human

    def ask(self, name: str) -> Said:
        """Let somebody ask to join."""
        human = self.human(name)
        return human.run("join", self.url, "--as", name, "--key", human.key, "--yes")

    def admit(self, name: str) -> Said:
        """Let the founder admit somebody, who then looks."""
        said = until(lambda: self.founder.run("admit", name, "--yes"))
        self.human(name).run("sync")
        return said

    def join(self, name: str) -> Colleague:
        """Let somebody ask to join and be admitted."""
        self.ask(name)
        self.admit(name)
        return self.human(name)

    def settle(self) -> None:
        """Write members, containers, a benchmark and approvals into main at once, as the founder may push them."""
        for name in MEMBERS:
            self.step(f"ana {name} {name}:recovery", rb.member(name), push=False)
        self.step("dora", *CUBES, push=False)
        self.step("moa", rb.cube(MODEL), rb.cube(TREE), push=False)
        benchmark = self._house.benchmark()
        self.step("dora emil ana", benchmark, self._house.first_policy(benchmark), push=False)
        for subject in (NORTH, EAST, SOUTH):
            self.step(subject.member, self._house.dataset(subject), push=False)
        for subject, kind in JOINING:
            asked = self._house.event("request", by=subject.member, subject=subject, kind=kind)
            self.step(subject.member, asked, push=False)
            said = self._house.event("approve", by="emil", side="committee", subject=subject, kind=kind)
            self.step("emil", said, push=False)
        self._push()

    def settle_in(self, *names: str) -> None:
        """Let people whom main knows already come to their machines."""
        for name in names:
            human = self.human(name)
            human.run("join", self.url, "--as", name, "--key", human.key, "--yes", code=1)  # is one already: remembered

    def step(self, seeds: str, *records: models.Record, push: bool = True) -> None:
        """Write a step into main around the pull requests, signed by `seeds`; what others do meanwhile.

        Without `push` it waits for the next one that is pushed.
        """
        if push and not self._pending:
            self._fetch()
        store, house = Store.open(self._own), self._house
        files = house.propose(*records).sign(*seeds.split(), head=self._tip).files
        author = Author("story", "story@example.invalid", ClockOfToday()())
        set_ref(store, "refs/heads/main", write_commit(store, self._tip, files, message="Step\n", author=author))
        house.files |= files
        self._pending = True
        if push:
            self._push()

    @property
    def _own(self) -> Path:
        """A bare clone from which the founder pushes."""
        return self.folder / "own.git"

    @property
    def _tip(self) -> str:
        return self.git(f"--git-dir={self._own}", "rev-parse", "refs/heads/main")

    def _fetch(self) -> None:
        """Look at main as it is."""
        if not self._own.exists():
            self.git("init", "-q", "--bare", str(self._own))
        self.git(f"--git-dir={self._own}", "fetch", "-q", self.url, "+refs/heads/main:refs/heads/main")
        store = Store.open(self._own)
        self._house = House(story.files_of(Snapshot.at(store, self._tip)))

    def _push(self) -> None:
        self.git_as(self.founder.name, f"--git-dir={self._own}", "push", "-q", self.url, "refs/heads/main")
        self._pending = False

    def token(self, name: str) -> str:
        """Return somebody's API key."""
        return self.human(name).surroundings["MEDPERF_GIT_TOKEN"]

    def git_as(self, name: str, *argv: str, check: bool = True) -> str:
        """Run git with somebody's account at the forge."""
        account = f"{self.forge.accounts[name].name}:{self.token(name)}"
        header = f"Authorization: Basic {base64.b64encode(account.encode()).decode()}"
        return self.git("-c", f"http.extraHeader={header}", *argv, check=check)

    def send(self, name: str, *records: models.Record, title: str = "") -> Proposed:
        """Let somebody propose records from their own machine."""
        human = self.human(name)
        with human.at_machine():
            return story.send(human, *records, title=title)

    def merge(self, proposal: str) -> None:
        """Let the founder merge a proposal, as soon as the forge shows it; everybody then looks."""
        until(lambda: self._merged(proposal))

    @property
    def house(self) -> House:
        """Main as a registry in memory, with which records are made."""
        with self.founder.at_machine():
            return House(story.files_of(self.founder.workspace().view))

    def git(self, *argv: str, check: bool = True) -> str:
        """Run git with nobody's account, in a folder of its own."""
        (self.folder / "nowhere").mkdir(parents=True, exist_ok=True)
        trusted = {"GIT_SSL_CAINFO": str(self.forge.certificate)}
        done = subprocess.run(
            ["git", *argv],
            cwd=self.folder / "nowhere",
            check=check,
            capture_output=True,
            text=True,
            env={**git_environ(), **trusted},
            timeout=60,
        )
        return done.stdout.strip() if check else done.stdout + done.stderr

    def refs(self, slug: str = "") -> dict[str, str]:
        """Return the refs of the project, or of another one, by name."""
        lines = self.git("ls-remote", "--refs", self.forge.git_url(slug or self.name)).splitlines()
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}

    @property
    def main(self) -> str:
        """The commit of main."""
        return self.refs()["refs/heads/main"]

    def open_requests(self) -> list[dict[str, Any]]:
        """Return the open pull requests as the forge tells them, the newest first."""
        return self.forge.requests(self.name)

    def fork_of(self, name: str) -> str:
        """Return what the forge calls somebody's fork."""
        return f"fork/{self.forge.accounts[name].name}/{self.name}"

    def _merged(self, proposal: str) -> bool | None:
        said = self.founder.run("merge", proposal, "--json")
        return True if all(one["merged"] for one in said.value) else None


def until(look: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """Look again and again, as people do when a forge takes its time; AssertionError when it never comes."""
    deadline = time.monotonic() + seconds
    troubles: dict[str, None] = {}
    while time.monotonic() < deadline:
        try:
            if (found := look()) is not None:
                return found
        except AssertionError as problem:  # a command that does not find yet what it needs
            troubles[str(problem)] = None
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s: " + "\nand then: ".join(troubles or [str(look)]))
