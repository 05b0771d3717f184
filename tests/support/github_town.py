"""People with accounts at a GitHub on loopback, around one registry there.

with github_town(folder, "ana", "dora") as town:
    town.found("ana")
    town.join("dora")                    # from a fork of hers; ana admits and merges
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.github_world import GitHubWorld, running_github
from tests.support.people import Human, Town


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

    def ask(self, name: str) -> Account:
        """Let somebody ask to join."""
        human = self.add(name)
        human.run("join", "--as", name, "--key", human.key, "--yes")
        return human


@contextmanager
def github_town(folder: Path, *names: str) -> Iterator[GitHubTown]:
    """Run a GitHub with an account for everybody; the first owns the registry `heart`."""
    tokens = {name: f"ghp_{name}{'x' * (36 - len(name))}" for name in names}
    town = GitHubTown.__new__(GitHubTown)
    with running_github(
        folder / "github", tokens, owner=names[0], name="heart", clock=lambda: town.clock.moment
    ) as world:
        town.__init__(folder, world=world)  # type: ignore[misc]
        yield town
