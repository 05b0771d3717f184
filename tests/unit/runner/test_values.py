"""Sandbox bodies, probes, preflight, unpacking, fetching, marks: everything that needs no engine."""

import errno
import io
import os
import shutil
import socket
import subprocess
import tarfile
import threading
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Asset
from medperf_git.runner import fetch, staging, tasks
from medperf_git.runner.collect import TakenFile
from medperf_git.runner.disk import DiskFull
from medperf_git.runner.engine import GIB, Bind, BindKind, Ended, Limits, Profile, StepResult, StepSpec, User
from medperf_git.runner.engines import probe
from medperf_git.runner.engines.answers import engine_info, manifest_of
from medperf_git.runner.engines.preflight import suspicions
from medperf_git.runner.engines.sandbox import container_body, denied_variables
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.mounts import check_mounts
from medperf_git.runner.owners import CLIENT, is_orphan, labels_of_this_client
from medperf_git.runner.plan import Slot, parse_bytes
from medperf_git.runner.reduce import InvalidOutput
from medperf_git.runner.results_file import read_results
from medperf_git.runner.store import Mark, ModelState, outputs_match
from medperf_git.runner.tasks import StepFailed, failing_on_full_disk
from medperf_git.runner.unpack import UnpackCaps, unpack


def spec(*binds: Bind, profile: Profile = Profile.STRICT, **fields: object) -> StepSpec:
    values = {"image_id": "sha256:x", "command": None, "entrypoint": None, "environment": (), "scratch": Path("/s")}
    return StepSpec(
        **values | {"binds": binds, "limits": Limits(memory_bytes=GIB, cpus=2), "profile": profile} | fields
    )


def bind(key: str, inside: str, *, read_only: bool = True) -> Bind:
    return Bind(key, Path("/host", key), inside, read_only=read_only, kind=BindKind.DIRECTORY)


