"""What kind of host an address leads to: a closed list, and how a name tells."""

from enum import StrEnum

from medperf_git.registry.remotes import Remote, Transport


class Host(StrEnum):
    """What stands behind the address of a registry."""

    PLAIN = "plain"
    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"
    PAGURE = "pagure"


_NAMES = {
    "github": Host.GITHUB,
    "gitlab": Host.GITLAB,
    "forgejo": Host.FORGEJO,
    "gitea": Host.FORGEJO,
    "codeberg": Host.FORGEJO,
    "pagure": Host.PAGURE,
}


def host_of(url: str) -> Host:
    """Tell what kind of host an address leads to, by its name; `plain` where the name says nothing."""
    remote = Remote.parse(url)
    if remote.transport is Transport.PATH:
        return Host.PLAIN
    bare = remote.url.partition("://")[2] or remote.url
    name = bare.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
    return next((host for word, host in _NAMES.items() if word in name.split(".")), Host.PLAIN)
