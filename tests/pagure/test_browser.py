"""A whole submission with no token and no interface: a push over SSH, a page, a password, a button."""

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.forge_people import Village, until
from tests.support.ssh_git import own_ssh, trust

pytestmark = pytest.mark.browser


@pytest.fixture
def page() -> Iterator[Page]:
    path = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = chromium.new_context(ignore_https_errors=True).new_page()  # Chromium asks no file for authorities
        page.set_default_timeout(60_000)
        yield page
        chromium.close()


def test_a_submission_by_browser_needs_neither_token_nor_interface(
    village: Village, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = village.found("ana")
    north = village.human("north")
    del north.surroundings["MEDPERF_GIT_TOKEN"]
    key = village.forge.key_file("north")
    monkeypatch.setenv("PATH", own_ssh(north.folder, key))
    trust(north.folder, village.forge.ssh_port, village.forge.ssh_host_key)

    told = north.run("join", village.url, "--as", "north", "--key", north.key, "--yes", code=3)
    assert "kept on this machine" in told.err
    assert f"{village.forge.url}/{village.name}" in told.err
    assert "submit --fork ADDRESS" in told.err

    log_in(page, village, "north")
    page.goto(f"{village.forge.url}/{village.name}")
    page.locator("button.fork_project_btn").click()
    until(lambda: village.refs(village.fork_of("north")).get("refs/heads/main"))

    sent = north.run("submit", "--fork", village.forge.ssh_url(village.fork_of("north")))
    (where,) = re.findall(r"https://\S+/diff/\S+", sent.out)
    page.goto(where)
    page.locator("input[name=title]").fill("Join as north")
    page.get_by_role("button", name="Create Pull Request").click()
    page.wait_for_url(re.compile(r"/pull-request/\d+"))
    (request,) = village.open_requests()
    assert request["repo_from"]["url_path"] == village.fork_of("north")
    assert request["full_url"] in page.url
    again = north.run("submit")
    assert len(village.open_requests()) == 1, again.out

    village.admit("north")
    assert "north" in ana.run("member", "ls").out
    assert village.open_requests() == []


def log_in(page: Page, village: Village, name: str) -> None:
    account = village.forge.accounts[name]
    page.goto(f"{village.forge.url}/login/")
    page.locator("input[name=username]").fill(account.name)
    page.locator("input[name=password]").fill(account.password)
    page.get_by_role("button", name="Login").click()
    page.wait_for_url(lambda url: "/login" not in url)
