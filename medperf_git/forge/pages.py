"""Where a browser shows a file of a registry: one pattern for each kind of host."""

from collections.abc import Mapping
from urllib.parse import quote

from medperf_git.forge.browser import web_page
from medperf_git.forge.host import Host
from medperf_git.registry.remotes import Remote, Transport

_FILE: Mapping[Host, str] = {
    Host.GITHUB: "{page}/blob/main/{path}",
    Host.GITLAB: "{page}/-/blob/main/{path}",
    Host.FORGEJO: "{page}/src/branch/main/{path}",
    Host.PAGURE: "{page}/blob/main/f/{path}",
}


def file_page(host: Host, url: str, path: str) -> str | None:
    """Return the address of the page of a file on main, None where the host has no pages (plain Git)."""
    pattern = _FILE.get(host)
    if pattern is None or Remote.parse(url).transport is Transport.PATH:  # a folder has no page, whatever was said
        return None
    return pattern.format(page=web_page(url), path=quote(path))
