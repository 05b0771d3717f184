"""What is said of engines, images and mirrors without any engine at work."""

import json
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.fetch_progress import FetchProgress
from medperf_git.records.digests import digest_of
from medperf_git.runner.engine import (
    GIB,
    MIB,
    Bind,
    BindKind,
    Cap,
    Ended,
    Limits,
    Profile,
    StepResult,
    StepSpec,
    User,
    WantedImage,
)
from medperf_git.runner.engines import podman, preflight
from medperf_git.runner.engines.answers import engine_info, refuse_unshared
from medperf_git.runner.engines.apptainer import ApptainerEngine
from medperf_git.runner.engines.apptainer_arguments import (
    plain_configuration,
    step_arguments,
    step_environment,
    volume_folders,
    with_rlimits,
    words_of,
)
from medperf_git.runner.engines.probe import tar_of
from medperf_git.runner.engines.sandbox import container_body
from medperf_git.runner.explain import explain
from medperf_git.runner.fetch_told import Layers
from medperf_git.runner.image_uses import ImageUses
from medperf_git.runner.mirrors import Mirror, places_of

LIMITS = Limits(memory_bytes=4 * GIB, cpus=2, pids=100, open_files=512, file_bytes=GIB)
INFO = {"Architecture": "x86_64", "NCPU": 1, "MemTotal": 1, "SecurityOptions": ["name=seccomp,profile=default"]}


def spec(folder: Path, **changes: object) -> StepSpec:
    fields: dict[str, object] = {
        "image_id": digest_of(b"image"), "command": ("--fast",), "entrypoint": None, "environment": (("MODEL", "a,b"),),
        "binds": (Bind("data_path", folder / "a,b", "/input/data", read_only=True, kind=BindKind.DIRECTORY),),
        "limits": LIMITS, "profile": Profile.STRICT, "scratch": folder / "tmp",
    }  # fmt: skip
    return StepSpec(**fields | changes)  # type: ignore[arg-type]  # fields by name


# Apptainer


@pytest.mark.parametrize(
    "said", [{"Cmd": 5}, {"Entrypoint": ["a", 1]}, {"Cmd": "sh -c x"}, {"Volumes": ["/v"]}, {"Cmd": ["a\0b"]}]
)
def test_an_image_that_says_nonsense_of_itself_is_refused_before_it_is_there(tmp_path: Path, said: object) -> None:
    with pytest.raises(Refused, match="does not say what it runs"):
        plain_configuration(said)  # type: ignore[arg-type]  # whatever its owner wrote
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": said}).encode()
    name = digest_of(config).removeprefix("sha256:") + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": []}]).encode()
    archive = tmp_path / "image.tar"
    archive.write_bytes(tar_of({name: (config, 0o644), "manifest.json": (manifest, 0o644)}))
    command = tmp_path / "apptainer"
    command.write_text('#!/bin/sh\ncase $2 in version) echo 1.3.4;; build) echo sif > "$4";; esac\n')
    command.chmod(0o755)
    engine = ApptainerEngine(str(command), cache=tmp_path / "cache")
    wanted = WantedImage(
        type="DockerArchive", reference="x", id=digest_of(config), platform="linux/amd64", archive=archive
    )
    with pytest.raises(Refused, match="does not say what it runs"):
        engine.resolve_image(wanted)
    assert not engine.has_image(wanted)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_volume_that_would_hide_the_data_from_apptainer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a volume at /input, over a folder of its task"):
        volume_folders(spec(tmp_path), {"Volumes": {"/input": {}}})
    assert volume_folders(spec(tmp_path), {"Volumes": {"/inp": {}}}) == {"/inp": tmp_path / "tmp" / ".volume-0"}


def test_a_configuration_keeps_what_is_needed() -> None:
    said = {"Entrypoint": None, "Cmd": ["a"], "Volumes": {"/v": {}}, "Env": ["A=1"]}
    assert plain_configuration(said) == {"Entrypoint": [], "Cmd": ["a"], "Volumes": {"/v": {}}, "WorkingDir": ""}


