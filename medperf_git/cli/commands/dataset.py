"""`dataset`: prepare data that stays here, look at what would leave, register it."""

from pathlib import Path

import click

from medperf_git.cli.commands._options import ENGINE_OPTIONS, engine_options, settings_of
from medperf_git.cli.commands._shared import created_now, fresh_workspace, listing, marks_text, send, show_record
from medperf_git.cli.commands._trial import no_trial_option, try_on_data
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_WATCH_SECONDS = 2.0


@click.group()
def dataset() -> None:
    """A dataset: prepared here, kept here; only its record is published."""


@dataset.command()
@click.option("--benchmark", required=True, metavar="REF", help="Prepare with this benchmark's preparator.")
@click.option("--data", type=_FOLDER, required=True, help="Folder of the raw data.")
@click.option("--labels", type=_FOLDER, required=True, help="Folder of the raw labels.")
@click.option("--already-prepared", is_flag=True, help="The folders hold prepared data: only check and count it.")
@click.option("--in-place", is_flag=True, help="Leave data that is already prepared where it lies; copy nothing.")
@click.option("--metadata", type=_FOLDER, help="Folder of prepared metadata, beside data that is already prepared.")
@click.option("--again", is_flag=True, help="Run the preparator again although the raw data has not changed.")
@click.option("--name", required=True, help="Its name: a-z, 0-9 and hyphens.")
@click.option("--title", required=True, help="What people call it.")
@click.option("--description", help="What it is, for a reader.")
@click.option("--publish", "published", multiple=True, metavar="STATISTIC", help="A statistic that may be published.")
@click.option("--cases", type=click.IntRange(1), help="Number of cases, where the statistics do not say it.")
@click.option("--country", help="Country of acquisition, two letters.")
@click.option("--years", metavar="FROM-TO", help="Years of acquisition.")
@click.option("--modality", help="Kind of measurement.")
@click.option("--equipment", help="Kind of equipment.")
@click.option("--terms", help="Terms of use.")
@click.option("--min-cases", type=click.IntRange(1), help="Your own limit: fewest cases a value may rest on.")
@click.option("--decimals", type=click.IntRange(0, 4), help="Your own limit: most decimals.")
@click.option("--salted", is_flag=True, help="Publish a salted commitment instead of the content digest.")
@engine_options
@json_option
def prepare(**options: object) -> int:
    """Prepare data with the benchmark's preparator: prepare, sanity check, statistics. Nothing leaves.

    Where cases wait for a person, it says which and in which folder, and ends with 1; the same command goes on.
    """
    from medperf_git.flows.preparation_progress import standing_of  # noqa: PLC0415
    from medperf_git.flows.prepared import registry_stem  # noqa: PLC0415
    from medperf_git.flows.preparing import PrepareWish, prepare_dataset  # noqa: PLC0415
    from medperf_git.flows.statistics_shown import statistics_lines, statistics_rows  # noqa: PLC0415
    from medperf_git.flows.versions import near_versions  # noqa: PLC0415
    from medperf_git.runner.preparation import WaitsForPerson  # noqa: PLC0415

    as_json = bool(options.pop("as_json"))
    command = _typed()
    settings = settings_of({key: options.pop(key) for key in ENGINE_OPTIONS})
    workspace = fresh_workspace()
    try:
        prepared = prepare_dataset(workspace, PrepareWish(**options, command=command), settings)  # type: ignore[arg-type]  # click's values
    except WaitsForPerson as waits:
        registry = registry_stem(workspace.registry_id)
        standing, *_ = standing_of(workspace.context.home, str(options["name"]), registry=registry)
        if as_json:
            echo_json(standing.as_value())
        else:
            echo_text(f"no failure, but not finished: {waits.message}")
            for line in standing.lines():
                echo_text(line)
        return 1
    home, member = workspace.context.home, workspace.member or "your-name"
    near = near_versions(workspace.view, prepared, member=member, home=home)
    if as_json:
        more = {"preview": statistics_rows(prepared), "warnings": list(near)}
        echo_json(prepared.as_value() | {"standing": "prepared"} | more)
        return 0
    for line in (*prepared.lines(), *statistics_lines(prepared), *(f"beware: {sentence}" for sentence in near)):
        echo_text(line)
    echo_text(f"next: medperf-git dataset review {prepared.name}, then: medperf-git dataset submit {prepared.name}")
    return 0


