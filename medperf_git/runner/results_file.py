"""Read what a metrics container or a statistics task wrote: one YAML or JSON file, hostile until read (T24)."""

from pathlib import Path
from typing import Any

from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.reduce import InvalidOutput

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_USUAL = ("results.yaml", "results.yml", "results.json", "statistics.yaml", "statistics.yml", "statistics.json")
MAX_BYTES = 16 * 1024 * 1024


def read_results(path: Path) -> Any:
    """Return the content of a results file, or of the one in a folder; InvalidOutput says what is wrong with it."""
    file = _the_file(path)
    if file.stat().st_size > MAX_BYTES:
        raise InvalidOutput(f"the results file has more than {MAX_BYTES} bytes")
    try:
        content = load_foreign_yaml(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except Unreadable as error:
        raise InvalidOutput(f"the results file cannot be read: {error}") from error
    if content in (None, {}, []):
        raise InvalidOutput("the results file is empty")
    return content


def _the_file(path: Path) -> Path:
    if path.is_file():
        return path
    found = [entry for entry in sorted(path.rglob("*")) if entry.is_file() and entry.suffix.lower() in _SUFFIXES]
    usual = [entry for entry in found if entry.parent == path and entry.name.lower() in _USUAL]
    if len(usual) == 1 or len(found) == 1:
        return (usual or found)[0]
    raise InvalidOutput(
        "the container wrote no results file" if not found else f"{len(found)} files could be the results"
    )
