"""Valid registries in memory: real canonical records, real keys from fixed seeds, real bundles.

house = settled()                                     # members, cubes, a benchmark, approvals; a copy each time
verdict = house.propose(house.result()).sign("north").judge()
house.merge(house.propose(house.result()).sign("north"))     # fails loudly when the judge does not pass it
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from medperf_git.policy.change import Change
from medperf_git.policy.judge import judge
from medperf_git.policy.rule import Rule
from medperf_git.policy.rules import RULES
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout, models
from medperf_git.records.convert import value_of
from medperf_git.records.digests import Digest, bare_hex, digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.folds import association_state, member_state, policy_state, registry_state
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import MemoryView, RecordView, chain, next_number
from medperf_git.signing.bundle import make_bundle
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.statement import Statement

T = TypeVar("T")
CREATED = "2026-11-25T10:00:00Z"
AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HEAD = "5e7a" * 10
OTHER_HEAD = "0bad" * 10
IMAGE = Digest("sha256:" + "1a" * 32)
DEMO = digest_of(b"demo")
TESTED = models.Tested(DEMO, "complete")  # what a model's record says that may ask to join the benchmark
MAINTAINERS = ("ana", "ben", "cam")
COMMITTEE = ("dora", "emil")
BENCHMARK = Ref("dora", "heart", 1)
PREPARATOR, REFERENCE, METRICS = (Ref("dora", name, 1) for name in ("prep", "baseline", "score"))
MODEL = Ref("moa", "forest", 1)
NORTH, SOUTH = Ref("north", "wards", 1), Ref("south", "wards", 1)


class SeedSigner:
    """A signer whose key follows from a text, such as `ana` or `ana:recovery`."""

    def __init__(self, seed: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
        self.public = PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`."""
        return self._private.sign(message)


@cache
def signer(seed: str) -> SeedSigner:
    """Return the signer of a seed, always the same."""
    return SeedSigner(seed)


def key(seed: str) -> models.KeyEntry:
    """Return the public key of a seed as member records hold it."""
    return models.KeyEntry(signer(seed).public.openssh)


def keys(*signing: str, recovery: Iterable[str] = ()) -> models.Keys:
    """Return the keys of a member by their seeds."""
    return models.Keys(tuple(map(key, signing)), tuple(map(key, recovery)) or None)


@dataclass
class Proposal:
    """A change under way: records added, then signed, then judged."""

    house: "House"
    files: dict[str, bytes] = field(default_factory=dict)
    faults: tuple[Finding, ...] = ()
    at: datetime = AT

    def add(self, record: models.Record, *, path: str = "", link: bool = True) -> "Proposal":
        """Add a record at its own path; a chain's number and `previous` are filled in unless `link` is false."""
        folder = layout.expected_folder(record.KIND, value_of(record))
        if record.KIND in layout.CHAINS:
            links = chain(self.house.view, folder)
            if link:
                previous: Any = {"previous": links[-1].digest if links else None}
                record = replace(record, **previous)
            folder = layout.numbered(folder, next_number(self.house.view, folder))
        return self.put(path or folder, write_record(record))

    def put(self, path: str, data: bytes) -> "Proposal":
        """Add bytes as they are."""
        self.files[path] = data
        return self

    def sign(self, *who: str, head: str = HEAD, registry: str = "", only: str = "") -> "Proposal":
        """Sign every record (or `only` the one whose path starts so) by each of `who`: `ana`, or `ana:recovery`."""
        records = [path for path in self.files if layout.place_of(path) and path.startswith(only)]
        for seed in who:
            for path in records:
                self.sign_as(seed.partition(":")[0], seed, path, head=head, registry=registry)
        return self

    def sign_as(
        self, member: str, seed: str, path: str, *, head: str = HEAD, registry: str = "", record: bytes | None = None
    ) -> "Proposal":
        """Sign one record in the name of `member` with the key of `seed`; `record` signs other bytes than it has."""
        statement = Statement.about(
            path,
            self.files[path] if record is None else record,
            registry=registry or self.house.id,
            head=head,
            signer=member,
            signed_at=AT,
        )
        return self.put(layout.bundle_of(path, signer(seed).public.short), make_bundle(statement, signer(seed)))

    def without(self, *paths: str) -> "Proposal":
        """Leave files out again."""
        self.files = {path: data for path, data in self.files.items() if path not in paths}
        return self

    def unsigned(self) -> "Proposal":
        """Leave every signature out again."""
        return self.without(*(path for path in self.files if layout.split_bundle(path)))

    def fault(self, rule: str) -> "Proposal":
        """Add what Git would have found wrong."""
        self.faults = (*self.faults, Finding(rule, "Git shows this to be wrong", fix="build the commit anew"))
        return self

    def later(self, at: datetime) -> "Proposal":
        """Let the step happen at another time."""
        self.at = at
        return self

    @property
    def path(self) -> str:
        """The path of the first record."""
        return next(path for path in self.files if layout.place_of(path))

    def change(self) -> Change:
        """Return the change."""
        return Change(
            before=self.house.view,
            after=MemoryView(self.house.files | self.files, self.house.view_steps),
            added=self.files,
            faults=self.faults,
            at=self.at,
            history=self.house.history,
        )

    def judge(self, rules: tuple[Rule, ...] = RULES) -> Verdict:
        """Return the judge's verdict."""
        return judge(self.change(), rules=rules)


