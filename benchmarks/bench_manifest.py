"""How long the content manifest of a dataset takes, beside `openssl dgst` by two processes and beside reading alone.

2 GiB in four files, and in 20 000 files (`--sizes` in MiB, each in both forms), from the page cache: what is measured
is the work, not the disk. All rows run in the same rounds. `read` reads every byte by two processes and does nothing
with it; with `--cold` the files are put out of the page cache first, and the disk is the bound.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from measure import Run, Table, cache_folder, environment, options, timed

MIB = 1 << 20
FORMS = {"4 files": 4, "20 000 files": 20_000}
OPENSSL = "find {data} -type f -print0 | xargs -0 -n {many} -P 2 openssl dgst -sha256 -r > /dev/null"
READ = "find {data} -type f -print0 | xargs -0 -n {many} -P 2 cat > /dev/null"
OURS = """
import sys
from pathlib import Path
from medperf_git.runner.manifest import content_digest
content_digest({"data": Path(sys.argv[1])}, progress=lambda done, total: None)
"""


def make_data(folder: Path, *, files: int, size: int) -> Path:
    """Write `size` bytes as that many files of different content, in folders of at most 200."""
    data = folder / "data"
    marker = folder / "whole"
    if marker.exists():
        return data
    shutil.rmtree(folder, ignore_errors=True)
    each = size // files
    noise = os.urandom(min(each, MIB))
    for number in range(files):
        place = data / f"{number // 200:03d}"
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"{number:05d}.bin").open("wb") as file:
            file.write(number.to_bytes(8, "big"))
            for _ in range(each // len(noise)):
                file.write(noise)
    os.sync()
    marker.touch()
    return data


def shell(text: str, data: Path, files: int) -> list[str]:
    """Return the command that does something with all files by two processes."""
    return ["sh", "-c", text.format(data=data, many=max(1, min(500, files // 2)))]


def measure(form: str, data: Path, files: int, *, rounds: int, peers: bool, cold: bool) -> None:
    """Print the table of one form, and our speed as a part of each peer's: 0.90 is wanted, of the slower of the two."""
    table = Table(f"{form}, {'cold' if cold else 'page-cached'}", rounds)
    ours = [sys.executable, "-P", "-c", OURS, str(data)]
    rows = {"medperf-git": ours}
    if peers:
        rows |= {"openssl, 2 processes": shell(OPENSSL, data, files), "read, 2 processes": shell(READ, data, files)}
    for name, command in rows.items():
        table.rows[name] = lambda command=command: run(command, data, cold=cold)
    found = table.run()
    for peer in [name for name in found if name != "medperf-git"]:
        print(f"speed: {found[peer].wall / found['medperf-git'].wall:.2f} × {peer}")


def run(command: list[str], data: Path, *, cold: bool) -> Run:
    """Run a command, with none of the files in the page cache where that is asked for."""
    for file in data.rglob("*.bin") if cold else ():
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return timed(command, environ=environment(cache_folder()))


def main() -> None:
    """Make the data once, and measure."""
    cold = "--cold" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--cold"]
    chosen: argparse.Namespace = options(__doc__, sizes=[256], rounds=5)
    for size in chosen.sizes:
        for form, files in FORMS.items():
            folder = cache_folder() / f"manifest-{size}-{files}"
            data = make_data(folder, files=files, size=size * MIB)
            measure(f"{size} MiB in {form}", data, files, rounds=chosen.rounds, peers=chosen.peers, cold=cold)


if __name__ == "__main__":
    main()
