"""The settings guide of a registry: what a maintainer sets at its host, written from the table that `doctor` looks by.

So guide and doctor cannot differ. Where the host keeps the text of new proposals in its settings or in a repository of
its own, the guide holds that text too, because a registry has no place for it.

render_guide(Host.GITLAB, proposal=b"What happens next …")
"""

from medperf_git.flows.house_forge import TABLES
from medperf_git.flows.house_setting import Setting
from medperf_git.forge.credentials import KEPT
from medperf_git.forge.host import Host

# Where a guide lies: GitLab and Pagure have no folder of their own that may be a house file.
GUIDES = {
    Host.GITHUB: ".github/SETTINGS.md",
    Host.GITLAB: ".github/SETTINGS.md",
    Host.FORGEJO: ".forgejo/SETTINGS.md",
    Host.PAGURE: ".github/SETTINGS.md",
}
NAMES = {Host.GITHUB: "GitHub", Host.GITLAB: "GitLab", Host.FORGEJO: "Forgejo", Host.PAGURE: "Pagure"}
PAGE = "ADDRESS"
_HEAD = """\
# Settings of this registry on {name}

Whoever administers the repository sets these once. `{page}` stands for the address of the repository's page. Then

    medperf-git doctor forge {page}{kind}

looks whether they are there, with a token of yours in `{token}`; without one it prints this list. Nothing here makes a
record valid or invalid: every reader judges the whole history again. They keep from main what would stop all readers.

"""
_ELSEWHERE = {
    Host.GITLAB: """\
## The text of new merge requests

A registry holds no folder `.gitlab`, so this text is no file here. Where your GitLab offers it, paste it at
`{page}/-/settings/merge_requests`, default description template for merge requests. Nothing depends on it.

""",
    Host.PAGURE: """\
## The text beside new pull requests

Pagure shows the file `templates/contributing.md` of the project's repository for pull requests (`requests/`, listed
under the project's Git addresses), which is another repository than this one. Commit this text there. Nothing depends
on it.

""",
}


def render_guide(host: Host, *, proposal: bytes) -> bytes:
    """Return the guide for a kind of host; `proposal` is the text of new proposals."""
    table = TABLES[host]
    kind = "" if host is Host.GITHUB else f" --host {host.value}"
    text = _HEAD.format(name=NAMES[host], page=PAGE, kind=kind, token=KEPT[host].variables[0].name)
    text += "\n".join(_entry(number, setting) for number, setting in enumerate(table.settings, start=1))
    if host in _ELSEWHERE:
        quoted = "".join(f"    {line}".rstrip() + "\n" for line in proposal.decode().splitlines())
        text += "\n" + _ELSEWHERE[host].format(page=PAGE) + quoted
    return text.encode()


def _entry(number: int, setting: Setting) -> str:
    return f"{number}. **{setting.what}**: {setting.why}.\n   {setting.where.format(page=PAGE)}\n"
