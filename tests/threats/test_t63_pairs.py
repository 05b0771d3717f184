"""T63: two proposals that are each fine and together wrong, for each pair of kinds, in both orders, in real Git.

What a record rests on is of other kinds, and rests not on it in turn; registry and member records alone rest on each
other. So two proposals of different kinds are wrong together in both orders where they clash over a record that one
of them brings along, or where both publish numbers over almost the same cases. Otherwise one order is wrong, and
refused; the other is right (`Fine` says why), and passes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from typing import TypeAlias

import pytest

from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.folds import marks_of, replaced_in
from medperf_git.records.layout import Kind
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import record_at
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, write_commit, write_merge, write_root
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.standing import SOUND, Standing
from medperf_git.registry.steps import Judgement, judge_proposal, judge_step
from tests.support import comparison_builder as cb
from tests.support import registry_builder as rb
from tests.support.registry_builder import (
    BENCHMARK,
    METRICS,
    MODEL,
    NORTH,
    PREPARATOR,
    REFERENCE,
    SOUTH,
    House,
    settled,
    value,
    values,
)

REGISTRY, QUARANTINE, MEMBER, CUBE, DATASET = Kind.REGISTRY, Kind.QUARANTINE, Kind.MEMBER, Kind.CUBE, Kind.DATASET
POLICY, ASSOCIATION, RESULT = Kind.POLICY, Kind.ASSOCIATION, Kind.RESULT
COMPARISON, NOTICE = Kind.COMPARISON, Kind.NOTICE
START = datetime(2026, 11, 25, 10, tzinfo=UTC)
TREE, GHOST = Ref("moa", "tree", 1), Ref("moa", "ghost", 1)
FOREST_2, SCORE_2, PREP_2 = Ref("moa", "forest", 2), Ref("dora", "score", 2), Ref("dora", "prep", 2)
CLINIC, WARDS_2 = Ref("north", "clinic", 1), Ref("north", "wards", 2)
LUNGS, HEART_2 = Ref("dora", "lungs", 1), Ref("dora", "heart", 2)
HEART_3 = Ref("dora", "heart", 3)
FIRST_RESULT = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 1)
COMPARED_RESULT = layout.numbered(layout.result_folder(cb.BENCHMARK, NORTH, MODEL), 1)
FIRST_COMPARISON = layout.numbered(layout.comparison_folder(cb.BENCHMARK, NORTH, "dice"), 1)
A_FIFTH = {TREE: range(12)}  # of north's cases, for which a model has no value


@dataclass(frozen=True)
class World:
    """A main that both proposals start from: what stands, its commit, and the invalid step on it, if any."""

    house: House
    head: str = ""
    forged: str = ""
    forged_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What somebody proposes, and who signs: `seed` or `member=seed`, with `@folder` only the records below it."""

    seeds: str
    records: tuple[models.Record, ...]


@dataclass(frozen=True)
class Fine:
    """Why nothing is wrong in this order."""

    why: str


Word: TypeAlias = Callable[[World], Said]
Given: TypeAlias = Callable[[], tuple[House, Mapping[str, bytes]]]


def as_settled() -> tuple[House, Mapping[str, bytes]]:
    """Return what most pairs start from, without an invalid step."""
    return settled(), {}


@dataclass(frozen=True)
class Clash:
    """Two proposals and the rule that refuses each after the other; `Fine` where it rightly passes."""

    one: Word
    other: Word
    other_after_one: str | Fine
    one_after_other: str | Fine
    given: Given = as_settled


def taken(one: Word, other: Word, given: Given = as_settled) -> Clash:
    """Return a clash in which both claim the same place."""
    return Clash(one, other, "number-taken", "number-taken", given)


def alike(rule: str, one: Word, other: Word, given: Given = as_settled) -> Clash:
    """Return a clash that the same rule refuses in both orders."""
    return Clash(one, other, rule, rule, given)


def says(seeds: str, make: Callable[[House], models.Record | tuple[models.Record, ...]]) -> Word:
    """Return a proposal of what is made from the registry as it stands."""

    def word(world: World) -> Said:
        made = make(world.house)
        return Said(seeds, made if isinstance(made, tuple) else (made,))

    return word


# --- what stands before


def with_result() -> tuple[House, Mapping[str, bytes]]:
    """Return the registry with a result of the model on north's data."""
    house = settled()
    return house.merge(house.propose(house.result()).sign("north")), {}


def with_request() -> tuple[House, Mapping[str, bytes]]:
    """Return the registry with a request of south's that waits."""
    house = settled()
    return house.merge(house.propose(house.event("request", by="south")).sign("south")), {}


