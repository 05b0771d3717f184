"""The header of a Singularity image file (SIF): that it is one, and for which platform.

Layout: a launch script of 32 bytes, the magic word, a version of 3 bytes, an architecture of 3 (two digits each).
"""

from pathlib import Path

from medperf_git.errors import Refused

_MAGIC = b"SIF_MAGIC"
_ARCHITECTURES = {b"01": "386", b"02": "amd64", b"03": "arm", b"04": "arm64", b"05": "ppc64", b"06": "ppc64le",
                  b"11": "s390x"}  # fmt: skip


def platform_of_sif(path: Path) -> str:
    """Return the platform of a SIF file; Refused when it is none."""
    with path.open("rb") as file:
        header = file.read(48)
    if not header[32:].startswith(_MAGIC):
        raise Refused(f"{path.name} is no Singularity image file", hint="make it with: apptainer build FILE.sif …")
    return "linux/" + _ARCHITECTURES.get(header[45:47], "unknown")
