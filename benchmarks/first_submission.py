"""The client of `bench_first_submission.py`: a new machine, a light copy, one result proposed.

python benchmarks/first_submission.py URL#mg1:… FOLDER PATH MEMBER TIME

FOLDER holds `key` and `record.yaml`. Prints the id of the proposal, and how often it asked for what it lacked.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from medperf_git.flows.context import Context
from medperf_git.flows.propose import Draft, propose
from medperf_git.flows.registries import add_registry, use_registry
from medperf_git.flows.workspace import Workspace
from medperf_git.records.record import read_record
from medperf_git.registry.light import LightSupply


class Nobody:
    """Nobody is asked anything."""

    def passphrase(self, prompt: str) -> str:
        """Refuse."""
        raise SystemExit(prompt)

    def confirm(self, question: str) -> bool:
        """Refuse."""
        raise SystemExit(question)


def main(address: str, folder: Path, path: str, member: str, time: str) -> None:
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
    added = add_registry(context, address, alias="big", light=True)
    assert added.known.light
    use_registry(context, "big", merge="manual")
    workspace = Workspace.open(context)
    workspace.remember(replace(workspace.known, member=member, key_file=str(folder / "key")))
    workspace.act_as(None, folder / "key")
    sent = propose(workspace, [Draft(path, stored.record)], title="A first result")
    assert isinstance(workspace.store.supply, LightSupply)
    print(sent.id, workspace.store.supply.questions)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:6])
