"""Which finished inferences a site keeps, by the key of what decides their output.

All runs are looked through once for a command, however many models it has; what is found is looked at again each time.
"""

import threading
from collections import defaultdict

from medperf_git.records.digests import Digest
from medperf_git.records.names import Ref
from medperf_git.runner.store import ModelState, RunFolder, RunStore, outputs_match


class KeptPredictions:
    """Guards what one command knows of kept predictions; what others finish meanwhile is not seen."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._places: dict[str, list[tuple[RunFolder, Ref]]] | None = None

    def find(self, key: Digest) -> ModelState | None:
        """Return a model state of any run whose finished inference has that key, and whose predictions are whole."""
        for run, ref in self._index().get(key, ()):
            if ref in run.unverified():
                continue
            state = run.model(ref)
            mark = state.mark("infer")
            if mark is None or (mark.key, mark.exit_code) != (key, 0):
                continue
            if outputs_match(state.predictions, mark.files):
                return state
        return None

    def _index(self) -> dict[str, list[tuple[RunFolder, Ref]]]:
        with self._lock:
            if self._places is None:
                places = defaultdict(list)
                for run in self._store.runs():
                    for ref in run.models():
                        places[_key_of(run.model(ref))].append((run, ref))
                self._places = dict(places)
            return self._places


def _key_of(state: ModelState) -> str:
    """Return the key of the latest inference, empty when none is known.

    The outcome names it and is short; the mark lists every file, and is read only where an attempt did not end.
    """
    key = (state.outcome() or {}).get("infer_key")
    if isinstance(key, str):
        return key
    mark = state.mark("infer")
    return mark.key if mark else ""
