"""`benchmark`: start one, test it, register it, change how it is run, see who stands where."""

from pathlib import Path

import click

from medperf_git.cli.commands._options import engine_options, policy_options, wish_of
from medperf_git.cli.commands._shared import created_now, fresh_workspace, listing, marks_text, send, show_record
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, say, table

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def benchmark() -> None:
    """A benchmark: three containers, demo data, metrics, a ranking rule."""


@benchmark.command()
@click.option("--name", required=True, help="Its name: a-z, 0-9 and hyphens.")
@click.option("--data-preparator", required=True, metavar="CUBE", help="Who prepares the data.")
@click.option("--reference-model", required=True, metavar="CUBE", help="The model that always runs.")
@click.option("--metrics", "metrics_cube", required=True, metavar="CUBE", help="Who compares predictions with labels.")
@click.option("--demo-data", required=True, type=_FILE, help="The packed demo data (.tar.gz).")
@click.option("--demo-url", metavar="URL", help="Where others fetch the demo data.")
@click.option("--science", type=_FILE, help="YAML with title, description, metrics, ranking to start from.")
@click.option("--from", "results", type=_FILE, help="A real results file: one metric definition for each number in it.")
@click.option("--out", type=click.Path(path_type=Path), help="The draft file to write (default: NAME.yaml).")
def new(
    name: str,
    data_preparator: str,
    reference_model: str,
    metrics_cube: str,
    *,
    demo_data: Path,
    demo_url: str | None,
    science: Path | None,
    results: Path | None,
    out: Path | None,
) -> None:
    """Write a commented draft of a benchmark, for you to edit."""
    from medperf_git.flows.benchmarks import NewBenchmark, metrics_from_results, render_draft  # noqa: PLC0415

    target = out or Path(f"{name}.yaml")
    if target.exists():
        raise click.UsageError(f"{target} exists already; choose another --out")
    text = science.read_text(encoding="utf-8") if science else None
    if results is not None:
        text, left_out = metrics_from_results(results.read_bytes())
        for what in left_out:
            echo_text(f"left out: {what}")
    wish = NewBenchmark(
        name=name,
        data_preparator=data_preparator,
        reference_model=reference_model,
        metrics_cube=metrics_cube,
        demo_data=demo_data,
        demo_url=demo_url,
        science=text,
    )
    target.write_bytes(render_draft(wish))
    echo_text(f"wrote {target}")
    echo_text(f"next: edit it, then: medperf-git benchmark test {target}")


@benchmark.command()
@click.argument("file", type=_FILE)
@engine_options
@json_option
def test(file: Path, as_json: bool, **engine: object) -> None:
    """Try a benchmark: its reference model on its demo data, prepare → infer → evaluate."""
    from medperf_git.cli.commands._options import settings_of  # noqa: PLC0415
    from medperf_git.flows.gates import try_and_remember  # noqa: PLC0415
    from medperf_git.flows.trying import BenchmarkTrial  # noqa: PLC0415

    workspace = fresh_workspace()
    trial: BenchmarkTrial = try_and_remember(workspace, file, settings_of(engine))
    if as_json:
        echo_json(trial.as_value())
        return
    listing(trial.rows(), as_json=False, empty="the reference model gave no value")
    for line in trial.lines():
        echo_text(line)
    echo_text(f"next: medperf-git benchmark submit {file} --committee …")


@benchmark.command()
@click.argument("file", type=_FILE)
@policy_options
@yes_option
@dry_run_option
def submit(file: Path, yes: bool, dry_run: bool, **policy: object) -> None:
    """Register a benchmark with its first policy; one that fails its test is refused.

    It is tested on its demo data first, unless `benchmark test` did so with exactly this draft.
    """
    from medperf_git.flows.benchmarks import build_benchmark, drafts_of  # noqa: PLC0415
    from medperf_git.flows.gates import tested_benchmark  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    member, created = workspace.require_member(), created_now(workspace)
    record = build_benchmark(workspace.view, file.read_bytes(), file.resolve().parent, member=member, created=created)
    record = tested_benchmark(workspace, file, record, dry_run=dry_run)
    drafts = drafts_of(record, wish_of(policy), member=member, created=created)
    for draft in drafts:
        echo_text(draft.path, bold=True)
        echo_text(write_record(draft.record).decode())
    if not dry_run and not workspace.context.agrees(f"Sign and submit {record.ref}?"):
        echo_text("nothing was sent")
        return
    send(
        workspace,
        drafts,
        title=f"Open the benchmark {record.ref}",
        dry_run=dry_run,
        meanwhile=f"tell hospitals: medperf-git dataset prepare --benchmark {record.ref} …",
    )