def _typed() -> tuple[str, ...]:
    """Return this command as it was typed, paths made absolute, so that it can be repeated from anywhere."""
    context = click.get_current_context()
    words = ["medperf-git", "dataset", "prepare"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.COMMANDLINE:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = str(one.absolute()) if isinstance(one, Path) else str(one)
            words += [parameter.opts[-1]] if one is True else [parameter.opts[-1], text]
    return tuple(words)


@dataset.command()
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Look again and again until nothing is at work any more.")
@json_option
def progress(name: str | None, watch: bool, as_json: bool) -> None:
    """Show how preparations stand: stages, and cases that wait for a person; also while `prepare` is at work.

    All of it is read from this machine, and stays here.
    """
    import time  # noqa: PLC0415  (only to watch)

    from medperf_git.flows.preparation_progress import standing_of  # noqa: PLC0415

    home = open_context().home
    before: list[object] = []
    while True:
        found = standing_of(home, name)
        values: list[object] = [standing.as_value() for standing in found]
        if values != before or not watch:
            if as_json:
                echo_json(values)
            else:
                for line in [line for standing in found for line in standing.lines()] or ["nothing is being prepared"]:
                    echo_text(line)
        before = values
        if not watch or not any(standing.standing == "preparing" for standing in found):
            return
        time.sleep(_WATCH_SECONDS)


@dataset.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Write it as a page to print and sign (.html).")
@json_option
def review(name: str, out: Path | None, as_json: bool) -> None:
    """Show exactly what would leave this house if the dataset NAME were registered."""
    from medperf_git.flows.datasets import review_dataset  # noqa: PLC0415

    workspace = fresh_workspace()
    shown = review_dataset(workspace, name)
    if out is not None:
        from medperf_git.flows.papers import write_dataset_page  # noqa: PLC0415  (loads the templates)

        write_dataset_page(workspace, name, shown, out)
        if not as_json:
            echo_text(f"wrote {out}: open it in a browser, print it, let it be signed")
            return
    if as_json:
        echo_json(shown.as_value())
        return
    for line in shown.lines():
        echo_text(line)


@dataset.command()
@click.argument("name")
@click.option("--request", "benchmark", metavar="BENCHMARK", help="Ask at once to join this benchmark.")
@no_trial_option
@engine_options
@yes_option
@dry_run_option
def submit(name: str, *, benchmark: str | None, no_trial: bool, yes: bool, dry_run: bool, **engine: object) -> None:
    """Register the prepared dataset NAME: its record, never its data.

    With --request the benchmark's reference model first runs on it, here; nothing of that leaves.
    """
    from medperf_git.flows.associations import say_after_request  # noqa: PLC0415
    from medperf_git.flows.datasets import build_submission  # noqa: PLC0415
    from medperf_git.flows.rehearsing import pair_of  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    workspace.require_member()
    drafts, ref = build_submission(workspace, name, created=created_now(workspace), benchmark=benchmark)
    if benchmark and not no_trial:
        about, joining = pair_of(workspace, drafts, benchmark)
        try_on_data(workspace, about, joining, settings_of(engine), dry_run=dry_run)
    echo_text("this leaves the house, and nothing else:")
    for draft in drafts:
        echo_text(draft.path, bold=True)
        echo_text(write_record(draft.record).decode())
    if not dry_run and not workspace.context.agrees(f"Sign and submit {ref}?"):
        echo_text("nothing was sent")
        return
    send(workspace, drafts, title=f"Add the dataset {ref}", dry_run=dry_run)
    for draft in drafts:
        if said := say_after_request(workspace.view, draft):
            echo_text(f"then: {said}")


@dataset.command()
@click.argument("name")
@json_option
def verify(name: str, as_json: bool) -> int:
    """Check that the prepared data here is, byte for byte, what was registered; name the files that are not."""
    from medperf_git.flows.datasets import verify_dataset  # noqa: PLC0415
    from medperf_git.flows.unchanged import Changed  # noqa: PLC0415

    try:
        found = verify_dataset(fresh_workspace(), name)
    except Changed as changed:
        if not as_json:
            raise
        echo_json({"dataset": name, "unchanged": False, **changed.differences.as_value()})
        return changed.exit_code
    if as_json:
        echo_json({**found, "unchanged": True})
    else:
        echo_text(f"unchanged: {found['dataset']} is {found['digest']} ({found['files']} files)")
    return 0


@dataset.command()
@click.argument("name")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A file that does not exist, or a folder.")
def export(name: str, to: Path) -> None:
    """Write the prepared dataset NAME to one file, for another machine of this site. It is as private as the data."""
    from medperf_git.flows.carrying_data import export_dataset  # noqa: PLC0415

    target = export_dataset(open_context(), name, to)
    echo_text(f"written: {target} ({target.stat().st_size} bytes); the data and its secrets are in it")
    echo_text(f"on the other machine: medperf-git dataset import {target.name}")


@dataset.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Take over a dataset that `dataset export` wrote; every byte is compared before it counts."""
    from medperf_git.flows.carrying_data import import_dataset  # noqa: PLC0415

    prepared = import_dataset(open_context(), file)
    if as_json:
        echo_json(prepared.as_value())
        return
    for line in prepared.lines():
        echo_text(line)


@dataset.command("ls")
@click.option("--local", is_flag=True, help="Prepared datasets on this machine instead.")
@json_option
def ls(local: bool, as_json: bool) -> None:
    """List the datasets of the registry, or those prepared here."""
    from medperf_git.flows.naming import iter_found  # noqa: PLC0415
    from medperf_git.flows.prepared import local_rows  # noqa: PLC0415
    from medperf_git.records.models import Dataset  # noqa: PLC0415

    if local:
        empty = "nothing prepared here; `dataset prepare` starts"
        from medperf_git.flows.storing import readable  # noqa: PLC0415

        rows = [
            row | ({} if as_json else {"size": readable(row["bytes"])})
            for row in local_rows(open_context().home, sizes=True)
        ]
        columns = ("name", "number", "benchmark", "cases", "files", "size", "in place", "folder")
        listing(rows, as_json=as_json, columns=columns, empty=empty)
        return
    workspace = fresh_workspace()
    registered = [
        {
            "dataset": str(found.ref),
            "title": found.record.title,
            "cases": str(found.record.cases),
            "preparator": str(found.record.preparator.ref),
            "marks": marks_text(workspace, found.stored.path),
            "digest": found.stored.digest,
        }
        for found in iter_found(workspace.view, Dataset)
    ]
    shown = ("dataset", "title", "cases", "preparator", "marks")
    listing(registered, as_json=as_json, columns=shown, empty="no datasets yet")


@dataset.command()
@click.argument("ref")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show a dataset's record."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.records.models import Dataset  # noqa: PLC0415

    workspace = fresh_workspace()
    found = find(workspace.view, Dataset, ref, member=workspace.member)
    facts = {"marks": marks_text(workspace, found.stored.path)}
    show_record(workspace, found.stored, as_json=as_json, facts=facts)


@dataset.command("hash")
@click.argument("folders", nargs=-1, required=True, type=_FOLDER)
@click.option("--medperf", is_flag=True, help="MedPerf's hash, which leaves names out.")
@json_option
def hash_(folders: tuple[Path, ...], medperf: bool, as_json: bool) -> None:
    """Print the content digest of folders (data, then labels, then metadata)."""
    from medperf_git.cli.output import say  # noqa: PLC0415
    from medperf_git.flows.datasets import hash_folders  # noqa: PLC0415
    from medperf_git.flows.unchanged import telling  # noqa: PLC0415

    digest = hash_folders(folders, medperf=medperf, progress=telling(say, "reading"))
    if as_json:
        echo_json({"digest": digest, "method": "medperf" if medperf else "mgds-v1"})
        return
    echo_text(digest)
