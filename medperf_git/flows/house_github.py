"""The settings that protect main on GitHub: rulesets and classic branch protection say the same in two ways.

Either is enough. The interface hides classic protection from all but administrators.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from medperf_git.flows.house_setting import Facts, Setting, Table, field
from medperf_git.forge.host import Host

_RULES = "{page}/settings/rules"
_ACTIONS = "{page}/settings/actions"
_GENERAL = "{page}/settings"


def _rules(facts: Facts, kind: str) -> Iterator[Mapping[str, Any]]:
    return (rule.get("parameters") or {} for rule in facts.get("rules") or [] if rule.get("type") == kind)


def _github(facts: Facts, *, rule: bool, classic: Callable[[Mapping[str, Any]], bool]) -> bool | None:
    """Weigh both: yes by either, no when both were seen, unknown otherwise."""
    protection = facts.get("protection")
    if rule or (protection is not None and classic(protection)):
        return True
    return False if "rules" in facts and "protection" in facts else None


def _github_check(facts: Facts) -> bool | None:
    named = (check.get("context") for one in _rules(facts, "required_status_checks") for check in _checks(one))
    return _github(
        facts,
        rule="judge" in named,
        classic=lambda it: "judge" in (it.get("required_status_checks") or {}).get("contexts", []),
    )


def _checks(parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(parameters.get("required_status_checks") or [])


def _github_current(facts: Facts) -> bool | None:
    strict = any(one.get("strict_required_status_checks_policy") for one in _rules(facts, "required_status_checks"))
    return _github(
        facts,
        rule=strict or any(True for _ in _rules(facts, "merge_queue")),
        classic=lambda it: bool((it.get("required_status_checks") or {}).get("strict")),
    )


def _github_kind(kind: str, classic: Callable[[Mapping[str, Any]], bool]) -> Callable[[Facts], bool | None]:
    return lambda facts: _github(facts, rule=any(True for _ in _rules(facts, kind)), classic=classic)


def _off(name: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda protection: not (protection.get(name) or {}).get("enabled", False)


def _github_admins(facts: Facts) -> bool | None:
    """Rules tell no bypass list to everybody, so only classic protection answers."""
    protection = facts.get("protection")
    return bool((protection.get("enforce_admins") or {}).get("enabled")) if protection else None


TABLE = Table(
    host=Host.GITHUB,
    questions={
        "repository": "/repos/{slug}",
        "rules": "/repos/{slug}/rules/branches/main",
        "protection": "/repos/{slug}/branches/main/protection",
        "token": "/repos/{slug}/actions/permissions/workflow",
        "forks": "/repos/{slug}/actions/permissions/fork-pr-contributor-approval",
    },
    settings=(
        Setting(
            "main is the default branch", "readers look there", _GENERAL, field("repository", "default_branch", "main")
        ),
        Setting(
            "judge is required",
            "else what it refuses can be merged",
            _RULES + ": require status checks, add `judge`",
            _github_check,
        ),
        Setting(
            "up to date before merging",
            "two proposals can each be fine and together wrong",
            _RULES + ": require branches to be up to date, or a merge queue",
            _github_current,
        ),
        Setting(
            "changes come by pull request",
            "else a push goes around the judge",
            _RULES + ": require a pull request before merging",
            _github_kind("pull_request", lambda it: it.get("required_pull_request_reviews") is not None),
        ),
        Setting(
            "no force push",
            "history must not be rewritten",
            _RULES + ": block force pushes",
            _github_kind("non_fast_forward", _off("allow_force_pushes")),
        ),
        Setting(
            "no deletion",
            "main must not vanish",
            _RULES + ": restrict deletions",
            _github_kind("deletion", _off("allow_deletions")),
        ),
        Setting(
            "the rules bind administrators",
            "else whoever holds an administrator's account goes around them",
            _RULES + ": leave the bypass list empty (classic protection: do not allow bypassing)",
            _github_admins,
        ),
        Setting(
            "no rebase merging",
            "a rebase of several commits is no step that readers accept",
            _GENERAL + ": allow merge commits or squash, not rebase",
            field("repository", "allow_rebase_merge", False),
        ),
        Setting(
            "outsiders' workflows wait for approval",
            "a pull request may bring a workflow of its own",
            _ACTIONS + ": require approval for all external contributors",
            field("forks", "approval_policy", "all_external_contributors"),
        ),
        Setting(
            "workflows may only read by default",
            "a workflow that asks for nothing must get nothing",
            _ACTIONS + ": workflow permissions, read repository contents",
            field("token", "default_workflow_permissions", "read"),
        ),
        Setting(
            "workflows approve nothing",
            "else a workflow could stand in for a person",
            _ACTIONS + ": do not allow GitHub Actions to approve pull requests",
            field("token", "can_approve_pull_request_reviews", False),
        ),
    ),
)
