"""The token for an https address: from the environment, else from the person's own Git credential store.

It is never printed, never written, never an argument of a command.
"""

import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Credential

VARIABLE = "MEDPERF_GIT_TOKEN"
_SECONDS = 20


def find_credential(remote: Remote, environ: Mapping[str, str]) -> Credential | None:
    """Return the credential for an https remote, None when there is none or none is needed."""
    if remote.transport is not Transport.HTTPS:
        return None
    if token := environ.get(VARIABLE):
        return Credential("x-access-token", token)
    return _ask_git(remote, environ)


def _ask_git(remote: Remote, environ: Mapping[str, str]) -> Credential | None:
    """Ask `git credential fill` with the person's own configuration; it may not prompt."""
    parts = urlsplit(remote.url)
    question = f"protocol=https\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    environment = {**own, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
    try:
        done = subprocess.run(
            ["git", "credential", "fill"],
            input=question,
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if done.returncode != 0 or not answer.get("password"):
        return None
    return Credential(answer.get("username", "x-access-token"), answer["password"])
