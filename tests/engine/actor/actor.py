"""What a container may try: each argument is one thing to do, in order."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DATA, LABELS, OUT = Path("/input/data"), Path("/input/labels"), Path("/output")


def predict() -> None:
    for file in sorted(DATA.iterdir()):
        (OUT / "predictions" / file.name).write_text(f"prediction of {file.read_text()}")


def predict_nothing() -> None:
    pass


def score() -> None:
    cases = sorted(Path("/input/predictions").iterdir())
    lines = [f"  {case.stem}: {{dice: 0.{i + 5}, secret: 123456789}}" for i, case in enumerate(cases)]
    (OUT / "results.yaml").write_text("count: 3\nleak: [1.23456789]\ncases:\n" + "\n".join(lines) + "\n")


def score_with_nan() -> None:
    (OUT / "results.yaml").write_text("count: .nan\ncases:\n  a: {dice: .nan}\n  b: {dice: 0.5}\n  c: {dice: 0.7}\n")


def score_out_of_range() -> None:
    (OUT / "results.yaml").write_text("count: 3\ncases:\n  a: {dice: 1.5}\n")


def write_data() -> None:
    (DATA / "evil").write_text("x")


def write_root() -> None:
    Path("/usr/opt").mkdir(exist_ok=True)
    Path("/usr/opt/cache").write_text("x")


def write_tmp() -> None:
    Path(os.environ["HOME"], "cache").write_text("x")
    Path("/tmp/exec.sh").write_text("#!/bin/sh\nexit 0\n")
    Path("/tmp/exec.sh").chmod(0o700)
    subprocess.run(["/tmp/exec.sh"], check=True)


def network() -> None:
    for family, kind, address in (
        (socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)),
        (socket.AF_INET, socket.SOCK_STREAM, ("172.17.0.1", 22)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("8.8.8.8", 53)),
    ):
        with socket.socket(family, kind) as sock:
            sock.settimeout(2)
            try:
                sock.connect(address)
                sock.send(b"x")
            except OSError as error:
                print("blocked", address, error)
            else:
                sys.exit(f"reached {address}")
    try:
        socket.getaddrinfo("example.org", 80)
    except OSError as error:
        print("no names", error)
    else:
        sys.exit("resolved a name")
    if Path("/var/run/docker.sock").exists():
        sys.exit("sees the engine's socket")


def never_ends() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("going on for ever", flush=True)
    while True:
        time.sleep(1)


def slow() -> None:
    print("slowly", flush=True)
    time.sleep(3)


def flood_log() -> None:
    line = b"x" * 65535 + b"\n"
    while True:
        os.write(1, line)


def fork_bomb() -> None:
    children = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            children += 1
    except OSError as error:
        sys.exit(f"stopped after {children}: {error}")


def eat_memory() -> None:
    hog = []
    while True:
        hog.append(bytearray(16 * 1024 * 1024))


def eat_memory_in_child() -> None:
    if os.fork() == 0:
        eat_memory()
    os.wait()
    sys.exit(1)


def fill_output() -> None:
    fill(OUT / "predictions")


def fill_tmp() -> None:
    fill(Path("/tmp"))


def fill_volume() -> None:
    fill(Path("/cache"), pause=0)


def deep_tmp() -> None:
    nest(Path("/tmp"))


def deepest_tmp() -> None:
    nest(Path("/tmp"), depth=100)


def deep_output() -> None:
    nest(OUT / "predictions")


def nest(folder: Path, depth: int = 60) -> None:
    os.chdir(folder)
    for _ in range(depth):
        Path("x" * 200).mkdir()
        os.chdir("x" * 200)
    Path("file").write_text("x")
    os.chdir("/")
    time.sleep(1)


def fill(folder: Path, pause: float = 0.05) -> None:
    for number in range(100_000):
        (folder / f"f{number}").write_bytes(b"x" * 4 * 1024 * 1024)
        time.sleep(pause)


def flood(folder: Path) -> None:
    """Write from four processes as fast as the disk takes it."""
    piece = b"x" * 1024 * 1024
    for _ in range(2):
        os.fork()
    for number in range(1000):
        with (folder / f"f{os.getpid()}-{number}").open("wb") as file:
            for _ in range(16):
                file.write(piece)


def flood_removed() -> None:
    """Fill the disk with files that no folder shows, for they were removed and are held open."""
    held = []
    for number in range(1000):
        path = Path(f"/tmp/f{number}")
        held.append(path.open("wb", buffering=0))
        path.unlink()
        for _ in range(16):
            held[-1].write(b"x" * 1024 * 1024)


def flood_tmp() -> None:
    flood(Path("/tmp"))


def flood_output() -> None:
    flood(OUT / "predictions")


def flood_root() -> None:
    Path("/usr/opt").mkdir(exist_ok=True)
    flood(Path("/usr/opt"))


def fill_shm() -> None:
    fill(Path("/dev/shm"), pause=0)


def many_files_in_tmp() -> None:
    for number in range(10_000_000):
        Path(f"/tmp/f{number}").touch()


def burn_processors() -> None:
    """Burn four processors for two seconds, say how much time of them was had, and go on for ever."""
    children = []
    for _ in range(4):
        if (child := os.fork()) == 0:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    used = os.times()
    print(f"had {used.children_user + used.children_system:.2f} s of processors", flush=True)
    while True:
        pass


def flood_disk() -> None:
    fill(Path("/tmp"), pause=0)


def many_files() -> None:
    for number in range(10_000_000):
        (OUT / "predictions" / f"f{number}").touch()


def big_file() -> None:
    with (OUT / "predictions" / "big").open("wb") as file:
        while True:
            file.write(b"x" * 1024 * 1024)


def symlink() -> None:
    (OUT / "predictions" / "link").symlink_to("/etc/shadow")


def fifo() -> None:
    os.mkfifo(OUT / "predictions" / "pipe")


def hard_link() -> None:
    predict()
    first = min((OUT / "predictions").iterdir())
    (OUT / "predictions" / "twin").hardlink_to(first)


def sparse() -> None:
    with (OUT / "predictions" / "holes").open("wb") as file:
        file.truncate(1 << 30)


def unix_socket() -> None:
    socket.socket(socket.AF_UNIX).bind(str(OUT / "predictions" / "sock"))


def odd_name() -> None:
    (OUT / "predictions" / "a\nb\x1b[31m").write_text("x")


def hide() -> None:
    folder = OUT / "predictions" / "hidden"
    folder.mkdir()
    (folder / "x").write_text("x")
    folder.chmod(0)


def environment() -> None:
    for name in sorted(os.environ):
        print(f"{name}={os.environ[name]}")


def parameters() -> None:
    print(Path("/input/parameters.yaml").read_text())


def files() -> None:
    print(Path("/input/files/weights.bin").read_text())


def copystat() -> None:
    source = DATA if DATA.is_dir() else Path("/output/predictions")
    shutil.copytree(source, OUT / "predictions", dirs_exist_ok=True)


def prepare() -> None:
    report = OUT / "report.yaml"
    if not report.read_text() and not (DATA / "at-once").exists():
        report.write_text("stage: 1\n")
        sys.exit("a person must look first")
    for name in ("data", "labels"):
        shutil.copytree(Path("/input", name), OUT / name, dirs_exist_ok=True)


def sanity() -> None:
    sys.exit(0 if list(DATA.iterdir()) else 1)


def statistics() -> None:
    (OUT / "statistics.yaml").write_text(f"num_cases: {len(list(DATA.iterdir()))}\nmean_age: 61.5\n")


def fail() -> None:
    sys.exit(7)


def predict_then_fail() -> None:
    predict()
    sys.exit(7)


def arguments() -> None:
    print("arguments:", *sys.argv[1:])


def results_file_is_there() -> None:
    file = OUT / "results.yaml"
    if not file.is_file() or file.read_bytes():
        sys.exit(f"{file} is no empty file")


def report_is_empty() -> None:
    if (OUT / "report.yaml").read_text():
        sys.exit("the report is not empty at the first start")


def chatter() -> None:
    while True:
        print("still talking", flush=True)
        time.sleep(0.2)


def predict_then_fill_tmp() -> None:
    predict()
    for number in range(10):
        Path("/tmp", str(number)).write_bytes(b"x" * (8 << 20))


for action in sys.argv[1:]:
    globals()[action.replace("-", "_")]()
