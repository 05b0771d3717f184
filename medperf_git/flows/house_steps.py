"""Judge main as a merge would leave it: every step that it would gain, as every client will judge it.

A merge queue asks this about a group of proposals. Each may be fine alone and wrong behind another (threat T63).
"""

from collections.abc import Iterator
from dataclasses import replace

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.flows.checking import Checked, resolve
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records.findings import Finding
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.objects import BadObject, Store
from medperf_git.registry.steps import judge_step

_WEIGHT = (Outcome.PASS, Outcome.NEEDS_PERSON, Outcome.FAIL, Outcome.COULD_NOT_CHECK)


def check_steps(store: Store, base: str, head: str) -> Checked:
    """Judge every step of main from `base` to `head`; our own trouble is `could-not-check`."""
    mark = store.meter.mark()
    known_base, known_head = resolve(store, base), resolve(store, head)
    subject: dict[str, object] = {"base": known_base, "head": known_head}
    try:
        verdicts = list(_verdicts(store, known_base, known_head))
    except BadObject as bad:
        verdicts = [Verdict.of([bad.finding])]
    except (EnvironmentProblem, IntegrityBroken) as problem:
        trouble = Finding("could-not-check", problem.message, fix=problem.hint)
        verdicts = [Verdict(Outcome.COULD_NOT_CHECK, (trouble,))]
    if not verdicts:
        verdicts = [Verdict.of([Finding("empty", "main would gain no step", fix="propose something")])]
    outcome = max((verdict.outcome for verdict in verdicts), key=_WEIGHT.index)
    findings = tuple(finding for verdict in verdicts for finding in verdict.findings)
    return Checked(Verdict(outcome, findings), store.meter.since(mark), subject)


def _verdicts(store: Store, base: str, head: str) -> Iterator[Verdict]:
    try:
        steps = line_between(store, head, base)
    except LookupError:
        fix = "merge into main as it stands now"
        yield Verdict.of([Finding("history", "main only moves forward along its first parents", fix=fix)])
        return
    for step in iter_ids(steps):
        judged = judge_step(store, step).verdict
        note = f"step {step[:12]}: "
        yield Verdict(judged.outcome, tuple(replace(f, message=note + f.message) for f in judged.findings))
