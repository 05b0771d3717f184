"""What kind of host an address leads to: a closed list, and how a name tells."""

from enum import StrEnum
from typing import assert_never
from urllib.parse import urlsplit

from medperf_git.registry.remotes import Remote, Transport


class Host(StrEnum):
    """What stands behind the address of a registry."""

    PLAIN = "plain"
    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"
    PAGURE = "pagure"
    OTHER = "other"  # a forge that we know no interface of


_NAMES = {
    "github": Host.GITHUB,
    "ghe": Host.GITHUB,  # NAME.ghe.com
    "gitlab": Host.GITLAB,
    "forgejo": Host.FORGEJO,
    "gitea": Host.FORGEJO,
    "codeberg": Host.FORGEJO,
    "pagure": Host.PAGURE,
    "bitbucket": Host.OTHER,
}


def host_of(url: str) -> Host:
    """Tell what kind of host an address leads to, by its name; `plain` where the name says nothing."""
    remote = Remote.parse(url)
    if remote.transport is Transport.PATH:
        return Host.PLAIN
    bare = remote.url.partition("://")[2] or remote.url
    name = bare.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
    return next((host for word, host in _NAMES.items() if word in name.split(".")), Host.PLAIN)


def api_of(host: Host, page: str) -> str:
    """Return the address of the REST interface that belongs to a repository's page."""
    parts = urlsplit(page)
    place = f"{parts.scheme}://{parts.netloc}"
    match host:
        case Host.GITHUB:
            hosted = parts.netloc == "github.com" or parts.netloc.endswith(".ghe.com")
            return f"https://api.{parts.netloc}" if hosted else f"{place}/api/v3"
        case Host.GITLAB:
            return f"{place}/api/v4"
        case Host.FORGEJO:
            return f"{place}/api/v1"
        case Host.PAGURE:
            return f"{place}/api/0"
        case Host.PLAIN | Host.OTHER:
            raise ValueError(host)
        case _:
            assert_never(host)
