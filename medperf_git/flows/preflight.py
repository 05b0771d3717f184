"""Look at everything that sending needs, before anything is sent: who I am, my key, the clock, the way, the token."""

from collections.abc import Callable
from datetime import timedelta

from medperf_git.errors import EnvironmentProblem, MedperfGitError
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Merging
from medperf_git.records.folds import member_state
from medperf_git.registry.remotes import Remote, Transport

CLOCK_SLACK = timedelta(minutes=5)


def preflight(workspace: Workspace) -> list[Examined]:
    """Return what was found, in the order in which sending needs it."""
    return [found for look in LOOKS if (found := look(workspace)) is not None]


def refuse_unready(workspace: Workspace) -> None:
    """Say what stands in the way before anything is signed; EnvironmentProblem where the clock would spoil it.

    What only sending needs is said and no more: what is signed is kept, and sent when it can be.
    """
    clock, token = _clock(workspace), _account(workspace)
    if clock is not None and clock.state == "fail":
        raise EnvironmentProblem(f"this machine's clock is {clock.found}", hint=f"{clock.remedy}; nothing was signed")
    if token is not None and token.state == "fail":
        workspace.context.say(f"note: {token.found}; {token.remedy}")


def _identity(workspace: Workspace) -> Examined:
    if workspace.member is None:
        return Examined("warn", "member", "nobody yet", "medperf-git join; a bundle of somebody else can be sent")
    waits = member_state(workspace.view, workspace.member) is None
    return Examined("ok", "member", f"{workspace.member}{', waits to be admitted' if waits else ''}")


def _key(workspace: Workspace) -> Examined | None:
    if workspace.member is None:
        return None
    try:
        return Examined("ok", "key", workspace.signer().public.fingerprint)
    except MedperfGitError as problem:
        return Examined("fail", "key", problem.message, problem.hint)


def _way(workspace: Workspace) -> Examined:
    if workspace.online:
        told = f"{workspace.url} ({workspace.known.kind}) answers; main is verified up to {workspace.head[:12]}"
        return Examined("ok", "registry", told)
    remedy = "check the network; `medperf-git submit --no-push` writes a bundle that can be sent from elsewhere"
    return Examined("fail", "registry", f"{workspace.url} cannot be reached", remedy)


def _clock(workspace: Workspace) -> Examined | None:
    if not workspace.online or Remote.parse(workspace.url).transport is not Transport.HTTPS:
        return None
    from medperf_git.forge.clock import read_clock  # noqa: PLC0415  (asks the network)

    theirs = read_clock(workspace.url, workspace.context.environ)
    if theirs is None:
        return None
    off = workspace.context.clock() - theirs
    if abs(off) <= CLOCK_SLACK:
        return Examined("ok", "clock", "as at the host")
    told = f"{abs(off).total_seconds() / 60:.0f} minutes {'ahead of' if off > timedelta() else 'behind'} the host's"
    return Examined("fail", "clock", told, "set this machine's clock: what is dated in the future is refused")


def _account(workspace: Workspace) -> Examined | None:
    if not workspace.online or workspace.forge.merging is Merging.PUSH:
        return None
    if workspace.forge.merging is Merging.PAGE:
        found = "no token: branches are pushed, and you open the pull request in the browser"
        return Examined("ok", "token", found, "with one, it is opened for you")
    try:
        return Examined("ok", "token", workspace.forge.describe_account())
    except MedperfGitError as problem:
        return Examined("fail", "token", problem.message, problem.hint)


LOOKS: tuple[Callable[[Workspace], Examined | None], ...] = (_identity, _key, _way, _clock, _account)
