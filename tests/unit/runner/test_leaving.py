"""Ended containers are put away beside the work, and are gone at its end."""

import threading

import pytest

from medperf_git.runner.leaving import Leaving


def test_at_the_end_all_are_gone_whatever_happened_meanwhile() -> None:
    gone: list[str] = []
    with pytest.raises(ValueError, match="the work"), Leaving(gone.append) as leaving:  # noqa: PT012
        for name in "abcdefghijklmnop":
            leaving.add(name)
        raise ValueError("the work")
    assert sorted(gone) == list("abcdefghijklmnop")


def test_nobody_waits_for_a_removal_but_only_a_few_pile_up() -> None:
    go_on, gone = threading.Event(), []

    def remove(name: str) -> None:
        go_on.wait(30)
        gone.append(name)

    with Leaving(remove) as leaving:
        for number in range(8):
            leaving.add(str(number))
        assert gone == []
        ninth = threading.Thread(target=leaving.add, args=("8",))
        ninth.start()
        ninth.join(0.2)
        assert ninth.is_alive()
        go_on.set()
        ninth.join(30)
    assert len(gone) == 9


def test_one_that_cannot_be_removed_keeps_no_other() -> None:
    gone: list[str] = []

    def remove(name: str) -> None:
        if name == "a":
            raise OSError("the engine is gone")
        gone.append(name)

    with Leaving(remove) as leaving:
        for name in "abc" * 10:
            leaving.add(name)
    assert len(gone) == 20
