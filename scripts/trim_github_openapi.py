"""Write the part of GitHub's OpenAPI description that our requests are checked against.

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
    python scripts/trim_github_openapi.py package/generated/api.github.com.json

What a client sends is kept to the letter: paths, parameters, bodies. What the server answers is left out, and so are
descriptions and examples. The package is MIT licensed, © Octokit contributors.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "tests/support/github/openapi.json"
REPO = "/repos/{owner}/{repo}"
KEPT = {
    "/meta": ("get",),
    "/user": ("get",),
    REPO: ("get",),
    f"{REPO}/forks": ("get", "post"),
    f"{REPO}/pulls": ("get", "post"),
    f"{REPO}/pulls/{{pull_number}}": ("get", "patch"),
    f"{REPO}/pulls/{{pull_number}}/merge": ("put",),
    f"{REPO}/commits/{{ref}}/check-runs": ("get",),
    f"{REPO}/commits/{{ref}}/status": ("get",),
    f"{REPO}/issues/{{issue_number}}": ("get",),
    f"{REPO}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{REPO}/issues/comments/{{comment_id}}": ("patch",),
}
DROPPED = ("description", "summary", "example", "examples", "externalDocs", "tags", "x-github", "x-octokit")


def main(source: str) -> None:
    """Trim the description in `source`."""
    whole = json.loads(Path(source).read_text(encoding="utf-8"))
    paths = {}
    for path, verbs in KEPT.items():
        operations = {verb: whole["paths"][path][verb] for verb in verbs}
        for operation in operations.values():
            operation["responses"] = {"default": {"description": ""}}
        paths[path] = _bare(operations)
        for operation in paths[path].values():
            operation["responses"] = {"default": {"description": ""}}
    components: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, section, name = waiting.pop().split("/", 3)
        if name not in components.setdefault(section, {}):
            components[section][name] = _bare(whole["components"][section][name])
            waiting += _references(components[section][name])
    info = {
        "title": "The requests to GitHub's REST API that medperf-git makes",
        "version": whole["info"]["version"],
        "description": "Trimmed by scripts/trim_github_openapi.py from api.github.com.json of npm @octokit/openapi",
        "license": {"name": "MIT, Copyright (c) 2020 Octokit contributors"},
    }
    trimmed = {"openapi": whole["openapi"], "info": info, "paths": paths, "components": components}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(trimmed, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _bare(value: Any, *, names: bool = False) -> Any:
    """Drop what explains; below `properties` the keys are names, and all stay."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if names or key not in DROPPED}
        return {key: _bare(one, names=key == "properties") for key, one in kept.items()}
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _references(one)


if __name__ == "__main__":
    main(sys.argv[1])
