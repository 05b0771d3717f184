"""The page for those who come from MedPerf: each of its commands stands in one group, and each of ours exists."""

import re

import click
import pytest

from medperf_git.cli.main import main as program
from tests.support.pages import ROOT, check_command

PAGE = (ROOT / "docs/coming-from-medperf.md").read_text(encoding="utf-8")
ACCESS = "grant_access auto_grant_access revoke_user_access delete_keys check_access"
# The commands of MedPerf's client: the Typer applications of cli/medperf/cli.py in its repository, in 2026.
MEDPERF = {
    "": "run get_webui_properties",
    "container": f"run_test ls create submit view {ACCESS}",
    "mlcube": f"run_test ls create submit view {ACCESS}",
    "model": f"submit ls view associate {ACCESS}",
    "asset": "submit ls view",
    "dataset": "ls submit prepare check set_operational associate train view import export",
    "benchmark": "ls submit run view update_associations_policy update_committee_members",
    "association": "ls approve reject set_priority",
    "result": "create submit ls view show_local_results",
    "test": "run ls view",
    "auth": "synapse_login login logout status",
    "profile": "activate create set ls view delete",
    "storage": "ls move cleanup",
    "training": "submit set_plan start_event get_experiment_status update_plan set_aggregator close_event "
    "cancel_event ls view",
    "aggregator": "submit start ls view",
    "ca": "submit ls view",
    "certificate": "get_client_certificate get_server_certificate submit_client_certificate delete_client_certificate "
    "check_client_certificate",
    "confidential": "configure_dataset_for_cc configure_model_for_cc update_dataset_cc_policy update_model_cc_policy "
    "setup_cc_operator setup_cc_collector download_cc_results",
    "web-ui": "run",
}
GROUPS = ("The same", "Better", "Not here, and why")


def rows(title: str) -> list[list[str]]:
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]


def told(title: str) -> list[str]:
    named = [command for row in rows(title) for command in re.findall(r"`([^`]+)`", row[0])]
    same_of = [f"{group} {verb}" for group in ("mlcube", "model") for verb in ACCESS.split()]
    return [one for one in named if " " in one or one in ("run", "get_webui_properties")] + same_of * (
        title == GROUPS[2]
    )


def test_every_command_of_medperf_stands_in_exactly_one_group() -> None:
    all_of_them = sorted(f"{group} {verb}".strip() for group, verbs in MEDPERF.items() for verb in verbs.split())
    assert sorted(command for title in GROUPS for command in told(title)) == all_of_them


@pytest.mark.parametrize("title", GROUPS)
def test_what_it_is_here_exists(title: str) -> None:
    for row in rows(title):
        for command in re.findall(r"`([^`]+)`", " ".join(row[1:])):
            if command.startswith("--"):
                assert any(command in option.opts for option in options()), command
            else:
                check_command(f"medperf-git {command}", program)


def options() -> list[click.Parameter]:
    """Return the parameters of all commands."""

    def walk(command: click.Command, context: click.Context) -> list[click.Parameter]:
        found = command.get_params(context)
        for name in command.list_commands(context) if isinstance(command, click.Group) else []:
            inner = command.get_command(context, name)
            assert inner is not None
            found = [*found, *walk(inner, click.Context(inner, info_name=name, parent=context))]
        return found

    return walk(program, click.Context(program))
