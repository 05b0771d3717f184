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


@click.group()
def dataset() -> None:
    """A dataset: prepared here, kept here; only its record is published."""


@dataset.command()
@click.option("--benchmark", required=True, metavar="REF", help="Prepare with this benchmark's preparator.")
@click.option("--data", type=_FOLDER, required=True, help="Folder of the raw data.")
@click.option("--labels", type=_FOLDER, required=True, help="Folder of the raw labels.")
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
def prepare(**options: object) -> None:
    """Prepare data with the benchmark's preparator: prepare, sanity check, statistics. Nothing leaves."""
    from medperf_git.flows.preparing import PrepareWish, prepare_dataset  # noqa: PLC0415

    as_json = bool(options.pop("as_json"))
    settings = settings_of({key: options.pop(key) for key in ENGINE_OPTIONS})
    workspace = fresh_workspace()
    prepared = prepare_dataset(workspace, PrepareWish(**options), settings)  # type: ignore[arg-type]  # click's values
    if as_json:
        echo_json(prepared.as_value())
        return
    for line in prepared.lines():
        echo_text(line)
    echo_text(f"next: medperf-git dataset review {prepared.name}, then: medperf-git dataset submit {prepared.name}")


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
def verify(name: str, as_json: bool) -> None:
    """Check that the prepared data here is, byte for byte, what was registered."""
    from medperf_git.flows.datasets import verify_dataset  # noqa: PLC0415

    found = verify_dataset(fresh_workspace(), name)
    if as_json:
        echo_json(found)
        return
    echo_text(f"unchanged: {found['dataset']} is {found['digest']} ({found['files']} files)")


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
        listing(local_rows(open_context().home), as_json=as_json, empty=empty)
        return
    workspace = fresh_workspace()
    rows = [
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
    columns = ("dataset", "title", "cases", "preparator", "marks")
    listing(rows, as_json=as_json, columns=columns, empty="no datasets yet")


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
    from medperf_git.flows.datasets import hash_folders  # noqa: PLC0415

    digest = hash_folders(folders, medperf=medperf)
    if as_json:
        echo_json({"digest": digest, "method": "medperf" if medperf else "mgds-v1"})
        return
    echo_text(digest)
