"""Records that people write or change by hand: the registry's own, a policy, one's own membership.

`current_draft` gives what is in force to start from, with the digest by which it is known; `submit_written` fills what
nobody should type (number, `created`, digests of house files), signs and proposes it.
"""

from collections.abc import Mapping
from pathlib import Path

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.drafting import read_written
from medperf_git.flows.propose import Draft, Proposed, Unacceptable, next_link, propose
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.convert import record_from_value, value_of
from medperf_git.records.digests import digest_of
from medperf_git.records.folds import member_state, policy_state, registry_state
from medperf_git.records.layout import Kind
from medperf_git.records.models import Member, Policy, Registry
from medperf_git.records.names import Ref
from medperf_git.records.record import check_document, write_value
from medperf_git.records.schemas import SPEC
from medperf_git.records.strict_yaml import Document, Value
from medperf_git.records.times import format_time

WRITABLE = (Kind.REGISTRY, Kind.MEMBER, Kind.POLICY)
_FILLED = ("created", "genesis", "recovered")


def current_draft(workspace: Workspace, kind: str, benchmark: Ref | None = None) -> str:
    """Return the record of a kind that is in force, without what is filled in when it is submitted."""
    record: Registry | Member | Policy | None
    match kind:
        case "registry":
            record = registry_state(workspace.view)
        case "member":
            record = member_state(workspace.view, workspace.require_member())
        case "policy" if benchmark is not None:
            record = policy_state(workspace.view, benchmark)
        case "policy":
            raise UsageProblem("whose policy?", hint="name the benchmark: --benchmark member/name")
        case _:
            hint = "cubes, datasets, benchmarks and results are made by their own commands"
            raise UsageProblem(f"no {kind} is in force that could be changed", hint=hint)
    if record is None:
        raise UsageProblem(f"there is no {kind} yet", hint="`medperf-git sync`, or start one without --current")
    value = {key: inner for key, inner in value_of(record).items() if key not in _FILLED}
    folder = layout.expected_folder(Kind(kind), value)
    last = next_link(workspace.view, folder)[1]
    value |= {"previous": last} if last else {}  # so that nobody's change in between is undone unseen
    head = f"# What is in force. Change it, then run: medperf-git submit {kind}.yaml\n"
    return head + write_value(Kind(kind), value).decode()


def submit_written(
    workspace: Workspace, path: Path, *, house: Mapping[str, Path] | None = None, dry_run: bool = False
) -> Proposed:
    """Propose a record file of a person as the next link of its chain; `house` files go with a registry record.

    Unacceptable: it is no record of such a kind; every finding with its line.
    """
    document, faults = read_written(path)
    if document is None:
        raise Unacceptable(f"{path} cannot be read as a record", faults, hint="mend what is listed above")
    kind = document.value.get("kind")
    if kind not in [str(one) for one in WRITABLE]:
        hint = f"by hand one submits: {', '.join(WRITABLE)}; `medperf-git new KIND --current` starts one"
        raise UsageProblem(f"{path} holds a record of kind {kind!r}", hint=hint)
    plain = {name: _bytes_of(file) for name, file in (house or {}).items()}
    draft = _filled(workspace, Kind(str(kind)), document.value, plain, path)
    title = f"Change {draft.path.rpartition('/')[0] or draft.path}"
    return propose(workspace, [draft], title=title, dry_run=dry_run, plain=plain, confirm=f"{title}, as {path} says?")


def _filled(workspace: Workspace, kind: Kind, value: dict[str, Value], plain: Mapping[str, bytes], path: Path) -> Draft:
    filled: dict[str, Value] = {key: inner for key, inner in value.items() if key not in _FILLED}
    filled |= {"kind": str(kind), "spec": SPEC, "created": format_time(workspace.context.clock())}
    if plain:
        listed = filled.get("house_files")
        old: dict[str, Value] = dict(listed) if isinstance(listed, dict) else {}
        filled["house_files"] = {**old, **{name: digest_of(data) for name, data in plain.items()}}
    findings = check_document(Document(filled), kind)
    if findings:
        found = tuple(finding.at(str(path)) for finding in findings)
        raise Unacceptable(f"{path} is no {kind} record", found, hint="mend what is listed above")
    folder = layout.expected_folder(kind, filled)
    number, previous = next_link(workspace.view, folder)
    if filled.get("previous") != previous:
        hint = f"start again from what is in force: medperf-git new {kind} --current, and make your change there"
        raise Refused(f"{path} does not start from the {kind} record in force: others changed it meanwhile", hint=hint)
    return Draft(layout.numbered(folder, number), record_from_value(kind, filled))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}", hint="name a file that is there") from error
