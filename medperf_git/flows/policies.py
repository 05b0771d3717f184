"""How a benchmark is run: committee, thresholds, automatic approval, opening, disclosure limits → a policy record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from medperf_git.errors import UsageProblem
from medperf_git.flows.naming import Found
from medperf_git.flows.propose import Draft, next_link
from medperf_git.records import layout
from medperf_git.records.folds import policy_state
from medperf_git.records.models import (
    AutoApproval,
    AutoApprovals,
    Benchmark,
    Disclosure,
    Policy,
    Reference,
    Thresholds,
)
from medperf_git.records.names import MemberName
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWish:
    """What a committee asks for; None leaves the present value, or the default of a first policy."""

    committee: Sequence[str] | None = None
    change_threshold: int | None = None
    events_threshold: int | None = None
    auto_approve_datasets: str | None = None
    auto_approve_models: str | None = None
    opens: str | None = None
    closes: str | None = None
    min_cases: int | None = None
    decimals: int | None = None
    n: str | None = None


def first_policy(wish: PolicyWish, benchmark: Reference, *, member: str, created: str) -> Policy:
    """Compose a benchmark's first policy: all thresholds 1, nothing automatic, at least 10 cases, 3 decimals."""
    never = AutoApproval("never")
    default = Policy(
        created=created,
        benchmark=benchmark,
        committee=(MemberName(member),),
        thresholds=Thresholds(change=1, events=1),
        auto_approve=AutoApprovals(datasets=never, models=never),
        disclosure=Disclosure(min_cases=10, decimals=3, n="exact"),
    )
    return _with(default, wish)


def build_policy_change(view: RecordView, benchmark: Found[Benchmark], wish: PolicyWish, *, created: str) -> Draft:
    """Compose the next policy of a benchmark, with what is not wished left as it is."""
    present = policy_state(view, benchmark.ref)
    if present is None:
        raise UsageProblem(f"{benchmark.ref} has no policy", hint="run `medperf-git audit`: the registry is damaged")
    changed = _with(present, wish)
    if changed == present:
        raise UsageProblem(
            "nothing would change", hint="say what shall change, for instance --closes 2027-01-31T00:00:00Z"
        )
    folder = layout.policy_folder(benchmark.ref)
    number, previous = next_link(view, folder)
    return Draft(layout.numbered(folder, number), replace(changed, created=created, previous=previous))


def _with(policy: Policy, wish: PolicyWish) -> Policy:
    committee = tuple(sorted(MemberName(name) for name in wish.committee)) if wish.committee else policy.committee
    thresholds = Thresholds(
        change=wish.change_threshold or policy.thresholds.change,
        events=wish.events_threshold or policy.thresholds.events,
    )
    if max(thresholds.change, thresholds.events) > len(committee):
        hint = f"the committee has {len(committee)}: {', '.join(committee)}"
        raise UsageProblem("a threshold is greater than the committee", hint=hint)
    present = policy.disclosure
    return replace(
        policy,
        committee=committee,
        thresholds=thresholds,
        auto_approve=AutoApprovals(
            datasets=_auto(wish.auto_approve_datasets, policy.auto_approve.datasets),
            models=_auto(wish.auto_approve_models, policy.auto_approve.models),
        ),
        opens=wish.opens or policy.opens,
        closes=wish.closes or policy.closes,
        disclosure=Disclosure(
            min_cases=present.min_cases if wish.min_cases is None else wish.min_cases,
            decimals=present.decimals if wish.decimals is None else wish.decimals,
            n=present.n if wish.n is None else cast(Literal["exact", "bucket"], wish.n),
        ),
    )


def _auto(wish: str | None, present: AutoApproval) -> AutoApproval:
    """Read `never`, `always` or a comma-separated list of members."""
    if wish is None:
        return present
    if wish == "never":
        return AutoApproval("never")
    if wish == "always":
        return AutoApproval("always")
    names = sorted(MemberName(name.strip()) for name in wish.split(",") if name.strip())
    if not names:
        raise UsageProblem(f"{wish!r} names no member", hint="write never, always, or members separated by commas")
    return AutoApproval("list", tuple(names))
