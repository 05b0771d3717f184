"""A benchmark's demo data: a packed file of raw data that everybody may have → two folders.

The archive is checked against size and digest before it is opened. Its `paths.yaml` says where data and labels lie
(`data_path`, `labels_path`), as in MedPerf; without one, `data/` and `labels/` are meant, or the whole.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import IntegrityBroken, UsageProblem
from medperf_git.records.digests import digest_of
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.models import Asset
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.unpack import unpack


@dataclass(frozen=True, slots=True)
class DemoData:
    """Raw data and labels, unpacked."""

    data: Path
    labels: Path


def asset_of(path: Path, url: str | None = None) -> Asset:
    """Return url, size and digest of a file; without `url`, its name relative to where it is offered."""
    if not path.is_file():
        raise UsageProblem(f"{path} is no file", hint="give the packed demo data, a .tar.gz")
    data = path.read_bytes()
    return Asset(url or path.name, len(data), digest_of(data))


def check_asset(path: Path, asset: Asset) -> None:
    """Raise `IntegrityBroken` unless the file is what the record names."""
    found = asset_of(path)
    if (found.size, found.digest) != (asset.size, asset.digest):
        raise IntegrityBroken(
            f"{path} is not the demo data of this benchmark: expected {asset.digest}, got {found.digest}",
            hint=f"fetch it again from {asset.url}",
        )


@contextlib.contextmanager
def opened(path: Path, scratch: Path) -> Iterator[DemoData]:
    """Unpack an archive (or take a folder as it is) and give its data and labels; clean up afterwards."""
    if path.is_dir():
        yield located(path)
        return
    with tempfile.TemporaryDirectory(prefix="demo-", dir=scratch) as folder:
        yield located(unpack(path, Path(folder) / "unpacked"))


def located(folder: Path) -> DemoData:
    """Find data and labels in an unpacked folder."""
    inner = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if len(inner) == 1 and inner[0].is_dir() and inner[0].name not in ("data", "labels"):
        return located(inner[0])
    paths = folder / "paths.yaml"
    if paths.is_file():
        try:
            value = load_foreign_yaml(paths.read_bytes())
        except Unreadable as error:
            raise UsageProblem(
                f"paths.yaml of the demo data: {error}", hint="write data_path and labels_path"
            ) from error
        named = value if isinstance(value, dict) else {}
        return DemoData(_inside(folder, named.get("data_path", ".")), _inside(folder, named.get("labels_path", ".")))
    data, labels = folder / "data", folder / "labels"
    return DemoData(data if data.is_dir() else folder, labels if labels.is_dir() else folder)


def _inside(folder: Path, text: object) -> Path:
    path = (folder / str(text)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.exists():
        raise UsageProblem(f"paths.yaml of the demo data names {text!r}, which is not in it", hint="correct paths.yaml")
    return path
