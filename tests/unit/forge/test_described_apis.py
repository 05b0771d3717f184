"""Both adapters against a forge that is described, not real (`tests/support/described_forge`)."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import pytest

from medperf_git.forge.api import Api, Cause, Fault, Repository
from medperf_git.forge.forgejo import Forgejo
from medperf_git.forge.gitlab import GitLab
from medperf_git.forge.host import Host, api_of
from medperf_git.forge.port import Checks, Request, State, Words
from medperf_git.forge.probe import find_host
from tests.support.clock import TestClock
from tests.support.described_forge import Answer, Asked, Forge, Project, serving
from tests.support.described_forgejo import forgejo
from tests.support.described_gitlab import gitlab

FACES = {Host.GITLAB: gitlab, Host.FORGEJO: forgejo}
ADAPTERS: dict[Host, type[GitLab] | type[Forgejo]] = {Host.GITLAB: GitLab, Host.FORGEJO: Forgejo}
SLUG, BRANCH = "ana/heart", "submit/" + "0" * 32
WORDS = Words("Add a model", "It adds one record.")


@dataclass
class Place:
    """A described forge with a registry of `ana`, whom `bob` cannot write to."""

    host: Host
    forge: Forge
    registry: Project

    def login(self, name: str) -> Api:
        """Return the adapter with the token of somebody; with none for an empty name."""
        token = self.forge.sign_up(name) if name else ""
        return ADAPTERS[self.host].open(self.address, token, self.environ)

    @property
    def address(self) -> str:
        return api_of(self.host, f"{self.forge.url}/{SLUG}")

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(self.forge.certificate)}

    def commit(self, project: Project, branch: str, text: str) -> str:
        """Commit a file on top of a branch, or of main where that is not there."""
        git = self.forge.git
        before = self.forge.ref(project, f"refs/heads/{branch}") or self.forge.ref(project, "refs/heads/main")
        (self.forge.folder / "text").write_text(text)
        blob = git(project.folder, "hash-object", "-w", str(self.forge.folder / "text"))
        index = ["update-index", "--add", "--cacheinfo", f"100644,{blob},{text}"]
        with mock.patch.dict(os.environ):
            git(project.folder, "read-tree", before or "--empty")
            git(project.folder, *index)
            tree = git(project.folder, "write-tree")
        made = git(project.folder, "commit-tree", tree, *(["-p", before] if before else []), "-m", text)
        git(project.folder, "update-ref", f"refs/heads/{branch}", made)
        self.forge.settle()
        return made

    def proposal(self) -> tuple[Api, Request, str]:
        """Let bob fork, push a branch there and open a pull request; return his adapter, the request, its commit."""
        bob = self.login("bob")
        fork = bob.fork(SLUG)
        commit = self.commit(self.forge.find(fork.slug), BRANCH, "model")
        return bob, bob.open_request(SLUG, fork, BRANCH, WORDS), commit


@pytest.fixture(params=list(FACES), ids=[f"described-{host}" for host in FACES])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    face = FACES[request.param](tmp_path / "forge", TestClock())
    (tmp_path / "forge").mkdir()
    with serving(face.forge, face, tmp_path) as forge:
        forge.sign_up("ana")
        made = Place(request.param, forge, forge.create(SLUG))
        made.commit(made.registry, "main", "genesis")
        yield made


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def test_who_we_are_is_told_and_a_wrong_token_is_a_fault_of_401(place: Place) -> None:
    assert place.login("bob").me().name == "bob"
    stranger = ADAPTERS[place.host].open(place.address, "no-token", place.environ)
    assert fault_of(stranger.me).status == 401


def test_a_repository_says_whether_we_may_push_there(place: Place) -> None:
    assert place.login("ana").repository(SLUG) == Repository(SLUG, "ana/heart.git", may_push=True)
    assert place.login("bob").repository(SLUG) == Repository(SLUG, "ana/heart.git", may_push=False)
    assert place.login("").repository(SLUG) == Repository(SLUG, "ana/heart.git", may_push=False)
    assert place.login("bob").repository("ana/other") is None


def test_a_fork_is_found_only_once_it_was_made_and_never_somebody_elses(place: Place) -> None:
    bob = place.login("bob")
    assert bob.find_fork(SLUG, "bob") is None
    assert bob.fork(SLUG).slug == "bob/heart"
    found = bob.find_fork(SLUG, "bob")
    assert found is not None
    assert (found.slug, found.git_path, found.may_push, found.ready) == ("bob/heart", "bob/heart.git", True, True)
    assert place.login("eve").find_fork(SLUG, "eve") is None
    assert fault_of(lambda: bob.fork(SLUG)).status == 409


def test_a_repository_of_the_same_name_that_is_no_fork_is_not_taken_for_one(place: Place) -> None:
    bob = place.login("bob")
    place.forge.create("bob/heart")
    assert bob.find_fork(SLUG, "bob") is None


def test_a_fork_of_another_name_is_found_too(place: Place) -> None:
    bob = place.login("bob")
    place.forge.fork(place.registry, "bob").path = "bob/my-heart"
    found = bob.find_fork(SLUG, "bob")
    assert found is not None
    assert found.slug == "bob/my-heart"


@pytest.mark.parametrize("name", ["bob/heart", "bob/my-heart"])
def test_a_request_of_ours_that_was_closed_long_ago_is_found(place: Place, name: str) -> None:
    bob, opened, _ = place.proposal()
    place.forge.find("bob/heart").path = name
    bob.close_request(SLUG, opened)
    first = place.forge.pulls[0]
    place.forge.pulls += [replace(first, number=number, branch=f"submit/{number}") for number in range(2, 90)]
    fork = bob.find_fork(SLUG, "bob")
    assert fork is not None
    assert [(one.number, one.state, one.source) for one in bob.requests_of(SLUG, BRANCH)] == [
        (1, State.CLOSED, fork.slug)
    ]


def test_a_pull_request_from_a_fork_is_opened_found_changed_and_closed(place: Place) -> None:
    bob, opened, commit = place.proposal()
    assert (opened.number, opened.branch, opened.commit, opened.source) == (1, BRANCH, commit, "bob/heart")
    assert (opened.author, opened.state, opened.title, opened.body) == ("bob", State.OPEN, WORDS.title, WORDS.body)
    assert opened.url.startswith(place.forge.url)
    assert place.forge.ref(place.registry, opened.ref) == commit
    assert bob.requests_of(SLUG, BRANCH) == [opened]
    assert [one.number for one in place.login("").open_requests(SLUG, 500)] == [1]
    bob.edit_request(SLUG, opened, Words("Another", "Body"))
    assert [(one.title, one.body) for one in bob.requests_of(SLUG, BRANCH)] == [("Another", "Body")]
    bob.close_request(SLUG, opened)
    assert [one.state for one in bob.requests_of(SLUG, BRANCH)] == [State.CLOSED]
    assert bob.open_requests(SLUG, 500) == []


def test_the_same_branch_is_not_opened_twice(place: Place) -> None:
    bob, opened, _ = place.proposal()
    fork = bob.find_fork(SLUG, "bob")
    assert fork is not None
    assert fault_of(lambda: bob.open_request(SLUG, fork, BRANCH, WORDS)).status == 409
    assert [one.number for one in bob.requests_of(SLUG, BRANCH)] == [opened.number]


def test_a_branch_of_the_registry_itself_is_opened_and_found(place: Place) -> None:
    ana = place.login("ana")
    place.commit(place.registry, BRANCH, "own")
    own = ana.repository(SLUG)
    assert own is not None
    opened = ana.open_request(SLUG, own, BRANCH, WORDS)
    assert opened.source == SLUG
    assert ana.requests_of(SLUG, BRANCH) == [opened]


def test_requests_of_several_forks_with_one_branch_are_all_found(place: Place) -> None:
    _, first, _ = place.proposal()
    eve = place.login("eve")
    fork = eve.fork(SLUG)
    place.commit(place.forge.find(fork.slug), BRANCH, "other")
    second = eve.open_request(SLUG, fork, BRANCH, WORDS)
    assert [(one.number, one.source) for one in eve.requests_of(SLUG, BRANCH)] == [
        (second.number, "eve/heart"),
        (first.number, "bob/heart"),
    ]


def test_what_a_stranger_opened_and_closed_a_hundred_times_hides_nothing_that_is_open(place: Place) -> None:
    bob, first, _ = place.proposal()
    eve = place.login("eve")
    fork = eve.fork(SLUG)
    place.commit(place.forge.find(fork.slug), BRANCH, "other")
    eve.open_request(SLUG, fork, BRANCH, WORDS)
    opened = place.forge.pulls[-1]
    place.forge.close(opened, by="eve")
    place.forge.pulls += [replace(opened, number=opened.number + one) for one in range(1, 120)]
    assert first in bob.requests_of(SLUG, BRANCH)


def test_the_branch_is_known_after_it_was_deleted(place: Place) -> None:
    bob, opened, _ = place.proposal()
    fork = place.forge.find("bob/heart")
    place.forge.git(fork.folder, "update-ref", "-d", f"refs/heads/{BRANCH}")
    assert [(one.number, one.branch) for one in bob.requests_of(SLUG, BRANCH)] == [(opened.number, BRANCH)]


def test_a_merge_makes_a_merge_commit_of_exactly_the_judged_head(place: Place) -> None:
    _, opened, commit = place.proposal()
    ana = place.login("ana")
    before = place.forge.ref(place.registry, "refs/heads/main")
    ana.merge_request(SLUG, opened, commit, Words("Merge it", "Add a model"))
    parents = place.forge.git(place.registry.folder, "log", "-1", "--format=%P%n%B", "main").splitlines()
    assert parents[:2] == [f"{before} {commit}", "Merge it"]
    assert [one.state for one in ana.requests_of(SLUG, BRANCH)] == [State.MERGED]
    assert place.forge.ref(place.forge.find("bob/heart"), f"refs/heads/{BRANCH}") == commit


def test_a_head_that_moved_is_not_merged(place: Place) -> None:
    _, opened, commit = place.proposal()
    place.commit(place.forge.find("bob/heart"), BRANCH, "more")
    ana = place.login("ana")
    assert fault_of(lambda: ana.merge_request(SLUG, opened, commit, WORDS)).status == 409
    assert [one.state for one in ana.requests_of(SLUG, BRANCH)] == [State.OPEN]


def test_a_merge_that_may_not_be_ours_is_a_fault_of_405(place: Place) -> None:
    bob, opened, commit = place.proposal()
    assert fault_of(lambda: bob.merge_request(SLUG, opened, commit, WORDS)).status == 405


def test_a_request_that_the_forge_still_looks_at_is_to_be_merged_later(place: Place) -> None:
    place.forge.slow_check = 2
    _, opened, commit = place.proposal()
    ana = place.login("ana")
    assert fault_of(lambda: ana.merge_request(SLUG, opened, commit, WORDS)).status == 425


def test_comments_are_added_read_and_changed(place: Place) -> None:
    bob, opened, _ = place.proposal()
    bob.add_comment(SLUG, opened, "first")
    place.login("ana").add_comment(SLUG, opened, "second")
    there = bob.comments(SLUG, opened)
    assert [(one.author, one.text) for one in there] == [("bob", "first"), ("ana", "second")]
    bob.edit_comment(SLUG, opened, there[0], "changed")
    assert [one.text for one in bob.comments(SLUG, opened)] == ["changed", "second"]
    assert fault_of(lambda: bob.edit_comment(SLUG, opened, there[1], "mine")).status == 403


@pytest.mark.parametrize(
    ("gitlab_says", "forgejo_says", "means"),
    [
        ("", "", Checks.NONE),
        ("running", "pending", Checks.RUNNING),
        ("success", "success", Checks.PASSED),
        ("failed", "failure", Checks.FAILED),
        ("canceled", "error", Checks.FAILED),
    ],
)
def test_the_verdict_is_that_of_the_judge(place: Place, gitlab_says: str, forgejo_says: str, means: Checks) -> None:
    bob, opened, _ = place.proposal()
    place.forge.pulls[0].check = gitlab_says if place.host is Host.GITLAB else forgejo_says
    assert bob.checks(SLUG, opened) is means


def test_long_listings_are_read_page_by_page_up_to_the_limit(place: Place) -> None:
    bob, _, _ = place.proposal()
    first = place.forge.pulls[0]
    place.forge.pulls += [replace(first, number=number, branch=f"submit/{number}") for number in range(2, 232)]
    assert [one.number for one in bob.open_requests(SLUG, 500)] == list(range(231, 0, -1))
    assert len(bob.open_requests(SLUG, 120)) == 120


def test_no_redirect_is_followed_and_no_token_leaves(place: Place, tmp_path: Path) -> None:
    face = FACES[place.host](tmp_path / "other", TestClock())
    (tmp_path / "other").mkdir()
    with serving(face.forge, face, tmp_path / "other") as other:
        place.forge.override = lambda asked: Answer(302, None, {"Location": f"{other.url}{asked.path}"})
        bob = place.login("bob")
        faults = [fault_of(bob.me), fault_of(lambda: bob.repository(SLUG)), fault_of(lambda: bob.fork(SLUG))]
        assert [one.cause for one in faults] == [Cause.REDIRECT] * 3
        assert faults[0].said == other.url.removeprefix("https://")
        assert other.asked == []


def test_a_link_to_a_next_page_elsewhere_is_not_followed(place: Place, tmp_path: Path) -> None:
    bob, _, _ = place.proposal()
    seen: list[Asked] = []

    def linked(asked: Asked) -> Answer | None:
        seen.append(asked)
        elsewhere = '<https://elsewhere.invalid/api?page=2>; rel="next"'
        return Answer(200, [], {"Link": elsewhere, "X-Next-Page": "2", "X-Total-Count": "900"})

    place.forge.override = linked
    assert bob.open_requests(SLUG, 500) == []
    assert {one.headers["host"] for one in seen} == {place.forge.url.removeprefix("https://")}


@pytest.mark.parametrize("answer", [{}, [], "text", 7, None, [1], {"id": {}}], ids=repr)
def test_an_answer_of_another_form_is_a_fault(place: Place, answer: object) -> None:
    bob, opened, commit = place.proposal()
    fork = Repository("bob/heart", "bob/heart.git", may_push=True)
    place.forge.override = lambda _: Answer(200, answer)
    calls: list[Callable[[], object]] = [
        bob.me,
        lambda: bob.repository(SLUG),
        lambda: bob.fork(SLUG),
        lambda: bob.open_request(SLUG, fork, BRANCH, WORDS),
    ]
    assert {fault_of(call).cause for call in calls} == {Cause.GARBLED}
    for call in (
        lambda: bob.find_fork(SLUG, "bob"),
        lambda: bob.open_requests(SLUG, 10),
        lambda: bob.requests_of(SLUG, BRANCH),
        lambda: bob.comments(SLUG, opened),
        lambda: bob.checks(SLUG, opened),
        lambda: bob.merge_request(SLUG, opened, commit, WORDS),
    ):
        try:
            call()
        except Fault as fault:
            assert fault.cause is Cause.GARBLED  # noqa: PT017  (an empty listing is no fault)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
def test_a_refusal_is_a_fault_with_its_status_words_and_headers_and_is_asked_once(place: Place, status: int) -> None:
    bob, opened, _ = place.proposal()
    seen: list[str] = []

    def refuse(asked: Asked) -> Answer:
        seen.append(asked.path)
        return Answer(status, {"message": "not now"}, {"Retry-After": "3"})

    place.forge.override = refuse
    for call in (bob.me, lambda: bob.fork(SLUG), lambda: bob.comments(SLUG, opened)):
        seen.clear()
        fault = fault_of(call)
        assert (fault.cause, fault.status, fault.said) == (Cause.STATUS, status, "not now")
        assert fault.headers["retry-after"] == "3"
        assert len(seen) == 1


def test_a_netrc_file_has_no_say(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password token-of-eve\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    place.forge.sign_up("eve")
    assert place.login("bob").me().name == "bob"
    place.login("").repository(SLUG)
    assert "authorization" not in place.forge.asked[-1].headers


def test_another_authority_variable_does_not_go_before_ours(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/bundle.pem")
    assert place.login("bob").me().name == "bob"


def test_a_certificate_that_is_not_trusted_is_a_fault(place: Place) -> None:
    stranger = ADAPTERS[place.host].open(place.address, place.forge.sign_up("bob"), {})
    assert fault_of(stranger.me).cause is Cause.TLS


def test_the_kind_of_host_is_found_by_asking(place: Place) -> None:
    assert find_host(f"{place.forge.url}/{SLUG}.git", place.environ) is place.host


def test_a_described_forge_refuses_what_is_not_described(place: Place) -> None:
    bob = place.login("bob")
    fork = bob.fork(SLUG)
    place.commit(place.forge.find(fork.slug), BRANCH, "model")
    wrong = Words(7, "body")  # type: ignore[arg-type]  (that is the point)
    assert fault_of(lambda: bob.open_request(SLUG, fork, BRANCH, wrong)).status == 400
    assert "title is 7" in place.forge.wrong.pop()


def test_a_project_in_a_group_of_a_group_is_reached_and_forked(tmp_path: Path) -> None:
    face = gitlab(tmp_path / "forge", TestClock())
    (tmp_path / "forge").mkdir()
    with serving(face.forge, face, tmp_path) as forge:
        place = Place(Host.GITLAB, forge, forge.create("clinics/north/heart"))
        place.commit(place.registry, "main", "genesis")
        bob = place.login("bob")
        assert bob.repository("clinics/north/heart") == Repository(
            "clinics/north/heart", "clinics/north/heart.git", may_push=False
        )
        fork = forge.fork(place.registry, "bob")
        fork.path = "bob/heart"
        found = bob.find_fork("clinics/north/heart", "bob")
        assert found is not None
        assert found.slug == "bob/heart"


def test_quick_actions_of_gitlab_are_defused(tmp_path: Path) -> None:
    from medperf_git.forge.gitlab import _plain  # noqa: PLC0415

    assert _plain("fine\n/close\n  /merge\na/b") == "fine\n&#47;close\n  &#47;merge\na/b"
