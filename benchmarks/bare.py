"""The same container without us: `docker run` with the flags of a step, and the bare calls of the engine's interface.

Both are made from the very configuration that the runner hands to the engine, so nobody runs under easier conditions.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.measure import Run, inside, timed

SOCKET = "/var/run/docker.sock"
API = "/v1.41"


def docker_run(body: Mapping[str, Any]) -> list[str]:
    """Return the command line of `docker run --rm` for a configuration."""
    host = body["HostConfig"]
    flags = [
        *("--rm", "--user", body["User"], "--network", host["NetworkMode"], "--ipc", host["IpcMode"]),
        *("--log-driver", host["LogConfig"]["Type"], "--no-healthcheck", "--memory", str(host["Memory"])),
        *("--memory-swap", str(host["MemorySwap"]), "--cpus", str(host["NanoCpus"] / 1e9)),
        *("--pids-limit", str(host["PidsLimit"]), "--shm-size", str(host["ShmSize"])),
        *(["--read-only"] if host["ReadonlyRootfs"] else []),
        *_each("--cap-drop", host["CapDrop"]),
        *_each("--security-opt", host["SecurityOpt"]),
        *_each("--env", body["Env"]),
        *_each("--label", [f"{name}={value}" for name, value in body["Labels"].items()]),
        *_each("--ulimit", [f"{one['Name']}={one['Soft']}:{one['Hard']}" for one in host["Ulimits"]]),
        *_each("--mount", [_mount(one) for one in host["Mounts"]]),
        *_each("--tmpfs", [f"{path}:{options}" for path, options in host["Tmpfs"].items()]),
    ]
    entrypoint, command = list(body.get("Entrypoint") or ()), list(body.get("Cmd") or ())
    flags += ["--entrypoint", entrypoint[0]] if entrypoint else []
    return ["docker", "run", *flags, body["Image"], *entrypoint[1:], *command]


def by_command(body: Mapping[str, Any]) -> Run:
    """Run a container with the docker command."""
    return timed(docker_run(body))


def with_outputs_kept(body: Mapping[str, Any], folder: Path) -> Run:
    """Run a container with the docker command, then copy what it wrote to `folder` and digest it, as anybody must."""
    written = next(Path(one["Source"]) for one in body["HostConfig"]["Mounts"] if "output_path" in one["Source"])
    emptied(written)
    emptied(folder)
    keep = 'cp -r "$1"/. "$2" && find "$2" -type f -exec sha256sum {} +'
    first, second = timed(docker_run(body)), timed(["sh", "-c", keep, "sh", str(written), str(folder)])
    return Run(first.wall + second.wall, first.cpu + second.cpu, max(first.peak, second.peak))


def emptied(folder: Path) -> Path:
    """Empty a folder, which stays who it belongs to."""
    folder.mkdir(exist_ok=True)
    for entry in folder.iterdir():
        entry.unlink()
    return folder


def by_interface(body: Mapping[str, Any]) -> Run:
    """Run a container with the fewest calls that a careful client needs: create, attach, start, wait, remove."""
    return inside(lambda: _five_calls(body))


def many_by_command(bodies: Sequence[Mapping[str, Any]], at_once: int) -> Run:
    """Run containers with the docker command, so many of them at once; processor time is that of the commands."""
    waiting = [docker_run(body) for body in bodies]
    running: list[subprocess.Popen[bytes]] = []
    before, start = os.times(), time.perf_counter()
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(subprocess.Popen(waiting.pop(0), stdout=subprocess.DEVNULL))
        ended = running.pop(0)
        if ended.wait():
            raise SystemExit(f"{ended.args!r} ended with {ended.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(time.perf_counter() - start, cpu, 0)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def _five_calls(body: Mapping[str, Any]) -> None:
    line = _Connection("localhost")
    created = _asked(line, "POST", "/containers/create", body)["Id"]
    stream = _attached(created)
    _asked(line, "POST", f"/containers/{created}/start")
    while stream.recv(1 << 16):
        pass
    stream.close()
    code = _asked(line, "POST", f"/containers/{created}/wait")["StatusCode"]
    _asked(line, "DELETE", f"/containers/{created}?v=1")
    line.close()
    if code:
        raise SystemExit(f"the bare container ended with {code}")


def _asked(line: http.client.HTTPConnection, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    line.request(verb, API + path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = line.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{verb} {path}: {answer.status} {text.decode()}")
    return json.loads(text) if text else None


def _attached(container: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(SOCKET)
    path = f"{API}/containers/{quote(container)}/attach?stream=1&stdout=1&stderr=1"
    stream.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
    stream.recv(1 << 16)
    return stream


def _mount(one: Mapping[str, Any]) -> str:
    words = [f"type={one['Type']}", f"source={one['Source']}", f"target={one['Target']}"]
    words += [f"bind-propagation={one['BindOptions']['Propagation']}", "bind-recursive=disabled"]
    return ",".join(words + (["readonly"] if one["ReadOnly"] else []))


def _each(flag: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]
