from dataclasses import replace

import pytest

from medperf_git.records import folds, layout
from medperf_git.records import models as m
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.folds import AssociationState, Marks, Status
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.records.view import MemoryView

from .examples import ANA, BENCHMARK_REF, BOB, COMPLETE, DATASET_REF, HOSPITAL, MINIMAL, MODEL_REF, digest

BENCHMARK = BENCHMARK_REF.ref
DATASET, MODEL = DATASET_REF.ref, MODEL_REF.ref
POLICY = MINIMAL["benchmarks/ana/aspirate/1/policy/0001.yaml"]
REQUEST = COMPLETE["associations/ana/aspirate/1/datasets/hospital-a.cohort.2/0001.yaml"]
NOTICE = MINIMAL["notices/members/ana/0001/0001.yaml"]
RESULT = MINIMAL["results/ana/aspirate/1/hospital-a.cohort.2/bob.forest.3/0001.yaml"]


def in_chain(folder: str, records: list[m.Record]) -> dict[str, bytes]:
    """Write records as the links of a chain, each with the digest of the one before."""
    files: dict[str, bytes] = {}
    previous: Digest | None = None
    for number, record in enumerate(records, start=1):
        data = write_record(replace(record, previous=previous))  # type: ignore[type-var]
        files[layout.numbered(folder, number)] = data
        previous = digest_of(data)
    return files


def policies(*auto: m.AutoApprovals) -> dict[str, bytes]:
    assert isinstance(POLICY, m.Policy)
    records: list[m.Record] = [replace(POLICY, auto_approve=one) for one in auto]
    return in_chain(layout.policy_folder(BENCHMARK), records)


def approvals(mode: str, *members: MemberName) -> m.AutoApprovals:
    rule = m.AutoApproval(mode, members or None)  # type: ignore[arg-type]
    never = m.AutoApproval("never")
    return m.AutoApprovals(rule, never)


def event(name: str, **changes: object) -> m.Association:
    assert isinstance(REQUEST, m.Association)
    changes = {"policy": REQUEST.policy if name == "request" else None, **changes}
    return replace(REQUEST, event=name, **changes)


def state_after(*events: m.Association, others: dict[str, bytes] | None = None) -> AssociationState:
    folder = layout.association_folder(BENCHMARK, "dataset", DATASET)
    view = MemoryView({**in_chain(folder, list(events)), **(others or {})})
    return folds.association_state(view, BENCHMARK, "dataset", DATASET)


def test_nothing_was_said_before_the_first_event():
    assert state_after() == AssociationState()
    assert AssociationState().status is Status.NONE


@pytest.mark.parametrize(
    ("events", "status"),
    [
        (["request"], Status.PENDING),
        (["request", "approve"], Status.APPROVED),
        (["request", "reject"], Status.REJECTED),
        (["request", "withdraw"], Status.WITHDRAWN),
        (["request", "approve", "withdraw"], Status.WITHDRAWN),
        (["request", "approve", "reject"], Status.REJECTED),
        (["request", "reject", "request"], Status.PENDING),
        (["request", "withdraw", "request", "approve"], Status.APPROVED),
    ],
)
def test_an_association_stands_where_its_last_event_left_it(events, status):
    state = state_after(*(event(name) for name in events))
    assert (state.status, state.events, state.subject) == (status, len(events), DATASET_REF.digest)
    assert state.last is not None
    assert not state.automatic


def test_a_priority_changes_nothing_else():
    state = state_after(event("request"), event("approve"), event("prioritise", side="committee", priority=-7))
    assert (state.status, state.priority, state.initiator) == (Status.APPROVED, -7, "owner")
    state = state_after(event("request"), event("prioritise", priority=3), event("approve", side="committee"))
    assert (state.status, state.priority) == (Status.APPROVED, 3)


def test_the_initiator_is_the_side_of_the_last_request():
    state = state_after(event("request"), event("reject", side="committee"), event("request", side="committee"))
    assert (state.status, state.initiator) == (Status.PENDING, "committee")


def test_a_record_of_another_kind_is_no_event():
    stored = folds.chain(
        MemoryView({"members/ana/0001.yaml": write_record(MINIMAL["members/ana/0001.yaml"])}), "members/ana"
    )
    state = AssociationState(Status.PENDING)
    assert folds.next_association_state(MemoryView({}), state, stored[0]) is state


