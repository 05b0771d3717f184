"""What an engine's answers mean: who it is, how a fetch went, where Podman listens."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import EngineInfo, ImageUnavailable
from medperf_git.runner.engines import preflight

_PODMAN_SOCKETS = ("{runtime}/podman/podman.sock", "/run/podman/podman.sock")


def consume(events: Any, name: str) -> None:
    """Read a progress stream to its end; ImageUnavailable when it reports an error."""
    for event in events:
        record = json.loads(event) if isinstance(event, bytes | str) else event
        if isinstance(record, dict) and record.get("error"):
            raise ImageUnavailable(
                f"the engine could not take {name}: {record['error']}",
                hint="check the network, the disk and that you may read this image registry (docker login)",
            )


def repository_of(reference: str) -> str:
    """Return an image reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def manifest_of(reference: str, repo_digests: Iterable[str]) -> Digest | None:
    """Return the manifest digest under which the image lies in the repository of `reference`, None when in none.

    An image may lie in several image registries, each with a manifest of its own.
    """
    wanted = _full_name(repository_of(reference))
    found = (text.rpartition("@") for text in repo_digests)
    return next((Digest(digest) for name, _, digest in found if _full_name(name) == wanted), None)


def _full_name(repository: str) -> str:
    """Return a repository with the registry and the library that Docker leaves out."""
    head, slash, _ = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    if head in ("docker.io", "index.docker.io"):
        rest = repository.partition("/")[2]
        return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"
    return repository if "." in head or ":" in head or head == "localhost" else f"docker.io/{repository}"


def podman_address() -> str:
    """Return where Podman's API socket is, or would be."""
    if address := os.environ.get("CONTAINER_HOST", ""):
        return address
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/run/nowhere")
    paths = [Path(pattern.format(runtime=runtime)) for pattern in _PODMAN_SOCKETS]
    return f"unix://{next((path for path in paths if path.exists()), paths[-1])}"


def engine_info(name: str, info: dict[str, Any], version: dict[str, Any]) -> EngineInfo:
    """Read the engine's own words; Refused when a part of it has a known way out of a container."""
    parts = [
        (
            part.get("Name", ""),
            (part.get("Details") or {}).get("GitCommit", "") if _is_version(part) else part["Version"],
        )
        for part in version.get("Components") or ()
        if part.get("Version")
    ]
    found = preflight.suspicions(parts)
    if certain := [suspicion.sentence for suspicion in found if suspicion.certain]:
        raise Refused(
            f"a container can break out of this engine: {'; '.join(certain)}",
            hint="update the container engine and its runtime (runc), then repeat",
        )
    options = info.get("SecurityOptions") or []
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(info["Architecture"], info["Architecture"])
    return EngineInfo(
        name=name,
        version=str(version["Version"]),
        identity=str(info.get("ID") or info.get("Name") or name),
        cpus=int(info["NCPU"]),
        memory_bytes=int(info["MemTotal"]),
        platform=f"{info.get('OSType', 'linux')}/{architecture}",
        security=(
            *sorted(map(str, options)),
            *(f"{key}={info.get(key)}" for key in ("CgroupVersion", "CgroupDriver", "DefaultRuntime", "KernelVersion")),
        ),
        rootless=any("rootless" in option for option in options),
        warnings=tuple(f"{suspicion.sentence}, unless your distribution mended it" for suspicion in found),
    )


def _is_version(part: dict[str, Any]) -> bool:
    """Tell whether the part's commit is a package version, which says more than the version itself (Debian)."""
    commit = (part.get("Details") or {}).get("GitCommit", "")
    return bool(commit.startswith(str(part["Version"])))
