"""A registry of N real, signed results in a bare repository, and what checking one more result costs there.

python benchmarks/registry.py                      # 100 and 10 000 results
python benchmarks/registry.py 100 1000 --peer      # beside check-jsonschema on the same file, in a venv of its own

Every record is canonical and signed with a real key by who must sign it; each batch is one commit on main, of the
form that `sync` accepts. Required: objects and bytes read are equal at every size, trees apart (`compare`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import pygit2  # noqa: E402

from medperf_git.records import layout, models  # noqa: E402
from medperf_git.records.digests import digest_of  # noqa: E402
from medperf_git.records.names import MemberName, Ref  # noqa: E402
from medperf_git.records.record import write_record  # noqa: E402
from medperf_git.registry.bare import open_copy  # noqa: E402
from medperf_git.registry.commits import Author, set_ref, write_commit, write_root  # noqa: E402
from medperf_git.registry.objects import Store  # noqa: E402
from medperf_git.signing.bundle import make_bundle  # noqa: E402
from medperf_git.signing.statement import Statement  # noqa: E402
from tests.support import registry_builder as rb  # noqa: E402

BATCH = 1000
EXTRA = Ref("moa", "extra-model", 1)
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE).stdout
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stdout.write(out.decode() + "\\0")
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
LIMITS = models.Limits(1000, 1000, 99, 10_000, 16_000_000)


@dataclass(frozen=True)
class Made:
    """A repository with N results, and the commit that proposes one more."""

    path: Path
    results: int
    head: str
    proposed: str
    record: bytes


@dataclass(frozen=True)
class Cost:
    """What one check took: objects and bytes by `tree` and `other`, seconds, peak bytes of memory."""

    results: int
    verdict: str
    objects: dict[str, int]
    size: dict[str, int]
    wall: float
    cpu: float
    peak: int


class Maker:
    """Writes a registry, commit by commit; each signature carries the commit that its signer saw."""

    def __init__(self, path: Path) -> None:
        self.store: Store = open_copy(path)
        self.house = rb.House()
        self.main = ""
        self.at = rb.AT

    def author(self) -> Author:
        """Return who commits now; time goes on."""
        self.at += timedelta(minutes=1)
        return Author("Bench", "bench@medperf-git.invalid", self.at)

    def begin(self) -> None:
        """Write the root commit."""
        registry, founders = rb.genesis_records()
        files = rb.genesis(replace(registry, limits=LIMITS), founders).files
        self.house.files |= files
        self.main = write_root(self.store, files, message="Begin", author=self.author())

    def signed(self, records: Iterable[models.Record], *extra: str) -> dict[str, bytes]:
        """Return records with the bundles of their owners and of `extra` signers."""
        files: dict[str, bytes] = {}
        for record in records:
            path, data = path_of(record), write_record(record)
            files[path] = data
            for seed in (*signers_of(record), *extra):
                signer, name = rb.signer(seed), seed.partition(":")[0]
                statement = Statement.about(
                    path, data, registry=self.house.id, head=self.main, signer=name, signed_at=rb.AT
                )
                files[layout.bundle_of(path, signer.public.short)] = make_bundle(statement, signer)
        return files

    def commit(self, files: Mapping[str, bytes], *, to_main: bool = True) -> str:
        """Write one commit on main; as main's next unless told otherwise."""
        commit = write_commit(self.store, self.main, files, message="Add records", author=self.author())
        if to_main:
            self.house.files |= files
            self.main = commit
        return commit

    def add(self, records: Iterable[models.Record], *extra: str) -> None:
        """Merge records in batches."""
        every = iter(records)
        while batch := list(islice(every, BATCH)):
            self.commit(self.signed(batch, *extra))


def path_of(record: models.Record) -> str:
    """Return where a first record of its kind lies."""
    match record:
        case models.Member():
            return layout.member_path(record.member, 1)
        case models.Cube():
            return layout.cube_path(record.ref)
        case models.Dataset():
            return layout.dataset_path(record.ref)
        case models.Benchmark():
            return layout.benchmark_path(record.ref)
        case models.Policy():
            return layout.numbered(layout.policy_folder(record.benchmark.ref), 1)
        case models.Association(benchmark=benchmark, subject=subject):
            return layout.numbered(layout.association_folder(benchmark.ref, subject.kind, subject.ref), 1)
        case models.Result(benchmark=benchmark, dataset=dataset, model=model):
            return layout.numbered(layout.result_folder(benchmark.ref, dataset.ref, model.ref), 1)
        case _:
            raise TypeError(record)


def signers_of(record: models.Record) -> tuple[str, ...]:
    """Return the seeds of who signs a record as its owner."""
    match record:
        case models.Member(member=name):
            return name, f"{name}:recovery"
        case models.Cube() | models.Dataset():
            return (record.member,)
        case models.Association(by=name):
            return (name,)
        case models.Result(dataset=dataset):
            return (dataset.ref.member,)
        case _:
            return ()


