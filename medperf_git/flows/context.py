"""What every flow is given from outside: where state lies, what time it is, whom to ask, how to speak."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from medperf_git.forge.patience import Patience


class Person(Protocol):
    """Whoever sits before the program."""

    def passphrase(self, prompt: str) -> str:
        """Return the passphrase that `prompt` asks for."""
        ...

    def new_passphrase(self, prompt: str) -> str:
        """Return a passphrase for a key that is made now; asked twice, since a slip would lock the key."""
        ...

    def confirm(self, question: str) -> bool:
        """Return whether the person agrees."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one command.

    `clock` returns an aware time; `say` prints one line of progress; `registry` is an alias or a URL from
    `-R`, None for the current one; `assume_yes` answers every confirmation; `patience` is that with a forge.
    """

    home: Path
    clock: Callable[[], datetime]
    person: Person
    say: Callable[[str], None]
    registry: str | None
    environ: Mapping[str, str]
    assume_yes: bool
    patience: Patience = field(default_factory=Patience)

    def agrees(self, question: str) -> bool:
        """Tell whether the person agrees, or has said so beforehand."""
        return self.assume_yes or self.person.confirm(question)
