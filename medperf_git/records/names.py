"""Names people choose, and references made of them.

A name is `[a-z0-9](-?[a-z0-9]){1,62}` in ASCII; reserved names are refused; two names that differ only in
`-` are the same name to a reader, so `skeleton` maps both to one text. A `Ref` is one version of a named thing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType, Self

MemberName = NewType("MemberName", str)

_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9]){1,62}")
_VERSION = re.compile(r"[1-9][0-9]{0,5}")
_REF = re.compile(r"([^/@]+)/([^/@]+)@([^/@]+)")

RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "git", "head", "refs", "all", "none", "latest", "registry", "quarantine"}
    | {f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)}
)


def name_fault(text: str) -> str:
    """Say why `text` is no name, or return an empty string when it is one."""
    if not _NAME.fullmatch(text):
        strange = next((c for c in text if not re.fullmatch(r"[a-z0-9-]", c)), "")
        seen = f"; found U+{ord(strange):04X}" if strange else ""
        return f"a name has 2 to 63 of a-z, 0-9 and single inner hyphens{seen}"
    return "this name is reserved" if text in RESERVED else ""


def skeleton(name: str) -> str:
    """Return what two names share when they differ only in hyphens."""
    return name.replace("-", "")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One version of a cube, dataset or benchmark: `member/name@version`."""

    member: str
    name: str
    version: int

    @classmethod
    @lru_cache(maxsize=4096)  # the same few stand in every path and every record
    def parse(cls, text: str) -> Self:
        """Read `member/name@3`; ValueError says what is wrong."""
        match = _REF.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not a reference like member/name@1")
        for part in match.group(1), match.group(2):
            if fault := name_fault(part):
                raise ValueError(f"{part!r} in {text!r}: {fault}")
        if not _VERSION.fullmatch(match.group(3)):
            raise ValueError(f"the version in {text!r} is not a whole number from 1 to 999999")
        return cls(match.group(1), match.group(2), int(match.group(3)))

    @classmethod
    def from_folder(cls, folder: str) -> Self:
        """Read the one-folder form `member.name.3`; ValueError says what is wrong."""
        parts = folder.split(".")
        if len(parts) != 3:
            raise ValueError(f"{folder!r} is not a folder like member.name.1")
        return cls.parse(f"{parts[0]}/{parts[1]}@{parts[2]}")

    @property
    def folder(self) -> str:
        """The reference as one folder name: `member.name.3`."""
        return f"{self.member}.{self.name}.{self.version}"

    @property
    def path(self) -> str:
        """The reference as three folders: `member/name/3`."""
        return f"{self.member}/{self.name}/{self.version}"

    @property
    def unversioned(self) -> str:
        """The name without its version: `member/name`."""
        return f"{self.member}/{self.name}"

    def __str__(self) -> str:
        return f"{self.member}/{self.name}@{self.version}"


# What looks alike among a-z, 0-9 in common typefaces (a small part of Unicode TR 39's confusables).
_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("2", "z"))


def confusable(name: str) -> str:
    """Return a name with everything that looks alike made equal; hyphens do not count."""
    text = skeleton(name)
    for sign, same in _ALIKE:
        text = text.replace(sign, same)
    return text


def within_one_edit(one: str, other: str) -> bool:
    """Tell whether two names differ by at most one letter added, left out or replaced (Levenshtein distance <= 1)."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    same = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]
