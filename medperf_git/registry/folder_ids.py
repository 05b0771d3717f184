"""The ids of folders in one tree: two folders with the same id hold the same files, however deep."""

from collections.abc import Mapping

from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.trees import FOLDER, parse_tree


class FolderIds:
    """Reads each folder that it is asked about once."""

    def __init__(self, store: Store, tree: bytes) -> None:
        self._store = store
        self._tree = tree
        self._known: dict[str, Mapping[str, bytes]] = {}

    def below(self, folder: str) -> Mapping[str, bytes]:
        """Return name and raw id of the folders right below one (`""`: the root); none below one that is absent."""
        if folder not in self._known:
            self._known[folder] = self._read(folder)
        return self._known[folder]

    def of(self, folder: str) -> bytes:
        """Return the raw id of one folder, no bytes when it is absent."""
        parent, _, name = folder.rpartition("/")
        return self.below(parent).get(name, b"")

    def _read(self, folder: str) -> Mapping[str, bytes]:
        raw_id = self.of(folder) if folder else self._tree
        try:
            entries = parse_tree(self._store.tree(raw_id)) if raw_id else []
        except BadObject:
            return {}
        return {name.decode("utf-8", "backslashreplace"): oid for mode, name, oid in entries if mode == FOLDER}
