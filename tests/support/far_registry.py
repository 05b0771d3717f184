"""A registry at a forge that somebody reaches over a bad network, with a proposal that was signed and not sent.

far = Far.of(template(folder), elsewhere, server)
far.bob.run("submit", "--yes")
far.check_sent()
"""

import base64
import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from medperf_git.cli import boundary, session
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.forge.patience import Patience
from tests.support.clock import TestClock
from tests.support.faulty import Faulty
from tests.support.people import Human, Said, Town
from tests.support.small_forge import SmallForge

SLUG = "ana/heart"
SECRET = "token-of-bob-0123456789"
_SECRETS = (SECRET, base64.b64encode(f"x-access-token:{SECRET}".encode()).decode(), "secret@")


@dataclass
class FarHuman(Human):
    """Somebody with more in the environment, and a patience of their own."""

    more: dict[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of this person's programs."""
        return {**super().environ, **self.more}

    def try_to(self, *argv: object) -> Said:
        """Run one command, however it ends; nobody is shown a traceback or a token."""
        out, err = io.StringIO(), io.StringIO()
        with self.at_machine(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = boundary.main([str(word) for word in argv])
        said = Said(code, out.getvalue(), err.getvalue())
        assert code in (0, 1, 3), said
        assert not [word for word in _SECRETS if word in said.out + said.err]
        return said

    @contextlib.contextmanager
    def at_machine(self) -> Iterator[None]:
        """Be this person: environment, clock and patience."""
        with super().at_machine(), mock.patch.object(session, "patience", return_value=self.patience):
            yield


def template(folder: Path) -> Town:
    """Make a registry of `ana`, and `bob` who has signed that he joins, which nobody was sent yet."""
    town = Town(folder / "town")
    town.found("ana")
    bob = town.ask("bob")
    (entry,) = outbox_of(bob).entries()
    outbox_of(bob).put(entry.moved("ready"))
    place = folder / f"forge/{SLUG}.git"
    place.parent.mkdir(parents=True)
    town.git("update-ref", "-d", f"refs/heads/submit/{entry.id}")
    shutil.copytree(town.repository, place, ignore=shutil.ignore_patterns("hooks"))
    return town


def outbox_of(human: Human) -> Outbox:
    """Return what somebody has proposed to the registry."""
    return Outbox.of(human.home, "heart")


@dataclass(frozen=True)
class Far:
    """The forge, the server before it, and `bob`."""

    forge: SmallForge
    server: Faulty
    bob: FarHuman
    entry: Entry

    @classmethod
    def of(cls, town: Town, folder: Path, server: Faulty, *, url: str = "") -> "Far":
        """Return a copy of the world; `url` where the way to the server leads over something else."""
        folder.mkdir()
        for name in ("forge", "town/people/bob"):
            shutil.copytree(town.folder.parent / name, folder / name, symlinks=True)
        forge = SmallForge(folder / "forge", url or server.url, tokens={SECRET: "bob"})
        server.inner = forge.answer
        server.heal()
        more = {"MEDPERF_GIT_TOKEN": SECRET, "SSL_CERT_FILE": str(server.certificate)}
        bob = FarHuman("bob", folder / "town/people/bob", TestClock(town.clock.moment), more)
        config = bob.home / "config.json"
        value = json.loads(config.read_text(encoding="utf-8"))
        value["registries"]["heart"] |= {"url": f"{url or server.url}/{SLUG}", "host": "forgejo"}
        config.write_text(json.dumps(value), encoding="utf-8")
        (entry,) = outbox_of(bob).entries()
        return cls(forge, server, bob, entry)

    @property
    def branch(self) -> str:
        """The ref to which the proposal is pushed."""
        return f"refs/heads/submit/{self.entry.id}"

    def pushed(self) -> str:
        """Return what lies at that branch in the fork, empty for nothing; AssertionError when it is not whole."""
        fork = "bob/heart"
        commit = self.forge.ref(fork, self.branch) if (self.forge.folder / f"{fork}.git").exists() else ""
        if commit:
            self.forge.git(fork, "fsck", "--strict", "--full")
            self._check_files(fork, commit)
        return commit

    def check_kept(self) -> None:
        """Check that nothing is lost on bob's machine, and that nothing half-written or doubled is seen elsewhere."""
        (now,) = outbox_of(self.bob).entries()
        assert (now.id, now.files) == (self.entry.id, self.entry.files)
        assert len(self.forge.open_pulls()) <= 1
        if now.state == "sent":
            assert self.pushed()
            assert len(self.forge.open_pulls()) == 1

    def check_sent(self) -> None:
        """Check that exactly one proposal stands, and that it holds exactly our files."""
        (only,) = self.forge.open_pulls()
        assert len(self.forge.pulls) == 1
        assert only["branch"] == f"submit/{self.entry.id}"
        self.forge.settle()
        assert only["sha"] == self.pushed() != ""
        (now,) = outbox_of(self.bob).entries()
        assert (now.state, now.files) == ("sent", self.entry.files)

    def _check_files(self, slug: str, commit: str) -> None:
        changed = self.forge.git(slug, "diff", "--name-status", "refs/heads/main", commit).splitlines()
        assert changed == [f"A\t{path}" for path in sorted(self.entry.files)]
        for path, text in self.entry.files.items():
            assert self.forge.git(slug, "show", f"{commit}:{path}") == text.strip()
