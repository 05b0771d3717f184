"""Which adapter speaks to an address: one dictionary, one decision."""

from collections.abc import Callable, Mapping

from medperf_git.forge.browser import Browser
from medperf_git.forge.credentials import find_credential
from medperf_git.forge.plain import PlainGit
from medperf_git.forge.port import Forge
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Access

FORGES: dict[str, Callable[[Remote, Access], Forge]] = {PlainGit.name: PlainGit, Browser.name: Browser}

# Hosts whose SSH address leads to a forge and not to a bare repository with our hook.
_FORGE_HOSTS = ("github.", "gitlab.", "codeberg.", "bitbucket.", "gitea.", "forgejo.")


def forge_for(url: str, environ: Mapping[str, str]) -> Forge:
    """Return the adapter for an address; UsageProblem when the address is not allowed."""
    remote = Remote.parse(url)
    name = adapter_name(remote)
    return FORGES[name](remote, Access(credential=find_credential(remote, environ)))


def adapter_name(remote: Remote) -> str:
    """Tell which adapter an address needs: paths and SSH are plain Git, unless the host is a known forge."""
    if remote.transport is Transport.HTTPS:
        return Browser.name
    if remote.transport is Transport.SSH and any(host in remote.url for host in _FORGE_HOSTS):
        return Browser.name
    return PlainGit.name