def with_second_wards(least: int | None = None) -> tuple[House, Mapping[str, bytes]]:
    """Return the registry with a second version of north's data, of five cases more, approved too."""
    house = settled()
    more: dict[str, object] = {"disclosure": models.SiteDisclosure(min_cases=least)} if least else {}
    house.merge(house.propose(house.dataset(WARDS_2, cases=models.Cases(exact=65), **more)).sign("north"))
    return rb.join(house, WARDS_2), {}


def with_looser_beds() -> tuple[House, Mapping[str, bytes]]:
    """Return the registry with a strict version of north's data, and a looser one of fifteen cases more."""
    house = settled()
    strict, loose = Ref("north", "beds", 1), Ref("north", "beds", 2)
    for ref, cases, least in ((strict, 60, 20), (loose, 75, None)):
        disclosure = models.SiteDisclosure(min_cases=least) if least else None
        record = house.dataset(ref, cases=models.Cases(exact=cases), disclosure=disclosure)
        house.merge(house.propose(record).sign("north"))
        rb.join(house, ref)
    return house, {}


def with_forged_step() -> tuple[House, Mapping[str, bytes]]:
    """Return the registry and the records, signed by nobody, that a host put on top of it."""
    house = settled()
    forged = house.propose(rb.cube(PREP_2, "data-preparator"), rb.cube(GHOST), house.result(SOUTH))
    return house, forged.files


def with_two_results() -> tuple[House, Mapping[str, bytes]]:
    """Return a registry with results of two models on north's data, in a benchmark that asks for comparisons."""
    return cb.compared(), {}


def with_comparison() -> tuple[House, Mapping[str, bytes]]:
    """Return that registry with a comparison of the two models."""
    house = cb.compared()
    return house.merge(house.propose(cb.comparison(house)).sign("north")), {}


def with_comparison_withdrawn() -> tuple[House, Mapping[str, bytes]]:
    """Return that registry with a comparison that maintainers withdrew."""
    house, _ = with_comparison()
    word = house.notice("withdraw", FIRST_COMPARISON, by="ana", side="maintainers")
    return house.merge(house.propose(word).sign("ana", "ben")), {}


def with_fewer_cases() -> tuple[House, Mapping[str, bytes]]:
    """Return that registry with a third model, which has values for 48 of the 60 cases, and more data of north's."""
    house = cb.compared()
    house.merge(house.propose(cb.result(house, TREE, failed=A_FIFTH[TREE])).sign("north"))
    house.merge(house.propose(house.dataset(WARDS_2, cases=models.Cases(exact=80))).sign("north"))
    return house.merge(house.propose(cb.request(house, WARDS_2)).sign("north")), {}


def with_results_on_both() -> tuple[House, Mapping[str, bytes]]:
    """Return that registry with results on the other data too, of which one rests on 50 of its 80 cases."""
    house, _ = with_fewer_cases()
    for model, lacking in ((REFERENCE, 0), (MODEL, 30)):
        record = cb.result(house, model, data=WARDS_2, cases=80, failed=range(lacking))
        house.merge(house.propose(record).sign("north"))
    return house, {}


def with_forged_result() -> tuple[House, Mapping[str, bytes]]:
    """Return the registry of two results and a third one, signed by nobody, that a host put on top of it."""
    house = cb.compared()
    return house, house.propose(cb.result(house, TREE)).files


# --- proposals


def registry(seeds: str = "ana ben", **changes: object) -> Word:
    """Return an update of the registry record, signed by two maintainers."""
    return says(seeds, lambda house: house.registry_now(**changes))


def limits(**changes: int) -> Word:
    """Return an update that lowers limits."""
    return says("ana ben", lambda house: house.registry_now(limits=replace(house.registry_now().limits, **changes)))


def without_cam() -> Word:
    """Return an update that leaves ana and ben as maintainers."""
    return registry(maintainers=(MemberName("ana"), MemberName("ben")))


def set_aside(reason: str = "forged") -> Word:
    """Return the quarantine of the invalid step, signed by ben and cam."""

    def word(world: World) -> Said:
        record = models.Quarantine(created=rb.CREATED, commit=world.forged, paths=world.forged_paths, reason=reason)  # type: ignore[arg-type]  # one of the closed list
        return Said("ben cam", (record,))

    return word


def joins(name: str, key: str = "", **changes: object) -> Word:
    """Return a new member, by default with keys of its own."""
    keys = {"keys": rb.keys(key)} if key else {}
    seeds = f"ana {name}={key}" if key else f"ana {name} {name}:recovery"
    return says(seeds, lambda _: rb.member(name, **keys, **changes))


def retires(name: str) -> Word:
    """Return the retirement of a member, by its recovery key."""
    return says(f"{name}:recovery", lambda house: house.member_now(name, status="retired"))


