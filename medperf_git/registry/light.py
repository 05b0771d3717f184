"""The supply of a light copy: what it lacks is fetched from where the registry lies, and every byte is counted.

What arrives is checked by Git, and an object is what its id says or it is none: who supplies it can leave out and
delay, and change nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.registry.objects import Below, Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import MAX_COMPARISON
from medperf_git.registry.transport import (
    ALL_HISTORY,
    COMMITS_ALONE,
    LIGHT_DEPTH,
    NO_CONTENTS,
    UPSTREAM_MAIN,
    Access,
    fetch_objects,
    fetch_older,
    light_depth,
    mark_light,
)

# What Git is to leave out below the folders that are asked for. No file of a registry is larger than the last allows.
_FILTERS = {
    Below.NOTHING: COMMITS_ALONE,
    Below.NAMES: NO_CONTENTS,
    Below.ALL: f"blob:limit={MAX_COMPARISON + 1}",
}
_AT_ONCE = 20_000
_WORTH_SAYING = 1_000_000


class LightSupply:
    """Guards the way to where a light copy gets what it lacks; `questions` and `size` count what was brought."""

    def __init__(
        self, store: Store, remote: Remote, access: Callable[[], Access], *, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.questions = 0
        self._store = store
        self._copy = store.path
        self._remote = remote
        self._access = access
        self._say = say

    def bring(self, ids: Sequence[bytes], below: Below = Below.NOTHING) -> None:
        """See `Supply.bring`."""
        before = self.size
        for start in range(0, len(ids), _AT_ONCE):
            some = [one.hex() for one in ids[start : start + _AT_ONCE]]
            ask = partial(fetch_objects, self._copy, self._remote, some, _FILTERS[below], access=self._access())
            self._ask(ask, f"{len(ids)} objects")
        if (size := self.size - before) > _WORTH_SAYING:
            self._say(f"fetched {size / 1e6:.1f} MB that this light copy lacked")

    def bring_older(self) -> bool:
        """See `Supply.bring_older`; every piece is as long as all before it."""
        depth = light_depth(self._copy) or LIGHT_DEPTH
        return self._deepen(depth)

    def bring_history(self) -> None:
        """See `Supply.bring_history`."""
        self._deepen(None)

    @property
    def size(self) -> int:
        """How many bytes of packs the copy holds."""
        return sum(pack.stat().st_size for pack in (self._copy / "objects" / "pack").glob("*.pack"))

    def _deepen(self, by: int | None) -> bool:
        tip, before = self._store.ref(UPSTREAM_MAIN), _ends(self._copy)
        if tip is None or not before:
            return False
        ask = partial(fetch_older, self._copy, self._remote, tip, by, access=self._access())
        self._ask(ask, "older history")
        after = _ends(self._copy)
        mark_light(self._copy, (light_depth(self._copy) or LIGHT_DEPTH) + by if by and after else ALL_HISTORY)
        return after != before

    def _ask(self, question: Callable[[], None], what: str) -> None:
        self.questions += 1
        try:
            question()
        except EnvironmentProblem as problem:
            hint = "connect and run it again; `medperf-git sync --full`, while connected, makes the copy a whole one"
            message = f"this light copy lacks {what}, which could not be fetched: {problem.message}"
            raise EnvironmentProblem(message, hint=hint) from problem


def _ends(copy: Path) -> bytes:
    """Return the commits behind which history was left out, as Git keeps them; empty when nothing was."""
    try:
        return (copy / "shallow").read_bytes()
    except FileNotFoundError:
        return b""
