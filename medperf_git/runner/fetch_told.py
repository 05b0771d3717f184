"""How much of an image is here, from the progress that an engine tells layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WHOLE = ("Download complete", "Pull complete", "Extracting", "Verifying Checksum")


@dataclass(slots=True)
class Layers:
    """The layers of one image: bytes here and in all, as far as they were told."""

    sizes: dict[str, int] = field(default_factory=dict)
    here: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return sum(self.here.values())

    @property
    def total(self) -> int:
        """Bytes of all layers whose size is known."""
        return sum(self.sizes.values())

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take in one event of the stream; tell whether it moved the numbers."""
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        detail = event.get("progressDetail")
        detail = detail if isinstance(detail, dict) else {}
        before = self.done, self.total
        if status == "Downloading" and isinstance(detail.get("current"), int):
            if isinstance(detail.get("total"), int) and detail["total"] > 0:
                self.sizes[layer] = detail["total"]
            self.here[layer] = min(detail["current"], self.sizes.get(layer, detail["current"]))
        elif status in _WHOLE and layer in self.sizes:
            self.here[layer] = self.sizes[layer]
        return (self.done, self.total) != before
