"""The formats a leaderboard can be exported to; help, docs and tests are made from this one tuple."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.exporting import citation, croissant, every_eval_ever, hugging_face, ro_crate, schema_org
from medperf_git.leaderboard.exporting.release import Origin, Release, read_release
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, iter_versions

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is called, what it holds, by which standard; `single` ones are one file, not a folder.

    `render` makes the files of a benchmark's release; `of_datasets` those of datasets, where a format is about them.
    `zips` may be written as one `.zip`.
    """

    name: str
    summary: str
    standard: str
    render: Callable[[Release], Files] | None = None
    of_datasets: Callable[[RecordView, Origin, tuple[Ref, ...], str], Files] | None = None
    single: bool = False
    zips: bool = False


def _croissant(view: RecordView, origin: Origin, refs: tuple[Ref, ...], benchmark: str) -> Files:
    return croissant.render(view, origin, refs, benchmark=benchmark)


FORMATS: tuple[Format, ...] = (
    Format(
        "croissant",
        "what is public of each registered dataset, no data inside: one JSON-LD file per dataset",
        croissant.STANDARD,
        of_datasets=_croissant,
    ),
    Format(
        "model-index",
        "every plain value of each model, as the front matter of a Hugging Face model card",
        hugging_face.INDEX_STANDARD,
        render=hugging_face.render_index,
    ),
    Format(
        "eval-results",
        "each model's score by the registered rule, as .eval_results files of the Hugging Face Hub",
        hugging_face.RESULTS_STANDARD,
        render=hugging_face.render_results,
    ),
    Format(
        "every-eval-ever",
        "every plain value and score of each model, as the EvalEval coalition collects them",
        every_eval_ever.STANDARD,
        render=every_eval_ever.render,
    ),
    Format(
        "schema-org",
        "the benchmark's table as a schema.org Dataset, for search engines: one JSON-LD file",
        schema_org.STANDARD,
        render=schema_org.render,
        single=True,
    ),
    Format(
        "citation",
        "how to cite the benchmark at this commit, with the MedPerf article: one CITATION.cff",
        citation.STANDARD,
        render=citation.render,
        single=True,
    ),
    Format(
        "ro-crate",
        "the whole release: records with signatures, tables, citation, checkpoint; a folder or a .zip",
        ro_crate.STANDARD,
        render=ro_crate.render,
        zips=True,
    ),
)


def format_named(name: str) -> Format:
    """Find a format; UsageProblem for an unknown one."""
    for one in FORMATS:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in FORMATS)
    raise UsageProblem(f"there is no export format {name!r}", hint=f"formats are {names}; --list says what they hold")


def render_export(one: Format, view: RecordView, origin: Origin, benchmark: Ref | None) -> Files:
    """Make the files of an export, by relative path; `benchmark` None means all datasets, where that has a meaning."""
    if one.of_datasets is not None:
        release = read_release(view, benchmark, origin) if benchmark else None
        refs = tuple(site.ref for site in release.table.sites) if release else tuple(iter_versions(view, "datasets"))
        return _sorted(one.of_datasets(view, origin, refs, str(benchmark) if benchmark else ""))
    if benchmark is None or one.render is None:
        raise UsageProblem(f"{one.name} is about one benchmark", hint="say which: --benchmark member/name")
    return _sorted(one.render(read_release(view, benchmark, origin)))


def _sorted(files: Files) -> Files:
    return dict(sorted(files.items()))


def names(formats: Iterable[Format] = FORMATS) -> tuple[str, ...]:
    """Give the names of all formats."""
    return tuple(one.name for one in formats)