@dataclass(frozen=True)
class Steps:
    """The steps of main that a registry in memory knows, each with its time and files; `HEAD` stands for the last."""

    known: Mapping[str, tuple[datetime, MemoryView]]

    def __contains__(self, commit: str) -> bool:
        """See `History.__contains__`."""
        return commit in self.known

    def time(self, commit: str) -> datetime:
        """See `History.time`."""
        return self.known[commit][0]

    def view(self, commit: str) -> MemoryView:
        """See `History.view`."""
        return self.known[commit][1]

    def held_since(self, commit: str, path: str) -> bool:
        """See `History.held_since`; the steps of a house are those that were remembered, and now."""
        return self.known[commit][1].blob(path) == self.known[HEAD][1].blob(path) is not None


class House:
    """A registry in memory."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = dict(files or {})
        self.steps: dict[str, tuple[datetime, MemoryView]] = {}

    @property
    def view(self) -> MemoryView:
        """The records as they are now."""
        return MemoryView(self.files, self.view_steps)

    @property
    def history(self) -> Steps:
        """The steps that were remembered, and `HEAD`."""
        return Steps({HEAD: (AT, MemoryView(self.files)), **self.steps})

    @property
    def view_steps(self) -> dict[str, RecordView]:
        """The remembered steps as views."""
        return {commit: view for commit, (_, view) in self.steps.items()}

    def remember(self, at: datetime = AT) -> str:
        """Return the id of a step that left the registry as it is now."""
        commit = hashlib.sha1(repr((len(self.steps), sorted(self.files))).encode(), usedforsecurity=False).hexdigest()
        self.steps[commit] = (at, MemoryView(self.files))
        return commit

    @property
    def id(self) -> str:
        """The registry's id."""
        return "mg1:" + bare_hex(digest_of(self.files[layout.registry_path(1)]))

    def copy(self) -> "House":
        """Return a registry of its own with the same files."""
        house = House(self.files)
        house.steps = dict(self.steps)
        return house

    def propose(self, *records: models.Record) -> Proposal:
        """Begin a proposal of records, each with its number and `previous` filled in."""
        proposal = Proposal(self)
        for record in records:
            proposal.add(record)
        return proposal

    def merge(self, proposal: Proposal) -> "House":
        """Merge what the judge passes; fail loudly otherwise."""
        verdict = proposal.judge()
        if verdict.outcome is not Outcome.PASS:
            raise AssertionError("\n".join(map(str, verdict.findings)))
        self.files |= proposal.files
        return self

    # --- what is there

    def digest(self, path: str) -> Digest:
        """Return the digest of a file."""
        return digest_of(self.files[path])

    def cube_reference(self, ref: Ref) -> models.Reference:
        """Return a reference to a cube."""
        return models.Reference(ref, self.digest(layout.cube_path(ref)))

    def dataset_reference(self, ref: Ref) -> models.Reference:
        """Return a reference to a dataset."""
        return models.Reference(ref, self.digest(layout.dataset_path(ref)))

    def benchmark_reference(self, ref: Ref = BENCHMARK) -> models.Reference:
        """Return a reference to a benchmark."""
        return models.Reference(ref, self.digest(layout.benchmark_path(ref)))

    def registry_now(self, **changes: Any) -> models.Registry:
        """Return the registry record in force, changed, as the next of its chain."""
        return replace(there(registry_state(self.view)), genesis=None, **changes)

    def member_now(self, name: str, **changes: Any) -> models.Member:
        """Return a member's record in force, changed."""
        return replace(there(member_state(self.view, name)), **changes)

    def policy_now(self, benchmark: Ref = BENCHMARK, **changes: Any) -> models.Policy:
        """Return the policy in force, changed."""
        return replace(there(policy_state(self.view, benchmark)), **changes)

    # --- new records, valid unless changed

    def dataset(self, ref: Ref = SOUTH, **changes: Any) -> models.Dataset:
        """Return a dataset of 60 cases."""
        record = models.Dataset(
            created=CREATED,
            member=MemberName(ref.member),
            name=ref.name,
            version=ref.version,
            title=f"Wards of {ref.member}",
            preparator=self.cube_reference(PREPARATOR),
            cases=models.Cases(exact=60),
            content=models.Content("mgds-v1", digest_of(str(ref).encode())),
        )
        return replace(record, **changes)

    def benchmark(self, ref: Ref = BENCHMARK, **changes: Any) -> models.Benchmark:
        """Return a benchmark with two metrics."""
        record = models.Benchmark(
            created=CREATED,
            member=MemberName(ref.member),
            name=ref.name,
            version=ref.version,
            title="Heart failure",
            description="Who is admitted again within a month?",
            data_preparator=self.cube_reference(PREPARATOR),
            reference_model=self.cube_reference(REFERENCE),
            metrics_cube=self.cube_reference(METRICS),
            demo_data=models.Asset("https://example.org/demo.tar", 1000, DEMO),
            metrics=(
                models.Metric(
                    "auroc", "AUROC", "/auroc", "1", models.Range(0, 1), "higher", 4, "missing", "none", sd=False
                ),
                models.Metric(
                    "brier", "Brier score", "/brier", "1", models.Range(0, 1), "lower", 3, "missing", "mean", sd=True
                ),
            ),
            ranking=models.Ranking("mean-of-sites", 1, ("auroc",), "equal", "exclude-model", 7),
            partial=False,
            visibility="public",
        )
        return replace(record, **changes)

    def first_policy(self, benchmark: models.Benchmark, **changes: Any) -> models.Policy:
        """Return the policy that comes with a benchmark: a committee of two that changes together."""
        record = models.Policy(
            created=CREATED,
            benchmark=models.Reference(benchmark.ref, digest_of(write_record(benchmark))),
            committee=tuple(map(MemberName, COMMITTEE)),
            thresholds=models.Thresholds(change=2, events=1),
            auto_approve=models.AutoApprovals(models.AutoApproval("never"), models.AutoApproval("never")),
            disclosure=models.Disclosure(min_cases=10, decimals=3, n="exact"),
        )
        return replace(record, **changes)

    def event(
        self,
        event: Literal["request", "approve", "reject", "withdraw", "prioritise"],
        *,
        by: str,
        side: Literal["owner", "committee"] = "owner",
        subject: Ref = SOUTH,
        kind: Literal["dataset", "cube"] = "dataset",
        digest: Digest | None = None,
        **changes: Any,
    ) -> models.Association:
        """Return an event of the association of a dataset or cube with the benchmark."""
        path = layout.dataset_path(subject) if kind == "dataset" else layout.cube_path(subject)
        policies = chain(self.view, layout.policy_folder(BENCHMARK))
        record = models.Association(
            created=CREATED,
            benchmark=self.benchmark_reference(),
            subject=models.Subject(kind, subject, digest or self.digest(path)),
            event=event,
            by=MemberName(by),
            side=side,
            policy=policies[-1].digest if event == "request" else None,
            priority=5 if event == "prioritise" else None,
        )
        return replace(record, **changes)

    def result(self, dataset: Ref = NORTH, model: Ref = MODEL, **changes: Any) -> models.Result:
        """Return a complete result."""
        record = models.Result(
            created=CREATED,
            benchmark=self.benchmark_reference(),
            dataset=self.dataset_reference(dataset),
            model=self.cube_reference(model),
            data_preparator=self.cube_reference(PREPARATOR),
            metrics_cube=self.cube_reference(METRICS),
            images=models.Images(IMAGE, IMAGE),
            outcome="complete",
            attempt=1,
            cases=models.Cases(exact=60),
            values=values(),
            sandbox="strict",
            engine=models.EngineUsed("docker", "27.1"),
            started=CREATED,
            finished="2026-11-25T11:00:00Z",
            client="medperf-git 0.1.0",
            assurance="self-attested",
        )
        return replace(record, **changes)

    def notice(
        self,
        event: Literal["withdraw", "reinstate", "dispute", "resolve"],
        path: str,
        *,
        by: str,
        side: models.Side = "owner",
        **changes: Any,
    ) -> models.Notice:
        """Return a notice about the record at `path`."""
        about = models.About(path, self.digest(path))
        record = models.Notice(
            created=CREATED, record=about, event=event, by=MemberName(by), side=side, reason="error-found"
        )
        return replace(record, **changes)


