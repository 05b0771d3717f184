"""Every adapter, every call that it knows, every bad answer: always a fault that is told as what it is.

What is done about faults is the guard's and the port's, and is shown in `test_bad_answers`; here no adapter lets
anything of its library or of a strange answer through.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator

import pytest

from medperf_git.forge.api import Api, Cause, Comment, Fault, Repository
from medperf_git.forge.choice import ADAPTERS
from medperf_git.forge.faults import ForgeProblem, Surroundings
from medperf_git.forge.guard import Guard, Patience
from medperf_git.forge.host import Host, api_of
from medperf_git.forge.port import Request, State, Words
from tests.support.faulty import BADS, EVERY, Bad, Faulty, standing

SLUG, ID, SECRET = "ana/heart", "0123456789abcdef" * 2, "token-0123456789"
COMMIT, WORDS = "0" * 40, Words("Add a model", "It adds one record.")
FORK = Repository("bob/heart", "bob/heart.git", may_push=True)
REQUEST = Request(7, f"submit/{ID}", COMMIT, "bob/heart", "bob", State.OPEN, "https://h/7", "refs/pull/7/head")
COMMENT = Comment("3", "bob", "text")
CALLS: dict[str, Callable[[Api], object]] = {
    "me": lambda api: api.me(),
    "repository": lambda api: api.repository(SLUG),
    "find_fork": lambda api: api.find_fork(SLUG, "bob"),
    "fork": lambda api: api.fork(SLUG),
    "open_requests": lambda api: api.open_requests(SLUG, 100),
    "requests_of": lambda api: api.requests_of(SLUG, REQUEST.branch),
    "open_request": lambda api: api.open_request(SLUG, FORK, REQUEST.branch, WORDS),
    "edit_request": lambda api: api.edit_request(SLUG, REQUEST, WORDS),
    "close_request": lambda api: api.close_request(SLUG, REQUEST),
    "merge_request": lambda api: api.merge_request(SLUG, REQUEST, COMMIT, WORDS),
    "checks": lambda api: api.checks(SLUG, REQUEST),
    "comments": lambda api: api.comments(SLUG, REQUEST),
    "add_comment": lambda api: api.add_comment(SLUG, REQUEST, "text"),
    "edit_comment": lambda api: api.edit_comment(SLUG, REQUEST, COMMENT, "text"),
}
ANSWERED = ("me", "fork", "open_requests", "requests_of", "open_request", "comments")  # of these something is read
SHAPE = next(one.told for one in BADS if one.name == "null")
SLOW = ("no answer", "slow drip", "silent from the start")
HOSTS = [host for host, (module, _, _) in ADAPTERS.items() if importlib.util.find_spec(module)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with standing(lambda _: pytest.fail("nothing good here"), tmp_path_factory.mktemp("bad"), tls=False) as found:
        yield found


def open_adapter(host: Host, server: Faulty) -> Api:
    module, name, _ = ADAPTERS[host]
    adapter = getattr(importlib.import_module(module), name)
    opened: Api = adapter.open(api_of(host, f"{server.url}/{SLUG}"), SECRET, {})
    return opened


def told_by(api: Api, call: Callable[[Api], object], *, seconds: float) -> str:
    """Return what a person reads, empty where the call went through."""
    guard = Guard(Surroundings(Host.OTHER, "forge.example", secret=SECRET), Patience(attempts=1, call=seconds))
    try:
        guard.read("ask", lambda: call(api))
    except ForgeProblem as problem:
        assert isinstance(problem.__cause__, Fault)  # noqa: PT017  (what was raised is what is looked at)
        return f"{problem.message}\n{problem.hint}"
    return ""


@pytest.mark.parametrize(
    "bad", [one for one in BADS if "certificate" not in one.name and "TLS" not in one.name], ids=lambda bad: bad.name
)
@pytest.mark.parametrize("host", HOSTS)
def test_no_bad_answer_goes_through_an_adapter_unnoticed(host: Host, bad: Bad, server: Faulty) -> None:
    strange = []
    for name, call in CALLS.items():
        if bad.name in SLOW and name != "me":
            continue
        server.plan(bad, EVERY, gone=True)
        told = told_by(open_adapter(host, server), call, seconds=0.4 if bad.name in SLOW else 10.0)
        assert SECRET not in told
        unread = bad.told == SHAPE or bad.name == "404"
        fits = re.search(bad.told, told) if told else unread and (name not in ANSWERED)
        if not fits:
            strange.append(f"{name}: {told or 'went through'}")
    assert not strange, "\n".join(strange)


@pytest.mark.parametrize("host", HOSTS)
def test_an_adapter_says_its_token_to_no_address_but_https(host: Host) -> None:
    module, name, _ = ADAPTERS[host]
    adapter = getattr(importlib.import_module(module), name)
    with pytest.raises(Fault) as caught:
        adapter.open(f"http://forge.example/{SLUG}", SECRET, {}).me()
    assert caught.value.cause is Cause.REDIRECT
