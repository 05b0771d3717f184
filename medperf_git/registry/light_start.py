"""Begin a light copy: believe main as it stands, and verify what one commit can prove.

The caller pins the registry's id, which proves the genesis record, which names the founders' records by digest. From
there every registry, quarantine and member record must bear the signatures that it needs, by keys that records before
it in this order of proof name. In which step it was merged one commit does not tell, so a key counts here if its member
ever held it, and of several registry records any may have been in force (docs/adr/0011). All other records are believed
as they stand; every later step is judged in full.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain as joined

from medperf_git.errors import IntegrityBroken, MedperfGitError
from medperf_git.policy.authority import Holder, Need, keys_in, needs_of
from medperf_git.policy.case import Case
from medperf_git.policy.change import Change, NoHistory
from medperf_git.records import layout, models
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.records.record import Stored, check_record, read_record
from medperf_git.records.view import MemoryView
from medperf_git.registry.batches import bring_below
from medperf_git.registry.objects import BadObject, Below, Store
from medperf_git.registry.steps import future_faults
from medperf_git.registry.sync import GENESIS_RECORD, Pin
from medperf_git.registry.trees import FOLDER, compare_trees, parse_tree
from medperf_git.signing.verify import Vouch, count_keys, count_vouches, verify_vouch

# What is fetched at once, whole: who may decide, and what is measured. Of the rest, the names of what there is.
WHOLE = ("registry", "members", "benchmarks")
NAMES = ("cubes", "datasets", "associations", "notices")

_PROVED = ("registry", "members")
_MOST = 200_000
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)  # when no key had expired yet
_HINT = "do not use this copy; ask a maintainer, or let the whole history tell: add the registry without --light"


def begin_at(store: Store, tip: str, *, expected: str, now: datetime) -> Pin:
    """Return the pin at which a light copy begins: `tip` of the registry `expected`, as far as it proves itself.

    IntegrityBroken: it is another registry, or a record of who may decide is not signed as it must be.
    """
    try:
        if any(future_faults(store, tip, at=now)):
            raise IntegrityBroken(f"commit {tip[:12]} of main comes from the future", hint="check your clock")
        files = _files(store, store.commit(tip).tree)
    except BadObject as bad:
        raise IntegrityBroken(f"main is unreadable at {tip}: {bad.finding.message}", hint=_HINT) from bad
    found = "mg1:" + bare_hex(digest_of(files[GENESIS_RECORD])) if GENESIS_RECORD in files else "no registry"
    if found != expected:
        hint = "do not use it; ask a maintainer for the id of the registry, over another way than this address"
        raise IntegrityBroken(f"this is another registry: expected {expected}, found {found}", hint=hint)
    Proof.of(files, expected).complete()
    return Pin(expected, tip, 0, trusted=tip)


def prove(files: Mapping[str, bytes], registry: str) -> None:
    """Verify the files below `registry/` and `members/` of one commit; IntegrityBroken names what is not proved."""
    Proof.of(files, registry).complete()


def _files(store: Store, root: bytes) -> dict[str, bytes]:
    """Bring what a light copy begins with; return every file below `registry/` and `members/`."""
    folders = {
        name.decode("ascii", "replace"): oid for mode, name, oid in parse_tree(store.tree(root)) if mode == FOLDER
    }
    bring_below(store, [folders[name] for name in WHOLE if name in folders], Below.ALL)
    bring_below(store, [folders[name] for name in NAMES if name in folders], Below.NAMES)
    files: dict[str, bytes] = {}
    for name in _PROVED:
        difference = compare_trees(store, None, after=folders[name], max_entries=_MOST) if name in folders else None
        for fault in difference.faults if difference else ():
            raise IntegrityBroken(f"{name}/{fault.path}: {fault.message}", hint=_HINT)
        added = difference.added if difference else {}
        files |= {f"{name}/{path}": store.blob(oid, limit=64 * 1024) for path, oid in added.items()}
    return files


@dataclass
class Proof:
    """Guards which records are proved so far, and which keys they name; the order in which they are taken is free."""

    registry: str
    waiting: dict[str, Stored]
    bundles: Mapping[str, Mapping[str, bytes]]
    data: Mapping[str, bytes]
    offices: list[Stored] = field(default_factory=list)
    members: dict[str, list[Stored]] = field(default_factory=dict)
    keys: dict[str, set[Holder]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Mapping[str, bytes], registry: str) -> "Proof":
        """Sort files into records and signatures, each in its place and sound by itself."""
        waiting: dict[str, Stored] = {}
        bundles: dict[str, dict[str, bytes]] = {}
        for path, data in files.items():
            if split := layout.split_bundle(path):
                bundles.setdefault(split[0], {})[path] = data
                continue
            stored = read_record(path, data).stored
            if stored is None or any(check_record(path, data)):
                raise IntegrityBroken(f"{path} is no sound record", hint=_HINT)
            waiting[path] = stored
        if stray := sorted(bundles.keys() - waiting.keys()):
            raise IntegrityBroken(f"there are signatures of {stray[0]}, and no such record", hint=_HINT)
        return cls(registry, waiting, bundles, files)

    def complete(self) -> None:
        """Take one record after the other, as each is proved by those before it, until none is left."""
        self._begin()
        while taken := [
            stored for stored in self.waiting.values() if self._is_next(stored) and self._is_signed(stored)
        ]:
            for stored in taken:
                self._take(stored)
        if self.waiting:
            path = min(self.waiting)
            raise IntegrityBroken(
                f"{path} does not bear the signatures that it needs, or is not next in its chain", hint=_HINT
            )
        self._refuse_shared_keys()

    def _begin(self) -> None:
        genesis = self.waiting[GENESIS_RECORD]
        if not isinstance(genesis.record, models.Registry) or genesis.record.genesis is None:
            raise IntegrityBroken(f"{GENESIS_RECORD} is no genesis", hint=_HINT)
        for name, digest in genesis.record.genesis.members.items():
            first = self.waiting.get(layout.member_path(name, 1))
            if first is None or first.digest != digest:
                raise IntegrityBroken(f"the genesis names another first record of {name}", hint=_HINT)
            self._take(first)
        self._take(genesis)

    def _is_next(self, stored: Stored) -> bool:
        """Tell whether the record before it in its chain is proved, and is the one that it names."""
        folder, _, name = stored.path.rpartition("/")
        number = int(name.removesuffix(".yaml"))
        before = layout.numbered(folder, number - 1)
        if number > 1 and (before not in self.data or before in self.waiting):
            return False
        expected = digest_of(self.data[before]) if number > 1 else None
        return getattr(stored.record, "previous", None) == expected

    def _is_signed(self, stored: Stored) -> bool:
        """Tell whether it bears what it needs, whichever proved registry record was in force."""
        registries = [one for one in self.offices if isinstance(one.record, models.Registry)]
        if isinstance(stored.record, models.Registry):  # it follows the last one, and no other
            return self._suffices(stored, self._needs(stored, registries))
        return any(
            self._suffices(stored, self._needs(stored, registries[: number + 1]))
            for number in reversed(range(len(registries)))
        )

    def _needs(self, stored: Stored, registries: list[Stored]) -> tuple[Need, ...]:
        """Ask the table of authority, given these registry records and the member's own earlier ones.

        Whose keys count is widened from those of one moment to all that a member ever held, its own record's apart:
        those follow from the record before it.
        """
        own = self.members.get(getattr(stored.record, "member", ""), [])
        files = {one.path: self.data[one.path] for one in (*registries, *own)}
        before = MemoryView(files)
        after = MemoryView({**files, stored.path: self.data[stored.path]})
        change = Change(before, after, {stored.path: self.data[stored.path]}, (), _BEFORE_ALL, NoHistory())
        subject = getattr(stored.record, "member", "")
        return tuple(replace(need, holders=self._widened(need, subject)) for need in needs_of(Case(change), stored))

    def _widened(self, need: Need, subject: str) -> tuple[Holder, ...]:
        others = (self.keys.get(name, set()) for name in need.members if name != subject)
        return (*need.holders, *(holder for holders in others for holder in sorted(holders, key=_order)))

    def _suffices(self, stored: Stored, needs: tuple[Need, ...]) -> bool:
        vouches = tuple(self._vouches(stored, needs))
        return bool(vouches) and all(_count(need, vouches) >= need.count for need in needs)

    def _vouches(self, stored: Stored, needs: tuple[Need, ...]) -> Iterator[Vouch]:
        holders = list(dict.fromkeys(joined.from_iterable(need.holders for need in needs)))
        for _, bundle in sorted(self.bundles.get(stored.path, {}).items()):
            try:
                yield verify_vouch(
                    bundle, path=stored.path, digest=stored.digest, registry=self.registry, holders=holders
                )
            except MedperfGitError:
                continue

    def _take(self, stored: Stored) -> None:
        del self.waiting[stored.path]
        record = stored.record
        if isinstance(record, models.Member):
            self.members.setdefault(record.member, []).append(stored)
            own = ((record.member, key) for key in keys_in(record, recovery=True))
            self.keys.setdefault(record.member, set()).update(own)
        else:
            self.offices.append(stored)

    def _refuse_shared_keys(self) -> None:
        owners: dict[bytes, str] = {}
        for name, key in (holder for holders in self.keys.values() for holder in holders):
            if owners.setdefault(key.raw, name) != name:
                raise IntegrityBroken(f"{name} and {owners[key.raw]} have the same key", hint=_HINT)


def _count(need: Need, vouches: tuple[Vouch, ...]) -> int:
    counted = [vouch for vouch in vouches if (vouch.member, vouch.key) in need.holders]
    if need.keys_of_one:
        return sum(count_keys(counted, member) for member in need.members)
    return count_vouches(counted, among=need.members)


def _order(holder: Holder) -> bytes:
    return holder[1].raw
