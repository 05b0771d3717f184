"""Headers of a tar file that somebody else made: read whole into memory, so they may not be large."""

import tarfile
from typing import Self

from medperf_git.runner.engine import MIB

_MOST = MIB
_READ_WHOLE = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
               tarfile.GNUTYPE_LONGLINK)  # fmt: skip


class BoundedTarInfo(tarfile.TarInfo):
    """A member whose extended headers are refused before they are read, when they are absurdly large."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return what one block of 512 bytes says."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in _READ_WHOLE and found.size > _MOST:
            raise tarfile.ReadError(f"a header of {found.size} bytes")
        return found
