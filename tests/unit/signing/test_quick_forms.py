"""What is read the quick way is what the careful way reads; anything else the careful way explains."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.errors import IntegrityBroken
from medperf_git.signing import bundle, statement
from medperf_git.signing.bundle import make_bundle
from medperf_git.signing.statement import Statement
from tests.support.registry_builder import signer

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
STATEMENTS = [
    Statement.about(
        "results/dora/heart/1/north.wards.1/moa.forest.1/0001.yaml",
        b"kind: result\n",
        registry="mg1:" + "0a" * 32,
        head=head,
        signer="north-2",
        signed_at=AT,
    )
    for head in ("", "5e7a" * 10)
]
BUNDLES = [make_bundle(one, signer("north")) for one in STATEMENTS]
PAYLOADS = [one.payload() for one in STATEMENTS]
READERS = [
    (bundle._accepted, bundle._parse_carefully, BUNDLES),
    (statement._accepted, statement._parse_carefully, PAYLOADS),
]


def edited(data: bytes, place: int, byte: int, how: str) -> bytes:
    place %= len(data)
    replaced = {"replace": bytes([byte]), "insert": bytes([byte]) + data[place : place + 1], "remove": b""}[how]
    return data[:place] + replaced + data[place + 1 :]


@pytest.mark.parametrize(("quick", "careful", "examples"), READERS)
def test_what_we_write_is_read_the_quick_way(quick, careful, examples):
    for data in examples:
        assert quick(data) == careful(data)


@pytest.mark.parametrize(("quick", "careful", "examples"), READERS)
@settings(max_examples=2000, deadline=None)
@given(
    which=st.integers(0, 1),
    place=st.integers(0, 5000),
    byte=st.integers(0, 255) | st.sampled_from(b'09azAZ+/=-_.:"\\{}[] \n'),
    how=st.sampled_from(["replace", "insert", "remove"]),
)
def test_one_other_byte_is_accepted_by_both_or_by_the_careful_way_alone(
    quick, careful, examples, which, place, byte, how
):
    data = edited(examples[which], place, byte, how)
    accepted = quick(data)
    if accepted is not None:
        assert accepted == careful(data)
        return
    with pytest.raises(IntegrityBroken):
        careful(data)


@pytest.mark.parametrize(("quick", "careful", "examples"), READERS)
def test_a_longer_file_is_left_to_the_careful_way(quick, careful, examples):
    assert quick(examples[0] + b" " * 20_000) is None
