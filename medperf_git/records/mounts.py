"""Where inside a container a task may have its folders: nowhere over the system, over `/tmp`, or inside each other."""

import posixpath
from collections.abc import Iterable, Sequence

TMP = "/tmp"  # noqa: S108  (a path inside the container, fresh for each step)
_SYSTEM = frozenset({"/", "/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/sbin"})
_KERNEL = ("/proc/", "/sys/", "/dev/")


def inside(path: str) -> str:
    """Return an absolute path inside a container in its one form."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else path


def mount_fault(mounts: Sequence[tuple[str, str]]) -> str:
    """Say why these (mount key, path inside) cannot be mounted beside each other; empty when they can."""
    paths = [(key, inside(path)) for key, path in mounts]
    for key, path in paths:
        if covers_the_system(path) or not path.startswith("/"):
            return f"the task wants {key} mounted at {path}, over a part of the system"
        if path == TMP:
            return f"the task wants {key} mounted at {TMP}, which is always a fresh folder"
    for number, (key, path) in enumerate(paths):
        for other, there in paths[number + 1 :]:
            if path == there:
                return f"the task wants {key} and {other} both mounted at {path}"
    for key, path in paths:
        # The engine would make the mount point, and so write into the data or into the outputs.
        if within := _within(path, paths):
            return f"the task wants {within} mounted inside its {key}, at {path}"
    return ""


def covers_the_system(path: str) -> bool:
    """Tell whether something mounted there would take a part of the system's own place."""
    return path in _SYSTEM or path.startswith(_KERNEL)


def _within(outer: str, paths: Iterable[tuple[str, str]]) -> str:
    return next((key for key, path in paths if path.startswith(outer + "/")), "")
