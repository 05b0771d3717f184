"""A Git host of its own: smart HTTP over TLS on loopback, served by git's own CGI program, with one account."""

import base64
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

USER, TOKEN = "ana", "a-secret-of-the-host"


@dataclass(frozen=True)
class Host:
    """Where a served folder of repositories is, whom to trust for it, and who asked for what."""

    url: str
    certificate: Path
    asked: list[tuple[str, str]]


def make_certificate(keep: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine and its key; return both files."""
    certificate, key = keep / "host.pem", keep / "host.key"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@contextmanager
def serving(folder: Path, keep: Path, *, clock: Callable[[], datetime] | None = None) -> Iterator[Host]:
    """Serve every repository in `folder`: everybody reads, the one account pushes. Keys are made in `keep`.

    `clock` tells the time that the host says it is, where that is not the machine's.
    """
    asked: list[tuple[str, str]] = []
    own = {"folder": folder, "asked": asked, "clock": staticmethod(clock) if clock else None}
    with running(type("Handler", (GitHandler,), own), keep) as (url, certificate):
        yield Host(url, certificate, asked)


@contextmanager
def running(handler: type[BaseHTTPRequestHandler], keep: Path) -> Iterator[tuple[str, Path]]:
    """Run a server over TLS on loopback; yield its address and the certificate to trust."""
    certificate, key = make_certificate(keep)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class GitHandler(BaseHTTPRequestHandler):
    """Answers Git by git's own program; everybody reads, whom `user` knows pushes."""

    folder: Path
    asked: list[tuple[str, str]]
    clock: Callable[[], datetime] | None = None
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Say what time it is at this host."""
        return super().date_time_string(self.clock().timestamp() if self.clock else timestamp)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer what a fetch or a push asks first."""
        path, _, query = self.path.partition("?")
        body, user = self.body(), self.user()
        self.asked.append((path.rpartition("/")[2], user))
        if "git-receive-pack" in self.path and not user:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asks = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": user,
        }
        command = ["git", "http-backend"]
        answer = subprocess.run(
            command, input=body, stdout=subprocess.PIPE, env=dict(os.environ) | asks, check=False
        ).stdout
        self.served(path)
        head, _, rest = answer.partition(b"\r\n\r\n")
        fields = [line.partition(": ")[::2] for line in head.decode().split("\r\n")]
        self.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def do_POST(self) -> None:
        """Answer what a fetch or a push asks then."""
        self.do_GET()

    def user(self) -> str:
        """Return who asks, empty for nobody in particular."""
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        return USER if kind == "Basic" and base64.b64decode(said).decode() == f"{USER}:{TOKEN}" else ""

    def served(self, path: str) -> None:
        """Take note that git has done what was asked, before the answer is sent."""

    def body(self) -> bytes:
        """Return the whole body of the request."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)
