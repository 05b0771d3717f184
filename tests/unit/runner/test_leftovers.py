"""A download or an archive that a kill cut short does not stay for ever."""

import os
import time
from pathlib import Path

from medperf_git.records.digests import digest_of
from medperf_git.records.models import Asset
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.leftovers import remove_leftovers


def leave(place: Path, *, days: float) -> Path:
    """Leave a half of some age; one that ends with / is a folder."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.name.endswith(".d.partial"):
        (place / "inner").mkdir(parents=True)
        (place / "inner" / "file").write_text("x")
    else:
        place.write_text("x")
    os.utime(place, (time.time() - days * 86_400,) * 2)
    return place


def test_only_old_halves_are_removed(tmp_path: Path) -> None:
    old = [leave(tmp_path / name, days=2) for name in (".ab12.partial", ".data.tar.d.partial")]
    kept = [leave(tmp_path / name, days=2) for name in ("whole", ".hidden", "ab.partial")]
    young = [leave(tmp_path / name, days=0.5) for name in (".cd34.partial", ".more.d.partial")]
    remove_leftovers(tmp_path)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*kept, *young))


def test_the_next_download_removes_what_an_earlier_one_left(tmp_path: Path) -> None:
    left = leave(tmp_path / "cache" / ".0123456789abcdef.partial", days=3)
    (tmp_path / "file").write_bytes(b"data")
    fetched = fetch_asset(Asset(str(tmp_path / "file"), 4, digest_of(b"data")), tmp_path / "cache")
    assert fetched.read_bytes() == b"data"
    assert not left.exists()
