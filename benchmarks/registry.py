"""A registry of N real, signed results in a bare repository; the tables beside this module measure with it.

python benchmarks/registry.py 10000                  # merged in batches of 1000
python benchmarks/registry.py 10000 --merges 10000   # each result by a proposal and a merge commit of its own

Every record is canonical and signed with a real key by who must sign it; each batch is one commit on main, of the
form that `sync` accepts. What was made is kept for the next run (`measure.cache_folder`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import pygit2  # noqa: E402

from benchmarks.measure import cache_folder  # noqa: E402
from benchmarks.packing import PackWriter  # noqa: E402
from medperf_git.records import layout, models  # noqa: E402
from medperf_git.records.digests import digest_of  # noqa: E402
from medperf_git.records.names import MemberName, Ref  # noqa: E402
from medperf_git.records.record import write_record  # noqa: E402
from medperf_git.registry.bare import open_copy  # noqa: E402
from medperf_git.registry.commits import Author, set_ref, write_commit, write_merge, write_root  # noqa: E402
from medperf_git.registry.objects import Store  # noqa: E402
from medperf_git.signing.bundle import make_bundle  # noqa: E402
from medperf_git.signing.statement import Statement  # noqa: E402
from tests.support import registry_builder as rb  # noqa: E402

BATCH = 1000
EXTRA = Ref("moa", "extra-model", 1)
LIMITS = models.Limits(1000, 1000, 99, 10_000, 16_000_000)


@dataclass(frozen=True)
class Made:
    """A repository with N results, the commit that proposes one more, and the last commit of main but one.

    `proposed` is the path of the proposed record.
    """

    path: Path
    results: int
    head: str
    proposed: str
    before_last: str

    @property
    def id(self) -> str:
        """The registry's id."""
        return "mg1:" + hashlib.sha256(self.show("main:registry/0001.yaml")).hexdigest()

    @property
    def record(self) -> bytes:
        """The proposed record."""
        return self.show(f"{self.head}:{self.proposed}")

    def show(self, what: str) -> bytes:
        """Return the bytes of one object."""
        return self.git("cat-file", "blob", what)

    def git(self, *arguments: str) -> bytes:
        """Run git in the repository and return what it says."""
        return subprocess.run(["git", "-C", str(self.path), *arguments], check=True, stdout=subprocess.PIPE).stdout


class Maker:
    """Writes a registry, commit by commit; each signature carries the commit that its signer saw."""

    def __init__(self, path: Path) -> None:
        self.store: Store = open_copy(path)
        self.packs = PackWriter(self.store.repository)
        self.house = rb.House()
        self.main = self.before_last = ""
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

    def commit(self, files: Mapping[str, bytes], *, remember: bool = True) -> None:
        """Write one commit on main; `remember` its files for what will name them."""
        if remember:
            self.house.files |= files
        commit = write_commit(self.store, self.main, files, message="Add records", author=self.author())
        self._move(commit)

    def merge(self, files: Mapping[str, bytes]) -> None:
        """Write a proposal of `files` and the merge commit of it."""
        proposal = self.propose(files)
        merge = write_merge(
            self.store, self.main, proposal, files=files, message="Merge a result", author=self.author()
        )
        self._move(merge)

    def propose(self, files: Mapping[str, bytes]) -> str:
        """Write a commit on main that main does not have."""
        return write_commit(self.store, self.main, files, message="Add a result", author=self.author())

    def add(self, records: Iterable[models.Record], *extra: str, remember: bool = True) -> None:
        """Merge records in batches."""
        every = iter(records)
        while batch := list(islice(every, BATCH)):
            self.commit(self.signed(batch, *extra), remember=remember)

    def finish(self) -> None:
        """Store everything, and point main at it."""
        self.packs.flush()
        set_ref(self.store, "refs/heads/main", self.main)

    def _move(self, commit: str) -> None:
        self.before_last, self.main = self.main, commit
        self.packs.flush_when_full()


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


