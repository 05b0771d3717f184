"""What stands for GitHub's `gh` in tests: answers from a JSON file, merges in a real repository, notes every call.

gh.py STATE api PATH [--jq FILTER] [--method POST|PATCH] [-F body=@FILE] [--silent]
gh.py STATE pr merge NUMBER --repo SLUG --merge --match-head-commit COMMIT
gh.py STATE workflow run NAME --repo SLUG --ref main
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs


def main() -> int:
    """Answer one call."""
    file = Path(sys.argv[1])
    state = json.loads(file.read_text(encoding="utf-8"))
    words = sys.argv[2:]
    if not os.environ.get("GH_TOKEN"):
        print("gh: no token", file=sys.stderr)
        return 4
    state["calls"].append(words)
    code = {"api": api, "pr": merge, "workflow": lambda *_: 0}[words[0]](state, words)
    file.write_text(json.dumps(state), encoding="utf-8")
    return code


def api(state: dict, words: list[str]) -> int:
    """Answer the questions that the workflows ask."""
    path, _, query = words[1].partition("?")
    method = option(words, "--method") or "GET"
    body = Path((option(words, "-F") or "body=@/dev/null").removeprefix("body=@")).read_text(encoding="utf-8")
    assert len(body) <= 65_536
    if path.endswith("/pulls"):
        page = int(parse_qs(query).get("page", ["1"])[0])
        answer = sorted(state["pulls"], key=lambda pull: -pull["number"])[100 * (page - 1) : 100 * page]
    elif found := re.fullmatch(r"repos/owner/heart/pulls/(\d+)", path):
        made = state["merged"].get(found.group(1))
        answer = {"merged": made is not None, "merge_commit_sha": made or "0" * 40}
    elif path == "repos/owner/heart/git/ref/heads/main":
        answer = {"object": {"sha": git(state, "rev-parse", "refs/heads/main")}}
    elif found := re.fullmatch(r"repos/owner/heart/commits/([0-9a-f]{40})", path):
        answer = {"parents": [{"sha": one} for one in git(state, "rev-parse", f"{found.group(1)}^@").split()]}
    elif found := re.fullmatch(r"repos/owner/heart/issues/(\d+)/comments", path):
        answer = state["comments"].setdefault(found.group(1), [])
        if method == "POST":
            number = 1 + sum(len(each) for each in state["comments"].values())
            answer.append({"id": number, "user": {"login": "github-actions[bot]"}, "body": body})
    elif (found := re.fullmatch(r"repos/owner/heart/issues/comments/(\d+)", path)) and method == "PATCH":
        answer = next(c for each in state["comments"].values() for c in each if str(c["id"]) == found.group(1))
        answer["body"] = body
    else:
        print(f"gh: 404 {path}", file=sys.stderr)
        return 1
    if wanted := option(words, "--jq"):
        print(
            subprocess.run(
                ["jq", "-r", wanted], input=json.dumps(answer), text=True, capture_output=True, check=True
            ).stdout,
            end="",
        )
    return 0


def merge(state: dict, words: list[str]) -> int:
    """Merge a proposal as GitHub does, when its head is the commit that was named."""
    number, commit = int(words[2]), option(words, "--match-head-commit")
    (pull,) = [one for one in state["pulls"] if one["number"] == number]
    if pull["head"]["sha"] != commit:
        print("gh: head branch was modified. Review and try the merge again.", file=sys.stderr)
        return 1
    try:
        tree = git(state, "merge-tree", "--write-tree", "main", commit)
    except subprocess.CalledProcessError:
        print("gh: not mergeable", file=sys.stderr)
        return 1
    person = ("-c", "user.name=forge", "-c", "user.email=f@example.invalid")
    made = git(state, *person, "commit-tree", tree.split()[0], "-p", "main", "-p", commit, "-m", "Merge")
    git(state, "update-ref", "refs/heads/main", made)
    state["merged"][str(number)] = made
    state["pulls"].remove(pull)
    return 0


def git(state: dict, *argv: str) -> str:
    """Run git in the repository of the forge."""
    command = ["git", f"--git-dir={state['repository']}", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def option(words: list[str], name: str) -> str | None:
    """Return the word behind an option."""
    return words[words.index(name) + 1] if name in words else None


if __name__ == "__main__":
    sys.exit(main())
