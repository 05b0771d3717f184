"""Which benchmarks a change of files can touch, found by names alone.

Rules kept here: never too few. A benchmark's own folders touch it; a container, a dataset, a notice about one, or the
keys of a member touch every benchmark in which that one takes part; what was set aside may touch any.

affected(before, after, ["results/ana/breast/1/north.tumours.1/ben.forest.1/0002.yaml"])    # → (ana/breast@1,)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from medperf_git.records import layout
from medperf_git.records.models import Benchmark
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, folders, iter_results, iter_versions, record_at

_OWN = ("benchmarks", "associations", "results", "comparisons")
_VERSIONED = ("cubes", "datasets")


@dataclass(slots=True)
class _Touched:
    """What changed paths are about: benchmark folders, cubes and datasets (`cubes/ben/forest/1`), members."""

    everything: bool = False
    own: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)

    def add(self, path: str) -> None:
        top, _, inner = path.removeprefix("notices/").rstrip("/").partition("/")
        parts = inner.split("/") if inner else []
        whole = not parts and top in ("", "members", *_OWN, *_VERSIONED)  # a top folder, gone or new as a whole
        if whole or path.startswith(layout.QUARANTINE):
            self.everything = True
        elif top in _OWN:
            self.own.add("/".join(parts[:3]))
        elif top in _VERSIONED:
            self.subjects.add("/".join((top, *parts[:2], *(part.partition(".")[0] for part in parts[2:3]))))
        elif top == "members":
            self.members.add(parts[0])

    def holds(self, ref: Ref) -> bool:
        """Tell whether a folder of a benchmark itself changed; a changed folder may also be one above it."""
        return any(ref.path == own or ref.path.startswith(f"{own}/") for own in self.own)

    def takes_part(self, top: str, ref: Ref) -> bool:
        """Tell whether a cube or dataset changed, or its owner did."""
        path = f"{top}/{ref.path}"
        return ref.member in self.members or any(path == one or path.startswith(f"{one}/") for one in self.subjects)


def affected(before: RecordView, after: RecordView, changed: Iterable[str]) -> tuple[Ref, ...]:
    """Return the benchmarks that a change can touch; `changed` are paths of files, or of whole folders (`results/`)."""
    touched = _Touched()
    for path in changed:
        touched.add(path)
    refs = sorted({*iter_versions(before, "benchmarks"), *iter_versions(after, "benchmarks")})
    return tuple(
        ref for ref in refs if touched.everything or touched.holds(ref) or _joined(touched, before, after, ref)
    )


def _joined(touched: _Touched, before: RecordView, after: RecordView, benchmark: Ref) -> bool:
    if not (touched.subjects or touched.members):
        return False
    return any(touched.takes_part(top, ref) for view in (before, after) for top, ref in _iter_parts(view, benchmark))


def _iter_parts(view: RecordView, benchmark: Ref) -> Iterator[tuple[str, Ref]]:
    """Yield every cube and dataset that stands in a benchmark, by the names of folders and by its own record."""
    record = record_at(view, layout.benchmark_path(benchmark), Benchmark)
    if record is not None:
        yield from (("cubes", one.ref) for one in (record.reference_model, record.metrics_cube, record.data_preparator))
    for top in _VERSIONED:
        for name in folders(view, f"associations/{benchmark.path}/{top}"):
            if (ref := _ref(name)) is not None:
                yield top, ref
    for dataset, model in iter_results(view, benchmark):
        yield "datasets", dataset
        yield "cubes", model


def _ref(name: str) -> Ref | None:
    try:
        return Ref.from_folder(name)
    except ValueError:
        return None
