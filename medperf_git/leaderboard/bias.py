"""The BIAS checklist beside what a benchmark says of its own design: answered, answered by the record, or a gap.

Source: Maier-Hein et al. 2020, "BIAS: Transparent reporting of biomedical image analysis challenges", Medical Image
Analysis 66, the parameters of its structured description of a challenge design.

Rules kept here: a gap is listed, never refused; what the committee wrote under a name that the checklist does not
have is shown too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from medperf_git.leaderboard.tables import BenchmarkTable
from medperf_git.leaderboard.text import listing, some


@dataclass(frozen=True, slots=True)
class Item:
    """One parameter of the checklist: the name under which a record answers it, its title, and what it asks."""

    name: str
    title: str
    asks: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the checklist on a page; `by_record` marks what other fields of the records already say."""

    name: str
    title: str
    text: str
    by_record: bool = False


@dataclass(frozen=True, slots=True)
class Checklist:
    """What is said, and what is not."""

    answers: tuple[Answer, ...]
    gaps: tuple[Item, ...]

    @property
    def sentence(self) -> str:
        """Count both."""
        asked = [answer for answer in self.answers if answer.name in _NAMES]
        said = f"{len(asked)} of the {len(ITEMS)} points of the BIAS checklist are answered"
        return f"{said}; {some(len(self.gaps), 'gap')} listed below." if self.gaps else f"{said}."


ITEMS = (
    Item("challenge-name", "Name", "what the benchmark is called"),
    Item("challenge-organization", "Organisers", "who runs it, and who answers questions"),
    Item("life-cycle-type", "Life cycle", "one event, repeated, or open for ever"),
    Item("venue-and-platform", "Venue and platform", "where it takes place"),
    Item("participation-policies", "Participation", "who may take part, awards, how results are published"),
    Item("submission-method", "Submission", "how models are handed in, and how often"),
    Item("schedule", "Schedule", "when it opens, closes and is published"),
    Item("ethics-approval", "Ethics approval", "which board approved the use of the data"),
    Item("data-usage-agreement", "Use of the data", "under which terms the data may be used"),
    Item("code-availability", "Code", "where the code of metrics and models can be had"),
    Item("conflicts-of-interest", "Conflicts of interest", "sponsors, and who had access to test cases"),
    Item("field-of-application", "Field of application", "diagnosis, screening, planning, research …"),
    Item("task-category", "Task", "classification, segmentation, detection …"),
    Item("target-cohort", "Target cohort", "the patients for whom a model is meant in the end"),
    Item("challenge-cohort", "Cohort of the benchmark", "the patients whose data are used here"),
    Item("imaging-modality", "Modality", "how the data were acquired"),
    Item("context-information", "Context", "what a model is told beside the data"),
    Item("target-entity", "Target entity", "what is shown in the data, and what a model must find"),
    Item("assessment-aim", "Aim of the assessment", "which property of a model is to be judged"),
    Item("data-source", "Source of the data", "devices, protocols, centres and people"),
    Item("case-characteristics", "Cases", "what one case is, how many, and how they were chosen"),
    Item("annotation-characteristics", "Reference annotations", "who made them, how, and with which training"),
    Item("data-preprocessing", "Preparation of the data", "what is done before a model sees them"),
    Item("sources-of-error", "Sources of error", "how sure the annotations are, and what else may be wrong"),
    Item("metrics", "Metrics", "which, and why"),
    Item("ranking-method", "Ranking", "the rule, and what becomes of missing results"),
    Item("statistical-analyses", "Statistics", "which uncertainty is told, and why so"),
    Item("further-analyses", "Further analyses", "what else is looked into"),
)
_NAMES = {item.name: item for item in ITEMS}


def checklist(table: BenchmarkTable) -> Checklist:
    """Lay a benchmark's own words beside the checklist."""
    said = {_plain(name): (name, text) for name, text in table.bias.items()}
    known = _by_record(table)
    answers: list[Answer] = []
    gaps: list[Item] = []
    for item in ITEMS:
        if item.name in said:
            answers.append(Answer(item.name, item.title, said[item.name][1]))
        elif item.name in known:
            answers.append(Answer(item.name, item.title, known[item.name], by_record=True))
        else:
            gaps.append(item)
    further = [Answer(name, _words(name), text) for plain, (name, text) in said.items() if plain not in _NAMES]
    return Checklist((*answers, *further), tuple(gaps))


def _by_record(table: BenchmarkTable) -> Mapping[str, str]:
    """Say what other fields of the records answer already."""
    spec, policy = table.ranking, table.policy
    titles = listing([metric.title for metric in table.metrics], most=6)
    found = {
        "challenge-name": table.title,
        "venue-and-platform": "at each site, where the data stay; in this registry, signed by each site",
        "metrics": f"{titles}, defined above",
        "ranking-method": f"{spec.rule}, version {spec.version}; a missing result: {spec.missing}",
        "statistical-analyses": "sites are resampled, not cases; leave one site out; see How firm is the order",
        "data-preprocessing": listing([str(cube.ref) for cube in table.cubes if cube.role == "data preparator"]),
    }
    if policy is not None:
        found["challenge-organization"] = f"the committee: {', '.join(policy.committee)}"
        if policy.opens or policy.closes:
            found["schedule"] = opening(policy.opens, policy.closes)
    return {name: text for name, text in found.items() if text}


def opening(opens: str, closes: str) -> str:
    """Say from when until when results are taken, whatever the time is now."""
    start = f"from {opens}" if opens else ""
    end = f"until {closes}" if closes else ""
    return " ".join(filter(None, (start, end))) or "without an end"


def _plain(name: str) -> str:
    return re.sub(r"[_.]", "-", name)


def _words(name: str) -> str:
    words = re.sub(r"[-_]", " ", name)
    return words[:1].upper() + words[1:]
