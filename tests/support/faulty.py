"""A server that stands before a good forge and, when told to, gives one of many bad answers.

with standing(forge.answer, keep) as server:          # over TLS; `tls=False` for plain HTTP on loopback
    server.plan(BAD["reset after the request"], "open", done=True)    # the work is done, its answer is lost
    …
    server.heal()

Every answer ends its connection, so a connection is a call. What is asked is told by `kind_of`; the bad answer is
given to every call of that kind until it is healed. Faults of a whole connection (refused, reset, another certificate)
begin with the call of that kind and last from then on: such a host is gone.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.small_forge import Answered, Asked

EVERY = "every call"
ELSEWHERE = "elsewhere.example"
Inner = Callable[[Asked], Answered]


def kind_of(asked: Asked) -> str:
    """Return which step of a submission a call is, in the interface of Forgejo or over Git."""
    path = asked.target.partition("?")[0]
    place = path.rstrip("/").split("/")
    tail, method = place[-1], asked.method
    if "/api/" not in path:
        service = "push" if "receive-pack" in asked.target else "fetch"
        return f"{service} refs" if tail == "refs" else service
    if tail == "user":
        return "who am I"
    if tail == "forks":
        return "fork" if method == "POST" else "find fork"
    if "comments" in place:
        return "read comments" if method == "GET" else "comment"
    if tail == "status":
        return "verdict"
    if tail == "merge":
        return "merge"
    if "pulls" in place:
        if method == "POST":
            return "open"
        if method == "PATCH":
            return "close" if b'"closed"' in asked.body else "update"
        return "find open"
    return "repository"


@dataclass
class Wire:
    """One connection: what can be said on it, and how it can be broken."""

    raw: socket.socket
    stream: socket.socket
    over: threading.Event

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.stream.sendall(data)

    def reset(self) -> None:
        """Break the connection off with a reset, whatever was sent."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):
            self.stream.close()

    def drip(self, data: bytes) -> None:
        """Send byte by byte, one now and then, until nobody waits any more."""
        for at in range(len(data)):
            if self.over.wait(0.05):
                return
            self.send(data[at : at + 1])


@dataclass(frozen=True)
class Bad:
    """A bad answer: its name, what is said of it, and what happens.

    `act` answers a call in place of `good`; `connect` treats a connection before anything was read. `late` tells
    whether the work may have been done before it.
    """

    name: str
    told: str
    act: Callable[[Wire, bytes], None] | None = None
    connect: str = ""
    late: bool = False

    def __str__(self) -> str:
        """Return its name, by which tests are called."""
        return self.name


