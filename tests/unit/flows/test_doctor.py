"""Doctor says what is missing and what to do about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.flows import doctor
from medperf_git.flows.context import Context
from medperf_git.flows.doctor import examine
from medperf_git.flows.house_examined import Examined
from tests.support.people import Human, Town


def found(human: Human) -> dict[str, tuple[str, str]]:
    with human.at_machine():
        return {one.what: (one.state, one.remedy) for one in examine(human.context())}


def test_a_new_machine_has_nothing_to_fail_for(tmp_path: Path) -> None:
    states = {what: state for what, (state, _) in found(Human("ana", tmp_path)).items()}
    assert states["git"] == states["home folder"] == states["keys"] == states["clock"] == states["registries"] == "ok"


@pytest.mark.parametrize(("state", "code", "told"), [("ok", 0, "ready"), ("warn", 3, "missing: container engine")])
def test_without_an_engine_running_is_not_ready_and_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, code: int, told: str
) -> None:
    def engine(_context: Context) -> Iterator[Examined]:
        yield Examined(state, "container engine", "as told")  # type: ignore[arg-type]  # one of its states

    monkeypatch.setattr(doctor, "LOOKS", tuple(engine if look is doctor.engines else look for look in doctor.LOOKS))
    ana = Human("ana", tmp_path)
    lines = [line.split(maxsplit=1) for line in ana.run("doctor", code=code).out.splitlines()]
    assert ["running:", told] in lines
    assert ["reading:", "ready"] in lines
    assert ["signing:", "ready"] in lines
    needs = {row["what"]: row["needed_for"] for row in ana.run("doctor", "--json", code=code).value}
    assert needs["container engine"] == ["running"]
    assert needs["keys"] == ["signing"]


def test_a_home_that_others_may_read_fails_with_the_command_that_mends_it(tmp_path: Path) -> None:
    ana = Human("ana", tmp_path)
    ana.home.mkdir(mode=0o755)
    ana.home.chmod(0o755)
    assert found(ana)["home folder"] == ("fail", f"chmod 700 {ana.home}")
    ana.run("doctor", code=3)


def test_without_git_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state, remedy = found(Human("ana", tmp_path))["git"]
    assert (state, "install Git" in remedy) == ("fail", True)


def test_a_registry_that_is_gone_fails(tmp_path: Path) -> None:
    town = Town(tmp_path)
    ana = town.found("ana")
    assert found(ana)["registry heart"][0] == "ok"
    town.repository.rename(tmp_path / "gone")
    assert found(ana)["registry heart"][0] == "fail"


def test_nothing_of_the_home_can_be_read_by_others(tmp_path: Path) -> None:
    ana = Town(tmp_path).found("ana")
    open_ones = [path for path in (ana.home, *ana.home.glob("*")) if path.is_dir() and path.stat().st_mode & 0o077]
    assert open_ones == []
