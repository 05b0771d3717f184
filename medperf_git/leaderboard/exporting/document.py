"""Values → the bytes of a file: JSON, JSON that may stand inside a page, and the account every export ends with.

Rules kept here: keys stand in a fixed order; what a page could take for the end of a script element is escaped.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from medperf_git import __version__
from medperf_git.leaderboard.cell_files import render_json
from medperf_git.leaderboard.exporting.formats import format_named
from medperf_git.leaderboard.exporting.release import Evidence, LeftOut, Origin

MANIFEST = "export.json"
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None, "" or an empty list: absent is absent."""
    return {key: inner for key, inner in value.items() if inner not in (None, "", [], ())}


def script_json(value: object) -> str:
    """Write JSON that may stand in a `<script type="application/ld+json">`: nothing in it ends the element.

    The result is still JSON and reads back equal. HTML 4.12.1: such an element is a data block, never executed.
    """
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).translate(_IN_SCRIPT)


def render_script_json(value: object) -> bytes:
    """Write `script_json` as a file."""
    return (script_json(value) + "\n").encode()


def render_manifest(
    name: str,
    origin: Origin,
    *,
    benchmark: str,
    records: Iterable[Evidence],
    out: Iterable[LeftOut],
) -> bytes:
    """Say which commit and records an export rests on, and what is no part of it, with reasons."""
    return render_json(
        {
            "format": 1,
            "made_by": f"medperf-git leaderboard export {name}",
            "version": __version__,
            "standard": format_named(name).standard,
            "registry": {"id": origin.registry_id, "name": origin.registry_name, "title": origin.registry_title},
            "commit": origin.commit,
            "step_time": origin.step_time,
            "benchmark": benchmark or None,
            "records": [{"path": record.path, "digest": record.digest} for record in records],
            "left_out": [
                without_empty({"kind": one.kind, "subject": one.subject, "reason": one.reason, "path": one.path})
                for one in out
            ],
        }
    )


def rests_on(origin: Origin) -> str:
    """Say in one line which commit of which registry a file was made from."""
    return f"registry {origin.registry_id}, commit {origin.commit}"
