"""Light copies of a registry: what a member does with one, through the real hook."""

from pathlib import Path

import pytest

from tests.support.people import Human, Town


def test_a_first_try(town: Town) -> None:
    town.git("config", "uploadpack.allowFilter", "true")
    town.git("config", "uploadpack.allowAnySHA1InWant", "true")
    pinned = town.human("ana").run("registry", "show", "--json").value["pinned"]
    zoe = town.human("zoe")
    said = zoe.run("registry", "add", pinned, "--light")
    print(said)
    print(zoe.run("registry", "show"))
    print(zoe.run("result", "ls"))
    print(zoe.run("leaderboard", "build", "--out", town.folder / "site"))
    print(zoe.run("sync"))
    print(zoe.run("sync", "--full"))
    print(zoe.run("audit"))
    assert 0