def changes_key(name: str) -> Word:
    """Return an update by which a member has another signing key."""
    keys = rb.keys(f"{name}:2", recovery=[f"{name}:recovery"])
    return says(f"{name} {name}:2", lambda house: house.member_now(name, keys=keys))


def wants_two_keys(name: str) -> Word:
    """Return an update by which two of a member's keys sign what it says of its data."""
    keys = rb.keys(name, f"{name}:2", recovery=[f"{name}:recovery"])
    return says(f"{name} {name}:2", lambda house: house.member_now(name, keys=keys, cosigning=models.Cosigning(1, 2)))


def revokes(world: World) -> Said:
    """Return north's word that its key is in wrong hands since main was as it is."""
    keys = rb.keys("north:2", recovery=["north:recovery"])
    revoked = (models.RevokedKey(rb.signer("north").public.openssh, world.head, "stolen"),)
    return Said("north:recovery north:2", (world.house.member_now("north", keys=keys, revoked=revoked),))


def cube(ref: Ref, title: str = "", role: str = "model") -> Word:
    """Return a container of its owner's."""
    more = {"title": title} if title else {}
    return says(ref.member, lambda _: rb.cube(ref, role, **more))  # type: ignore[arg-type]  # a role


def dataset(ref: Ref, **changes: object) -> Word:
    """Return a dataset of its owner's."""
    return says(ref.member, lambda house: house.dataset(ref, **changes))


def benchmark(ref: Ref, seeds: str = "dora emil ana", policy: Mapping[str, object] = {}, **changes: object) -> Word:
    """Return a benchmark with its first policy."""

    def make(house: House) -> tuple[models.Record, ...]:
        record = house.benchmark(ref, **changes)
        return record, house.first_policy(record, **policy)

    return says(seeds, make)


def policy(seeds: str = "dora emil", of: Ref = BENCHMARK, **changes: object) -> Word:
    """Return the next policy of a benchmark."""
    return says(seeds, lambda house: house.policy_now(of, **changes))


def tightened(least: int = 20, of: Ref = BENCHMARK) -> Word:
    """Return a policy under which values rest on more cases."""
    return policy(of=of, disclosure=models.Disclosure(least, 3, "exact"))


def without_emil() -> Word:
    """Return a policy by which moa takes emil's place in the committee."""
    return policy("dora emil moa", committee=(MemberName("dora"), MemberName("moa")))


def event(
    name: str, by: str, side: str = "owner", subject: Ref = SOUTH, kind: str = "dataset", of: Ref = BENCHMARK
) -> Word:
    """Return the next event of an association."""

    def make(house: House) -> models.Record:
        benchmark = house.benchmark_reference(of)
        return house.event(name, by=by, side=side, subject=subject, kind=kind, benchmark=benchmark)  # type: ignore[arg-type]  # closed lists

    return says(by, make)


def prioritised() -> Word:
    """Return a priority of the model that stands."""
    return event("prioritise", "emil", "committee", MODEL, "cube")


def result(data: Ref = NORTH, **changes: object) -> Word:
    """Return a result of the model on a dataset of north's."""
    return says("north", lambda house: house.result(data, **changes))


def result_over(data: Ref, cases: int) -> Word:
    """Return a result over so many cases, all of the dataset's."""
    over = values(auroc=value("0.91", cases), brier=value("0.1", cases))
    return result(data, cases=models.Cases(exact=cases), values=over)


def comparison(*refs: Ref, seeds: str = "north", **changes: object) -> Word:
    """Return a comparison of models, by default of the two that have results."""
    return says(seeds, lambda house: cb.comparison(house, refs or (REFERENCE, MODEL), **changes))  # type: ignore[arg-type]  # any field


def compared_result(model: Ref = MODEL, **changes: object) -> Word:
    """Return a result of a model in the benchmark that asks for comparisons."""
    return says("north", lambda house: cb.result(house, model, **changes))  # type: ignore[arg-type]  # any field


def notice(name: str, path: str, by: str, side: str = "owner", seeds: str = "") -> Word:
    """Return a notice about a record."""
    return says(seeds or by, lambda house: house.notice(name, path, by=by, side=side))  # type: ignore[arg-type]  # closed lists


def withdrawn(ref: Ref) -> Word:
    """Return the withdrawal of a cube by its owner."""
    return notice("withdraw", layout.cube_path(ref), ref.member)


def with_request_of(owner: str, ref: Ref, kind: str, make: Callable[[House], models.Record]) -> Word:
    """Return a new thing and its request in one proposal."""

    def both(house: House) -> tuple[models.Record, ...]:
        record = make(house)
        digest = rb.digest_of(write_record(record))
        return record, house.event("request", by=owner, subject=ref, kind=kind, digest=digest)  # type: ignore[arg-type]  # a kind

    return says(owner, both)


