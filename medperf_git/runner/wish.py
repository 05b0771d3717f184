"""What was last asked of a run, so that the same request, or `--resume`, goes on where it was.

Each model stands in it with the attempts that had ended before: what a later attempt made is part of this wish.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from medperf_git.records.names import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Models in their order with the attempts that had ended; `again` repeats even those that succeeded.

    `how` is what the site chose beside (limits, GPUs); `open` until every model has its outcome.
    """

    models: tuple[tuple[Ref, int], ...]
    again: bool
    retry_failed: bool
    how: str
    open: bool = True

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The models, without where they stood."""
        return tuple(ref for ref, _ in self.models)

    def ended_before(self, ref: Ref) -> int:
        """Return how many attempts of a model had ended when this was wished."""
        return dict(self.models).get(ref, 0)

    def is_repeated_by(self, other: "Wish") -> bool:
        """Tell whether another wish asks for the same."""
        return (self.refs, self.again, self.how) == (other.refs, other.again, other.how)

    def fulfilled(self) -> "Wish":
        """Return it as done."""
        return replace(self, open=False)

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        models = [[str(ref), ended] for ref, ended in self.models]
        return {
            "models": models,
            "again": self.again,
            "retry_failed": self.retry_failed,
            "how": self.how,
            "open": self.open,
        }


def wish_from_value(value: Mapping[str, Any]) -> Wish | None:
    """Read a wish that was kept; None when it is not whole."""
    try:
        return Wish(
            models=tuple((Ref.parse(ref), int(ended)) for ref, ended in value["models"]),
            again=bool(value["again"]),
            retry_failed=bool(value["retry_failed"]),
            how=str(value["how"]),
            open=bool(value["open"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
