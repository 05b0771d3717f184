"""The house files of a registry: its README, and by what a forge judges proposals, merges them and shows main.

They are data, below `medperf_git/_house/`, one folder for each kind of host, each file where it will lie. No
proposal is checked out and none of it is executed; the validator is the one that main pins by hash
(`house_pins`); values travel by environment variables; no job has a secret.

house_files("Heart", host=host_of(url), pins=render_pins(find_pin()))
"""

from enum import StrEnum
from importlib import resources
from pathlib import Path

from medperf_git.registry.remotes import Remote, Transport


class Host(StrEnum):
    """What stands behind the address of a registry."""

    PLAIN = "plain"
    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"


# GitLab's own folder would be no house file, so its pins lie where GitHub's do.
PINS = {
    Host.GITHUB: ".github/medperf-git.txt",
    Host.GITLAB: ".github/medperf-git.txt",
    Host.FORGEJO: ".forgejo/medperf-git.txt",
}
_NAMES = {
    "github": Host.GITHUB,
    "gitlab": Host.GITLAB,
    "forgejo": Host.FORGEJO,
    "gitea": Host.FORGEJO,
    "codeberg": Host.FORGEJO,
}


def host_of(url: str) -> Host:
    """Tell what kind of host an address leads to, by its name; `plain` where the name says nothing."""
    remote = Remote.parse(url)
    if remote.transport is Transport.PATH:
        return Host.PLAIN
    bare = remote.url.partition("://")[2] or remote.url
    name = bare.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
    return next((host for word, host in _NAMES.items() if word in name.split(".")), Host.PLAIN)


def house_files(title: str, *, host: Host = Host.PLAIN, pins: bytes = b"") -> dict[str, bytes]:
    """Return the house files for a host: path → bytes; a plain repository has its README only."""
    files = {"README.md": _template(Path("README.md")).replace(b"@TITLE@", _heading(title))}
    if host is Host.PLAIN:
        return files
    folder = template_folder() / host.value
    for place in sorted(folder.rglob("*")):
        if place.is_file():
            files[place.relative_to(folder).as_posix()] = place.read_bytes()
    return files | {PINS[host]: pins}


def template_folder() -> Path:
    """Return the folder of the templates."""
    return Path(str(resources.files("medperf_git"))) / "_house"


def _template(path: Path) -> bytes:
    return (template_folder() / path).read_bytes()


def _heading(title: str) -> bytes:
    return " ".join(title.split()).encode()
