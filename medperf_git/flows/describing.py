"""Title and description of a pull request, for the people who read it on the forge; nothing of it is judged."""

from collections.abc import Iterable

from medperf_git import __version__
from medperf_git.forge.port import Words
from medperf_git.records.layout import split_bundle

_LONGEST_TITLE = 120
_MOST_FILES = 60


def describe(proposal: str, title: str, paths: Iterable[str], *, member: str) -> Words:
    """Return what a pull request says; the same for the same files, whoever signed so far."""
    records = sorted(path for path in paths if split_bundle(path) is None)
    shown = [f"- `{path}`" for path in records[:_MOST_FILES]]
    if len(records) > _MOST_FILES:
        shown.append(f"- and {len(records) - _MOST_FILES} more")
    lines = [
        f"Sent by `{member}`. It adds {len(records)} record{'' if len(records) == 1 else 's'} and their signatures:",
        "",
        *shown,
        "",
        "Nothing in this text is judged: the judge reads the files and their signatures, and says below what it finds.",
        f"To look at it and sign it: `medperf-git sign {proposal[:12]}`. To merge it by hand, use a merge commit.",
        "",
        f"<sub>medperf-git {__version__} · submit/{proposal}</sub>",
    ]
    told = "".join(char if char.isprintable() else " " for char in title).strip() or f"submit/{proposal[:12]}"
    short = told if len(told) <= _LONGEST_TITLE else told[: _LONGEST_TITLE - 1] + "…"
    return Words(short, "\n".join(lines))


def describe_merge(proposal: str, title: str) -> Words:
    """Return the message of a merge; whoever wrote the title cannot tell a forge in brackets to skip what follows."""
    return Words(f"Merge submit/{proposal}", title.translate({ord("["): "(", ord("]"): ")"}))
