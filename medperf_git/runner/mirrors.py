"""Other places for images, as the site chooses them: digests decide, so any mirror serves."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from medperf_git.errors import UsageProblem

_PLACE = re.compile(r"[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._/-]*)?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Repositories that begin with `original` are asked for at `place` first; both without a slash at the end."""

    original: str
    place: str

    @classmethod
    def parse(cls, text: str) -> "Mirror":
        """Read `FROM=TO`, like `docker.io=mirror.hospital.example:5000/hub`; UsageProblem when it is none."""
        original, equals, place = (part.strip().rstrip("/") for part in text.partition("="))
        if not equals or not _PLACE.fullmatch(original) or not _PLACE.fullmatch(place):
            hint = "write FROM=TO, for instance docker.io=mirror.hospital.example:5000/hub"
            raise UsageProblem(f"{text!r} is no mirror", hint=hint)
        return cls(original, place)


def places_of(repository: str, mirrors: Iterable[Mirror]) -> tuple[str, ...]:
    """Return where to ask for a repository, given in full: its mirrors in the site's order, then the place itself."""
    found = [
        mirror.place + repository[len(mirror.original) :]
        for mirror in mirrors
        if repository == mirror.original or repository.startswith(mirror.original + "/")
    ]
    return tuple(dict.fromkeys((*found, repository)))
