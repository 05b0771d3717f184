"""A commit's records → the files of a site.

Rules kept here: a pure function, the same view and arguments give the same bytes; no clock, no locale, no
environment; everything that a record says is escaped by the templates; nothing is fetched from anywhere.

    files = build_site(view, commit="1f0c…", registry_id="mg1:…", step_time="2026-11-25T10:00:00Z")
    write_site(files, Path("site"))
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from medperf_git import __version__
from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.leaderboard import exports
from medperf_git.leaderboard.analysis import Analysis, analyse
from medperf_git.leaderboard.pages import benchmark_context, index_context
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.result_page import TEMPLATE, ResultPages
from medperf_git.leaderboard.stage_rows import stages_csv
from medperf_git.leaderboard.stages import read_stages
from medperf_git.leaderboard.status_page import status_context
from medperf_git.leaderboard.tables import BenchmarkTable
from medperf_git.records.times import parse_time
from medperf_git.records.view import RecordView

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
STATIC = ("leaderboard.css", "leaderboard.js", "icon.svg")


def build_site(view: RecordView, *, commit: str, registry_id: str, step_time: str) -> Mapping[str, bytes]:
    """Build every file of the site, by relative path; `step_time` is the time of the commit's step."""
    tables = read_tables(view)
    analyses = tuple(analyse(table) for table in tables.benchmarks)
    common = {
        "registry": tables,
        "commit": commit,
        "registry_id": registry_id,
        "step_time": step_time,
        "version": __version__,
        "csp": CSP,
    }
    pages = _environment()
    files = {f"assets/{name}": _asset(name) for name in STATIC}
    files["index.html"] = _page(pages, "index.html", "index.html", {**common, **index_context(tables, analyses)})
    files["index.json"] = exports.index_json(
        tables, analyses, commit=commit, registry_id=registry_id, step_time=step_time
    )
    for analysis in analyses:
        files.update(_benchmark_files(pages, analysis, common))
        files.update(_status_files(pages, view, analysis.table, common))
    return dict(sorted(files.items()))


def write_site(files: Mapping[str, bytes], out: Path) -> None:
    """Put a site at `out` in one step, in place of an older site; refuses a folder that holds anything else."""
    out = out.absolute()
    if out.exists() and not _is_site(out):
        raise UsageProblem(f"{out} holds something that is no site of ours", hint="choose a new or empty folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as waiting:
            fresh, old = Path(waiting) / "new", Path(waiting) / "old"
            for name, data in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(data)
            if out.exists():
                out.rename(old)
            fresh.rename(out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"the site could not be written to {out}: {error.strerror}", hint="check free space and permissions"
        ) from error


def _is_site(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        index = json.loads((folder / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("made_by") == "medperf-git leaderboard"


def _benchmark_files(pages: Environment, analysis: Analysis, common: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    table = analysis.table
    folder = f"benchmarks/{table.ref.path}"
    context = benchmark_context(analysis, step_time=common["step_time"])
    yield table.url, _page(pages, "benchmark.html", table.url, {**common, **context})
    yield f"{folder}/table.json", exports.table_json(analysis, commit=common["commit"])
    yield f"{folder}/results.csv", exports.results_csv(table)
    yield f"{folder}/ranking.csv", exports.ranking_csv(analysis)
    frame = pages.get_template(TEMPLATE)
    results = ResultPages(table, lambda words: frame.render(root="../" * 6, **common, **words))
    for cell in table.cells.values():
        yield from results.iter_pages(cell)


def _status_files(
    pages: Environment, view: RecordView, table: BenchmarkTable, common: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    as_of = parse_time(common["step_time"])
    stages = read_stages(view, table.ref, reference=table.reference_model, as_of=as_of)
    context = status_context(table, stages, as_of=as_of)
    yield table.status_url, _page(pages, "status.html", table.status_url, {**common, **context})
    yield f"benchmarks/{table.ref.path}/status.csv", stages_csv(stages, benchmark=table.ref, as_of=as_of)


def _page(pages: Environment, template: str, url: str, context: Mapping[str, Any]) -> bytes:
    root = "../" * url.count("/")
    return (pages.get_template(template).render(root=root, **context).rstrip("\n") + "\n").encode()


def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(lambda name: _asset(name).decode()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def _asset(name: str) -> bytes:
    return (resources.files("medperf_git.leaderboard") / "assets" / name).read_bytes()
