"""One accepted and at least one refused example of every rule, by rule id; the tests and golden files follow it.

Each example is a function from a settled registry to a proposal. A refused example is named by the finding it must
give, and a word on what is wrong where a rule finds several things.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from medperf_git.records import layout, models
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from tests.support import comparison_builder as cb
from tests.support import registry_builder as rb
from tests.support.registry_builder import (
    BENCHMARK,
    COMMITTEE,
    MODEL,
    NORTH,
    REFERENCE,
    SOUTH,
    House,
    Proposal,
    settled,
)

Example = Callable[[House], Proposal]
SECOND = Ref("dora", "heart", 2)
WRONG = Digest("sha256:" + "ee" * 32)
HOUSE_FILE = b"# Heart network\n"
LOW_ORDER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Examples:
    """What a rule lets through and what it refuses, by `finding id: a word`."""

    accepted: Example
    refused: dict[str, Example]


def a_result(house: House, dataset: Ref = NORTH, model: Ref = MODEL, **changes: Any) -> Proposal:
    return house.propose(house.result(dataset, model, **changes)).sign(dataset.member)


def with_values(**changes: models.MetricValue | None) -> Example:
    return lambda house: a_result(house, values=rb.values(**changes))


def faulty(rule: str) -> Examples:
    return Examples(a_result, {rule: lambda house: a_result(house).fault(rule)})


def edited(old: bytes, new: bytes) -> Example:
    def example(house: House) -> Proposal:
        proposal = house.propose(house.result())
        data = proposal.files[proposal.path]
        assert old in data
        return proposal.put(proposal.path, data.replace(old, new))

    return example


def with_limits(house: House, **changes: int) -> House:
    limits = replace(house.registry_now().limits, **changes)
    return house.merge(house.propose(house.registry_now(limits=limits)).sign("ana", "ben"))


def a_dataset(house: House, ref: Ref = SOUTH, **changes: Any) -> Proposal:
    return house.propose(house.dataset(ref, **changes)).sign(ref.member)


def a_member(record: models.Member, *seeds: str, by: str = "ana") -> Example:
    return lambda house: house.propose(record).sign(by, *seeds)


def a_cube(**changes: Any) -> Example:
    record = rb.cube(Ref("moa", "tree", 1), **changes)
    return lambda house: house.propose(record).sign("moa")


SCRIPT = rb.task("data_path", "labels_path", "model_files", outputs=("results_path",))


def mounted_at(path: str) -> Example:
    """Return a model that wants its outputs at a path."""
    task = replace(rb.task("data_path"), output_volumes={"output_path": models.Mount(path, "directory")})
    return a_cube(tasks={"infer": task})


def an_event(event: Any, by: str, *, sign: str = "", **changes: Any) -> Example:
    return lambda house: house.propose(house.event(event, by=by, **changes)).sign(sign or by)


def after(*steps: Example) -> Callable[[Example], Example]:
    """Return what runs an example in a registry in which these proposals were merged first."""

    def wrap(example: Example) -> Example:
        def run(house: House) -> Proposal:
            for step in steps:
                house.merge(step(house))
            return example(house)

        return run

    return wrap


def with_house_file(data: bytes, listed: dict[str, Digest] | None, path: str = "README.md") -> Example:
    def example(house: House) -> Proposal:
        proposal = house.propose(house.registry_now(house_files=listed))
        return (proposal.put(path, data) if data else proposal).sign("ana", "ben")

    return example


def a_policy(**changes: Any) -> Example:
    return lambda house: house.propose(house.policy_now(**changes)).sign("dora", "emil")


def with_disclosure(**changes: Any) -> Example:
    return lambda house: a_policy(disclosure=replace(house.policy_now().disclosure, **changes))(house)


def a_benchmark(ref: Ref = SECOND, policy: dict[str, Any] | None = None, **changes: Any) -> Example:
    def example(house: House) -> Proposal:
        benchmark = house.benchmark(ref, **changes)
        return house.propose(benchmark, house.first_policy(benchmark, **(policy or {}))).sign("dora", "emil")

    return example


def ranked_by(rule: Any, weights: Any, *names: str, **changes: Any) -> models.Ranking:
    return models.Ranking(rule, 1, names or ("dice",), weights, "exclude-site", 7, **changes)


def by_comparisons(ranking: models.Ranking, **changes: Any) -> Example:
    """Return a benchmark with that ranking, which asks for comparisons, in a registry of rules 2."""
    fields = {"metrics": (cb.DICE, cb.HD95, cb.AUROC), "comparisons": True, "ranking": ranking, **changes}

    def example(house: House) -> Proposal:
        house.merge(house.propose(house.registry_now(rules=2)).sign("ana", "ben"))
        return a_benchmark(**fields)(house)

    return example


def two_benchmarks(house: House) -> Proposal:
    """Propose version 2, which hands the benchmark over, and version 3 in the old committee's name."""
    second, third = house.benchmark(SECOND), house.benchmark(Ref("dora", "heart", 3))
    policies = (house.first_policy(second, committee=committee_of("moa", "emil")), house.first_policy(third))
    return house.propose(second, third, *policies).sign("dora", "emil", "moa")


def only(part: str, example: Example) -> Example:
    """Return the example without the records whose path holds `part`, and their signatures."""

    def run(house: House) -> Proposal:
        proposal = example(house)
        return proposal.without(*(path for path in proposal.files if part in path))

    return run


