"""Play something in a process namespace of its own, so that whatever it started and mounted ends with it.

The kernel ends every process of the namespace when its first one ends, and with them go their network namespaces,
cables and mounts. That holds after Ctrl-C, a failure and `kill -9` too. What the kernel keeps are folders: those of the
machines and those of the engines' control groups. They are removed here, as the last thing.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from machines import PLACE, find_missing

CONTROL_GROUPS = Path("/sys/fs/cgroup")
COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "ip": "iproute2",
    "sysctl": "procps",
    "hostname": "hostname",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "git": "git",
    "git-shell": "git",
}
_ISOLATED = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
ENVIRONMENT = 3  # the exit code of the command line for what is missing here
INTERRUPTED = 130
_PATIENCE = 60  # seconds for the last process to be gone


def refusal(*places: Path) -> str:
    """Return why this cannot be played here, and what to do; empty when it can. `places` must not lie in /srv."""
    if sys.platform != "linux":
        return "network namespaces are a part of Linux; play it in a virtual machine with Linux"
    if os.geteuid() != 0:
        return (
            "each cloud gets a network and a container engine of its own, and only root may make them: sudo make clouds"
        )
    if missing := find_missing(COMMANDS):
        return f"something is not installed here: apt-get install {' '.join(missing)}"
    if any(place.resolve().is_relative_to(PLACE) for place in places):
        return f"each cloud has its files in {PLACE}, so this clone and --out must lie elsewhere"
    tried = subprocess.run(
        ["unshare", *_ISOLATED, "mount", "--bind", "/srv", "/srv"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        reason = tried.stderr.strip()
        return f"namespaces cannot be made here ({reason}); a container must be --privileged for it"
    return ""


def play(command: Sequence[str | Path], *, group: str, away: Path) -> int:
    """Run a command in a process namespace of its own; return its exit code.

    Afterwards no process of it is left, no control group below `group`, and no folder `away`.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    # A session of its own: Ctrl-C comes here alone. The death of this program kills it, however it comes.
    words = ["setpriv", "--pdeathsig", "KILL", "unshare", *_ISOLATED, *map(str, command)]
    with subprocess.Popen(words, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            print("\ninterrupted: everything is taken away", file=sys.stderr, flush=True)
            return INTERRUPTED
        finally:
            for impatient in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(impatient, signal.SIG_IGN)
            _end(process)
            sweep(group, away)
            _give_back(away.parent)


def sweep(group: str, away: Path) -> None:
    """Remove control groups and folders; OSError when something holds on to them."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            for found in [*CONTROL_GROUPS.glob(group), *CONTROL_GROUPS.glob(f"*/{group}")]:
                for folder in sorted(found.rglob("*/"), reverse=True):
                    folder.rmdir()
                found.rmdir()
            if away.exists():
                shutil.rmtree(away)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _give_back(folder: Path) -> None:
    """Let what stays belong to whoever said `sudo`."""
    if "SUDO_UID" in os.environ:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]), follow_symlinks=False)


def die_at_once() -> None:
    """Let the first process of the namespace end without a word when it is told to, and everything with it."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(INTERRUPTED))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the first process of the namespace; `unshare` ends when the last one is gone."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)


def _stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (as signal calls it)
    raise KeyboardInterrupt
