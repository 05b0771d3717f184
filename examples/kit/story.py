"""Tell a story on one machine: several people, each with a state folder and keys of their own, and a bare repository.

The examples play their stories with it; every step says who does what, and shows the command that does it.
"""

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

from medperf_git.errors import MedperfGitError
from medperf_git.flows.demo_folder import make_empty, refuse_others

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("medperf-git")
WIDTH = 100
_NOT_PASSED_ON = (
    "GIT_",
    "SSH_",
    "MEDPERF_GIT_REGISTRY",
    "MEDPERF_GIT_TOKEN",
)  # a person of the story has none of yours


@dataclass
class Story:
    """Where the story plays, how long each chapter took, and how it is told."""

    out: Path
    color: bool
    started: float = field(default_factory=time.monotonic)
    chapters: list[tuple[str, float]] = field(default_factory=list)

    @classmethod
    def at(cls, out: Path) -> "Story":
        """Return a story in `out`, emptied of an earlier one; nothing else is ever emptied."""
        try:
            make_empty(out := refuse_others(out.resolve()))
        except MedperfGitError as problem:
            raise SystemExit(f"{problem.message}; {problem.hint}") from problem
        return cls(out, color=sys.stdout.isatty())

    @property
    def registry(self) -> Path:
        """The bare repository that everybody shares."""
        return self.out / "registry.git"

    def chapter(self, title: str, text: str) -> None:
        """Open a chapter: a title and what is about to happen."""
        self.chapters.append((title, time.monotonic()))
        print(f"\n{self._ink('1;36', f'— {len(self.chapters)}. {title} ' + '—' * (WIDTH - 8 - len(title)))}")
        self.say(text)

    def say(self, text: str) -> None:
        """Tell something."""
        print(textwrap.fill(textwrap.dedent(text).strip().replace("\n", " "), WIDTH), flush=True)

    def run(
        self, person: str, *words: str | Path, code: int = 0, show: int = 6, quiet: bool = False, silent: bool = False
    ) -> str:
        """Let `person` run a command; its exit code must be `code`. Return what it printed to standard output."""
        arguments = [str(word) for word in words]
        shown = " ".join(self._short(word) for word in arguments)
        if not silent:
            print(f"\n{self._ink('1;33', person)} {self._ink('2', '$')} medperf-git {shown}", flush=True)
        done = subprocess.run(
            [str(PROGRAM), *arguments],
            env=self._environment(person),
            cwd=self.out,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code:
            print(done.stdout, done.stderr, sep="\n")
            raise SystemExit(f"this ended with exit code {done.returncode}, not {code}; see above")
        if not quiet and not silent:
            self._excerpt(done.stdout, show)
        return done.stdout

    def script(self, *words: str | Path) -> None:
        """Show and run a helper program that is no part of the command line."""
        shown = " ".join(self._short(str(word)) for word in words)
        print(f"\n{self._ink('2', '$')} {shown}", flush=True)
        subprocess.run([str(word) for word in words], check=True, cwd=self.out)

    def git(self, *words: str) -> bytes:
        """Ask Git about the shared repository."""
        return subprocess.run(["git", "--git-dir", str(self.registry), *words], check=True, capture_output=True).stdout

    def rows(self, person: str, *words: str) -> list[dict[str, object]]:
        """Return what a command lists with --json, without showing it."""
        return list(json.loads(self.run(person, *words, "--json", silent=True)))

    def proposal(self, person: str) -> str:
        """Return the one proposal that waits for a person's signature."""
        waiting = self.rows(person, "inbox")
        return str(next(row["do"] for row in waiting if row["what"] == "sign")).rsplit(" ", 1)[-1]

    def timings(self) -> None:
        """Say how long each chapter took."""
        ends = [start for _, start in self.chapters[1:]] + [time.monotonic()]
        print(f"\n{self._ink('1', 'What took how long')}")
        for (title, start), end in zip(self.chapters, ends, strict=True):
            print(f"  {end - start:6.1f} s  {title}")
        print(f"  {time.monotonic() - self.started:6.1f} s  in all")

    def _environment(self, person: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}
        home = self.out / "people" / person
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return kept | {"MEDPERF_GIT_HOME": str(home / "state"), "HOME": str(home), "COLUMNS": str(WIDTH)}

    def _excerpt(self, text: str, most: int) -> None:
        lines = [line for line in text.rstrip().splitlines() if line.strip()]
        hidden = len(lines) - most
        for line in lines if hidden <= 1 else lines[-most:]:
            print(f"  {self._ink('2', '│')} {line if len(line) <= WIDTH + 30 else line[: WIDTH + 29] + '…'}")
        if hidden > 1:
            print(f"  {self._ink('2', f'╵ ({hidden} lines before these)')}", flush=True)

    def _short(self, word: str) -> str:
        for folder, name in ((self.out, "."), (ROOT, "…"), (Path(sys.executable).parent, "")):
            word = word.replace(f"{folder}/", f"{name}/" if name else "")
        return f"'{word}'" if " " in word else word

    def _ink(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text
