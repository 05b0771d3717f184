"""A small model of who may do what in a registry, written from the specification and not from the judge."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from medperf_git.records.folds import Status
from medperf_git.records.names import Ref
from tests.support import registry_builder as build

THRESHOLD = 2
FOLLOWS = {
    "request": {Status.NONE, Status.REJECTED, Status.WITHDRAWN},
    "approve": {Status.PENDING},
    "reject": {Status.PENDING, Status.APPROVED},
    "withdraw": {Status.PENDING, Status.APPROVED},
}
BECOMES = {
    "request": Status.PENDING,
    "approve": Status.APPROVED,
    "reject": Status.REJECTED,
    "withdraw": Status.WITHDRAWN,
}


@dataclass
class Person:
    """A member: keys by their seeds, whether they take part, how many of their keys they want on a result."""

    signing: list[str]
    recovery: list[str]
    active: bool = True
    cosigning: int = 1


@dataclass(frozen=True)
class Need:
    """So many of these seeds must sign: from distinct members, or for `keys` with distinct keys."""

    seeds: frozenset[str]
    count: int = 1
    keys: bool = False

    def met(self, signers: Iterable[str]) -> bool:
        """Tell whether these signers are enough."""
        counting = self.seeds & set(signers)
        return len(counting if self.keys else {owner(seed) for seed in counting}) >= self.count


@dataclass
class Association:
    """Where a dataset stands, and which side asked last."""

    status: Status = Status.NONE
    initiator: str = ""


@dataclass
class Results:
    """The chain of results on one dataset: how many there are, and whether the last is withdrawn."""

    count: int = 0
    withdrawn: bool = False


def owner(seed: str) -> str:
    """Return whose key a seed is."""
    return seed.partition(":")[0]


@dataclass
class Model:
    """What a registry made of merged changes is, in the plainest words."""

    people: dict[str, Person] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    associations: dict[Ref, Association] = field(default_factory=dict)
    results: dict[Ref, Results] = field(default_factory=dict)

    @classmethod
    def settled(cls) -> "Model":
        """Return the model of `registry_builder.settled`."""
        model = cls()
        for name in (*build.MAINTAINERS, *build.COMMITTEE, "north", "moa", "south"):
            more = ["south:2"] if name == "south" else []
            model.admit(name, [name, *more], [f"{name}:recovery"])
        model.people["south"].cosigning = 2
        model.associations = {build.NORTH: Association(Status.APPROVED, "owner"), build.SOUTH: Association()}
        model.results = {build.NORTH: Results(), build.SOUTH: Results()}
        return model

    # --- what follows from a merged change

    def admit(self, name: str, signing: list[str], recovery: list[str]) -> None:
        """Make somebody a member."""
        self.people[name] = Person(list(signing), list(recovery))
        self.used |= {*signing, *recovery}

    def register(self, ref: Ref) -> None:
        """Add a dataset."""
        self.associations[ref], self.results[ref] = Association(), Results()

    # --- who speaks for whom

    def speaks(self, name: str) -> frozenset[str]:
        """Return the signing keys that count for a member: none of a retired one."""
        person = self.people.get(name)
        return frozenset(person.signing) if person and person.active else frozenset()

    def any_of(self, names: Iterable[str], count: int = 1) -> Need:
        """Return the need of so many of these members."""
        return Need(frozenset().union(*(self.speaks(name) for name in names)), count)

    def own(self, name: str, count: int = 1) -> Need:
        """Return the need of so many keys of one member."""
        return Need(self.speaks(name), count, keys=True)

    def for_update(self, name: str) -> Need:
        """Return the need of any key that a member had before, a recovery key too."""
        person = self.people[name]
        return Need(frozenset([*person.signing, *person.recovery]))

    def can_retire(self, name: str) -> bool:
        """Tell whether the maintainers could still decide without this member."""
        staying = [one for one in build.MAINTAINERS if one != name and self.people[one].active]
        return name not in build.MAINTAINERS or len(staying) >= THRESHOLD


def fits(needs: Iterable[Need], signers: Iterable[str]) -> bool:
    """Tell whether signatures are enough, and none of them counts for nothing."""
    wanted, given = list(needs), set(signers)
    return all(need.met(given) for need in wanted) and given <= frozenset().union(*(need.seeds for need in wanted))
