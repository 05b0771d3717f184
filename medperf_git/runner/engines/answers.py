"""What an engine's answers mean: who it is, which image a name stands for."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import Bind, EngineInfo
from medperf_git.runner.engines import preflight


def repository_of(reference: str) -> str:
    """Return an image reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def manifest_of(reference: str, repo_digests: Iterable[str]) -> Digest | None:
    """Return the manifest digest under which the image lies in the repository of `reference`, None when in none.

    An image may lie in several image registries, each with a manifest of its own.
    """
    wanted = full_name(repository_of(reference))
    found = (text.rpartition("@") for text in repo_digests)
    return next((Digest(digest) for name, _, digest in found if full_name(name) == wanted), None)


def full_name(repository: str) -> str:
    """Return a repository in full, with the registry and the library that Docker leaves out."""
    head, slash, _ = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    if head in ("docker.io", "index.docker.io"):
        rest = repository.partition("/")[2]
        return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"
    return repository if "." in head or ":" in head or head == "localhost" else f"docker.io/{repository}"


def engine_info(name: str, info: dict[str, Any], version: dict[str, Any]) -> EngineInfo:
    """Read the engine's own words; Refused when a part of it has a known way out of a container."""
    parts = [_part(part) for part in version.get("Components") or () if part.get("Version")]
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
        rootless=bool(info.get("Rootless")) or any("rootless" in option for option in options),
        root=Path(info["DockerRootDir"]) if info.get("DockerRootDir") else None,
        warnings=tuple(f"{suspicion.sentence}, unless your distribution mended it" for suspicion in found),
    )


def refuse_unshared(said: str, binds: Iterable[Bind]) -> None:
    """Raise EnvironmentProblem when a start failed because the engine does not see this machine's folders.

    An engine in a virtual machine (Docker Desktop), or on another one, sees only what is shared with it.
    """
    if not re.search(
        r"bind source path does not exist|not shared from the host|[Mm]ounts denied|statfs .* no such", said
    ):
        return
    for bind in binds:
        if str(bind.host) in said and bind.host.exists():
            raise EnvironmentProblem(
                f"{bind.host} is here, and the container engine does not see it",
                hint="share that folder with the engine (Docker Desktop: Settings, Resources, File sharing; WSL2: keep "
                "it inside the Linux file system), or move it; MEDPERF_GIT_HOME says where the tool's own folder is",
            )


def _part(part: dict[str, Any]) -> tuple[str, str]:
    """Return name and version of a part; a package's version, where it is told, says more than the part's own.

    Docker puts it (on Debian) where others have a commit; Podman names its runtime in brackets, with the package.
    """
    name, version, details = str(part.get("Name", "")), str(part["Version"]), part.get("Details") or {}
    if bracketed := re.search(r"\(([a-z]+)\)", name):
        name = bracketed[1]
        package = str(details.get("Package", "")).partition("_")[2].rpartition("_")[0]
        told = re.search(r"version (\S+)", version)
        return name, package or (told[1] if told else version)
    commit = str(details.get("GitCommit", ""))
    return name, commit if commit.startswith(version) else version
