"""A registry with the house files of each kind of host, open proposals in it, and what a forge makes of them."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from medperf_git.flows import house_pins
from medperf_git.forge.host import Host
from tests.support.people import Town, git_environ

# Jobs run on Linux; a developer's Windows has neither their shell nor rsync.
collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []
PIN = house_pins.Pin("0.1.0", "5" * 64)


@dataclass
class Hosted:
    """A registry as a forge holds it: bare, without any hook, each proposal under `refs/pull` and `merge-requests`."""

    host: Host
    town: Town
    repository: Path
    scratch: Path
    numbers: int = 0

    @property
    def slug(self) -> str:
        """Owner and name."""
        return "owner/heart.git" if self.host is Host.GITLAB else "owner/heart"

    @property
    def server(self) -> str:
        """The address of the forge."""
        return self.repository.parents[1].as_uri()

    def git(self, *argv: str, cwd: Path | None = None) -> str:
        """Run git, in the repository of the forge or in a clone of it."""
        where = [f"--git-dir={self.repository}"] if cwd is None else []
        done = subprocess.run(
            ["git", *where, *argv], check=False, cwd=cwd, capture_output=True, text=True, env=git_environ()
        )
        assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    @property
    def main(self) -> str:
        """The commit of main."""
        return self.git("rev-parse", "refs/heads/main")

    def pull(self, commit: str) -> int:
        """Open a proposal of a commit; return its number."""
        self.numbers += 1
        for ref in (f"refs/pull/{self.numbers}/head", f"refs/merge-requests/{self.numbers}/head"):
            self.git("update-ref", ref, commit)
        return self.numbers

    def clone(self) -> Path:
        """Return a new clone of main."""
        folder = self.scratch / f"clone-{len(list(self.scratch.iterdir()))}"
        subprocess.run(["git", "clone", "-q", str(self.repository), str(folder)], check=True, env=git_environ())
        return folder

    def commit(self, files: dict[str, bytes], *, on: str = "main") -> str:
        """Make a commit of files on top of another as nobody in particular, and bring it here."""
        folder = self.clone()
        self.git("fetch", "-q", "origin", "+refs/*:refs/all/*", cwd=folder)
        self.git("checkout", "-q", on if on == "main" else self.git("rev-parse", on), cwd=folder)
        for path, data in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        self.git("add", "-A", "-f", cwd=folder)
        self.git("commit", "-q", "-m", "raw", cwd=folder)
        self.git("push", "-q", "origin", f"HEAD:refs/keep/{folder.name}", cwd=folder)
        return self.git("rev-parse", "HEAD", cwd=folder)

    def merge(self, base: str, *heads: str, ref: str) -> str:
        """Do what a merge button or a merge queue does: one merge commit for each head, under `ref`."""
        folder = self.clone()
        self.git("fetch", "-q", "origin", "+refs/*:refs/all/*", cwd=folder)
        self.git("checkout", "-q", "--detach", base, cwd=folder)
        for head in heads:
            # A forge's clock is today's; the registry of the tests lives in the past.
            self.git("merge", "-q", "--no-ff", "-m", "Merge", head, cwd=folder)
        self.git("push", "-q", "-f", "origin", f"HEAD:{ref}", cwd=folder)
        return self.git("rev-parse", "HEAD", cwd=folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Host], tuple[Town, Path]]:
    """For each kind of host a town, made once: two people whose names look alike ask, and both are admitted."""
    made: dict[Host, tuple[Town, Path]] = {}

    def make(host: Host) -> tuple[Town, Path]:
        if host not in made:
            folder = tmp_path_factory.mktemp(host.value)
            town = Town(folder)
            ana = town.found("ana")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(house_pins, "find_pin", lambda: PIN)
                ana.run("doctor", "forge", "--write", "--host", host.value, "--yes")
            ana.run("registry", "use", "heart", "--merge", "manual")
            for name in ("lab-x", "labx", "waiting"):
                town.ask(name)
            for name in ("lab-x", "labx"):
                ana.run("admit", name, "--yes")
            made[host] = town, folder
        return made[host]

    return make


@pytest.fixture
def hosted(request: pytest.FixtureRequest, template: Callable[[Host], tuple[Town, Path]], tmp_path: Path) -> Hosted:
    """The registry at the host that the test asks for (GitHub's where it does not say)."""
    host = getattr(request, "param", Host.GITHUB)
    town, _ = template(host)
    slug = "heart.git" if host is Host.GITLAB else "heart"
    repository = tmp_path / "forge" / "owner" / slug
    shutil.copytree(town.repository, repository)
    shutil.rmtree(repository / "hooks")
    subprocess.run(
        ["git", f"--git-dir={repository}", "config", "uploadpack.allowAnySHA1InWant", "true"],
        check=True,
        env=git_environ(),
    )
    (tmp_path / "scratch").mkdir()
    return Hosted(host, town, repository, tmp_path / "scratch")


def proposal_of(hosted: Hosted, member: str) -> str:
    """Return the commit of the open proposal that introduces a member."""
    listed = hosted.git("for-each-ref", "--format=%(objectname)", "refs/heads/submit").split()
    (found,) = [one for one in listed if f"members/{member}/" in hosted.git("ls-tree", "-r", "--name-only", one)]
    return found
