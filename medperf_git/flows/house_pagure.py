"""The settings that protect main on Pagure: its project options, told to whoever may change them.

The names in them are those of Pagure's interface (`GET /api/0/<project>/options`); a token needs the right "Modify an
existing project" to see them. Pagure can require no check before a merge, so whoever merges asks the judge first.
"""

from medperf_git.flows.house_setting import Facts, Holds, Setting, Table, field, untold
from medperf_git.forge.host import Host

_OPTIONS = "{page}/settings: project options, "


def _option(name: str, *wanted: object) -> Holds:
    """Ask that a project option has one of the wanted values; unknown where the options were not shown."""

    def holds(facts: Facts) -> bool | None:
        options = (facts.get("options") or {}).get("settings") or {}
        return options[name] in wanted if name in options else None

    return holds


TABLE = Table(
    host=Host.PAGURE,
    questions={
        "repository": "/{slug}",
        "branches": "/{slug}/git/branches",
        "options": "/{slug}/options",
    },
    settings=(
        Setting(
            "main is the default branch",
            "readers look there",
            "{page}/settings: default branch, main",
            field("branches", "default", "main"),
        ),
        Setting(
            "the judge is asked before a merge",
            "else what it refuses can be merged",
            "{page}/settings: users and groups, commit access for maintainers only, who run `medperf-git check` before "
            "they merge; Pagure can require no check, and tells no program whether somebody asked",
            untold,
        ),
        Setting(
            "proposals are possible",
            "else nobody can send anything",
            _OPTIONS + "`pull_requests`, on",
            _option("pull_requests", True),
        ),
        Setting(
            "maintainers push their own branches",
            "`admit` and `sign` push `submit/…` with a key of the project, which can push to no fork",
            _OPTIONS + "`pull_request_access_only`, off; readers judge what is pushed to main, too",
            _option("pull_request_access_only", False),
        ),
        Setting(
            "no rewriting at the merge",
            "a fast-forward of several commits is no step that readers accept",
            _OPTIONS + "`always_merge`, on",
            _option("always_merge", True),
        ),
        Setting(
            "a proposal is merged when main went on meanwhile",
            "else Pagure says that it merged and does not; `medperf-git merge` judges against main of now",
            _OPTIONS + "`disable_non_fast-forward_merges`, off",
            _option("disable_non_fast-forward_merges", False),
        ),
        Setting(
            "strangers change no proposal's labels",
            "else anybody with an account says whom a proposal waits for",
            _OPTIONS + "`open_metadata_access_to_all`, off",
            _option("open_metadata_access_to_all", False),
        ),
        Setting(
            "votes stand in for no signature",
            "anybody with an account can vote, and what passes would wait for votes",
            _OPTIONS + "`Minimum_score_to_merge_pull-request`, -1",
            _option("Minimum_score_to_merge_pull-request", -1, 0),
        ),
        Setting(
            "who merges need not be assigned first",
            "else what passes waits until somebody is assigned to it",
            _OPTIONS + "`Only_assignee_can_merge_pull-request`, off",
            _option("Only_assignee_can_merge_pull-request", False),
        ),
        Setting(
            "commits need no line Signed-off-by",
            "signatures lie beside the records, and Pagure would merge nothing without that line",
            _OPTIONS + "`Enforce_signed-off_commits_in_pull-request`, off",
            _option("Enforce_signed-off_commits_in_pull-request", False),
        ),
    ),
)
