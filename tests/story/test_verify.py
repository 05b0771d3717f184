"""`verify` and the shell script agree on a merged result, and on one flipped byte of its record, bundle or key."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.people import Town, write_key
from tests.support.story import RESULT, Clone

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify-result.sh"
SPREAD = 9


class Copy:
    """A result as somebody downloaded it: the record, its bundle and the key of its signer, to be changed."""

    def __init__(self, town: Town, clone: Clone, folder: Path) -> None:
        self.town = town
        self.record = clone.folder / RESULT
        (self.bundle,) = self.record.parent.glob("0001.yaml.*.sigstore.json")
        self.key = folder / "north.pub"
        self.key.write_text(town.human("north").signer().public.openssh + " north\n", encoding="utf-8")
        self.id = town.founder.run("registry", "show", "--json").value["id"]

    def by_script(self) -> subprocess.CompletedProcess[str]:
        command = ["bash", SCRIPT, self.record, self.bundle, self.key, self.id]
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)

    def by_member(self, code: int) -> str:
        said = self.town.human("east").run("verify", self.record, code=code)
        return said.err if code else said.out

    def by_stranger(self, code: int) -> str:
        said = self.town.human("zoe").run("verify", self.record, "--key", self.key, code=code)
        return said.err if code else said.out

    def refused_by_all(self, *, member: bool = True) -> None:
        """Assert that everybody refuses, with a reason."""
        done = self.by_script()
        assert done.returncode == 1, done
        assert len(done.stderr.removeprefix("NOT VERIFIED: ").split()) > 3, done.stderr
        for say in (self.by_stranger, *([self.by_member] if member else [])):
            said = say(5)
            assert said.startswith("error: "), said
            assert "do now: " in said


@pytest.fixture
def copy(town: Town, clone: Clone, tmp_path: Path) -> Copy:
    return Copy(town, clone, tmp_path)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_a_merged_result_verifies_by_file_by_path_by_digits_without_a_registry_and_by_the_script(copy: Copy) -> None:
    east = copy.town.human("east")
    digits = east.run("result", "ls", "--json").value[0]["result"]
    for name in (copy.record, RESULT, digits):
        told = east.run("verify", name, "--json").value
        assert told["path"] == RESULT
        assert [signer["member"] for signer in told["signers"]] == ["north"]
        assert told["commit"] == copy.town.main
    assert "this is what was signed" in copy.by_member(0)
    assert "this is what was signed" in copy.by_stranger(0)
    done = copy.by_script()
    assert done.returncode == 0, done.stderr
    assert f"VERIFIED: {RESULT}, signed by north" in done.stdout


@pytest.mark.parametrize("which", ["record", "bundle"])
def test_one_flipped_bit_anywhere_in_record_or_bundle_is_refused_by_all(copy: Copy, which: str) -> None:
    path: Path = getattr(copy, which)
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // SPREAD):
        flip(path, place)
        copy.refused_by_all()
        path.write_bytes(whole)
    assert copy.by_script().returncode == 0


def test_another_key_is_refused_by_all(copy: Copy, tmp_path: Path) -> None:
    other = write_key(tmp_path / "other", "somebody else")
    copy.key.write_text(other.openssh + "\n", encoding="utf-8")
    copy.refused_by_all(member=False)
    said = copy.town.human("east").run("verify", copy.record, "--key", copy.key, code=5)
    assert "do now: " in said.err


def test_one_changed_digit_is_named_with_its_line(copy: Copy) -> None:
    copy.record.write_bytes(copy.record.read_bytes().replace(b"0.912", b"0.913"))
    said = copy.by_member(5)
    assert "0.912" in said
    assert "0.913" in said
    assert "line " in said
    assert "SHA-256" in copy.by_script().stderr


def test_a_copy_without_its_signature_or_at_another_place_is_refused(copy: Copy) -> None:
    moved = copy.record.parents[1] / "moa.tree.1"
    moved.mkdir()
    for path in (copy.record, copy.bundle):
        (moved / path.name).write_bytes(path.read_bytes())
    copy.town.human("east").run("verify", moved / "0001.yaml", code=5)
    copy.bundle.unlink()
    assert "no signature lies beside" in copy.by_member(5)


def test_another_registry_is_refused_by_the_script_when_its_id_is_given(copy: Copy) -> None:
    copy.id = "mg1:" + "0" * 64
    done = copy.by_script()
    assert done.returncode == 1
    assert "it was signed for the registry" in done.stderr


def test_one_flipped_bit_in_the_key_is_refused_by_all(copy: Copy) -> None:
    line = copy.key.read_text(encoding="utf-8").split(" north")[0].strip()
    for place in range(0, len(line), 7):
        copy.key.write_text(line + "\n", encoding="utf-8")
        flip(copy.key, place)
        copy.refused_by_all(member=False)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"ssh-rsa AAAA\n", b"-----BEGIN PUBLIC KEY-----\nAA\n"])
def test_a_key_file_that_holds_no_key_is_refused_with_a_sentence(copy: Copy, data: bytes) -> None:
    copy.key.write_bytes(data)
    copy.refused_by_all(member=False)
