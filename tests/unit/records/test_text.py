"""The table of refused characters, under whichever Unicode the Python that runs the tests has."""

import hashlib
import sys
import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest

from medperf_git.records.refused_characters import RANGES
from medperf_git.records.strict_yaml import parse_yaml
from medperf_git.records.text import SPACES, is_refused, text_fault

LIST = Path(__file__).resolve().parents[3] / "registry_spec" / "refused-characters.txt"
EVERY = range(sys.maxunicode + 1)
ACCEPTED = [chr(code) for code in EVERY if not is_refused(chr(code))]
# SHA-256 over what normalisation knows of every accepted character, as Python 3.11 with Unicode 14.0.0 says it.
NORMALISATION = "9fb7d652369d7493a4ea53c6695b49715dc5ada860fabd1260465d8d639cc78e"


def normalisation_of(char: str) -> str:
    forms = ascii([unicodedata.normalize(form, char) for form in ("NFC", "NFD")])
    return f"{ord(char):X} {unicodedata.combining(char)} {forms}\n"


def test_this_unicode_normalises_every_accepted_character_as_14_0_did():
    digest = hashlib.sha256()
    for char in ACCEPTED:
        digest.update(normalisation_of(char).encode())
    assert digest.hexdigest() == NORMALISATION


def test_nothing_accepted_composes_to_a_character_that_is_refused():
    """A new composite of old characters would make old text denormal; Unicode promises there is none."""
    for code in EVERY:
        parts = unicodedata.normalize("NFD", chr(code))
        if is_refused(chr(code)) and len(parts) > 1 and not any(map(is_refused, parts)):
            assert unicodedata.normalize("NFC", parts) != chr(code), f"U+{code:04X}"


def test_every_accepted_character_is_assigned_and_none_is_a_control_format_private_or_separator():
    for char in ACCEPTED:
        category = unicodedata.category(char)
        assert category not in ("Cn", "Cf", "Cs", "Co", "Zl", "Zp"), f"U+{ord(char):04X} {category}"
        assert category != "Cc" or char in "\t\n\r", f"U+{ord(char):04X}"


def test_the_table_and_the_list_of_the_specification_are_the_same_and_sorted():
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    listed = [tuple(int(end, 16) for end in line.split("..")) for line in lines]
    assert listed == [tuple(int(end, 16) for end in (part.split("-") * 2)[:2]) for part in RANGES.split()]
    assert all(first <= last for first, last in listed)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(listed))


def test_text_fault_and_the_table_agree_on_every_code_point():
    for code in EVERY:
        char = chr(code)
        fault = text_fault(char)
        if is_refused(char):
            assert fault == f"character U+{code:04X} is not allowed"
            assert text_fault(f"é{char}\U0001f600"), code
        else:
            assert not fault or "NFC" in fault, code


# Code points that drew attention: (first, last), each refused whole.
INVISIBLE = [
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFF),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
]


@pytest.mark.parametrize(("first", "last"), INVISIBLE)
def test_t32_what_is_drawn_as_nothing_is_refused(first, last):
    for code in range(first, last + 1):
        assert text_fault(chr(code)), f"U+{code:04X}"


@pytest.mark.parametrize("char", ["\u0378", "\U0001fae8", "\U00010d40", "\U0001fadc", "\ufdd0", "\U0001ffff"])
def test_what_unicode_14_did_not_assign_is_refused_whatever_this_python_knows(char):
    assert text_fault(char)


def test_the_spaces_are_those_of_unicode():
    found = {chr(code) for code in EVERY if unicodedata.category(chr(code)) == "Zs"}
    assert set(SPACES) == found


@pytest.mark.parametrize("text", ["plain", "Ä", "日本語", "\t\n\r", "\u00a0", "→ “x”", "א", "\U0001f600"])
def test_ordinary_text_has_no_fault(text):
    assert text_fault(text) == ""


@pytest.mark.parametrize("text", ["a\n\u0303", "\r\u0301", "\t\u030c", "\nx\n\u0323\u0303"])
def test_a_mark_that_the_letter_of_an_escape_would_take_is_refused(text):
    assert "combining" in text_fault(text)


def test_a_mark_that_composes_with_no_such_letter_may_begin_a_line():
    assert text_fault("a\n\u0489") == ""


def test_a_file_of_many_rare_characters_is_looked_at_quickly():
    text = "".join(chr(code) for code in range(0x20000, 0x20000 + 16_000))
    start = time.process_time()
    assert parse_yaml(f'a: "{text}"'.encode()).value == {"a": text}
    assert time.process_time() - start < 0.5
