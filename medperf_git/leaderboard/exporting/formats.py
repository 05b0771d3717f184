"""The formats a leaderboard can be exported to; help, docs and tests are made from this one tuple.

Light on purpose: the command line reads it for its help. `rendering` holds the function of each.
"""

from dataclasses import dataclass

from medperf_git.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is called, what it holds, by which standard.

    One of `datasets` needs no benchmark. A `single` one is one file, not a folder; one that `zips` may be a `.zip`.
    """

    name: str
    summary: str
    standard: str
    datasets: bool = False
    single: bool = False
    zips: bool = False


FORMATS: tuple[Format, ...] = (
    Format(
        "croissant",
        "what is public of each registered dataset, no data inside: one JSON-LD file per dataset",
        "Croissant 1.0 with RAI 1.0",
        datasets=True,
    ),
    Format(
        "model-index",
        "every plain value of each model, as the front matter of a Hugging Face model card",
        "Hugging Face model card metadata, model-index",
    ),
    Format(
        "eval-results",
        "each model's score by the registered rule, as .eval_results files of the Hugging Face Hub",
        "Hugging Face .eval_results",
    ),
    Format(
        "every-eval-ever",
        "every plain value and score of each model, as the EvalEval coalition collects them",
        "Every Eval Ever, schema 0.3.0",
    ),
    Format(
        "schema-org",
        "the benchmark's table as a schema.org Dataset, for search engines: one JSON-LD file",
        "schema.org Dataset, JSON-LD 1.1",
        single=True,
    ),
    Format(
        "citation",
        "how to cite the benchmark at this commit, with the MedPerf article: one CITATION.cff",
        "Citation File Format 1.2.0",
        single=True,
    ),
    Format(
        "ro-crate",
        "the whole release: records with signatures, tables, citation, checkpoint; a folder or a .zip",
        "RO-Crate 1.1",
        zips=True,
    ),
)
NAMES = tuple(one.name for one in FORMATS)


def format_named(name: str) -> Format:
    """Find a format; UsageProblem for an unknown one."""
    for one in FORMATS:
        if one.name == name:
            return one
    hint = f"formats are {', '.join(NAMES)}; --list says what they hold"
    raise UsageProblem(f"there is no export format {name!r}", hint=hint)
