"""Machines on one computer: each has an address, files, a name and a container engine of its own.

A machine is a set of Linux namespaces (network, mounts, host name), held open by a process that sleeps. All of them
live in one process namespace (stage.py), so that nothing outlives the story, however it ends.

What a machine sees: its own folder as /srv, an empty /run, nothing of the other machines' folders, one network cable to
the Git host. The Git host forwards nothing, so what is on another cable cannot be reached.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PLACE = Path("/srv")  # where a machine finds its own files
HOST_ADDRESS = "192.0.2.1"  # addresses of RFC 5737, which are nobody's
ENGINE = "unix:///run/docker.sock"
PATIENCE = 60  # seconds for an engine or an sshd to answer

_OPEN = """
set -e
hostname "$1"
mount --bind "$2" /srv
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=755 others "$3"
ip link set lo up
echo ready
exec sleep infinity
"""
_SYSTEM = {name: os.environ[name] for name in ("LANG", "LC_ALL", "PYTHONPATH") if name in os.environ}
SEARCH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Machine:
    """A machine: its name, its address, its folder as this computer sees it, and the process that holds it open."""

    name: str
    address: str
    folder: Path
    process: int

    def words(self, *words: str | Path, **variables: str) -> list[str]:
        """Return the command that runs `words` there, in /srv, with these variables."""
        place = ["nsenter", f"--target={self.process}", "--net", "--mount", "--uts", "--"]
        path = variables.pop("PATH", SEARCH)
        system = {**_SYSTEM, "PATH": path, "TMPDIR": f"{PLACE}/tmp", "DOCKER_HOST": ENGINE, **variables}
        told = [f"{name}={value}" for name, value in system.items()]
        return [*place, "env", "-i", f"--chdir={PLACE}", *told, *map(str, words)]

    def run(self, *words: str | Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program there to its end; RuntimeError tells what it said when it fails."""
        done = subprocess.run(self.words(*words, **variables), capture_output=True, text=True, check=False)
        if check and done.returncode:
            said = (done.stderr + done.stdout).strip()
            raise RuntimeError(f"{self.name}: {' '.join(map(str, words))} failed: {said}")
        return done

    def begin(self, *words: str | Path, log: str) -> subprocess.Popen[bytes]:
        """Start a program there that goes on by itself; what it says goes into a file of the machine."""
        with (self.folder / log).open("wb") as file:
            return subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def log(self, name: str) -> str:
        """Return the last lines of what a program there said."""
        return "\n".join((self.folder / name).read_text(errors="replace").splitlines()[-5:])


def open_machine(name: str, address: str, machines: Path) -> Machine:
    """Make a machine with a folder of its own below `machines`."""
    folder = machines / name
    (folder / "tmp").mkdir(parents=True, mode=0o755)
    (folder / "tmp").chmod(0o1777)
    command = ["unshare", "--net", "--mount", "--uts", "sh", "-c", _OPEN, "machine", name, str(folder), str(machines)]
    holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stderr is not None
    if holder.stdout.readline().strip() != b"ready":
        raise RuntimeError(f"machine {name} cannot be made: {holder.stderr.read().decode().strip()}")
    return Machine(name, address, folder, holder.pid)


def open_host(name: str, machines: Path) -> Machine:
    """Make the machine of the Git host, which has one address on all its cables and forwards nothing."""
    host = open_machine(name, HOST_ADDRESS, machines)
    host.run("ip", "address", "add", f"{HOST_ADDRESS}/32", "dev", "lo")
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.disable_ipv6=1")
    return host


def connect(host: Machine, machine: Machine) -> None:
    """Lay a cable between a machine and the Git host; everything that the machine sends goes there."""
    head, _, last = machine.address.rpartition(".")
    gateway = f"{head}.{int(last) - 1}"
    cable = machine.name[:15]  # a device's name is no longer
    host.run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(machine.process))
    host.run("ip", "address", "add", f"{gateway}/30", "dev", cable)
    host.run("ip", "link", "set", cable, "up")
    machine.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1")
    machine.run("ip", "address", "add", f"{machine.address}/30", "dev", "eth0")
    machine.run("ip", "link", "set", "eth0", "up")
    machine.run("ip", "route", "add", "default", "via", gateway)


def start_engine(machine: Machine, group: str) -> None:
    """Start a container engine of the machine's own; its images and containers lie in the machine's folder."""
    (machine.folder / "engine.json").write_text("{}\n")  # not the settings of this computer's engine
    words = ("--config-file", PLACE / "engine.json", "--data-root", PLACE / "engine", "--exec-root", "/run/docker")
    no_network = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false")
    groups = ("--cgroup-parent", f"/{group}", "--exec-opt", "native.cgroupdriver=cgroupfs")
    pid = ("--pidfile", "/run/docker.pid")
    process = machine.begin("dockerd", "--host", ENGINE, *words, *pid, *no_network, *groups, log="engine.log")
    socket = Path(f"/proc/{machine.process}/root/run/docker.sock")

    def answers() -> bool:
        return socket.exists() and machine.run("docker", "version", check=False).returncode == 0

    wait_until(answers, process, machine, "engine.log")


def load_images(machine: Machine, archive: IO[bytes]) -> None:
    """Load an archive of images into the machine's engine, as somebody does who was handed a disk."""
    loaded = subprocess.run(machine.words("docker", "load", "--quiet"), stdin=archive, capture_output=True, check=False)
    if loaded.returncode:
        raise RuntimeError(f"{machine.name}: docker load failed: {loaded.stderr.decode().strip()}")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], machine: Machine, log: str) -> None:
    """Wait until `ready()` is true; RuntimeError when the program ended before, or does not get there."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{machine.name}: {log} ends with\n{machine.log(log)}")
        time.sleep(0.1)


def size_of(folder: Path) -> int:
    """Return the bytes that a folder takes on the disk, each file counted once."""
    said = subprocess.run(["du", "-sxB1", folder], capture_output=True, text=True, check=False).stdout
    return int(said.split()[0]) if said else 0


def find_missing(commands: Mapping[str, str]) -> list[str]:
    """Return the Debian packages of those commands that are not here."""
    return sorted({package for command, package in commands.items() if not shutil.which(command, path=SEARCH)})
