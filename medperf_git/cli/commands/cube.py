"""`cube` (also `container`, `model`): import a container, test it, register it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medperf_git.cli.commands._options import engine_options, settings_of
from medperf_git.cli.commands._shared import created_now, fresh_workspace, listing, marks_text, send, show_record
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context

if TYPE_CHECKING:
    from medperf_git.runner.importing import Role

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_ANY = click.Path(path_type=Path, exists=True)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_ROLES: "dict[str, Role]" = {
    "data-preparator": "data-preparator",
    "preparator": "data-preparator",
    "model": "model",
    "metrics": "metrics",
}


@click.group()
def cube() -> None:
    """A container: a data preparator, a model or a metrics container."""


@cube.command("new")
@click.argument("role", type=click.Choice([*_ROLES, "script"]))
@click.argument("name")
@click.option("--base", metavar="IMAGE", help="The image it is built upon (default: python:3.11-slim).")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write (default: NAME).")
def new(role: str, name: str, base: str | None, out: Path | None) -> None:
    """Write a container to start from: it builds, and passes `cube test`, as it is.

    A `script` runs the weights of others, for a benchmark whose models are files and not containers.
    """
    from medperf_git.flows.templating import DEFAULT_BASE, write_template  # noqa: PLC0415

    folder = out or Path(name)
    options = write_template(_ROLES.get(role, role), name, folder, base=base or DEFAULT_BASE)
    echo_text(f"wrote {folder}: main.py is yours to fill, container_config.yaml says what it is given")
    echo_text(f"next: docker build -t {name}:0.1 {folder}")
    place = folder if folder.is_absolute() else f"./{folder}"
    echo_text(f"then: medperf-git cube test {place} {options}")


@cube.command("import")
@click.argument("config", type=_ANY)
@click.option("--name", required=True, help="Its name: a-z, 0-9 and hyphens.")
@click.option("--role", type=click.Choice(list(_ROLES)), help="What it does (default: what its tasks say).")
@click.option("--title", help="What people call it (default: its name).")
@click.option("--description", help="What it is, for a reader.")
@click.option("--license", "licence", metavar="SPDX", help="Its licence.")
@click.option("--parameters", type=_FILE, help="Its parameters file, kept verbatim (default: the one beside CONFIG).")
@click.option("--additional-files", metavar="URL|FILE|FOLDER", help="Files that it mounts; a folder is packed.")
@click.option("--additional-url", metavar="URL", help="Where others fetch them, when they are here.")
@click.option("--image-url", metavar="URL", help="Where others fetch the image, when it is a file here.")
@click.option("--image-from-engine", is_flag=True, help="The image was built here and is in no image registry.")
@click.option("--engine", default="docker", show_default=True, help="Container engine: docker, podman.")
@json_option
def import_(config: Path, name: str, *, role: str | None, licence: str | None, as_json: bool, **said: Any) -> None:
    """Turn CONFIG, a container_config.yaml, an mlcube.yaml or the folder of one, into the draft of a cube record.

    Every field is kept. Images are identified by digest: of the image registry, of an archive or SIF, or by image id.
    A script that runs weights becomes a model with `--role model --additional-files WEIGHTS`.
    """
    from medperf_git.flows.cubes import CubeImport, import_cube  # noqa: PLC0415
    from medperf_git.records.convert import value_of  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    local_only = said.pop("image_from_engine")
    chosen = _ROLES[role] if role else None
    wish = CubeImport(config=config, name=name, role=chosen, license=licence, local_only=local_only, **said)
    record, path = import_cube(open_context(), wish)
    if as_json:
        echo_json({"draft": str(path), "record": value_of(record)})
        return
    echo_text(write_record(record).decode())
    echo_text(f"draft kept in {path}")
    echo_text(f"next: medperf-git cube test {name} …, then: medperf-git cube submit {name}")


@cube.command()
@click.argument("subjects", nargs=-1, required=True, metavar="CONTAINER…")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task; may be repeated.")
@click.option("--benchmark", metavar="REF", help="Test as part of this benchmark, on its demo data.")
@click.option("--demo-data", type=_ANY, help="Raw data with labels: packed demo data, or its folder.")
@click.option("--data", type=_FOLDER, help="Data to give it: raw for a preparator, else prepared.")
@click.option("--labels", type=_ANY, help="Labels to give it.")
@click.option("--predictions", type=_FOLDER, help="Predictions to give a metrics container.")
@click.option("--metadata", type=_FOLDER, help="Metadata to give sanity_check and statistics.")
@click.option("--report", type=_FILE, help="A report to give sanity_check and statistics.")
@click.option("--model-files", type=_FOLDER, help="Weights to give a script.")
@click.option("--parameters", type=_FILE, help="Parameters file, where CONTAINER is a configuration.")
@click.option("--additional-files", metavar="URL|FILE|FOLDER", help="Additional files, where it is one.")
@click.option("--cases", type=click.IntRange(1), help="How many cases there are, for seconds a case.")
@click.option("--out", type=click.Path(path_type=Path), help="Where its outputs are left (default: removed).")
@engine_options
@json_option
def test(
    subjects: tuple[str, ...],
    *,
    tasks: tuple[str, ...],
    benchmark: str | None,
    demo_data: Path | None,
    out: Path | None,
    cases: int | None,
    parameters: Path | None,
    additional_files: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Run a container as a hospital would, in the same sandbox; no registry is needed.

    CONTAINER is a container_config.yaml, an mlcube.yaml, the folder of one, the name of a draft, or a registered
    [member/]name[@version]. Several are run as one chain, each on what the one before made:

    medperf-git cube test PREPARATOR MODEL METRICS --data RAW --labels RAW
    """
    from medperf_git.flows.chain import Given  # noqa: PLC0415
    from medperf_git.flows.cubes import CubeImport, build_cube  # noqa: PLC0415
    from medperf_git.flows.drafts import has_cube  # noqa: PLC0415
    from medperf_git.flows.trying import CubeTrial, Subject, TrialInputs, name_of, subject_of, try_cube  # noqa: PLC0415

    context, settings = open_context(), settings_of(more)
    is_path = {name: not has_cube(context.home, name) and _is_path(name) for name in subjects}
    registered = any("/" in name and not is_path[name] for name in subjects)
    workspace = fresh_workspace() if benchmark or registered else None
    chosen = []
    for name in subjects:
        if not is_path[name]:
            chosen.append(subject_of(context, workspace, name))
            continue
        path, alone = Path(name), len(subjects) == 1
        wish = CubeImport(
            config=path,
            name=name_of(path),
            parameters=parameters if alone else None,
            additional_files=additional_files if alone else None,
            engine=settings.engine,
            for_trial=True,
        )
        chosen.append(Subject(name, build_cube(context, wish)))
    given = Given(**{key: more[key] for key in ("data", "labels", "predictions", "metadata", "report", "model_files")})
    inputs = TrialInputs(benchmark=benchmark, demo_data=demo_data, given=given, out=out, tasks=tasks, cases=cases)
    trial: CubeTrial = try_cube(context, workspace, chosen, inputs, settings=settings)
    if as_json:
        echo_json(trial.as_value())
    else:
        for line in trial.lines():
            echo_text(line)
    trial.raise_if_failed()


