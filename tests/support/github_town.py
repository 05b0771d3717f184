"""People with accounts at a GitHub on loopback, around one registry there.

with github_town(folder, "ana", "dora") as town:
    town.found("ana")
    town.join("dora")                    # from a fork of hers; ana admits and merges
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medperf_git.flows.propose import Proposed
from medperf_git.records import models
from medperf_git.registry.commits import Author, set_ref, write_commit
from medperf_git.registry.objects import Store
from tests.support import registry_builder as rb
from tests.support.clock import TestClock
from tests.support.github_server import running_github
from tests.support.github_world import GitHubWorld
from tests.support.people import Human, Town
from tests.support.registry_builder import House
from tests.support.story import house_of, send


@dataclass
class Account(Human):
    """A person whose name at GitHub is the same, with a token."""

    token: str = ""
    certificate: Path = Path()

    @property
    def environ(self) -> dict[str, str]:
        """The environment of this person's programs, with the token and the authority of the house."""
        own = {"MEDPERF_GIT_TOKEN": self.token, "SSL_CERT_FILE": str(self.certificate)}
        return {**super().environ, **own}


@dataclass
class GitHubTown(Town):
    """People around a registry at GitHub."""

    world: GitHubWorld = field(kw_only=True)

    @property
    def repository(self) -> Path:
        """The bare repository behind the registry's page."""
        return self.world.repository(self.world.slug)

    @property
    def url(self) -> str:
        """Its address."""
        return self.world.address

    def human(self, name: str) -> Account:
        """Return a person of this town."""
        if name not in self.people:
            token, certificate = self.world.tokens[name], self.world.certificate
            folder = self.folder / "people" / name
            self.people[name] = Account(name, folder, self.clock, token=token, certificate=certificate)
        found = self.people[name]
        assert isinstance(found, Account)
        return found

    def settle(self, *names: str) -> None:
        """Make members of people without asking GitHub, which is fast; they find that they are."""
        before = self.world.heads(self.world.slug)
        store, house = Store.open(self.repository), self.house()
        for name in names:
            files = house.propose(rb.member(name)).sign("ana", name, f"{name}:recovery", head=self.main).files
            author = Author("story", "story@example.invalid", self.clock())
            set_ref(store, "refs/heads/main", write_commit(store, self.main, files, message="Step\n", author=author))
            house.files |= files
        self.world.follow(self.world.slug, before)
        for name in names:
            self.add(name).run("join", "--as", name, "--key", self.human(name).key, "--yes", code=1)

    def house(self) -> House:
        """Return main as a registry in memory."""
        with self.founder.at_machine():
            return house_of(self)

    def send(self, name: str, *records: models.Record) -> Proposed:
        """Let somebody propose records."""
        with self.human(name).at_machine():
            return send(self.human(name), *records)

    def ask(self, name: str) -> Account:
        """Let somebody ask to join."""
        self.add(name).run("join", "--as", name, "--key", self.human(name).key, "--yes")
        return self.human(name)


@contextmanager
def github_town(folder: Path, *names: str) -> Iterator[GitHubTown]:
    """Run a GitHub with an account for everybody; the first owns the registry `heart`."""
    tokens = {name: f"ghp_{name}{'x' * (36 - len(name))}" for name in names}
    clock = TestClock()
    keep = folder / "github"
    with running_github(keep, tokens, owner=names[0], name="heart", clock=lambda: clock.moment) as world:
        yield GitHubTown(folder, clock=clock, world=world)
