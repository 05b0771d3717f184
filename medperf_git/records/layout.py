"""Path ↔ identity: where each record lies is a function of what it is.

A path that is none of the forms below is no record path. Chains are folders of `0001.yaml`, `0002.yaml`, …
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from medperf_git.records.names import MemberName, Ref, name_fault
from medperf_git.records.strict_yaml import Value

QUARANTINE = "registry/quarantine"
RESERVED = ("grants/",)  # record folders of later versions
HOUSE_FILES = ("README.md", "LICENSE", ".gitlab-ci.yml")
HOUSE_FOLDERS = (".github/", ".forgejo/")
BUNDLE = re.compile(r"(.+\.yaml)\.([0-9a-f]{16})\.sigstore\.json")
_HOUSE_PART = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-]")
_METRIC = re.compile(r"[a-z0-9](?:[-_.]?[a-z0-9]){0,63}")
_NUMBER = re.compile(r"(?!0000)([0-9]{4})\.yaml")


class Kind(StrEnum):
    """The kinds of records."""

    REGISTRY = "registry"
    QUARANTINE = "quarantine"
    MEMBER = "member"
    CUBE = "cube"
    DATASET = "dataset"
    BENCHMARK = "benchmark"
    POLICY = "policy"
    ASSOCIATION = "association"
    RESULT = "result"
    COMPARISON = "comparison"
    NOTICE = "notice"


CHAINS = frozenset(Kind) - {Kind.CUBE, Kind.DATASET, Kind.BENCHMARK}


@dataclass(frozen=True, slots=True)
class Place:
    """What a record's path says about it; `number` is 0 for a record that is no link of a chain."""

    kind: Kind
    path: str
    number: int = 0

    @property
    def folder(self) -> str:
        """The folder the record lies in: for a chain, the chain."""
        return self.path.rpartition("/")[0]


def is_house_file(path: str) -> bool:
    """Tell whether `path` is one of the few files outside the record folders; never one that Git itself obeys."""
    if path in HOUSE_FILES:
        return True
    inner = path.partition("/")[2].split("/")
    return path.startswith(HOUSE_FOLDERS) and all(
        _HOUSE_PART.fullmatch(part) and not part.lower().startswith(".git") for part in inner
    )


def bundle_of(record_path: str, short: str) -> str:
    """Return where the signature of the key with 16 hex digits `short` on a record lies."""
    return f"{record_path}.{short}.sigstore.json"


def split_bundle(path: str) -> tuple[str, str] | None:
    """Return (record path, 16 hex digits) of a signature's path, or None."""
    match = BUNDLE.fullmatch(path)
    return (match.group(1), match.group(2)) if match else None


def place_of(path: str) -> Place | None:
    """Return what a record path says, or None when it is no record path."""
    parts = path.split("/")
    number = _number(parts[-1])
    inner = parts[1:-1]
    match parts[0]:
        case "registry" if number and not inner:
            return Place(Kind.REGISTRY, path, number)
        case "registry" if number and inner == ["quarantine"]:
            return Place(Kind.QUARANTINE, path, number)
        case "members" if number and len(inner) == 1 and not name_fault(inner[0]):
            return Place(Kind.MEMBER, path, number)
        case "cubes" | "datasets" if _versioned(parts[1:]):
            return Place(Kind.CUBE if parts[0] == "cubes" else Kind.DATASET, path)
        case "benchmarks" if _is_ref(inner[:3]) and parts[4:] == ["benchmark.yaml"]:
            return Place(Kind.BENCHMARK, path)
        case "benchmarks" if number and _is_ref(inner[:3]) and inner[3:] == ["policy"]:
            return Place(Kind.POLICY, path, number)
        case "associations" if number and len(inner) == 5 and _is_ref(inner[:3]) and _is_folder_ref(inner[4]):
            return Place(Kind.ASSOCIATION, path, number) if inner[3] in ("cubes", "datasets") else None
        case "results" if number and len(inner) == 5 and _is_ref(inner[:3]) and all(map(_is_folder_ref, inner[3:])):
            return Place(Kind.RESULT, path, number)
        case "comparisons" if number and len(inner) == 5 and _is_ref(inner[:3]) and _is_folder_ref(inner[3]):
            return Place(Kind.COMPARISON, path, number) if _METRIC.fullmatch(inner[4]) else None
        case "notices" if number and inner[:1] != ["notices"] and place_of("/".join(inner) + ".yaml"):
            return Place(Kind.NOTICE, path, number)
    return None


