"""Write the lock of the judge, requirements/judge.lock: what a registry's workflows install, each file by its hash.

It ships in the wheel, and `init` copies it into registries that a forge judges. It holds wheels for Linux only
(x86_64 and aarch64, Python 3.11 to 3.14) and no test tools, so that it stays far below the 64 KiB of a house file.

judge-lock.py PYLOCK… >requirements/judge.lock     # each PYLOCK is `uv pip compile --format pylock.toml` of a system
"""

import sys
import tomllib
from pathlib import Path

HEAD = "# Made by `make lock`. What judges a registry; every file is checked against its hash.\n"


def main() -> int:
    """Merge the locks of the platforms; 1 when they do not agree on a version."""
    hashes: dict[tuple[str, str], set[str]] = {}
    for name in sys.argv[1:]:
        for package in tomllib.loads(Path(name).read_text(encoding="utf-8"))["packages"]:
            found = hashes.setdefault((package["name"], package["version"]), set())
            found |= {wheel["hashes"]["sha256"] for wheel in package["wheels"]}
    names = [name for name, _ in hashes]
    if twice := {name for name in names if names.count(name) > 1}:
        print(f"two versions of {', '.join(sorted(twice))}", file=sys.stderr)
        return 1
    sys.stdout.write(HEAD)
    for (name, version), known in sorted(hashes.items()):
        print(" \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{digest}" for digest in sorted(known))]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