def _is_path(name: str) -> bool:
    """Tell a configuration, or the folder of one, from the name of a draft or of a registered cube."""
    path = Path(name)
    return path.is_file() or (path.is_dir() and ("/" in name or name in (".", "..") or any(path.glob("*.yaml"))))


@cube.command()
@click.argument("name")
@click.option("--request", "benchmark", metavar="BENCHMARK", help="Ask at once to join this benchmark.")
@yes_option
@dry_run_option
def submit(name: str, benchmark: str | None, yes: bool, dry_run: bool) -> None:
    """Register a draft as the next version of your cube NAME; one that failed its test is refused.

    A model that asks to join a benchmark is tested on its demo data first, unless `cube test` did so already.
    """
    from medperf_git.flows.associations import say_after_request  # noqa: PLC0415
    from medperf_git.flows.cubes import build_submission, lacks_test, test_draft  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    workspace.require_member()
    if benchmark and lacks_test(workspace, name, benchmark):
        if dry_run:
            echo_text(f"it would first be tested on the demo data of {benchmark}")
        else:
            test_draft(workspace, name, benchmark)
    drafts, ref = build_submission(workspace, name, created=created_now(workspace), benchmark=benchmark)
    for draft in drafts:
        echo_text(draft.path, bold=True)
        echo_text(write_record(draft.record).decode())
    if not dry_run and not workspace.context.agrees(f"Sign and submit {ref}?"):
        echo_text("nothing was sent")
        return
    send(workspace, drafts, title=f"Add the container {ref}", dry_run=dry_run)
    for draft in drafts:
        if said := say_after_request(workspace.view, draft):
            echo_text(f"then: {said}")


@cube.command("ls")
@click.option("--role", type=click.Choice(list(_ROLES)), help="Only of this role.")
@click.option("--drafts", is_flag=True, help="Drafts on this machine instead.")
@json_option
def ls(role: str | None, drafts: bool, as_json: bool) -> None:
    """List the containers of the registry, or your drafts."""
    from medperf_git.flows.naming import iter_found  # noqa: PLC0415
    from medperf_git.records.models import Cube  # noqa: PLC0415

    if drafts:
        from medperf_git.flows.cubes import draft_rows  # noqa: PLC0415  (loads the runner)

        listing(draft_rows(open_context().home), as_json=as_json, empty="no drafts; `cube import` makes one")
        return
    workspace = fresh_workspace()
    rows = [
        {
            "cube": str(found.ref),
            "role": found.record.role,
            "title": found.record.title,
            "tested": found.record.tested.outcome if found.record.tested else "no",
            "marks": marks_text(workspace, found.stored.path),
            "image": found.record.image.id,
            "digest": found.stored.digest,
        }
        for found in iter_found(workspace.view, Cube)
        if role is None or found.record.role == _ROLES[role]
    ]
    listing(rows, as_json=as_json, columns=("cube", "role", "title", "tested", "marks"), empty="no containers yet")


@cube.command()
@click.argument("ref")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show a container's record."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.records.models import Cube  # noqa: PLC0415

    workspace = fresh_workspace()
    found = find(workspace.view, Cube, ref, member=workspace.member)
    facts = {"marks": marks_text(workspace, found.stored.path)}
    show_record(workspace, found.stored, as_json=as_json, facts=facts)
