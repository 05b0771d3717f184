"""One format → the files of an export, by relative path: the same view and arguments give the same bytes."""

from collections.abc import Callable, Mapping

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.exporting import citation, croissant, every_eval_ever, hugging_face, ro_crate, schema_org
from medperf_git.leaderboard.exporting.formats import Format
from medperf_git.leaderboard.exporting.release import Origin, Release, read_release, read_table
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, iter_versions

Files = Mapping[str, bytes]
OF_RELEASES: Mapping[str, Callable[[Release], Files]] = {
    "model-index": hugging_face.render_index,
    "eval-results": hugging_face.render_results,
    "every-eval-ever": every_eval_ever.render,
    "schema-org": schema_org.render,
    "citation": citation.render,
    "ro-crate": ro_crate.render,
}
OF_DATASETS: Mapping[str, Callable[[RecordView, Origin, tuple[Ref, ...], str], Files]] = {
    "croissant": croissant.render,
}


def render_export(one: Format, view: RecordView, origin: Origin, benchmark: Ref | None) -> Files:
    """Make the files of an export; `benchmark` None means every dataset, where the format is about datasets."""
    if one.datasets:
        files = OF_DATASETS[one.name](view, origin, _datasets(view, benchmark), str(benchmark) if benchmark else "")
    elif benchmark is None:
        raise UsageProblem(f"{one.name} is about one benchmark", hint="say which: --benchmark member/name")
    else:
        files = OF_RELEASES[one.name](read_release(view, benchmark, origin))
    return dict(sorted(files.items()))


def _datasets(view: RecordView, benchmark: Ref | None) -> tuple[Ref, ...]:
    if benchmark is None:
        return tuple(iter_versions(view, "datasets"))
    return tuple(site.ref for site in read_table(view, benchmark).sites)
