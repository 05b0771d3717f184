"""What people type → one record of a registry.

`member/` may be left out for one's own things; without `@version` the newest that is not withdrawn is meant. What
is found carries the digest of its file, so that nobody ever types one.
"""

import difflib
from dataclasses import dataclass
from typing import Generic, TypeVar

from medperf_git.errors import Refused, UsageProblem
from medperf_git.records import layout
from medperf_git.records.digests import short
from medperf_git.records.folds import marks_of, newest_version, versioned_path
from medperf_git.records.models import Benchmark, Cube, Dataset, Reference, Result
from medperf_git.records.names import Ref, name_fault
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, iter_results, iter_versions, stored_at

V = TypeVar("V", Cube, Dataset, Benchmark)


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """A cube, dataset or benchmark as it lies in a registry."""

    stored: Stored
    record: V

    @property
    def ref(self) -> Ref:
        """Which version of which thing it is."""
        return self.record.ref

    @property
    def reference(self) -> Reference:
        """The reference other records make to it."""
        return Reference(self.record.ref, self.stored.digest)


def folder_of(model: type[Cube] | type[Dataset] | type[Benchmark]) -> str:
    """Return the top folder in which records of a kind lie."""
    return f"{model.KIND}s"


def find(view: RecordView, model: type[V], text: str, *, member: str | None) -> Found[V]:
    """Return the record that `text` names (`[member/]name[@version]`).

    Raises `UsageProblem` when there is none, with the nearest names that exist.
    """
    return at_ref(view, model, parse_ref(view, model, text, member=member))


def at_ref(view: RecordView, model: type[V], ref: Ref) -> Found[V]:
    """Return the record of exactly this version; `UsageProblem` when there is none."""
    path = versioned_path(folder_of(model), ref)
    stored = stored_at(view, path)
    if stored is None or not isinstance(stored.record, model):
        raise _unknown(view, model, str(ref))
    return Found(stored, stored.record)


def parse_ref(view: RecordView, model: type[V], text: str, *, member: str | None) -> Ref:
    """Return the reference that `text` means; `UsageProblem` when it means none."""
    name, at, version = text.partition("@")
    owner, slash, own_name = name.rpartition("/")
    if not slash:
        if member is None:
            hint = f"write member/name; without a membership {text!r} says not whose it is"
            raise UsageProblem(f"whose {model.KIND} is {text!r}?", hint=hint)
        owner = member
    for part in owner, own_name:
        if fault := name_fault(part):
            raise UsageProblem(f"{text!r} names no {model.KIND}: {fault}", hint="write member/name or member/name@1")
    if at:
        try:
            return Ref.parse(f"{owner}/{own_name}@{version}")
        except ValueError as error:
            raise UsageProblem(str(error), hint="write member/name or member/name@1") from error
    newest = newest_version(view, folder_of(model), owner, own_name)
    if newest is None:
        raise _unknown(view, model, f"{owner}/{own_name}")
    return newest


def next_version(view: RecordView, model: type[V], member: str, name: str) -> int:
    """Return the version that the next record of this name takes."""
    numbers = [r.version for r in iter_versions(view, folder_of(model)) if (r.member, r.name) == (member, name)]
    return max(numbers, default=0) + 1


def refuse_withdrawn(view: RecordView, stored: Stored) -> None:
    """Raise `Refused` when a record is withdrawn: it takes part in nothing new."""
    if marks_of(view, stored.path).withdrawn:
        raise Refused(f"{stored.path} is withdrawn and takes part in nothing new", hint="name another version")


def find_result(view: RecordView, text: str) -> Stored:
    """Return the result whose digest starts with `text` (4 hexadecimal digits or more), or at path `text`."""
    if layout.place_of(text) is not None:
        stored = stored_at(view, text)
        if stored is not None and isinstance(stored.record, Result):
            return stored
    matches = [s for s in iter_stored_results(view) if len(text) >= 4 and short(s.digest).startswith(text[:12])]
    if len(matches) != 1:
        said = f"{len(matches)} results begin with {text!r}" if matches else f"no result is called {text!r}"
        raise UsageProblem(said, hint="`medperf-git result ls` shows the 12 digits by which results are called")
    return matches[0]


def iter_stored_results(view: RecordView, benchmark: Ref | None = None) -> list[Stored]:
    """Return every readable result, of one benchmark or of all, oldest first within a chain."""
    benchmarks = [benchmark] if benchmark else list(iter_versions(view, "benchmarks"))
    found = []
    for one in benchmarks:
        for dataset, model in iter_results(view, one):
            folder = layout.result_folder(one, dataset, model)
            names = [name for name in view.names(folder) if name.endswith(".yaml")]
            found += [stored for name in names if (stored := stored_at(view, f"{folder}/{name}")) is not None]
    return [stored for stored in found if isinstance(stored.record, Result)]


def iter_found(view: RecordView, model: type[V]) -> list[Found[V]]:
    """Return every readable record of a kind, in the order of its name and version."""
    found = []
    for ref in iter_versions(view, folder_of(model)):
        stored = stored_at(view, versioned_path(folder_of(model), ref))
        if stored is not None and isinstance(stored.record, model):
            found.append(Found(stored, stored.record))
    return found


def _unknown(view: RecordView, model: type[V], text: str) -> UsageProblem:
    known = [str(ref) for ref in iter_versions(view, folder_of(model))]
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"`medperf-git {model.KIND} ls` lists what there is"
    return UsageProblem(f"there is no {model.KIND} {text} in this registry", hint=hint)