def make(path: Path, results: int) -> Made:
    """Write a registry with this many results of some hospitals and some models, and propose one more."""
    side = math.isqrt(results - 1) + 1
    maker = Maker(path)
    house = maker.house
    maker.begin()
    hospitals = [f"hospital-{number:04d}" for number in range(side)]
    maker.add((rb.member(name) for name in (*rb.COMMITTEE, "moa", *hospitals)), "ana")
    cubes = [(rb.PREPARATOR, "data-preparator"), (rb.REFERENCE, "model"), (rb.METRICS, "metrics")]
    maker.add(rb.cube(ref, role) for ref, role in cubes)  # type: ignore[arg-type]  # roles, as written above
    benchmark = house.benchmark()
    always = models.AutoApproval("always")
    policy = house.first_policy(benchmark, auto_approve=models.AutoApprovals(always, always))
    maker.commit(maker.signed([benchmark, policy], "dora", "emil", "ana"))
    tried = [Ref("moa", f"model-{number:04d}", 1) for number in range(side)]
    maker.add(rb.cube(ref) for ref in (*tried, EXTRA))
    data = [Ref(name, "wards", 1) for name in hospitals]
    maker.add(house.dataset(ref) for ref in data)
    maker.add(list(requests(house, data, [*tried, EXTRA])))
    pairs = islice(((dataset, model) for dataset in data for model in tried), results)
    maker.add(house.result(dataset, model) for dataset, model in pairs)
    set_ref(maker.store, "refs/heads/main", maker.main)
    proposal = maker.signed([house.result(data[0], EXTRA)])
    head = maker.commit(proposal, to_main=False)
    set_ref(maker.store, "refs/heads/submit/" + "0" * 32, head)
    proposed = next(name for name in proposal if layout.place_of(name))
    return Made(path, results, head, proposed, proposal[proposed])


def requests(house: rb.House, data: list[Ref], tried: list[Ref]) -> Iterator[models.Association]:
    """Yield one request for each dataset and model; the policy approves them at once."""
    policy = digest_of(house.files[layout.numbered(layout.policy_folder(rb.BENCHMARK), 1)])
    first = house.event("request", by=data[0].member, subject=data[0])
    for ref in data:
        digest = house.digest(layout.dataset_path(ref))
        subject = models.Subject("dataset", ref, digest)
        yield replace(first, by=MemberName(ref.member), subject=subject, policy=policy)
    for ref in tried:
        subject = models.Subject("cube", ref, house.digest(layout.cube_path(ref)))
        yield replace(first, by=MemberName("moa"), subject=subject, policy=policy)


def check(made: Made) -> Cost:
    """Run `medperf-git check --json` in a process of its own."""
    arguments = ["check", "--json", "--base", "main", "--head", made.head, "--repo", str(made.path)]
    with tempfile.TemporaryDirectory() as home:
        environ = os.environ | {"MEDPERF_GIT_HOME": home, "PYTHONPATH": str(ROOT)}
        out, wall, cpu, peak = timed([sys.executable, "-m", "medperf_git", *arguments], environ)
    value = json.loads(out)
    return Cost(made.results, value["verdict"], value["objects_read"], value["bytes_read"], wall, cpu, peak)


def timed(command: list[str], environ: Mapping[str, str]) -> tuple[str, float, float, int]:
    """Return the output of a command, its seconds by the wall and of the processor, and its peak bytes of memory.

    A small process in between starts it: the peak of a child counts from the size of who started it.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", LAUNCHER, *command],
        stdout=subprocess.PIPE,
        env=dict(environ),
        text=True,
        check=True,
    )
    out, _, figures = done.stdout.rpartition("\0")
    wall, cpu, peak = map(float, figures.split())
    return out, wall, cpu, int(peak) * (1 if sys.platform == "darwin" else 1024)


def compare(costs: list[Cost]) -> list[str]:
    """Return in which counts the sizes differ that must be equal: all objects, and all bytes that are not trees'."""
    first = costs[0]
    return [
        f"{name} at {one.results} results: {got}, at {first.results}: {want}"
        for one in costs[1:]
        for name, got, want in (
            ("objects read", one.objects, first.objects),
            ("bytes read, trees apart", one.size["other"], first.size["other"]),
        )
        if got != want
    ]


def peer(made: Made, folder: Path) -> str:
    """Say what check-jsonschema takes on the one record, shape only; it is installed into a venv of its own."""
    venv = folder / "peer"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([str(venv / "bin/pip"), "install", "--quiet", "check-jsonschema"], check=True)
    record = folder / "0001.yaml"
    record.write_bytes(made.record)
    schema = str(ROOT / "schemas" / "result.1.json")
    command = [str(venv / "bin/check-jsonschema"), "--schemafile", schema, str(record)]
    timed(command, os.environ)
    _, wall, cpu, peak = timed(command, os.environ)
    return f"check-jsonschema, shape only: {wall:.2f} s wall, {cpu:.2f} s CPU, {peak / 2**20:.0f} MiB"


def main() -> int:
    """Make, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 10_000])
    parser.add_argument("--peer", action="store_true")
    wanted = parser.parse_args()
    pygit2.settings.enable_fsync_gitdir(False)  # tens of thousands of files that nobody will miss
    costs = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in wanted.sizes:
            start = time.perf_counter()
            made = make(Path(scratch) / f"{size}.git", size)
            built = time.perf_counter() - start
            subprocess.run(["git", "-C", str(made.path), "repack", "-adq"], check=True)
            check(made)  # the first run compiles and warms the disk
            cost = check(made)
            costs.append(cost)
            print(
                f"{size:>6} results: {cost.verdict}; objects {cost.objects}; bytes {cost.size}; "
                f"{cost.wall:.2f} s wall, {cost.cpu:.2f} s CPU, {cost.peak / 2**20:.0f} MiB (made in {built:.0f} s)",
                flush=True,
            )
        if wanted.peer:
            print(peer(made, Path(scratch)))
    wrong = compare(costs) + [f"{one.results}: {one.verdict}" for one in costs if one.verdict != "pass"]
    print("\n".join(wrong) or "equal at every size, trees' bytes apart")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