def test_the_strict_body_says_every_limit() -> None:
    host = container_body(spec(), User(1000, 1000), image={"Volumes": {"/v": {}}}, labels={})["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] == GIB
    assert list(host["Tmpfs"]) == ["/v"]
    assert host["LogConfig"]["Type"] == "none"
    assert "CapAdd" not in host


def test_the_same_step_gives_the_same_body() -> None:
    step = spec(bind("data_path", "/in"), environment=(("B", "1"), ("A", "2")))
    bodies = [container_body(step, User(1, 1), image={}, labels={}) for _ in range(2)]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("inside", ["/", "//etc", "/proc/self", "/usr/../etc"])
def test_a_mount_over_the_system_is_refused(inside: str) -> None:
    with pytest.raises(Refused, match="over a part of the system"):
        container_body(spec(bind("data_path", inside)), User(1, 1), image={}, labels={})


def test_a_mount_inside_another_is_refused() -> None:
    step = spec(bind("data_path", "/in"), bind("output_path", "/in/out", read_only=False))
    with pytest.raises(Refused, match="output_path mounted inside its data_path"):
        container_body(step, User(1, 1), image={}, labels={})


@pytest.mark.parametrize(
    ("mounts", "fault"),
    [
        ([("output_path", "/tmp/")], "mounted at /tmp, which is always a fresh folder"),
        ([("output_path", "//tmp")], "mounted at /tmp"),
        ([("data_path", "/a"), ("output_path", "/a/")], "both mounted at /a"),
        ([("data_path", "/a/b"), ("output_path", "/a")], "data_path mounted inside its output_path"),
        ([("data_path", "a")], "over a part of the system"),
    ],
)
def test_mounts_that_cannot_be_are_refused(mounts: list[tuple[str, str]], fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        check_mounts(mounts)


def test_mounts_below_tmp_and_beside_each_other_are_fine() -> None:
    check_mounts([("data_path", "/tmp/data"), ("output_path", "/out"), ("report_file", "/out.yaml")])


@pytest.mark.parametrize("volume", ["/usr", "//usr/", "/etc", "/proc/x"])
def test_an_image_whose_volume_covers_the_system_is_refused(volume: str) -> None:
    with pytest.raises(Refused, match="cannot be covered"):
        container_body(spec(), User(1, 1), image={"Volumes": {volume: {}}}, labels={})


def test_caps_leave_room_for_outputs_and_their_copy() -> None:
    limits = Limits(memory_bytes=GIB, cpus=1)
    assert limits.within(1 << 50) == limits
    small = limits.within(9 * GIB)
    assert small.tmp_bytes + 2 * small.output_bytes <= 9 * GIB
    assert (limits.of_disk(5).tmp_bytes, limits.of_disk(5).output_bytes, limits.of_disk(5).volume_bytes) == (5, 5, 5)


def test_the_manifest_is_that_of_the_repository_that_the_reference_names() -> None:
    one, two, three = (digest_of(text) for text in (b"1", b"2", b"3"))
    digests = [f"ghcr.io/lab/model@{one}", f"localhost:5000/lab/model@{two}", f"python@{three}"]
    assert manifest_of("localhost:5000/lab/model:1", digests) == two
    assert manifest_of(f"ghcr.io/lab/model:1@{two}", digests) == one
    assert manifest_of("docker.io/library/python:3.12", digests) == three
    assert manifest_of("python", digests) == three
    assert manifest_of("lab/model", digests) is None


def test_security_options_and_cgroups_are_part_of_what_an_engine_is() -> None:
    said = {
        "Architecture": "x86_64",
        "NCPU": 1,
        "MemTotal": 1,
        "SecurityOptions": ["name=seccomp"],
        "CgroupVersion": "2",
    }
    one = engine_info("docker", said, {"Version": "1"})
    for change in ({"SecurityOptions": []}, {"CgroupVersion": "1"}, {"DefaultRuntime": "crun"}):
        assert engine_info("docker", said | change, {"Version": "1"}).security != one.security


def test_t75_the_deny_list_of_variables() -> None:
    bad = ("LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "CUDA_X", "http_proxy", "NO_PROXY", "PATH", "HOME", "A B", "1A")
    assert denied_variables((*bad, "MODEL", "OMP_NUM_THREADS")) == bad


def test_the_probe_runs_here_and_finds_no_sandbox(tmp_path: Path) -> None:
    program = tmp_path / "probe"
    program.write_bytes(probe.build_program("amd64"))
    program.chmod(0o755)
    output = subprocess.run([program], capture_output=True, check=True).stdout.decode()
    assert any("CapBnd" in fault or "new privileges" in fault for fault in probe.faults_in(output, Profile.STRICT))
    assert probe.build_image("arm64") == probe.build_image("arm64")


@pytest.mark.parametrize(
    ("version", "flawed", "certain"),
    [
        ("1.1.11", True, True),
        ("1.1.5+ds1-1+deb12u1", True, False),
        ("1.2.7", True, True),
        ("1.2.8", True, False),
        ("1.3.4", True, False),
        ("1.3.6", False, False),
        ("1.4.2", True, False),
        ("1.5.1", False, False),
    ],
)
def test_t17_known_bad_engine_parts(version: str, flawed: bool, certain: bool) -> None:
    found = suspicions([("runc", version), ("containerd", "1.0.0")])
    assert bool(found) is flawed
    assert any(suspicion.certain for suspicion in found) is certain


def test_a_container_of_this_process_is_no_orphan_and_one_of_a_past_boot_is() -> None:
    labels = labels_of_this_client("run")
    assert not is_orphan(labels)
    assert is_orphan(labels | {CLIENT: "another-boot:1@1"})
    assert is_orphan(labels | {CLIENT: labels[CLIENT].rpartition("@")[0] + "@1"})
    assert not is_orphan({})


@pytest.mark.parametrize(("text", "size"), [("2g", 2 * GIB), ("512MB", 512 << 20), (64, 64), ("1k", 1024)])
def test_sizes_are_read_as_docker_writes_them(text: str | int, size: int) -> None:
    assert parse_bytes(text) == size


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o777
    return info


def test_a_plain_archive_unpacks_without_its_modes(tmp_path: Path) -> None:
    folder = unpack(tar(tmp_path / "a.tar.gz", (member("w/model.bin"), b"abc")), tmp_path / "out")
    assert (folder / "w" / "model.bin").read_bytes() == b"abc"
    assert (folder / "w" / "model.bin").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"), member("/etc/evil"), member("a/../../evil"), member("evil", tarfile.SYMTYPE, "/etc"),
        member("evil", tarfile.LNKTYPE, "x"), member("evil", tarfile.FIFOTYPE), member("evil", tarfile.CHRTYPE),
        member("ev\nil"), member("-evil"), member("/".join(["d"] * 40)),
    ],
)  # fmt: skip
def test_t74_a_hostile_entry_is_refused_and_nothing_is_left(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    archive = tar(tmp_path / "a.tar.gz", (member("x"), b"fine"), (bad, b""))
    with pytest.raises(Refused):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_t74_a_bomb_stops_at_its_cap(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar.gz", (member("x"), b"\0" * 1_000_000))
    with pytest.raises(Refused, match="more than 1000 bytes"):
        unpack(archive, tmp_path / "out", caps=UnpackCaps(total_bytes=1000))


def test_an_asset_is_fetched_once_and_only_as_recorded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    asset = Asset(f"file://{tmp_path}/file", 3, digest_of(b"abc"))
    kept = fetch_asset(asset, tmp_path / "cache")
    (tmp_path / "file").unlink()
    assert fetch_asset(asset, tmp_path / "cache") == kept
    with pytest.raises(EnvironmentProblem):
        fetch_asset(Asset("file:///nowhere", 3, digest_of(b"abd")), tmp_path / "cache")


def test_another_file_than_recorded_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    for asset in (Asset("file", 6, digest_of(b"x")), Asset("file", 3, digest_of(b"abc"))):
        with pytest.raises(IntegrityBroken):
            fetch_asset(asset, tmp_path / "cache", base=tmp_path)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://x/y", "data:,x", "ext::sh"])
def test_t37_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused, match="no address"):
        fetch_asset(Asset(url, 1, digest_of(b"")), tmp_path / "cache")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"a: 1\na: 2\n", b"a: &x 1\nb: *x\n", b"[" * 30_000, b"\xff", b"!!python/object:os.system x"]
)
def test_t24_a_results_file_that_cannot_be_trusted_is_invalid(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "results.yaml").write_bytes(data)
    with pytest.raises(InvalidOutput):
        read_results(tmp_path / "results.yaml")