def there(record: T | None) -> T:
    """Return what must be there."""
    if record is None:
        raise AssertionError("this record is not there")
    return record


def value(number: str, n: int | None = 60, **changes: Any) -> models.MetricValue:
    """Return one value over `n` cases."""
    whole = Decimal(number)
    return models.MetricValue(int(whole) if whole == whole.to_integral_value() else whole, n=n, **changes)


def values(**changes: models.MetricValue | None) -> dict[str, models.MetricValue]:
    """Return the values of a result, changed; None leaves a metric out."""
    found: dict[str, models.MetricValue | None] = {
        "auroc": value("0.912"),
        "brier": value("0.101", sd=Decimal("0.02")),
        **changes,
    }
    return {name: entry for name, entry in found.items() if entry is not None}


def member(name: str, *extra: str, **changes: Any) -> models.Member:
    """Return a member with the key `name`, those of `extra` and the recovery key `name:recovery`."""
    record = models.Member(
        created=CREATED,
        member=MemberName(name),
        title=f"{name.capitalize()} Institute",
        status="active",
        keys=keys(name, *extra, recovery=[f"{name}:recovery"]),
    )
    return replace(record, **changes)


def cube(ref: Ref, role: Literal["data-preparator", "model", "metrics"] = "model", **changes: Any) -> models.Cube:
    """Return a container of a role with the tasks of that role."""
    record = models.Cube(
        created=CREATED,
        member=MemberName(ref.member),
        name=ref.name,
        version=ref.version,
        role=role,
        title=f"The {ref.name} container",
        image=models.Image("DockerImage", f"example.org/{ref.name}:1", IMAGE, "linux/amd64"),
        tasks=TASKS[role],
    )
    return replace(record, **changes)


