"""A real image registry on this machine (Debian's docker-registry), and small images put there without any engine."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medperf_git.records.digests import Digest, digest_of
from medperf_git.runner.engine import WantedImage
from medperf_git.runner.engines.probe import build_program, tar_of

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@contextmanager
def image_registry(folder: Path, *, password: str = "", beside: int = 0) -> Iterator[str]:
    """Serve images below `folder` and yield the address.

    With a password, only to the user `hospital`; with the process `beside`, in the network that this one has.
    """
    _ensure_commands()
    folder.mkdir(parents=True, exist_ok=True)
    port = int(os.environ.get("MEDPERF_GIT_TEST_REGISTRY_PORT") or _free_port())
    lines = [
        "version: 0.1",
        "log: {level: warn}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/images}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '127.0.0.1:{port}'}}",
    ]
    if password:
        subprocess.run(
            ["htpasswd", "-Bbc", folder / "users", "hospital", password], check=True, capture_output=True
        )  # fmt: skip
        lines.append(f"auth: {{htpasswd: {{realm: images, path: {folder}/users}}}}")
    (folder / "registry.yml").write_text("\n".join(lines) + "\n")
    prefix = ["nsenter", f"--net=/proc/{beside}/ns/net"] if beside else []
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(
            [*prefix, "docker-registry", "serve", str(folder / "registry.yml")], stdout=log, stderr=log
        )
    try:
        if beside:
            time.sleep(1)
        else:
            _await(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def push_image(address: str, name: str, *, filling: bytes, architecture: str = "amd64") -> WantedImage:
    """Put an image there that holds the probe's program and a file with these bytes; return how a record names it."""
    layer = tar_of({"probe": (build_program(architecture), 0o755), "filling": (filling, 0o644)})
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/probe"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
    ).encode()
    for blob in (layer, config):
        _upload(address, name, blob)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "size": len(config), "digest": digest_of(config)},
            "layers": [{"mediaType": _LAYER, "size": len(layer), "digest": digest_of(layer)}],
        }
    ).encode()
    _send("PUT", f"http://{address}/v2/{name}/manifests/{digest_of(manifest)}", manifest, _MANIFEST)
    return WantedImage(
        type="DockerImage", reference=f"{address}/{name}:1", id=digest_of(config), platform=f"linux/{architecture}",
        manifest=digest_of(manifest),
    )  # fmt: skip


def _upload(address: str, name: str, blob: bytes) -> Digest:
    digest = digest_of(blob)
    where = _send("POST", f"http://{address}/v2/{name}/blobs/uploads/", b"", "application/octet-stream")
    _send("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", blob, "application/octet-stream")
    return digest


def _send(method: str, url: str, body: bytes, kind: str) -> str:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return str(answer.headers.get("Location", ""))


def _ensure_commands() -> None:
    missing = [
        package
        for command, package in (("docker-registry", "docker-registry"), ("htpasswd", "apache2-utils"))
        if not shutil.which(command)
    ]
    if missing:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, capture_output=True
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _await(port: int) -> None:
    for _ in range(100):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"no image registry answers at {port}")
