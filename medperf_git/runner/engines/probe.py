"""A probe container: does the engine really hold what the sandbox asks for?

Its image is made here, byte for byte, and is loaded without a name: one static program of a few hundred bytes that
prints kernel files of its own process. So no image that somebody else wrote answers for its own sandbox.
"""

import hashlib
import io
import json
import re
import struct
import tarfile
from dataclasses import dataclass

from medperf_git.records.digests import Digest, digest_of
from medperf_git.runner.engine import KIB, Limits, Profile

PATHS = (
    "/proc/self/status",
    "/proc/self/limits",
    "/proc/self/mountinfo",
    "/proc/net/dev",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/pids/pids.max",
    "/sys/fs/cgroup/pids.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu.max",
)

# Machine code that prints every path after it and the file it names: open, read and write in a loop, exit.
# tests/unit/runner/probe holds its source for both processors.
_CODE = {
    "amd64": (
        62,
        bytes.fromhex("""
        488d1dc9000000803b000f84b5000000bf010000004889de31d2803c16007404ffc2ebf64189d4488d35a0000000ba01000000b8
        010000000f05bf010000004889de4489e2b8010000000f05bf01000000488d3577000000ba01000000b8010000000f05b8010100
        00bf9cffffff4889de31d24531d20f054a8d5c230185c078864189c54489ef488db42400f0ffffba0010000031c00f054885c07e
        194889c2bf01000000488db42400f0ffffb8010000000f05ebce4489efb8030000000f05e942ffffff31ffb83c0000000f05010a
    """),
    ),
    "arm64": (
        183,
        bytes.fromhex("""
        b30600506002403900060034140080d2616a74386100003494060091fdffff17200080d281050010220080d2080880d2010000d4
        200080d2e10313aae20314aa080880d2010000d4200080d241040030220080d2080880d2010000d4600c8092e10313aa020080d2
        030080d2080780d2010000d47302148b7306009140fcff37f503002ae003152ae10740d1020082d2e80780d2010000d41f0000f1
        ed000054e20300aa200080d2e10740d1080880d2010000d4f4ffff17e003152a280780d2010000d4d0ffff17000080d2a80b80d2
        010000d4010a
    """),
    ),
}
_READ_ONLY_ROOT = re.compile(r"^(?:\S+ ){4}/ (?:ro[, ]|.* - \S+ \S+ ro,)", re.MULTILINE)  # its mount or its file system
NOT_FILTERED = "system calls are not filtered"
_ADDRESS = 0x400000
_HEADERS = 64 + 56


@dataclass(frozen=True, slots=True)
class ProbeImage:
    """An image archive, and the id that the engine will know it by."""

    id: Digest
    archive: bytes


def build_program(architecture: str) -> bytes:
    """Return the probe as a static ELF executable; KeyError for a processor it is not written for."""
    machine, code = _CODE[architecture]
    body = code + b"".join(path.encode() + b"\0" for path in PATHS) + b"\0"
    size = _HEADERS + len(body)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, machine, 1)
    header += struct.pack("<QQQIHHHHHH", _ADDRESS + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x1000)
    return header + body


def build_image(architecture: str) -> ProbeImage:
    """Return the probe's image; the same bytes every time."""
    layer = tar_of({"probe": (build_program(architecture), 0o755)})
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": ["/probe"], "Labels": {"medperf-git.probe": "1"}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "medperf-git"}],
        },
        sort_keys=True,
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["layer.tar"]}]).encode()
    files = {name: (config, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (manifest, 0o644)}
    return ProbeImage(digest_of(config), tar_of(files))


def faults_in(output: str, profile: Profile) -> tuple[str, ...]:
    """Return what the probe's output shows to be open in the sandbox, as half sentences."""
    files = _files(output)
    status = dict(re.findall(r"^(\w+):\s*(.*)$", files.get(PATHS[0], ""), re.MULTILINE))
    faults = [f"{name} is {status.get(name, 'not shown')}" for name in _CAPABILITIES if _not_zero(status.get(name))]
    if status.get("NoNewPrivs") != "1":
        faults.append("new privileges can be gained")
    if status.get("Seccomp") != "2":
        faults.append(NOT_FILTERED)
    interfaces = set(re.findall(r"^\s*([^\s:|]+):", files.get(PATHS[3], ""), re.MULTILINE))
    if interfaces - {"lo"}:
        faults.append(f"there is a network: {', '.join(sorted(interfaces - {'lo'}))}")
    if profile.is_closed and status.get("Uid", "0").split()[0] == "0":
        faults.append("it runs as root")
    if profile.is_closed and not _READ_ONLY_ROOT.search(files.get(PATHS[2], "")):
        faults.append("the root file system is writable")
    return tuple(faults)


def weak_limits_in(output: str, limits: Limits) -> tuple[str, ...]:
    """Return which caps the probe's output shows to be ignored, as half sentences."""
    files = _files(output)
    rlimits = dict(re.findall(r"^Max (file size|open files)\s+(\S+)", files.get(PATHS[1], ""), re.MULTILINE))
    shared = re.search(r"^(?:\S+ ){4}/dev/shm .*\bsize=(\d+)k", files.get(PATHS[2], ""), re.MULTILINE)
    measured = {
        "memory": (files.get(PATHS[4]) or files.get(PATHS[5]) or "", limits.memory_bytes),
        "the number of processes": (files.get(PATHS[6]) or files.get(PATHS[7]) or "", limits.pids),
        "the size of a file": (rlimits.get("file size", ""), limits.file_bytes),
        "the number of open files": (rlimits.get("open files", ""), limits.open_files),
        "shared memory": (str(int(shared[1]) * KIB) if shared else "", limits.shm_bytes),
    }
    return tuple(f"{name} is not limited" for name, (text, cap) in measured.items() if not _at_most(text.strip(), cap))


def notes_in(output: str) -> tuple[str, ...]:
    """Return what the probe's output shows to be open and does no harm, as half sentences."""
    files = _files(output)
    quota = (files.get(PATHS[8]) or files.get(PATHS[9]) or "").split()
    return () if quota and quota[0].isdigit() else ("the number of processors is not limited",)


_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def _not_zero(text: str | None) -> bool:
    return text is None or not re.fullmatch(r"0+", text)


def _at_most(text: str, cap: int) -> bool:
    return text.isdigit() and int(text) <= cap


def _files(output: str) -> dict[str, str]:
    parts = (part.partition("\n") for part in output.split("\x01")[1:])
    return {path: content for path, _, content in parts}


def tar_of(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return a tar archive of these files: content and mode by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
