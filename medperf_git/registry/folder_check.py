"""Check every file below a folder by itself: form, schema, place, canonical bytes, signatures.

What was verified before is not read: a folder by its tree id, a record with its signatures by their blob ids.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from medperf_git.errors import MedperfGitError
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.record import check_record
from medperf_git.registry.cache import Entry, Verified, entry_for
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.snapshot import size_limit
from medperf_git.registry.trees import FOLDER, MAX_DEPTH, entry_fault, order_fault, parse_tree
from medperf_git.registry.trust import Trust
from medperf_git.signing.verify import verify_vouch

_REPAIR = "tell the maintainers: a registry does not change what was merged"


@dataclass(slots=True)
class FolderCheck:
    """One walk: where objects are read, what is trusted (`epoch` changes with it), what is known, what was found.

    `records` and `signatures` are those that were read now.
    """

    store: Store
    trust: Trust
    epoch: bytes
    known: Verified
    records: int = 0
    signatures: int = 0
    findings: list[Finding] = field(default_factory=list)

    def is_known(self, prefix: str, tree: bytes) -> bool:
        """Tell whether a folder (`""` or ending in `/`) with this tree was found valid with all below."""
        return folder_entry(prefix, tree, self.epoch) in self.known

    def folder(self, prefix: str, tree: bytes) -> None:
        """Check a folder and all below, unless it is known as a whole."""
        if self.is_known(prefix, tree):
            return
        before = len(self.findings)
        inner = self.only_this(prefix, tree)
        for path, oid in inner.items():
            self.folder(path, oid)
        if inner and len(self.findings) == before:  # a folder of files alone is as soon read as looked up
            self.known.add(folder_entry(prefix, tree, self.epoch))

    def only_this(self, prefix: str, tree: bytes) -> dict[str, bytes]:
        """Check a folder and the files in it; return the folders in it with their trees."""
        if prefix.count("/") > MAX_DEPTH:
            self._refuse("too-large", f"folders are nested deeper than {MAX_DEPTH}", prefix)
            return {}
        try:
            entries = parse_tree(self.store.tree(tree))
        except BadObject as bad:
            self.findings.append(bad.about(prefix))
            return {}
        if fault := order_fault(entries) or ("" if entries else "a folder is empty"):
            self._refuse("git-object", fault, prefix)
        files: dict[str, bytes] = {}
        folders: dict[str, bytes] = {}
        for mode, name, oid in entries:
            path = prefix + name.decode("ascii", "backslashreplace")
            if fault := entry_fault(mode, name):
                self._refuse("git-object", fault, path)
            elif mode == FOLDER:
                folders[path + "/"] = oid
            else:
                files[path] = oid
        self._files(files)
        return folders

    def _files(self, files: Mapping[str, bytes]) -> None:
        bundles: dict[str, dict[str, bytes]] = {path: {} for path in files if layout.split_bundle(path) is None}
        for path, oid in files.items():
            if split := layout.split_bundle(path):
                if split[0] not in bundles:
                    self._refuse("stray-signature", f"{split[0]} is not there", path)
                elif path not in self.trust.absent:
                    bundles[split[0]][path] = oid
        for path, signed in bundles.items():
            if not layout.is_house_file(path) and path not in self.trust.absent:
                self._record(path, files[path], signed)

    def _record(self, path: str, oid: bytes, bundles: Mapping[str, bytes]) -> None:
        basis = self.trust.basis
        signed = [
            part for one, raw in sorted(bundles.items()) for part in (one.encode(), raw, basis.get(_key(one), b""))
        ]
        entry = entry_for(b"record", path.encode(), oid, *signed)
        if entry in self.known:
            return
        self.records += 1
        faults = list(self._faults(path, oid, bundles))
        self.findings.extend(faults)
        if not faults:
            self.known.add(entry)

    def _faults(self, path: str, oid: bytes, bundles: Mapping[str, bytes]) -> Iterator[Finding]:
        try:
            data = self.store.blob(oid, limit=size_limit(path))
        except BadObject as bad:
            yield bad.about(path)
            return
        if faults := check_record(path, data):
            yield from faults
            return
        if not bundles:
            yield Finding("unsigned", "nobody has signed this record", path=path, fix=_REPAIR)
        verify = partial(verify_vouch, path=path, digest=digest_of(data), registry=self.trust.registry)
        for bundle, raw_id in sorted(bundles.items()):
            self.signatures += 1
            try:
                signature = self.store.blob(raw_id, limit=size_limit(bundle))
            except BadObject as bad:
                yield bad.about(bundle)
                continue
            try:
                verify(signature, holders=self.trust.holders.get(_key(bundle), ()))
            except MedperfGitError as error:
                message = f"this signature does not verify: {error.message}"
                yield Finding("signature", message, path=bundle, fix=_REPAIR)

    def _basis(self, bundle: str) -> bytes:
        return self.trust.basis.get(_key(bundle), b"")

    def _refuse(self, rule: str, message: str, path: str) -> None:
        self.findings.append(Finding(rule, message, path=path, fix=_REPAIR))


def folder_entry(prefix: str, tree: bytes, epoch: bytes) -> Entry:
    """Return the entry of a folder that is valid with all below."""
    return entry_for(b"folder", prefix.encode(), tree, epoch)


def _key(bundle: str) -> str:
    """Return the 16 hexadecimal digits in the name of a bundle."""
    return bundle[-len("0123456789abcdef.sigstore.json") :][:16]