def test_the_results_file_of_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "scores.json").write_text('{"a": 0.5}')
    assert read_results(tmp_path) == {"a": 0.5}
    (tmp_path / "more.yaml").write_text("a: 1")
    with pytest.raises(InvalidOutput, match="2 files"):
        read_results(tmp_path)


def mark(files: tuple[TakenFile, ...], **changes: object) -> Mark:
    fields = {
        "key": digest_of(b"key"), "attempt": 1, "files": files, "exit_code": 0, "seconds": 1.5, "peak_memory": None,
        "peak_disk": 0, "started": "2026-11-25T10:00:00Z", "finished": "2026-11-25T10:00:00Z",
    }  # fmt: skip
    return Mark(**fields | changes)


def test_an_asset_that_is_no_file_and_one_that_comes_too_slowly_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for url in (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path)):
        with pytest.raises(Refused, match="no regular file"):
            fetch_asset(Asset(url, 3, digest_of(b"abc")), tmp_path / "cache")
    (tmp_path / "file").write_bytes(b"abc")
    monkeypatch.setattr(fetch, "_PATIENCE", -1)
    with pytest.raises(EnvironmentProblem, match="too slowly"):
        fetch_asset(Asset(str(tmp_path / "file"), 3, digest_of(b"abc")), tmp_path / "cache")