def auto(files: dict[str, bytes], number: int = 1, **changes: object) -> AssociationState:
    named = digest_of(files[layout.numbered(layout.policy_folder(BENCHMARK), number)])
    return state_after(event("request", policy=named, **changes), others=files)


def test_requests_are_approved_at_once_by_the_policy_that_they_name():
    assert auto(policies(approvals("always"))).status is Status.APPROVED
    assert auto(policies(approvals("always"))).automatic
    assert auto(policies(approvals("never"))).status is Status.PENDING
    assert auto(policies(approvals("list", HOSPITAL))).status is Status.APPROVED
    assert auto(policies(approvals("list", BOB))).status is Status.PENDING


def test_a_later_policy_touches_no_pending_request():
    files = policies(approvals("never"), approvals("always"))
    assert auto(files, 1).status is Status.PENDING
    assert auto(files, 2).status is Status.APPROVED


def test_a_request_that_names_an_unknown_policy_waits():
    assert (
        state_after(event("request", policy=digest("unknown")), others=policies(approvals("always"))).status
        is Status.PENDING
    )
    assert state_after(event("request")).status is Status.PENDING


def test_an_invitation_by_the_committee_is_never_approved_at_once():
    assert auto(policies(approvals("always")), side="committee").status is Status.PENDING


def own_request(side: str) -> bool:
    assert isinstance(REQUEST, m.Association)
    own = m.Subject("dataset", Ref("ana", "cohort", 1), digest("own"))
    request = replace(REQUEST, subject=own, side=side, by=ANA)
    return folds.is_auto_approved(MemoryView(policies(approvals("never"))), request)


def test_the_owner_of_the_benchmark_is_approved_first_but_not_by_an_invitation():
    assert own_request("owner")
    assert not own_request("committee")


def test_datasets_and_models_have_rules_of_their_own():
    files = policies(m.AutoApprovals(m.AutoApproval("never"), m.AutoApproval("always")))
    assert isinstance(REQUEST, m.Association)
    named = digest_of(next(iter(files.values())))
    model = replace(REQUEST, subject=m.Subject("cube", MODEL, digest("m")), policy=named)
    assert folds.is_auto_approved(MemoryView(files), model)
    assert not folds.is_auto_approved(MemoryView(files), replace(REQUEST, policy=named))


@pytest.mark.parametrize(
    ("events", "marks"),
    [
        ([], (False, False)),
        (["withdraw"], (True, False)),
        (["withdraw", "reinstate"], (False, False)),
        (["dispute"], (False, True)),
        (["dispute", "resolve"], (False, False)),
        (["dispute", "withdraw", "resolve"], (True, False)),
        (["withdraw", "dispute", "reinstate"], (False, True)),
        (["withdraw", "reinstate", "withdraw"], (True, False)),
    ],
)
def test_notices_mark_a_record(events, marks):
    path = "members/ana/0001.yaml"
    files = notices(path, *events)
    found = folds.marks_of(MemoryView(files), path)
    assert (found.withdrawn, found.disputed, found.events) == (*marks, len(events))
    assert (found.last is None) == (not events)
    assert folds.marks_of(MemoryView({}), path) == Marks()


def notices(path: str, *events: str) -> dict[str, bytes]:
    assert isinstance(NOTICE, m.Notice)
    about = m.About(path, digest("x"))
    return in_chain(layout.notice_folder(path), [replace(NOTICE, record=about, event=name) for name in events])  # type: ignore[arg-type]


def test_the_state_of_a_chain_is_its_newest_link():
    registry, member = MINIMAL["registry/0001.yaml"], MINIMAL["members/ana/0001.yaml"]
    assert isinstance(registry, m.Registry)
    assert isinstance(member, m.Member)
    files = in_chain("registry", [registry, replace(registry, title="Second", genesis=None)])
    files |= in_chain("members/ana", [member, replace(member, title="Second")])
    files |= policies(approvals("never"), approvals("always"))
    view = MemoryView(files)
    state, person, policy = (
        folds.registry_state(view),
        folds.member_state(view, "ana"),
        folds.policy_state(view, BENCHMARK),
    )
    assert state is not None
    assert person is not None
    assert policy is not None
    assert (state.title, person.title, policy.auto_approve.datasets.mode) == ("Second", "Second", "always")
    assert folds.members(view) == ("ana",)


