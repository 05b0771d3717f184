"""Loud isolation: no test may touch the person's own home, configuration or the network.

`HOME` and `MEDPERF_GIT_HOME` lead into a temporary folder; opening one of the person's private places raises, and so
does a connection to anything but this machine.
"""

import ipaddress
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_REAL_HOME = Path(os.path.expanduser("~")).resolve()  # noqa: PTH111  (before HOME is changed)
_PRIVATE = tuple(
    str(_REAL_HOME / name) for name in (".ssh", ".gitconfig", ".config/git", ".local/share/medperf-git", ".netrc")
)
_guarded = False

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in its background deaf to Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


class TouchedOutside(AssertionError):
    """A test touched what belongs to the person who runs it, or the network."""


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guarded:
        return
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(_PRIVATE):
        raise TouchedOutside(f"a test opened {arguments[0]}")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_local(str(arguments[1][0])):
        raise TouchedOutside(f"a test connected to {arguments[1]}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _isolation(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    global _guarded  # noqa: PLW0603  (an audit hook cannot be removed, only switched off)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MEDPERF_GIT_HOME", str(home / "medperf-git"))
    for name in [name for name in os.environ if name.startswith("GIT_")] + ["SSH_AUTH_SOCK", "MEDPERF_GIT_REGISTRY"]:
        monkeypatch.delenv(name, raising=False)
    if "pygit2" in sys.modules:
        _cut_off_libgit2()
    _guarded = True
    yield
    _guarded = False


def _cut_off_libgit2() -> None:
    """Take every configuration of this machine away from libgit2, which ignores a changed HOME."""
    import pygit2  # noqa: PLC0415  (only where a test loads it)
    from pygit2.enums import ConfigLevel  # noqa: PLC0415

    for level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