def a_genesis(edit: Callable[[models.Registry], models.Registry] = lambda one: one) -> Example:
    def example(_: House) -> Proposal:
        registry, founders = rb.genesis_records()
        return rb.genesis(edit(registry), founders)

    return example


def genesis_with_extra(_: House) -> Proposal:
    registry, founders = rb.genesis_records()
    extra = rb.member("zoe")
    proposal = rb.genesis(registry, founders)
    path = layout.member_path("zoe", 1)
    own = f"mg1:{digest_of(proposal.files[layout.registry_path(1)])[7:]}"
    proposal.put(path, write_record(extra))
    for seed in ("zoe", "zoe:recovery"):
        proposal.sign_as("zoe", seed, path, head="", registry=own)
    return proposal


def a_notice(event: Any, about: str, by: str, *, side: Any = "owner", sign: tuple[str, ...] = ()) -> Example:
    def example(house: House) -> Proposal:
        return house.propose(house.notice(event, about, by=by, side=side)).sign(*(sign or (by,)))

    return example


RESULT = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 1)
DATASET = layout.dataset_path(NORTH)
after_result = after(a_result)
asked = after(an_event("request", "south"))
withdrawn_model = after(a_notice("withdraw", layout.cube_path(MODEL), "moa"))


def second_version(cases: int) -> Example:
    """Return a result on a second version of the dataset with this many cases."""
    ref = Ref("north", "wards", 2)

    def example(house: House) -> Proposal:
        house.merge(a_result(house))
        house.merge(a_dataset(house, ref, cases=models.Cases(exact=cases)))
        rb.join(house, ref)
        entry = rb.values(auroc=rb.value("0.9", n=cases), brier=rb.value("0.1", n=cases))
        return a_result(house, ref, cases=models.Cases(exact=cases), values=entry)

    return example


def both_versions(cases: int) -> Example:
    """Return results on two versions of the dataset in one proposal."""
    ref = Ref("north", "wards", 2)

    def example(house: House) -> Proposal:
        house.merge(a_dataset(house, ref, cases=models.Cases(exact=cases)))
        rb.join(house, ref)
        entry = rb.values(auroc=rb.value("0.9", n=cases), brier=rb.value("0.1", n=cases))
        second = house.result(ref, cases=models.Cases(exact=cases), values=entry)
        return house.propose(house.result(), second).sign("north")

    return example


def with_statistics(**statistics: Any) -> Example:
    return lambda house: a_dataset(house, Ref("south", "clinic", 1), statistics=statistics)


def with_checkpoint(key: str) -> Example:
    checkpoint = models.Checkpoint("https://example.org/checkpoint", key, 7)
    return lambda house: house.propose(house.registry_now(checkpoint=checkpoint)).sign("ana", "ben")


def revoking(key: str = "north", since: str = rb.HEAD, *, keep: bool = False) -> Example:
    """Let north revoke a key and go on with another."""
    entry = models.RevokedKey(rb.key(key).key, since, "stolen")
    now = rb.keys("north:2", *(["north"] if keep else []), recovery=["north:recovery"])
    return lambda house: house.propose(house.member_now("north", keys=now, revoked=(entry,))).sign(
        "north:recovery", "north:2"
    )


def announce(house: House) -> Proposal:
    return house.propose(house.member_now("north", pending=rb.keys("north:3"))).sign("ana", "ben", "north:3")


def recovered(days: int = 14, since: str = "", **changes: Any) -> Example:
    """Put announced keys in force after some days."""

    def example(house: House) -> Proposal:
        house.merge(announce(house))
        step = house.remember(rb.AT)
        if since == rb.HEAD:
            house.steps[rb.HEAD] = (rb.AT, settled().view)
        found = {"keys": rb.keys("north:3"), "pending": None, "recovered": models.Recovered(since or step), **changes}
        seeds = ["north:5"] if "keys" in changes else []
        return (
            house.propose(house.member_now("north", **found))
            .sign("north:3", *seeds)
            .later(rb.AT + timedelta(days=days))
        )

    return example


def superseding(**changes: Any) -> Example:
    return after_result(lambda house: a_result(house, attempt=2, **changes))


def wrong_previous(house: House) -> Proposal:
    proposal = house.propose()
    path = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 2)
    return proposal.add(house.result(attempt=2, previous=WRONG), path=path, link=False).sign("north")


def gap(house: House) -> Proposal:
    path = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 3)
    return house.propose().add(house.result(previous=WRONG), path=path, link=False).sign("north")


def rotated(house: House) -> Proposal:
    return house.propose(house.member_now("north", keys=rb.keys("north:2", recovery=["north:recovery"]))).sign(
        "north", "north:2"
    )


def old_key_again(house: House) -> Proposal:
    return house.propose(house.member_now("north", keys=rb.keys("north:2", "north"))).sign("north:2", "north")


def retired(name: str) -> Example:
    return lambda house: house.propose(house.member_now(name, status="retired")).sign(f"{name}:recovery")


def committee_of(*names: str) -> tuple[MemberName, ...]:
    return tuple(map(MemberName, names))


