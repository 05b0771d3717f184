"""Take over what a preparator left in its work folder: as hostile input, hashed on the way, if there is room for it."""

from collections.abc import Iterable
from pathlib import Path

from medperf_git.errors import ContainerFailed
from medperf_git.runner.collect import Caps, HostileOutput, TakenFile, collect
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault, room_for_containers
from medperf_git.runner.engine import Limits
from medperf_git.runner.manifest import ManifestEntry, Role
from medperf_git.runner.preparation import REPORT, PreparationFolder
from medperf_git.runner.trees import remove_tree
from medperf_git.runner.watch import usage

FOLDERS: dict[str, Role] = {"output_path": "data", "output_labels_path": "labels", "metadata_path": "metadata"}
_HIDDEN = 1 << 60


def take_over(folder: PreparationFolder, limits: Limits) -> list[ManifestEntry]:
    """Copy data, labels, metadata and report out of the work folder, and return the manifest.

    DiskFull before anything is copied when there is no room; ContainerFailed names what is refused.
    """
    _refuse_no_room(folder)
    caps = Caps(files=limits.output_files, total_bytes=limits.output_bytes)
    entries = []
    for key, role in FOLDERS.items():
        remove_tree(folder.path / role)
        if (folder.work / key).exists():
            taken = _collected(folder.work / key, folder.path / role, caps)
            entries += [ManifestEntry(role, file.path, file.size, file.digest) for file in taken]
    report = folder.report_file()
    if report is not None and report.parent != folder.path:
        (folder.path / REPORT).unlink(missing_ok=True)
        _collected(report, folder.path / REPORT, caps)
    return entries


def bytes_of(paths: Iterable[Path]) -> int:
    """Return bytes on disk; what hides counts nothing, and is refused when it is taken over."""
    return sum(size for size, _ in map(usage, paths) if size < _HIDDEN)


def _collected(source: Path, target: Path, caps: Caps) -> tuple[TakenFile, ...]:
    try:
        return collect(source, target, caps=caps)
    except HostileOutput as error:
        remove_tree(target)
        raise ContainerFailed(f"prepare failed: {error.message}", hint=error.hint) from error
    except OSError as error:
        remove_tree(target)
        if is_disk_fault(error):
            raise DiskFull("the disk has no room for a copy of what was prepared", hint=MAKE_ROOM) from error
        raise ContainerFailed(
            f"prepare failed: what it wrote cannot be taken over: {error.strerror}",
            hint="its owner must make it write plain files and folders",
        ) from error


def _refuse_no_room(folder: PreparationFolder) -> None:
    needed = bytes_of(folder.work / key for key in FOLDERS)
    replaced = bytes_of(folder.path / role for role in FOLDERS.values())
    room = room_for_containers(folder.path) + replaced
    if needed > room:
        raise DiskFull(
            f"what was prepared has {needed / 1e9:.1f} GB, and the disk has room for {room / 1e9:.1f} GB more",
            hint=f"{MAKE_ROOM}; or move your datasets to another disk: medperf-git storage move datasets",
        )
