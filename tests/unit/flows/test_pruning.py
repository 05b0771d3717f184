"""What must stay is asked once more just before it goes: a person may think over the question for hours."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from medperf_git.flows import pruning
from medperf_git.flows.pruning import Choice, plan_pruning, prune
from medperf_git.records.view import MemoryView
from tests.unit.flows.test_reviewing import made, put_outcome  # noqa: F401  (a fixture)


@pytest.mark.parametrize(("force", "stays"), [(False, "not submitted yet: ana/base@1"), (True, "")])
def test_a_run_that_ends_while_the_question_is_open_is_not_removed_unseen(made, monkeypatch, force, stays):  # noqa: F811
    registry, home, run = made
    (run.path / "plan.json").write_text(json.dumps(json.loads((run.path / "plan.json").read_text()) | {"models": []}))
    monkeypatch.setattr(pruning, "_views", lambda _: [MemoryView(registry.files)])
    context, choice = SimpleNamespace(home=home, clock=lambda: datetime.now(UTC)), Choice(keep=0, force=force)
    (planned,) = found = plan_pruning(context, choice)
    assert planned.stays == ""
    put_outcome(registry, run)
    (gone,) = prune(context, found, choice)
    assert gone.stays.startswith(stays)
    assert run.path.exists() == bool(stays)