def other_preparator(house: House) -> Proposal:
    ref = Ref("dora", "prep", 2)
    house.merge(house.propose(rb.cube(ref, "data-preparator")).sign("dora"))
    house.merge(a_dataset(house, Ref("south", "clinic", 1), preparator=house.cube_reference(ref)))
    return an_event("request", "south", subject=Ref("south", "clinic", 1))(house)


def window(opens: str | None, closes: str | None) -> Callable[[Example], Example]:
    return after(a_policy(opens=opens, closes=closes))


def stray(house: House) -> Proposal:
    house.merge(a_dataset(house, Ref("north", "clinic", 1)))
    proposal = a_result(house)
    path = layout.dataset_path(Ref("north", "clinic", 1))
    proposal.files[path] = house.files[path]
    return proposal.sign_as("north", "north:recovery", path).without(path)


def misfiled(house: House) -> Proposal:
    proposal = a_result(house)
    right = layout.bundle_of(proposal.path, rb.signer("north").public.short)
    data = proposal.files[right]
    return proposal.without(right).put(layout.bundle_of(proposal.path, "0" * 16), data)


def bucketed(example: Example) -> Example:
    return after(with_disclosure(n="bucket"))(example)


def a_comparison(**changes: Any) -> Example:
    """Return what proposes a comparison of two models; a function among `changes` makes a field from what it was."""

    def example(_: House) -> Proposal:
        return compared_with(cb.compared(), **changes)

    return example


def compared_with(house: House, **changes: Any) -> Proposal:
    record: Any = cb.comparison(house)
    found = {name: change(getattr(record, name)) if callable(change) else change for name, change in changes.items()}
    return house.propose(replace(record, **found)).sign("north")


