"""The results of a benchmark as arrays: one `Column` for each dataset.

Rules kept here: every result of a column is a link of one of its chains or is hidden with a reason; what an array
does not hold is read again from the record (`stored_cells`). A million results take some 200 MB.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.tables import (
    CellState,
    Measured,
    ResultEntry,
)
from medperf_git.records.digests import Digest
from medperf_git.records.names import Ref

STATES = tuple(CellState)
ABSENT = -1  # in place of a count that a record does not give

Floats: TypeAlias = NDArray[np.float64]
# Reads the chain of results in a folder, oldest first; the last one is live.
ReadChain: TypeAlias = Callable[[str], tuple[ResultEntry, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """The results on one dataset in one benchmark, a row for each model that has some; read-only.

    `numbers[offsets[i]:offsets[i + 1]]` are the links of the i-th chain, the last of them live. Of the live link:
    `outcome` and `state` (positions in `STATES`), `reason` and the words of `facts` (positions in `texts`), `digest`
    (32 bytes), and in each metric `value` and `sd` (NaN: none) and `counts` (n, failed, undefined), and `pooled`
    (position in `texts` of the counts that can be pooled, as whole numbers, empty where there are none). `given` tells
    whether the record has that metric at all. `newest` is when its youngest record was written.
    """

    folder: str
    dataset: Ref
    metrics: tuple[str, ...]
    models: tuple[Ref, ...]
    texts: tuple[str, ...]
    offsets: NDArray[np.int32]
    numbers: NDArray[np.int16]
    outcome: NDArray[np.int8]
    state: NDArray[np.int8]
    reason: NDArray[np.int32]
    facts: NDArray[np.int32]
    digest: NDArray[np.uint8]
    value: Floats
    sd: Floats
    counts: NDArray[np.int64]
    pooled: NDArray[np.int32]
    given: NDArray[np.bool_]
    newest: str
    broken: tuple[tuple[str, str], ...]
    strays: tuple[str, ...]

    @property
    def seen(self) -> int:
        """How many result records lie here."""
        return len(self.numbers) + len(self.broken)

    def folder_of(self, row: int) -> str:
        """Return the folder of a chain."""
        return f"{self.folder}/{self.models[row].folder}"

    def numbers_of(self, row: int) -> list[int]:
        """Return the numbers of a chain's links, oldest first."""
        found: list[int] = self.numbers[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found

    def digest_of(self, row: int) -> Digest:
        """Return the digest of a live link."""
        return Digest("sha256:" + self.digest[row].tobytes().hex())

    def facts_of(self, row: int) -> list[str]:
        """Return what `FACTS` names of a live link."""
        return [self.texts[text] for text in self.facts[row].tolist()]

    def measured(self, row: int, metric: int) -> Measured | None:
        """Return what the live link says of a metric."""
        if not self.given.item(row, metric):
            return None
        n, failed, undefined = (None if count == ABSENT else count for count in self.counts[row, metric].tolist())
        value, sd = _number(self.value.item(row, metric)), _number(self.sd.item(row, metric))
        return Measured(value, sd, n, failed, undefined, self.pooled_at(row, metric))

    def pooled_at(self, row: int, metric: int) -> tuple[int, ...] | None:
        """Return the counts of a live link that can be pooled."""
        text = self.texts[self.pooled.item(row, metric)]
        return tuple(map(int, text.split())) if text else None


FACTS = ("signers", "model_image", "metrics_image", "assurance")  # the columns of `Column.facts`


def _number(value: float) -> float | None:
    return None if isnan(value) else value


class ColumnBuilder:
    """Gathers the chains of a dataset into a `Column`."""

    def __init__(self, folder: str, dataset: Ref, metrics: Sequence[str]) -> None:
        self._at = folder, dataset, tuple(metrics)
        self._texts: dict[str, int] = {}
        self._models: list[Ref] = []
        self._numbers: list[int] = []
        self._offsets = [0]
        self._rows: list[tuple[int, int, int, tuple[int, ...], bytes]] = []
        self._values: list[list[tuple[float, float, int, int, int, bool]]] = []
        self._pooled: list[list[int]] = []
        self.newest = ""
        self.broken: list[tuple[str, str]] = []
        self.strays: list[str] = []

    def add(self, model: Ref, chain: Sequence[ResultEntry], *, reason: str) -> None:
        """Take one chain, oldest first; `reason` is why its cell does not count."""
        live = chain[-1]
        self._models.append(model)
        self._numbers += [link.number for link in chain]
        self._offsets.append(len(self._numbers))
        self.newest = max([self.newest, *(link.created for link in chain)])
        signers = " ".join(sorted({signature.signer for signature in live.source.signatures}))
        facts = signers, live.images["model"], live.images["metrics"], live.assurance
        digest = bytes.fromhex(live.source.digest.removeprefix("sha256:"))
        state = STATES.index(live.state)
        words = tuple(self._text(fact) for fact in facts)
        self._rows.append((STATES.index(live.outcome), state, self._text(reason), words, digest))
        measured = [live.values.get(metric) for metric in self._at[2]]
        self._values.append([_row_of(one) for one in measured])
        self._pooled.append([self._text(" ".join(map(str, (one and one.counts) or ()))) for one in measured])

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def build(self) -> Column:
        """Return what was gathered."""
        folder, dataset, metrics = self._at
        number, width = len(self._rows), len(metrics)
        outcome, state, reason, facts, digest = zip(*self._rows, strict=True) if self._rows else ((), (), (), (), ())
        flat = [one for row in self._values for one in row]
        value, sd, *counts, given = zip(*flat, strict=True) if flat else ((),) * 6
        shape = number, width
        return Column(
            folder=folder,
            dataset=dataset,
            metrics=metrics,
            models=tuple(self._models),
            texts=tuple(self._texts),
            offsets=np.array(self._offsets, np.int32),
            numbers=np.array(self._numbers, np.int16),
            outcome=np.array(outcome, np.int8),
            state=np.array(state, np.int8),
            reason=np.array(reason, np.int32),
            facts=np.array(facts, np.int32).reshape(number, len(FACTS)),
            digest=np.frombuffer(b"".join(digest), np.uint8).reshape(number, 32),
            value=np.array(value, np.float64).reshape(shape),
            sd=np.array(sd, np.float64).reshape(shape),
            counts=np.array(counts, np.int64).reshape(3, *shape).transpose(1, 2, 0).copy(),
            pooled=np.array(self._pooled, np.int32).reshape(shape),
            given=np.array(given, np.bool_).reshape(shape),
            newest=self.newest,
            broken=tuple(self.broken),
            strays=tuple(self.strays),
        )


def _row_of(measured: Measured | None) -> tuple[float, float, int, int, int, bool]:
    if measured is None:
        return np.nan, np.nan, ABSENT, ABSENT, ABSENT, False
    value, sd = (np.nan if one is None else one for one in (measured.value, measured.sd))
    n, failed, undefined = (
        ABSENT if one is None else one for one in (measured.n, measured.n_failed, measured.n_undefined)
    )
    return value, sd, n, failed, undefined, True
