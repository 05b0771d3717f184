"""`doctor forge` looks at a bare repository for real: hook, settings, refs, permissions."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows.house_bare import examine_bare
from medperf_git.flows.server_hook import hook_text, interpreter_of
from tests.support.people import Town, git_environ


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = Town(tmp_path_factory.mktemp("town"))
    town.found("ana")
    town.ask("bob")
    return town


@pytest.fixture
def repository(made: Town) -> Path:
    """The registry at its own place, as `init` left it; put back after each test."""
    kept = made.folder / "kept"
    if not kept.exists():
        shutil.copytree(made.repository, kept)
    shutil.rmtree(made.repository)
    shutil.copytree(kept, made.repository)
    return made.repository


def git(repository: Path, *argv: str) -> None:
    subprocess.run(["git", f"--git-dir={repository}", *argv], check=True, env=git_environ(), capture_output=True)


def wrong(repository: Path) -> dict[str, tuple[str, str]]:
    return {one.what: (one.found, one.remedy) for one in examine_bare(repository) if one.state == "fail"}


def hook(repository: Path) -> Path:
    return repository / "hooks" / "pre-receive"


def replace_hook(text: str) -> Callable[[Path], None]:
    return lambda repository: hook(repository).write_text(text, encoding="utf-8") and None


def gone(repository: Path) -> None:
    hook(repository).write_text(hook_text(repository, python="/nonexistent/python"), encoding="utf-8")


CASES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no hook": (lambda r: hook(r).unlink(), "hook", "it takes everything"),
    "a hook that cannot run": (lambda r: hook(r).chmod(0o644), "hook", "it takes everything"),
    "another hook": (replace_hook("#!/bin/sh\nexit 0\n"), "hook", "is not the text of this release"),
    "no interpreter": (gone, "hook", "every push is refused"),
    "hooks elsewhere": (lambda r: git(r, "config", "core.hooksPath", "/tmp"), "hook is asked", "is not asked"),
    "no fsck": (lambda r: git(r, "config", "--unset", "receive.fsckObjects"), "receive.fsckObjects", "not set"),
    "fsck off": (lambda r: git(r, "config", "transfer.fsckObjects", "false"), "transfer.fsckObjects", "false"),
    "no limit": (lambda r: git(r, "config", "--unset", "receive.maxInputSize"), "receive.maxInputSize", "not set"),
    "endless": (lambda r: git(r, "config", "receive.maxInputSize", "0"), "receive.maxInputSize", "0"),
    "a tag": (lambda r: git(r, "update-ref", "refs/tags/v1", "main"), "refs", "refs/tags/v1"),
    "a branch": (lambda r: git(r, "update-ref", "refs/heads/other", "main"), "refs", "refs/heads/other"),
    "another HEAD": (lambda r: git(r, "symbolic-ref", "HEAD", "refs/heads/other"), "HEAD", "refs/heads/other"),
    "open to all": (lambda r: (r / "hooks").chmod(0o777), "permissions", "everybody may write"),
}


def test_what_init_made_lacks_nothing(repository: Path) -> None:
    assert {one.state for one in examine_bare(repository)} == {"ok"}


@pytest.mark.parametrize("case", list(CASES))
def test_each_thing_that_is_missing_is_named_with_a_command(repository: Path, case: str) -> None:
    spoil, what, told = CASES[case]
    spoil(repository)
    found = wrong(repository)
    assert set(found) == {what}
    assert told in found[what][0]
    assert str(repository) in found[what][1]


@pytest.mark.parametrize("case", ["no hook", "another hook", "no interpreter", "no fsck", "fsck off", "no limit"])
def test_install_hook_mends_hook_and_settings(made: Town, repository: Path, case: str) -> None:
    CASES[case][0](repository)
    made.founder.run("doctor", "forge", code=3)
    made.founder.run("doctor", "--install-hook", repository)
    assert "pre-receive judges every push" in made.founder.run("doctor", "forge").out


def test_a_size_with_a_unit_is_a_limit(repository: Path) -> None:
    git(repository, "config", "receive.maxInputSize", "64m")
    assert wrong(repository) == {}


def test_a_host_that_lets_nobody_keep_a_light_copy_is_a_warning(made: Town, repository: Path) -> None:
    git(repository, "config", "--unset", "uploadpack.allowFilter")
    (one,) = [one for one in examine_bare(repository) if one.state != "ok"]
    assert (one.state, one.what) == ("warn", "light copies")
    assert "uploadpack.allowFilter not set" in one.found
    made.founder.run("doctor", "forge", repository)
    made.founder.run("doctor", "--install-hook", repository)
    assert {one.state for one in examine_bare(repository)} == {"ok"}


def test_a_group_that_may_write_is_a_warning(made: Town, repository: Path) -> None:
    (repository / "hooks").chmod(0o775)
    (one,) = [one for one in examine_bare(repository) if one.what == "permissions"]
    assert (one.state, "its group may write" in one.found) == ("warn", True)
    made.founder.run("doctor", "forge", repository)


def test_the_machines_own_doctor_points_to_what_is_missing(made: Town, repository: Path) -> None:
    git(repository, "config", "--unset", "receive.maxInputSize")
    rows = made.founder.run("doctor", "--json").value
    (row,) = [row for row in rows if row["what"] == "registry heart"]
    assert (row["state"], row["remedy"]) == ("warn", f"medperf-git doctor forge {repository}")


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no bare repository"):
        examine_bare(tmp_path)


def test_a_push_above_the_limit_is_refused_before_the_hook(made: Town, repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "receive.maxInputSize", "100k")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True, env=git_environ())
    (clone / "big").write_bytes(bytes(range(256)) + __import__("random").Random(1).randbytes(300_000))
    for words in (["add", "-A"], ["commit", "-q", "-m", "big"]):
        subprocess.run(["git", *words], cwd=clone, check=True, env=git_environ())
    push = ["git", "push", "-q", "origin", f"HEAD:refs/heads/submit/{'0' * 32}"]
    done = subprocess.run(push, cwd=clone, check=False, env=git_environ(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "exceeds maximum allowed size" in done.stderr


@pytest.mark.parametrize("text", ["", "python=\n", "python='a b\n", "python=a b\n", "#!/bin/sh\n"])
def test_a_hook_of_somebody_else_names_no_interpreter(text: str) -> None:
    assert interpreter_of(text) is None


def test_an_interpreter_with_a_space_is_read_back() -> None:
    assert interpreter_of(hook_text(Path("/r.git"), python="/o p/python")) == "/o p/python"


def test_a_repository_that_is_mounted_elsewhere_has_a_current_hook(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link.git").symlink_to(repository)
    assert wrong(tmp_path / "link.git") == {}


def test_the_machines_own_doctor_says_what_it_cannot_look_at(made: Town, repository: Path) -> None:
    (repository / "config").write_text("[core\n", encoding="utf-8")
    rows = made.founder.run("doctor", "--json", code=3).value
    assert [row["state"] for row in rows if row["what"] == "registry heart"] == ["fail"]
