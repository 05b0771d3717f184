"""What the session does with every way in which an answer can be bad, and with the ways out of a house."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.deadline import ending_in
from medperf_git.forge.faults import ForgeProblem, Surroundings
from medperf_git.forge.guard import Guard, Patience
from medperf_git.forge.host import Host
from medperf_git.forge.http import LARGEST, check_address, open_session, proxies_for, said_by
from tests.support.connect_proxy import Proxy, proxying
from tests.support.faulty import BAD, Faulty, make_certificate, standing
from tests.support.small_forge import Answered, Asked

LOGIN = {"Authorization": "token s3cret"}


class Good:
    """Answers everything with one answer, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer = Answered(200, (("Content-Type", "application/json"),), b'{"login": "bob"}')

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        return self.answer


@pytest.fixture
def good() -> Good:
    return Good()


@pytest.fixture
def server(good: Good, tmp_path: Path) -> Iterator[Faulty]:
    with standing(good, tmp_path, tls=False) as found:
        yield found


@pytest.fixture
def secure(good: Good, tmp_path: Path) -> Iterator[Faulty]:
    with standing(good, tmp_path) as found:
        yield found


@pytest.fixture
def raw() -> Iterator[Callable[[bytes], str]]:
    """Serve one raw answer on every connection, and close it then."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answers[0])

    threading.Thread(target=serve, daemon=True).start()

    def begin(answer: bytes) -> str:
        answers[:] = [answer]
        return f"http://127.0.0.1:{listener.getsockname()[1]}/api"

    yield begin
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def ask(url: str, environ: dict[str, str] | None = None, method: str = "GET") -> object:
    return open_session(environ or {}, login=LOGIN).ask(method, url)


def test_an_answer_is_read_and_the_login_is_said(server: Faulty, good: Good) -> None:
    assert ask(server.url + "/api/user") == {"login": "bob"}
    (asked,) = good.asked
    assert asked.headers["authorization"] == "token s3cret"
    assert asked.headers["user-agent"] == "medperf-git"


def test_a_netrc_has_no_say(server: Faulty, good: Good, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password other\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ask(server.url)
    open_session({}).ask("GET", server.url)
    assert [one.headers.get("authorization") for one in good.asked] == ["token s3cret", None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirection_is_not_followed_and_only_its_host_is_named(
    server: Faulty, good: Good, status: int, method: str
) -> None:
    place = f"https://name:hidden@elsewhere.example/x?token=hidden\x1b[2J&{server.url}"
    good.answer = Answered(status, (("Location", place),))
    fault = fault_of(lambda: ask(server.url, method=method))
    assert (fault.cause, fault.status, fault.said) == (Cause.REDIRECT, status, "elsewhere.example")
    assert len(good.asked) == 1


@pytest.mark.parametrize("place", ["", "/login", "https://[::1", "//"])
def test_a_redirection_to_no_host_breaks_nothing(server: Faulty, good: Good, place: str) -> None:
    good.answer = Answered(302, (("Location", place),))
    assert fault_of(lambda: ask(server.url)).said == ""


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://forge.example/api", True),
        ("http://127.0.0.1:80/api", True),
        ("http://[::1]:80/api", True),
        ("http://localhost/api", True),
        ("http://forge.example/api", False),
        ("http://127.0.0.1.forge.example/api", False),
        ("http://localhost.forge.example/api", False),
        ("http:///api", False),
        ("ftp://forge.example/api", False),
    ],
)
def test_a_token_travels_by_https_or_stays_on_this_machine(url: str, allowed: bool) -> None:
    if allowed:
        assert check_address(url) == url
    else:
        assert fault_of(lambda: check_address(url)).cause is Cause.REDIRECT


def test_what_is_no_https_is_not_even_asked() -> None:
    assert fault_of(lambda: ask("http://forge.example/api")).cause is Cause.REDIRECT


def test_a_session_says_its_login_to_the_first_host_only(server: Faulty, good: Good, tmp_path: Path) -> None:
    with standing(good, tmp_path, tls=False) as other:
        session = open_session({}, login=LOGIN)
        session.ask("GET", server.url)
        fault = fault_of(lambda: session.ask("GET", other.url))
    assert (fault.cause, fault.said) == (Cause.REDIRECT, f"127.0.0.1:{other.port}")
    assert len(good.asked) == 1


HEAD = b"HTTP/1.1 200 OK\r\n"
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HEAD + b'Content-Length: 400\r\n\r\n{"a": 1}', "the answer ended too early"),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n', "the answer ended too early"),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"a": 1}', "the answer ended too early"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nmany\r\n", "the answer ended too early"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\nno gzip", "no HTTP that is understood here"),
        (HEAD + b"\r\n{", "no JSON"),
        (HEAD + b"\r\n<html>", "no JSON"),
        (HEAD + b"\r\n", "it is empty"),
        (HEAD + b"\r\n \n", "it is empty"),
        (HEAD + b"\r\n" + DEEP, "no JSON"),
        (HEAD + b"Content-Type: application/json; charset=utf-8\r\n\r\n" + '"é"'.encode("latin-1"), "no JSON"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n{}", "no HTTP that is understood here"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 300 + b"\r\n{}", "no HTTP that is understood here"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP that is understood here"),
    ],
    ids=range(14),
)
def test_an_answer_that_is_broken_is_told_as_such(raw: Callable[[bytes], str], answer: bytes, said: str) -> None:
    fault = fault_of(lambda: ask(raw(answer)))
    assert (fault.cause, fault.said) == (Cause.GARBLED, said)


def test_a_connection_that_ends_without_a_word_was_broken_off(raw: Callable[[bytes], str]) -> None:
    fault = fault_of(lambda: ask(raw(b"")))
    assert (fault.cause, fault.said) == (Cause.UNREACHABLE, "it broke the connection off")


def test_nothing_larger_than_the_cap_is_read(raw: Callable[[bytes], str]) -> None:
    bomb = gzip.compress(b" " * (LARGEST * 4))
    assert len(bomb) < 100_000
    packed = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
    for answer in (packed, HEAD + b"\r\n" + b" " * (LARGEST + 1)):
        fault = fault_of(lambda answer=answer: ask(raw(answer)))  # type: ignore[misc]
        assert (fault.cause, fault.said) == (Cause.GARBLED, f"more than {LARGEST} bytes")


def test_a_packed_answer_is_read(raw: Callable[[bytes], str]) -> None:
    packed = gzip.compress(b'{"a": 1}')
    assert ask(raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)) == {"a": 1}


def test_an_answer_without_content_is_none(server: Faulty, good: Good) -> None:
    good.answer = Answered(204)
    assert ask(server.url, method="PATCH") is None
    assert ask(server.url) is None


def test_what_is_no_success_carries_what_was_said_and_the_headers(server: Faulty, good: Good) -> None:
    body = {"message": "Validation\n Failed\x1b\u202e", "errors": [{"code": "custom"}]}
    good.answer = Answered(422, (("X-Why", "because"),), json.dumps(body).encode())
    fault = fault_of(lambda: ask(server.url))
    assert (fault.cause, fault.status) == (Cause.STATUS, 422)
    assert fault.said == 'Validation Failed; [{"code": "custom"}]'
    assert fault.headers["x-why"] == "because"


@pytest.mark.parametrize("value", [None, [], "text", 7, {}, {"message": None}, {"message": ""}])
def test_a_body_that_says_nothing_is_nothing(value: object) -> None:
    assert said_by(value) == ""


def test_what_a_forge_says_is_cut_off() -> None:
    assert len(said_by({"message": "x" * 5000})) == 300


def test_a_drip_is_ended_by_the_guard(server: Faulty) -> None:
    server.plan(BAD["slow drip"], "who am I")
    guard = Guard(Surroundings(Host.FORGEJO, "forge.example"), Patience(attempts=1, call=0.5))
    began = time.monotonic()
    with pytest.raises(ForgeProblem, match="does not answer in time"):
        guard.read("ask", lambda: ask(server.url + "/api/v1/user"))
    assert time.monotonic() - began < 10


def test_a_silent_server_is_waited_for_as_long_as_is_left(server: Faulty) -> None:
    server.plan(BAD["no answer"], "who am I")
    with ending_in(0.3):
        assert fault_of(lambda: ask(server.url + "/api/v1/user")).cause is Cause.TIMEOUT


def test_a_call_that_nobody_waits_for_is_not_made(server: Faulty, good: Good) -> None:
    with ending_in(-1):
        fault = fault_of(lambda: ask(server.url))
    assert fault.cause is Cause.TIMEOUT
    assert good.asked == []


def test_a_port_where_nobody_listens_is_not_reached(server: Faulty) -> None:
    server.shut()
    fault = fault_of(lambda: ask(server.url))
    assert (fault.cause, fault.said) == (Cause.UNREACHABLE, "")


def test_a_name_that_is_no_host_is_not_reached() -> None:
    assert fault_of(lambda: ask("https://nowhere.invalid/api")).cause is Cause.UNREACHABLE


def test_a_house_with_its_own_authority_is_believed_by_its_file_only(secure: Faulty, good: Good) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        assert ask(secure.url, {name: str(secure.certificate)}) == {"login": "bob"}
    seen = len(good.asked)
    fault = fault_of(lambda: ask(secure.url))
    assert (fault.cause, fault.said) == (Cause.TLS, "self-signed certificate")
    assert len(good.asked) == seen


def test_the_environment_of_the_process_does_not_go_before_what_is_given(
    secure: Faulty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "stranger.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate)}) == {"login": "bob"}


def test_a_certificate_for_another_name_is_refused(secure: Faulty, good: Good) -> None:
    secure.contexts["good"] = secure.contexts["other name"]
    fault = fault_of(lambda: ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate)}))
    assert fault.cause is Cause.TLS
    assert "IP address mismatch" in fault.said
    assert good.asked == []


def test_a_certificate_that_has_run_out_is_told(secure: Faulty, tmp_path: Path) -> None:
    secure.contexts["good"] = make_certificate(tmp_path, "old", days=-1)
    fault = fault_of(lambda: ask(secure.url, {"SSL_CERT_FILE": str(tmp_path / "old.pem")}))
    assert (fault.cause, fault.said) == (Cause.TLS, "certificate has expired")


@pytest.mark.parametrize("text", [None, "", "no certificate\n"])
def test_a_file_of_certificates_that_is_none_is_named(tmp_path: Path, text: str | None) -> None:
    place = tmp_path / "house.pem"
    if text is not None:
        place.write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="SSL_CERT_FILE names no file of certificates") as caught:
        open_session({"SSL_CERT_FILE": str(place)})
    assert "PEM" in caught.value.hint


def test_a_server_without_tls_is_no_forge(raw: Callable[[bytes], str]) -> None:
    place = raw(b"HTTP/1.1 400 Bad Request\r\n\r\nspeak plainly")
    fault = fault_of(lambda: ask(place.replace("http:", "https:")))
    assert (fault.cause, fault.said) == (Cause.GARBLED, "no HTTP that is understood here")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as found:
        yield found


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_proxy_of_a_house_is_the_way_out(secure: Faulty, proxy: Proxy, name: str) -> None:
    environ = {"SSL_CERT_FILE": str(secure.certificate), name: proxy.url}
    assert ask(secure.url, environ) == {"login": "bob"}
    assert proxy.asked == [(f"127.0.0.1:{secure.port}", "")]


def test_a_proxy_without_a_scheme_and_with_a_password_is_understood(secure: Faulty, proxy: Proxy) -> None:
    proxy.password = "ana:hidden"
    with_password = proxy.url.replace("http://", "ana:hidden@")
    assert ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate), "HTTPS_PROXY": with_password}) == {"login": "bob"}
    assert proxy.asked == [(f"127.0.0.1:{secure.port}", "ana:hidden")]


@pytest.mark.parametrize("direct", ["127.0.0.1", "*", "other.example,127.0.0.1", "127.0.0.0/8"])
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_hosts_of_no_proxy_are_reached_directly(secure: Faulty, proxy: Proxy, name: str, direct: str) -> None:
    environ = {"SSL_CERT_FILE": str(secure.certificate), "HTTPS_PROXY": proxy.url, name: direct}
    assert ask(secure.url, environ) == {"login": "bob"}
    assert proxy.asked == []


def test_names_and_parts_of_names_of_no_proxy_are_told_apart() -> None:
    environ = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "inside.example,.house"}
    through = {"https": "http://proxy:3128"}
    assert proxies_for("https://forge.example/api", environ) == through
    assert proxies_for("https://git.inside.example/api", environ) == {}
    assert proxies_for("https://git.house/api", environ) == {}
    assert proxies_for("https://notinside.example/api", {**environ, "NO_PROXY": ".inside.example"}) == through
    assert proxies_for("https://forge.example/api", {}) == {}


def test_a_proxy_that_wants_a_password_says_so_and_nothing_goes_past_it(
    secure: Faulty, proxy: Proxy, good: Good
) -> None:
    proxy.password = "ana:hidden"
    fault = fault_of(lambda: ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate), "HTTPS_PROXY": proxy.url}))
    assert (fault.cause, fault.said) == (Cause.PROXY, "it wants a name and a password: 407")
    assert good.asked == []


def test_a_proxy_that_forbids_a_host_says_so(secure: Faulty, proxy: Proxy) -> None:
    proxy.refuses = 403
    fault = fault_of(lambda: ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate), "HTTPS_PROXY": proxy.url}))
    assert (fault.cause, fault.said) == (Cause.PROXY, "it answered 403")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "http://", "gopher://x:1"])
def test_a_proxy_that_is_none_is_told_and_its_password_is_not(secure: Faulty, address: str) -> None:
    address = address.replace("//127", "//ana:hidden@127")
    fault = fault_of(lambda: ask(secure.url, {"SSL_CERT_FILE": str(secure.certificate), "HTTPS_PROXY": address}))
    assert fault.cause is Cause.PROXY
    assert "hidden" not in fault.said
