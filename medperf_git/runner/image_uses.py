"""Which images a command still needs: under `--low-disk` one that it brought is removed after its last step."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from medperf_git.records.digests import Digest


def _keep(_: str) -> bool:
    return False


@dataclass(slots=True)
class ImageUses:
    """Counts who still needs an image; `remove` takes its id and removes it when this command brought it.

    Without `remove` everything stays. The file of an image archive goes once it is loaded.
    """

    remove: Callable[[str], bool] = _keep
    _left: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, images: Iterable[Digest]) -> None:
        """Count one use of each of these images."""
        with self._lock:
            self._left.update(images)

    def done(self, images: Iterable[Digest]) -> tuple[Digest, ...]:
        """Count one use of each as over, and return those that were removed."""
        with self._lock:
            self._left.subtract(images)
            over = [image for image in dict.fromkeys(images) if self._left[image] <= 0]
            return tuple(image for image in over if self.remove(image))

    def loaded(self, archive: Path) -> None:
        """Remove the file of an archive that was fetched for this command and is in the engine now."""
        if self.remove is not _keep:
            archive.unlink(missing_ok=True)