def test_the_whole_argument_list_of_apptainer(tmp_path: Path) -> None:
    image = {
        "Entrypoint": ["python3", "/app/run.py"],
        "Cmd": ["--slow"],
        "WorkingDir": "/app",
        "Volumes": {"/cache": {}},
    }
    words = step_arguments(spec(tmp_path), User(65534, 65534), sif="/c/x.sif", image=image, is_root=True, limited=True)
    assert words == (
        "exec", "--containall", "--cleanenv", "--no-eval", "--no-home", "--no-mount", "bind-paths,tmp", "--net",
        "--network", "none", "--no-privs", "--drop-caps", "all",
        "--mount", f"type=bind,source={tmp_path}/tmp,destination=/tmp",
        "--mount", f'type=bind,"source={tmp_path}/a,b",destination=/input/data,ro',
        "--mount", f"type=bind,source={tmp_path}/tmp/.home.sh,destination=/.singularity.d/env/99-zz-home.sh,ro",
        "--mount", f"type=bind,source={tmp_path}/tmp/.volume-0,destination=/cache",
        "--pwd", "/app", "--security", "uid:65534,gid:65534",
        "--memory", str(4 * GIB), "--memory-swap", str(4 * GIB), "--cpus", "2", "--pids-limit", "100",
        "/c/x.sif", "python3", "/app/run.py", "--fast",
    )  # fmt: skip


def test_an_ordinary_user_without_control_groups_stays_who_they_are(tmp_path: Path) -> None:
    words = step_arguments(
        spec(tmp_path), User(1000, 1000), sif="/c/x.sif", image={"Cmd": ["x"]}, is_root=False, limited=False
    )
    assert not {"--security", "--memory", "--writable-tmpfs", "--nv"} & set(words)


def test_compat_may_write_and_gpus_come_by_choice_only(tmp_path: Path) -> None:
    def words(**changes: object) -> tuple[str, ...]:
        return step_arguments(
            spec(tmp_path, **changes), User(0, 0), sif="x", image={"Cmd": ["x"]}, is_root=True, limited=False
        )

    assert "--writable-tmpfs" in words(profile=Profile.COMPAT)
    assert "--nv" not in words()
    assert "--nv" in words(gpus="all")
    assert "--nvccli" not in words(gpus="all")
    assert "--nvccli" in words(gpus="0,1")
    assert step_environment(spec(tmp_path, gpus="0,1"), {})["NVIDIA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.parametrize(
    ("entrypoint", "command", "words"),
    [
        (None, None, ("e", "c")),
        (None, ("x",), ("e", "x")),
        (("n",), None, ("n",)),
        (("n",), ("x",), ("n", "x")),
        ((), ("x",), ("x",)),
    ],
)
def test_apptainer_is_told_the_words_that_docker_would_run(
    tmp_path: Path, entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None, words: tuple[str, ...]
) -> None:
    step = spec(tmp_path, entrypoint=entrypoint, command=command)
    assert words_of(step, {"Entrypoint": ["e"], "Cmd": ["c"]}) == words


def test_a_sif_that_no_container_image_was_made_into_runs_its_own_script(tmp_path: Path) -> None:
    words = step_arguments(spec(tmp_path), User(1, 1), sif="/c/x.sif", image=None, is_root=False, limited=False)
    assert (words[0], words[-2:]) == ("run", ("/c/x.sif", "--fast"))
    with pytest.raises(Refused, match="no command"):
        words_of(spec(tmp_path, command=None), {})


def test_the_environment_of_apptainer_holds_what_was_declared_and_nothing_of_ours(tmp_path: Path) -> None:
    values = step_environment(spec(tmp_path), {"PATH": "/bin", "HOME": "/h", "HTTPS_PROXY": "x", "SECRET": "y"})
    assert values["APPTAINERENV_MODEL"] == "a,b"
    assert values["APPTAINERENV_TMPDIR"] == "/tmp"
    assert not {"HTTPS_PROXY", "SECRET", "APPTAINERENV_HOME"} & set(values)
    with pytest.raises(Refused, match="LD_PRELOAD"):
        step_environment(spec(tmp_path, environment=(("LD_PRELOAD", "x"),)), {})


def test_a_step_of_apptainer_has_caps_on_its_files(tmp_path: Path) -> None:
    command = with_rlimits(spec(tmp_path), ("apptainer", "exec"))
    assert command[2] == f'ulimit -c 0 && ulimit -f {GIB // 512} && ulimit -n 512 && exec "$@"'
    assert command[-2:] == ("apptainer", "exec")


