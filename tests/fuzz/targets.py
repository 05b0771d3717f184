"""What is fuzzed: one function for each kind of bytes that come from outside.

A target runs its input, lets pass only the exceptions that the reader documents, checks what must hold when the input
is accepted, and returns a word for what came of it, by which the campaign knows news.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import cast

from medperf_git.errors import IntegrityBroken, MedperfGitError, Refused
from medperf_git.policy.verdict import Outcome
from medperf_git.records.canonical import Unwritable, emit
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.layout import is_house_file, place_of, split_bundle
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.quick import parse_canonical
from medperf_git.records.record import _read, _read_carefully, check_document, write_record
from medperf_git.records.strict_yaml import Unreadable, parse_yaml
from medperf_git.registry.objects import BadObject, Store, _parse_commit
from medperf_git.registry.receive import _PROPOSAL, parse_updates
from medperf_git.registry.trees import compare_trees, entry_fault, order_fault, parse_tree
from medperf_git.runner.importing import import_content
from medperf_git.runner.reduce import InvalidOutput, reduce_results
from medperf_git.signing.bundle import parse_bundle
from medperf_git.signing.files import FileSigner
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.statement import parse_statement
from tests.support import registry_builder as build
from tests.unit.records.examples import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "registry_spec" / "vectors"
PATHS = {str(record.KIND): path for path, record in EXAMPLES.items()}
_SPECIFICS = re.compile(r"[0-9]+|U\+\w+|[^ -~]+")
_QUOTED = re.compile(r"(?<!\w)'|\"|: |tag ")


@dataclass(frozen=True)
class Target:
    """One reader: how to run it, which inputs to begin with, which words it knows, how long it may take."""

    run: Callable[[bytes], str]
    seeds: Callable[[], Iterator[bytes]]
    words: tuple[bytes, ...] = ()
    seconds: float = 1.0
    size: int = 70_000


def alike(message: object) -> str:
    """Return a message without its particulars: what stands before the first quotation, without numbers."""
    return _SPECIFICS.sub("#", _QUOTED.split(str(message))[0])[:60]


def record(data: bytes) -> str:
    """A record file at the path of its kind: both of our ways agree, and what is accepted is rewritten exactly."""
    kind = data.partition(b"\n")[0].removeprefix(b"kind: ").decode("utf-8", "replace")
    place = place_of(PATHS.get(kind, PATHS["member"]))
    assert place is not None
    reading = _read(place.path, data)
    assert reading == _read_carefully(place, data)
    if reading.stored is not None:
        assert write_record(reading.stored.record) == data
        return "accepted"
    assert all(finding.message and finding.fix and finding.path for finding in reading.findings)
    return " ".join(sorted({f"{finding.rule} {alike(finding.message)}" for finding in reading.findings}))[:200]


def draft(data: bytes) -> str:
    """Any YAML by a person: read strictly, and written so that both ways read it again."""
    try:
        document = parse_yaml(data)
        for kind in ("member", "cube"):
            check_document(document, PATHS_KINDS[kind])
        written = emit(document.value, {})
    except (Unreadable, Unwritable) as refused:
        return alike(refused)
    assert parse_yaml(written).value == document.value
    assert parse_canonical(written) in (document.value, None)
    return "read"


def bundle(data: bytes) -> str:
    """A signature file: parsed and rewritten exactly, or refused."""
    try:
        parsed = parse_bundle(data)
        assert parsed.render() == data
        parsed.unverified_statement()
    except IntegrityBroken as refused:
        return alike(refused)
    return "read"


def statement(data: bytes) -> str:
    """The payload of a signature."""
    try:
        assert parse_statement(data).payload() == data
    except IntegrityBroken as refused:
        return alike(refused)
    return "read"


def results(data: bytes) -> str:
    """What a metrics container wrote: read safely, then reduced to declared metrics of bounded numbers."""
    try:
        content = load_foreign_yaml(data)
        reduced = reduce_results(content, _house().benchmark().metrics, cases=60)
    except (Unreadable, InvalidOutput) as refused:
        return alike(refused)
    str(content).encode("utf-8")
    return f"read {sorted(reduced.values)} {len(reduced.undeclared)}"


def configuration(data: bytes) -> str:
    """A container_config.yaml or an mlcube.yaml that somebody offers."""
    try:
        content = load_foreign_yaml(data)
        if not isinstance(content, dict):
            return "no mapping"
        read = import_content(ROOT / "no-such-folder" / "config.yaml", content)
        return f"read {read.image_type} {read.role} {len(read.notes)}"
    except (Unreadable, Refused) as refused:
        return alike(refused)


def key_line(data: bytes) -> str:
    """A line of a public key file, the form in records, and the binary form inside."""
    said = []
    text = data.decode("utf-8", "surrogateescape")
    for read in (PublicKey.from_openssh, PublicKey.from_record, lambda _: PublicKey.from_blob(data)):
        try:
            key = read(text)
            assert PublicKey.from_record(key.openssh) == key
            said.append("read")
        except Refused as refused:
            said.append(alike(str(refused).partition(" ")[2]))  # the first word can be the type of key that was given
    return " / ".join(said)


def key_file(data: bytes) -> str:
    """A private key file that is no key, or half of one."""
    try:
        FileSigner(Path("key"), data).sign(b"x")
    except MedperfGitError as refused:
        return alike(refused)
    return "read"


def names(data: bytes) -> str:
    """Paths, names and references."""
    text = data.decode("utf-8", "surrogateescape")
    place = place_of(text)
    said = f"{place and place.kind} {is_house_file(text)} {bool(split_bundle(text))} {alike(name_fault(text))}"
    for parse in (Ref.parse, Ref.from_folder):
        try:
            ref = parse(text)
            assert Ref.parse(str(ref)) == Ref.from_folder(ref.folder) == ref
            said += " ref"
        except ValueError as refused:
            said += alike(refused)
    return said


@dataclass
class _Trees:
    """Stands where `Store` does, for `compare_trees`: every id is the same hostile folder."""

    data: bytes
    read: list[bytes] = field(default_factory=list)
    supply: None = None  # everything is here

    def tree(self, raw_id: bytes) -> bytes:
        """Return the bytes, whichever folder is meant."""
        self.read.append(raw_id)
        return self.data


def tree(data: bytes) -> str:
    """A raw tree object, also one that contains itself at every depth."""
    try:
        entries = parse_tree(data)
    except BadObject as refused:
        return alike(refused)
    faults = {alike(entry_fault(mode, name)) for mode, name, _ in entries} | {alike(order_fault(entries))}
    store = _Trees(data)
    difference = compare_trees(cast(Store, store), None, after=b"\0" * 20, max_entries=300, max_bytes=1 << 18)
    assert len(store.read) <= 301
    for path in [*difference.added, *difference.changed]:
        assert re.fullmatch(r"[A-Za-z0-9._+@=,/-]+", path)
        assert ".." not in path.split("/")
    assert all(finding.message and finding.fix for finding in difference.faults)
    return " ".join(sorted(faults))


def commit(data: bytes) -> str:
    """A raw commit object."""
    try:
        return f"read {len(_parse_commit('0' * 40, data).parents)}"
    except BadObject as refused:
        return alike(refused)


def updates(data: bytes) -> str:
    """The lines that Git hands to the pre-receive hook, with the refs of proposals."""
    try:
        found = parse_updates(data.decode("utf-8", "surrogateescape"))
    except ValueError as refused:
        return alike(refused)
    proposals = [match.group(1) for update in found if (match := _PROPOSAL.fullmatch(update.ref))]
    assert all(re.fullmatch("[0-9a-f]{32}", proposal) for proposal in proposals)
    return f"{len(found)} {len(proposals)}"


@cache
def _house() -> build.House:
    return build.settled()


@cache
def _honest() -> dict[str, bytes]:
    return _house().propose(_house().result()).sign("north").files


def proposal(data: bytes) -> str:
    """A change in which one file was exchanged after it was signed: never an exception, never a pass."""
    files = _honest()
    path = sorted(files)[data[0] % len(files)] if data else min(files)
    verdict = build.Proposal(_house(), {**files, path: data[1:]}).judge()
    assert (verdict.outcome is Outcome.PASS) == (files[path] == data[1:])
    return " ".join(sorted({finding.rule for finding in verdict.findings}))


# --- what they begin with


def _vectors(pattern: str) -> Iterator[bytes]:
    for file in sorted(VECTORS.glob(pattern)):
        yield file.read_bytes()


def _record_seeds() -> Iterator[bytes]:
    yield from (write_record(record) for record in EXAMPLES.values())
    yield from _vectors("*/*/*.yaml")


def _draft_seeds() -> Iterator[bytes]:
    yield from _vectors("valid/*/*.yaml")
    yield b"# c\n---\na: |\n  one\n  two\nb: >-\n  one\n\n  two\nc: [x, {d: 'e'}, \"f\"]\n? g\n: h\n...\n"


def _bundles() -> Iterator[bytes]:
    yield from (data for path, data in _house().files.items() if path.endswith(".json"))


def _trees() -> Iterator[bytes]:
    oid = bytes(range(20))
    yield b"100644 a.yaml\0" + oid + b"40000 b\0" + oid
    yield b"".join(b"40000 d%d\0" % number + oid for number in range(10))
    for mode, name in ((b"120000", b"l"), (b"160000", b"m"), (b"100755", b"x"), (b"40000", b".git"), (b"40000", b"..")):
        yield mode + b" " + name + b"\0" + oid


def _results() -> Iterator[bytes]:
    yield b'{"auroc": 0.912, "brier": 1e-05}'
    yield b"auroc: .nan\nbrier: 0.1\ncases: [{id: a, d: 1.5e+3}, {id: b}]\n"
    yield b"auroc: 1:30\nbrier: 0x1f\nx: !!int '3'\n"


def _configurations() -> Iterator[bytes]:
    yield (
        b"container_type: DockerImage\nimage: example.org/forest:1\ntasks:\n  infer:\n"
        b"    run_args: {command: [a, 1], environment: {A: b}, shm_size: 2g, gpus: all}\n"
        b"    input_volumes: {data_path: {mount_path: /in, type: directory}}\n"
        b"    output_volumes: {output_path: {mount_path: /out, type: directory}}\n"
    )
    yield (
        b"name: forest\ndescription: A forest\ndocker: {image: 'example.org/forest:1', gpu_args: --gpus all}\ntasks:\n"
        b"  infer:\n    entrypoint: python x.py\n    parameters:\n"
        b"      inputs: {data_path: data/, parameters_file: p.yaml, additional_files_path: a/}\n"
        b"      outputs: {output_path: {type: directory, default: out/}}\n"
    )


def _keys() -> Iterator[bytes]:
    yield from (build.signer(name).public.openssh.encode() for name in ("ana", "ben"))
    yield build.signer("ana").public.openssh.encode() + b" ana@example.org\n"
    yield build.signer("ana").public.blob
    yield b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 x"
    yield b"sk-ssh-ed25519@openssh.com AAAA"


def _key_files() -> Iterator[bytes]:
    head = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
    yield head + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUx\n"
    yield head + b"b3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    yield b"ssh-ed25519 AAAA"


def _paths() -> Iterator[bytes]:
    yield from (path.encode() for path in [*EXAMPLES, *_house().files])
    yield from (b"ana/x@1", b"ana.x.1", b".github/workflows/a.yml", b"README.md")


def _commits() -> Iterator[bytes]:
    lines = b"tree " + b"a" * 40 + b"\nparent " + b"b" * 40 + b"\nauthor A <a@b> 1795600000 +0000\n"
    yield lines + b"committer A <a@b> 1795600000 +0000\n\nAdd\n"


def _updates() -> Iterator[bytes]:
    yield b" ".join((b"0" * 40, b"a" * 40, b"refs/heads/submit/" + b"c" * 32)) + b"\n"
    yield b" ".join((b"b" * 40, b"a" * 40, b"refs/heads/main")) + b"\n"


def _proposals() -> Iterator[bytes]:
    yield from (bytes([number]) + _honest()[path] for number, path in enumerate(sorted(_honest())))


YAML_WORDS = (
    *(b"\n", b" ", b"  ", b": ", b"- ", b"[", b"]", b"{", b"}", b'"', b"'", b"&a ", b"*a", b"!x ", b"!!int ", b" #"),
    *(b"|", b">-\n", b"|2+\n", b"\\", b"\t", b"\r\n", b"\r", b"%YAML 1.2\n---\n", b"---\n", b"...\n", b"? ", b"<<: "),
    *(b", ", b"~", b"null", b"true", b"no", b"1.10", b"1e999", b".nan", b"0x1f", b"22:22", b"2026-01-01", b"9" * 20),
    *(b"-0", b"=", b"@", b"\xff", b"\xe2\x80\xae", b"e\xcc\x81", b"\xef\xbb\xbf", b"\\ud800", b"\\u202e", b"\\x00"),
    *(b"\xc2\x85", b"\xe2\xa0\x80", b"\n\xcc\x83", b"kind: ", b"spec: 1\n", b"previous: ", b"sha256:" + b"0" * 64),
    *(b"con", b"registry", b"members/ana/0001.yaml"),
)
JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"null", b"1", b"\\", b" "),
    b"=",
)
GIT_WORDS = (
    *(b"40000 ", b"100644 ", b"120000 ", b"\0", b"..", b".git", b"/", b"git~1", b"\xff", b"con", b"0", b"refs/"),
    b" ",
)
KEY_WORDS = (
    b"ssh-ed25519 ",
    b"sk-",
    b"ecdsa-",
    b"-cert-",
    b"AAAA",
    b"=",
    b"\n",
    b"PRIVATE KEY",
    b"-----BEGIN ",
    b"-----END ",
)
PATH_WORDS = (b"/", b".", b"@", b"0001.yaml", b"con", b"-", b"..", b".git", b"notices/", b"policy", b"\n")
PATHS_KINDS = {kind: place.kind for kind, path in PATHS.items() if (place := place_of(path))}

TARGETS: dict[str, Target] = {
    "record": Target(record, _record_seeds, YAML_WORDS),
    "draft": Target(draft, _draft_seeds, YAML_WORDS),
    "results": Target(results, _results, YAML_WORDS + JSON_WORDS, seconds=2.0, size=200_000),
    "configuration": Target(configuration, _configurations, YAML_WORDS, seconds=2.0),
    "bundle": Target(bundle, _bundles, JSON_WORDS),
    "statement": Target(statement, lambda: (parse_bundle(data).payload for data in _bundles()), JSON_WORDS),
    "proposal": Target(proposal, _proposals, YAML_WORDS + JSON_WORDS),
    "key_line": Target(key_line, _keys, KEY_WORDS),
    "key_file": Target(key_file, _key_files, KEY_WORDS),
    "names": Target(names, _paths, PATH_WORDS),
    "tree": Target(tree, _trees, GIT_WORDS),
    "commit": Target(commit, _commits, (*GIT_WORDS, b"parent ", b"tree ", b"\n", b"> 99999999999 +0000")),
    "updates": Target(updates, _updates, (*GIT_WORDS, b"0" * 40, b"refs/heads/main", b"\n", b"\xc2\x85", b"\x0c")),
}
