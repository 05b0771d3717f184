"""What a pull request and a merge are called, whatever a stranger called the proposal."""

import pytest

from medperf_git.flows.describing import describe, describe_merge

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Add a model", "Add a model"),
        ("", "submit/0123456789ab"),
        (" \t ", "submit/0123456789ab"),
        ("Add\x1b[31m\ta\u202emodel", "Add [31m a model"),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_a_pull_request_has_a_title_that_every_forge_takes(title: str, shown: str) -> None:
    assert describe(ID, title, ["cubes/moa/net/1.yaml"], member="moa").title == shown


def test_t41_no_title_tells_the_forge_to_skip_what_follows_a_merge() -> None:
    words = describe_merge(ID, "Add a model [skip ci]")
    assert (words.title, words.body) == (f"Merge submit/{ID}", "Add a model (skip ci)")
