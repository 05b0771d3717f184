"""The house files of a registry: its README, and by what a forge judges proposals, merges them and shows main.

They are data, below `medperf_git/_house/`, one folder for each kind of host, each file where it will lie. No
proposal is checked out and none of it is executed; the validator is the one that main pins by hash
(`house_pins`); values travel by environment variables; no job has a secret. Beside them the text of new proposals and
the settings guide (`house_guide`), which hold nothing that anything would execute.

house_files("Heart", host=host_of(url), pins=render_pins(find_pin()))
"""

from importlib import resources
from pathlib import Path

from medperf_git.flows.house_guide import GUIDES, render_guide
from medperf_git.forge.host import Host

# GitLab's own folder would be no house file, so its pins lie where GitHub's do.
PINS = {
    Host.GITHUB: ".github/medperf-git.txt",
    Host.GITLAB: ".github/medperf-git.txt",
    Host.FORGEJO: ".forgejo/medperf-git.txt",
}
# Where the text of a new proposal lies, at the hosts that read it from the repository itself.
PROPOSALS = {
    Host.GITHUB: ".github/pull_request_template.md",
    Host.FORGEJO: ".forgejo/pull_request_template.md",
}


def house_files(title: str, *, host: Host = Host.PLAIN, pins: bytes = b"") -> dict[str, bytes]:
    """Return the house files for a host: path → bytes; on a plain Git server its README only."""
    files = {"README.md": _template(Path("README.md")).replace(b"@TITLE@", _heading(title))}
    proposal = _template(Path("proposal.md"))
    if host in GUIDES:
        files[GUIDES[host]] = render_guide(host, proposal=proposal)
    if host in PROPOSALS:
        files[PROPOSALS[host]] = proposal
    if host not in PINS:
        return files
    folder = template_folder() / host.value
    for place in sorted(folder.rglob("*")):
        if place.is_file():
            files[place.relative_to(folder).as_posix()] = place.read_bytes()
    return files | {PINS[host]: pins}


def template_folder() -> Path:
    """Return the folder of the templates."""
    return Path(str(resources.files("medperf_git"))) / "_house"


def _template(path: Path) -> bytes:
    return (template_folder() / path).read_bytes()


def _heading(title: str) -> bytes:
    return " ".join(title.split()).encode()