def test_a_server_that_sends_drop_by_drop_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(200):
                if given_up.wait(0.02):
                    break
                client.sendall(b"x")

    monkeypatch.setattr(fetch, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(EnvironmentProblem, match="too slowly"):
            fetch_asset(Asset(f"http://127.0.0.1:{server.getsockname()[1]}/x", 100000, digest_of(b"")), tmp_path / "c")
        assert thread.is_alive()
        given_up.set()
        thread.join()


@pytest.mark.parametrize("url", ["https://[", "http://localhost:x/y"])
def test_an_address_that_is_none_is_an_environment_problem(tmp_path: Path, url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="could not be fetched"):
        fetch_asset(Asset(url, 3, digest_of(b"abc")), tmp_path / "cache")


def test_size_and_digest_of_an_asset_are_filled_in_and_its_bytes_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    url = (tmp_path / "file").as_uri()
    asset = fetch.describe_asset(url, tmp_path / "cache")
    assert asset == Asset(url, 3, digest_of(b"abc"))
    (tmp_path / "file").unlink()
    assert fetch_asset(asset, tmp_path / "cache").read_bytes() == b"abc"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_while_copying_is_told_from_other_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    (tmp_path / "data" / "x").mkdir(parents=True)
    (tmp_path / "data" / "x" / "file").touch()
    monkeypatch.setattr(staging, "is_readable", lambda *_: False)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFull, match="no room"):
        staging.readable_view(tmp_path / "data", User(1, 1), staging=tmp_path / "staging")
    assert list((tmp_path / "staging").iterdir()) == []
    with pytest.raises(StepFailed) as failure, failing_on_full_disk():
        full()
    assert failure.value.reason == "disk"


def test_a_mark_counts_only_while_key_and_outputs_fit(tmp_path: Path) -> None:
    state = ModelState(tmp_path / "m")
    state.predictions.mkdir(parents=True)
    (state.predictions / "a").write_bytes(b"abc")
    files = (TakenFile("a", 3, digest_of(b"abc")),)
    state.write_mark("infer", mark(files))
    assert state.mark("infer") == mark(files)
    assert state.has_finished("infer", digest_of(b"key"))
    assert not state.has_finished("infer", digest_of(b"another"))
    (state.predictions / "b").touch()
    assert not state.has_finished("infer", digest_of(b"key"))
    assert not outputs_match(tmp_path / "nowhere", files)


def test_a_torn_mark_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "infer.json").write_bytes(b'{"key": "sha256:')
    assert ModelState(tmp_path).mark("infer") is None


def test_an_interrupted_attempt_goes_on_under_its_number(tmp_path: Path) -> None:
    state = ModelState(tmp_path / "m")
    assert [state.begin_attempt(), state.begin_attempt()] == [1, 1]
    state.write_outcome({"outcome": "failed"})
    assert state.begin_attempt() == 2


def test_shared_memory_is_a_quarter_of_memory_at_most() -> None:
    limits = Limits(memory_bytes=GIB, cpus=1)
    assert limits.shared_memory(2 * GIB) == GIB // 4
    assert limits.shared_memory(0) == 64 << 20
    assert Decimal(limits.memory_bytes) == GIB


def test_an_output_folder_that_its_container_closed_is_the_failure_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "out").mkdir()
    slot = Slot("output_path", "/mlcube_io1/results.yaml", BindKind.FILE)
    plan = SimpleNamespace(outputs=[slot], folder_of=lambda _: "/mlcube_io1")
    step = spec(Bind("output_path", tmp_path / "out", "/mlcube_io1", read_only=False, kind=BindKind.DIRECTORY))
    monkeypatch.setattr(Path, "touch", closed)  # for root nothing is closed
    result = StepResult(exit_code=0, ended=Ended.EXITED, seconds=1.0)
    with pytest.raises(StepFailed, match="cannot be taken over: Permission denied") as failed:
        tasks._take_over(step, {"output_path": tmp_path / "results"}, result, plan)
    assert failed.value.reason == "invalid-output"