def first(**changes: Any) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return what changes the first entry of a field."""
    return lambda entries: (replace(entries[0], **changes), *entries[1:])


def under(example: Callable[[House], Proposal], **changes: Any) -> Example:
    """Return an example in another registry with comparisons."""
    return lambda _: example(cb.compared(**changes))


def of_a_single_value(house: House) -> Proposal:
    return house.propose(replace(cb.comparison(house), metric="auroc")).sign("north")


def after_a_policy(house: House) -> Proposal:
    policy = house.policy_now(cb.BENCHMARK)
    house.merge(house.propose(replace(policy, disclosure=models.Disclosure(10, 3, "bucket"))).sign("dora", "emil"))
    return compared_with(house)


def of_a_superseded_result(house: House) -> Proposal:
    record = cb.comparison(house)
    house.merge(house.propose(cb.result(house, MODEL, attempt=2)).sign("north"))
    return house.propose(record).sign("north")


def of_a_withdrawn_result(house: House) -> Proposal:
    record = cb.comparison(house)
    path = layout.numbered(layout.result_folder(cb.BENCHMARK, NORTH, MODEL), 1)
    house.merge(house.propose(house.notice("withdraw", path, by="north")).sign("north"))
    return house.propose(record).sign("north")


def of_a_partial_result(house: House) -> Proposal:
    house.merge(house.propose(cb.result(house, MODEL, attempt=2, outcome="partial")).sign("north"))
    return compared_with(house)


def of_a_value_held_back(house: House) -> Proposal:
    values = cb.result(house, MODEL).values or {}
    kept = {**values, "dice": models.MetricValue(n=0, n_undefined=60, n_failed=0)}
    house.merge(house.propose(cb.result(house, MODEL, attempt=2, values=kept)).sign("north"))
    return compared_with(house)


def with_site_limit(least: int) -> Example:
    """Return a comparison under a stricter policy than the results were published under."""

    def example(house: House) -> Proposal:
        policy = house.policy_now(cb.BENCHMARK)
        house.merge(
            house.propose(replace(policy, disclosure=models.Disclosure(least, 3, "exact"))).sign("dora", "emil")
        )
        return compared_with(house)

    return example


def mostly_failed(house: House) -> Proposal:
    failed = range(30)
    house.merge(house.propose(cb.result(house, cb.TREE, undefined="worst", failed=failed)).sign("north"))
    policy = house.policy_now(cb.BENCHMARK)
    house.merge(house.propose(replace(policy, disclosure=models.Disclosure(31, 3, "exact"))).sign("dora", "emil"))
    metric = replace(cb.DICE, undefined="worst")
    record = cb.comparison(house, (REFERENCE, cb.TREE), metric=metric, failed={cb.TREE: failed})
    return house.propose(record).sign("north")


def with_a_model_that_lacks(cases: int) -> Example:
    """Return a comparison with a third model that has no value for some cases."""

    def example(house: House) -> Proposal:
        lacking = range(cases)
        house.merge(house.propose(cb.result(house, cb.TREE, failed=lacking)).sign("north"))
        refs = (REFERENCE, MODEL, cb.TREE)
        return house.propose(cb.comparison(house, refs, failed={cb.TREE: lacking})).sign("north")

    return example


DISTRIBUTED = replace(
    cb.DICE, quantiles=(Decimal("0.25"), Decimal("0.5"), Decimal("0.75")), counts=models.Counts("/counts", 2)
)
QUARTILES = (Decimal("0.5"), Decimal("0.65"), Decimal("0.8"))


def distributed(**changes: Any) -> Example:
    """Return a result with quantiles and counts, changed."""

    def example(house: House) -> Proposal:
        values = cb.result(house, MODEL).values or {}
        entry = replace(values["dice"], **{"quantiles": QUARTILES, "counts": (30, 0), **changes})
        return house.propose(cb.result(house, MODEL, attempt=2, values={**values, "dice": entry})).sign("north")

    return under(example, metrics=(DISTRIBUTED, cb.HD95, cb.AUROC))


def without_rules_2(example: Example) -> Example:
    def run(_: House) -> Proposal:
        house = cb.compared()
        house.files = {path: data for path, data in house.files.items() if not path.startswith("registry/0002")}
        return example(house)

    return run


RULE_EXAMPLES: dict[str, Examples] = {
    **{
        rule: faulty(rule)
        for rule in (
            *("append-only", "git-object", "too-large", "number-taken", "history", "merge-form"),
            *("quarantine", "step-time"),
        )
    },
    "empty": Examples(a_result, {"empty": lambda house: house.propose()}),
    "layout": Examples(
        a_result,
        {
            "layout": lambda house: a_result(house).put("docs/guide.md", b"hello\n"),
            "layout: a signature's name in capitals": lambda house: a_result(house).put(
                RESULT + ".ABCDEF0123456789.sigstore.json", b"{}"
            ),
            "layout: a signature of no record": lambda house: a_result(house).put(
                "results/0001.yaml.abcdef0123456789.sigstore.json", b"{}"
            ),
        },
    ),
    "readable": Examples(
        a_result,
        {
            "canonical": edited(b"attempt: 1\n", b"attempt:  1\n"),
            "yaml-number: 17 digits": edited(b"0.912", b"0.91234567890123456"),
            "schema": edited(b"attempt: 1\n", b"attempt: 1\nnote: hello\n"),
            "path": lambda house: house.propose().add(house.result(model=REFERENCE), path=RESULT, link=False),
        },
    ),
    "separation": Examples(
        a_member(rb.member("zoe"), "zoe", "zoe:recovery"),
        {
            "separation": lambda house: (
                a_member(rb.member("zoe"), "zoe", "zoe:recovery")(house)
                .add(house.dataset(Ref("north", "clinic", 1)))
                .sign("north", only="datasets")
            ),
            "separation: registry and member": lambda house: (
                house.propose(house.registry_now(threshold=1), house.member_now("ana", title="Ana alone"))
                .sign("ana", "ben", only="registry")
                .sign("ana", only="members")
            ),
            "separation: a house file alone": lambda house: a_result(house).put("README.md", HOUSE_FILE),
        },
    ),
    "genesis": Examples(
        a_genesis(),
        {
            "genesis: an extra record": genesis_with_extra,
            "genesis: without its words": a_genesis(lambda registry: replace(registry, genesis=None)),
            "genesis: another digest": a_genesis(
                lambda one: replace(one, genesis=models.Genesis("cd" * 32, dict.fromkeys(one.maintainers, WRONG)))
            ),
            "genesis: other members": a_genesis(
                lambda registry: replace(registry, maintainers=registry.maintainers[:2])
            ),
            "genesis: a second one": lambda house: house.propose(
                replace(house.registry_now(), genesis=models.Genesis("cd" * 32, {"ana": WRONG}))
            ).sign("ana", "ben"),
        },
    ),
    "rules-version": Examples(
        lambda house: house.propose(house.registry_now(rules=1)).sign("ana", "ben"),
        {"rules-version": lambda house: house.propose(house.registry_now(rules=3)).sign("ana", "ben")},
    ),
    "newer-rules": Examples(
        a_comparison(),
        {
            "newer-rules: a comparison": without_rules_2(compared_with),
            "newer-rules: a benchmark that asks for some": a_benchmark(comparisons=True),
            "newer-rules: metrics": a_benchmark(
                metrics=(
                    replace(DISTRIBUTED, id="auroc"),
                    replace(cb.HD95, worst=374),
                )
            ),
            "newer-rules: a ranking": a_benchmark(
                metrics=(cb.DICE,),
                ranking=models.Ranking(
                    "meta", 1, ("dice",), "equal", "exclude-site", 7, alpha=Decimal("0.1"), method="PM"
                ),
            ),
            "newer-rules: weights": a_benchmark(
                ranking=models.Ranking("mean-of-sites", 1, ("auroc",), "capped-cases", "exclude-site", 7, cap=100)
            ),
            "newer-rules: a benchmark that was tested": a_benchmark(tested=models.Tested(WRONG, "complete")),
            "newer-rules: an engine without every limit": lambda house: a_result(house, sandbox="unlimited"),
            "newer-rules: values": with_values(auroc=rb.value("0.9", quantiles=QUARTILES, counts=(30, 30))),
        },
    ),
    "house-file": Examples(
        with_house_file(HOUSE_FILE, {"README.md": digest_of(HOUSE_FILE)}),
        {
            "house-file: another digest": with_house_file(HOUSE_FILE, {"README.md": WRONG}),
            "house-file: not listed": with_house_file(HOUSE_FILE, None),
            "house-file: not there": with_house_file(b"", {"LICENSE": WRONG}),
            "house-file: dropped": after(with_house_file(HOUSE_FILE, {"README.md": digest_of(HOUSE_FILE)}))(
                lambda house: house.propose(house.registry_now(house_files=None)).sign("ana", "ben")
            ),
        },
    ),
    "private-text": Examples(
        a_cube(description="Ask the maintainers at info@example.org"),
        {
            "private-text: a private key": a_cube(description="-----BEGIN OPENSSH PRIVATE KEY-----"),
            "private-text: an age key": a_cube(description=f"AGE-SECRET-KEY-1{'Q' * 58}"),
            "private-text: a token of GitHub": a_cube(parameters="token: ghp_" + "a1" * 18),
            "private-text: a fine-grained one": a_cube(parameters="token: github_pat_" + "a1" * 18),
            "private-text: a token of GitLab": a_cube(parameters="token: glpat-" + "a1" * 10),
            "private-text: an access key of AWS": a_cube(parameters="AKIA" + "A1" * 8),
            "private-text: an e-mail address": lambda house: a_dataset(
                house, Ref("south", "clinic", 1), description="Ask jane.roe@hospital.example"
            ),
            "private-text: a member's": a_member(rb.member("zoe", title="zoe@example.org"), "zoe", "zoe:recovery"),
        },
    ),
    "limit": Examples(
        a_result,
        {
            "limit: files": lambda house: a_result(with_limits(house, proposal_files=1)),
            "limit: bytes": lambda house: a_result(with_limits(house, proposal_bytes=100)),
            "limit: members": lambda house: a_member(rb.member("zoe"), "zoe", "zoe:recovery")(
                with_limits(house, members=8)
            ),
            "limit: chain": after_result(lambda house: a_result(with_limits(house, chain_length=1), attempt=2)),
            "limit: names": lambda house: a_dataset(with_limits(house, names_per_member=1), Ref("north", "clinic", 1)),
        },
    ),
    "chain": Examples(superseding(), {"chain: previous": after_result(wrong_previous), "chain: a gap": gap}),
    "version": Examples(
        lambda house: a_dataset(house, Ref("south", "wards", 2)),
        {
            "version": lambda house: a_dataset(house, Ref("south", "wards", 3)),
            "version: of a benchmark": a_benchmark(Ref("dora", "heart", 3)),
            "version: two of a benchmark at once": two_benchmarks,
        },
    ),
    "lookalike": Examples(
        lambda house: a_dataset(house, Ref("south", "clinic", 1)),
        {
            "lookalike": lambda house: a_dataset(house, Ref("south", "war-ds", 1)),
            "lookalike: a member": a_member(rb.member("no-rth"), "no-rth", "no-rth:recovery"),
        },
    ),
    "key": Examples(
        rotated,
        {
            "key: somebody else's": a_member(rb.member("zoe", keys=rb.keys("north")), "north"),
            "key: of low order": a_member(
                rb.member("zoe", keys=models.Keys((rb.key("zoe"), models.KeyEntry(LOW_ORDER)))), "zoe"
            ),
            "key: given up": after(rotated)(old_key_again),
        },
    ),
    "checkpoint-key": Examples(
        with_checkpoint(rb.key("notes").key),
        {
            "checkpoint-key: a member's": with_checkpoint(rb.key("north").key),
            "checkpoint-key: of low order": with_checkpoint(LOW_ORDER),
        },
    ),
    "revocation": Examples(
        revoking(),
        {
            "revocation: never the member's": revoking(key="north:9"),
            "revocation: still a key": revoking(keep=True),
            "revocation: no step": revoking(since=rb.OTHER_HEAD),
            "revocation: taken back": after(revoking())(
                lambda house: house.propose(house.member_now("north", revoked=None)).sign("north:2")
            ),
        },
    ),
    "recovery": Examples(
        recovered(),
        {
            "recovery: too early": recovered(days=13),
            "recovery: other keys": recovered(keys=rb.keys("north:5")),
            "recovery: another title": recovered(title="Somebody else"),
            "recovery: no such step": recovered(since=rb.OTHER_HEAD),
            "recovery: a step before": recovered(since=rb.HEAD),
            "recovery: never announced": lambda house: house.propose(
                house.member_now("north", recovered=models.Recovered(rb.HEAD))
            ).sign("north"),
            "recovery: announced with more": lambda house: house.propose(
                house.member_now("north", title="Mine", pending=rb.keys("north:3"))
            ).sign("ana", "ben", "north:3"),
            "recovery: announced twice": after(announce)(announce),
            "recovery: of a new member": a_member(
                rb.member("zoe", pending=rb.keys("zoe:3")), "zoe", "zoe:recovery", "zoe:3"
            ),
        },
    ),
    "office": Examples(
        a_policy(committee=committee_of("dora", "emil")),
        {
            "office: a committee member": a_policy(committee=committee_of("dora", "emil", "nobody")),
            "office: a maintainer": lambda house: house.propose(
                house.registry_now(maintainers=committee_of("ana", "ben", "nobody"))
            ).sign("ana", "ben"),
            "office: a retired one": after(retired("cam"))(
                lambda house: house.propose(house.registry_now(title="New title")).sign("ana", "ben")
            ),
        },
    ),
    "retirement": Examples(retired("cam"), {"retirement": after(retired("cam"))(retired("ben"))}),
    "cosigning": Examples(
        lambda house: house.propose(house.member_now("south", cosigning=models.Cosigning(2, 2))).sign("south"),
        {
            "cosigning": lambda house: house.propose(house.member_now("north", cosigning=models.Cosigning(1, 2))).sign(
                "north"
            )
        },
    ),
    "owner": Examples(
        lambda house: a_dataset(house, Ref("south", "clinic", 1)),
        {
            "owner": lambda house: a_dataset(house, Ref("zoe", "clinic", 1)),
            "owner: retired": after(retired("south"))(lambda house: a_dataset(house, Ref("south", "clinic", 1))),
        },
    ),
    "reference": Examples(
        a_result,
        {
            "reference: not there": lambda house: a_dataset(
                house, Ref("south", "clinic", 1), preparator=models.Reference(Ref("dora", "none-such", 1), WRONG)
            ),
            "reference: other bytes": lambda house: a_dataset(
                house, Ref("south", "clinic", 1), preparator=models.Reference(rb.PREPARATOR, WRONG)
            ),
            "reference: another role": lambda house: a_dataset(
                house, Ref("south", "clinic", 1), preparator=house.cube_reference(rb.METRICS)
            ),
        },
    ),
    "withdrawn": Examples(
        withdrawn_model(an_event("withdraw", "moa", subject=MODEL, kind="cube")),
        {
            "withdrawn": withdrawn_model(a_result),
            "withdrawn: the benchmark": after(
                a_notice("withdraw", layout.benchmark_path(BENCHMARK), "dora", sign=COMMITTEE)
            )(a_result),
        },
    ),
    "benchmark-policy": Examples(
        a_benchmark(),
        {
            "benchmark-policy: without policy": only("policy", a_benchmark()),
            "benchmark-policy: without benchmark": only("benchmark.yaml", a_benchmark()),
        },
    ),
    "disclosure": Examples(
        with_disclosure(min_cases=20, decimals=2, n="bucket"),
        {
            "disclosure: min_cases": with_disclosure(min_cases=9),
            "disclosure: decimals": with_disclosure(decimals=4),
            "disclosure: n": bucketed(with_disclosure(n="exact")),
        },
    ),
    "ranking": Examples(
        a_benchmark(),
        {
            "ranking": a_benchmark(
                ranking=models.Ranking("mean-of-sites", 1, ("auroc",), "cases", "exclude-model", 7),
                policy={"disclosure": models.Disclosure(10, 3, "bucket")},
            ),
            "ranking: by comparisons": by_comparisons(
                ranked_by("fets-2022", "equal"), policy={"disclosure": models.Disclosure(10, 3, "bucket")}
            ),
        },
    ),
    "ranking-basis": Examples(
        by_comparisons(ranked_by("test-then-rank", "equal", adjust="holm", alpha=Decimal("0.01"))),
        {
            "ranking-basis: no comparisons": by_comparisons(ranked_by("rank-then-mean", "cases"), comparisons=None),
            "ranking-basis: no value for each case": by_comparisons(ranked_by("brats", "cases", "auroc")),
            "ranking-basis: no standard deviation": by_comparisons(ranked_by("meta", "equal", "hd95")),
        },
    ),
    "cube-task": Examples(
        a_cube(),
        {
            "cube-task: none of its role": a_cube(tasks={"train": rb.task("data_path")}),
            "cube-task: a mount is missing": a_cube(tasks={"infer": rb.task("data_path", outputs=())}),
            "cube-task: over its fresh folder": mounted_at("/tmp"),
            "cube-task: over the system": mounted_at("/usr/"),
            "cube-task: over another": mounted_at("/in/data_path"),
            "cube-task: inside another": mounted_at("/in/data_path/out"),
            "cube-task: an open quotation": a_cube(tasks={"infer": rb.task("data_path", command="python3 'x")}),
            "cube-task: files that nobody names": a_cube(tasks={"infer": rb.task("data_path", "additional_files")}),
            "cube-task: a model asks for labels": a_cube(tasks={"infer": rb.task("data_path", "labels_path")}),
            "cube-task: weights that are nowhere": a_cube(tasks={"run_script": SCRIPT}),
            "cube-task: a script without weights to run": a_cube(
                role="metrics", tasks={"run_script": rb.task("data_path", "labels_path", outputs=("results_path",))}
            ),
            "cube-task: a script for a preparator": a_cube(role="data-preparator", tasks={"run_script": SCRIPT}),
            "cube-task: a script beside a model's own task": a_cube(
                tasks={"run_script": SCRIPT, "infer": rb.task("data_path", "labels_path")}
            ),
        },
    ),
    "cube-environment": Examples(
        a_cube(tasks={"infer": rb.task("data_path", environment={"THREADS": "2"})}),
        {
            "cube-environment": a_cube(tasks={"infer": rb.task("data_path", environment={"LD_PRELOAD": "/evil.so"})}),
            "cube-environment: small letters": a_cube(
                tasks={"infer": rb.task("data_path", environment={"https_proxy": "http://evil"})}
            ),
        },
    ),
    "association-state": Examples(
        an_event("request", "south"),
        {
            "association-state": an_event("approve", "emil", side="committee"),
            "association-state: asked twice": asked(an_event("request", "south")),
        },
    ),
    "association-side": Examples(
        asked(an_event("approve", "dora", side="committee")),
        {
            "association-side: the side that asked": asked(an_event("approve", "south")),
            "association-side: priority by the owner": asked(an_event("prioritise", "south")),
            "association-side: a stranger": an_event("request", "north", side="committee"),
        },
    ),
    "association-request": Examples(
        an_event("request", "south"),
        {
            "association-request: another policy": after(a_policy(closes="2027-01-01T00:00:00Z"))(
                lambda house: an_event(
                    "request", "south", policy=house.digest(layout.numbered(layout.policy_folder(BENCHMARK), 1))
                )(house)
            ),
            "association-request: another preparator": other_preparator,
        },
    ),
    "association-subject": Examples(
        asked(an_event("approve", "dora", side="committee")),
        {"association-subject": asked(an_event("approve", "dora", side="committee", digest=WRONG))},
    ),
    "not-approved": Examples(
        a_result,
        {
            "not-approved: the dataset": lambda house: house.propose(house.result(SOUTH)).sign("south", "south:2"),
            "not-approved: the model": after(lambda house: house.propose(rb.cube(Ref("moa", "tree", 1))).sign("moa"))(
                lambda house: a_result(house, NORTH, Ref("moa", "tree", 1))
            ),
        },
    ),
    "not-open": Examples(
        window("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")(a_result),
        {
            "not-open: early": window("2026-12-01T00:00:00Z", None)(a_result),
            "not-open: late": window(None, "2026-12-01T00:00:00Z")(
                lambda house: a_result(house).later(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC))
            ),
        },
    ),
    "result-binding": Examples(
        a_result,
        {
            "result-binding: image": lambda house: a_result(house, images=models.Images(WRONG, rb.IMAGE)),
            "result-binding: parameters": lambda house: a_result(house, parameters=models.ParameterDigests(WRONG)),
            "result-binding: cases": lambda house: a_result(house, cases=models.Cases(exact=61)),
            "result-binding: metrics container": after(
                lambda house: house.propose(rb.cube(Ref("dora", "score", 2), "metrics")).sign("dora")
            )(lambda house: a_result(house, metrics_cube=house.cube_reference(Ref("dora", "score", 2)))),
        },
    ),
    "attempt": Examples(superseding(), {"attempt": after_result(a_result)}),
    "declared": Examples(
        a_result,
        {
            "undeclared-metric": with_values(secret=rb.value("0.5")),
            "missing-metric": with_values(brier=None),
            "partial": lambda house: a_result(house, outcome="partial"),
        },
    ),
    "values": Examples(
        with_values(auroc=models.MetricValue(n=0, n_undefined=60)),
        {
            "range": with_values(auroc=rb.value("1.2")),
            "range: sd": with_values(brier=rb.value("0.1", sd=Decimal("123456789012.12"))),
            "decimals: the policy's": with_values(auroc=rb.value("0.9123")),
            "decimals: of an sd": with_values(brier=rb.value("0.1", sd=Decimal("0.0234"))),
            "undeclared-metric: an sd": with_values(auroc=rb.value("0.9", sd=Decimal("0.1"))),
            "missing-metric: no value": with_values(auroc=models.MetricValue(n=60)),
        },
    ),
    "cases": Examples(
        with_values(auroc=rb.value("0.9", n=50, n_failed=10)),
        {
            "cases: too many": with_values(auroc=rb.value("0.9", n=59, n_undefined=2)),
            "cases: not said": with_values(auroc=rb.value("0.9", n=None)),
            "cases: ranges only": bucketed(a_result),
            "cases: ranges only, failed ones too": bucketed(with_values(auroc=models.MetricValue(n_failed=1))),
            "cases: both there and absent": with_values(auroc=rb.value("0.9", absent="failed")),
        },
    ),
    "few-cases": Examples(
        with_values(auroc=models.MetricValue(n=9)),
        {
            "few-cases": with_values(auroc=rb.value("0.9", n=9)),
            "few-cases: an sd": with_values(brier=models.MetricValue(sd=Decimal("0.1"), n=9, n_failed=51)),
        },
    ),
    "distributions": Examples(
        distributed(),
        {
            "distributions: other quantiles": distributed(quantiles=QUARTILES[:2]),
            "distributions: quantiles of nothing": with_values(auroc=rb.value("0.9", quantiles=QUARTILES)),
            "distributions: quantiles that go down": distributed(quantiles=QUARTILES[::-1]),
            "distributions: quantiles out of range": distributed(quantiles=(*QUARTILES[:2], Decimal("1.5"))),
            "distributions: digits": distributed(quantiles=(*QUARTILES[:2], Decimal("0.8001"))),
            "distributions: few cases beyond": distributed(n=39, n_failed=21),
            "distributions: other counts": distributed(counts=(30,)),
            "distributions: a small count": distributed(counts=(30, 9)),
        },
    ),
    "comparison-wanted": Examples(
        a_comparison(),
        {
            "comparison-wanted: nobody asked": under(compared_with, comparisons=None),
            "comparison-wanted: ranges only": under(after_a_policy),
            "comparison-wanted: not declared": a_comparison(metric="f1"),
            "comparison-wanted: one value for all cases": under(of_a_single_value),
        },
    ),
    "comparison-result": Examples(
        a_comparison(),
        {
            "comparison-result: superseded": under(of_a_superseded_result),
            "comparison-result: withdrawn": under(of_a_withdrawn_result),
            "comparison-result: partial": under(of_a_partial_result, partial=True),
            "comparison-result: no value": under(of_a_value_held_back),
        },
    ),
    "comparison-numbers": Examples(
        a_comparison(),
        {
            f"comparison-numbers: {name}": a_comparison(**changes)
            for name, changes in {
                "digits of a mean": {"models": first(mean=Decimal("0.65912"))},
                "another mean": {"models": first(mean=Decimal("0.55"))},
                "a mean out of range": {"models": first(mean=2)},
                "another rank": {"models": first(mean_rank=Decimal("1.1"))},
                "a rank beyond the models": {"models": first(mean_rank=3)},
                "a negative variance": {"covariance": lambda old: (Decimal("-0.01"), *old[1:])},
                "a covariance too large": {"covariance": lambda old: (old[0], Decimal("0.2"), old[2])},
                "digits of a covariance": {"covariance": lambda old: (Decimal("0.0251234"), *old[1:])},
                "wins that do not add up": {"pairs": first(wins=1)},
                "a rank sum too large": {"pairs": first(w_plus=1831)},
                "a quarter of a rank": {"pairs": first(w_plus=Decimal("900.25"))},
                "a variance too small": {"pairs": first(variance=1)},
                "another difference": {"pairs": first(difference=Decimal("0.3"))},
                "a difference too large": {"pairs": first(difference=2)},
                "another sd": {"pairs": first(sd=Decimal("0.9"))},
                "fewer cases in a pair": {"pairs": first(n=50)},
                "more cases than the results": {"n": 61},
            }.items()
        },
    ),
    "comparison-few-cases": Examples(
        a_comparison(),
        {
            "comparison-few-cases": under(with_site_limit(61)),
            "comparison-few-cases: the others are the worst value": under(mostly_failed, undefined="worst"),
        },
    ),
    "comparison-differencing": Examples(
        under(with_a_model_that_lacks(10)),
        {"comparison-differencing": under(with_a_model_that_lacks(9))},
    ),
    "statistics": Examples(
        lambda house: a_dataset(
            house,
            Ref("south", "clinic", 1),
            statistics={"num_cases": 60, "count_rare": 0, "mean_age": Decimal("61.5"), "age_sd": Decimal("9.25")},
        ),
        {
            f"statistics: {name}": with_statistics(**{name: number})
            for name, number in {
                "age_max": 97,
                "cases": 60,
                "num_rare": 9,
                "count_rare": -1,
                "num_half": Decimal("10.5"),
                "mean_age": Decimal("61.1234"),
            }.items()
        },
    ),
    "differencing": Examples(
        second_version(70),
        {
            "differencing": second_version(59),
            "differencing: in one proposal": both_versions(59),
            "differencing: within a chain": superseding(
                values=rb.values(auroc=rb.value("0.9", n=59, n_failed=1)),
            ),
        },
    ),
    "notice": Examples(
        a_notice("withdraw", DATASET, "north"),
        {
            "notice: of nothing merged": lambda house: house.propose(
                replace(house.notice("withdraw", DATASET, by="south"), record=models.About(RESULT, WRONG))
            ).sign("south"),
            "notice: of another kind": a_notice("withdraw", "members/north/0001.yaml", "north"),
            "notice: dispute of a dataset": a_notice("dispute", DATASET, "dora", side="committee"),
            "notice: changes nothing": a_notice("reinstate", DATASET, "north"),
            "notice: what maintainers withdrew": after(
                a_notice("withdraw", DATASET, "ana", side="maintainers", sign=("ana", "ben"))
            )(a_notice("reinstate", DATASET, "north")),
            "notice: dispute by the owner": after_result(a_notice("dispute", RESULT, "north")),
            "notice: withdrawal by the committee": after_result(a_notice("withdraw", RESULT, "dora", side="committee")),
            "notice: in another's name": a_notice("withdraw", DATASET, "south", sign=("north",)),
        },
    ),
    "stray-signature": Examples(a_result, {"stray-signature": stray}),
    "signature": Examples(
        a_result,
        {
            "signature: somebody else's": lambda house: a_result(house).sign("south"),
            "signature: under another name": misfiled,
            "signature: other bytes": lambda house: a_result(house).sign_as(
                "north", "north", RESULT, record=b"kind: result\n"
            ),
            "signature: no bundle": lambda house: a_result(house).put(
                RESULT + ".abcdef0123456789.sigstore.json", b"hello\n"
            ),
        },
    ),
    "head": Examples(
        a_result,
        {
            "head": lambda house: house.propose(house.result()).sign("north", head=rb.OTHER_HEAD),
            "head: none": lambda house: house.propose(house.result()).sign("north", head=""),
        },
    ),
    "unsigned": Examples(
        a_result,
        {
            "unsigned": lambda house: house.propose(house.result()),
            "unsigned: by its own new key": lambda house: house.propose(
                house.member_now("north", keys=rb.keys("north", "north:2"))
            ).sign("north:2"),
        },
    ),
    "missing-signature": Examples(
        a_policy(closes="2027-01-01T00:00:00Z"),
        {
            "missing-signature": lambda house: house.propose(house.policy_now(opens="2026-01-01T00:00:00Z")).sign(
                "dora"
            ),
            "missing-signature: its own key only": a_member(rb.member("zoe"), by="zoe"),
            "missing-signature: never": after(a_policy(thresholds=models.Thresholds(2, 2)), retired("emil"))(
                an_event("request", "dora", side="committee")
            ),
        },
    ),
}
