"""A proxy as hospitals have: it opens tunnels (`CONNECT`), may want a password, and may refuse."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Where it is, what it was asked for and by whom, what it wants; `refuses` is a status for everybody."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    password: str = ""
    refuses: int = 0

    def serve(self, client: socket.socket) -> None:
        """Serve one connection; who was refused may ask again on it, as curl does with its password."""
        with suppress(OSError, ValueError), client:
            while (head := _head(client)) and not self._opens(client, head):
                pass

    def _opens(self, client: socket.socket, head: str) -> bool:
        """Answer one question; True when a tunnel was open and has ended."""
        lines = head.split("\r\n")
        method, place, _ = lines[0].split()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        who = base64.b64decode(headers.get("proxy-authorization", "").removeprefix("Basic ")).decode()
        status = self.refuses or (407 if self.password and who != self.password else 200)
        if method != "CONNECT":
            status = 405
        if status != 200:
            extra = 'Proxy-Authenticate: Basic realm="house"\r\n' if status == 407 else ""
            client.sendall(f"HTTP/1.1 {status} No\r\n{extra}Content-Length: 0\r\n\r\n".encode())
            return False
        self.asked.append((place, who))
        host, _, port = place.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pass, args=(server, client), daemon=True)
            back.start()
            _pass(client, server)
            back.join()
        return True


def _head(client: socket.socket) -> str:
    """Read the head of a question, empty when there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        if not (part := client.recv(65536)):
            return ""
        head += part
    return head.decode("latin-1")


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxying() -> Iterator[Proxy]:
    """Run a proxy on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