def task(*inputs: str, outputs: Iterable[str] = ("output_path",), **run_args: Any) -> models.Task:
    """Return a task with these mounts."""
    return models.Task(
        run_args=models.RunArgs(**run_args) if run_args else None,
        input_volumes={name: models.Mount(f"/in/{name}", "directory") for name in inputs} or None,
        output_volumes={name: models.Mount(f"/out/{name}", "directory") for name in outputs} or None,
    )


TASKS: dict[str, dict[str, models.Task]] = {
    "data-preparator": {
        "prepare": task("data_path", "labels_path", outputs=("output_path", "output_labels_path")),
        "sanity_check": task("data_path", "labels_path", outputs=()),
        "statistics": task("data_path", "labels_path"),
    },
    "model": {"infer": task("data_path", command="python3 infer.py")},
    "metrics": {"evaluate": task("predictions", "labels")},
}
SIGNERS = (*MAINTAINERS, *(f"{name}:recovery" for name in MAINTAINERS))


def genesis_records(nonce: str = "ab" * 32, **changes: Any) -> tuple[models.Registry, tuple[models.Member, ...]]:
    """Return the records of a root commit: three maintainers of whom two decide."""
    founders = tuple(member(name) for name in MAINTAINERS)
    record = models.Registry(
        created=CREATED,
        name="heart-net",
        title="Heart network",
        maintainers=tuple(map(MemberName, MAINTAINERS)),
        threshold=2,
        limits=models.Limits(100, 20, 99, 200, 1_000_000),
        genesis=models.Genesis(nonce, {one.member: digest_of(write_record(one)) for one in founders}),
    )
    return replace(record, **changes), founders


