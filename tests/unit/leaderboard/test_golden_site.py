"""The site of the demo's registry is, byte for byte, the one that was last looked at and kept."""

import difflib
from pathlib import Path

from tests.support import golden_site


def test_the_site_of_the_demo_is_the_golden_one_byte_for_byte(tmp_path: Path) -> None:
    built, kept = golden_site.build(tmp_path), golden_site.files_under(golden_site.GOLDEN)
    changed = [name for name in sorted({*built, *kept}) if built.get(name) != kept.get(name)]
    told = [
        f"{len(changed)} of {len(kept)} files differ. If that is meant: {golden_site.COMMAND}, then look at git diff"
    ]
    for name in changed[:3]:
        sides = [files.get(name, b"").decode(errors="replace").splitlines() for files in (kept, built)]
        told += list(difflib.unified_diff(*sides, f"kept/{name}", f"built/{name}", lineterm="", n=1))[:40]
    assert not changed, "\n".join([*told, *changed])


def test_the_golden_site_is_small_and_each_of_its_files_is_under_a_megabyte() -> None:
    kept = golden_site.files_under(golden_site.GOLDEN)
    assert sum(map(len, kept.values())) < 3_000_000
    assert max(map(len, kept.values())) < 1_000_000
    assert {"index.html", "index.json"} <= set(kept)