def member_folder(name: str) -> str:
    """Return the chain of a member."""
    return f"members/{name}"


def member_path(name: str, number: int) -> str:
    """Return the path of a member record."""
    return f"members/{name}/{number:04d}.yaml"


def registry_path(number: int) -> str:
    """Return the path of a registry record."""
    return f"registry/{number:04d}.yaml"


def cube_path(ref: Ref) -> str:
    """Return the path of a cube."""
    return f"cubes/{ref.path}.yaml"


def dataset_path(ref: Ref) -> str:
    """Return the path of a dataset."""
    return f"datasets/{ref.path}.yaml"


def benchmark_path(ref: Ref) -> str:
    """Return the path of a benchmark."""
    return f"benchmarks/{ref.path}/benchmark.yaml"


def policy_folder(benchmark: Ref) -> str:
    """Return the chain of a benchmark's policies."""
    return f"benchmarks/{benchmark.path}/policy"


def association_folder(benchmark: Ref, kind: str, subject: Ref) -> str:
    """Return the chain of events of a `dataset` or `cube` in a benchmark."""
    return f"associations/{benchmark.path}/{kind}s/{subject.folder}"


def result_folder(benchmark: Ref, dataset: Ref, model: Ref) -> str:
    """Return the chain of results of a model on a dataset."""
    return f"results/{benchmark.path}/{dataset.folder}/{model.folder}"


def comparison_folder(benchmark: Ref, dataset: Ref, metric: str) -> str:
    """Return the chain of comparisons of the models on a dataset by a metric."""
    return f"comparisons/{benchmark.path}/{dataset.folder}/{metric}"


def notice_folder(record_path: str) -> str:
    """Return the chain of notices about a record."""
    return "notices/" + record_path.removesuffix(".yaml")


def numbered(folder: str, number: int) -> str:
    """Return the path of one link of a chain."""
    return f"{folder}/{number:04d}.yaml"


def expected_folder(kind: Kind, value: dict[str, Value]) -> str:
    """Return the folder (chains) or path (others) that a record's own words give it; ValueError if it has none."""
    match kind:
        case Kind.REGISTRY:
            return "registry"
        case Kind.QUARANTINE:
            return QUARANTINE
        case Kind.MEMBER:
            return member_folder(MemberName(str(value["member"])))
        case Kind.CUBE:
            return cube_path(_own_ref(value))
        case Kind.DATASET:
            return dataset_path(_own_ref(value))
        case Kind.BENCHMARK:
            return benchmark_path(_own_ref(value))
        case Kind.POLICY:
            return policy_folder(_ref_in(value, "benchmark"))
        case Kind.ASSOCIATION:
            subject = value["subject"]
            kind_of_subject = str(subject["kind"]) if isinstance(subject, dict) else ""
            return association_folder(_ref_in(value, "benchmark"), kind_of_subject, _ref_in(value, "subject"))
        case Kind.RESULT:
            return result_folder(_ref_in(value, "benchmark"), _ref_in(value, "dataset"), _ref_in(value, "model"))
        case Kind.COMPARISON:
            return comparison_folder(_ref_in(value, "benchmark"), _ref_in(value, "dataset"), str(value["metric"]))
        case Kind.NOTICE:
            record = value["record"]
            return notice_folder(str(record["path"]) if isinstance(record, dict) else "")


def _own_ref(value: dict[str, Value]) -> Ref:
    return Ref.parse(f"{value['member']}/{value['name']}@{value['version']}")


def _ref_in(value: dict[str, Value], key: str) -> Ref:
    inner = value[key]
    return Ref.parse(str(inner["ref"])) if isinstance(inner, dict) else Ref.parse("")


def _number(name: str) -> int:
    match = _NUMBER.fullmatch(name)
    return int(match.group(1)) if match else 0


def _is_ref(parts: list[str]) -> bool:
    return len(parts) == 3 and _parses(lambda: Ref.parse(f"{parts[0]}/{parts[1]}@{parts[2]}"))


def _versioned(parts: list[str]) -> bool:
    return len(parts) == 3 and parts[2].endswith(".yaml") and _is_ref([*parts[:2], parts[2].removesuffix(".yaml")])


def _is_folder_ref(folder: str) -> bool:
    return _parses(lambda: Ref.from_folder(folder))


def _parses(read: Callable[[], Ref]) -> bool:
    try:
        read()
    except ValueError:
        return False
    return True
