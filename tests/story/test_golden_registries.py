"""Registries live for ever: those that earlier versions made are still valid, and give the same results."""

import re
import subprocess
from pathlib import Path

import pytest

from medperf_git.registry.bare import protect
from tests.support.people import Human, git_environ

FOLDER = Path(__file__).parents[2] / "registry_spec/vectors/registries"
ROWS = re.findall(r"\| `(\S+\.bundle)` \| [^|]+ \| `(mg1:[0-9a-f]{64})` \|", (FOLDER / "README.md").read_text())


def test_every_bundle_is_listed() -> None:
    assert {name for name, _ in ROWS} == {path.name for path in FOLDER.glob("*.bundle")}


@pytest.mark.parametrize(("name", "identity"), ROWS)
def test_a_registry_of_an_earlier_version_stands_an_audit(tmp_path: Path, name: str, identity: str) -> None:
    url = tmp_path / "eval.git"
    clone = ["git", "clone", "-q", "--bare", str(FOLDER / name), str(url)]
    subprocess.run(clone, check=True, env=git_environ(), capture_output=True)
    reader = Human("reader", tmp_path / "reader")
    reader.clock.moment = reader.clock.moment.replace(year=2027)
    reader.run("registry", "add", f"{url}#{identity}")
    audited = reader.run("audit", "--json").value
    assert (audited["id"], audited["stopped"], audited["set_aside"]) == (identity, None, [])
    assert audited["steps"] > 20
    results = reader.run("result", "ls", "--json").value
    assert [row["state"] for row in results].count("live") == 12
    reader.run("leaderboard", "build", "--out", tmp_path / "site")


@pytest.mark.parametrize(("name", "identity"), ROWS)
def test_a_registry_of_an_earlier_version_proves_to_a_light_copy_who_decides(
    tmp_path: Path, name: str, identity: str
) -> None:
    url = tmp_path / "eval.git"
    clone = ["git", "clone", "-q", "--bare", str(FOLDER / name), str(url)]
    subprocess.run(clone, check=True, env=git_environ(), capture_output=True)
    protect(url)
    reader = Human("reader", tmp_path / "reader")
    reader.clock.moment = reader.clock.moment.replace(year=2027)
    assert reader.run("registry", "add", f"{url}#{identity}", "--light", "--json").value["light"] is True
    results = reader.run("result", "ls", "--json").value
    assert [row["state"] for row in results].count("live") == 12
