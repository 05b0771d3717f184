"""A whole forge that nobody here wrote: Pagure in a container, over TLS with an authority of its own, and over SSH.

with running(folder, ["ana", "north"]) as forge:
    forge.new_project("heart", owner="ana")
    forge.git_url("heart")                    # https://127.0.0.1:40123/heart.git
    forge.accounts["north"].token             # what a person may make for themselves in their settings
    forge.project_token("heart", "ana")       # what a maintainer makes on the page of the project
"""

import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from tests.support.people import write_key

HERE = Path(__file__).parents[1] / "pagure" / "forge"
IMAGE = "medperf-git-test/pagure:5.14"
FILES = {"pagure.cfg": "/etc/pagure/pagure.cfg", "start.sh": "/srv/", "accounts.py": "/srv/", "ssh-door.sh": "/srv/"}
SECONDS = 90
# All that Pagure lets a key of one project do.
PROJECT_RIGHTS = (
    "commit",
    "modify_project",
    "pull_request_close",
    "pull_request_comment",
    "pull_request_create",
    "pull_request_flag",
    "pull_request_merge",
    "pull_request_update",
)


@dataclass(frozen=True)
class Account:
    """Somebody at the forge; the account's name is not the member's, which proves nothing rests on it."""

    name: str
    title: str
    password: str
    token: str
    ssh_key: str


@dataclass(frozen=True)
class PagureForge:
    """A forge that runs: its addresses, its authority, its accounts by the people's names."""

    container: str
    url: str
    ssh_port: int
    ssh_host_key: str
    certificate: Path
    accounts: dict[str, Account]

    def git_url(self, slug: str) -> str:
        """Return the address by which Git reaches a project (`heart`, `fork/north-it/heart`)."""
        return f"{self.url}/{slug.replace('fork/', 'forks/', 1)}.git"

    def ssh_url(self, slug: str) -> str:
        """Return the address by which Git reaches a project over SSH."""
        return f"ssh://git@127.0.0.1:{self.ssh_port}/{slug.replace('fork/', 'forks/', 1)}.git"

    def key_file(self, name: str) -> Path:
        """Return the file of the SSH key that somebody put into their account."""
        return self.certificate.parent / "forge-keys" / name

    def ask(self, method: str, path: str, token: str = "", **fields: Any) -> Any:
        """Ask the forge's interface directly, as a page of it would; the caller looks at the answer's code."""
        headers = {"Authorization": f"token {token}"} if token else {}
        session = requests.Session()
        session.trust_env = False
        url = f"{self.url}/api/0/{path}"
        asked: Any = {"params": fields} if method == "GET" else {"data": fields}
        with session.request(
            method, url, headers=headers, verify=str(self.certificate), timeout=SECONDS, **asked
        ) as answer:
            return answer.json()

    def new_project(self, name: str, *, owner: str, **settings: object) -> str:
        """Make an empty project that merges as its guide says; return its address for Git."""
        token = self.accounts[owner].token
        fields = {"name": name, "description": name, "default_branch": "main", "wait": "1"}
        made = self.ask("POST", "new", token, **fields)
        assert name in made.get("message", ""), made
        self.set_options(name, owner, **{"always_merge": True, **settings})
        return self.git_url(name)

    def set_options(self, name: str, owner: str, **settings: object) -> None:
        """Change settings of a project; those that are not named stay."""
        token = self.accounts[owner].token
        now = self.ask("GET", f"{name}/options", token)["settings"]
        wanted = {**now, **settings}
        fields = {key: ("y" if value is True else value) for key, value in wanted.items() if value not in (False, None)}
        done = self.ask("POST", f"{name}/options/update", token, **fields)
        assert done.get("status") == "ok", done
        assert self.ask("GET", f"{name}/options", token)["settings"] == wanted

    def project_token(self, name: str, owner: str) -> str:
        """Make an API key of a project with all rights, as its maintainer does on its page of settings."""
        ends = (datetime.now(UTC) + timedelta(days=60)).date()
        fields = {"acls": list(PROJECT_RIGHTS), "description": "merge", "expiration_date": str(ends)}
        made = self.ask("POST", f"{name}/token/new", self.accounts[owner].token, **fields)
        token: str = made["token"]["id"]
        return token

    def requests(self, name: str, status: str = "Open") -> list[dict[str, Any]]:
        """Return the pull requests of a project, the newest first."""
        found: list[dict[str, Any]] = self.ask("GET", f"{name}/pull-requests", status=status, per_page=100)["requests"]
        return found

    def logs(self) -> str:
        """Return what the forge wrote."""
        done = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@contextmanager
def running(folder: Path, people: Sequence[str]) -> Iterator[PagureForge]:
    """Start a forge with an account for each of `people`; its image must be there. Keys are made in `folder`."""
    accounts = {name: _account(name, folder) for name in people}
    port, ssh_port = _free_port(), _free_port()
    certificate = _certificate(folder)
    place = {
        "url": f"https://127.0.0.1:{port}/",
        "ssh": ssh_port,
        "secret": secrets.token_hex(16),
        "accounts": [vars(account) for account in accounts.values()],
    }
    (folder / "place.json").write_text(json.dumps(place), encoding="utf-8")
    (folder / "port").write_text(str(port), encoding="utf-8")
    ports = ["-p", f"127.0.0.1:{port}:{port}", "-p", f"127.0.0.1:{ssh_port}:2222"]
    container = _docker("create", *ports, IMAGE)
    try:
        for name, where in FILES.items():
            _docker("cp", "-q", str(HERE / name), f"{container}:{where}")
        for name in ("place.json", "port", "host.pem", "host.key"):
            _docker("cp", "-q", str(folder / name), f"{container}:/srv/{name}")
        _docker("start", container)
        _docker("exec", container, "touch", "/srv/ready")
        url = f"https://127.0.0.1:{port}"
        host_key = _wait(container, url, certificate)
        yield PagureForge(container, url, ssh_port, host_key, certificate, accounts)
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", container], capture_output=True, check=False)


def _account(name: str, folder: Path) -> Account:
    public = write_key(folder / "forge-keys" / name, f"{name}: the key for the forge")
    token = f"KEY{secrets.token_hex(24)}".upper()
    return Account(f"{name}-it", f"{name.title()} at work", secrets.token_hex(8), token, public.openssh)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _certificate(folder: Path) -> Path:
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "host.key"), "-out", str(folder / "host.pem")]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
    return folder / "host.pem"


def _wait(container: str, url: str, certificate: Path) -> str:
    """Wait until web and SSH answer; return the SSH host key."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with requests.get(f"{url}/api/0/version", verify=str(certificate), timeout=5) as answer:
                if answer.ok:
                    return _docker("exec", container, "cat", "/srv/ssh_host_key.pub")
        except requests.RequestException:
            pass
        running = _docker("inspect", "-f", "{{.State.Running}}", container)
        assert running == "true", _docker("logs", container)
        time.sleep(0.2)
    raise AssertionError(f"the forge does not answer at {url}")


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
