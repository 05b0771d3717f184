"""The story through a whole forge: everybody pushes to forks of their own, the maintainer merges by the interface."""

from pathlib import Path

from tests.support import registry_builder as rb
from tests.support.forge_people import Village, until
from tests.support.registry_builder import BENCHMARK, COMMITTEE, MODEL, NORTH
from tests.support.story import CUBES, RESULT


def test_a_hospital_that_may_not_push_joins_from_its_fork(village: Village) -> None:
    ana = village.found("ana")
    genesis = village.main
    asked = village.ask("north")
    assert "making a fork of yours" in asked.err
    assert "waits for" in asked.out
    (request,) = village.open_requests()
    assert request["full_url"] in asked.out
    assert request["repo_from"]["url_path"] == village.fork_of("north")
    assert village.main == genesis
    again = village.ask("north")
    assert request["full_url"] in again.out
    assert len(village.open_requests()) == 1
    admitted = village.admit("north")
    assert "merged" in admitted.out
    assert village.open_requests() == []
    assert "north" in ana.run("member", "ls").out
    assert "valid" in village.human("north").run("audit").out


def test_a_benchmark_is_opened_between_two_forks_and_filled_by_hospitals(village: Village, tmp_path: Path) -> None:
    ana = village.found("ana")
    for name in ("dora", "emil", "moa", "north"):
        village.step(f"ana {name} {name}:recovery", rb.member(name), push=False)
    village.step("dora", *CUBES, push=False)
    village.step("moa", rb.cube(MODEL))
    village.settle_in("dora", "emil", "north")

    house = village.house
    benchmark = house.benchmark()
    proposed = village.send("dora", benchmark, house.first_policy(benchmark))
    assert "emil" in proposed.waits_for
    assert "maintainer" in proposed.waits_for
    signed = until(lambda: village.human("emil").run("sign", proposed.id, "--yes"))
    second, first = village.open_requests()
    assert [first["repo_from"]["url_path"], second["repo_from"]["url_path"]] == list(map(village.fork_of, COMMITTEE))
    assert f"Replaces #{first['id']}" in second["initial_comment"]
    assert second["full_url"] in signed.out
    assert "maintainer" in signed.out
    bundles = [name for name in files_at(village, f"refs/pull/{second['id']}/head") if name.endswith(".sigstore.json")]
    assert len(bundles) == 4, "two records, two signatures each, in the one that replaces"
    until(lambda: ana.run("sign", proposed.id, "--yes"))
    assert village.open_requests() == [], "the maintainer closes what main holds"

    village.step("moa", village.house.event("request", by="moa", subject=MODEL, kind="cube"))
    village.step("emil", village.house.event("approve", by="emil", side="committee", subject=MODEL, kind="cube"))
    village.merge(village.send("north", village.house.dataset(NORTH)).id)
    asked = village.human("north").run("association", "request", str(BENCHMARK), "--dataset", str(NORTH), "--yes")
    assert "waiting for: " in asked.out
    village.merge(newest(village))
    village.human("emil").run("approve", str(NORTH), "--yes")
    village.merge(newest(village))
    village.merge(village.send("north", village.house.result()).id)

    assert RESULT in village.house.files
    assert village.open_requests() == []
    assert {ref for ref in village.refs() if ref.startswith("refs/heads/")} == {"refs/heads/main"}
    north = village.human("north")
    north.run("sync")
    assert "valid" in north.run("audit").out
    north.run("leaderboard", "build", "--at", village.main, "--out", tmp_path / "site")
    assert "0.912" in (tmp_path / "site" / "benchmarks" / "dora" / "heart" / "1" / "index.html").read_text("utf-8")


def newest(village: Village) -> str:
    """Return the id of the proposal in the newest open pull request."""
    branch: str = village.open_requests()[0]["branch_from"]
    return branch.removeprefix("submit/")


def files_at(village: Village, ref: str) -> list[str]:
    """Return the paths that a ref of the project adds to main."""
    folder = village.folder / "looked-at"
    if not folder.exists():
        village.git("clone", "-q", village.url, str(folder))
    village.git("-C", str(folder), "fetch", "-q", "origin", "main", f"+{ref}:refs/looked-at")
    return village.git("-C", str(folder), "diff", "--name-only", "FETCH_HEAD...refs/looked-at").splitlines()
