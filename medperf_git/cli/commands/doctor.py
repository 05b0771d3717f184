"""What is missing on this machine, or at the host of a registry."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_context, open_workspace
from medperf_git.errors import UsageProblem

if TYPE_CHECKING:
    from medperf_git.flows.house_examined import Examined

HOSTS = ("github", "gitlab", "forgejo", "pagure")
PURPOSES = ("reading", "signing", "running")
# What each thing is needed for, everything where nothing is said; no key is no lack, since `join` makes one.
NEEDED_FOR: Mapping[str, tuple[str, ...]] = {
    "git": PURPOSES,
    "home folder": PURPOSES,
    "registries": PURPOSES,
    "registry": PURPOSES,
    "keys": ("signing",),
    "clock": ("signing",),
    "container engine": ("running",),
}
# In which states a thing is missing, other than `fail`: without an engine all but running goes on.
MISSING: Mapping[str, tuple[str, ...]] = {"container engine": ("warn", "fail")}


@click.command()
@click.argument("subject", required=False, metavar="[forge]", type=click.Choice(["forge"]))
@click.argument("url", required=False)
@click.option(
    "--host", type=click.Choice(HOSTS), help="With forge: what kind of host it is, where its name does not say."
)
@click.option("--write", is_flag=True, help="With forge: propose the house files of this release, validator pinned.")
@click.option("--install-hook", type=click.Path(path_type=Path), help="Write hook and settings of a bare repository.")
@registry_option
@dry_run_option
@yes_option
@json_option
def doctor(
    *,
    subject: str | None,
    url: str | None,
    host: str | None,
    write: bool,
    install_hook: Path | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Look at everything this program needs here, and say what to do about what is missing.

    With `forge`: look at the settings of a registry's host that protect main (URL or path; default: the current one).
    """
    if install_hook is not None:
        return _install(install_hook, dry_run=dry_run, as_json=as_json)
    if subject is None:
        if url or write or host:
            raise UsageProblem("these options look at a host", hint="say `medperf-git doctor forge`")
        return _machine(as_json=as_json)
    if write:
        return _write(registry, host, dry_run=dry_run, yes=yes, as_json=as_json)
    return _forge(url, registry, host, as_json=as_json)


def _install(repository: Path, *, dry_run: bool, as_json: bool) -> int:
    from medperf_git.flows.doctor import renew_hook  # noqa: PLC0415

    place = renew_hook(repository, dry_run=dry_run)
    if as_json:
        echo_json({"hook": str(place), "written": not dry_run})
    else:
        echo_text(f"hook {'would be written' if dry_run else 'written'}: {place}")
    return 0


def _machine(*, as_json: bool) -> int:
    from medperf_git.flows.doctor import examine  # noqa: PLC0415

    findings = examine(open_context())
    lacking = {purpose: [one.what for one in findings if _lacks(one, purpose)] for purpose in PURPOSES}
    if as_json:
        echo_json([{**_row(one), "needed_for": list(_purposes(one))} for one in findings])
    else:
        rows = [{**_row(one), "needed for": ", ".join(_purposes(one))} for one in findings]
        table(rows, ["state", "what", "needed for", "found", "remedy"])
        for purpose, missing in lacking.items():
            echo_text(f"{purpose + ':':<9}{'missing: ' + ', '.join(missing) if missing else 'ready'}")
    return 3 if any(lacking.values()) else 0


def _row(one: "Examined") -> dict[str, str]:
    return {"state": one.state, "what": one.what, "found": one.found, "remedy": one.remedy}


def _purposes(one: "Examined") -> tuple[str, ...]:
    return NEEDED_FOR.get("registry" if one.what.startswith("registry ") else one.what, PURPOSES)


def _lacks(one: "Examined", purpose: str) -> bool:
    return purpose in _purposes(one) and one.state in MISSING.get(one.what, ("fail",))


def _forge(url: str | None, registry: str | None, host: str | None, *, as_json: bool) -> int:
    from medperf_git.flows.doctor import examine_host  # noqa: PLC0415

    findings = examine_host(open_context(registry), url, host=host)
    if as_json:
        echo_json([_row(one) for one in findings])
        return _code([one.state for one in findings])
    for one in findings:
        echo_text(f"{one.state:8}{one.what}: {one.found}")
        if one.remedy:
            echo_text(f"        {one.remedy}")
    if all(one.state == "unknown" for one in findings):
        echo_text("this is a list to go through by hand; nothing was looked at")
    return _code([one.state for one in findings])


def _write(registry: str | None, host: str | None, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    from medperf_git.cli.closing import report_proposed  # noqa: PLC0415
    from medperf_git.flows.house import PINS  # noqa: PLC0415
    from medperf_git.flows.house_pins import Pin, find_pin  # noqa: PLC0415
    from medperf_git.flows.house_update import plan_renewal, propose_renewal  # noqa: PLC0415
    from medperf_git.forge.host import Host  # noqa: PLC0415

    workspace = open_workspace(registry, yes=yes, refresh=True)
    kind = Host(host) if host else workspace.known.kind
    pin = find_pin() if kind in PINS else Pin("")
    renewal = plan_renewal(workspace, kind, pin)
    if not as_json:
        echo_text("house files: " + ", ".join(sorted(renewal.files)))
        if kind in PINS and not pin.sha256:
            echo_text(f"the validator stays without a pin, and workflows refuse to judge: {pin.reason}")
    report_proposed(propose_renewal(workspace, renewal, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
    return 0


def _code(states: list[str]) -> int:
    """Nothing looked at is no success."""
    return 3 if "fail" in states or all(state == "unknown" for state in states) else 0
