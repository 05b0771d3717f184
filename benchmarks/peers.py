"""The programs we are compared with, installed by the bench itself, each in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import ROOT, cache_folder
from benchmarks.registry import Made

_PYTHON_PEERS = ("check-jsonschema", "PyYAML", "jsonschema")
_TABLE_PEERS = ("pandas", "duckdb", "PyYAML")
_NODE_PEERS = ("ajv-cli@5", "ajv-formats@3")

# What somebody would write in ten lines: libyaml where it is there, one validator for all files.
_SCRIPT = """
import json, pathlib, sys
import jsonschema, yaml
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
validator = jsonschema.Draft202012Validator(json.loads(pathlib.Path(sys.argv[1]).read_text()))
wrong = 0
for path in pathlib.Path(sys.argv[2]).rglob("*.yaml"):
    with path.open("rb") as file:
        wrong += not validator.is_valid(yaml.load(file, loader))
sys.exit(bool(wrong))
"""


def check_jsonschema(schema: Path, *files: Path) -> list[str]:
    """Return its command line; files by the thousand go through `xargs`, as they must."""
    return [str(_venv() / "bin" / "check-jsonschema"), "--schemafile", str(schema), *map(str, files)]


def check_jsonschema_all(schema: Path, folder: Path) -> list[str]:
    """Return the command line that checks every YAML file below a folder."""
    program = str(_venv() / "bin" / "check-jsonschema")
    return ["sh", "-c", f'find "$1" -name "*.yaml" | xargs {program} --schemafile "$2"', "sh", str(folder), str(schema)]


def script(schema: Path, folder: Path) -> list[str]:
    """Return the command line of the PyYAML and jsonschema script."""
    return [str(_venv() / "bin" / "python"), "-c", _SCRIPT, str(schema), str(folder)]


def ajv(schema: Path, folder: Path) -> list[str]:
    """Return the command line of ajv-cli over every YAML file below a folder, or nothing without npm."""
    if shutil.which("npm") is None:
        return []
    home = cache_folder() / "npm"
    program = home / "node_modules" / ".bin" / "ajv"
    if not program.exists():
        subprocess.run(["npm", "install", "--silent", "--prefix", str(home), *_NODE_PEERS], check=True)
    known = ["--spec=draft2020", "--strict=false", "-c", str(home / "node_modules" / "ajv-formats")]
    return [str(program), "validate", *known, "-s", str(schema), "-d", f"{folder}/**/*.yaml"]


def schema_of(kind: str) -> Path:
    """Return the file of a schema of this checkout."""
    return ROOT / "schemas" / f"{kind}.1.json"


def files_of(made: Made, kind: str = "results") -> Path:
    """Write the records below one folder of main as files, once, and return where: our peers know no Git."""
    folder = made.path.parent / f"files-{kind}"
    if not folder.exists():
        fresh = folder.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        with subprocess.Popen(
            ["git", "-C", str(made.path), "archive", "main", kind], stdout=subprocess.PIPE
        ) as archive:
            subprocess.run(["tar", "-x", "-C", str(fresh), "--wildcards", "*.yaml"], stdin=archive.stdout, check=True)
        fresh.rename(folder)
    return folder


def tables_script(program: str, *arguments: object) -> list[str]:
    """Return the command line of a Python program that may use pandas, DuckDB and PyYAML."""
    return [str(_venv("venv-tables", _TABLE_PEERS) / "bin" / "python"), "-c", program, *map(str, arguments)]


def _venv(name: str = "venv", packages: tuple[str, ...] = _PYTHON_PEERS) -> Path:
    venv = cache_folder() / name
    done = venv / "done.json"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        subprocess.run(
            [str(venv / "bin" / "pip"), "install", "--quiet", *packages], check=True, stderr=subprocess.DEVNULL
        )
        done.write_text(json.dumps(packages), encoding="utf-8")
    return venv
