"""One complete and one minimal record of every kind, and the path at which each may lie."""

from decimal import Decimal

from medperf_git.records import models as m
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.quick import shape_of

TIME = "2026-11-25T10:00:00Z"
LATER = "2026-11-25T12:30:00Z"
ANA, BOB, HOSPITAL = MemberName("ana"), MemberName("bob"), MemberName("hospital-a")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43
THIRD_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "C" * 43
COMMIT = "0123456789abcdef0123456789abcdef01234567"
AGE_KEY = "age1" + "q" * 58


def digest(text: str) -> Digest:
    return digest_of(text.encode())


def reference(text: str) -> m.Reference:
    return m.Reference(Ref.parse(text), digest(text))


BENCHMARK_REF = reference("ana/aspirate@1")
DATASET_REF = reference("hospital-a/cohort@2")
MODEL_REF = reference("bob/forest@3")
PREPARATOR_REF = reference("ana/prepare@1")
METRICS_REF = reference("ana/score@1")
DEMO = m.Asset("https://example.org/demo.tar.gz", 4096, digest("demo"))
LIMITS = m.Limits(members=100, names_per_member=20, chain_length=500, proposal_files=200, proposal_bytes=1048576)
IMAGE = m.Image("DockerImage", "registry.example.org:5000/forest:1", digest("image"), "linux/amd64")
TASK = m.Task(input_volumes={"data_path": m.Mount("/mlcommons/volumes/data", "directory")})
METRIC = m.Metric("auroc", "AUROC", "/auroc", "1", m.Range(0, 1), "higher", 3, "missing", "none", False)
CASE_METRIC = m.Metric(
    id="dice.mean",
    title="Dice score — mean over cases",
    path="/cases/*/dice~1score",
    unit="mm/s",
    range=m.Range(Decimal("-0.5"), Decimal("1.25")),
    direction="lower",
    decimals=4,
    undefined="worst",
    reduction="median",
    sd=True,
)
RANKING = m.Ranking("mean-of-sites", 1, ("auroc",), "equal", "exclude-site", 0)
NEVER = m.AutoApprovals(m.AutoApproval("never"), m.AutoApproval("never"))
DISCLOSURE = m.Disclosure(min_cases=10, decimals=3, n="exact")