@benchmark.command()
@click.argument("ref")
@policy_options
@yes_option
@dry_run_option
def edit(ref: str, yes: bool, dry_run: bool, **policy: object) -> None:
    """Change how a benchmark is run: committee, thresholds, approval, dates, disclosure limits."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.flows.policies import build_policy_change  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    found = find(workspace.view, Benchmark, ref, member=workspace.require_member())
    draft = build_policy_change(workspace.view, found, wish_of(policy), created=created_now(workspace))
    echo_text(draft.path, bold=True)
    echo_text(write_record(draft.record).decode())
    if not dry_run and not workspace.context.agrees(f"Sign and submit this policy of {found.ref}?"):
        echo_text("nothing was sent")
        return
    send(workspace, [draft], title=f"Change the policy of {found.ref}", dry_run=dry_run)


@benchmark.command("ls")
@json_option
def ls(as_json: bool) -> None:
    """List the benchmarks."""
    from medperf_git.flows.naming import iter_found  # noqa: PLC0415
    from medperf_git.records.folds import policy_state  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415

    workspace = fresh_workspace()
    rows = []
    for found in iter_found(workspace.view, Benchmark):
        policy = policy_state(workspace.view, found.ref)
        rows.append(
            {
                "benchmark": str(found.ref),
                "title": found.record.title,
                "committee": ", ".join(policy.committee) if policy else "",
                "metrics": len(found.record.metrics),
                "marks": marks_text(workspace, found.stored.path),
                "digest": found.stored.digest,
            }
        )
    columns = ("benchmark", "title", "committee", "metrics", "marks")
    listing(rows, as_json=as_json, columns=columns, empty="no benchmark yet; `benchmark new` starts one")


@benchmark.command()
@click.argument("ref")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show a benchmark and the policy in force."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.records.folds import policy_state  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415
    from medperf_git.records.record import write_record  # noqa: PLC0415

    workspace = fresh_workspace()
    found = find(workspace.view, Benchmark, ref, member=workspace.member)
    policy = policy_state(workspace.view, found.ref)
    facts = {
        "committee": ", ".join(policy.committee) if policy else "",
        "fewest cases": policy.disclosure.min_cases if policy else "",
        "marks": marks_text(workspace, found.stored.path),
    }
    show_record(workspace, found.stored, as_json=as_json, facts=facts)
    if policy and not as_json:
        echo_text("policy in force", bold=True)
        echo_text(write_record(policy).decode())


@benchmark.command()
@click.argument("ref")
@click.option(
    "--csv",
    "csv_file",
    is_flag=False,
    flag_value="-",
    metavar="[FILE|-]",
    help="Write it as CSV: to FILE, or to the terminal.",
)
@json_option
def status(ref: str, csv_file: str | None, as_json: bool) -> None:
    """Show every site and model of a benchmark, its stage, and who must act next."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.leaderboard.stage_rows import stage_line, stage_value, stages_csv  # noqa: PLC0415
    from medperf_git.leaderboard.stages import read_stages  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415

    if csv_file is not None and as_json:
        raise click.UsageError("say --csv or --json, not both")
    workspace = fresh_workspace()
    found = find(workspace.view, Benchmark, ref, member=workspace.member)
    now = workspace.context.clock()
    stages = read_stages(workspace.view, found.ref, reference=found.record.reference_model.ref, as_of=now)
    if csv_file is not None:
        _write_csv(stages_csv(stages, benchmark=found.ref, as_of=now), csv_file)
        return
    if as_json:
        echo_json([stage_value(stage, benchmark=found.ref, as_of=now) for stage in stages])
        return
    sites = [stage_line(stage, as_of=now) for stage in stages if stage.kind == "dataset"]
    table(sites, empty="no site has asked to take part yet, and none was invited")
    echo_text()
    table([stage_line(stage, as_of=now) for stage in stages if stage.kind == "cube"])


def _write_csv(data: bytes, target: str) -> None:
    if target == "-":
        echo_text(data.decode().rstrip("\n"))
        return
    Path(target).write_bytes(data)
    say(f"wrote {target}")
