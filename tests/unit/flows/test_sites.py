"""Building the site from the command line: what is remembered, and where."""

import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.sites import resolve_commit, site_cache
from medperf_git.leaderboard.build_cache import NOTHING, LastBuild
from medperf_git.registry.objects import Store
from tests.support.golden_site import clone_of_demo
from tests.support.people import Town


def files_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_with_and_without_memory_and_a_second_time_the_site_is_the_same(tmp_path: Path) -> None:
    town = Town(tmp_path / "town")
    town.found("ana")
    out, other, kept = tmp_path / "site", tmp_path / "other", tmp_path / "kept"
    town.founder.run("leaderboard", "build", "--out", other, "--no-cache")
    for _ in range(2):
        town.founder.run("leaderboard", "build", "--out", out, "--cache", kept)
        assert files_of(out) == files_of(other)
    assert [path.suffix for path in kept.iterdir()] == [".build"]
    said = town.founder.run("leaderboard", "build", "--out", out, "--cache", out / "kept", code=2)
    assert "lies in the site" in said.err


def test_a_cache_in_the_site_is_refused_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "site" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "site" / "inner", target_is_directory=True)
    for folder in (tmp_path / "site", tmp_path / "site" / "inner", tmp_path / "link"):
        with pytest.raises(UsageProblem):
            site_cache(tmp_path / "home", tmp_path / "site", folder)


def test_a_cache_behind_a_link_that_leads_to_itself_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    kept = site_cache(tmp_path / "home", tmp_path / "site", tmp_path / "loop")
    assert kept.load() == NOTHING
    with pytest.raises(EnvironmentProblem, match="cannot be remembered"):
        kept.save(LastBuild("", {}, {}))


def test_a_home_that_cannot_hold_the_key_names_the_way_without(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")
    with pytest.raises(EnvironmentProblem) as problem:
        site_cache(tmp_path / "home", tmp_path / "site")
    assert problem.value.hint.endswith("or say --no-cache")


def test_the_key_of_another_home_opens_nothing(tmp_path: Path) -> None:
    out, folder = tmp_path / "site", tmp_path / "kept"
    build = LastBuild(str(out), {}, {"common": b"x"})
    site_cache(tmp_path / "home", out, folder).save(build)
    assert site_cache(tmp_path / "home", out, folder).load() == build
    assert site_cache(tmp_path / "another", out, folder).load() == NOTHING


def test_a_key_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    site_cache(tmp_path / "home", tmp_path / "site")
    key = tmp_path / "home" / "cache" / "builds.key"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    key.chmod(0o644)
    site_cache(tmp_path / "home", tmp_path / "site")
    assert key.read_bytes() != before
    assert key.stat().st_mode & 0o077 == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = clone_of_demo(tmp_path_factory.mktemp("demo"))
    for tag in (["light"], ["-a", "-m", "Published", "told"], ["leaf", "main:registry/0001.yaml"]):
        name = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"]
        subprocess.run(["git", "-C", repository, *name, "tag", *tag, *([] if len(tag) == 2 else ["main"])], check=True)
    return repository


def test_branches_and_tags_of_both_kinds_name_their_commit(demo: Path) -> None:
    store = Store.open(demo)
    main = store.ref("refs/heads/main")
    assert main is not None
    for text in ("main", "light", "told", "refs/tags/told", main):
        assert resolve_commit(store, text) == main


@pytest.mark.parametrize("text", ["HEAD", "leaf", "", "a b", "..", "main~1", "0" * 40, "\0", "\udce9", "refs/heads/*"])
def test_what_names_no_commit_is_a_sentence(demo: Path, text: str) -> None:
    (demo / "HEAD").write_text("ref: refs/heads/unborn\n")
    with pytest.raises(UsageProblem, match="the repository has no"):
        resolve_commit(Store.open(demo), text)
