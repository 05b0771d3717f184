"""What a registry must refuse, as files on top of main: one table, each row with the rule that has to say no.

A row is played on a copy of the story's registry, whose `house` makes records and signatures that look right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from medperf_git.records import layout, models
from medperf_git.records.digests import Digest
from medperf_git.records.names import Ref
from tests.support import registry_builder as rb
from tests.support.people import Town
from tests.support.registry_builder import SOUTH, House, Proposal
from tests.support.story import RESULT, house_of, send

Files: TypeAlias = Mapping[str, bytes | None]
Attack: TypeAlias = Callable[[House, str], Files]  # the registry, the commit of main

SECOND = RESULT.replace("0001", "0002")
WRONG = Digest("sha256:" + "ee" * 32)
SEPARATE = Ref("north", "clinic", 1)


@dataclass(frozen=True)
class Row:
    """An attack: its name, the rule that must refuse it, its files, and what is merged before it."""

    name: str
    rule: str
    files: Attack
    before: Callable[[Town], object] = lambda town: None
    where: str = ""


def signed(*who: str, **changes: Any) -> Attack:
    """Return a second result of the hospital north, changed, signed by `who`."""
    return lambda house, head: second(house, **changes).sign(*who, head=head).files


def second(house: House, **changes: Any) -> Proposal:
    """Return the proposal of a second result of north, valid unless changed."""
    return house.propose(house.result(**{"attempt": 2, **changes}))


def with_values(**changes: models.MetricValue | None) -> Attack:
    return signed("north", values=rb.values(**changes))


def of_the_hospital_that_was_not_approved(house: House, head: str) -> Files:
    return house.propose(house.result(SOUTH)).sign("south", head=head).files


def with_seventeen_digits(house: House, head: str) -> Files:
    proposal = second(house)
    data = proposal.files[SECOND]
    assert b"0.912" in data
    return proposal.put(SECOND, data.replace(b"0.912", b"0.91234567890123456")).sign("north", head=head).files


def in_anothers_name(house: House, head: str) -> Files:
    return second(house).sign_as("north", "east", SECOND, head=head).files


def with_a_signature_of_other_bytes(house: House, head: str) -> Files:
    other = second(house, values=rb.values(auroc=rb.value("0.9"))).files[SECOND]
    return second(house).sign_as("north", "north", SECOND, head=head, record=other).files


def edited(house: House, _head: str) -> Files:
    return {RESULT: house.files[RESULT].replace(b"0.912", b"0.913")}


def edited_and_signed_anew(house: House, head: str) -> Files:
    proposal = Proposal(house).put(RESULT, house.files[RESULT].replace(b"0.912", b"0.913"))
    return proposal.sign("north", head=head).files


def deleted(house: House, _head: str) -> Files:
    return dict.fromkeys([path for path in house.files if path.startswith(RESULT)])


def only_the_record_deleted(_house: House, _head: str) -> Files:
    return {RESULT: None}


def only_its_signature_deleted(house: House, _head: str) -> Files:
    return dict.fromkeys([path for path in house.files if path.startswith(RESULT + ".")])


def update_signed_by_the_new_key(*keys: str) -> Attack:
    def attack(house: House, head: str) -> Files:
        proposal = house.propose(house.member_now("north", keys=rb.keys(*keys)))
        return proposal.sign_as("north", "mallory", path_2("north"), head=head).files

    return attack


def key_added_and_used(house: House, head: str) -> Files:
    proposal = house.propose(house.member_now("north", keys=rb.keys("north", "mallory")), house.result(attempt=2))
    for path in (path_2("north"), SECOND):
        proposal.sign_as("north", "mallory", path, head=head)
    return proposal.files


def key_that_is_nobodys(house: House, head: str) -> Files:
    return second(house).sign_as("north", "mallory", SECOND, head=head).files


def path_2(member: str) -> str:
    return layout.member_path(member, 2)


def ask(town: Town) -> None:
    """Let south ask to join."""
    send(town.human("south"), house_of(town).event("request", by="south"))


def invite(town: Town) -> None:
    """Let the committee invite south."""
    send(town.human("emil"), house_of(town).event("request", by="emil", side="committee"))


def approval(by: str, side: Literal["owner", "committee"], *, sign: str = "") -> Attack:
    def attack(house: House, head: str) -> Files:
        event = replace(house.event("approve", by=by), side=side)
        return house.propose(event).sign(sign or by, head=head).files

    return attack


def first_again(house: House, head: str) -> Files:
    proposal = house.propose().add(house.result(values=rb.values(auroc=rb.value("0.99"))), path=RESULT, link=False)
    return proposal.sign("north", head=head).files


def without_previous(house: House, head: str) -> Files:
    return house.propose().add(house.result(attempt=2), path=SECOND, link=False).sign("north", head=head).files


def with_wrong_previous(house: House, head: str) -> Files:
    wrong = house.result(attempt=2, previous=WRONG)
    return house.propose().add(wrong, path=SECOND, link=False).sign("north", head=head).files


def with_a_gap(house: House, head: str) -> Files:
    path = RESULT.replace("0001", "0003")
    late = house.result(attempt=3, previous=WRONG)
    return house.propose().add(late, path=path, link=False).sign("north", head=head).files


def refiled_under_another_model(house: House, head: str) -> Files:
    path = RESULT.replace("moa.forest.1", "moa.tree.1")
    return house.propose().add(house.result(), path=path, link=False).sign("north", head=head).files


def with_a_trust_change(house: House, head: str) -> Files:
    proposal = house.propose(house.registry_now(title="Mine"), house.dataset(SEPARATE))
    return proposal.sign("ana", head=head, only="registry").sign("north", head=head, only="datasets").files


def head_nobody_saw(house: House, _head: str) -> Files:
    return second(house).sign("north", head="0bad" * 10).files


ROWS = (
    Row("a result by a hospital that was not approved", "not-approved", of_the_hospital_that_was_not_approved),
    Row("an undeclared metric", "undeclared-metric", with_values(f1=rb.value("0.5")), where="/values/f1"),
    Row("a declared metric left out", "missing-metric", with_values(brier=None)),
    Row("a value out of range", "range", with_values(auroc=rb.value("1.2")), where="/values/auroc"),
    Row("a value with 17 digits", "yaml-number", with_seventeen_digits),
    Row("signed by another hospital", "signature", signed("east")),
    Row("signed by another hospital in north's name", "signature", in_anothers_name),
    Row("a signature of other bytes", "signature", with_a_signature_of_other_bytes),
    Row("an edited merged record", "append-only", edited, where=RESULT),
    Row("a deleted record whose signature stays", "append-only", only_the_record_deleted, where=RESULT),
    Row("an edited merged record, signed anew", "append-only", edited_and_signed_anew, where=RESULT),
    Row("a deleted merged record", "append-only", deleted, where="results/"),
    Row("a deleted signature", "append-only", only_its_signature_deleted, where=RESULT),
    Row("a key added by itself", "unsigned", update_signed_by_the_new_key("north", "mallory")),
    Row("a key replaced by itself", "unsigned", update_signed_by_the_new_key("mallory")),
    Row("a key added and used", "separation", key_added_and_used),
    Row("a key that is nobody's", "signature", key_that_is_nobodys),
    Row("approval by the owner that asked", "association-side", approval("south", "owner"), before=ask),
    Row("approval by the owner as committee", "association-side", approval("south", "committee"), before=ask),
    Row("approval in emil's name", "signature", approval("emil", "committee", sign="south"), before=ask),
    Row("approval by the committee that invited", "association-side", approval("emil", "committee"), before=invite),
    Row("the first result again with other bytes", "append-only", first_again, where=RESULT),
    Row("a second result without previous", "chain", without_previous, where=SECOND),
    Row("a second result with a wrong previous", "chain", with_wrong_previous, where=SECOND),
    Row("a third result before the second", "chain", with_a_gap),
    Row("a second result that hides its attempt", "attempt", signed("north", attempt=1), where=SECOND),
    Row("an unsigned record", "unsigned", signed(), where=SECOND),
    Row("a result filed under another model", "path", refiled_under_another_model),
    Row("a trust change beside a record", "separation", with_a_trust_change),
    Row("a signature made on another history", "head", head_nobody_saw),
)