COMPLETE: dict[str, m.Record] = {
    "registry/0002.yaml": m.Registry(
        created=TIME,
        previous=digest("before"),
        name="breast-imaging",
        title="Breast imaging: a registry, “with” quotes",
        maintainers=(ANA, BOB),
        threshold=2,
        limits=LIMITS,
        rules=1,
        recovery_days=30,
        checkpoint=m.Checkpoint("https://example.org/eval/checkpoint", KEY, 7),
        house_files={".github/workflows/check_all.yml": digest("check"), "README.md": digest("readme")},
    ),
    "members/hospital-a/0002.yaml": m.Member(
        created=TIME,
        previous=digest("before"),
        member=HOSPITAL,
        title="Universitätsklinikum Ä",
        country="DE",
        website="https://hospital.example.org/research?x=1#top",
        status="active",
        keys=m.Keys((m.KeyEntry(KEY), m.KeyEntry(OTHER_KEY)), (m.KeyEntry(THIRD_KEY),), (m.KeyEntry(AGE_KEY),)),
        cosigning=m.Cosigning(dataset=1, result=2),
    ),
    "members/hospital-a/0003.yaml": m.Member(
        created=TIME,
        previous=digest("before"),
        member=HOSPITAL,
        title="Universitätsklinikum Ä",
        status="active",
        keys=m.Keys((m.KeyEntry(OTHER_KEY, "2027-01-01T00:00:00Z"),)),
        revoked=(m.RevokedKey(KEY, COMMIT, "stolen"),),
        pending=m.Keys((m.KeyEntry(THIRD_KEY),)),
        recovered=m.Recovered(COMMIT),
    ),
    "registry/quarantine/0002.yaml": m.Quarantine(
        created=TIME,
        previous=digest("before"),
        commit=COMMIT,
        paths=("results/ana/aspirate/1/hospital-a.cohort.2/bob.forest.3/0001.yaml", "stray file"),
        reason="forged",
    ),
    "cubes/bob/forest/3.yaml": m.Cube(
        created=TIME,
        member=BOB,
        name="forest",
        version=3,
        role="model",
        title="Random forest: on",
        description="First line.\nSecond line: with a tab\there and “quotes”.\n",
        license="Apache-2.0",
        image=m.Image("DockerArchive", "forest.tar", digest("image"), "linux/arm64/v8", digest("manifest"), DEMO),
        tasks={
            "infer": m.Task(
                m.RunArgs(
                    command=("python3", "/infer.py", "--x", "no"),
                    entrypoint="/bin/sh -c",
                    environment={"A_B": "", "OMP_NUM_THREADS": "1"},
                    shm_size="2g",
                    gpus=1,
                ),
                {"data_path": m.Mount("/data", "directory"), "parameters_file": m.Mount("/p/params.yaml", "file")},
                {"output_path": m.Mount("/out", "directory")},
            ),
            "explain": m.Task(m.RunArgs(command="echo yes", shm_size=1024, gpus="all")),
        },
        parameters="# verbatim\nthreshold: 0.50\nnames: [no, 1.10]\n",
        additional_files=DEMO,
        resources=m.Resources(Decimal("0.125"), 123456789, 0, False),
        tested=m.Tested(digest("demo"), "complete"),
    ),
    "datasets/hospital-a/cohort/2.yaml": m.Dataset(
        created=TIME,
        member=HOSPITAL,
        name="cohort",
        version=2,
        title="Cohort 2019",
        description="A cohort.",
        preparator=PREPARATOR_REF,
        cases=m.Cases(low=100, high=199),
        content=m.Content("mgds-v1-salted", digest("data")),
        statistics={"age.mean": Decimal("61.5"), "n-female": 80},
        acquisition=m.Acquisition("FI", 2015, 2019, "mammography", "2 vendors"),
        terms="Research only.",
        disclosure=m.SiteDisclosure(20, 2),
    ),
    "benchmarks/ana/aspirate/2/benchmark.yaml": m.Benchmark(
        created=TIME,
        member=ANA,
        name="aspirate",
        version=2,
        title="Malignant or benign",
        description="Models read ten measurements.",
        predecessor=BENCHMARK_REF,
        data_preparator=PREPARATOR_REF,
        reference_model=MODEL_REF,
        metrics_cube=METRICS_REF,
        demo_data=DEMO,
        metrics=(METRIC, CASE_METRIC),
        ranking=m.Ranking("mean-then-rank", 1, ("dice.mean", "auroc"), "cases", "worst", 4294967295),
        partial=True,
        visibility="public",
        comparisons=False,
        tested=m.Tested(digest("demo"), "complete"),
        bias={"1.a": "Yes.", "mission": "To see."},
    ),
    "benchmarks/ana/aspirate/1/policy/0002.yaml": m.Policy(
        created=TIME,
        previous=digest("before"),
        benchmark=BENCHMARK_REF,
        committee=(ANA, BOB),
        thresholds=m.Thresholds(change=2, events=1),
        auto_approve=m.AutoApprovals(m.AutoApproval("list", (HOSPITAL,)), m.AutoApproval("always")),
        opens=TIME,
        closes=LATER,
        disclosure=m.Disclosure(20, 2, "bucket"),
    ),
    "associations/ana/aspirate/1/datasets/hospital-a.cohort.2/0001.yaml": m.Association(
        created=TIME,
        benchmark=BENCHMARK_REF,
        subject=m.Subject("dataset", DATASET_REF.ref, DATASET_REF.digest),
        event="request",
        by=HOSPITAL,
        side="owner",
        policy=digest("policy"),
    ),
    "associations/ana/aspirate/1/cubes/bob.forest.3/0002.yaml": m.Association(
        created=TIME,
        previous=digest("before"),
        benchmark=BENCHMARK_REF,
        subject=m.Subject("cube", MODEL_REF.ref, MODEL_REF.digest),
        event="prioritise",
        by=ANA,
        side="committee",
        priority=-5,
    ),
    "results/ana/aspirate/1/hospital-a.cohort.2/bob.forest.3/0002.yaml": m.Result(
        created=TIME,
        previous=digest("before"),
        benchmark=BENCHMARK_REF,
        dataset=DATASET_REF,
        model=MODEL_REF,
        data_preparator=PREPARATOR_REF,
        metrics_cube=METRICS_REF,
        images=m.Images(digest("image"), digest("scorer")),
        parameters=m.ParameterDigests(digest("p"), digest("q")),
        outcome="complete",
        attempt=1,
        cases=m.Cases(exact=120),
        values={
            "auroc": m.MetricValue(
                Decimal("0.913"), Decimal("0.05"), 118, 1, 1, quantiles=(0, Decimal("0.5")), counts=(0, 12)
            ),
            "dice.mean": m.MetricValue(n=0, n_failed=120, n_undefined=0),
        },
        sandbox="strict",
        engine=m.EngineUsed("docker", "20.10.24+dfsg1"),
        started=TIME,
        finished=LATER,
        client="medperf-git 0.1.0",
        assurance="self-attested",
    ),
    "comparisons/ana/aspirate/1/hospital-a.cohort.2/dice.mean/0002.yaml": m.Comparison(
        created=TIME,
        previous=digest("before"),
        benchmark=BENCHMARK_REF,
        dataset=DATASET_REF,
        metric="dice.mean",
        n=60,
        models=(
            m.ComparedModel(MODEL_REF.ref, MODEL_REF.digest, digest("r1"), Decimal("0.8"), Decimal("1.5")),
            m.ComparedModel(Ref.parse("bob/forest@10"), digest("m2"), digest("r2"), 0, 2),
        ),
        covariance=(Decimal("0.010201"), Decimal("-0.005"), 0),
        pairs=(
            m.ComparedPair(1, 2, 60, Decimal("0.1"), Decimal("0.2"), Decimal("900.5"), Decimal("12345.125"), 30, 2, 28),
        ),
        client="medperf-git 0.1.0",
    ),
    "notices/datasets/hospital-a/cohort/2/0002.yaml": m.Notice(
        created=TIME,
        previous=digest("before"),
        record=m.About("datasets/hospital-a/cohort/2.yaml", DATASET_REF.digest),
        event="withdraw",
        by=HOSPITAL,
        side="owner",
        reason="consent-withdrawn",
    ),
}

