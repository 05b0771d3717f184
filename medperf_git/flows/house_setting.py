"""One protective setting of a forge, the table of a forge's settings, and how an answer tells whether one is there.

A table is one value for each kind of host: `doctor forge` looks by it, and the settings guide is written from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medperf_git.forge.host import Host

Facts = Mapping[str, Any]
Holds = Callable[[Facts], bool | None]


@dataclass(frozen=True, slots=True)
class Setting:
    """One protective setting: why, where a person finds it, and how the facts tell whether it is there."""

    what: str
    why: str
    where: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class Table:
    """What is asked of one kind of host, and which settings protect main there.

    `questions` are fact → path below the interface's address; a 404 is an answer, a 401 or 403 is none.
    """

    host: Host
    questions: Mapping[str, str]
    settings: tuple[Setting, ...]


def field(fact: str, name: str, *wanted: object) -> Holds:
    """Ask that a field of a fact has one of the wanted values; unknown where it is not told."""

    def holds(facts: Facts) -> bool | None:
        value = facts.get(fact)
        return None if value is None or name not in value else value[name] in wanted

    return holds


def protected(holds: Callable[[Mapping[str, Any]], bool]) -> Holds:
    """Ask the protection of main; none at all is a no, one that was not shown is unknown."""

    def answer(facts: Facts) -> bool | None:
        if "protection" not in facts:
            return None
        return facts["protection"] is not None and holds(facts["protection"])

    return answer


def all_of(*asked: Holds) -> Holds:
    """Ask that all hold; one no is a no, else one unknown is unknown."""

    def holds(facts: Facts) -> bool | None:
        answers = [one(facts) for one in asked]
        return False if False in answers else None if None in answers else True

    return holds


def untold(_facts: Facts) -> None:
    """Answer for what no interface tells."""
