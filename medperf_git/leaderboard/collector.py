"""Python's collector of cyclic garbage, made patient while a site is built.

A build makes hundreds of small objects for each result and next to no cycles; to look for some after every 700 of them
took a seventh of its time. What is counted is freed at once, as ever, so the memory stays as it was.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENT = (50_000, 50, 100)


@contextmanager
def patient() -> Iterator[None]:
    """Let the collector look seldom until the end of the block."""
    before = gc.get_threshold()
    be_patient()
    try:
        yield
    finally:
        gc.set_threshold(*before)


def be_patient() -> None:
    """Let the collector of this process look seldom from now on."""
    if gc.get_threshold()[0]:  # else it never looks
        gc.set_threshold(*_PATIENT)
