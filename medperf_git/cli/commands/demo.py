"""Play the whole story on this machine, or look at a recording of it."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.output import echo_text, echo_wrapped, say
from medperf_git.cli.session import now
from medperf_git.errors import EnvironmentProblem

if TYPE_CHECKING:
    from medperf_git.flows.recorded import Recording

_FOLDER = "medperf-git-demo"


@click.command()
@click.option("--recorded", is_flag=True, help="Look at a recorded run instead: needs no engine and some seconds.")
@click.option("--out", type=click.Path(path_type=Path), default=_FOLDER, show_default=True, help="Where to play.")
@click.option("--no-open", is_flag=True, help="Do not open the leaderboard in the browser.")
def demo(*, recorded: bool, out: Path, no_open: bool) -> int:
    """Play a whole federated evaluation on this machine: three hospitals, four models, one registry.

    It builds the containers and needs Docker on Linux. With --recorded nothing is run: the registry of an earlier run
    is judged from its first commit on, its leaderboard built and opened, and then one byte of it is changed.
    Everybody's keys and state lie in the folder of the demo, which the next demo there empties; yours are not touched.
    """
    from medperf_git.flows.demo_folder import refuse_others  # noqa: PLC0415

    out = refuse_others(out.resolve())
    if recorded:
        return _recorded(out, opens=not no_open)
    from medperf_git.flows.played import play  # noqa: PLC0415

    code, site = play(out, environ=os.environ)
    if code == 0 and not no_open:
        _open(site)
    return code


def _recorded(folder: Path, *, opens: bool) -> int:
    """Look at the recording: audit, leaderboard, and the refusal of one changed byte."""
    from medperf_git.flows.demo_folder import make_empty  # noqa: PLC0415
    from medperf_git.flows.recorded import commit_it, recording, turn_one_digit, unpack  # noqa: PLC0415

    began = time.monotonic()
    told, registry = recording(), folder / "registry.git"
    _say_what(told)
    make_empty(folder)
    unpack(told, registry)
    for words in (
        ("registry", "add", f"{registry.name}#{told.registry}"),
        ("audit",),
        ("leaderboard", "show", told.benchmark),
        ("leaderboard", "build", "--out", str(folder / "site")),
    ):
        _type(folder, *words)
    site = folder / "site" / "index.html"
    if opens:
        _open(site)
    turned = turn_one_digit(registry, folder / "changed")
    _tell(
        f"Somebody changes one digit of a result that a hospital signed: “{turned.before}” becomes “{turned.after}” in "
        f"{turned.path}."
    )
    _type(folder, "verify", str(turned.file), code=5)
    commit_it(registry, turned, at=now())
    _tell("Somebody who holds the Git host commits it to main as well, past every check. A reader fetches:")
    _type(folder, "sync", code=5)
    _tell(
        f"Refused both times, and the reader keeps what was signed. That took {time.monotonic() - began:.0f} s. "
        "`medperf-git demo` plays all of it anew, with containers."
    )
    echo_text(f"The leaderboard is here: {site}")
    return 0


def _say_what(told: "Recording") -> None:
    echo_text("This is a recording.", bold=True)
    echo_wrapped(
        f"Its registry was made on {told.played} by the commands of the demo on {told.machine}, with {told.software}. "
        f"{told.data} What you see now is computed here, from its commits: nothing below is recorded but the registry."
    )


def _tell(text: str) -> None:
    echo_text()
    echo_wrapped(text)


def _type(folder: Path, *words: str, code: int = 0) -> None:
    """Show a command, run it as a person with a state folder of the demo's own, and show what it says."""
    echo_text()
    echo_text("$ medperf-git " + shlex.join(word.replace(f"{folder}{os.sep}", "") for word in words), bold=True)
    environment = {**os.environ, "MEDPERF_GIT_HOME": str(folder / "reader")}
    for name in ("MEDPERF_GIT_REGISTRY", "MEDPERF_GIT_TOKEN"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-m", "medperf_git", *words], env=environment, cwd=folder, check=False)
    if done.returncode != code:
        hint = "see what it said above; run `medperf-git doctor`"
        raise EnvironmentProblem(f"this ended with exit code {done.returncode}, not {code}", hint=hint)


def _open(site: Path) -> None:
    from medperf_git.flows.opening import Page, show  # noqa: PLC0415

    if not show(Page(site.as_uri())):
        say("no browser could be opened here; open the page yourself")
