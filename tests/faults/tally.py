"""What came of a scenario."""

from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN = 20  # after so many faults it is said how far it came


@dataclass
class Tally:
    """How many times something went wrong on purpose, and each promise that broke with the words why."""

    name: str
    points: int = 0
    missed: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, what: str, faults: Sequence[str], *, fault: str = "") -> None:
        """Count one fault, and say at once what broke."""
        self.points += 1
        if fault:
            self.by_fault[fault] = self.by_fault.get(fault, 0) + 1
        self.broken += [f"{self.name} {what}: {said}" for said in faults]
        for said in faults:
            print(f"BROKEN {self.name} {what}: {said}", flush=True)
        if self.points % SHOWN == 0:
            print(f"… {self.line()}", flush=True)

    def add(self, other: "Tally") -> None:
        """Take in what another worker counted."""
        self.points += other.points
        self.missed += other.missed
        self.broken += other.broken
        self.seconds = max(self.seconds, other.seconds)
        for name, count in other.by_fault.items():
            self.by_fault[name] = self.by_fault.get(name, 0) + count

    def line(self) -> str:
        """Return one line for a person."""
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(self.by_fault.items()))
        missed = f", {self.missed} not reached" if self.missed else ""
        counted = f"{self.points:4} points" + (f" ({kinds})" if kinds else "")
        return f"{self.name:8} {counted}, {len(self.broken)} broken promises{missed}, {self.seconds:.0f} s"
