"""A hospital's first submission from a new machine, beside the clones that it does without: bytes and seconds.

python benchmarks/bench_first_submission.py                      # 2 000 results
python benchmarks/bench_first_submission.py --sizes 100000 --rounds 3

Served over smart HTTP with TLS on loopback (`git http-backend`); a relay counts the bytes of both directions. `ours`
adds the registry as a light copy, proves what it can, judges and signs one result and pushes it as a proposal; what
the host then does with it (hook or CI) is in no row. The clones only fetch. Required at 100 000: 20 MB or less.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import ROOT, Run, Table, options, timed
from benchmarks.registry import Made, made
from benchmarks.relay import Relay, counting
from medperf_git.registry.bare import SERVING
from tests.support.https_git import TOKEN, USER, serving
from tests.support.people import git_environ, write_key

MOST = 20_000_000
MERGES = 2000  # so many of the results, the last ones, came by a merge each
HOSPITAL = "hospital-0000"
CLIENT = Path(__file__).with_name("first_submission.py")


@dataclass
class Bench:
    """One served registry, what goes through its relay, and a folder for every run."""

    one: Made
    relay: Relay
    certificate: Path
    scratch: Path
    moved: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address through the relay."""
        return f"https://127.0.0.1:{self.relay.port}/{self.one.path.name}"

    def counted(self, name: str, work: Callable[[Path], Run]) -> Callable[[], Run]:
        """Return the work with its bytes counted, in a new folder each time."""

        def run() -> Run:
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                self.relay.take()
                done = work(Path(folder))
                self.moved.setdefault(name, []).append(self.relay.take())
                return done

        return run

    def submission(self, folder: Path) -> Run:
        """Submit from a new machine; the proposal is taken away again."""
        write_key(folder / "key", HOSPITAL)
        (folder / "record.yaml").write_bytes(self.one.record)
        helper = f"!f() {{ echo username={USER}; echo password={TOKEN}; }}; f"
        (folder / ".gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n', encoding="utf-8")
        arguments = [f"{self.url}#{self.one.id}", str(folder), self.one.proposed, HOSPITAL]
        arguments.append(time_of(self.one))
        environ = dict(os.environ) | {
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SSL_CERT_FILE": str(self.certificate),
        }
        done = timed([sys.executable, "-P", str(CLIENT), *arguments], environ=environ)
        self.one.git("update-ref", "-d", f"refs/heads/submit/{done.output.split()[0]}")
        return done

    def clone(self, *how: str) -> Callable[[Path], Run]:
        """Return a clone with git alone."""
        command = ["git", "-c", f"http.sslCAInfo={self.certificate}", "clone", "--quiet", "--bare", *how, self.url]
        return lambda folder: timed([*command, str(folder / "clone.git")], environ=git_environ())


def time_of(one: Made) -> str:
    """Return the time of main, with its offset: the clock of everybody in this table."""
    return one.git("log", "-1", "--format=%cI", "main").decode().strip()


@contextmanager
def served(one: Made, scratch: Path) -> Iterator[Bench]:
    """Serve a registry through a relay."""
    for name, value in SERVING.items():
        one.git("config", name, value)
    now = datetime.fromisoformat(time_of(one))
    with (
        serving(one.path.parent, scratch, clock=lambda: now) as host,
        counting(int(host.url.rpartition(":")[2])) as relay,
    ):
        yield Bench(one, relay, host.certificate, scratch)


def main() -> int:
    """One table for each size; fails when the submission moves more than it may."""
    wanted = options(__doc__, sizes=(2000,), rounds=3)
    for size in wanted.sizes:
        with (
            tempfile.TemporaryDirectory() as scratch,
            served(made(size, merges=min(size, MERGES)), Path(scratch)) as bench,
        ):
            if _measure(bench, rounds=wanted.rounds, peers=wanted.peers) > MOST:
                print(f"a first submission moved more than {MOST / 1e6:.0f} MB", file=sys.stderr)
                return 1
    return 0


def _measure(bench: Bench, *, rounds: int, peers: bool) -> float:
    table = Table(f"first submission to {bench.one.results} results", rounds=rounds)
    rows: Mapping[str, Callable[[Path], Run]] = {
        "ours": bench.submission,
        **({"git clone --bare": bench.clone()} if peers else {}),
        **({"git clone --bare --filter=blob:none": bench.clone("--filter=blob:none")} if peers else {}),
    }
    table.rows.update({name: bench.counted(name, work) for name, work in rows.items()})
    said = table.run()
    print(f"ours asked {said['ours'].output.split()[1]} times for what a light copy lacks; bytes moved, medians:")
    for name, moves in bench.moved.items():
        up, down, connections = (median(column) for column in zip(*moves, strict=True))
        print(f"{name:36} {(up + down) / 1e6:9.3f} MB ({up / 1e6:.3f} up), {connections:.0f} connections", flush=True)
    return median(up + down for up, down, _ in bench.moved["ours"])


if __name__ == "__main__":
    sys.exit(main())
