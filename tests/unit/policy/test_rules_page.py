"""The page of rules says what the program does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_rules_is_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "rules-docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
