"""Who is in a registry, and who I am there."""

from medperf_git.errors import MedperfGitError, UsageProblem
from medperf_git.flows.workspace import Workspace
from medperf_git.records.folds import member_state, members, registry_state
from medperf_git.records.models import Member
from medperf_git.signing.keys import PublicKey


def list_members(workspace: Workspace) -> list[dict[str, object]]:
    """Return every member as plain values."""
    states = [state for name in members(workspace.view) if (state := member_state(workspace.view, name)) is not None]
    return [
        {"member": s.member, "title": s.title, "role": _role(workspace, s.member), "status": s.status} for s in states
    ]


def describe_member(workspace: Workspace, name: str) -> dict[str, object]:
    """Return one member as plain values; UsageProblem when there is none of that name."""
    state = member_state(workspace.view, name)
    if state is None:
        raise UsageProblem(f"there is no member {name!r}", hint="`medperf-git member ls` lists them")
    optional = {"country": state.country, "website": state.website}
    return {
        "member": state.member,
        "title": state.title,
        "role": _role(workspace, name),
        "status": state.status,
        **{key: value for key, value in optional.items() if value},
        "signing": [entry.key for entry in state.keys.signing],
        "recovery": [entry.key for entry in state.keys.recovery or ()],
        **_life(state),
    }


def _life(state: Member) -> dict[str, list[str]]:
    """Return what is to say about the keys beyond the keys themselves; nothing for most members."""
    ends = [f"{entry.key} until {entry.expires}" for entry in state.keys.signing if entry.expires]
    revoked = [f"{entry.key} since {entry.since[:12]} ({entry.reason})" for entry in state.revoked or ()]
    pending = [entry.key for entry in state.pending.signing] if state.pending else []
    return {key: lines for key, lines in {"ends": ends, "revoked": revoked, "announced": pending}.items() if lines}


def describe_me(workspace: Workspace) -> dict[str, object]:
    """Return who I am in a registry, as plain values."""
    told: dict[str, object] = {"registry": workspace.alias, "url": workspace.url, "home": str(workspace.context.home)}
    if workspace.member is None:
        return {**told, "member": "nobody yet; `medperf-git join` proposes you"}
    state = member_state(workspace.view, workspace.member)
    told |= {"member": workspace.member, "status": state.status if state else "waits to be admitted"}
    return told | {"role": _role(workspace, workspace.member), "key": _my_key(workspace, state)}


def _my_key(workspace: Workspace, state: Member | None) -> str:
    try:
        return workspace.signer().public.fingerprint
    except MedperfGitError as problem:
        named = [PublicKey.from_record(entry.key).fingerprint for entry in state.keys.signing] if state else []
        return f"not here ({problem.message}); the registry knows {', '.join(named) or 'none'}"


def _role(workspace: Workspace, name: str) -> str:
    registry = registry_state(workspace.view)
    return "maintainer" if registry and name in registry.maintainers else "member"
