"""Rules about notices: what may be said of which record, in which order, by whom."""

from collections.abc import Iterator

from medperf_git.policy.case import Case
from medperf_git.records import models
from medperf_git.records.findings import Finding
from medperf_git.records.folds import marks_of, policy_state, registry_state
from medperf_git.records.layout import Kind
from medperf_git.records.record import Stored
from medperf_git.records.view import chain, stored_at

WITHDRAWABLE = frozenset({Kind.CUBE, Kind.DATASET, Kind.BENCHMARK, Kind.RESULT, Kind.COMPARISON})
DISPUTABLE = frozenset({Kind.RESULT, Kind.COMPARISON})


def check_notices(case: Case) -> Iterator[Finding]:
    """Refuse notices about records they do not fit, that change nothing, or that undo another office's word."""
    for stored, notice in case.of(models.Notice):
        about = stored_at(case.change.before, notice.record.path)
        if about is None:
            message, fix = "a notice is about a merged record", "propose the record first"
            yield Finding("notice", message, path=stored.path, pointer="/record/path", fix=fix)
            continue
        for pointer, message, fix in _faults(case, stored, notice, about):
            yield Finding("notice", message, path=stored.path, pointer=pointer, fix=fix)


def _faults(case: Case, stored: Stored, notice: models.Notice, about: Stored) -> Iterator[tuple[str, str, str]]:
    marks = marks_of(case.change.before, about.path)
    kinds = WITHDRAWABLE if notice.event in ("withdraw", "reinstate") else DISPUTABLE
    if about.place.kind not in kinds:
        yield "/event", f"a {about.place.kind} cannot be the subject of a {notice.event}", "choose another record"
        return
    stands = {
        "withdraw": not marks.withdrawn,
        "reinstate": marks.withdrawn,
        "dispute": not marks.disputed,
        "resolve": marks.disputed,
    }
    if not stands[notice.event]:
        yield "/event", f"{notice.event} changes nothing: see what stands", "run `medperf-git status`"
    if notice.event == "reinstate" and _withdrawn_by(case, stored) == "maintainers" and notice.side != "maintainers":
        yield "/side", "what maintainers withdrew only they reinstate", "ask a maintainer"
    if notice.event in ("dispute", "resolve") and notice.side != "committee":
        yield "/side", "a dispute is the committee's", "let a committee member submit it"
        return
    if notice.event in ("withdraw", "reinstate") and notice.side == "committee":
        yield "/side", "withdrawing is the owner's or the maintainers'", "use `dispute`"
        return
    allowed = _speakers(case, notice, about)
    if notice.by not in allowed:
        yield "/by", f"{notice.by} does not speak as {notice.side}", f"let one of them submit it: {', '.join(allowed)}"


def _withdrawn_by(case: Case, stored: Stored) -> str:
    links = [link.record for link in chain(case.change.before, stored.place.folder)]
    sides = [link.side for link in links if isinstance(link, models.Notice) and link.event == "withdraw"]
    return sides[-1] if sides else ""


def _speakers(case: Case, notice: models.Notice, about: Stored) -> tuple[str, ...]:
    before, record = case.change.before, about.record
    if notice.side == "maintainers":
        registry = registry_state(before)
        return registry.maintainers if registry else ()
    match record:
        case models.Result() | models.Comparison() if notice.side == "committee":
            policy = policy_state(before, record.benchmark.ref)
            return policy.committee if policy else ()
        case models.Result() | models.Comparison():
            return (record.dataset.ref.member,)
        case models.Benchmark():
            policy = policy_state(before, record.ref)
            return policy.committee if policy else ()
        case models.Cube() | models.Dataset() as owned:
            return (owned.member,)
    return ()