def test_what_is_not_there_has_no_state():
    view = MemoryView({})
    assert folds.registry_state(view) is folds.member_state(view, "ana") is folds.policy_state(view, BENCHMARK) is None
    assert folds.members(view) == ()
    assert folds.reference_to(view, "registry/0001.yaml") is None


def test_a_reference_is_the_digest_of_the_file():
    data = write_record(MINIMAL["registry/0001.yaml"])
    assert folds.reference_to(MemoryView({"registry/0001.yaml": data}), "registry/0001.yaml") == digest_of(data)


def results(count: int) -> dict[str, bytes]:
    assert isinstance(RESULT, m.Result)
    folder = layout.result_folder(BENCHMARK, DATASET, MODEL)
    return in_chain(folder, [replace(RESULT, attempt=n) for n in range(1, count + 1)])


def test_the_newest_result_supersedes_the_others():
    view = MemoryView(results(2))
    live = folds.live_result(view, BENCHMARK, DATASET, MODEL)
    assert live is not None
    assert live.place.number == 2
    assert len(folds.result_chain(view, BENCHMARK, DATASET, MODEL)) == 2


def test_a_withdrawn_result_does_not_bring_back_the_one_it_superseded():
    newest = layout.numbered(layout.result_folder(BENCHMARK, DATASET, MODEL), 2)
    older = layout.numbered(layout.result_folder(BENCHMARK, DATASET, MODEL), 1)
    assert (
        folds.live_result(MemoryView({**results(2), **notices(newest, "withdraw")}), BENCHMARK, DATASET, MODEL) is None
    )
    assert folds.live_result(MemoryView({**results(2), **notices(older, "withdraw")}), BENCHMARK, DATASET, MODEL)
    assert folds.live_result(MemoryView({}), BENCHMARK, DATASET, MODEL) is None


def test_the_reference_model_counts_as_associated_and_others_need_approval():
    path = "benchmarks/ana/aspirate/1/benchmark.yaml"
    other = Ref("bob", "other", 1)
    assert isinstance(REQUEST, m.Association)
    subject = m.Subject("cube", other, digest("m"))
    folder = layout.association_folder(BENCHMARK, "cube", other)
    asked = [replace(REQUEST, subject=subject)]
    approved = [*asked, replace(REQUEST, subject=subject, event="approve", side="committee", policy=None)]
    benchmark = {path: write_record(MINIMAL[path])}
    assert folds.is_associated_model(MemoryView(benchmark), BENCHMARK, MODEL)
    assert not folds.is_associated_model(MemoryView({}), BENCHMARK, MODEL)
    assert not folds.is_associated_model(MemoryView({**benchmark, **in_chain(folder, asked)}), BENCHMARK, other)
    assert folds.is_associated_model(MemoryView({**benchmark, **in_chain(folder, approved)}), BENCHMARK, other)


def test_the_newest_version_is_the_newest_that_is_not_withdrawn():
    files = {f"cubes/ana/x1/{n}.yaml": b"" for n in (1, 2, 10)}
    assert folds.newest_version(MemoryView(files), "cubes", "ana", "x1") == Ref("ana", "x1", 10)
    files |= notices("cubes/ana/x1/10.yaml", "withdraw")
    assert folds.newest_version(MemoryView(files), "cubes", "ana", "x1") == Ref("ana", "x1", 2)
    for number in (1, 2):
        files |= notices(f"cubes/ana/x1/{number}.yaml", "withdraw")
    assert folds.newest_version(MemoryView(files), "cubes", "ana", "x1") is None
    assert folds.newest_version(MemoryView(files), "cubes", "ana", "y1") is None


def test_a_benchmark_version_is_withdrawn_by_a_notice_about_its_record():
    path = layout.benchmark_path(BENCHMARK)
    files = {path: write_record(MINIMAL[path])}
    assert folds.newest_version(MemoryView(files), "benchmarks", "ana", "aspirate") == BENCHMARK
    files |= notices(path, "withdraw")
    assert folds.newest_version(MemoryView(files), "benchmarks", "ana", "aspirate") is None
