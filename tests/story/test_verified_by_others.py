"""Results are verified by programs that are not ours: openssl with jq, securesystemslib, cosign; none disagrees.

None of them is given anything but files: a record, its bundle, and a public key. Where cosign cannot be had
(`scripts/ensure-cosign.sh` says why), its tests are skipped under that name, and the count of the others stands.
"""

import base64
import hashlib
import json
import os
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from medperf_git.errors import MedperfGitError
from medperf_git.records import layout, models
from medperf_git.records.names import Ref
from medperf_git.signing.bundle import parse_bundle
from medperf_git.signing.keys import PublicKey
from tests.support import registry_builder as rb
from tests.support.registry_builder import MODEL, House, settled, value, values

ROOT = Path(__file__).parents[2]
PREDICATE = "https://medperf-git.github.io/registry-statement/v1"
SITES = ("north", "east", "west", "hill")
MODELS = tuple(Ref("moa", name, 1) for name in ("oak", "ash", "elm", "fir", "yew", "bay", "lime", "larch", "birch"))
NEEDED = 50
FLIPS = 5


@dataclass(frozen=True)
class Signed:
    """One signature, as somebody downloads it: the record, its path in the registry, the bundle, the signer's key."""

    record: Path
    path: str
    bundle: Path
    key: PublicKey


class Verifier(Protocol):
    """A program of others: nothing when it verifies, else why not."""

    def __call__(self, signed: Signed) -> str:
        """Verify one signature."""
        ...


# --- the registry


def many_results() -> House:
    """Return a registry with results of ten models at four sites, some failed, some superseded, some signed twice."""
    house = settled()
    house.merge(house.propose(*map(rb.cube, MODELS)).sign("moa"))
    for ref in MODELS:
        rb.join(house, ref, "cube")
    for site in SITES[1:]:
        cosigning = models.Cosigning(dataset=1, result=2) if site == "hill" else None
        rb.admitted(house, rb.member(site, *([f"{site}:2"] if cosigning else []), cosigning=cosigning))
        house.merge(house.propose(house.dataset(Ref(site, "wards", 1))).sign(site))
        rb.join(house, Ref(site, "wards", 1))
    for number, site in enumerate(SITES):
        seeds = (site, f"{site}:2") if site == "hill" else (site,)
        house.merge(house.propose(*results(house, site, number)).sign(*seeds))
        house.merge(house.propose(*(replace(one, attempt=2) for one in results(house, site, number)[:3])).sign(*seeds))
    return house


def results(house: House, site: str, number: int) -> list[models.Result]:
    """Return one result of each model at a site, each with values of its own; of one of them the run failed."""
    made = []
    for place, ref in enumerate((MODEL, *MODELS)):
        figures = values(auroc=value(f"0.{700 + 10 * place + number}"), brier=value(f"0.{110 + place}", sd=None))
        record = house.result(Ref(site, "wards", 1), ref, values=figures)
        made.append(replace(record, outcome="failed", reason="timeout", values=None) if place == 9 else record)
    return made


