"""The sandbox against containers that try to leave it, on a real engine."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.runner.engine import Limits, Profile
from medperf_git.runner.engines import docker as adapter
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube, plan_task
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, run_task
from tests.engine.conftest import ENGINE

of_the_docker_api = pytest.mark.skipif(ENGINE == "apptainer", reason="it is about the Docker API")


@of_the_docker_api
def test_the_probe_finds_the_strict_sandbox_whole_or_says_which_limits_are_not_kept(
    engine: DockerEngine, tmp_path: Path, keeps_limits: bool
) -> None:
    if not keeps_limits:
        with pytest.raises(Refused, match="memory is not limited") as refused:
            engine.check_sandbox(Profile.STRICT, cache=tmp_path)
        assert "--profile unlimited" in refused.value.hint
        assert not list(tmp_path.iterdir())
        return
    engine.check_sandbox(Profile.STRICT, cache=tmp_path)
    engine.check_sandbox(Profile.COMPAT, cache=tmp_path)
    assert (tmp_path / f"sandbox-{ENGINE}-strict.ok").is_file()


@of_the_docker_api
def test_the_probe_runs_again_when_the_engine_is_set_otherwise(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[Profile] = []
    monkeypatch.setattr(DockerEngine, "_probe", lambda _, profile: probed.append(profile) or ())
    for _ in range(2):
        engine.check_sandbox(Profile.STRICT, cache=tmp_path)
    assert probed == [Profile.STRICT]
    monkeypatch.setattr(engine, "_info", replace(engine.info(), security=("seccomp=unconfined",)))
    engine.check_sandbox(Profile.STRICT, cache=tmp_path)
    assert len(probed) == 2


@of_the_docker_api
def test_the_probe_refuses_an_engine_that_ignores_limits(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = adapter.container_body

    def weakened(*args: object, **options: object) -> dict[str, object]:
        body = whole(*args, **options)
        body["HostConfig"] |= {"Memory": 0, "MemorySwap": 0, "CapDrop": [], "SecurityOpt": ["seccomp=unconfined"]}
        return body

    monkeypatch.setattr(adapter, "container_body", weakened)
    with pytest.raises(Refused, match=r"CapBnd is .*new privileges can be gained.*memory is not limited"):
        engine.check_sandbox(Profile.STRICT)


@pytest.mark.skipif(ENGINE != "docker" or os.getuid() != 0, reason="only root can hide a folder from its engine")
def test_a_folder_that_the_engine_does_not_see_is_told_of(tmp_path: Path, images: dict[str, str]) -> None:
    program = f"""
import threading
from pathlib import Path
from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.engine import *
from medperf_git.runner.engines.docker import DockerEngine
hidden = Path({str(tmp_path)!r}, "own", "data")
hidden.mkdir()
bind = Bind("data_path", hidden, "/input/data", read_only=True, kind=BindKind.DIRECTORY)
spec = StepSpec(image_id={images["full"]!r}, command=("predict",), entrypoint=None, environment=(), binds=(bind,),
                limits=Limits(memory_bytes=256 * MIB, cpus=1), profile=Profile.STRICT, scratch=Path("/tmp"))
try:
    DockerEngine.connect().run(spec, log=hidden / "log", stop=threading.Event())
except EnvironmentProblem as problem:
    print(problem.message, problem.hint)