def _raw(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def _says(status: str, value: object = None, *headers: str) -> Callable[[Wire, bytes], None]:
    body = b"" if value is None else json.dumps(value).encode()
    return lambda wire, _: wire.send(_raw(status, body, "Content-Type: application/json", *headers))


def _page(status: str) -> Callable[[Wire, bytes], None]:
    body = b"<!DOCTYPE html><html><body><form>Please log in to the hospital's network</form></body></html>"
    return lambda wire, _: wire.send(_raw(status, body, "Content-Type: text/html"))


def _moved(status: str) -> Callable[[Wire, bytes], None]:
    return _says(status, None, f"Location: https://name:secret@{ELSEWHERE}/api?token=secret")


def _cut(wire: Wire, good: bytes) -> None:
    wire.send(good[: len(good) - max(3, len(good) // 8)])


def _half(wire: Wire, good: bytes) -> None:
    wire.send(good[: len(good) // 2])
    wire.reset()


def _halved_json(wire: Wire, good: bytes) -> None:
    body = good.partition(b"\r\n\r\n")[2] or b'{"login": "ana", "full_name": "ana/heart"}'
    wire.send(_raw("200 OK", body[: len(body) // 2], "Content-Type: application/json"))


def _silent(wire: Wire, _: bytes) -> None:
    wire.over.wait(60)


_BROKEN_OFF = r"cannot be reached \(it broke the connection off\)|the answer ended too early"
_SHAPE = r"broken or no answer of such a forge"
_LATER = r"too many requests"
_FULL = {"message": "API rate limit exceeded"}
BADS = (
    Bad("connection refused", r"cannot be reached", connect="refuse"),
    Bad("reset at accept", _BROKEN_OFF, connect="reset"),
    Bad("another authority's certificate", r"certificate that is not trusted", connect="stranger"),
    Bad("another host's certificate", r"certificate that is not trusted", connect="other name"),
    Bad("no TLS at all", r"no HTTP that is understood|it broke the connection off", connect="garbage"),
    Bad("silent from the start", r"does not answer in time", connect="silent"),
    Bad("reset after the request", _BROKEN_OFF, lambda wire, _: wire.reset(), late=True),
    Bad("closed without a word", _BROKEN_OFF, lambda *_: None, late=True),
    Bad("reset in mid-answer", _BROKEN_OFF, _half, late=True),
    Bad("cut before its end", r"the answer ended too early", _cut, late=True),
    Bad("no answer", r"does not answer in time", _silent, late=True),
    Bad("slow drip", r"does not answer in time", lambda wire, good: wire.drip(good * 40), late=True),
    Bad("no HTTP", r"no HTTP that is understood", lambda wire, _: wire.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")),
    Bad("HTTP/1.0 garbage", _SHAPE, lambda wire, _: wire.send(b"HTTP/1.0 200 OK\r\n\r\n\x00\xff\xfe{")),
    Bad("empty 200", _SHAPE, _says("200 OK"), late=True),
    Bad("truncated JSON", _SHAPE, _halved_json, late=True),
    Bad("login page", _SHAPE, _page("200 OK"), late=True),
    Bad("null", _SHAPE, lambda wire, _: wire.send(_raw("200 OK", b"null"))),
    Bad("a text for an object", _SHAPE, _says("200 OK", "well")),
    Bad("other lists", _SHAPE, _says("200 OK", [[1], None])),
    Bad("fields missing", _SHAPE, _says("200 OK", {"id": 7, "statuses": [{}]})),
    *(
        Bad(status, rf"sends us to another address.*{ELSEWHERE}", _moved(status))
        for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect")
    ),
    Bad("400", r"does not accept what we asked", _says("400 Bad Request", {"message": "bad"})),
    Bad("401", r"does not accept the token.*wrong or has expired", _says("401 Unauthorized", {"message": "no"})),
    Bad("403", r"does not let the token", _says("403 Forbidden", {"message": "Forbidden"})),
    Bad(
        "403 single sign-on",
        r"single sign-on",
        _says("403 Forbidden", {"message": "SAML"}, "X-GitHub-SSO: required; url=https://127.0.0.1/sso"),
    ),
    Bad("403 second limit", _LATER, _says("403 Forbidden", _FULL, "Retry-After: 600")),
    Bad(
        "403 first limit",
        _LATER,
        _says("403 Forbidden", _FULL, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 4102444800"),
    ),
    Bad("404", r"shows no such thing|shows no repository", _says("404 Not Found", {"message": "Not Found"})),
    Bad(
        "405",
        r"does not allow that here|does not take it for ready yet",
        _says("405 Method Not Allowed", {"message": "no"}),
    ),
    Bad("409", r"has changed meanwhile|another repository of the name", _says("409 Conflict", {"message": "conflict"})),
    Bad("422 exists", r"does not accept what we asked", _says("422 Unprocessable", {"message": "already exists"})),
    Bad("422 validation", r"does not accept what we asked", _says("422 Unprocessable", {"errors": [{"code": "x"}]})),
    Bad("423", r"has locked this", _says("423 Locked")),
    Bad("429", _LATER, _says("429 Too Many Requests", None, "Retry-After: 1")),
    Bad("500", r"trouble of its own \(500\)", _says("500 Internal Server Error", {"message": "oops"}), late=True),
    Bad("502", r"trouble of its own \(502\)", _page("502 Bad Gateway"), late=True),
    Bad("503", r"trouble of its own \(503\)", _says("503 Unavailable", None, "Retry-After: 1"), late=True),
    Bad("504", r"trouble of its own \(504\)", _page("504 Gateway Timeout"), late=True),
)
BAD = {one.name: one for one in BADS}


@dataclass
class Faulty:
    """Guards the listening socket, and which bad answer is planned."""

    inner: Inner
    contexts: dict[str, ssl.SSLContext]
    certificate: Path
    tls: bool
    calls: list[str] = field(default_factory=list)
    port: int = 0
    _listener: socket.socket | None = None
    _bad: Bad | None = None
    _kind: str = ""
    _done: bool = False
    _gone: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    given: int = 0

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def plan(self, bad: Bad, kind: str, *, done: bool = False, gone: bool = False) -> None:
        """Answer badly from the next call of a kind (or `EVERY`) on; `done`: after the work was done.

        `gone`: what is wrong with connections is so from the first on, whatever is asked.
        """
        self.heal()
        self._gone = gone and bool(bad.connect)
        if self._gone and bad.connect == "refuse":
            self.shut()
        self._bad, self._kind, self._done = bad, kind, done
        self._over = threading.Event()

    def heal(self) -> None:
        """Be good again."""
        self._over.set()
        self._bad, self._gone, self.given = None, False, 0
        self.calls.clear()
        self.listen()

    def listen(self) -> None:
        """Take connections."""
        if self._listener is not None:
            return
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(60)
        with suppress(OSError, ValueError):
            try:
                self._answer(raw)
            finally:
                raw.close()

    def _answer(self, raw: socket.socket) -> None:
        over = self._over
        how = self._bad.connect if self._bad and self._gone else ""
        if how:
            self.given += 1
        if how == "reset":
            return Wire(raw, raw, over).reset()
        if how == "garbage":
            raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nspeak plainly")
            return None
        if how == "silent":
            over.wait(60)
            return None
        stream = self.contexts[how or "good"].wrap_socket(raw, server_side=True) if self.tls else raw
        with stream:
            asked = _read(stream)
            if asked is not None:
                self._speak(Wire(raw, stream, over), asked)
        return None

    def _speak(self, wire: Wire, asked: Asked) -> None:
        kind = kind_of(asked)
        self.calls.append(kind)
        bad = self._bad if self._kind in (kind, EVERY) else None
        if bad is None or (bad.connect and self._gone):
            return wire.send(_written(self.inner(asked)))
        if bad.connect:  # this connection has come through already: it ends, and all that follow are of the bad kind
            self._gone = True
            if bad.connect == "refuse":
                self.shut()
            return wire.reset()
        self.given += 1
        good = _written(self.inner(asked)) if self._done else _raw("200 OK", b'{"login": "ana"}')
        assert bad.act is not None
        return bad.act(wire, good)


def _read(stream: socket.socket) -> Asked | None:
    """Read one whole request; None where none comes."""
    reader = stream.makefile("rb")
    first = reader.readline(65536).split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
    else:
        body = reader.read(int(headers.get("content-length") or 0))
    return Asked(first[0].decode(), first[1].decode(), headers, body)


def _written(answer: Answered) -> bytes:
    return _raw(f"{answer.status} said", answer.body, *(f"{name}: {value}" for name, value in answer.headers))


def make_certificate(keep: Path, name: str, subject: str = "127.0.0.1", *, days: int = 1) -> ssl.SSLContext:
    """Make a certificate of its own authority in `keep`, of an age in days; return the server's side of it."""
    certificate, key = keep / f"{name}.pem", ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    other = x509.DNSName(subject) if subject.isascii() and subject[0].isalpha() else x509.IPAddress(ip_address(subject))
    until = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(until - timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([other]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate.with_suffix(".key").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@contextmanager
def standing(inner: Inner, keep: Path, *, tls: bool = True) -> Iterator[Faulty]:
    """Run the server; certificates are made in `keep`, of which `trusted.pem` is the one to trust."""
    contexts, trusted = {}, keep / "trusted.pem"
    if tls:
        good, other = make_certificate(keep, "good"), make_certificate(keep, "other", "another.example")
        contexts = {"good": good, "other name": other, "stranger": make_certificate(keep, "stranger")}
        trusted.write_text((keep / "good.pem").read_text() + (keep / "other.pem").read_text(), encoding="utf-8")
    server = Faulty(inner, contexts, trusted, tls)
    server.listen()
    try:
        yield server
    finally:
        server.heal()
        server.shut()