@pytest.fixture(scope="module")
def all_signed(tmp_path_factory: pytest.TempPathFactory) -> list[Signed]:
    """Every signature on every result, as files."""
    folder, house = tmp_path_factory.mktemp("results"), many_results()
    by_short = {rb.signer(seed).public.short: rb.signer(seed).public for seed in (*SITES, "hill:2")}
    made = []
    for path, data in house.files.items():
        if path.startswith("results/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        if path.startswith("results/") and (split := layout.split_bundle(path)):
            made.append(Signed(folder / split[0], split[0], folder / path, by_short[split[1]]))
    return sorted(made, key=lambda one: one.bundle)


# --- those who verify


def by_openssl_and_jq(signed: Signed) -> str:
    """Verify by scripts/verify-result.sh, which is openssl, jq and coreutils."""
    key = signed.bundle.with_suffix(".pub")
    key.write_text(signed.key.openssh + "\n", encoding="utf-8")
    command = ["bash", ROOT / "scripts" / "verify-result.sh", signed.record, signed.bundle, key]
    return _said(command)


def by_securesystemslib(signed: Signed) -> str:
    """Verify by the library of TUF and in-toto; what it signs for is read as in-toto's specification says."""
    try:
        envelope = Envelope.from_dict(json.loads(signed.bundle.read_bytes())["dsseEnvelope"])
        key = SSlibKey(signed.key.fingerprint, "ed25519", "ed25519", {"public": signed.key.raw.hex()})
        envelope.verify([key], threshold=1)
    except (VerificationError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    said, digest = json.loads(envelope.payload), hashlib.sha256(signed.record.read_bytes()).hexdigest()
    is_it = said["subject"] == [{"digest": {"sha256": digest}, "name": signed.path}]
    return "" if is_it and said["predicateType"] == PREDICATE else "signed was something else"


@dataclass(frozen=True)
class Cosign:
    """Verification by sigstore's own program, without its log: ours are signatures by known keys.

    `root` trusts nobody else; without such a file cosign fetches sigstore's own, though it verifies nothing by it.
    """

    program: str
    home: Path
    root: Path

    def __call__(self, signed: Signed) -> str:
        """See `Verifier.__call__`."""
        key = signed.bundle.with_suffix(".pem")
        key.write_text(signed.key.to_pem(), encoding="utf-8")
        command = [self.program, "verify-blob-attestation", "--new-bundle-format", "--key", key]
        command += ["--trusted-root", self.root]
        command += ["--bundle", signed.bundle, "--insecure-ignore-tlog=true", "--type", PREDICATE, signed.record]
        return _said(command, home=self.home)


def _said(command: list[str | Path], *, home: Path = Path("/nonexistent")) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    """Return cosign, fetched into .cache where it is not installed and can be had; loudly nothing elsewhere."""
    done = subprocess.run(["bash", ROOT / "scripts" / "ensure-cosign.sh"], capture_output=True, text=True, check=False)
    program = shutil.which("cosign") or str(ROOT / ".cache" / "cosign" / "cosign")
    if done.returncode:
        pytest.skip(f"0 OF {NEEDED} RESULTS VERIFIED BY COSIGN: {done.stderr.strip()}")
    home = tmp_path_factory.mktemp("cosign")
    root = home / "trusted-root.json"
    root.write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}', encoding="utf-8")
    return Cosign(program, home, root)


@pytest.fixture(params=["openssl and jq", "securesystemslib", "cosign"])
def verifier(request: pytest.FixtureRequest) -> Verifier:
    """Each of those who verify."""
    known: dict[str, Verifier] = {"openssl and jq": by_openssl_and_jq, "securesystemslib": by_securesystemslib}
    found: Verifier = known.get(request.param) or request.getfixturevalue("cosign")
    return found


# --- what they say


def test_every_result_is_verified_by_each(
    all_signed: list[Signed], verifier: Verifier, record_property: Callable[[str, object], None]
) -> None:
    assert len({one.path for one in all_signed}) >= NEEDED
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reasons = list(pool.map(verifier, all_signed))
    assert [f"{one.bundle}: {reason}" for one, reason in zip(all_signed, reasons, strict=True) if reason] == []
    record_property("verified", len(reasons))


def flipped(data: bytes) -> Iterator[bytes]:
    """Yield the bytes with one bit flipped, at places from the first byte to the last."""
    for number in range(FLIPS):
        place = number * (len(data) - 1) // (FLIPS - 1)
        yield data[:place] + bytes([data[place] ^ (1 << number)]) + data[place + 1 :]


def flip_record(one: Signed) -> Iterator[None]:
    for data in flipped(one.record.read_bytes()):
        one.record.write_bytes(data)
        yield


def flip_payload(one: Signed) -> Iterator[None]:
    bundle = json.loads(one.bundle.read_bytes())
    for data in flipped(base64.b64decode(bundle["dsseEnvelope"]["payload"])):
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(data).decode()
        write_canonical(one.bundle, bundle)
        yield


def flip_signature(one: Signed) -> Iterator[None]:
    bundle = json.loads(one.bundle.read_bytes())
    for data in flipped(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])):
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(data).decode()
        write_canonical(one.bundle, bundle)
        yield


def write_canonical(path: Path, bundle: object) -> None:
    """Write a bundle in its one spelling, so that nothing but what was flipped can be wrong with it."""
    path.write_text(json.dumps(bundle, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


@pytest.mark.parametrize("flip", [flip_record, flip_payload, flip_signature])
def test_one_flipped_bit_is_refused_by_each(
    all_signed: list[Signed], verifier: Verifier, tmp_path: Path, flip: Callable[[Signed], Iterator[None]]
) -> None:
    one = copied(all_signed[0], tmp_path)
    assert verifier(one) == ""
    for number, _ in enumerate(flip(one)):
        assert verifier(one), f"flip {number} was not noticed"


def test_another_key_and_another_record_are_refused_by_each(
    all_signed: list[Signed], verifier: Verifier, tmp_path: Path
) -> None:
    one, other = copied(all_signed[0], tmp_path), all_signed[-1]
    assert verifier(one) == ""
    assert verifier(replace(one, key=other.key))
    one.record.write_bytes(other.record.read_bytes())
    assert verifier(one)


def copied(one: Signed, folder: Path) -> Signed:
    """Return the same in files that may be changed."""
    record, bundle = folder / one.record.name, folder / one.bundle.name
    record.write_bytes(one.record.read_bytes())
    bundle.write_bytes(one.bundle.read_bytes())
    return replace(one, record=record, bundle=bundle)


def test_a_signature_spelled_with_spare_bits_is_refused_by_the_script(all_signed: list[Signed], tmp_path: Path) -> None:
    one = copied(all_signed[0], tmp_path)
    bundle = json.loads(one.bundle.read_bytes())
    spelled = bundle["dsseEnvelope"]["signatures"][0]["sig"]
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    other = spelled[:85] + digits[digits.index(spelled[85]) ^ 1] + "=="
    assert base64.b64decode(other) == base64.b64decode(spelled)
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = other
    write_canonical(one.bundle, bundle)
    with pytest.raises(MedperfGitError):
        parse_bundle(one.bundle.read_bytes())
    assert by_openssl_and_jq(one)
