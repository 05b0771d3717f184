"""A container's configuration file → the draft of a cube record; a draft → the next version of a cube.

Every field of the file is kept. Image id and manifest digest come from the engine: nobody types a digest.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows import drafts
from medperf_git.flows.associations import build_request
from medperf_git.flows.context import Context
from medperf_git.flows.importing import checked, describe_files, describe_image
from medperf_git.flows.naming import Found, find, next_version, refuse_withdrawn
from medperf_git.flows.propose import Draft
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.trying import TrialInputs, subject_of, try_cube
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Benchmark, Cube, Tested
from medperf_git.records.names import MemberName, Ref, name_fault
from medperf_git.records.record import Stored, write_record
from medperf_git.records.times import format_time
from medperf_git.runner.importing import ImportedCube, Role, import_file
from medperf_git.runner.plan import SCRIPT, FilesMissing, PinnedCube, plan_task


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeImport:
    """What the container's owner says beside the configuration, a file or its folder; `local_only`: built here.

    `role` is what the tasks say when it is None. `additional_files` is the address or the path of a packed archive, or
    a folder; `additional_url` and `image_url` are where others fetch what is a file here. `for_trial`: nobody else will
    fetch anything, so nothing is said of it.
    """

    config: Path
    name: str
    role: Role | None = None
    title: str | None = None
    description: str | None = None
    license: str | None = None
    parameters: Path | None = None
    additional_files: str | None = None
    additional_url: str | None = None
    image_url: str | None = None
    local_only: bool = False
    engine: str = "docker"
    for_trial: bool = False


def import_cube(context: Context, wish: CubeImport) -> tuple[Cube, Path]:
    """Make and keep the draft of a cube; return it and where it is kept."""
    cube = build_cube(context, wish)
    return cube, drafts.save_cube(context.home, cube)


def build_cube(context: Context, wish: CubeImport) -> Cube:
    """Read a configuration into the record of a cube that is nobody's yet; Refused when no hospital could run it."""
    if fault := name_fault(wish.name):
        raise UsageProblem(f"{wish.name!r}: {fault}", hint="choose another --name")
    found = import_file(wish.config)
    role = _role(found, wish)
    for note in found.notes:
        context.say(f"note: {note}")
    parameters = wish.parameters or found.parameters_path
    beside = found.additional_files_path
    files = wish.additional_files or (str(beside) if beside else None)
    weights_only = role == "model" and found.role == "metrics"
    if weights_only and not files:
        raise Refused(f"{found.config} is a script, and no weights are given", hint="give them: --additional-files")
    if wish.for_trial:
        context = replace(context, say=lambda _: None)
    cube = checked(
        Cube(
            created=format_time(context.clock()),
            member=drafts.NOBODY,
            name=wish.name,
            version=1,
            role=role,
            title=wish.title or found.title[:200] or wish.name,
            description=wish.description,
            license=wish.license,
            image=describe_image(
                context, found, engine=wish.engine, local_only=wish.local_only, image_url=wish.image_url
            ),
            tasks={SCRIPT: found.tasks[SCRIPT]} if weights_only else found.tasks,
            parameters=_text_of(parameters) if parameters else None,
            additional_files=describe_files(context, files, name=wish.name, url=wish.additional_url) if files else None,
        )
    )
    _refuse_unrunnable(cube)
    if cube.image.type == "DockerImage" and cube.image.manifest is None:
        context.say("note: the image is in no image registry; hospitals can run it where it is loaded, by its id")
    if role == "data-preparator" and "sanity_check" not in cube.tasks:
        context.say("note: it has no task sanity_check, so its statistics alone must refuse data that are not in order")
    return cube


def _role(found: ImportedCube, wish: CubeImport) -> Role:
    """Return the role that was said, if the tasks allow it; a script may be imported as a model, with its weights."""
    is_script = found.role == "metrics" and SCRIPT in found.tasks and "evaluate" not in found.tasks
    if found.role is None:
        tasks = ", ".join(found.tasks) or "none"
        hint = "a data preparator has prepare, a model infer, a metrics container evaluate (or run_script)"
        raise Refused(f"{found.config} has tasks that fit no role (it has: {tasks})", hint=hint)
    if wish.role in (None, found.role) or (is_script and wish.role == "model"):
        return wish.role or found.role
    raise Refused(
        f"{found.config} does not have the tasks of a {wish.role}",
        hint=f"its tasks are those of a {found.role}: --role {found.role}",
    )


