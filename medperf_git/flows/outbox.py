"""What I have proposed and what became of it: one file for each proposal, written before anything is sent.

A signature once made lies here and is used again, so a lost acknowledgement or a crash costs nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import Damaged, read_json, write_json
from medperf_git.records.times import parse_time
from medperf_git.registry.commits import submission_id

State = Literal["ready", "sent", "merged", "replaced"]
_PROPOSAL = re.compile(r"[0-9a-f]{32}")
_HINT = "move the file away; what was sent is not lost: `medperf-git inbox --all` lists what is open"


@dataclass(frozen=True, slots=True)
class Entry:
    """One proposal of mine: its files as text, when it was made, how far it came."""

    id: str
    title: str
    member: str
    at: str
    files: dict[str, str]
    state: State = "ready"
    replaced_by: str = ""

    @property
    def data(self) -> dict[str, bytes]:
        """The files as bytes."""
        return {path: text.encode() for path, text in self.files.items()}

    @property
    def records(self) -> dict[str, bytes]:
        """The files that are no signatures."""
        return {path: data for path, data in self.data.items() if not path.endswith(".sigstore.json")}

    def moved(self, state: State, *, replaced_by: str = "") -> "Entry":
        """Return the entry one stage further."""
        return replace(self, state=state, replaced_by=replaced_by)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The proposals made for one registry."""

    folder: Path

    @classmethod
    def of(cls, home: Path, alias: str) -> "Outbox":
        """Return the outbox of a registry."""
        return cls(home / "outbox" / alias)

    def get(self, proposal: str) -> Entry | None:
        """Return one entry; Damaged when its file is not what was written here."""
        path = self._path(proposal)
        value = read_json(path)
        return _entry(path, value) if path.exists() else None

    def put(self, entry: Entry) -> None:
        """Keep an entry."""
        write_json(self._path(entry.id), asdict(entry))

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, oldest first; a file with another name than an entry's is a stray and left alone."""
        paths = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        paths = [path for path in paths if _PROPOSAL.fullmatch(path.stem)]
        found = [entry for path in paths if (entry := self.get(path.stem)) is not None]
        yield from sorted(found, key=lambda entry: (entry.at, entry.id))

    def find(self, text: str) -> Entry:
        """Return the entry whose id begins with `text`; UsageProblem when there is not exactly one."""
        found = [entry for entry in self.entries() if text and entry.id.startswith(text.removeprefix("submit/"))]
        if len(found) != 1:
            raise UsageProblem(f"{len(found)} of my proposals begin with {text!r}", hint="see `medperf-git status`")
        return found[0]

    def _path(self, proposal: str) -> Path:
        return self.folder / f"{proposal}.json"


def as_text(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return files as an entry keeps them; records and bundles are UTF-8."""
    return {path: data.decode() for path, data in sorted(files.items())}


def _entry(path: Path, value: Mapping[str, Any]) -> Entry:
    """Read an entry; its id is that of its records, so other bytes than those that were kept are never sent."""
    try:
        entry = Entry(**value)
        parse_time(entry.at)
        texts = [text for name, text in value.items() if name != "files"]
        whole = all(isinstance(text, str) and text.isprintable() for text in texts) and entry.state in get_args(State)
        if whole and submission_id(entry.records) == entry.id == path.stem:
            return entry
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(path, "it is no entry of the outbox", hint=_HINT) from error
    raise Damaged(path, "its id is not that of its records", hint=_HINT)
