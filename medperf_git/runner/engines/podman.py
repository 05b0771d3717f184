"""What is particular to Podman behind the Docker API: where it listens, how it is started, what its answers lack."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SOCKETS = ("{runtime}/podman/podman.sock", "/run/podman/podman.sock")
_MOST_PROCESSES = 32_768


def address(environ: Mapping[str, str] | None = None) -> str:
    """Return where Podman's service listens, or would: CONTAINER_HOST, else the user's own socket or the system's."""
    environ = os.environ if environ is None else environ
    if given := environ.get("CONTAINER_HOST", ""):
        return given
    places = [Path(pattern.format(runtime=_runtime_folder(environ))) for pattern in _SOCKETS]
    if os.getuid() == 0:
        places.reverse()
    return f"unix://{next((place for place in places if place.exists()), places[0])}"


def how_to_start(where: str, *, has_systemd: bool | None = None) -> str:
    """Return the one command that makes Podman's service answer."""
    if has_systemd is None:
        has_systemd = Path("/run/systemd/system").is_dir()
    if has_systemd:
        return f"start its service: systemctl {'' if os.getuid() == 0 else '--user '}start podman.socket"
    folder = Path(where.removeprefix("unix://")).parent
    return f"start its service: mkdir -p {folder} && podman system service --time=0 {where} &"


def adapt(body: dict[str, Any], *, rootless: bool) -> dict[str, Any]:
    """Return a container's configuration as Podman takes it.

    Rootless, the user keeps its number inside. Where a list of ulimits is given and processes are not in it, Podman
    asks for more of these than a service may have, so they are always named. A covered volume belongs to nobody in
    particular, for Podman 4 takes no owner of it, and is as empty as it is elsewhere.
    """
    host = body["HostConfig"]
    allowed = _own_limit()
    ulimits = [*host["Ulimits"], {"Name": "nproc", "Soft": allowed, "Hard": allowed}]
    volumes = {path: _without_owner(options) for path, options in host["Tmpfs"].items()}
    changes: dict[str, Any] = {"Ulimits": ulimits, "Tmpfs": volumes}
    if rootless:
        changes["UsernsMode"] = "keep-id"
    return body | {"HostConfig": host | changes}


def _without_owner(options: str) -> str:
    kept = [option for option in options.split(",") if not option.startswith(("uid=", "gid=", "mode="))]
    return ",".join([*kept, "mode=1777", "notmpcopyup"])


def _own_limit() -> int:
    import resource  # noqa: PLC0415  (not there on Windows)

    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return _MOST_PROCESSES if hard == resource.RLIM_INFINITY else min(hard, _MOST_PROCESSES)


def _runtime_folder(environ: Mapping[str, str]) -> str:
    return environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
