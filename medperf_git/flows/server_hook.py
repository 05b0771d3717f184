"""The text of the installed `pre-receive` hook: this interpreter by absolute path, and a sentence if it is gone."""

import re
import shlex
import sys
from pathlib import Path

from medperf_git.records.schemas import asset_folder

_MOUNTED = re.compile(r"(?<=medperf-git doctor --install-hook ).*(?=\.\"$)", re.MULTILINE)
_TEXT = """\
#!/bin/sh
# Installed by `medperf-git init`: judges every push before Git accepts it.
python={python}
if ! [ -x "$python" ]; then
  echo "medperf-git is not installed at $python any more, so this push cannot be judged and is refused."
  echo "Whoever runs this host: install it, then run medperf-git doctor --install-hook {repository}."
  exit 1
fi
exec "$python" -I -c "$(cat <<'MEDPERF_GIT_HOOK'
{hook}MEDPERF_GIT_HOOK
)"
"""


def hook_text(repository: Path, *, python: str = sys.executable) -> str:
    """Return the text of the hook for a repository."""
    source = (asset_folder("hooks") / "pre-receive").read_text(encoding="utf-8")
    return _TEXT.format(python=shlex.quote(python), repository=shlex.quote(str(repository)), hook=source)


def interpreter_of(text: str) -> str | None:
    """Return the interpreter that an installed hook names, None when it is none of ours."""
    line = re.search(r"(?m)^python=(.+)$", text)
    try:
        words = shlex.split(line.group(1)) if line else []
    except ValueError:
        return None
    return words[0] if len(words) == 1 else None


def is_current(text: str, *, python: str) -> bool:
    """Tell whether an installed hook is what this release writes; the folder it names may be mounted elsewhere here."""
    return _MOUNTED.sub("", text) == _MOUNTED.sub("", hook_text(Path("/"), python=python))
