"""Which adapter speaks to an address: one table, one decision.

A path, or a host that is no forge, is plain Git. A forge is spoken to through its interface where there is a token
for it, and otherwise by push and web page.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.forge.api import Api
from medperf_git.forge.browser import Browser, web_page
from medperf_git.forge.credentials import Token, find_credential, find_token
from medperf_git.forge.faults import Surroundings
from medperf_git.forge.gathering import heads_of
from medperf_git.forge.guard import Guard
from medperf_git.forge.host import Host, api_of, host_of
from medperf_git.forge.patience import Patience
from medperf_git.forge.plain import PlainGit
from medperf_git.forge.port import Forge, Request
from medperf_git.forge.pulls import Pulls
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Access

# Where each interface is spoken: module and class, and the extra that brings its library.
ADAPTERS: Mapping[Host, tuple[str, str, str]] = {
    Host.GITHUB: ("medperf_git.forge.github", "GitHub", "github"),
    Host.GITLAB: ("medperf_git.forge.gitlab", "GitLab", "gitlab"),
    Host.FORGEJO: ("medperf_git.forge.forgejo", "Forgejo", ""),
    Host.PAGURE: ("medperf_git.forge.pagure", "Pagure", ""),
}
# Where a registry's own repository shows the heads of its pull requests.
HEADS: Mapping[Host, str] = {
    Host.GITHUB: "refs/pull/*/head",
    Host.GITLAB: "refs/merge-requests/*/head",
    Host.FORGEJO: "refs/pull/*/head",
    Host.PAGURE: "refs/pull/*/head",
}
MOST_HEADS = 100  # open or not: without an interface nobody tells
Say = Callable[[str], None]


def forge_for(
    url: str,
    environ: Mapping[str, str],
    *,
    host: Host | None = None,
    fork: str | None = None,
    patience: Patience | None = None,
    say: Say = lambda _: None,
) -> Forge:
    """Return the adapter for an address; UsageProblem when the address is not allowed.

    `host` is what stands there, where it is known; `fork` the address of a fork made by hand, for the browser;
    `patience` how long its interface is waited for.
    """
    remote, patience = Remote.parse(url), patience or Patience()
    kind = host or host_of(url)
    if kind is Host.PLAIN or remote.transport is Transport.PATH:
        return PlainGit(remote, Access(credential=find_credential(remote, environ)))
    token = None if fork else find_token(remote, kind, environ)
    if token is not None and (api := open_api(kind, remote, token, environ, say=say)) is not None:
        page = web_page(url)
        return Pulls(remote, kind, api, slug_of(page), page, token, say, patience)
    return _browser(remote, kind, environ, fork=fork, patience=patience, say=say)


def open_api(
    host: Host, remote: Remote, token: Token | None, environ: Mapping[str, str], *, say: Say = lambda _: None
) -> Api | None:
    """Return the interface of a forge; None, and a word on it, where its library is not installed."""
    if host not in ADAPTERS:
        return None
    module, name, extra = ADAPTERS[host]
    try:
        adapter = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        if not extra or (missing.name or "").startswith("medperf_git"):
            raise
        if token is not None:
            say(f"note: without `pip install 'medperf-git[{extra}]'` proposals are opened in the browser")
        return None
    api: Api = adapter.open(api_of(host, web_page(remote.url)), token.secret if token else "", environ)
    return api


def slug_of(page: str) -> str:
    """Return what a forge calls the repository of a page."""
    return page.split("/", 3)[3].strip("/")


def _browser(
    remote: Remote, host: Host, environ: Mapping[str, str], *, fork: str | None, patience: Patience, say: Say
) -> Browser:
    own = _fork_at(fork, remote) if fork else None
    access = Access(credential=find_credential(remote, environ, host))
    own_access = Access(credential=find_credential(own, environ, host)) if own else access
    page = web_page(remote.url)

    def listed(limit: int) -> Sequence[Request]:
        """Ask the interface as anybody may; where there is none or it does not answer, the refs tell the heads."""
        api = open_api(host, remote, None, environ)
        guard = Guard(Surroundings(host, page.split("/")[2], page=page), patience)
        try:
            if api is not None:
                return guard.read("list the pull requests", lambda: api.open_requests(slug_of(page), limit))
        except EnvironmentProblem:
            pass
        return heads_of(remote, HEADS[host], access, min(limit, MOST_HEADS)) if host in HEADS else ()

    return Browser(remote, access, host, own, own_access, listed, say)


def _fork_at(address: str, registry: Remote) -> Remote:
    """Return where a fork lies; UsageProblem where a token would be said to another host than the registry's."""
    fork = Remote.parse(address)
    names = {urlsplit(web_page(one.url)).netloc for one in (fork, registry) if one.transport is not Transport.PATH}
    if fork.transport is Transport.HTTPS and len(names) > 1:
        hint = "give the address of a fork at the registry's own host, as its page shows it, or one by SSH"
        raise UsageProblem(f"no fork of {registry.url} lies at another host: {address}", hint=hint)
    return fork
