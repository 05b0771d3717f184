from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.bare import (
    PROTECTION,
    SERVING,
    create_registry,
    install_hook,
    open_copy,
    protect,
    read_settings,
)

from .hand import git


def test_a_registry_is_bare_and_checks_what_it_receives(tmp_path: Path) -> None:
    registry = create_registry(tmp_path / "deep" / "registry.git", pre_receive="#!/bin/sh\nexit 1\n")
    assert git(registry.path, "rev-parse", "--is-bare-repository") == "true"
    assert git(registry.path, "symbolic-ref", "HEAD") == "refs/heads/main"
    for name, value in (PROTECTION | SERVING).items():
        assert git(registry.path, "config", name) == value
    assert int(git(registry.path, "config", "--type=int", "receive.maxInputSize")) == 256 * 2**20
    hook = registry.path / "hooks" / "pre-receive"
    assert hook.read_text() == "#!/bin/sh\nexit 1\n"
    assert hook.stat().st_mode & 0o777 == 0o755


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageProblem):
        create_registry(tmp_path, pre_receive="")
    with pytest.raises(UsageProblem):
        create_registry(tmp_path / "file", pre_receive="")


def test_a_copy_is_made_once(tmp_path: Path) -> None:
    first = open_copy(tmp_path / "copy.git")
    assert open_copy(tmp_path / "copy.git").path == first.path


def test_a_hook_is_replaced_whole(tmp_path: Path) -> None:
    store = open_copy(tmp_path / "copy.git")
    install_hook(store.path, "old\n")
    assert install_hook(store.path, "new\n").read_text() == "new\n"
    assert not list((store.path / "hooks").glob(".pre-receive*"))


def test_protection_is_written_again_and_leaves_other_settings_alone(tmp_path: Path) -> None:
    store = open_copy(tmp_path / "copy.git")
    git(store.path, "config", "core.sharedRepository", "group")
    protect(store.path)
    protect(store.path)
    settings = read_settings(store.path)
    assert settings["core.sharedrepository"] == "group"
    assert {name: settings[name.lower()] for name in PROTECTION} == dict(PROTECTION)


def test_settings_that_nobody_can_read_are_said(tmp_path: Path) -> None:
    store = open_copy(tmp_path / "copy.git")
    (store.path / "config").write_text("[core\n")
    with pytest.raises(EnvironmentProblem, match="cannot read the settings"):
        read_settings(store.path)
    with pytest.raises(EnvironmentProblem, match="cannot write the settings"):
        protect(store.path)
