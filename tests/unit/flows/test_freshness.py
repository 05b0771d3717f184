"""The freeze attack (T07): a registry that promises freshness is not believed when notes stop, shrink or run ahead."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.flows.note_fetch import fetch_note
from medperf_git.signing.files import FileSigner
from medperf_git.signing.note import Checkpoint, make_note, read_note
from tests.support.people import Human, Town, write_key

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
ID = "mg1:" + "ab" * 32


class Site:
    """A web server on this machine with one page that tests may change."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (404, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, body = outer.answer
                self.send_response(code)
                if code in (301, 302):
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/checkpoint"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def notary(tmp_path: Path) -> FileSigner:
    write_key(tmp_path / "notes", "a key for notes alone")
    return FileSigner.load(tmp_path / "notes")


@pytest.fixture
def town(tmp_path: Path, site: Site, notary: FileSigner) -> Town:
    """A registry whose maintainer asked for notes, by hand, with what is in force as the draft."""
    town = Town(tmp_path / "town")
    ana = town.found("ana")
    town.join("bob")
    draft = tmp_path / "registry.yaml"
    ana.run("new", "registry", "--current", "--out", draft)
    checkpoint = f"checkpoint:\n  url: {site.url}\n  key: {notary.public.openssh}\n  max_age_days: 7\n"
    draft.write_text(draft.read_text(encoding="utf-8") + checkpoint, encoding="utf-8")
    assert "merged" in ana.run("submit", draft, "--yes").out
    return town


def publish(town: Town, site: Site, notary: FileSigner, *, ahead: int = 0, age: timedelta = timedelta(0)) -> None:
    steps = int(town.git("rev-list", "--first-parent", "--count", "main")) + ahead
    commit = "0" * 40 if ahead else town.main
    identity = town.founder.run("registry", "show", "--json").value["id"]
    note = make_note(Checkpoint(identity, steps, commit, town.clock.moment - age), notary)
    site.answer = (200, note)


def test_t07_a_fresh_note_is_said_and_a_registry_without_promises_nothing(
    town: Town, site: Site, notary: FileSigner, tmp_path: Path
) -> None:
    publish(town, site, notary)
    assert "fresh: a signed note of" in town.human("bob").run("sync").out
    other = Town(tmp_path / "other")
    assert "freshness not promised" in other.found("zoe").run("sync").out


def test_t07_a_stale_note_is_refused_with_its_age(town: Town, site: Site, notary: FileSigner) -> None:
    publish(town, site, notary, age=timedelta(days=8))
    said = town.human("bob").run("sync", code=5).err
    assert "the note of freshness is stale: 8 days old, at most 7 are allowed" in said


def test_t07_a_main_behind_what_was_published_is_refused(town: Town, site: Site, notary: FileSigner) -> None:
    publish(town, site, notary, ahead=2)
    assert "main is behind what was published" in town.human("bob").run("sync", code=5).err


def test_t07_a_note_that_went_back_or_names_another_main_is_refused(town: Town, site: Site, notary: FileSigner) -> None:
    bob = town.human("bob")
    publish(town, site, notary)
    bob.run("sync")
    publish(town, site, notary, ahead=-1)
    assert "the note of freshness went back" in bob.run("sync", code=5).err
    steps = int(town.git("rev-list", "--first-parent", "--count", "main"))
    identity = town.founder.run("registry", "show", "--json").value["id"]
    site.answer = (200, make_note(Checkpoint(identity, steps, "12" * 20, town.clock.moment), notary))
    assert "main is another than was published" in bob.run("sync", code=5).err


def test_t07_a_silent_host_is_forgiven_while_the_last_note_holds(town: Town, site: Site, notary: FileSigner) -> None:
    bob = town.human("bob")
    publish(town, site, notary)
    bob.run("sync")
    site.answer = (503, b"")
    assert "still holds" in bob.run("sync").out
    town.clock.moment += timedelta(days=8)
    assert "cannot be had" in bob.run("sync", code=3).err


def test_t60_the_checkpoint_key_signs_no_record_and_no_other_key_signs_notes(
    town: Town, site: Site, tmp_path: Path
) -> None:
    publish(town, site, FileSigner.load(town.human("bob").key))
    assert "is not signed by" in town.human("bob").run("sync", code=5).err
    zoe = town.human("zoe")
    said = zoe.run("join", town.url, "--as", "zoe", "--key", tmp_path / "notes", "--yes", code=5)
    assert "is not signed by" in said.err  # nobody gets in while the note is wrong


def test_the_site_is_published_with_its_note(town: Town, site: Site, tmp_path: Path) -> None:
    ana = town.human("ana")
    out = tmp_path / "site"
    ana.run("leaderboard", "build", "--repo", town.repository, "--out", out, "--checkpoint-key", tmp_path / "notes")
    site.answer = (200, (out / "checkpoint").read_bytes())
    assert "fresh: " in town.human("bob").run("sync").out
    said = ana.run("leaderboard", "build", "--repo", town.repository, "--out", out, "--checkpoint-key", ana.key, code=1)
    assert "names another key for its notes" in said.err


@pytest.mark.parametrize("answer", [(302, b""), (200, b"x" * 5000), (200, b"\xff\xfe"), (200, b""), (500, b"oops")])
def test_what_is_no_note_is_refused(site: Site, notary: FileSigner, answer: tuple[int, bytes]) -> None:
    site.answer = answer
    with pytest.raises((IntegrityBroken, EnvironmentProblem)):
        read_note(fetch_note(site.url), key=notary.public, registry=ID)


@pytest.mark.parametrize("url", ["http://example.org/checkpoint", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_note_is_fetched_by_https_alone(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="is no https address"):
        fetch_note(url)


def test_every_flipped_bit_of_a_note_is_noticed(notary: FileSigner) -> None:
    good = Checkpoint(ID, 12, "ab" * 20, AT)
    note = make_note(good, notary)
    assert read_note(note, key=notary.public, registry=ID) == good
    for place in range(len(note)):
        wrong = bytearray(note)
        wrong[place] ^= 1
        with pytest.raises(IntegrityBroken):
            read_note(bytes(wrong), key=notary.public, registry=ID)


def test_a_witness_signature_beside_ours_is_passed_over(notary: FileSigner) -> None:
    note = make_note(Checkpoint(ID, 12, "ab" * 20, AT), notary) + "— witness.example AAAAAAAA\n".encode()
    assert read_note(note, key=notary.public, registry=ID).steps == 12


def test_a_written_record_is_filled_checked_and_sent_and_wrong_ones_are_explained(
    town: Town, site: Site, notary: FileSigner, tmp_path: Path
) -> None:
    ana: Human = town.human("ana")
    publish(town, site, notary)
    draft = tmp_path / "again.yaml"
    ana.run("new", "registry", "--current", "--out", draft)
    text = draft.read_text(encoding="utf-8")
    draft.write_text(text.replace("title: heart", "title: Heart network"), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("# Ours\n", encoding="utf-8")
    said = ana.run("submit", draft, "--house-file", f"README.md={page}", "--yes")
    assert "merged" in said.out, said
    assert town.git("show", "main:README.md") == "# Ours"
    draft.write_text("kind: registry\nthreshold: many\n", encoding="utf-8")
    assert "is text, not integer" in ana.run("submit", draft, "--yes", code=1).err
    draft.write_text("kind: cube\n", encoding="utf-8")
    assert "by hand one submits: registry, member, policy" in ana.run("submit", draft, "--yes", code=2).err