def dataset_on_its_preparator(house: House) -> tuple[models.Record, ...]:
    """Return a preparator and a dataset of the same member that rests on it."""
    record = rb.cube(PREP_2, "data-preparator")
    made = models.Reference(PREP_2, rb.digest_of(write_record(record)))
    return record, house.dataset(Ref("dora", "clinic", 1), preparator=made)


def benchmark_on_its_metrics(house: House) -> tuple[models.Record, ...]:
    """Return a metrics container and a benchmark that rests on it; its committee is its owner alone."""
    record = rb.cube(SCORE_2, "metrics")
    made = house.benchmark(HEART_2, metrics_cube=models.Reference(SCORE_2, rb.digest_of(write_record(record))))
    return record, made, house.first_policy(made)


def comparison_with_its_result(house: House) -> tuple[models.Record, ...]:
    """Return a first result of a model, and a comparison that rests on it."""
    record = cb.result(house, TREE)
    path = layout.numbered(layout.result_folder(cb.BENCHMARK, NORTH, TREE), 1)
    then = House({**house.files, path: write_record(record)})
    return record, cb.comparison(then, (REFERENCE, TREE))


NOBODYS_OFFICE = Fine("to set a step aside changes nobody's office or key")
COUNTS_FROM_NOW = Fine("a limit counts what comes after it")
STANDS = Fine("what was signed by who could sign it then stays signed")
TOOK_PART = Fine("what it took part in stays, marked")
SUSPECT = Fine("what a revoked key signed since it was in wrong hands stays, and is disputed")
ABSENT = Fine("what waits to be set aside counts as absent already")
NEXT_TIME = Fine("a policy binds what comes after it")
BYTES = Fine("a reference means bytes, and a newer version changes none of them")
UNSEEN = Fine("names that are easily confused are a warning, which the maintainer sees who signs last")
LEFT_BEHIND = Fine(
    "a comparison stays when a result of it is not the live one any more, and is shown as resting on such a one"
)
DOUBTED = Fine("a disputed result stays the live one until it is withdrawn, and so does what rests on it")
SUMS_UP = Fine("it runs nothing anew: it sums up results that stay, and rests on the container only through them")
APART = Fine("neither says anything of what the other rests on")


def never(one: Word, other: Word, why: Fine, given: Given = as_settled) -> Clash:
    """Return the pair that comes closest of two kinds that cannot be wrong together."""
    return Clash(one, other, why, why, given)


def behind(word: Word) -> Clash:
    """Return the quarantine of the invalid step, and a proposal that was made behind it and rests on nothing in it."""
    return Clash(set_aside(), word, ABSENT, ABSENT, with_forged_step)


