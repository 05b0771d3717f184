"""A wire that breaks: passes connections on to a server, counts bytes, and cuts one after so many of them.

with relaying(port) as relay:
    relay.cut(direction, on=(3, 4), after=170)      # the connections 3 and 4 taken together, counted from 0
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]


@dataclass
class Relay:
    """Guards what was passed on, by connection and direction, and where the wire is to break."""

    target: int
    port: int = 0
    passed: list[dict[Direction, int]] = field(default_factory=list)
    _cut: tuple[Direction, tuple[int, ...], int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self, direction: Direction, *, on: tuple[int, ...], after: int) -> None:
        """Break the wire once, after so many bytes of these connections in a direction."""
        self.passed.clear()
        self._cut = (direction, on, after)

    def mend(self) -> None:
        """Pass everything on."""
        self._cut = None
        self.passed.clear()

    @property
    def is_cut(self) -> bool:
        """Tell whether the wire was cut since it was asked for."""
        return self._cut is None

    def _allowed(self, direction: Direction, number: int, size: int) -> int:
        """Return how many of so many bytes may pass; the count of all before is kept here."""
        with self._lock:
            self.passed[number][direction] += size
            if self._cut is None or self._cut[0] != direction or number not in self._cut[1]:
                return size
            before = sum(self.passed[one][direction] for one in self._cut[1] if one < len(self.passed)) - size
            left = self._cut[2] - before
            if left >= size:
                return size
            self._cut = None
            return max(0, left)

    def serve(self, client: socket.socket) -> None:
        """Pass one connection on."""
        with self._lock:
            number = len(self.passed)
            self.passed.append({"up": 0, "down": 0})
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self.target)) as server:
            down = threading.Thread(target=self._pass, args=(server, client, "down", number), daemon=True)
            down.start()
            self._pass(client, server, "up", number)
            down.join()

    def _pass(self, source: socket.socket, target: socket.socket, direction: Direction, number: int) -> None:
        with suppress(OSError):
            while data := source.recv(512):
                allowed = self._allowed(direction, number, len(data))
                target.sendall(data[:allowed])
                if allowed < len(data):
                    for end in (source, target):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        end.shutdown(socket.SHUT_RDWR)
                    return
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relaying(target: int) -> Iterator[Relay]:
    """Run a relay to a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    relay = Relay(target, listener.getsockname()[1])

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=relay.serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield relay
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
