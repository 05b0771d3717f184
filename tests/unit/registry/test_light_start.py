"""What one commit proves of who may decide: every honest registry proves itself, and forged offices do not."""

from collections.abc import Callable

import pytest

from medperf_git.errors import IntegrityBroken
from medperf_git.records import layout, models
from medperf_git.records.names import MemberName
from medperf_git.registry.light_start import Proof
from tests.support import registry_builder as rb
from tests.support.registry_builder import House, admitted, founded, settled
from tests.unit.policy.examples import RULE_EXAMPLES

ZOE = ("zoe", "zoe:recovery")


def prove(house: House, *, registry: str = "") -> None:
    """Prove the files that a light copy proves of a registry in memory."""
    files = {path: data for path, data in house.files.items() if path.split("/")[0] in ("registry", "members")}
    Proof.of(files, registry or house.id).complete()


def forced(house: House, *seeds: str, record: models.Record) -> House:
    """Put a record into the registry as a hostile host would: signed by these, and judged by nobody."""
    house.files |= house.propose(record).sign(*seeds).files
    return house


@pytest.mark.parametrize("rule", RULE_EXAMPLES)
def test_whatever_the_judge_accepts_proves_itself(rule: str) -> None:
    house = settled()
    house.merge(RULE_EXAMPLES[rule].accepted(house))
    prove(house)


def test_who_admitted_a_member_may_have_changed_keys_since() -> None:
    house = admitted(founded(), rb.member("zoe"), by="ana")
    rotated = house.member_now("ana", keys=rb.keys("ana:2", recovery=["ana:recovery"]))
    house.merge(house.propose(rotated).sign("ana", "ana:2"))
    prove(admitted(house, rb.member("quartz"), by="ben"))


def test_who_admitted_a_member_may_be_no_maintainer_any_more() -> None:
    house = admitted(founded(), rb.member("zoe"), by="cam")
    fewer = house.registry_now(maintainers=tuple(map(MemberName, ("ana", "ben"))))
    prove(house.merge(house.propose(fewer).sign("ana", "ben")))


def test_a_maintainer_who_came_later_admits_by_the_later_record() -> None:
    house = admitted(founded(), rb.member("zoe"))
    more = house.registry_now(maintainers=tuple(map(MemberName, ("ana", "ben", "zoe"))))
    house.merge(house.propose(more).sign("ana", "ben"))
    assembled = house.propose(rb.member("quartz")).sign("zoe", "quartz", "quartz:recovery")
    prove(house.merge(assembled))


def test_each_registry_record_is_signed_by_the_maintainers_of_the_one_before() -> None:
    house = settled()
    for number in range(3):
        house.merge(house.propose(house.registry_now(title=f"Title {number}")).sign("ana", "ben"))
    prove(house)
    fewer = house.registry_now(maintainers=tuple(map(MemberName, ("ana", "ben"))))
    prove(house.merge(house.propose(fewer).sign("ana", "ben")))
    with pytest.raises(IntegrityBroken, match=r"registry/0006\.yaml"):
        prove(forced(house, "ana", "cam", record=house.registry_now(title="By one who left")))


def test_a_member_whom_no_maintainer_admitted_is_refused() -> None:
    house = forced(settled(), *ZOE, "north", record=rb.member("zoe"))
    with pytest.raises(IntegrityBroken, match=r"members/zoe/0001\.yaml does not bear the signatures"):
        prove(house)


def test_a_member_that_does_not_hold_a_key_it_brings_is_refused() -> None:
    with pytest.raises(IntegrityBroken, match=r"members/zoe/0001\.yaml"):
        prove(forced(settled(), "ana", "zoe", record=rb.member("zoe")))


def test_forged_members_do_not_vouch_for_each_other() -> None:
    house = settled()
    alone = house.registry_now(maintainers=(MemberName("zoe"),), threshold=1)
    forced(house, *ZOE, record=rb.member("zoe"))
    with pytest.raises(IntegrityBroken, match=r"members/zoe/0001\.yaml"):
        prove(forced(house, "zoe", record=alone))


