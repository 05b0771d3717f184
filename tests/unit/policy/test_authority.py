"""Each row of the authority table, signed as it must be, by too few, by others, by the same person twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from medperf_git.policy.authority import AUTHORITY, row_of
from medperf_git.policy.case import Case
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import MemberName, Ref
from tests.support import comparison_builder as cb
from tests.support import registry_builder as rb
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH, SOUTH, House, Proposal, settled, there

from .examples import DATASET, RESULT, SECOND, a_result, after, an_event, asked, compared_with, retired

Wish = Callable[[House], Proposal]
PASS, WAITS, FAIL = Outcome.PASS, Outcome.NEEDS_PERSON, Outcome.FAIL


@dataclass(frozen=True)
class Signing:
    """What a row asks: a proposal without signatures, who suffices, and what comes of other signatures."""

    wish: Wish
    enough: tuple[str, ...]
    others: dict[tuple[str, ...], Outcome]


def of_records(make: Callable[[House], Any]) -> Wish:
    """Return a proposal of what `make` makes."""

    def wish(house: House) -> Proposal:
        made = make(house)
        return house.propose(*(made if isinstance(made, tuple) else (made,)))

    return wish


def event(name: Any, by: str, **changes: Any) -> Wish:
    return of_records(lambda house: house.event(name, by=by, **changes))


def notice(name: Any, path: str, by: str, side: Any) -> Wish:
    return of_records(lambda house: house.notice(name, path, by=by, side=side))


def new_benchmark(ref: Ref, committee: tuple[str, ...] = ("dora", "emil")) -> Wish:
    def make(house: House) -> tuple[models.Record, ...]:
        benchmark = house.benchmark(ref)
        policy = house.first_policy(benchmark, committee=tuple(map(MemberName, committee)))
        return benchmark, replace(policy, thresholds=models.Thresholds(len(committee), 1))

    return of_records(make)


def later_policy(*committee: str, change: int = 2) -> Wish:
    return of_records(
        lambda house: house.policy_now(
            committee=tuple(map(MemberName, committee)), thresholds=models.Thresholds(change, 1)
        )
    )


def two_events(example: Wish) -> Wish:
    """Let decisions of the benchmark take two committee members."""
    both = models.Thresholds(2, 2)
    return after(lambda house: house.propose(house.policy_now(thresholds=both)).sign("dora", "emil"))(example)


def new_keys(*seeds: str) -> Wish:
    return of_records(lambda house: house.member_now("north", keys=rb.keys(*seeds, recovery=["north:recovery"])))


def announced(house: House) -> models.Member:
    return house.member_now("north", pending=rb.keys("north:3", recovery=["north:4"]))


def in_force(house: House) -> Proposal:
    """Announce keys for north, wait, and put them in force."""
    house.merge(house.propose(announced(house)).sign("ana", "ben", "north:3", "north:4"))
    since = house.remember(rb.AT)
    pending = there(house.member_now("north").pending)
    record = house.member_now("north", keys=pending, pending=None, recovered=models.Recovered(since))
    return house.propose(record).later(rb.AT + timedelta(days=14))


def quarantine(house: House) -> models.Quarantine:
    return models.Quarantine(created=rb.CREATED, commit="ab" * 20, paths=("results/x.yaml",), reason="forged")


def lowered(house: House) -> models.Member:
    return house.member_now("south", cosigning=None)


def revoked(house: House) -> models.Member:
    bad = models.RevokedKey(rb.key("south:2").key, rb.HEAD, "stolen")
    return house.member_now("south", keys=rb.keys("south", recovery=["south:recovery"]), cosigning=None, revoked=(bad,))


def replaced(house: House) -> models.Member:
    """Return north with another key, the old one revoked and its recovery key kept."""
    bad = models.RevokedKey(rb.key("north").key, rb.HEAD, "stolen")
    return house.member_now("north", keys=rb.keys("north:2", recovery=["north:recovery"]), revoked=(bad,))


def guarded(house: House, *recovery: str) -> models.Member:
    """Return north with these recovery keys."""
    return house.member_now("north", keys=rb.keys("north", recovery=[f"north:{name}" for name in recovery]))


def ending(house: House, end: str | None, use: str = "signing") -> models.Member:
    """Return north with the end of a key set or taken away."""
    keys = house.member_now("north").keys
    entry = replace((keys.signing if use == "signing" else keys.recovery or ())[0], expires=end)
    changed: Any = {use: (entry,)}
    return house.member_now("north", keys=replace(keys, **changed))


def twin(house: House) -> models.Dataset:
    return house.dataset(Ref("north", "twin", 1), content=models.Content("mgds-v1", digest_of(str(NORTH).encode())))


def maintained_by(*names: str, threshold: int = 2) -> Wish:
    return of_records(lambda house: house.registry_now(maintainers=tuple(map(MemberName, names)), threshold=threshold))


TWO = models.Cosigning(2, 2)
OWN_INVITATION = event("request", "emil", side="committee", subject=Ref("emil", "own", 1))


def with_own_dataset(example: Wish) -> Wish:
    """Let emil of the committee have a dataset."""
    return after(lambda house: house.propose(house.dataset(Ref("emil", "own", 1))).sign("emil"))(example)


EMILS = {"subject": Ref("emil", "own", 1)}
emil_asked = after(
    lambda house: house.propose(house.dataset(EMILS["subject"])).sign("emil"), an_event("request", "emil", **EMILS)
)
ROWS: dict[str, Signing] = {
    "registry update": Signing(
        maintained_by("ana", "ben", "dora"),
        ("ana", "ben"),
        {("ana",): WAITS, ("ana", "dora"): WAITS, ("dora",): WAITS, ("ana", "ana:recovery"): FAIL, (): FAIL},
    ),
    "quarantine": Signing(
        of_records(quarantine), ("ana", "cam"), {("ana",): WAITS, ("dora", "emil"): FAIL, ("ana", "ana:recovery"): FAIL}
    ),
    "new member": Signing(
        of_records(lambda house: rb.member("zoe")),
        ("cam", "zoe", "zoe:recovery"),
        {("cam", "zoe"): WAITS, ("zoe", "zoe:recovery"): WAITS, ("cam",): WAITS, ("dora", "zoe", "zoe:recovery"): FAIL},
    ),
    "new keys announced for a member who lost every key": Signing(
        of_records(announced),
        ("ana", "ben", "north:3", "north:4"),
        {
            ("ana", "north:3", "north:4"): WAITS,
            ("ana", "ben", "north:3"): WAITS,
            ("north", "north:3", "north:4"): FAIL,
            ("north:3", "north:4"): WAITS,
        },
    ),
    "announced keys put in force": Signing(
        in_force, ("north:3",), {("north",): FAIL, ("north:4",): FAIL, ("ana", "ben"): FAIL}
    ),
    "return of a retired member": Signing(
        after(retired("north"))(of_records(lambda house: house.member_now("north", status="active"))),
        ("ana", "north:recovery"),
        {("north",): WAITS, ("ana",): WAITS},
    ),
    "member update": Signing(
        new_keys("north", "north:2"),
        ("north", "north:2"),
        {("north",): WAITS, ("north:2",): FAIL, ("north:recovery", "north:2"): PASS, ("ana", "ben", "north:2"): FAIL},
    ),
    "cube or dataset, a new version of them": Signing(
        of_records(lambda house: rb.cube(Ref("moa", "forest", 2))),
        ("moa",),
        {("dora",): FAIL, ("ana", "ben"): FAIL, ("moa:recovery",): FAIL},
    ),
    "new benchmark with its first policy": Signing(
        new_benchmark(Ref("moa", "lung", 1)),
        ("dora", "emil", "moa", "ben"),
        {("dora", "emil", "moa"): WAITS, ("dora", "emil", "ben"): WAITS, ("dora", "moa", "ben"): WAITS},
    ),
    "next version of a benchmark with its first policy": Signing(
        new_benchmark(SECOND, ("moa", "north")),
        ("moa", "north", "dora", "emil"),
        {("moa", "north"): WAITS, ("moa", "north", "dora"): WAITS, ("dora", "emil"): WAITS},
    ),
    "later policy": Signing(
        later_policy("dora", "moa"),
        ("dora", "emil", "moa"),
        {("dora", "emil"): WAITS, ("dora", "moa"): WAITS, ("ana", "ben", "cam"): FAIL},
    ),
    "association request": Signing(
        event("request", "south"), ("south",), {("south:2",): PASS, ("dora",): FAIL, ("north",): FAIL}
    ),
    "approval": Signing(
        asked(event("approve", "dora", side="committee")),
        ("dora",),
        {("south",): FAIL, ("emil",): WAITS, ("ana", "ben"): FAIL},
    ),
    "rejection or withdrawal of an association": Signing(
        event("reject", "emil", side="committee", subject=NORTH), ("emil",), {("north",): FAIL, ("dora",): WAITS}
    ),
    "priority": Signing(
        event("prioritise", "dora", side="committee", subject=NORTH), ("dora",), {("north",): FAIL, ("moa",): FAIL}
    ),
    "result, comparison": Signing(
        of_records(lambda house: house.result()), ("north",), {("south",): FAIL, ("moa",): FAIL, ("dora", "emil"): FAIL}
    ),
    "dispute, resolve": Signing(
        after(a_result)(notice("dispute", RESULT, "dora", "committee")),
        ("dora",),
        {("north",): FAIL, ("ana",): FAIL, ("emil",): WAITS},
    ),
    "withdraw, reinstate somebody else's record": Signing(
        notice("withdraw", DATASET, "ana", "maintainers"),
        ("ana", "cam"),
        {("ana",): WAITS, ("ben", "cam"): WAITS, ("north",): FAIL},
    ),
    "withdraw, reinstate one's own record": Signing(
        notice("withdraw", DATASET, "north", "owner"), ("north",), {("ana", "ben"): FAIL, ("dora",): FAIL}
    ),
}
MORE: dict[str, Signing] = {
    "a comparison": Signing(
        lambda _: compared_with(cb.compared()).unsigned(),
        ("north",),
        {("south",): FAIL, ("moa",): FAIL, ("dora", "emil"): FAIL},
    ),
    "fewer of its own keys asked for": Signing(
        of_records(lowered),
        ("south", "cam"),
        {("south",): WAITS, ("south", "south:2"): WAITS, ("south:recovery",): PASS, ("cam",): WAITS},
    ),
    "fewer of its own keys asked for on datasets": Signing(
        after(lambda house: house.propose(house.member_now("south", cosigning=models.Cosigning(2, 2))).sign("south"))(
            of_records(lambda house: house.member_now("south", cosigning=models.Cosigning(1, 2)))
        ),
        ("south", "cam"),
        {("south", "south:2"): WAITS, ("south:recovery",): PASS},
    ),
    "a recovery key more, where there is one": Signing(
        of_records(
            lambda house: house.member_now("north", keys=rb.keys("north", recovery=["north:recovery", "north:5"]))
        ),
        ("north", "north:5", "ana"),
        {("north", "north:5"): WAITS, ("north:recovery", "north:5"): PASS},
    ),
    "a signing key more, where two must sign": Signing(
        of_records(
            lambda house: house.member_now(
                "south", keys=rb.keys("south", "south:2", "south:3", recovery=["south:recovery"])
            )
        ),
        ("south", "south:3", "ana"),
        {("south", "south:3"): WAITS, ("south:recovery", "south:3"): PASS},
    ),
    "a key that ends later than it did": Signing(
        after(lambda house: house.propose(ending(house, "2027-01-01T00:00:00Z")).sign("north"))(
            of_records(lambda house: ending(house, None))
        ),
        ("north", "cam"),
        {("north",): WAITS, ("north:recovery",): PASS},
    ),
    "an end for a recovery key": Signing(
        of_records(lambda house: ending(house, "2020-01-01T00:00:00Z", use="recovery")),
        ("north", "cam"),
        {("north",): WAITS, ("north:recovery",): PASS},
    ),
    "retirement": Signing(
        of_records(lambda house: house.member_now("north", status="retired")),
        ("north", "ben"),
        {("north",): WAITS, ("north:recovery",): PASS, ("ben",): WAITS},
    ),
    "the end of an announcement": Signing(
        after(lambda house: house.propose(announced(house)).sign("ana", "ben", "north:3", "north:4"))(
            of_records(lambda house: house.member_now("north", pending=None))
        ),
        ("north", "cam"),
        {("north",): WAITS, ("north:recovery",): PASS},
    ),
    "a recovery key dropped": Signing(
        of_records(lambda house: house.member_now("north", keys=rb.keys("north"))),
        ("north", "ana"),
        {("north",): WAITS, ("north:recovery",): PASS},
    ),
    "one of two recovery keys dropped": Signing(
        after(lambda house: house.propose(guarded(house, "r1", "r2")).sign("north", "north:r1", "north:r2", "ana"))(
            of_records(lambda house: guarded(house, "r1"))
        ),
        ("north", "ana"),
        {("north",): WAITS, ("north:r2",): PASS},
    ),
    "a key revoked and nothing else lowered": Signing(
        of_records(replaced), ("north", "north:2", "ana"), {("north", "north:2"): WAITS}
    ),
    "an update after a revocation": Signing(
        after(lambda house: house.propose(replaced(house)).sign("north", "north:2", "ana"))(
            of_records(lambda house: house.member_now("north", title="North"))
        ),
        ("north:2",),
        {("north",): FAIL},
    ),
    "fewer keys asked for by a member without recovery keys": Signing(
        after(
            lambda house: house.propose(rb.member("zoe", keys=rb.keys("zoe", "zoe:2"), cosigning=TWO)).sign(
                "zoe", "zoe:2", "ana"
            )
        )(of_records(lambda house: house.member_now("zoe", cosigning=None))),
        ("zoe", "cam"),
        {("zoe", "zoe:2"): WAITS, ("cam",): WAITS},
    ),
    "a key revoked": Signing(of_records(revoked), ("south", "ana"), {("south",): WAITS, ("south:recovery",): PASS}),
    "a dataset with the content of another": Signing(of_records(twin), ("north", "ben"), {("north",): WAITS}),
    "a result after one that maintainers withdrew": Signing(
        after(
            a_result,
            lambda house: house.propose(house.notice("withdraw", RESULT, by="ana", side="maintainers")).sign(
                "ana", "ben"
            ),
        )(of_records(lambda house: house.result(attempt=2))),
        ("north", "cam"),
        {("north",): WAITS},
    ),
    "a policy of a committee that cannot decide any more": Signing(
        after(retired("emil"))(later_policy("dora", "moa")),
        ("ana", "ben", "dora", "moa"),
        {("dora", "moa"): WAITS, ("ana", "dora", "moa"): WAITS},
    ),
    "a registry record that lets one decide": Signing(
        maintained_by("ana", threshold=1), ("ana", "ben"), {("ana",): WAITS, ("ana", "ana:recovery"): FAIL}
    ),
    "maintainers after the change": Signing(
        maintained_by("ana", "dora", "emil"), ("ana", "ben", "dora"), {("ana", "ben"): WAITS, ("dora", "emil"): WAITS}
    ),
    "an invitation": Signing(
        event("request", "dora", side="committee"), ("dora",), {("south",): FAIL, ("emil",): WAITS}
    ),
    "the answer to an invitation": Signing(
        after(an_event("request", "dora", side="committee"))(event("approve", "south")),
        ("south",),
        {("dora",): FAIL, ("north",): FAIL},
    ),
    "decisions of two": Signing(
        two_events(asked(event("approve", "dora", side="committee"))), ("dora", "emil"), {("dora",): WAITS}
    ),
    "a dispute by two": Signing(
        two_events(after(a_result)(notice("dispute", RESULT, "dora", "committee"))),
        ("dora", "emil"),
        {("dora",): WAITS},
    ),
    "a benchmark withdrawn in the name of one who signs": Signing(
        after(lambda house: later_policy("dora", "emil", "moa")(house).sign("dora", "emil", "moa"))(
            notice("withdraw", layout.benchmark_path(BENCHMARK), "emil", "owner")
        ),
        ("dora", "emil"),
        {("dora", "moa"): WAITS, ("emil", "moa"): PASS},
    ),
    "an approval of a committee member's own data": Signing(
        emil_asked(event("approve", "emil", side="committee", **EMILS)), ("emil", "dora"), {("emil",): WAITS}
    ),
    "an approval of a committee member's data by another": Signing(
        emil_asked(event("approve", "dora", side="committee", **EMILS)), ("dora",), {("emil",): WAITS}
    ),
    "a committee member's invitation of its own data": Signing(
        with_own_dataset(OWN_INVITATION), ("emil", "dora"), {("emil",): WAITS}
    ),
    "a result for which its owner wants two keys": Signing(
        after(
            an_event("request", "south"),
            an_event("approve", "dora", side="committee"),
        )(of_records(lambda house: house.result(SOUTH))),
        ("south", "south:2"),
        {("south",): WAITS, ("south:2",): WAITS, ("south", "north"): FAIL},
    ),
    "the benchmark withdrawn by its committee": Signing(
        notice("withdraw", layout.benchmark_path(BENCHMARK), "emil", "owner"),
        ("dora", "emil"),
        {("emil",): WAITS, ("ana", "ben"): FAIL},
    ),
    "a result withdrawn by its owner": Signing(
        after(a_result)(notice("withdraw", RESULT, "north", "owner")), ("north",), {("dora",): FAIL}
    ),
    "a container withdrawn by its owner": Signing(
        notice("withdraw", layout.cube_path(MODEL), "moa", "owner"), ("moa",), {("dora",): FAIL}
    ),
    "a second version of a withdrawn benchmark": Signing(
        after(
            lambda house: house.propose(house.notice("withdraw", layout.benchmark_path(BENCHMARK), by="dora")).sign(
                "dora", "emil"
            )
        )(new_benchmark(SECOND, ("moa", "north"))),
        ("moa", "north", "dora", "emil"),
        {("moa", "north", "dora"): WAITS},
    ),
}
ALL = ROWS | MORE


def judged(signing: Signing, *who: str) -> Outcome:
    return signing.wish(settled()).sign(*who).judge().outcome


def test_every_row_of_the_table_has_an_example() -> None:
    assert [row.change for row in AUTHORITY] == ["genesis", *ROWS]


@pytest.mark.parametrize("change", ROWS)
def test_the_example_falls_under_its_row(change: str) -> None:
    case = Case(ROWS[change].wish(settled()).change())
    assert {row_of(case, stored).change for stored in case.records.values()} == {change}


@pytest.mark.parametrize("name", ALL)
def test_the_right_signatures_are_enough(name: str) -> None:
    assert judged(ALL[name], *ALL[name].enough) is PASS


@pytest.mark.parametrize("name", ALL)
def test_each_of_the_signatures_is_needed(name: str) -> None:
    signing = ALL[name]
    for one in signing.enough:
        less = [seed for seed in signing.enough if seed != one]
        assert judged(signing, *less) in ((WAITS, FAIL) if less else (FAIL,)), f"{one} is not needed"


@pytest.mark.parametrize(
    ("name", "who", "outcome"), [(name, who, came) for name, one in ALL.items() for who, came in one.others.items()]
)
def test_other_signatures_do_not_do(name: str, who: tuple[str, ...], outcome: Outcome) -> None:
    assert judged(ALL[name], *who) is outcome


@pytest.mark.parametrize("name", ALL)
def test_a_stranger_and_a_new_key_of_the_right_name_do_not_do(name: str) -> None:
    signing = ALL[name]
    proposal = signing.wish(settled())
    records = [path for path in proposal.files if layout.place_of(path)]
    for path in records:
        for seed in signing.enough:
            proposal.sign_as(seed.partition(":")[0], f"{seed}:forged", path)
    assert proposal.judge().outcome is FAIL


def test_a_retired_member_counts_for_nothing() -> None:
    house = settled()
    house.merge(retired("emil")(house))
    house.merge(an_event("request", "south")(house))
    assert an_event("approve", "emil", side="committee")(house).judge().outcome is FAIL


def test_a_retired_member_signs_no_result() -> None:
    house = settled()
    house.merge(retired("north")(house))
    assert a_result(house).judge().outcome is FAIL


@pytest.mark.parametrize("who", rb.MAINTAINERS)
def test_a_genesis_needs_every_maintainer(who: str) -> None:
    assert rb.genesis(*rb.genesis_records(), unsigned=who).judge().outcome is FAIL


def test_a_genesis_with_all_signatures_but_one_on_the_registry_record_waits_or_fails() -> None:
    proposal = rb.genesis(*rb.genesis_records())
    bundle = layout.bundle_of(layout.registry_path(1), rb.signer("cam").public.short)
    assert proposal.judge().outcome is PASS
    assert proposal.without(bundle).judge().outcome is WAITS


def test_a_genesis_with_a_record_of_another_kind_is_refused_without_a_crash() -> None:
    house = settled()
    proposal = rb.genesis(*rb.genesis_records())
    path = layout.cube_path(MODEL)
    proposal.put(path, house.files[path])
    assert proposal.judge().outcome is FAIL


def test_the_same_person_signing_twice_counts_once() -> None:
    """Both keys of south are of one member; a threshold of two wants two members."""
    house = settled()
    committee = tuple(map(MemberName, ("dora", "emil", "south")))
    house.merge(house.propose(house.policy_now(committee=committee)).sign("dora", "emil", "south"))
    policy = house.policy_now(closes="2027-01-01T00:00:00Z")
    assert house.propose(policy).sign("south", "south:2").judge().outcome is WAITS
    assert house.propose(policy).sign("south", "dora").judge().outcome is PASS


def test_a_benchmark_without_a_readable_policy_can_be_signed_by_nobody() -> None:
    house = settled()
    benchmark = house.benchmark(Ref("moa", "lung", 1))
    assert house.propose(benchmark).sign("moa", "ana").judge().outcome is FAIL


def test_who_is_waited_for_is_named() -> None:
    house = settled()
    waiting = house.propose(house.policy_now(opens="2026-01-01T00:00:00Z")).sign("emil").judge()
    assert {finding.message for finding in waiting.findings} == {"waits for 2 committee members: dora"}
