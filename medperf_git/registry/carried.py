"""Git bundles (gitformat-bundle(5)): proposals in one file, for a way on which Git cannot go itself."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.commits import proposal_ref, set_ref
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import build_environment, clean, fetch, light_depth

CARRIED = "refs/carried/"
MOST_BYTES = 256 * 1024 * 1024
_SECONDS = 120
_FIRST_LINE = b"# v2 git bundle\n"  # later versions may say that they leave objects out


def write_bundle(store: Store, out: Path, proposals: Mapping[str, str], *, base: str) -> None:
    """Write the commits of proposals (id → commit) beyond `base` to one file; the reader needs to have `base`."""
    refs = {proposal_ref(proposal): commit for proposal, commit in proposals.items()}
    for ref, commit in refs.items():
        set_ref(store, ref, commit)
    try:
        _create(store.path, out, [*refs, f"^{base}"])
    finally:
        for ref in refs:
            set_ref(store, ref, None)


def fetch_carried(copy: Path, file: Path) -> dict[str, str]:
    """Bring what a bundle holds into `copy`, checked by Git itself; return id → commit.

    EnvironmentProblem: it is no bundle, is damaged, or continues from commits that are not here.
    """
    if light_depth(copy) is not None:
        hint = "run `medperf-git sync --full` first: a file cannot be asked for what a light copy lacks"
        raise UsageProblem("a light copy takes in no bundle", hint=hint)
    _refuse_other_files(file)
    store = Store.open(copy)
    for name in store.refs(CARRIED):
        set_ref(store, name, None)
    fetch(copy, Remote.at_path(file), [f"+refs/heads/submit/*:{CARRIED}*"])
    store = Store.open(copy)
    return {name.removeprefix(CARRIED): commit for name, commit in store.refs(CARRIED).items()}


def _refuse_other_files(file: Path) -> None:
    """Refuse what Git would read from this path and we never wrote: a pointer to a repository, a bundle with gaps."""
    with file.open("rb") as opened:
        if opened.read(len(_FIRST_LINE)) != _FIRST_LINE:
            hint = "give the file that `medperf-git submit --no-push` wrote"
            raise EnvironmentProblem("it is no Git bundle that this client writes", hint=hint)


def _create(copy: Path, out: Path, revisions: list[str]) -> None:
    command = ["git", f"--git-dir={copy.absolute()}", "bundle", "create", "--quiet", str(out.absolute()), *revisions]
    environment = build_environment(os.environ, Remote.at_path(copy))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd="/", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentProblem("the git command does not end or start", hint="install Git 2.30 or later") from error
    if done.returncode != 0:
        said = clean(" / ".join(done.stderr.split("\n")))[-500:]
        raise EnvironmentProblem(f"cannot write {out}: {said}", hint="check that you may write there")
