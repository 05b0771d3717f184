"""registry_spec/statement.md: its constants are ours and its worked example runs."""

import re
import subprocess
from pathlib import Path

import pytest

from medperf_git.signing.bundle import BUNDLE_LIMIT, MEDIA_TYPE, PAYLOAD_TYPE, make_bundle
from medperf_git.signing.statement import PAYLOAD_LIMIT, PREDICATE_TYPE, STATEMENT_TYPE

from .conftest import RECORD

PAGE = (Path(__file__).parents[3] / "registry_spec" / "statement.md").read_text()


@pytest.mark.parametrize(
    "constant", [PREDICATE_TYPE, STATEMENT_TYPE, MEDIA_TYPE, PAYLOAD_TYPE, str(BUNDLE_LIMIT), str(PAYLOAD_LIMIT)]
)
def test_the_page_states_the_constant(constant):
    assert constant in PAGE


def test_the_bundle_on_the_page_is_the_one_we_make(statement, ana):
    (shown,) = re.findall(r"```json\n(.*\n)```", PAGE)
    assert shown.encode() == make_bundle(statement, ana)
    assert ana.public.openssh in PAGE
    assert ana.public.short in PAGE


def test_the_commands_on_the_page_verify_the_example(statement, ana, tmp_path):
    (tmp_path / "0001.yaml").write_bytes(RECORD)
    (tmp_path / "b.json").write_bytes(make_bundle(statement, ana))
    (tmp_path / "key.pub").write_text(ana.public.openssh + "\n")
    commands = re.findall(r"^ {7}(\S.*)$", PAGE.partition("## By hand")[2], flags=re.MULTILINE)
    assert len(commands) == 12
    script = "set -e\n" + "\n".join(commands)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.count(ana.public.fingerprint) == 3
    assert "Signature Verified Successfully" in done.stdout
    assert done.stdout.count(statement.digest.removeprefix("sha256:")) == 2
