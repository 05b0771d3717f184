"""A small registry in memory for the flows' tests: real canonical records, nothing signed."""

from dataclasses import dataclass, field

from medperf_git.flows.naming import Found, at_ref
from medperf_git.flows.propose import Draft
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import read_record, write_record
from medperf_git.records.view import MemoryView

TIME = "2026-11-25T10:00:00Z"
ANA, BOB, CLINIC = MemberName("ana"), MemberName("bob"), MemberName("clinic")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
DEMO = m.Asset("demo.tar.gz", 4096, digest_of(b"demo"))
AUROC = m.Metric("auroc", "AUROC", "/auroc", "1", m.Range(0, 1), "higher", 3, "missing", "none", False)
LIMITS = m.Limits(members=100, names_per_member=20, chain_length=500, proposal_files=200, proposal_bytes=1048576)


def mount(path: str, kind: str = "directory") -> m.Mount:
    return m.Mount(path, "file" if kind == "file" else "directory")


TASKS = {
    "data-preparator": {"prepare": m.Task(input_volumes={"data_path": mount("/in")})},
    "model": {
        "infer": m.Task(input_volumes={"data_path": mount("/in")}, output_volumes={"output_path": mount("/out")})
    },
    "metrics": {"evaluate": m.Task(input_volumes={"predictions": mount("/p"), "labels": mount("/l")})},
}


@dataclass
class World:
    """Files of a registry; every method adds one record and returns its reference."""

    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def view(self) -> MemoryView:
        return MemoryView(self.files)

    def add(self, path: str, record: m.Record) -> Digest:
        data = write_record(record)
        findings = read_record(path, data).findings
        assert not findings, findings
        self.files[path] = data
        return digest_of(data)

    def put(self, draft: Draft) -> Digest:
        return self.add(draft.path, draft.record)

    def cube(self, member: MemberName, name: str, role: m.CubeRole = "model", version: int = 1) -> m.Reference:
        image = m.Image("DockerImage", f"{name}:1", digest_of(name.encode()), "linux/amd64")
        record = m.Cube(
            created=TIME,
            member=member,
            name=name,
            version=version,
            role=role,
            title=name,
            image=image,
            tasks=TASKS[role],
        )
        return m.Reference(record.ref, self.add(layout.cube_path(record.ref), record))

    def dataset(self, member: MemberName, name: str, version: int = 1) -> m.Reference:
        preparator = at_ref(self.view, m.Cube, Ref("ana", "prepare", 1)).reference
        record = m.Dataset(
            created=TIME,
            member=member,
            name=name,
            version=version,
            title=name,
            preparator=preparator,
            cases=m.Cases(exact=60),
            content=m.Content("mgds-v1", digest_of(name.encode())),
        )
        return m.Reference(record.ref, self.add(layout.dataset_path(record.ref), record))

    def benchmark(self, *, auto: str = "never", committee: tuple[MemberName, ...] = (ANA, BOB)) -> Found[m.Benchmark]:
        view = self.view
        prepare, reference, score = (
            at_ref(view, m.Cube, Ref("ana", n, 1)).reference for n in ("prepare", "base", "score")
        )
        record = m.Benchmark(
            created=TIME,
            member=ANA,
            name="cells",
            version=1,
            title="Cells",
            description="Cells.",
            data_preparator=prepare,
            reference_model=reference,
            metrics_cube=score,
            demo_data=DEMO,
            metrics=(AUROC,),
            ranking=m.Ranking("mean-of-sites", 1, ("auroc",), "equal", "exclude-site", 1),
            partial=False,
            visibility="public",
        )
        digest = self.add(layout.benchmark_path(record.ref), record)
        mode = m.AutoApproval("always") if auto == "always" else m.AutoApproval("never")
        policy = m.Policy(
            created=TIME,
            benchmark=m.Reference(record.ref, digest),
            committee=committee,
            thresholds=m.Thresholds(1, 1),
            auto_approve=m.AutoApprovals(mode, mode),
            disclosure=m.Disclosure(10, 3, "exact"),
        )
        self.add(layout.numbered(layout.policy_folder(record.ref), 1), policy)
        return at_ref(self.view, m.Benchmark, record.ref)

    def result(self, dataset: Ref, model: Ref, *, outcome: str = "complete", value: int = 1) -> Digest:
        benchmark = at_ref(self.view, m.Benchmark, Ref("ana", "cells", 1))
        folder = layout.result_folder(benchmark.ref, dataset, model)
        number = 1 + sum(path.startswith(folder + "/") for path in self.files)
        before = self.files.get(layout.numbered(folder, number - 1))
        record = m.Result(
            created=TIME,
            previous=digest_of(before) if before else None,
            benchmark=benchmark.reference,
            dataset=at_ref(self.view, m.Dataset, dataset).reference,
            model=at_ref(self.view, m.Cube, model).reference,
            data_preparator=benchmark.record.data_preparator,
            metrics_cube=benchmark.record.metrics_cube,
            images=m.Images(digest_of(b"m"), digest_of(b"s")),
            outcome="failed" if outcome == "failed" else "complete",
            reason="exit-code" if outcome == "failed" else None,
            attempt=number,
            cases=m.Cases(exact=60),
            values=None if outcome == "failed" else {"auroc": m.MetricValue(value=value, n=60)},
            sandbox="strict",
            engine=m.EngineUsed("docker", "20.10"),
            started=TIME,
            finished=TIME,
            client="medperf-git 0.1.0",
            assurance="self-attested",
        )
        return self.add(layout.numbered(folder, number), record)


def world() -> World:
    """Return a registry with members, three cubes, two models, one dataset and no benchmark."""
    made = World()
    registry = m.Registry(
        created=TIME,
        name="cells-net",
        title="Cells",
        maintainers=(ANA,),
        threshold=1,
        limits=LIMITS,
        genesis=m.Genesis("ab" * 32, {"ana": digest_of(b"ana")}),
    )
    made.add("registry/0001.yaml", registry)
    for name in (ANA, BOB, CLINIC):
        record = m.Member(created=TIME, member=name, title=name, status="active", keys=m.Keys((m.KeyEntry(KEY),)))
        made.add(layout.member_path(name, 1), record)
    made.cube(ANA, "prepare", "data-preparator")
    made.cube(ANA, "base")
    made.cube(ANA, "score", "metrics")
    made.cube(BOB, "forest")
    made.cube(CLINIC, "knn")
    made.dataset(CLINIC, "cohort")
    return made
