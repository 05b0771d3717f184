"""T74: archives that somebody else made are unpacked as plain files and folders, or refused by name."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.runner.packing import pack_folder
from medperf_git.runner.unpack import UnpackCaps, unpack

SMALL = UnpackCaps(entries=100, depth=8, growth=20, growth_floor=1 << 20)


def member(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    if info.type not in (tarfile.REGTYPE, tarfile.DIRTYPE):
        info.size = 0
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=target)


def zip_of_entries(count: int) -> bytes:
    """Return a zip that is nothing but its list of entries, which a reader takes into memory."""
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    size = count * len(entry)
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, 0)
    end += struct.pack("<IIQI", 0x07064B50, 0, size, 1)
    end += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return entry * count + end


def zipped(*members: tuple[str, bytes, int]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return whole.getvalue()


def sparse() -> bytes:
    info, _ = member("holes", b"")
    info.size = 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    return whole.getvalue()


def long_header() -> bytes:
    info, _ = member("x" * 100)
    info.pax_headers = {"comment": "y" * (8 << 20)}
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    return gzip.compress(whole.getvalue())


ZEROS = b"\0" * (16 << 20)
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "tar slip": (lambda: tar(member("ok"), member("../../out")), r"\.\./\.\./out has a name"),
    "absolute path": (lambda: tar(member("/etc/cron.d/x")), "/etc/cron.d/x has a name"),
    "symlink and a file through it": (
        lambda: tar(special("way", tarfile.SYMTYPE, "/tmp"), member("way/out")), "way is a symbolic link"),
    "hard link": (lambda: tar(special("twin", tarfile.LNKTYPE, "/etc/passwd")), "twin is a hard link"),
    "device": (lambda: tar(special("disk", tarfile.BLKTYPE)), "disk is a device"),
    "fifo": (lambda: tar(special("pipe", tarfile.FIFOTYPE)), "pipe is a FIFO"),
    "setuid": (lambda: tar(member("su", mode=0o4755)), r"su would run .*setuid"),
    "sparse file": (sparse, "holes is a sparse file"),
    "zip slip": (lambda: zipped(("../out", b"x", 0o644)), r"\.\./out has a name"),
    "zip symlink": (lambda: zipped(("way", b"/etc/passwd", stat.S_IFLNK | 0o777)), "way is a symbolic link"),
    "zip bomb": (lambda: zipped(("big", ZEROS, 0o644)), "big makes more than"),
    "zip list bomb": (lambda: zip_of_entries(1_100_000), "its list of entries has 51700000 bytes"),
    "gzip bomb": (lambda: gzip.compress(tar(member("big", ZEROS)), 1), "big makes more than"),
    "one name twice": (lambda: tar(member("a/b"), member("a/b")), "a/b stands there twice"),
    "a file where a folder is": (lambda: tar(member("a"), member("a/b")), "a/b stands there twice"),
    "names alike but for their case": (lambda: tar(member("Weights/a"), member("weights/a")), "upper and lower case"),
    "a name that turns the text around": (lambda: tar(member("a\u202etxt.exe")), r"\\x202e.* has a name"),
    "a backslash": (lambda: zipped(("a\\..\\b", b"x", 0o644)), "has a name"),
    "too many entries": (lambda: tar(*(member(f"f{n}") for n in range(101))), "more than 100 entries"),
    "too many folders in few entries": (
        lambda: tar(*(member(f"{n}/a/b/c/d/e") for n in range(30))), "more than 100 entries"),
    "too deep": (lambda: tar(member("a/" * 9 + "b")), "deeper than 8 folders"),
    "a header that fills the memory": (long_header, "a header of more than"),
    "half an archive": (lambda: gzip.compress(tar(member("a", b"x" * 9999)))[:60], "cannot be unpacked"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_t74_a_hostile_archive_is_refused_by_name_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    place = tmp_path / "place"
    place.mkdir()
    archive = tmp_path / "archive"
    archive.write_bytes(make())
    with pytest.raises(Refused, match=said):
        unpack(archive, place / "unpacked", caps=SMALL)
    assert list(place.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "place"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_plain_archive_is_unpacked_however_it_is_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(pack(tar(member("./", type=tarfile.DIRTYPE, data=b""), member("./w/a.bin", b"12", mode=0o777))))
    found = unpack(archive, tmp_path / "new")
    assert (found / "w" / "a.bin").read_bytes() == b"12"
    assert (found / "w" / "a.bin").stat().st_mode & 0o7777 == 0o644


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(zipped(("w/", b"", stat.S_IFDIR | 0o755), ("w/a.bin", b"12", 0)))
    assert (unpack(archive, tmp_path / "new") / "w" / "a.bin").read_bytes() == b"12"


def test_a_folder_is_packed_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for inner in ("b/c.bin", "a.bin"):
            path = tmp_path / name / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(inner.encode())
    (tmp_path / "two" / "a.bin").chmod(0o600)
    packed = [pack_folder(tmp_path / name, tmp_path / f"{name}.tar.gz").read_bytes() for name in ("one", "two")]
    assert packed[0] == packed[1]
    assert (unpack(tmp_path / "one.tar.gz", tmp_path / "new") / "b" / "c.bin").read_bytes() == b"b/c.bin"


def test_a_folder_with_a_link_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "link").symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="link is a link"):
        pack_folder(tmp_path / "f", tmp_path / "f.tar.gz")