@pytest.mark.parametrize("signers", [(), ("ana",), ("ana", "north"), ("ana", "ana:recovery")])
def test_maintainers_change_by_their_threshold_alone(signers: tuple[str, ...]) -> None:
    house = settled()
    with pytest.raises(IntegrityBroken, match=r"registry/0002\.yaml"):
        prove(forced(house, *signers, record=house.registry_now(threshold=1)))


def test_later_maintainers_do_not_lower_an_earlier_threshold() -> None:
    house = settled()
    lowered = house.registry_now(maintainers=tuple(map(MemberName, ("ana", "ben"))), threshold=1)
    forced(house, "ana", record=lowered)
    with pytest.raises(IntegrityBroken, match=r"registry/0002\.yaml"):
        prove(forced(house, "ana", record=house.registry_now(title="Another")))


@pytest.mark.parametrize("signers", [("north:9",), ("moa", "north:9"), ("ana", "north:9")])
def test_new_keys_need_a_key_that_the_member_had_just_before(signers: tuple[str, ...]) -> None:
    house = settled()
    stolen = house.member_now("north", keys=rb.keys("north:9", recovery=["north:recovery"]))
    with pytest.raises(IntegrityBroken, match=r"members/north/0002\.yaml"):
        prove(forced(house, *signers, record=stolen))


def test_a_key_that_was_given_up_does_not_bring_another_back() -> None:
    house = settled()
    renewed = house.member_now("north", keys=rb.keys("north:2", recovery=["north:recovery"]))
    house.merge(house.propose(renewed).sign("north", "north:2"))
    prove(house)
    again = house.member_now("north", keys=rb.keys("north:9", recovery=["north:recovery"]))
    with pytest.raises(IntegrityBroken, match=r"members/north/0003\.yaml"):
        prove(forced(house, "north", "north:9", record=again))


def test_what_lowers_protection_needs_the_recovery_key_here_too() -> None:
    house = settled()
    weaker = house.member_now("south", cosigning=None)
    with pytest.raises(IntegrityBroken, match=r"members/south/0002\.yaml"):
        prove(forced(house, "south", record=weaker))


def test_a_quarantine_needs_the_threshold() -> None:
    house = settled()
    record = models.Quarantine(
        created=rb.CREATED, commit="ab" * 20, paths=("cubes/moa/forest/1.yaml",), reason="forged"
    )
    with pytest.raises(IntegrityBroken, match=r"registry/quarantine/0001\.yaml"):
        prove(forced(house, "ana", record=record))
    house = settled()
    prove(forced(house, "ana", "ben", record=record))


def damaged(change: Callable[[dict[str, bytes]], object]) -> House:
    house = settled()
    change(house.files)
    return house


FOUNDER = layout.member_path("ana", 1)
DAMAGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a founder is missing": (lambda files: files.pop(FOUNDER), "there are signatures of"),
    "another founder": (
        lambda files: files.update({FOUNDER: files[FOUNDER].replace(b"T10:00:00Z", b"T11:00:00Z")}),
        "the genesis names another first record of ana",
    ),
    "no record": (lambda files: files.update({"members/north/0002.yaml": b"kind: member\n"}), "is no sound record"),
    "a file of its own": (lambda files: files.update({"members/notes.txt": b"x"}), "is no sound record"),
    "a gap": (
        lambda files: files.update({"members/north/0003.yaml": files.pop("members/north/0001.yaml")}),
        "there are signatures of members/north/0001.yaml",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_what_is_no_registry_is_refused(case: str) -> None:
    change, told = DAMAGES[case]
    before = settled().files
    house = damaged(change)
    assert house.files != before
    with pytest.raises(IntegrityBroken, match=told):
        prove(house)


def test_signatures_made_for_another_registry_prove_nothing() -> None:
    house = admitted(founded(), rb.member("zoe"))
    with pytest.raises(IntegrityBroken):
        prove(house, registry="mg1:" + "0" * 64)


def test_a_key_that_two_members_have_is_refused() -> None:
    house = settled()
    twin = rb.member("zoe", keys=rb.keys("north", recovery=["zoe:recovery"]))
    proposal = house.propose(twin).sign("ana", "zoe:recovery")
    proposal.sign_as("zoe", "north", proposal.path)
    house.files |= proposal.files
    with pytest.raises(IntegrityBroken, match="have the same key"):
        prove(house)