PAIRS: dict[tuple[Kind, Kind], tuple[Clash, ...]] = {
    (REGISTRY, REGISTRY): (taken(registry(title="One"), registry(title="Other")),),
    (REGISTRY, QUARANTINE): (Clash(without_cam(), set_aside(), "signature", NOBODYS_OFFICE, with_forged_step),),
    (REGISTRY, MEMBER): (
        Clash(without_cam(), retires("ben"), "retirement", "office"),
        Clash(
            registry(checkpoint=models.Checkpoint("https://example.org/notes", rb.signer("eve").public.openssh, 7)),
            joins("eve"),
            "key",
            "checkpoint-key",
        ),
        Clash(limits(members=8), joins("eve"), "limit", COUNTS_FROM_NOW),
    ),
    (REGISTRY, CUBE): (Clash(limits(names_per_member=1), cube(TREE), "limit", COUNTS_FROM_NOW),),
    (REGISTRY, DATASET): (Clash(limits(names_per_member=1), dataset(CLINIC), "limit", COUNTS_FROM_NOW),),
    (REGISTRY, Kind.BENCHMARK): (
        Clash(limits(names_per_member=1), benchmark(LUNGS), "limit", COUNTS_FROM_NOW),
        Clash(
            registry("ben cam", maintainers=(MemberName("ben"), MemberName("cam"))),
            benchmark(LUNGS),
            "signature",
            STANDS,
        ),
    ),
    (REGISTRY, POLICY): (Clash(limits(chain_length=1), tightened(), "limit", COUNTS_FROM_NOW),),
    (REGISTRY, ASSOCIATION): (Clash(limits(chain_length=2), prioritised(), "limit", COUNTS_FROM_NOW),),
    (REGISTRY, RESULT): (Clash(limits(proposal_files=1), result(), "limit", COUNTS_FROM_NOW),),
    (REGISTRY, COMPARISON): (
        Clash(limits(proposal_files=1), comparison(), "limit", COUNTS_FROM_NOW, with_two_results),
        Clash(without_cam(), comparison(seeds="north cam"), "missing-signature", STANDS, with_comparison_withdrawn),
    ),
    (REGISTRY, NOTICE): (
        Clash(
            without_cam(),
            notice("withdraw", layout.cube_path(MODEL), "cam", "maintainers", "ben cam"),
            "notice",
            STANDS,
        ),
    ),
    (QUARANTINE, QUARANTINE): (taken(set_aside(), set_aside("accident"), with_forged_step),),
    (QUARANTINE, MEMBER): (
        Clash(retires("cam"), set_aside(), "signature", NOBODYS_OFFICE, with_forged_step),
        behind(changes_key("north")),
    ),
    (QUARANTINE, CUBE): (behind(cube(TREE)),),
    (QUARANTINE, DATASET): (behind(dataset(CLINIC)),),
    (QUARANTINE, Kind.BENCHMARK): (behind(benchmark(LUNGS)),),
    (QUARANTINE, POLICY): (behind(tightened()),),
    (QUARANTINE, ASSOCIATION): (behind(prioritised()),),
    (QUARANTINE, RESULT): (behind(result()),),
    (QUARANTINE, COMPARISON): (Clash(set_aside(), comparison(), ABSENT, ABSENT, with_forged_result),),
    (QUARANTINE, NOTICE): (behind(withdrawn(MODEL)),),
    (MEMBER, MEMBER): (
        alike("key", joins("eve", "shared"), joins("uma", "shared")),
        alike("lookalike", joins("saint-mary"), joins("saintmary")),
        alike(UNSEEN, joins("bell-care"), joins("be11-care")),
        alike("retirement", retires("ana"), retires("ben")),
        taken(retires("ana"), changes_key("ana")),
    ),
    (MEMBER, CUBE): (Clash(retires("moa"), cube(TREE), "owner", STANDS),),
    (MEMBER, DATASET): (Clash(changes_key("north"), dataset(CLINIC), "signature", STANDS),),
    (MEMBER, Kind.BENCHMARK): (Clash(retires("emil"), benchmark(LUNGS), "office", STANDS),),
    (MEMBER, POLICY): (Clash(retires("emil"), tightened(), "office", STANDS),),
    (MEMBER, ASSOCIATION): (Clash(changes_key("emil"), prioritised(), "signature", STANDS),),
    (MEMBER, RESULT): (
        Clash(retires("north"), result(), "signature", STANDS),
        Clash(revokes, result(), "signature", SUSPECT),
    ),
    (MEMBER, COMPARISON): (
        Clash(retires("north"), comparison(), "signature", STANDS, with_two_results),
        Clash(wants_two_keys("north"), comparison(), "missing-signature", STANDS, with_two_results),
        Clash(revokes, comparison(), "signature", SUSPECT, with_two_results),
    ),
    (MEMBER, NOTICE): (Clash(changes_key("moa"), withdrawn(MODEL), "signature", STANDS),),
    (CUBE, CUBE): (
        taken(cube(TREE), cube(TREE, "Another")),
        alike("lookalike", cube(Ref("moa", "wide-net", 1)), cube(Ref("moa", "widenet", 1))),
    ),
    (CUBE, DATASET): (taken(cube(PREP_2, "Another", "data-preparator"), says("dora", dataset_on_its_preparator)),),
    (CUBE, Kind.BENCHMARK): (
        taken(cube(SCORE_2, "Another", "metrics"), says("dora emil@benchmarks", benchmark_on_its_metrics)),
    ),
    (CUBE, POLICY): (never(cube(SCORE_2, role="metrics"), tightened(), APART),),
    (CUBE, ASSOCIATION): (taken(cube(TREE, "Another"), with_request_of("moa", TREE, "cube", lambda _: rb.cube(TREE))),),
    (CUBE, RESULT): (never(cube(FOREST_2), result(), BYTES),),
    (CUBE, COMPARISON): (never(cube(FOREST_2), comparison(), BYTES, with_two_results),),
    (CUBE, NOTICE): (never(cube(FOREST_2), withdrawn(MODEL), Fine("a withdrawn version may have a next one")),),
    (DATASET, DATASET): (
        taken(dataset(CLINIC), dataset(CLINIC, title="Another")),
        alike("lookalike", dataset(CLINIC), dataset(Ref("north", "cli-nic", 1))),
        alike(
            "missing-signature",
            dataset(CLINIC, content=models.Content("mgds-v1", rb.digest_of(b"same"))),
            dataset(Ref("north", "beds", 1), content=models.Content("mgds-v1", rb.digest_of(b"same"))),
        ),
    ),
    (DATASET, Kind.BENCHMARK): (never(dataset(CLINIC), benchmark(LUNGS), APART),),
    (DATASET, POLICY): (never(dataset(CLINIC), tightened(100), Fine("a policy binds results, not datasets")),),
    (DATASET, ASSOCIATION): (
        taken(
            dataset(CLINIC, title="Another"),
            with_request_of("north", CLINIC, "dataset", lambda house: house.dataset(CLINIC)),
        ),
    ),
    (DATASET, RESULT): (never(dataset(WARDS_2), result(), BYTES),),
    (DATASET, COMPARISON): (never(dataset(WARDS_2), comparison(), BYTES, with_two_results),),
    (DATASET, NOTICE): (Clash(withdrawn(PREPARATOR), dataset(CLINIC), "withdrawn", TOOK_PART),),
    (Kind.BENCHMARK, Kind.BENCHMARK): (
        taken(benchmark(LUNGS), benchmark(LUNGS, title="Another")),
        alike("lookalike", benchmark(LUNGS), benchmark(Ref("dora", "lun-gs", 1))),
        alike(UNSEEN, benchmark(LUNGS), benchmark(Ref("emil", "lung", 1))),
        taken(benchmark(HEART_2, "dora emil"), benchmark(HEART_2, "dora emil", title="Another")),
    ),
    (Kind.BENCHMARK, POLICY): (
        taken(benchmark(LUNGS), benchmark(LUNGS, policy={"disclosure": models.Disclosure(30, 2, "exact")})),
        Clash(
            without_emil(),
            benchmark(HEART_2, "dora emil"),
            "missing-signature",
            Fine("the policy of one version says nothing of the next"),
        ),
    ),
    (Kind.BENCHMARK, ASSOCIATION): (never(benchmark(HEART_2, "dora emil"), prioritised(), BYTES),),
    (Kind.BENCHMARK, RESULT): (never(benchmark(HEART_2, "dora emil"), result(), BYTES),),
    (Kind.BENCHMARK, COMPARISON): (never(benchmark(HEART_3, "dora emil"), comparison(), BYTES, with_two_results),),
    (Kind.BENCHMARK, NOTICE): (Clash(withdrawn(METRICS), benchmark(LUNGS), "withdrawn", TOOK_PART),),
    (POLICY, POLICY): (taken(tightened(20), tightened(30)),),
    (POLICY, ASSOCIATION): (
        Clash(tightened(), event("request", "south"), "association-request", NEXT_TIME),
        Clash(
            without_emil(),
            event("approve", "emil", "committee"),
            "association-side",
            NEXT_TIME,
            with_request,
        ),
    ),
    (POLICY, RESULT): (
        Clash(tightened(100), result(), "few-cases", NEXT_TIME),
        Clash(policy(closes="2026-11-25T10:30:00Z"), result(), "not-open", NEXT_TIME),
    ),
    (POLICY, COMPARISON): (
        Clash(tightened(100, cb.BENCHMARK), comparison(), "comparison-few-cases", NEXT_TIME, with_two_results),
        Clash(
            tightened(20, cb.BENCHMARK),
            comparison(REFERENCE, TREE, failed=A_FIFTH),
            "comparison-differencing",
            NEXT_TIME,
            with_fewer_cases,
        ),
        Clash(
            policy(of=cb.BENCHMARK, disclosure=models.Disclosure(10, 3, "bucket")),
            comparison(),
            "comparison-wanted",
            NEXT_TIME,
            with_two_results,
        ),
        Clash(
            policy(of=cb.BENCHMARK, disclosure=models.Disclosure(10, 2, "exact")),
            comparison(),
            "comparison-numbers",
            NEXT_TIME,
            with_two_results,
        ),
        Clash(
            policy(of=cb.BENCHMARK, closes="2026-11-25T10:30:00Z"),
            comparison(),
            "not-open",
            NEXT_TIME,
            with_two_results,
        ),
    ),
    (POLICY, NOTICE): (
        Clash(without_emil(), notice("dispute", FIRST_RESULT, "emil", "committee"), "notice", NEXT_TIME, with_result),
    ),
    (ASSOCIATION, ASSOCIATION): (
        taken(event("approve", "emil", "committee"), event("withdraw", "south"), with_request),
    ),
    (ASSOCIATION, RESULT): (
        Clash(event("withdraw", "north", subject=NORTH), result(), "not-approved", TOOK_PART),
        Clash(event("reject", "emil", "committee", MODEL, "cube"), result(), "not-approved", TOOK_PART),
    ),
    (ASSOCIATION, COMPARISON): (
        Clash(
            event("withdraw", "north", subject=NORTH, of=cb.BENCHMARK),
            comparison(),
            "not-approved",
            TOOK_PART,
            with_two_results,
        ),
        Clash(
            event("reject", "emil", "committee", MODEL, "cube", cb.BENCHMARK),
            comparison(),
            "not-approved",
            TOOK_PART,
            with_two_results,
        ),
    ),
    (ASSOCIATION, NOTICE): (
        Clash(
            notice("withdraw", layout.dataset_path(SOUTH), "south"), event("request", "south"), "withdrawn", TOOK_PART
        ),
    ),
    (RESULT, RESULT): (
        taken(result(), result(sandbox="compat")),
        alike("differencing", result_over(NORTH, 60), result_over(WARDS_2, 65), with_second_wards),
        Clash(
            result_over(Ref("north", "beds", 1), 60),
            result_over(Ref("north", "beds", 2), 75),
            "differencing",
            "differencing",
            with_looser_beds,
        ),
    ),
    (RESULT, COMPARISON): (
        Clash(compared_result(attempt=2), comparison(), "comparison-result", LEFT_BEHIND, with_two_results),
        Clash(
            compared_result(REFERENCE, data=WARDS_2, cases=80, failed=range(30)),
            comparison(REFERENCE, TREE, failed=A_FIFTH),
            "comparison-differencing",
            "differencing",
            with_fewer_cases,
        ),
        taken(
            compared_result(TREE, sandbox="compat"),
            says("north", comparison_with_its_result),
            with_two_results,
        ),
    ),
    (RESULT, NOTICE): (
        Clash(withdrawn(MODEL), result(), "withdrawn", TOOK_PART),
        Clash(
            notice("withdraw", FIRST_RESULT, "ana", "maintainers", "ana ben"),
            result(attempt=2),
            "missing-signature",
            TOOK_PART,
            with_result,
        ),
    ),
    (COMPARISON, COMPARISON): (
        taken(comparison(), comparison(client="medperf-git 0.1.1"), with_two_results),
        alike(
            "comparison-differencing",
            comparison(REFERENCE, TREE, failed=A_FIFTH),
            comparison(data=WARDS_2, cases=80, failed={MODEL: range(30)}),
            with_results_on_both,
        ),
    ),
    (COMPARISON, NOTICE): (
        Clash(comparison(), withdrawn(MODEL), TOOK_PART, "withdrawn", with_two_results),
        Clash(
            comparison(),
            notice("withdraw", layout.dataset_path(NORTH), "north"),
            TOOK_PART,
            "withdrawn",
            with_two_results,
        ),
        Clash(
            comparison(),
            notice("withdraw", layout.benchmark_path(cb.BENCHMARK), "dora", seeds="dora emil"),
            TOOK_PART,
            "withdrawn",
            with_two_results,
        ),
        Clash(
            comparison(),
            notice("withdraw", COMPARED_RESULT, "north"),
            LEFT_BEHIND,
            "comparison-result",
            with_two_results,
        ),
        Clash(
            comparison(),
            notice("withdraw", FIRST_COMPARISON, "ana", "maintainers", "ana ben"),
            TOOK_PART,
            "missing-signature",
            with_comparison,
        ),
        never(comparison(), withdrawn(METRICS), SUMS_UP, with_two_results),
        never(comparison(), notice("dispute", COMPARED_RESULT, "emil", "committee"), DOUBTED, with_two_results),
    ),
    (NOTICE, NOTICE): (
        taken(
            notice("withdraw", FIRST_RESULT, "north"),
            notice("dispute", FIRST_RESULT, "emil", "committee"),
            with_result,
        ),
    ),
}