def lacks_test(workspace: Workspace, name: str, benchmark: str) -> bool:
    """Tell whether a draft is a model that was not tested on the demo data of a benchmark, just as it is."""
    draft = drafts.load_cube(workspace.context.home, name)
    demo = find(workspace.view, Benchmark, benchmark, member=workspace.member).record.demo_data
    return draft.role == "model" and draft.tested != Tested(demo.digest, "complete")


def test_draft(workspace: Workspace, name: str, benchmark: str) -> None:
    """Test a draft on the demo data of the benchmark that it would join; `Refused` when it fails."""
    context = workspace.context
    context.say(f"{name} was not tested on the demo data of {benchmark} yet, so it is tested now")
    subject = subject_of(context, workspace, name)
    trial = try_cube(context, workspace, [subject], TrialInputs(benchmark=benchmark), settings=RunSettings())
    if trial.never_ran:
        context.say(f"note: this machine cannot test it: {trial.failure}; it is submitted untested")
    elif trial.failure:
        hint = f"{trial.hint}; try again with your own options: medperf-git cube test {name} --benchmark {benchmark}"
        raise Refused(f"nothing was sent, since the test failed: {trial.failure}", hint=hint)


def build_submission(
    workspace: Workspace, name: str, *, created: str, benchmark: str | None = None
) -> tuple[list[Draft], Ref]:
    """Compose the next version of a cube from its draft, with its request to join a benchmark where one is named.

    Raises `Refused` when the draft's last test failed.
    """
    view, member = workspace.view, workspace.require_member()
    draft = drafts.load_cube(workspace.context.home, name)
    if draft.tested is not None and draft.tested.outcome == "failed":
        hint = f"mend it and import it again, or test it with other options: medperf-git cube test {name} …"
        raise Refused(f"the test of {name} failed", hint=hint)
    version = next_version(view, Cube, member, name)
    record = replace(draft, member=MemberName(member), version=version, created=created)
    before = _same_before(workspace, record)
    if before is not None:
        raise Refused(f"this container is registered already, as {before}", hint="nothing to do; `cube show` shows it")
    path, data = layout.cube_path(record.ref), write_record(record)
    made = [Draft(path, record)]
    if benchmark:
        about = find(view, Benchmark, benchmark, member=member)
        refuse_withdrawn(view, about.stored)
        subject = Found(Stored(layout.Place(layout.Kind.CUBE, path), record, digest_of(data)), record)
        made.append(build_request(view, about, subject, member=member, created=created))
    return made, record.ref


def draft_rows(home: Path) -> list[dict[str, Any]]:
    """Return one line for each draft."""
    rows = []
    for name in drafts.list_cubes(home):
        draft = drafts.load_cube(home, name)
        tested = draft.tested.outcome if draft.tested else "no"
        rows.append(
            {"draft": name, "role": draft.role, "title": draft.title, "image": draft.image.reference, "tested": tested}
        )
    return rows


def _same_before(workspace: Workspace, record: Cube) -> Ref | None:
    """Return the version before when it differs in nothing but version, time and test."""
    if record.version == 1:
        return None
    older = find(workspace.view, Cube, f"{record.member}/{record.name}@{record.version - 1}", member=None)
    same = replace(older.record, version=record.version, created=record.created, tested=record.tested)
    return older.ref if replace(same, resources=record.resources) == record else None


def _refuse_unrunnable(cube: Cube) -> None:
    """Raise `Refused` when a hospital could not start a task of this cube as its configuration says."""
    pinned = PinnedCube(cube, digest_of(write_record(cube)))
    for task in cube.tasks:
        try:
            plan_task(pinned, task)
        except FilesMissing as error:
            raise Refused(error.message, hint="name them: --additional-files, --parameters") from error
        except Refused as error:
            raise Refused(error.message, hint="correct the configuration, then import again") from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(
            f"the parameters file {path} cannot be read: {error}", hint="name it with --parameters"
        ) from error
