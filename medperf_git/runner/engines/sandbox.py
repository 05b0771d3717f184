"""A step as the Docker API's container configuration: the sandbox, in one place.

Strict: no network, read-only root, no capability, no new privileges, the engine's default seccomp profile, not
root, own IPC, caps on memory, swap, processor, processes, open files and file size. Compat differs in the user
(0, still without capabilities) and in a writable root layer. Nothing a record says can switch any of it off.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from medperf_git.errors import Refused
from medperf_git.records.mounts import TMP, covers_the_system, inside
from medperf_git.runner.engine import Bind, StepSpec, User
from medperf_git.runner.mounts import check_mounts

_DENIED = re.compile(
    r"LD_.*|NVIDIA_.*|CUDA_.*|.*_PROXY|PATH|HOME|TMPDIR|XDG_.*|DOCKER_.*|GLIBC_TUNABLES|MALLOC_.*|BASH_ENV|ENV"
    r"|IFS|PYTHONSTARTUP|NO_PROXY",
    re.IGNORECASE,
)
_ALLOWED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_CACHES = {
    "HOME": "/tmp",  # noqa: S108  (a path inside the container, fresh for each step)
    "TMPDIR": "/tmp",  # noqa: S108
    "XDG_CACHE_HOME": "/tmp/.cache",  # noqa: S108
    "XDG_CONFIG_HOME": "/tmp/.config",  # noqa: S108
    "XDG_DATA_HOME": "/tmp/.local/share",  # noqa: S108
    "MPLCONFIGDIR": "/tmp/.matplotlib",  # noqa: S108
    "NUMBA_CACHE_DIR": "/tmp/.numba",  # noqa: S108
    "TORCH_HOME": "/tmp/.torch",  # noqa: S108
    "TRITON_CACHE_DIR": "/tmp/.triton",  # noqa: S108
    "HF_HOME": "/tmp/.huggingface",  # noqa: S108
    "KERAS_HOME": "/tmp/.keras",  # noqa: S108
    "CUPY_CACHE_DIR": "/tmp/.cupy",  # noqa: S108
    "PYTHONPYCACHEPREFIX": "/tmp/.pycache",  # noqa: S108
}


def denied_variables(names: Iterable[str]) -> tuple[str, ...]:
    """Return the environment variables that a record may not set."""
    return tuple(name for name in names if not _ALLOWED.fullmatch(name) or _DENIED.fullmatch(name))


def container_body(
    spec: StepSpec,
    user: User,
    *,
    image: Mapping[str, Any],
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """Return the body of `POST /containers/create`; `image` is the image's own `Config`."""
    body: dict[str, Any] = {
        "Image": spec.image_id,
        "User": f"{user.uid}:{user.gid}",
        "Env": environment_of(spec, image),
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": _host(spec, user, image=image),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    return body


def _host(spec: StepSpec, user: User, *, image: Mapping[str, Any]) -> dict[str, Any]:
    limits = spec.limits
    host: dict[str, Any] = {
        "NetworkMode": "none",
        "IpcMode": "private",
        "ReadonlyRootfs": spec.profile.is_closed,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(limits.cpus * 1_000_000_000),
        "PidsLimit": limits.pids,
        "ShmSize": spec.shm_bytes,
        "Ulimits": [
            {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files},
            {"Name": "fsize", "Soft": limits.file_bytes, "Hard": limits.file_bytes},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": {"Type": "none", "Config": {}},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Mounts": _mounts(spec),
        "Tmpfs": _covered_volumes(spec, user, image=image),
    }
    if spec.gpus:
        host["DeviceRequests"] = [_gpus(spec.gpus)]
    return host


def environment_of(spec: StepSpec, image: Mapping[str, Any]) -> list[str]:
    """Return the environment as `NAME=value`; a bare name takes the image's own variable away."""
    if denied := denied_variables(name for name, _ in spec.environment):
        raise Refused(
            f"the task sets environment variables that no container may set: {', '.join(denied)}",
            hint="ask the container's owner to remove them from `environment` and register a new version",
        )
    values = {**_CACHES, **dict(spec.environment)}
    if not spec.gpus:
        values["NVIDIA_VISIBLE_DEVICES"] = "void"
    own = {line.partition("=")[0] for line in image.get("Env") or ()}
    # A name without "=" takes the image's own variable away: host-side GPU hooks have run with it (CVE-2025-23266).
    removed = sorted(name for name in own if re.fullmatch(r"LD_.*|.*_PROXY", name, re.IGNORECASE) and spec.gpus)
    return [f"{name}={value}" for name, value in sorted(values.items())] + removed


def _mounts(spec: StepSpec) -> list[dict[str, Any]]:
    check_mounts([(bind.key, bind.inside) for bind in spec.binds])
    return [_mount(bind) for bind in spec.binds] + [_temporary(spec)]


def _mount(bind: Bind) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(bind.host),
        "Target": inside(bind.inside),
        "ReadOnly": bind.read_only,
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }


def _temporary(spec: StepSpec) -> dict[str, Any]:
    options = {"Propagation": "rprivate", "NonRecursive": True}
    return {"Type": "bind", "Source": str(spec.scratch), "Target": TMP, "ReadOnly": False, "BindOptions": options}


def _covered_volumes(spec: StepSpec, user: User, *, image: Mapping[str, Any]) -> dict[str, str]:
    bound = {inside(bind.inside) for bind in spec.binds} | {TMP}
    volumes = {inside(path) for path in image.get("Volumes") or ()} - bound
    if hopeless := sorted(filter(covers_the_system, volumes)):
        raise Refused(
            f"the image declares a volume at {hopeless[0]}, which cannot be covered",
            hint="ask the container's owner to build the image without that VOLUME",
        )
    options = f"rw,nosuid,nodev,exec,size={spec.limits.volume_bytes},uid={user.uid},gid={user.gid},mode=0700"
    return dict.fromkeys(sorted(volumes), options)


def _gpus(granted: str) -> dict[str, Any]:
    if granted == "all":
        return {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}
    return {"Driver": "", "DeviceIDs": granted.split(","), "Capabilities": [["gpu"]]}
