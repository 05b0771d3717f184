"""The settings that protect main on GitLab."""

from collections.abc import Mapping
from typing import Any

from medperf_git.flows.house_setting import Facts, Setting, Table, field, protected
from medperf_git.forge.host import Host

_LAB = "{page}/-/settings/merge_requests"
_LAB_BRANCH = "{page}/-/settings/repository#js-protected-branches-settings"


def _gitlab_current(facts: Facts) -> bool | None:
    project = facts["repository"]
    if "merge_method" not in project:
        return None
    trains = bool(project.get("merge_trains_enabled"))
    return project["merge_method"] == "rebase_merge" or (trains and project["merge_method"] == "merge")


def _nobody_pushes(protection: Mapping[str, Any]) -> bool:
    return all(level.get("access_level") == 0 for level in protection.get("push_access_levels", []))


TABLE = Table(
    host=Host.GITLAB,
    questions={
        "repository": "/projects/{quoted}",
        "protection": "/projects/{quoted}/protected_branches/main",
    },
    settings=(
        Setting(
            "main is the default branch",
            "readers look there",
            _LAB_BRANCH,
            field("repository", "default_branch", "main"),
        ),
        Setting(
            "pipelines must succeed",
            "else what the judge refuses can be merged",
            _LAB + ": pipelines must succeed",
            field("repository", "only_allow_merge_if_pipeline_succeeds", True),
        ),
        Setting(
            "a skipped pipeline is no success",
            "`[skip ci]` in a message would go around the judge",
            _LAB + ": skipped pipelines are not considered successful",
            field("repository", "allow_merge_on_skipped_pipeline", False, None),
        ),
        Setting(
            "up to date before merging",
            "two proposals can each be fine and together wrong",
            _LAB + ": merge commit with semi-linear history, or merge trains",
            _gitlab_current,
        ),
        Setting(
            "no rewriting at the merge",
            "a fast-forward of several commits is no step that readers accept",
            _LAB + ": a merge commit, with semi-linear history or without",
            field("repository", "merge_method", "merge", "rebase_merge"),
        ),
        Setting(
            "nobody pushes to main",
            "a push goes around the judge",
            _LAB_BRANCH + ": allowed to push, no one",
            protected(_nobody_pushes),
        ),
        Setting(
            "no force push",
            "history must not be rewritten",
            _LAB_BRANCH + ": allowed to force push, off",
            protected(lambda it: it.get("allow_force_push") is False),
        ),
        Setting(
            "outsiders' pipelines run with their own means",
            "a merge request may bring a pipeline of its own",
            "{page}/-/settings/ci_cd: run pipelines of forks in the parent project, off",
            field("repository", "ci_allow_fork_pipelines_to_run_in_parent_project", False),
        ),
        Setting(
            "a job's token may not push",
            "a pipeline must not write to the repository",
            "{page}/-/settings/ci_cd#js-token-access: allow Git push requests, off",
            field("repository", "ci_push_repository_for_job_token_allowed", False),
        ),
    ),
)