def test_a_volume_that_covers_the_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="volume at /usr"):
        volume_folders(spec(tmp_path), {"Volumes": {"/usr": {}}})


# GPUs behind the Docker API


@pytest.mark.parametrize(
    ("granted", "request_"),
    [
        ("all", {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}),
        ("0,1", {"Driver": "", "DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}),
    ],
)
def test_gpus_are_what_the_data_owner_grants(tmp_path: Path, granted: str, request_: object) -> None:
    def body(gpus: str) -> dict[str, object]:
        image = {"Env": ["LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/y", "HTTP_PROXY=z", "PATH=/bin"]}
        return container_body(spec(tmp_path, gpus=gpus), User(1, 1), image=image, labels={})

    assert body(granted)["HostConfig"]["DeviceRequests"] == [request_]  # type: ignore[index]
    assert "DeviceRequests" not in body("")["HostConfig"]  # type: ignore[operator]
    # What an image sets would run in a hook on the host (CVE-2025-23266): a bare name takes it away.
    assert {"LD_PRELOAD", "LD_LIBRARY_PATH", "HTTP_PROXY"} <= set(body(granted)["Env"])  # type: ignore[call-overload]
    assert "NVIDIA_VISIBLE_DEVICES=void" in body("")["Env"]  # type: ignore[operator]


@pytest.mark.parametrize(("version", "refused"), [("1.17.7", True), ("1.19.0", True), ("1.19.1", False)])
def test_t17_gpus_are_refused_where_the_toolkit_lets_a_container_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, refused: bool
) -> None:
    command = tmp_path / "nvidia-ctk"
    command.write_text(f"#!/bin/sh\necho 'NVIDIA Container Toolkit CLI version {version}'\n")
    command.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if refused:
        with pytest.raises(Refused, match="CVE-2026-24260"):
            preflight.check_toolkit()
    else:
        assert preflight.check_toolkit() == ()


# Podman


def test_podmans_address_is_given_or_looked_for(tmp_path: Path) -> None:
    assert podman.address({"CONTAINER_HOST": "unix:///x.sock"}) == "unix:///x.sock"
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman" / "podman.sock").touch()
    places = {f"unix://{tmp_path}/podman/podman.sock", "unix:///run/podman/podman.sock"}
    assert podman.address({"XDG_RUNTIME_DIR": str(tmp_path)}) in places


def test_how_podman_is_started_is_one_command() -> None:
    assert "systemctl" in podman.how_to_start("unix:///run/podman/podman.sock", has_systemd=True)
    said = podman.how_to_start("unix:///run/podman/podman.sock", has_systemd=False)
    assert "mkdir -p /run/podman && podman system service --time=0 unix:///run/podman/podman.sock" in said


def test_podmans_own_words_are_understood() -> None:
    runtime = {
        "Name": "OCI Runtime (runc)",
        "Version": "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1",
        "Details": {"Package": "runc_1.1.5+ds1-1+deb12u1_amd64"},
    }
    info = engine_info("podman", INFO | {"Rootless": True}, {"Version": "4.3.1", "Components": [runtime]})
    assert info.rootless
    assert any("runc 1.1.5+ds1-1+deb12u1 has CVE-2024-21626, CVE-2025-31133" in warning for warning in info.warnings)


def test_a_container_for_podman_names_its_processes_and_no_owner_of_a_volume(tmp_path: Path) -> None:
    body = container_body(spec(tmp_path), User(1, 2), image={"Volumes": {"/cache": {}}}, labels={})
    adapted = podman.adapt(body, rootless=True)["HostConfig"]
    assert adapted["UsernsMode"] == "keep-id"
    assert [limit["Name"] for limit in adapted["Ulimits"]] == ["nofile", "fsize", "core", "nproc"]
    assert "uid=" not in adapted["Tmpfs"]["/cache"]
    assert f"size={LIMITS.volume_bytes}" in adapted["Tmpfs"]["/cache"]


# Images


def test_mirrors_are_asked_in_the_order_of_the_site_and_the_place_itself_last() -> None:
    mirrors = (Mirror.parse("docker.io=m.example:5000/hub/"), Mirror.parse("docker.io/team = other.example"))
    assert places_of("docker.io/team/model", mirrors) == (
        "m.example:5000/hub/team/model", "other.example/model", "docker.io/team/model",
    )  # fmt: skip
    assert places_of("docker.iox/team", mirrors) == ("docker.iox/team",)


@pytest.mark.parametrize("text", ["docker.io", "=x", "a=", "a=b c", "https://a=b"])
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="is no mirror"):
        Mirror.parse(text)


