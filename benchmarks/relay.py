"""A relay on loopback that counts the bytes of every connection through it, in both directions.

with counting(port) as relay:
    …                        # speak to 127.0.0.1:relay.port
    relay.take()             # (to the server, to the client) since the last time
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 256 * 1024


@dataclass
class Relay:
    """Guards the counts of what went through."""

    port: int
    up: int = 0
    down: int = 0
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> tuple[int, int, int]:
        """Return bytes to the server, bytes to the client, and connections since the last time."""
        with self.lock:
            taken = self.up, self.down, self.connections
            self.up = self.down = self.connections = 0
            return taken

    def count(self, *, up: int = 0, down: int = 0, connections: int = 0) -> None:
        """Add to the counts."""
        with self.lock:
            self.up += up
            self.down += down
            self.connections += connections


@contextmanager
def counting(server: int) -> Iterator[Relay]:
    """Relay a port of this machine that the system chooses to the port of a server here."""
    with socket.create_server(("127.0.0.1", 0)) as entrance:
        relay = Relay(entrance.getsockname()[1])
        threading.Thread(target=_accept, args=(entrance, server, relay), daemon=True).start()
        yield relay


def _accept(entrance: socket.socket, server: int, relay: Relay) -> None:
    with suppress(OSError):  # the entrance is closed at the end
        while True:
            client, _ = entrance.accept()
            relay.count(connections=1)
            there = socket.create_connection(("127.0.0.1", server))
            threading.Thread(target=_pass_on, args=(client, there, relay, True), daemon=True).start()
            threading.Thread(target=_pass_on, args=(there, client, relay, False), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, relay: Relay, up: bool) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            relay.count(**{"up" if up else "down": len(piece)})
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
