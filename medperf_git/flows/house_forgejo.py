"""The settings that protect main on Forgejo, and on Gitea, whose interface is the same."""

import fnmatch
from collections.abc import Mapping
from typing import Any

from medperf_git.flows.house_setting import Setting, Table, all_of, field, protected, untold
from medperf_git.forge.host import Host

_GENERAL = "{page}/settings"
_JO = "{page}/settings/branches"


def _forgejo_check(protection: Mapping[str, Any]) -> bool:
    # Forgejo names a check `workflow / job (event)`, and the contexts of a protection are patterns.
    patterns = protection.get("status_check_contexts") or []
    named = any(fnmatch.fnmatchcase("judge / judge (pull_request)", pattern) for pattern in patterns)
    return bool(protection.get("enable_status_check")) and named


TABLE = Table(
    host=Host.FORGEJO,
    questions={
        "repository": "/repos/{slug}",
        "protection": "/repos/{slug}/branch_protections/main",
    },
    settings=(
        Setting("main is the default branch", "readers look there", _JO, field("repository", "default_branch", "main")),
        Setting(
            "judge is required",
            "else what it refuses can be merged",
            _JO + ": status checks, pattern `judge / *`",
            protected(_forgejo_check),
        ),
        Setting(
            "up to date before merging",
            "two proposals can each be fine and together wrong",
            _JO + ": block merge if pull request is outdated",
            protected(lambda it: it.get("block_on_outdated_branch") is True),
        ),
        Setting(
            "nobody pushes to main",
            "a push goes around the judge",
            _JO + ": disable push",
            protected(lambda it: it.get("enable_push") is False),
        ),
        Setting(
            "the rules bind administrators",
            "else whoever holds an administrator's account goes around them",
            _JO + ": enforce this rule for repository administrators",
            protected(lambda it: it.get("apply_to_admins") is True),
        ),
        Setting(
            "no rewriting at the merge",
            "a rebase of several commits is no step that readers accept",
            _GENERAL + ": pull requests, merge commit or squash only",
            all_of(
                field("repository", "allow_rebase", False),
                field("repository", "allow_rebase_explicit", False),
                field("repository", "allow_fast_forward_only_merge", False),
            ),
        ),
        Setting(
            "outsiders' workflows wait for approval",
            "a pull request may bring a workflow of its own",
            "{page}/actions: approve first, and give no runner to strangers; Forgejo tells this to no program",
            untold,
        ),
    ),
)
