"""How many bytes fetching an image moves: the sum of its layers, by the manifest that its record pins.

Asked of the image registry without credentials, over https, or http to this machine; what does not answer at once, or
answers with other bytes than the pinned manifest, leaves the size unknown. Nothing is fetched but that manifest.
"""

import json
import re
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from medperf_git.records.digests import Digest, digest_of

_SECONDS = 5
_MOST = 4 << 20
_HOME = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")
_HUB = "registry-1.docker.io"
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_FAULTS = (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError)


class ImageSizes:
    """Asks image registries for sizes, and a registry that did not answer not again."""

    def __init__(self) -> None:
        self._silent: set[str] = set()
        self._tokens: dict[tuple[str, str], str] = {}

    def compressed(self, repository: str, manifest: Digest, platform: str) -> int | None:
        """Return the bytes that a fetch moves at most; None where it cannot be known."""
        host, name = _place(repository)
        if host in self._silent:
            return None
        try:
            value = self._manifest(host, name, manifest)
            if "manifests" in value:
                value = self._manifest(host, name, _for_platform(value, platform))
            return sum(int(layer["size"]) for layer in value["layers"])
        except HTTPError:
            return None
        except _FAULTS:
            self._silent.add(host)
            return None

    def _manifest(self, host: str, name: str, digest: Digest) -> dict[str, Any]:
        scheme = "http" if _HOME.fullmatch(host) else "https"
        url = f"{scheme}://{host}/v2/{urllib.parse.quote(name)}/manifests/{digest}"
        data = self._read(url, host, name)
        value = json.loads(data)
        if digest_of(data) != digest or not isinstance(value, dict):
            raise ValueError("another manifest")
        return value

    def _read(self, url: str, host: str, name: str) -> bytes:
        try:
            return _got(url, self._tokens.get((host, name), ""))
        except HTTPError as refused:
            challenge = refused.headers.get("WWW-Authenticate", "")
            if refused.code != 401 or not challenge.lower().startswith("bearer"):
                raise
        self._tokens[host, name] = token = _token(dict(_CHALLENGE.findall(challenge)), name)
        return _got(url, token)


def _got(url: str, token: str) -> bytes:
    headers = {"Accept": _ACCEPT} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (the scheme is fixed by the callers)
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        data: bytes = answer.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError("a manifest is small")
    return data


def _token(challenge: dict[str, str], name: str) -> str:
    realm = challenge["realm"]
    if not realm.startswith("https://"):
        raise ValueError("tokens are asked for over https")
    asked = {"service": challenge.get("service", ""), "scope": f"repository:{name}:pull"}
    value = json.loads(_got(f"{realm}?{urllib.parse.urlencode(asked)}", ""))
    return str(value.get("token") or value["access_token"])


def _for_platform(index: dict[str, Any], platform: str) -> Digest:
    for entry in index["manifests"]:
        found = entry.get("platform", {})
        if platform.startswith(f"{found.get('os')}/{found.get('architecture')}"):
            return Digest(entry["digest"])
    raise KeyError(platform)


def _place(repository: str) -> tuple[str, str]:
    """Return the host that serves a repository, and its name there."""
    head, slash, rest = repository.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return (_HUB, rest if "/" in rest else f"library/{rest}") if head.endswith("docker.io") else (head, rest)
    return _HUB, repository if slash else f"library/{repository}"