def test_layers_add_up_to_an_image() -> None:
    layers = Layers()
    told = [
        {"status": "Pulling fs layer", "id": "a", "progressDetail": {}},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Download complete", "id": "a", "progressDetail": {}},
        {"status": "Already exists", "id": "c"},
        {"status": "Downloading", "id": "b", "progressDetail": "nonsense"},
    ]
    assert [layers.take(event) for event in told] == [False, True, True, True, False, False]
    assert (layers.done, layers.total) == (105, 150)


def test_fetching_is_told_every_few_seconds() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 3.5, 4.0])
    progress = FetchProgress(said.append, lambda: next(times))
    for done in (1, 2, 30_000_000, 40_000_000):
        progress("x:1", done, 60_000_000)
    assert said == ["fetching x:1: 30 of at least 60 MB (50 %)"]


def test_an_image_goes_after_its_last_use_and_its_archive_at_once(tmp_path: Path) -> None:
    removed: list[str] = []
    uses = ImageUses(lambda image: removed.append(image) is None)
    one, two = digest_of(b"1"), digest_of(b"2")
    uses.expect([one, two, two])
    uses.done([one, two])
    assert removed == [one]
    uses.done([two])
    assert removed == [one, two]
    archive = tmp_path / "image.tar"
    archive.touch()
    ImageUses().loaded(archive)
    assert archive.exists()
    uses.loaded(archive)
    assert not archive.exists()


# Messages


def test_a_folder_that_the_engine_does_not_see_is_told_so(tmp_path: Path) -> None:
    bind = Bind("data_path", tmp_path, "/input", read_only=True, kind=BindKind.DIRECTORY)
    said = f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}'
    with pytest.raises(EnvironmentProblem, match="the container engine does not see it") as problem:
        refuse_unshared(said, [bind])
    assert "File sharing" in problem.value.hint
    refuse_unshared("no such program", [bind])


@pytest.mark.parametrize(
    ("ended", "broke", "log", "message", "hint"),
    [
        (Ended.OOM, None, "", "more than 4.0 GiB of memory", "--memory 8g"),
        (Ended.DEADLINE, None, "", "within 24.0 h", "--timeout 48h"),
        (Ended.DISK_LIMIT, Cap.TMP, "", "more than 20.0 GiB in /tmp", "--disk 40g"),
        (Ended.DISK_LIMIT, Cap.OUTPUT, "", "more than 100.0 GiB of output", "--disk 200g"),
        (Ended.DISK_LIMIT, Cap.LAYER, "", "in its root file system", "--disk 40g"),
        (Ended.DISK_LIMIT, Cap.FILES, "", "more than 500000 files", "must make it write fewer"),
        (Ended.EXITED, None, "OSError: [Errno 28] No space left on device: '/cache/x'", "exit code 1", "/cache/x"),
        (
            Ended.EXITED,
            None,
            "DataLoader worker (pid 7) is killed by signal: Bus error",
            "exit",
            "shm_size",
        ),
        (Ended.EXITED, None, "BlockingIOError: [Errno 11] Resource temporarily unavailable", "exit", "100 processes"),
        (Ended.EXITED, None, "OSError: [Errno 27] File too large", "exit code 1", "--disk 2g"),
    ],
)
def test_a_limit_is_named_with_the_option_that_can_be_repeated(
    tmp_path: Path, ended: Ended, broke: Cap | None, log: str, message: str, hint: str
) -> None:
    (tmp_path / "log").write_text(log)
    result = StepResult(exit_code=1, ended=ended, seconds=1.0, broke=broke)
    said = explain(result, spec(tmp_path, shm_bytes=64 * MIB), tmp_path / "log")
    assert message in said[0]
    assert hint in said[1]
