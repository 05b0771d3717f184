"""Records as typed, frozen values; their fields are those of the schemas, in the same words."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal, TypeAlias

from medperf_git.records.digests import Digest
from medperf_git.records.layout import Kind
from medperf_git.records.names import MemberName, Ref

RECOVERY_DAYS = 14

Number: TypeAlias = int | Decimal
Side: TypeAlias = Literal["owner", "committee", "maintainers"]
CubeRole: TypeAlias = Literal["data-preparator", "model", "metrics"]


@dataclass(frozen=True, slots=True)
class Reference:
    """One version of a named record, and the digest of its file."""

    ref: Ref
    digest: Digest


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that lies elsewhere: URL or path, size in bytes, digest."""

    url: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Cases:
    """A number of cases: `exact`, or from `low` to `high` inclusive (written `from`, `to`)."""

    exact: int | None = None
    low: int | None = None
    high: int | None = None

    @property
    def at_least(self) -> int:
        """The smallest number this can mean."""
        return self.exact if self.exact is not None else self.low or 0

    def __str__(self) -> str:
        return str(self.exact) if self.exact is not None else f"{self.low}–{self.high}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of a registry."""

    members: int
    names_per_member: int
    chain_length: int
    proposal_files: int
    proposal_bytes: int


@dataclass(frozen=True, slots=True)
class Genesis:
    """What makes a registry one of its own: 32 random bytes (hex) and its first members' digests."""

    nonce: str
    members: dict[str, Digest]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where signed notes of freshness are published, the key that signs them, how many days one holds."""

    url: str
    key: str
    max_age_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What holds for the whole registry."""

    KIND: ClassVar[Kind] = Kind.REGISTRY
    created: str
    previous: Digest | None = None
    name: str
    title: str
    maintainers: tuple[MemberName, ...]
    threshold: int
    limits: Limits
    rules: int | None = None
    recovery_days: int | None = None
    checkpoint: Checkpoint | None = None
    house_files: dict[str, Digest] | None = None
    genesis: Genesis | None = None

    @property
    def rule_set(self) -> int:
        """By which set of rules changes are judged while this record is in force."""
        return self.rules or 1

    @property
    def recovery_wait(self) -> timedelta:
        """How long after the maintainers' word a member who lost every key waits for new ones."""
        return timedelta(days=self.recovery_days or RECOVERY_DAYS)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One public key of a member; from `expires` on it signs nothing new."""

    key: str
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """A member's public keys by what they are for."""

    signing: tuple[KeyEntry, ...]
    recovery: tuple[KeyEntry, ...] | None = None
    encryption: tuple[KeyEntry, ...] | None = None


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """A key that signs nothing any more; results it signed that stood not yet at the commit `since` are disputed."""

    key: str
    since: str
    reason: Literal["stolen", "lost", "left", "other"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """Why a member's keys were replaced without any of the old: `since` is the step that announced them."""

    since: str


@dataclass(frozen=True, slots=True)
class Cosigning:
    """How many of its own keys a member wants on a dataset and on a result."""

    dataset: int = 1
    result: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person or organisation."""

    KIND: ClassVar[Kind] = Kind.MEMBER
    created: str
    previous: Digest | None = None
    member: MemberName
    title: str
    country: str | None = None
    website: str | None = None
    status: Literal["active", "retired"]
    keys: Keys
    cosigning: Cosigning | None = None
    revoked: tuple[RevokedKey, ...] | None = None
    pending: Keys | None = None
    recovered: Recovered | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A container image; digests decide, `reference` only says where it may be had."""

    type: Literal["DockerImage", "DockerArchive", "SingularityFile"]
    reference: str
    id: Digest
    platform: str
    manifest: Digest | None = None
    archive: Asset | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A path inside a container and what is mounted there."""

    mount_path: str
    type: Literal["directory", "file"]


@dataclass(frozen=True, slots=True)
class RunArgs:
    """How a task's container is started."""

    command: str | tuple[str, ...] | None = None
    entrypoint: str | tuple[str, ...] | None = None
    environment: dict[str, str] | None = None
    shm_size: str | int | None = None
    gpus: str | int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a cube."""

    run_args: RunArgs | None = None
    input_volumes: dict[str, Mount] | None = None
    output_volumes: dict[str, Mount] | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What a test run needed: seconds, bytes."""

    seconds_per_case: Number | None = None
    peak_memory_bytes: int | None = None
    disk_bytes: int | None = None
    gpu: bool | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """The owner's test before submitting."""

    data: Digest
    outcome: Literal["complete", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """A container: data preparator, model or metrics."""

    KIND: ClassVar[Kind] = Kind.CUBE
    created: str
    member: MemberName
    name: str
    version: int
    role: CubeRole
    title: str
    description: str | None = None
    license: str | None = None
    image: Image
    tasks: dict[str, Task]
    parameters: str | None = None
    additional_files: Asset | None = None
    resources: Resources | None = None
    tested: Tested | None = None

    @property
    def ref(self) -> Ref:
        """Which version of which cube this is."""
        return Ref(self.member, self.name, self.version)


@dataclass(frozen=True, slots=True)
class Content:
    """What identifies a dataset's bytes."""

    method: Literal["mgds-v1", "mgds-v1-salted"]
    digest: Digest


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Coarse facts of acquisition."""

    country: str | None = None
    from_year: int | None = None
    to_year: int | None = None
    modality: str | None = None
    equipment: str | None = None


@dataclass(frozen=True, slots=True)
class SiteDisclosure:
    """A site's own limits on what is published."""

    min_cases: int | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Identity, description and chosen statistics of a prepared dataset."""

    KIND: ClassVar[Kind] = Kind.DATASET
    created: str
    member: MemberName
    name: str
    version: int
    title: str
    description: str | None = None
    preparator: Reference
    cases: Cases
    content: Content
    statistics: dict[str, Number] | None = None
    acquisition: Acquisition | None = None
    terms: str | None = None
    disclosure: SiteDisclosure | None = None

    @property
    def ref(self) -> Ref:
        """Which version of which dataset this is."""
        return Ref(self.member, self.name, self.version)


@dataclass(frozen=True, slots=True)
class Range:
    """Possible values, both ends included."""

    min: Number
    max: Number


@dataclass(frozen=True, slots=True)
class Counts:
    """Where a results file has counts that can be pooled, and how many they are."""

    path: str
    length: int


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric definition of a benchmark."""

    id: str
    title: str
    path: str
    unit: str
    range: Range
    direction: Literal["higher", "lower"]
    decimals: int
    undefined: Literal["missing", "worst"]
    reduction: Literal["none", "mean", "median"]
    sd: bool
    worst: Number | None = None
    quantiles: tuple[Number, ...] | None = None
    counts: Counts | None = None

    @property
    def is_per_case(self) -> bool:
        """Whether the results file has a value for each case."""
        return "*" in self.path.split("/")

    @property
    def worst_value(self) -> Number:
        """What a case without a value counts as under `undefined: worst`: the worse end, if nothing else is said."""
        if self.worst is not None:
            return self.worst
        return self.range.min if self.direction == "higher" else self.range.max


RankingRule: TypeAlias = Literal[
    "mean-of-sites",
    "mean-then-rank",
    "rank-then-mean",
    "fets-2022",
    "brats",
    "test-then-rank",
    "meta",
]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The registered ranking rule; what a rule can take beside it is in `ranking_rules`."""

    rule: RankingRule
    version: int
    metrics: tuple[str, ...]
    weights: Literal["equal", "cases", "sqrt-cases", "capped-cases"]
    missing: Literal["exclude-site", "exclude-model", "worst"]
    seed: int
    cap: int | None = None
    alpha: Number | None = None
    adjust: Literal["none", "holm"] | None = None
    method: Literal["DL", "PM"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The science: what is measured on what, and how it is ranked."""

    KIND: ClassVar[Kind] = Kind.BENCHMARK
    created: str
    member: MemberName
    name: str
    version: int
    title: str
    description: str
    predecessor: Reference | None = None
    data_preparator: Reference
    reference_model: Reference
    metrics_cube: Reference
    demo_data: Asset
    metrics: tuple[Metric, ...]
    ranking: Ranking
    partial: bool
    visibility: Literal["public"]
    comparisons: bool | None = None
    bias: dict[str, str] | None = None
    tested: Tested | None = None

    @property
    def ref(self) -> Ref:
        """Which version of which benchmark this is."""
        return Ref(self.member, self.name, self.version)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many committee members must sign a change and a decision."""

    change: int
    events: int


@dataclass(frozen=True, slots=True)
class AutoApproval:
    """When a request is approved at once."""

    mode: Literal["never", "always", "list"]
    members: tuple[MemberName, ...] | None = None


@dataclass(frozen=True, slots=True)
class AutoApprovals:
    """Automatic approval of datasets and of models."""

    datasets: AutoApproval
    models: AutoApproval


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Limits on what is published."""

    min_cases: int
    decimals: int
    n: Literal["exact", "bucket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who runs a benchmark, and under which limits."""

    KIND: ClassVar[Kind] = Kind.POLICY
    created: str
    previous: Digest | None = None
    benchmark: Reference
    committee: tuple[MemberName, ...]
    thresholds: Thresholds
    auto_approve: AutoApprovals
    opens: str | None = None
    closes: str | None = None
    disclosure: Disclosure


@dataclass(frozen=True, slots=True)
class Subject:
    """What an association is about."""

    kind: Literal["dataset", "cube"]
    ref: Ref
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One event in the life of a dataset or model in a benchmark."""

    KIND: ClassVar[Kind] = Kind.ASSOCIATION
    created: str
    previous: Digest | None = None
    benchmark: Reference
    subject: Subject
    event: Literal["request", "approve", "reject", "withdraw", "prioritise"]
    by: MemberName
    side: Literal["owner", "committee"]
    policy: Digest | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """Image ids that ran."""

    model: Digest
    metrics: Digest


@dataclass(frozen=True, slots=True)
class ParameterDigests:
    """Digests of the parameters files that were used."""

    model: Digest | None = None
    metrics: Digest | None = None


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric of a result; `value` is absent when it is undefined."""

    value: Number | None = None
    sd: Number | None = None
    n: int | None = None
    n_failed: int | None = None
    n_undefined: int | None = None
    absent: Literal["undefined", "failed", "held-back"] | None = None
    quantiles: tuple[Number, ...] | None = None
    counts: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class EngineUsed:
    """Which container engine ran the containers."""

    name: Literal["docker", "podman", "apptainer"]
    version: str


Reason: TypeAlias = Literal[
    "exit-code",
    "out-of-memory",
    "timeout",
    "disk",
    "invalid-output",
    "sandbox",
    "needs-gpu",
    "image-unavailable",
    "declined",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one model reached on one dataset."""

    KIND: ClassVar[Kind] = Kind.RESULT
    created: str
    previous: Digest | None = None
    benchmark: Reference
    dataset: Reference
    model: Reference
    data_preparator: Reference
    metrics_cube: Reference
    images: Images
    parameters: ParameterDigests | None = None
    outcome: Literal["complete", "partial", "failed"]
    reason: Reason | None = None
    attempt: int
    cases: Cases
    values: dict[str, MetricValue] | None = None
    sandbox: Literal["strict", "unlimited", "compat"]
    engine: EngineUsed
    started: str
    finished: str
    client: str
    assurance: Literal["self-attested"]


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One model of a comparison: its record, the result it rests on, its mean in the metric's own unit, its rank."""

    ref: Ref
    digest: Digest
    result: Digest
    mean: Number
    mean_rank: Number


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """Two models on the cases that both have: the first is better where the difference is above zero.

    `first` and `second` count the models of the comparison from 1.
    """

    first: int
    second: int
    n: int
    difference: Number
    sd: Number
    w_plus: Number
    variance: Number
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How several models compare on one dataset by one metric; no value of a single case is in it."""

    KIND: ClassVar[Kind] = Kind.COMPARISON
    created: str
    previous: Digest | None = None
    benchmark: Reference
    dataset: Reference
    metric: str
    n: int
    models: tuple[ComparedModel, ...]
    covariance: tuple[Number, ...]
    pairs: tuple[ComparedPair, ...]
    client: str


@dataclass(frozen=True, slots=True)
class About:
    """The record that a notice is about."""

    path: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something said about one record."""

    KIND: ClassVar[Kind] = Kind.NOTICE
    created: str
    previous: Digest | None = None
    record: About
    event: Literal["withdraw", "reinstate", "dispute", "resolve"]
    by: MemberName
    side: Side
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """An invalid step of main, and the paths it added that count as absent."""

    KIND: ClassVar[Kind] = Kind.QUARANTINE
    created: str
    previous: Digest | None = None
    commit: str
    paths: tuple[str, ...]
    reason: Literal["forged", "accident", "unreadable", "other"]


Record: TypeAlias = (
    Registry | Quarantine | Member | Cube | Dataset | Benchmark | Policy | Association | Result | Comparison | Notice
)

MODELS: dict[Kind, type[Record]] = {
    Kind.REGISTRY: Registry,
    Kind.QUARANTINE: Quarantine,
    Kind.MEMBER: Member,
    Kind.CUBE: Cube,
    Kind.DATASET: Dataset,
    Kind.BENCHMARK: Benchmark,
    Kind.POLICY: Policy,
    Kind.ASSOCIATION: Association,
    Kind.RESULT: Result,
    Kind.COMPARISON: Comparison,
    Kind.NOTICE: Notice,
}
