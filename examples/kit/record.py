"""Keep a run that was really played: its registry as a Git bundle, what it was played with, and its site where asked.

    python examples/kit/record.py pilots-out examples/chest-xray/results --benchmark xray-committee/chest-xray \\
        --data "All images are synthetic; sites and laboratories are made up." --site

Play it in a folder whose name may be published: the address of the demo data in the benchmark's record is in it.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from story import PROGRAM


def main() -> None:
    """Write registry.bundle, recorded.json and, where asked, site/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("played", type=Path, help="the folder in which the story was played")
    parser.add_argument("out", type=Path, help="where to keep it")
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--data", required=True, help="what the data are, in one sentence")
    parser.add_argument("--site", action="store_true", help="keep the leaderboard as well")
    arguments = parser.parse_args()
    registry = arguments.played / "registry.git"
    arguments.out.mkdir(parents=True, exist_ok=True)
    bundle = arguments.out.resolve() / "registry.bundle"
    subprocess.run(["git", "--git-dir", registry, "bundle", "create", "-q", bundle, "main"], check=True)
    played = int(said("git", "--git-dir", str(registry), "log", "-1", "--format=%ct", "main"))
    program = said(str(PROGRAM), "--version").replace(", version", "")
    told = {
        "registry": registry_id(arguments.played),
        "benchmark": arguments.benchmark,
        "played": f"{datetime.fromtimestamp(played, UTC):%-d %B %Y}",
        "machine": f"a machine with {os.cpu_count()} processors ({platform.machine()}) and {system()}",
        "software": f"{program}, Python {platform.python_version()} and Docker {engine()}",
        "data": arguments.data,
    }
    (arguments.out / "recorded.json").write_text(
        json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if arguments.site:
        shutil.rmtree(arguments.out / "site", ignore_errors=True)
        shutil.copytree(arguments.played / "site", arguments.out / "site")
    print(f"kept in {arguments.out}: {told['registry']}")


def registry_id(played: Path) -> str:
    """Return the id that the reader of the story holds the registry to."""
    home = {**os.environ, "MEDPERF_GIT_HOME": str(played.resolve() / "people/reader/state")}
    return str(json.loads(said(str(PROGRAM), "registry", "ls", "--json", env=home))[0]["id"])


def system() -> str:
    """Return the name of the system this runs on."""
    return f"{platform.freedesktop_os_release()['PRETTY_NAME'].replace('GNU/Linux ', '')}"


def engine() -> str:
    """Return the version of the container engine."""
    return said("docker", "version", "--format", "{{.Server.Version}}")


def said(*words: str, env: dict[str, str] | None = None) -> str:
    """Return what a program prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, env=env).stdout.strip()


if __name__ == "__main__":
    main()
