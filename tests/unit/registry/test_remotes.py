import pytest

from medperf_git.errors import UsageProblem
from medperf_git.registry.remotes import Remote, Transport

REFUSED = [
    "",
    " ",
    "git@host:reg istry",
    "git@ho st:registry",
    "C:/Users/ana/registry.git",
    "C:\\Users\\ana\\registry.git",
    "ext::sh -c touch% /tmp/canary",
    "fd::17",
    "file:///srv/registry.git",
    "http://example.org/registry.git",
    "git://example.org/registry.git",
    "ftp://example.org/r",
    "-oProxyCommand=touch${IFS}canary",
    "--upload-pack=touch canary",
    "ssh://-oProxyCommand=touch/registry",
    "-oProxyCommand=x@host:registry",
    "git@-oProxyCommand=x:registry",
    "git@host:-registry",
    "ssh://git@host/-registry",
    "ssh://git:secret@host/registry",
    "https://user@example.org/registry",
    "https://user:ghp_secret@example.org/registry",
    "https://example.org",
    "https://example.org/re gistry",
    "https://example.org/registry\nhost",
    "https://example.org/registry?x=$(id)",
    "HTTPS::https://example.org/r",
    "host:registry",
    "ssh+git://host/r",
    "\\\\server\\share",
    "git@host:reg`id`",
]


@pytest.mark.parametrize("address", REFUSED)
def test_t36_t37_an_address_that_could_do_something_else_is_refused(address: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        Remote.parse(address)
    assert caught.value.hint
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("address", "transport"),
    [
        ("https://example.org/medical/registry", Transport.HTTPS),
        ("https://example.org:8443/registry.git", Transport.HTTPS),
        ("ssh://git@example.org:2222/srv/registry.git", Transport.SSH),
        ("ssh://example.org/~ana/registry.git", Transport.SSH),
        ("git@github.com:medical/registry.git", Transport.SSH),
        ("/srv/git/registry.git", Transport.PATH),
        ("/home/ana/my files/registry.git", Transport.PATH),
    ],
)
def test_an_ordinary_address_is_allowed(address: str, transport: Transport) -> None:
    assert Remote.parse(address) == Remote(address, transport)


def test_a_plain_path_becomes_absolute(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Remote.parse("registry.git").url == str(tmp_path / "registry.git")


@pytest.mark.parametrize("address", ["C:/Users/ana/registry.git", r"C:\Users\Ana Lima\registry.git"])
def test_a_path_begins_with_a_drive_where_there_are_drives(address: str) -> None:
    assert Remote.parse(address, drives=True).transport is Transport.PATH


@pytest.mark.parametrize(
    "address", ["C::sh -c x", "c:registry", "C:/a\nb", "\\\\server\\share", "ext::C:/x", "C://server/x"]
)
def test_a_drive_lets_nothing_else_pass(address: str) -> None:
    with pytest.raises(UsageProblem):
        Remote.parse(address, drives=True)