def cases() -> Iterator[object]:
    for (one, other), clashes in PAIRS.items():
        for number, clash in enumerate(clashes):
            for order in ("in order", "swapped"):
                yield pytest.param(clash, order == "swapped", id=f"{one}+{other}-{number}-{order}")


class Bench:
    """A repository in which both proposals are committed on one main, merged in an order, and judged."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_copy(folder)
        self.worlds: dict[Given, World] = {}

    def world(self, given: Given) -> World:
        """Return main as it is before, written once."""
        if given not in self.worlds:
            house, forged = given()
            head = write_root(self.store, house.files, message="Begin", author=author(0))
            if forged:
                step = write_commit(self.store, head, forged, message="Forge", author=author(1))
                house = House(house.files | dict(forged))
                self.worlds[given] = World(house, step, step, tuple(sorted(forged)))
            else:
                self.worlds[given] = World(house, head)
        return self.worlds[given]

    def commit(self, world: World, word: Word) -> str:
        """Commit a proposal on main, signed by who saw main as it is."""
        said = word(world)
        proposal = world.house.propose(*said.records)
        for word_of in said.seeds.split():
            who, _, folder = word_of.partition("@")
            named, _, seed = who.rpartition("=")
            for path in [path for path in proposal.files if layout.place_of(path) and path.startswith(folder)]:
                proposal.sign_as(named or seed.partition(":")[0], seed, path, head=world.head)
        return write_commit(self.store, world.head, proposal.files, message="Propose", author=author(2))

    def standing(self, world: World, main: str) -> Standing:
        """Return how a commit of main stands: behind the invalid step until a quarantine record sets that aside."""
        if not world.forged or Snapshot.at(self.store, main).names(layout.QUARANTINE):
            return SOUND
        paths = frozenset(world.forged_paths)
        return Standing(paths, {world.forged: paths})

    def merge(self, world: World, main: str, proposal: str, *, hour: int) -> tuple[Judgement, str]:
        """Judge a proposal against main, and merge it even so."""
        judgement = judge_proposal(self.store, main, proposal, at=moment(hour), standing=self.standing(world, main))
        merge = write_merge(
            self.store, main, proposal, files=judgement.change.added, message="Merge", author=author(hour)
        )
        return judgement, merge

    def check(self, clash: Clash, *, swapped: bool) -> None:
        """Merge one, then look at the other: as a proposal, and as the merge that nobody should have made."""
        world = self.world(clash.given)
        one, other = self.commit(world, clash.one), self.commit(world, clash.other)
        first, second = (other, one) if swapped else (one, other)
        expected = clash.one_after_other if swapped else clash.other_after_one
        for alone in (first, second):
            passes(self.merge(world, world.head, alone, hour=3)[0])
        _, main = self.merge(world, world.head, first, hour=3)
        passes(judge_step(self.store, main, standing=self.standing(world, world.head)))
        judgement, forced = self.merge(world, main, second, hour=4)
        if isinstance(expected, Fine):
            passes(judgement)
            passes(judge_step(self.store, forced, standing=self.standing(world, main)))
            view = Snapshot.at(self.store, forced)
            if expected is SUSPECT:
                said = [path for path in (FIRST_RESULT, FIRST_COMPARISON) if view.blob(path) is not None]
                assert len(said) == 1
                assert marks_of(view, said[0]).disputed
            if expected is LEFT_BEHIND:
                left = record_at(view, FIRST_COMPARISON, models.Comparison)
                assert left is not None
                assert replaced_in(view, left) == (MODEL,)
            return
        rule = expected
        for judged in (judgement, judge_step(self.store, forced, standing=self.standing(world, main))):
            assert judged.outcome in (Outcome.FAIL, Outcome.NEEDS_PERSON), "both were merged"
            assert rule in {finding.rule for finding in judged.findings}, judged.findings


def moment(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def author(hour: int) -> Author:
    return Author("Ana", "ana@example.org", moment(hour))


def passes(judgement: Judgement) -> None:
    assert judgement.outcome is Outcome.PASS, "\n".join(map(str, judgement.findings))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("pairs") / "copy.git")


@pytest.mark.parametrize(("clash", "swapped"), list(cases()))
def test_t63_what_is_wrong_together_is_refused_at_the_merge(bench: Bench, clash: Clash, swapped: bool) -> None:
    bench.check(clash, swapped=swapped)


def test_t63_the_table_has_every_pair_of_kinds() -> None:
    assert list(PAIRS) == list(combinations_with_replacement(Kind, 2))


def test_t63_two_words_of_one_kind_are_never_right_in_one_order_only() -> None:
    for kind in Kind:
        for clash in PAIRS[kind, kind]:
            for said in (clash.one_after_other, clash.other_after_one):
                assert not isinstance(said, Fine) or said is UNSEEN


@pytest.mark.parametrize(
    ("given", "word", "rule"),
    [
        (
            with_forged_step,
            says("north", lambda house: house.dataset(CLINIC, preparator=house.cube_reference(PREP_2))),
            "reference",
        ),
        (with_forged_step, withdrawn(GHOST), "notice"),
        (with_forged_step, says("south south:2", lambda house: house.result(SOUTH, attempt=2)), "chain"),
        (with_forged_result, comparison(REFERENCE, TREE), "comparison-result"),
    ],
    ids=["dataset", "notice", "result", "comparison"],
)
def test_t63_what_rests_on_an_invalid_step_is_refused_before_and_after_its_quarantine(
    bench: Bench, given: Given, word: Word, rule: str
) -> None:
    world = bench.world(given)
    _, healed = bench.merge(world, world.head, bench.commit(world, set_aside()), hour=3)
    for main in (world.head, healed):
        judgement, _ = bench.merge(world, main, bench.commit(world, word), hour=4)
        assert judgement.outcome is Outcome.FAIL
        assert rule in {finding.rule for finding in judgement.findings}