def make(path: Path, results: int, *, merges: int = 0, varied: bool = False, sites: int = 0) -> Made:
    """Write a registry with this many results of some hospitals and some models, and propose one more.

    The last `merges` of the results have a merge commit each. `varied` gives each result values of its own; `sites` is
    how many hospitals there are, by default as many as models.
    """
    pygit2.settings.enable_fsync_gitdir(False)  # nobody will miss what is made again at will
    side = math.isqrt(results - 1) + 1
    maker = Maker(path)
    house = maker.house
    maker.begin()
    hospitals = [f"hospital-{number:04d}" for number in range(sites or side)]
    maker.add((rb.member(name) for name in (*rb.COMMITTEE, "moa", *hospitals)), "ana")
    cubes = [(rb.PREPARATOR, "data-preparator"), (rb.REFERENCE, "model"), (rb.METRICS, "metrics")]
    maker.add(rb.cube(ref, role) for ref, role in cubes)  # type: ignore[arg-type]  # roles, as written above
    benchmark = house.benchmark()
    always = models.AutoApproval("always")
    policy = house.first_policy(benchmark, auto_approve=models.AutoApprovals(always, always))
    maker.commit(maker.signed([benchmark, policy], "dora", "emil", "ana"))
    tried = [Ref("moa", f"model-{number:04d}", 1) for number in range(-(-results // sites) if sites else side)]
    maker.add(rb.cube(ref) for ref in (*tried, EXTRA))
    data = [Ref(name, "wards", 1) for name in hospitals]
    maker.add(house.dataset(ref) for ref in data)
    maker.add(list(requests(house, data, [*tried, EXTRA])))
    every = (house.result(dataset, model, **_values(dataset, model, varied)) for dataset in data for model in tried)
    maker.add(islice(every, results - merges), remember=False)
    for result in islice(every, merges):
        maker.merge(maker.signed([result]))
    proposal = maker.signed([house.result(data[0], EXTRA, **_values(data[0], EXTRA, varied))])
    head = maker.propose(proposal)
    maker.finish()
    set_ref(maker.store, "refs/heads/submit/" + "0" * 32, head)
    proposed = next(name for name in proposal if layout.place_of(name))
    return Made(path, results, head, proposed, maker.before_last)


def _values(dataset: Ref, model: Ref, varied: bool) -> dict[str, dict[str, models.MetricValue]]:
    """Return values that depend on who measured what: some models are better, some sites harder."""
    if not varied:
        return {}
    draws = random.Random(f"{dataset} {model}")
    better, harder = random.Random(str(model)).random(), random.Random(str(dataset)).random()
    auroc = round(0.7 + 0.15 * better - 0.1 * harder + 0.05 * draws.random(), 3)
    brier = round(0.3 - 0.15 * better + 0.1 * harder + 0.05 * draws.random(), 3)
    one, other = (Decimal(f"{value:.3f}".rstrip("0")) for value in (auroc, brier))
    return {
        "values": {
            "auroc": models.MetricValue(value=one, n=60),
            "brier": models.MetricValue(value=other, sd=Decimal("0.02"), n=60),
        }
    }


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


def made(results: int, *, merges: int = 0, varied: bool = False, sites: int = 0) -> Made:
    """Return a registry of this size, packed as a server packs it; made by an earlier run where that still fits."""
    kind = "".join((f"-{sites}-sites" if sites else "", "-varied" if varied else ""))
    folder = cache_folder() / f"{_edition()}-{results}-{merges}{kind}"
    note = folder / "made.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"making a registry of {results} results, {merges} of them merged one by one", file=sys.stderr)
        fresh = make(folder / "registry.git", results, merges=merges, varied=varied, sites=sites)
        fresh.git("repack", "-adfq")
        note.write_text(json.dumps(asdict(fresh) | {"path": "registry.git"}), encoding="utf-8")
    value = json.loads(note.read_text(encoding="utf-8"))
    return Made(**(value | {"path": folder / value["path"]}))


def _edition() -> str:
    """Return what a registry depends on, in short: the schemas and what writes here."""
    files = [*sorted((ROOT / "schemas").iterdir()), Path(__file__), Path(rb.__file__)]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:8]


def main() -> int:
    """Make one registry, and say where it lies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=int)
    parser.add_argument("--merges", type=int, default=0)
    wanted = parser.parse_args()
    print(made(wanted.results, merges=wanted.merges).path)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
