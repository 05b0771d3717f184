"""Look at the settings of a forge that protect main: what is missing, and where a person sets it.

GitHub, GitLab and Forgejo are asked through their documented REST interfaces, with a token of the environment. A
setting that no interface tells, or that this token may not see, is listed as unknown with the place to look; it is
never said to be fine.

examine_forge("https://github.com/ana/heart", Host.GITHUB, environ=os.environ)
"""

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from medperf_git.errors import UsageProblem
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.house_rest import Ask, rest
from medperf_git.forge.browser import web_page
from medperf_git.forge.credentials import KEPT, VARIABLE, token_in
from medperf_git.forge.host import Host

Facts = Mapping[str, Any]

# What is asked: fact → path below the interface's address; a 404 is an answer, a 401 or 403 is none.
QUESTIONS: dict[Host, dict[str, str]] = {
    Host.GITHUB: {
        "repository": "/repos/{slug}",
        "rules": "/repos/{slug}/rules/branches/main",
        "protection": "/repos/{slug}/branches/main/protection",
        "token": "/repos/{slug}/actions/permissions/workflow",
        "forks": "/repos/{slug}/actions/permissions/fork-pr-contributor-approval",
    },
    Host.GITLAB: {
        "repository": "/projects/{quoted}",
        "protection": "/projects/{quoted}/protected_branches/main",
    },
    Host.FORGEJO: {
        "repository": "/repos/{slug}",
        "protection": "/repos/{slug}/branch_protections/main",
    },
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One protective setting: why, where a person finds it, and how the facts tell whether it is there."""

    what: str
    why: str
    where: str
    holds: Callable[[Facts], bool | None]


def examine_forge(
    url: str, host: Host, *, environ: Mapping[str, str], api: str | None = None, ask: Ask = rest
) -> list[Examined]:
    """Look at every setting; without a token each is listed as unknown, with the place to look."""
    page = web_page(url)
    slug = urlsplit(page).path.strip("/")
    if not slug:
        raise UsageProblem("this address names no repository", hint="give https://HOST/OWNER/NAME")
    token = token_in(environ, host, urlsplit(page).netloc)
    if token is None:
        told_by = (VARIABLE, *(one.name for one in KEPT[host].variables))
        told = f"not looked at: no token for this host in {' or '.join(told_by)}"
        return [Examined("unknown", one.what, told, _remedy(one, page)) for one in SETTINGS[host]]
    base = api or api_of(host, page)
    names = {"slug": quote(slug, safe="/"), "quoted": quote(slug, safe="")}
    facts: dict[str, Any] = {}
    for name, path in QUESTIONS[host].items():
        status, value = ask(base + path.format(**names), host=host, token=token.secret)
        if status == 200:
            facts[name] = value
        elif status == 404 and not _hidden(host, name, facts):
            facts[name] = None
    if facts.get("repository") is None:
        hint = "check the address, and that the token may read this repository"
        raise UsageProblem(f"{host} shows no repository {slug} to this token", hint=hint)
    return [_examined(setting, facts, page) for setting in SETTINGS[host]]


def _hidden(host: Host, name: str, facts: Facts) -> bool:
    """Tell whether a 404 may hide what is there: GitHub answers so about protection to all but administrators."""
    rights = (facts.get("repository") or {}).get("permissions") or {}
    return host is Host.GITHUB and name == "protection" and rights.get("admin") is not True


def api_of(host: Host, page: str) -> str:
    """Return the address of the REST interface that belongs to a repository's page."""
    name = urlsplit(page).netloc
    if host is Host.GITHUB:
        return "https://api.github.com" if name == "github.com" else f"https://{name}/api/v3"
    return f"https://{name}/api/v4" if host is Host.GITLAB else f"https://{name}/api/v1"


def _examined(setting: Setting, facts: Facts, page: str) -> Examined:
    holds = setting.holds(facts)
    if holds is None:
        return Examined("unknown", setting.what, "this token may not see it", _remedy(setting, page))
    if holds:
        return Examined("ok", setting.what, "as it should be")
    return Examined("fail", setting.what, f"missing: {setting.why}", _remedy(setting, page))


def _remedy(setting: Setting, page: str) -> str:
    return setting.where.format(page=page)


# GitHub: rulesets and classic branch protection say the same things in two ways; either is enough.


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


def _field(fact: str, name: str, *wanted: object) -> Callable[[Facts], bool | None]:
    """Ask that a field of a fact has one of the wanted values; unknown where it is not told."""

    def holds(facts: Facts) -> bool | None:
        value = facts.get(fact)
        return None if value is None or name not in value else value[name] in wanted

    return holds


def _protected(holds: Callable[[Mapping[str, Any]], bool]) -> Callable[[Facts], bool | None]:
    """Ask the protection of main; none at all is a no, one that was not shown is unknown."""

    def answer(facts: Facts) -> bool | None:
        if "protection" not in facts:
            return None
        return facts["protection"] is not None and holds(facts["protection"])

    return answer


def _all_of(*asked: Callable[[Facts], bool | None]) -> Callable[[Facts], bool | None]:
    def holds(facts: Facts) -> bool | None:
        answers = [one(facts) for one in asked]
        return False if False in answers else None if None in answers else True

    return holds


def _gitlab_current(facts: Facts) -> bool | None:
    project = facts["repository"]
    if "merge_method" not in project:
        return None
    trains = bool(project.get("merge_trains_enabled"))
    return project["merge_method"] == "rebase_merge" or (trains and project["merge_method"] == "merge")


def _nobody_pushes(protection: Mapping[str, Any]) -> bool:
    return all(level.get("access_level") == 0 for level in protection.get("push_access_levels", []))


def _forgejo_check(protection: Mapping[str, Any]) -> bool:
    # Forgejo names a check `workflow / job (event)`, and the contexts of a protection are patterns.
    patterns = protection.get("status_check_contexts") or []
    named = any(fnmatch.fnmatchcase("judge / judge (pull_request)", pattern) for pattern in patterns)
    return bool(protection.get("enable_status_check")) and named


_RULES = "{page}/settings/rules"
_ACTIONS = "{page}/settings/actions"
_GENERAL = "{page}/settings"
_LAB = "{page}/-/settings/merge_requests"
_LAB_BRANCH = "{page}/-/settings/repository#js-protected-branches-settings"
_JO = "{page}/settings/branches"

SETTINGS: dict[Host, tuple[Setting, ...]] = {
    Host.GITHUB: (
        Setting(
            "main is the default branch", "readers look there", _GENERAL, _field("repository", "default_branch", "main")
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
            _field("repository", "allow_rebase_merge", False),
        ),
        Setting(
            "outsiders' workflows wait for approval",
            "a pull request may bring a workflow of its own",
            _ACTIONS + ": require approval for all external contributors",
            _field("forks", "approval_policy", "all_external_contributors"),
        ),
        Setting(
            "workflows may only read by default",
            "a workflow that asks for nothing must get nothing",
            _ACTIONS + ": workflow permissions, read repository contents",
            _field("token", "default_workflow_permissions", "read"),
        ),
        Setting(
            "workflows approve nothing",
            "else a workflow could stand in for a person",
            _ACTIONS + ": do not allow GitHub Actions to approve pull requests",
            _field("token", "can_approve_pull_request_reviews", False),
        ),
    ),
    Host.GITLAB: (
        Setting(
            "main is the default branch",
            "readers look there",
            _LAB_BRANCH,
            _field("repository", "default_branch", "main"),
        ),
        Setting(
            "pipelines must succeed",
            "else what the judge refuses can be merged",
            _LAB + ": pipelines must succeed",
            _field("repository", "only_allow_merge_if_pipeline_succeeds", True),
        ),
        Setting(
            "a skipped pipeline is no success",
            "`[skip ci]` in a message would go around the judge",
            _LAB + ": skipped pipelines are not considered successful",
            _field("repository", "allow_merge_on_skipped_pipeline", False, None),
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
            _field("repository", "merge_method", "merge", "rebase_merge"),
        ),
        Setting(
            "nobody pushes to main",
            "a push goes around the judge",
            _LAB_BRANCH + ": allowed to push, no one",
            _protected(_nobody_pushes),
        ),
        Setting(
            "no force push",
            "history must not be rewritten",
            _LAB_BRANCH + ": allowed to force push, off",
            _protected(lambda it: it.get("allow_force_push") is False),
        ),
        Setting(
            "outsiders' pipelines run with their own means",
            "a merge request may bring a pipeline of its own",
            "{page}/-/settings/ci_cd: run pipelines of forks in the parent project, off",
            _field("repository", "ci_allow_fork_pipelines_to_run_in_parent_project", False),
        ),
        Setting(
            "a job's token may not push",
            "a pipeline must not write to the repository",
            "{page}/-/settings/ci_cd#js-token-access: allow Git push requests, off",
            _field("repository", "ci_push_repository_for_job_token_allowed", False),
        ),
    ),
    Host.FORGEJO: (
        Setting(
            "main is the default branch", "readers look there", _JO, _field("repository", "default_branch", "main")
        ),
        Setting(
            "judge is required",
            "else what it refuses can be merged",
            _JO + ": status checks, pattern `judge / *`",
            _protected(_forgejo_check),
        ),
        Setting(
            "up to date before merging",
            "two proposals can each be fine and together wrong",
            _JO + ": block merge if pull request is outdated",
            _protected(lambda it: it.get("block_on_outdated_branch") is True),
        ),
        Setting(
            "nobody pushes to main",
            "a push goes around the judge",
            _JO + ": disable push",
            _protected(lambda it: it.get("enable_push") is False),
        ),
        Setting(
            "the rules bind administrators",
            "else whoever holds an administrator's account goes around them",
            _JO + ": enforce this rule for repository administrators",
            _protected(lambda it: it.get("apply_to_admins") is True),
        ),
        Setting(
            "no rewriting at the merge",
            "a rebase of several commits is no step that readers accept",
            _GENERAL + ": pull requests, merge commit or squash only",
            _all_of(
                _field("repository", "allow_rebase", False),
                _field("repository", "allow_rebase_explicit", False),
                _field("repository", "allow_fast_forward_only_merge", False),
            ),
        ),
        Setting(
            "outsiders' workflows wait for approval",
            "a pull request may bring a workflow of its own",
            "{page}/actions: approve first, and give no runner to strangers; Forgejo tells this to no program",
            lambda _facts: None,
        ),
    ),
}
