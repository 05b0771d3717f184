"""Carry a prepared dataset to another machine of the same site, with all that is known about it: export, import.

The archive holds the data, the salt of a commitment and the report of the preparator. It is as private as the data.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.context import Context
from medperf_git.flows.prepared import Prepared, datasets_folder, find_prepared, iter_prepared, prepared_at
from medperf_git.flows.unchanged import refuse_changed, telling
from medperf_git.records.digests import is_digest
from medperf_git.records.names import Ref, name_fault
from medperf_git.runner.dataset_archive import Head, pack, read_head, unpack_dataset
from medperf_git.runner.durable import locked, read_json, sync_folder
from medperf_git.runner.manifest import digest_of_entries, manifest_of
from medperf_git.runner.preparation import MANIFEST, read_manifest
from medperf_git.runner.staging import private_folder
from medperf_git.runner.trees import remove_tree

_KNOWN = ("dataset.json", "prepared.json", "marks.json", "source.json", "command.json", "report.yaml", "statistics")
_FOLDER = re.compile(r"[0-9a-f]{12}\.[a-z0-9-]{1,64}\.[a-z0-9-]{1,64}\.[0-9]{1,6}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_WORDS: dict[str, type] = {"description": str, "terms": str, "min_cases": int, "decimals": int, "acquisition": dict}
_ACQUISITION: dict[str, type] = {
    "country": str, "from_year": int, "to_year": int, "modality": str, "equipment": str,
}  # fmt: skip
_MOST_KNOWN = 32 << 20


def export_dataset(context: Context, name: str, to: Path) -> Path:
    """Write a prepared dataset to a file, or into a folder; `Changed` when it is not what was prepared."""
    prepared = find_prepared(context.home, name)
    target = to / f"{prepared.name}.{prepared.number}.dataset.tar" if to.is_dir() else to
    if not target.parent.is_dir():
        raise UsageProblem(f"there is no folder {target.parent}", hint="make it, or name another place with --to")
    entries = read_manifest(prepared.folder)
    if entries is None or digest_of_entries(entries) != prepared.content:
        refuse_changed(prepared, progress=telling(context.say, "reading"))
        entries = manifest_of(prepared.roots, progress=telling(context.say, "reading"))
    head = Head(
        folder=prepared.folder.name,
        content=prepared.content,
        files=len(entries),
        total_bytes=sum(entry.size for entry in entries),
    )
    known = _known(prepared) | {MANIFEST: b"".join(sorted(entry.line() for entry in entries))}
    told = telling(context.say, "packing")
    return pack(target, head, known=known, roots=prepared.roots, entries=entries, progress=told)


def import_dataset(context: Context, archive: Path) -> Prepared:
    """Take over an exported dataset after every byte was compared; Refused when it is here already."""
    head = read_head(archive)
    if not _FOLDER.fullmatch(head.folder):
        raise Refused(f"{archive} names no dataset", hint="export it again where it was prepared")
    home = datasets_folder(context.home)
    with _place_to_unpack(home) as place:
        folder = unpack_dataset(archive, place, head=head, expected=_KNOWN, progress=telling(context.say, "comparing"))
        prepared = _checked(folder, head)
        for other in iter_prepared(context.home):
            if other.content == prepared.content and other.folder.name.startswith(_stem(head.folder)):
                raise Refused(
                    f"{prepared.name} is here already, in {other.folder}", hint="nothing to do; nothing was changed"
                )
        folder.chmod(0o700)
        os.sync()
        final = _free_folder(home, head.folder)
        folder.rename(final)
        sync_folder(home)
    return prepared_at(final)


def remove_leftovers(home: Path) -> None:
    """Remove what an import that was killed has unpacked; BlockingIOError while one is at work."""
    place = home / "datasets" / ".import"
    if place.is_dir():
        with locked(place.with_suffix(".lock")):
            remove_tree(place)


@contextmanager
def _place_to_unpack(home: Path) -> Iterator[Path]:
    place = home / ".import"
    try:
        with locked(place.with_suffix(".lock")):
            remove_tree(place)
            private_folder(place)
            try:
                yield place / secrets.token_hex(8)
            finally:
                remove_tree(place)
    except BlockingIOError as error:
        raise Refused("another import is at work", hint="wait until it has ended, then repeat") from error


def _known(prepared: Prepared) -> dict[str, bytes]:
    """Return what lies beside the data, by its name in the archive; places of this machine mean nothing elsewhere."""
    found: dict[str, bytes] = {}
    for name in _KNOWN:
        path = prepared.folder / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not file.is_symlink():
                found[file.relative_to(prepared.folder).as_posix()] = file.read_bytes()
    value = json.loads(found["dataset.json"])
    value.pop("places", None)
    return found | {"dataset.json": json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"}


def _checked(folder: Path, head: Head) -> Prepared:
    """Return what an archive says about its dataset; Refused when that is not what this program writes."""
    file = folder / "dataset.json"
    value = read_json(file) if file.is_file() and file.stat().st_size < _MOST_KNOWN else None
    if value is None or not _is_plausible(value):
        raise Refused("the archive does not say what its dataset is", hint="export it again where it was prepared")
    prepared = prepared_at(folder)
    if prepared.content != head.content or f".{prepared.name}." not in head.folder:
        raise Refused("the archive speaks of two datasets", hint="export it again where it was prepared")
    return prepared


def _is_plausible(value: Mapping[str, Any]) -> bool:
    """Tell whether the notes of a foreign folder have the types that this program relies on."""
    words: Any = value.get("words")
    statistics = value.get("statistics")
    try:
        Ref.parse(value["preparator"]["ref"])
        Ref.parse(value["benchmark"])
        return (
            "places" not in value
            and not name_fault(value["name"])
            and all(isinstance(value[key], str) for key in ("title", "salt"))
            and (value["salt"] == "" or len(bytes.fromhex(value["salt"])) >= 32)
            and all(type(value[key]) is int and value[key] > 0 for key in ("cases", "files"))
            and is_digest(value["content"])
            and is_digest(value["preparator"]["digest"])
            and isinstance(statistics, dict)
            and all(type(number) is int or _NUMBER.fullmatch(str(number)) for number in statistics.values())
            and set(value["published"]) <= set(statistics)
            and type(value["seconds"]) in (int, float)
            and _fits(words, _WORDS)
            and _fits(words.get("acquisition", {}), _ACQUISITION)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _fits(value: Any, kinds: Mapping[str, type]) -> bool:
    return isinstance(value, dict) and all(key in kinds and type(inner) is kinds[key] for key, inner in value.items())


def _stem(folder: str) -> str:
    return folder.rpartition(".")[0] + "."


def _free_folder(home: Path, wanted: str) -> Path:
    """Return the folder that an archive names, or the next free number of that name."""
    stem, number = _stem(wanted), int(wanted.rpartition(".")[2])
    while (home / f"{stem}{number}").exists():
        number += 1
    return home / f"{stem}{number}"