def genesis(registry: models.Registry, founders: Iterable[models.Member], *, unsigned: str = "") -> Proposal:
    """Return a root commit, signed by every maintainer but `unsigned`."""
    house = House()
    proposal = house.propose(registry, *founders)
    own = "mg1:" + bare_hex(digest_of(write_record(registry)))
    for path in [layout.registry_path(1), *(layout.member_path(one.member, 1) for one in founders)]:
        for seed in SIGNERS:
            name = seed.partition(":")[0]
            fits = path == layout.member_path(name, 1) or (path.startswith("registry") and ":" not in seed)
            if name != unsigned and fits:
                proposal.sign_as(name, seed, path, head="", registry=own)
    return proposal


def founded(nonce: str = "ab" * 32) -> House:
    """Return a registry as its root commit leaves it."""
    return House().merge(genesis(*genesis_records(nonce)))


def admitted(house: House, record: models.Member, *, by: str = "ana") -> House:
    """Return the registry with one more member, admitted by a maintainer."""
    seeds = [f"{record.member}{tail}" for tail in ("", ":2", ":recovery")]
    known = {signer(seed).public.openssh: seed for seed in seeds}
    entries = (*record.keys.signing, *(record.keys.recovery or ()))
    return house.merge(house.propose(record).sign(by, *(known[entry.key] for entry in entries)))


def settled(nonce: str = "ab" * 32) -> House:
    """Return a registry with members, cubes, a benchmark, an approved dataset and model: a copy each time.

    `north` and `moa` are approved; the dataset of `south` is registered and was not asked for yet; `south` has two
    keys and wants both on a result.
    """
    return _settled(nonce).copy()


@cache
def _settled(nonce: str) -> House:
    house = founded(nonce)
    for name in (*COMMITTEE, "north", "moa"):
        admitted(house, member(name))
    admitted(house, member("south", "south:2", cosigning=models.Cosigning(dataset=1, result=2)))
    cubes = [cube(PREPARATOR, "data-preparator"), cube(REFERENCE), cube(METRICS, "metrics")]
    house.merge(house.propose(*cubes).sign("dora"))
    house.merge(house.propose(cube(MODEL)).sign("moa"))
    benchmark = house.benchmark()
    house.merge(house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil", "ana"))
    for ref in (NORTH, SOUTH):
        house.merge(house.propose(house.dataset(ref)).sign(ref.member))
    for subject, kind in ((NORTH, "dataset"), (MODEL, "cube")):
        join(house, subject, kind)
    return house


def join(house: House, subject: Ref, kind: Any = "dataset") -> House:
    """Return the registry with one more association, asked for by the owner and approved by emil."""
    house.merge(
        house.propose(house.event("request", by=subject.member, subject=subject, kind=kind)).sign(subject.member)
    )
    approval = house.event("approve", by="emil", side="committee", subject=subject, kind=kind)
    return house.merge(house.propose(approval).sign("emil"))


def status(house: House, subject: Ref = SOUTH, kind: str = "dataset") -> str:
    """Return where an association stands."""
    return str(association_state(house.view, BENCHMARK, kind, subject).status)


Edit = Callable[[House], Proposal]
