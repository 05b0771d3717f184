"""The documentation as a site: every page is in it, and a link that leads nowhere stops it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


docs = script("build_docs")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pages in a repository of their own, and a file that is no page."""
    pages = {
        "docs/README.md": "# Home\n\n[Two](two.md#a-part)\n",
        "docs/two.md": "# Two\n\n## A part\n\n[code](../code.py)\n",
    }
    for name, text in {**pages, "code.py": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(docs, "NAVIGATION", {"All": ("docs/README.md", "docs/*.md")})
    return tmp_path


def test_every_page_of_the_repository_for_readers_is_in_the_navigation() -> None:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    meant = {
        name for name in listed.split() if re.match(r"docs/|registry_spec/[^/]+$|SECURITY|CONTRIBUTING|CHANGELOG", name)
    }
    assert meant <= set(docs.Pages.found(ROOT).places)


def test_a_link_to_a_page_stays_in_the_site_and_one_to_a_file_leads_to_the_source(small: Path) -> None:
    docs.stage(small / "staged", small)
    assert "[Two](two.md#a-part)" in (small / "staged/pages/index.md").read_text(encoding="utf-8")
    assert f"[code]({docs.SOURCE}/blob/main/code.py)" in (small / "staged/pages/two.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "said"),
    [("three.md", r"docs/two\.md: three\.md leads nowhere"), ("README.md#no-such-part", "anchor does not exist")],
)
def test_a_link_that_leads_nowhere_stops_the_build_and_leaves_the_old_site(small: Path, link: str, said: str) -> None:
    out = small / "site"
    out.mkdir()
    (out / "index.html").write_text("the old one", encoding="utf-8")
    with (small / "docs/two.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[broken]({link})\n")
    with pytest.raises(docs.BrokenPageError, match=said):
        docs.build(out, small)
    assert (out / "index.html").read_text(encoding="utf-8") == "the old one"


def test_a_picture_beside_a_page_comes_with_it(small: Path) -> None:
    (small / "examples").mkdir()
    (small / "examples/it.png").write_bytes(b"picture")
    (small / "docs/two.md").write_text("# Two\n\n## A part\n\n![It](../examples/it.png)\n", encoding="utf-8")
    docs.stage(small / "staged", small)
    assert "![It](examples/it.png)" in (small / "staged/pages/two.md").read_text(encoding="utf-8")
    assert (small / "staged/pages/examples/it.png").read_bytes() == b"picture"


def test_what_looks_like_a_link_within_code_is_left_alone(small: Path) -> None:
    (small / "docs/two.md").write_text("# Two\n\n`[a](b)`\n\n```text\n[c](d)\n```\n", encoding="utf-8")
    (small / "docs/README.md").write_text("# Home\n", encoding="utf-8")
    docs.stage(small / "staged", small)
    assert "`[a](b)`" in (small / "staged/pages/two.md").read_text(encoding="utf-8")


def test_blocks_say_who_types_them(small: Path) -> None:
    (small / "docs/README.md").write_text(
        "# Home\n\n<!-- executed: 7 amara -->\n```console\n$ ls\n```\n", encoding="utf-8"
    )
    docs.stage(small / "staged", small)
    assert '```console title="amara"\n$ ls' in (small / "staged/pages/index.md").read_text(encoding="utf-8")


def test_pages_write_links_in_one_way_only() -> None:
    for name in docs.Pages.found(ROOT).places:
        text = docs.CODE.sub("", (ROOT / name).read_text(encoding="utf-8"))
        assert not re.search(r"(?m)^\[[^\]]+\]:|\]\[[^\]]*\]|<(?:a|img)\s", text), name
