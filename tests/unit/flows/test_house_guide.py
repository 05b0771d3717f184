"""The settings guide and `doctor forge` say the same, and templates hold nothing that anything executes (T40, T41)."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from medperf_git.flows.house import PINS, PROPOSALS, house_files
from medperf_git.flows.house_forge import SETTINGS, TABLES, examine_forge
from medperf_git.flows.house_guide import GUIDES, PAGE
from medperf_git.forge.credentials import KEPT
from medperf_git.forge.host import Host
from medperf_git.records.layout import is_house_file
from tests.support.people import Human

HOSTS = sorted(GUIDES)
ENTRY = re.compile(r"(?m)^(\d+)\. \*\*(.+?)\*\*: (.+)\.\n   (.+)$")


def guide(host: Host) -> str:
    return house_files("Heart", host=host)[GUIDES[host]].decode()


def template(host: Host) -> str:
    return house_files("Heart", host=host)[PROPOSALS[host]].decode()


def test_every_kind_of_forge_has_a_guide() -> None:
    assert set(GUIDES) == set(TABLES) == set(KEPT)
    assert all(is_house_file(path) for path in (*GUIDES.values(), *PROPOSALS.values()))


@pytest.mark.parametrize("host", HOSTS)
def test_a_guide_lists_every_setting_that_the_doctor_looks_at_and_no_other(host: Host) -> None:
    page = "https://forge.example/ana/heart"
    remedies = {one.what: one.remedy for one in examine_forge(page, host, environ={})}
    entries = ENTRY.findall(guide(host))
    assert [int(number) for number, *_ in entries] == list(range(1, len(entries) + 1))
    assert [(what, why) for _, what, why, _ in entries] == [(one.what, one.why) for one in SETTINGS[host]]
    assert {what: where.replace(PAGE, page) for _, what, _, where in entries} == remedies
    assert len(re.findall(r"(?m)^\d+\. ", guide(host))) == len(entries)


@pytest.mark.parametrize("host", HOSTS)
def test_a_guide_names_the_command_that_looks_and_the_variable_of_its_token(host: Host) -> None:
    kind = "" if host is Host.GITHUB else f" --host {host.value}"
    assert f"\n    medperf-git doctor forge ADDRESS{kind}\n" in guide(host)
    assert f"`{KEPT[host].variables[0].name}`" in guide(host)


@pytest.mark.parametrize("host", sorted(PROPOSALS))
def test_a_new_proposal_says_what_happens_next_and_that_this_text_is_not_judged(host: Host) -> None:
    text = template(host)
    assert text.startswith("This text is for people. It is no part of what is judged")
    for told in ("The judge reads the files", "says whose", "What passes is merged", "medperf-git submit --resume"):
        assert told in text
    assert len(text.splitlines()) < 20


@pytest.mark.parametrize("host", sorted(set(GUIDES) - set(PROPOSALS)))
def test_where_the_text_of_proposals_is_no_house_file_the_guide_holds_it_and_says_so(host: Host) -> None:
    text = guide(host)
    assert "Nothing depends" in text
    for line in template(Host.GITHUB).splitlines():
        assert (f"    {line}" if line else "") in text.splitlines()


@pytest.mark.parametrize("host", HOSTS)
def test_t40_t41_templates_hold_no_executable_part(host: Host) -> None:
    for path, data in house_files("Heart", host=host).items():
        if not path.endswith(".md") or path == "README.md":
            continue
        text = data.decode()
        assert "${{" not in text
        assert not re.search(r"(?m)^\s*/\w|@\w|<[a-z!/]|- \[[ x]\]|javascript:", text), path
        tokens = MarkdownIt("commonmark").parse(text)
        kinds = {inner.type for token in tokens for inner in (token, *(token.children or []))}
        assert not kinds & {"html_block", "html_inline", "image", "link_open", "fence"}, path


@pytest.mark.parametrize("host", HOSTS)
def test_guides_and_templates_are_the_same_whatever_the_registry(host: Host) -> None:
    one, other = house_files("Heart", host=host, pins=b"a"), house_files("@all ${{ x }}", host=host, pins=b"b")
    assert {path for path in one if one[path] != other[path]} == {"README.md", *({PINS[host]} if host in PINS else ())}


def test_init_says_where_the_guide_is_and_only_where_there_is_one(tmp_path: Path) -> None:
    words = ("--title", "Heart", "--as", "ana", "--yes")
    ana = Human("ana", tmp_path / "ana")
    said = ana.run("init", tmp_path / "forge.git", "--name", "forge", *words, "--host", "gitlab").out
    assert "what to set at its host stands in .github/SETTINGS.md; `medperf-git doctor forge` looks at it" in said
    assert ana.workspace().view.blob(".github/SETTINGS.md") == guide(Host.GITLAB).encode()
    assert "SETTINGS.md" not in ana.run("init", tmp_path / "plain.git", "--name", "plain", *words).out
