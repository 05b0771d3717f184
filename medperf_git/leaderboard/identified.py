"""A view of records that can tell by an id whether a file or a folder is what it was."""

from typing import Protocol, TypeGuard

from medperf_git.records.view import RecordView


class IdentifiedView(RecordView, Protocol):
    """Records whose files and folders have ids: equal ids, equal content, however deep."""

    def blob_id(self, path: str) -> bytes | None:
        """Return the id of a file, None where there is none."""
        ...

    def folder_id(self, folder: str) -> bytes | None:
        """Return the id of a folder, None where there is none."""
        ...


def has_ids(view: RecordView) -> TypeGuard[IdentifiedView]:
    """Tell whether a view knows ids."""
    return hasattr(view, "blob_id") and hasattr(view, "folder_id")
