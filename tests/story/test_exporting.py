"""`leaderboard export` as a reader types it: formats, places, the same bytes for everybody, and wrong words."""

import io
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from medperf_git.leaderboard.exporting.formats import FORMATS
from tests.support.people import Town
from tests.support.story import BENCHMARK, files_of


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_list_names_every_format_with_what_it_holds(shared_town: Town) -> None:
    reader = shared_town.human("east")
    told = reader.run("leaderboard", "export", "--list").out
    assert all(one.name in told and one.summary in told for one in FORMATS)
    listed = json.loads(reader.run("leaderboard", "export", "--list", "--json").out)
    assert [one["format"] for one in listed] == [one.name for one in FORMATS]


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_every_format_is_written_with_the_same_bytes_by_two_people(
    shared_town: Town, tmp_path: Path, name: str
) -> None:
    found = []
    for who, at in (("north", []), ("east", ["--at", shared_town.main])):
        out = tmp_path / who / "out"
        words = ["--benchmark", BENCHMARK, "--out", out, *at, "--json"]
        shared_town.human(who).run("sync")
        told = json.loads(shared_town.human(who).run("leaderboard", "export", name, *words).out)
        assert (told["format"], told["commit"], told["out"]) == (name, shared_town.main, str(out))
        found.append({"": out.read_bytes()} if out.is_file() else files_in(out))
        assert told["files"] == len(found[-1])
    assert found[0] == found[1]
    assert any(shared_town.main.encode() in data for data in found[0].values())


def test_the_crate_is_written_as_a_folder_or_as_one_archive_and_holds_the_records(
    shared_town: Town, tmp_path: Path
) -> None:
    reader = shared_town.human("east")
    for out in (tmp_path / "crate", tmp_path / "crate.zip"):
        reader.run("leaderboard", "export", "ro-crate", "--benchmark", BENCHMARK, "--out", out)
    archive = zipfile.ZipFile(io.BytesIO((tmp_path / "crate.zip").read_bytes()))
    files = files_in(tmp_path / "crate")
    assert {name: archive.read(name) for name in archive.namelist()} == files
    records = {name.removeprefix("records/"): data for name, data in files.items() if name.startswith("records/")}
    known = files_of(reader.workspace().view)
    assert records.items() <= known.items()
    assert any(name.startswith("results/") and name.endswith(".sigstore.json") for name in records)
    steps = int(shared_town.git("rev-list", "--count", "--first-parent", "main"))
    assert files["checkpoint.txt"].decode().splitlines()[1] == str(steps)


def test_a_single_file_goes_into_an_empty_folder_under_its_own_name(shared_town: Town, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    reader = shared_town.human("east")
    reader.run("leaderboard", "export", "citation", "--benchmark", BENCHMARK, "--out", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["CITATION.cff"]


def test_wrong_words_are_refused_with_what_to_do_and_nothing_is_written_over(shared_town: Town, tmp_path: Path) -> None:
    full, there = tmp_path / "full", tmp_path / "there"
    full.mkdir()
    (full / "note").write_text("mine", encoding="utf-8")
    there.write_text("mine", encoding="utf-8")
    new = tmp_path / "new"
    about = ("--benchmark", BENCHMARK)
    wrong = {
        ("parquet", *about, "--out", new): "there is no export format 'parquet'",
        ("citation", *about, "--out", full): "is not empty",
        ("citation", *about, "--out", there): "is there already",
        ("citation", *about, "--out", tmp_path / "x.zip"): "is not written as a zip archive",
        ("citation", *about, "--out", there / "below"): "could not be written",
        ("citation", "--out", new): "is about one benchmark",
        ("citation", "--benchmark", "dora/nothing", "--out", new): "dora/nothing",
        ("citation", *about, "--at", "elsewhere", "--out", new): "no branch or commit 'elsewhere'",
        ("citation", *about): "say where it goes",
        (): "say which format",
    }
    for words, message in wrong.items():
        code = 3 if "could not" in message else 2
        said = shared_town.human("east").run("leaderboard", "export", *words, code=code).err
        assert message in said
        assert "do now: " in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "there"]
    assert (full / "note").read_text(encoding="utf-8") == there.read_text(encoding="utf-8") == "mine"


def test_nothing_is_exported_from_a_commit_that_is_not_valid(town: Town, tmp_path: Path) -> None:
    reader = town.human("east")
    reader.run("sync")
    copy = reader.workspace().copy

    def git(*words: str) -> str:
        who = {f"GIT_{role}_{part}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        environ = {**os.environ, **who}
        done = subprocess.run(["git", "-C", copy, *words], capture_output=True, text=True, check=True, env=environ)
        return done.stdout.strip()

    older = git("rev-parse", f"{town.main}~1^{{tree}}")  # takes records away again
    bad = git("commit-tree", older, "-p", town.main, "-m", "x")
    words = ("citation", "--benchmark", BENCHMARK, "--at", bad, "--out", tmp_path / "new")
    said = reader.run("leaderboard", "export", *words, code=5).err
    assert f"commit {bad[:12]} is not valid; nothing is exported from it" in said
    assert not (tmp_path / "new").exists()
