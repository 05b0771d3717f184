"""Which folders and files of two commits differ, by the ids of Git's trees and no deeper than asked.

The cost follows the difference: a folder with the same id on both sides is not read.

list(iter_differing(Snapshot.at(store, a), Snapshot.at(store, b)))   # → ["results/ana/breast/1/", "registry/0002.yaml"]
"""

from collections.abc import Iterator

from medperf_git.registry.snapshot import Snapshot

DEPTH = 4  # `results/ana/breast/1/`: the folder of one benchmark is told as a whole
DEPTH_OF_NOTICES = 5


def iter_differing(before: Snapshot, after: Snapshot, folder: str = "") -> Iterator[str]:
    """Yield the paths that differ, those of folders with `/` at their end, in order."""
    if before.folder_id(folder) == after.folder_id(folder):
        return
    prefix = f"{folder}/" if folder else ""
    for name in sorted({*before.names(folder), *after.names(folder)}):
        path = prefix + name
        if not name.endswith("/"):
            if before.blob_id(path) != after.blob_id(path):
                yield path
        elif path.count("/") < (DEPTH_OF_NOTICES if path.startswith("notices/") else DEPTH):
            yield from iter_differing(before, after, path[:-1])
        elif before.folder_id(path) != after.folder_id(path):
            yield path