"""
    own = tmp_path / "own"
    own.mkdir()
    script = f'mount -t tmpfs own {own} && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, "-c", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{own}/data is here, and the container engine does not see it" in done.stdout, done.stderr
    assert "share that folder" in done.stdout


def test_an_ordinary_model_runs_and_its_output_is_ours(infer: Callable[..., TaskRun], tmp_path: Path) -> None:
    run = infer("predict")
    assert run.result.succeeded
    assert [file.path for file in run.outputs["output_path"]] == ["a.txt", "b.txt", "c.txt"]
    assert (tmp_path / "out" / "a.txt").read_text() == "prediction of data of a"
    assert (tmp_path / "out" / "a.txt").stat().st_uid == 0 or (tmp_path / "out").owner()
    assert (tmp_path / "logs" / "log").stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "scratch").glob("*/tmp"))


@pytest.mark.parametrize("style", ["full", "interpreter", "none"])
def test_the_three_styles_of_entry_point_run(infer: Callable[..., TaskRun], style: str) -> None:
    assert infer("predict", style=style).result.succeeded


def test_home_and_tmp_are_writable_and_may_hold_programs(infer: Callable[..., TaskRun]) -> None:
    assert infer("write-tmp", "predict").result.succeeded


def test_copystat_works_on_an_output_folder(infer: Callable[..., TaskRun]) -> None:
    assert infer("copystat").result.succeeded


def test_t18_the_network_is_cut(infer: Callable[..., TaskRun], tmp_path: Path) -> None:
    infer("network", "predict")
    assert (tmp_path / "logs" / "log").read_text().count("blocked") == 3


def test_data_cannot_be_written_and_stays_as_it_is(infer: Callable[..., TaskRun], data: DatasetFolders) -> None:
    with pytest.raises(StepFailed) as failure:
        infer("write-data")
    assert failure.value.reason == "exit-code"
    assert "Read-only" in failure.value.hint or "read-only" in failure.value.hint or "--profile" in failure.value.hint
    assert sorted(path.name for path in data.data.iterdir()) == ["a.txt", "b.txt", "c.txt"]


def test_a_read_only_root_names_path_and_option_and_compat_helps(infer: Callable[..., TaskRun]) -> None:
    with pytest.raises(StepFailed) as failure:
        infer("write-root")
    assert "/opt" in failure.value.hint
    assert "--profile compat" in failure.value.hint
    assert infer("write-root", "predict", profile=Profile.COMPAT).result.succeeded


@pytest.mark.skipif(ENGINE == "apptainer", reason="a volume lies in /tmp there, and shares its cap")
def test_t23_a_volume_of_the_image_is_capped(infer: Callable[..., TaskRun], tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        infer("fill-volume")
    assert "No space left" in (tmp_path / "logs" / "log").read_text()
    assert "--disk" in failure.value.hint


def test_the_log_is_cut_at_its_cap(infer: Callable[..., TaskRun], tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(StepFailed):
        infer("flood-log")
    assert (tmp_path / "logs" / "log").stat().st_size < limits.log_bytes + 200


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ("symlink", "link which is a symbolic link"),
        ("fifo", "pipe which is a FIFO"),
        ("unix-socket", "sock which is a socket"),
        ("hard-link", "which is a hard link"),
        ("sparse", "holes which is a sparse file"),
        ("odd-name", r"a\x0ab\x1b[31m which is named"),
    ],
)
def test_t21_hostile_output_is_refused_by_name(
    infer: Callable[..., TaskRun], limits: Limits, tmp_path: Path, action: str, named: str
) -> None:
    with pytest.raises(StepFailed) as failure:
        infer(action, limits=replace(limits, file_bytes=2 << 30))
    assert failure.value.reason == "invalid-output"
    assert named in failure.value.message
    assert not (tmp_path / "out").exists()


def test_t75_a_denied_variable_is_refused_before_anything_runs(infer: Callable[..., TaskRun], tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        infer("predict", run_args={"environment": {"LD_PRELOAD": "/x.so", "MODEL": "a"}})
    assert failure.value.reason == "sandbox"
    assert "LD_PRELOAD" in failure.value.message
    assert not (tmp_path / "logs" / "log").exists()


def test_declared_variables_reach_the_container_and_proxies_do_not(
    infer: Callable[..., TaskRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    infer("environment", "predict", run_args={"environment": {"MODEL_NAME": "a b"}})
    text = (tmp_path / "logs" / "log").read_text()
    assert "MODEL_NAME=a b\n" in text
    assert "PROXY" not in text
    assert "HOME=/tmp\n" in text


def test_a_model_that_asks_for_gpus_gets_none_unasked(infer: Callable[..., TaskRun]) -> None:
    with pytest.raises(StepFailed) as failure:
        infer("predict", run_args={"gpus": "all"})
    assert failure.value.reason == "needs-gpu"


@pytest.mark.skipif(ENGINE != "docker", reason="others do without a GPU that is not there")
def test_gpus_that_the_site_does_not_have_are_no_fault_of_a_model(
    bench: Bench, data: DatasetFolders, make_cube: Callable[..., PinnedCube], tmp_path: Path
) -> None:
    plan = plan_task(make_cube("predict", run_args={"gpus": "all"}), "infer")
    with pytest.raises(StepFailed, match="gives no container the GPUs '99'") as failure:
        run_task(
            replace(bench, gpus="99"), plan, inputs={"data_path": data.data}, targets={}, log=tmp_path / "log",
            profile=Profile.STRICT,
        )  # fmt: skip
    assert failure.value.reason == "needs-gpu"
