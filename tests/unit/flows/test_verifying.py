"""One flipped byte in record, bundle or key is refused, and why is said."""

import subprocess
from pathlib import Path

import pytest

from tests.support.people import Town, git_environ

RECORD = "members/bob/0001.yaml"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = Town(tmp_path_factory.mktemp("town"))
    town.found("ana")
    town.join("bob")
    return town


@pytest.fixture
def copy(town: Town, tmp_path: Path) -> Path:
    """An exported copy of a member's record beside its bundles."""
    subprocess.run(["git", "clone", "-q", town.url, str(tmp_path / "copy")], check=True, env=git_environ())
    return tmp_path / "copy" / RECORD


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def bundle(copy: Path) -> Path:
    return min(copy.parent.glob("*.sigstore.json"))


def test_a_record_in_the_registry_is_verified_to_its_merge(town: Town) -> None:
    told = town.founder.run("verify", RECORD, "--json").value
    assert told["commit"] == town.main
    assert {signer["member"] for signer in told["signers"]} == {"ana", "bob"}


def test_an_exported_copy_is_verified_against_the_registry(town: Town, copy: Path) -> None:
    assert "verified: this is what was signed" in town.founder.run("verify", copy).out


def test_the_genesis_is_verified_too(town: Town) -> None:
    told = town.people["bob"].run("verify", "registry/0001.yaml", "--json").value
    assert told["commit"] == town.git("rev-list", "--max-parents=0", "main")


def test_a_flipped_byte_of_the_record_is_refused_and_shown(town: Town, copy: Path) -> None:
    flip(copy, copy.read_bytes().index(b"bob"))
    said = town.founder.run("verify", copy, code=5)
    assert "these are not the bytes that were merged" in said.err
    assert "merged `member: bob`, here `member: cob`" in said.err


@pytest.mark.parametrize("part", [b'"payload":"', b'"sig":"', b'"keyid":"SHA256:', b"sigstore.bundle"])
def test_a_flipped_byte_of_a_bundle_is_refused_with_its_name(town: Town, copy: Path, part: bytes) -> None:
    path = bundle(copy)
    flip(path, path.read_bytes().index(part) + len(part) + 20)
    said = town.founder.run("verify", copy, code=5)
    assert path.name in said.err
    assert "do now" in said.err


def test_a_record_without_a_signature_beside_it_is_refused(town: Town, copy: Path) -> None:
    for path in copy.parent.glob("*.sigstore.json"):
        path.unlink()
    assert "no signature lies beside" in town.founder.run("verify", copy, code=5).err


def test_another_key_than_the_right_one_is_refused(town: Town) -> None:
    ana, bob = town.founder, town.people["bob"]
    said = ana.run("verify", "registry/0001.yaml", "--key", f"{bob.key}.pub", code=5)
    assert f"{bob.signer().public.fingerprint} has not signed registry/0001.yaml" in said.err
    assert "verified" in ana.run("verify", "registry/0001.yaml", "--key", f"{ana.key}.pub").out


def test_without_any_registry_a_copy_is_verified_with_a_given_key(town: Town, copy: Path, tmp_path: Path) -> None:
    nobody = Town(tmp_path / "elsewhere").human("nobody")
    registry = copy.parents[2] / "registry" / "0001.yaml"
    said = nobody.run("verify", registry, "--key", f"{town.founder.key}.pub")
    assert "only the key you gave was believed" in said.out
    flip(registry, 30)
    nobody.run("verify", registry, "--key", f"{town.founder.key}.pub", code=5)


@pytest.mark.parametrize("who", ["ana", "bob"])
def test_of_a_co_signed_record_the_bundle_of_the_given_key_is_verified_and_the_others_are_listed(
    town: Town, copy: Path, tmp_path: Path, who: str
) -> None:
    key, nobody = f"{town.people[who].key}.pub", Town(tmp_path / "elsewhere").human("nobody")
    others = {one.name for one in copy.parent.glob("*.sigstore.json")}
    others -= {f"{copy.name}.{town.people[who].signer().public.short}.sigstore.json"}
    assert others
    for human, name in ((town.founder, RECORD), (town.founder, copy), (nobody, copy)):
        told = human.run("verify", name, "--key", key, "--json").value
        assert [signer["key"] for signer in told["signers"]] == [town.people[who].signer().public.fingerprint]
        assert set(told["not_checked"]) == others
    assert nobody.run("verify", copy, "--key", key).out.count("not checked") == len(others)


def test_a_broken_bundle_of_another_key_does_not_matter_and_the_own_one_does(
    town: Town, copy: Path, tmp_path: Path
) -> None:
    nobody = Town(tmp_path / "elsewhere").human("nobody")
    flat = tmp_path / "0001.yaml"
    own = f"{copy.name}.{town.founder.signer().public.short}.sigstore.json"
    flat.write_bytes(copy.read_bytes())
    for one in copy.parent.glob("*.sigstore.json"):
        (tmp_path / one.name).write_bytes(one.read_bytes() if one.name == own else b"{}")
    key = f"{town.founder.key}.pub"
    assert "verified" in nobody.run("verify", flat, "--key", key).out
    flip(tmp_path / own, (tmp_path / own).read_bytes().index(b'"sig":"') + 20)
    assert own in nobody.run("verify", flat, "--key", key, code=5).err
    (tmp_path / own).unlink()
    nobody.run("verify", flat, "--key", key, code=5)


def test_a_name_that_is_nothing_is_a_usage_problem(town: Town) -> None:
    assert "result ls" in town.founder.run("verify", "nothing", code=2).err
    assert "0 results begin with" in town.founder.run("verify", "0123456789ab", code=2).err