MINIMAL: dict[str, m.Record] = {
    "registry/quarantine/0001.yaml": m.Quarantine(created=TIME, commit=COMMIT, paths=("x",), reason="other"),
    "registry/0001.yaml": m.Registry(
        created=TIME,
        name="r1",
        title="R",
        maintainers=(ANA,),
        threshold=1,
        limits=LIMITS,
        genesis=m.Genesis("ab" * 32, {"ana": digest("member")}),
    ),
    "members/ana/0001.yaml": m.Member(
        created=TIME, member=ANA, title="Ana", status="retired", keys=m.Keys((m.KeyEntry(KEY),))
    ),
    "cubes/ana/prepare/1.yaml": m.Cube(
        created=TIME,
        member=ANA,
        name="prepare",
        version=1,
        role="data-preparator",
        title="P",
        image=IMAGE,
        tasks={"prepare": TASK},
    ),
    "datasets/ana/one/1.yaml": m.Dataset(
        created=TIME,
        member=ANA,
        name="one",
        version=1,
        title="One",
        preparator=PREPARATOR_REF,
        cases=m.Cases(exact=0),
        content=m.Content("mgds-v1", digest("data")),
    ),
    "benchmarks/ana/aspirate/1/benchmark.yaml": m.Benchmark(
        created=TIME,
        member=ANA,
        name="aspirate",
        version=1,
        title="A",
        description="D",
        data_preparator=PREPARATOR_REF,
        reference_model=MODEL_REF,
        metrics_cube=METRICS_REF,
        demo_data=DEMO,
        metrics=(METRIC,),
        ranking=RANKING,
        partial=False,
        visibility="public",
    ),
    "benchmarks/ana/aspirate/1/policy/0001.yaml": m.Policy(
        created=TIME,
        benchmark=BENCHMARK_REF,
        committee=(ANA,),
        thresholds=m.Thresholds(1, 1),
        auto_approve=NEVER,
        disclosure=DISCLOSURE,
    ),
    "associations/ana/aspirate/1/cubes/bob.forest.3/0003.yaml": m.Association(
        created=TIME,
        previous=digest("before"),
        benchmark=BENCHMARK_REF,
        subject=m.Subject("cube", MODEL_REF.ref, MODEL_REF.digest),
        event="approve",
        by=ANA,
        side="committee",
    ),
    "results/ana/aspirate/1/hospital-a.cohort.2/bob.forest.3/0001.yaml": m.Result(
        created=TIME,
        benchmark=BENCHMARK_REF,
        dataset=DATASET_REF,
        model=MODEL_REF,
        data_preparator=PREPARATOR_REF,
        metrics_cube=METRICS_REF,
        images=m.Images(digest("image"), digest("scorer")),
        outcome="failed",
        reason="out-of-memory",
        attempt=2,
        cases=m.Cases(low=0, high=9),
        sandbox="compat",
        engine=m.EngineUsed("podman", "4.3.1"),
        started=TIME,
        finished=TIME,
        client="medperf-git 0.1.0",
        assurance="self-attested",
    ),
    "comparisons/ana/aspirate/1/hospital-a.cohort.2/auroc/0001.yaml": m.Comparison(
        created=TIME,
        benchmark=BENCHMARK_REF,
        dataset=DATASET_REF,
        metric="auroc",
        n=2,
        models=(
            m.ComparedModel(MODEL_REF.ref, MODEL_REF.digest, digest("r1"), 1, 1),
            m.ComparedModel(Ref.parse("bob/forest@4"), digest("m2"), digest("r2"), 1, 1),
        ),
        covariance=(0, 0, 0),
        pairs=(m.ComparedPair(1, 2, 2, 0, 0, 0, 0, 0, 2, 0),),
        client="medperf-git 0.1.0",
    ),
    "notices/members/ana/0001/0001.yaml": m.Notice(
        created=TIME,
        record=m.About("members/ana/0001.yaml", digest("x")),
        event="resolve",
        by=ANA,
        side="maintainers",
        reason="other",
    ),
}

EXAMPLES = {**COMPLETE, **MINIMAL}


def fits(kind: str, value: object) -> bool:
    """Tell what the compiled schema of a kind says of a value, entry by entry and of all together."""
    shape = shape_of(kind)
    if not isinstance(value, dict):
        return shape.together(value)
    known = all(key in shape.entries and shape.entries[key](inner) for key, inner in value.items())
    return known and shape.together(value)
