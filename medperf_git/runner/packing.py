"""Pack a folder so that the same files always give the same bytes: sorted, without times, owners and links."""

import gzip
import os
import tarfile
from pathlib import Path

from medperf_git.errors import Refused
from medperf_git.runner.unpack import path_fault


def pack_folder(folder: Path, target: Path) -> Path:
    """Write all regular files below `folder` to the .tar.gz `target`; Refused names what would not be unpacked."""
    files = sorted(_files(folder))
    if not files:
        raise Refused(f"{folder} holds no files", hint="give the folder that holds the files")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with (
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(member, content)
    partial.replace(target)
    return target


def _files(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            inside = path.relative_to(folder).as_posix()
            fault = "is a link" if path.is_symlink() else path_fault(inside)
            if not fault and name in files and not path.is_file():
                fault = "is no regular file"
            if fault:
                raise Refused(f"{path} {fault}", hint="hospitals unpack plain files and folders only")
            if name in files:
                found.append((inside, path))
    return found
