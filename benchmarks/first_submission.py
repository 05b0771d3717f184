"""The client of `bench_first_submission.py`: a new machine, a light copy, one result proposed.

python benchmarks/first_submission.py URL#mg1:… FOLDER CERTIFICATE PATH MEMBER TIME

FOLDER holds `key` and `record.yaml`. Prints the id of the proposal, and how often it asked for what it lacked.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from medperf_git.flows.context import Context
from medperf_git.flows.propose import Draft, propose
from medperf_git.flows.registries import add_registry, use_registry
from medperf_git.flows.workspace import Workspace, copy_folder
from medperf_git.records.record import read_record
from medperf_git.registry.bare import open_copy


class Nobody:
    """Nobody is asked anything."""

    def passphrase(self, prompt: str) -> str:
        """Refuse."""
        raise SystemExit(prompt)

    def confirm(self, question: str) -> bool:
        """Refuse."""
        raise SystemExit(question)


def main(address: str, folder: Path, certificate: str, path: str, member: str, time: str) -> None:
    """Submit one result."""
    stored = read_record(path, (folder / "record.yaml").read_bytes()).stored
    assert stored is not None, path
    home = folder / "medperf-git"
    context = Context(
        home,
        lambda: datetime.fromisoformat(time).astimezone(UTC),
        Nobody(),
        _say,
        None,
        dict(os.environ),
        assume_yes=True,
    )
    copy = open_copy(copy_folder(home, "big"))
    pygit2.Config(str(copy.path / "config"))["http.sslCAInfo"] = certificate  # of a host made for this run
    added = add_registry(context, address, alias="big", light=True)
    assert added.known.light
    use_registry(context, "big", merge="manual")
    workspace = Workspace.open(context)
    workspace.remember(replace(workspace.known, member=member, key_file=str(folder / "key")))
    workspace.act_as(None, folder / "key")
    sent = propose(workspace, [Draft(path, stored.record)], title="A first result")
    questions = sum(getattr(one.store.supply, "questions", 0) for one in (workspace,))
    print(sent.id, questions)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:7])
