"""What a committee looks at before it decides on a dataset or a model, in words.

Titles are as their owners wrote them; whoever prints them makes them harmless.
"""

from medperf_git.records import layout
from medperf_git.records.folds import member_state
from medperf_git.records.models import AutoApproval, Benchmark, Cube, Dataset, Policy
from medperf_git.records.standings import Standing, request_of
from medperf_git.records.view import RecordView, record_at

COLUMNS = ("owner", "size", "asked", "tested", "policy")
_UNKNOWN = "the record cannot be read"


def facts_of(view: RecordView, one: Standing, policy: Policy | None) -> dict[str, str]:
    """Return whose it is, how large, who asked when, how its owner's test went, and what the policy says of it."""
    request = request_of(view, one)
    return {
        "owner": _owner(view, one),
        "size": _size(view, one),
        "asked": f"{request.created[:10]} by {request.by}" if request else "",
        "tested": _tested(view, one),
        "policy": _policy(one, policy),
    }


def _owner(view: RecordView, one: Standing) -> str:
    member = member_state(view, one.subject.member)
    retired = ", retired" if member and member.status == "retired" else ""
    return f"{one.subject.member}{retired}"


def _size(view: RecordView, one: Standing) -> str:
    if one.kind == "dataset":
        dataset = record_at(view, layout.dataset_path(one.subject), Dataset)
        return f"{dataset.cases} cases" if dataset else _UNKNOWN
    cube = record_at(view, layout.cube_path(one.subject), Cube)
    if cube is None:
        return _UNKNOWN
    told = [", ".join(sorted(cube.tasks))]
    told += [f"parameters of {len(cube.parameters.encode())} bytes"] if cube.parameters else []
    told += [f"files of {cube.additional_files.size} bytes"] if cube.additional_files else []
    return ", ".join(told)


def _tested(view: RecordView, one: Standing) -> str:
    """Say how the owner's own test of a model ended, and whether it was on this benchmark's demo data."""
    if one.kind == "dataset":
        return ""
    cube = record_at(view, layout.cube_path(one.subject), Cube)
    benchmark = record_at(view, layout.benchmark_path(one.benchmark), Benchmark)
    if cube is None or cube.tested is None:
        return "not recorded"
    same = benchmark is not None and cube.tested.data == benchmark.demo_data.digest
    return f"{cube.tested.outcome}, on {'the demo data' if same else 'other data'}"


def _policy(one: Standing, policy: Policy | None) -> str:
    """Say what the policy in force says of approving such a subject at once."""
    if policy is None:
        return "no policy"
    rule: AutoApproval = policy.auto_approve.datasets if one.kind == "dataset" else policy.auto_approve.models
    match rule.mode:
        case "never":
            return "asks each time"
        case "always":
            return "takes all at once"
        case "list":
            on = "is on" if one.subject.member in (rule.members or ()) else "is not on"
            return f"{one.subject.member} {on} its list"
