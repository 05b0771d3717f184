"""Where a browser shows a file of a registry, for each kind of host."""

import pytest

from medperf_git.forge.host import Host
from medperf_git.forge.pages import file_page

PATH = "cubes/moa/forest/1.yaml"
UNKNOWN = (Host.PLAIN, Host.OTHER)


@pytest.mark.parametrize(
    ("host", "url", "page"),
    [
        (Host.GITHUB, "https://github.com/org/eval.git", f"https://github.com/org/eval/blob/main/{PATH}"),
        (Host.GITHUB, "git@github.com:org/eval.git", f"https://github.com/org/eval/blob/main/{PATH}"),
        (Host.GITLAB, "ssh://git@gitlab.org:2222/a/eval.git", f"https://gitlab.org/a/eval/-/blob/main/{PATH}"),
        (Host.FORGEJO, "https://codeberg.org/org/eval", f"https://codeberg.org/org/eval/src/branch/main/{PATH}"),
        (Host.PAGURE, "https://pagure.io:8443/eval.git", f"https://pagure.io:8443/eval/blob/main/f/{PATH}"),
    ],
)
def test_each_kind_of_host_shows_a_file_on_main_at_its_own_address(host: Host, url: str, page: str) -> None:
    assert file_page(host, url, PATH) == page


@pytest.mark.parametrize("host", UNKNOWN)
def test_plain_git_has_no_pages_and_those_of_an_unknown_host_are_not_guessed(host: Host) -> None:
    assert file_page(host, "https://host.example/org/eval", PATH) is None


@pytest.mark.parametrize("host", [host for host in Host if host not in UNKNOWN])
def test_what_is_special_in_an_address_is_quoted(host: Host) -> None:
    page = file_page(host, "https://host.example/org/eval", "a b/#?%.yaml")
    assert page is not None
    assert page.endswith("/a%20b/%23%3F%25.yaml")


@pytest.mark.parametrize("host", list(Host))
def test_a_folder_has_no_page_whatever_host_was_said(host: Host) -> None:
    assert file_page(host, "/srv/git/eval.git", PATH) is None
