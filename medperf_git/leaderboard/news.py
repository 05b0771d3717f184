"""The last steps of main → what happened, in sentences.

Rules kept here: a sentence says who did what, as the records of the step tell it; how a model stands is said as of the
commit that the site is built from; a first policy says nothing beside its benchmark.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.reading import REASONS
from medperf_git.leaderboard.standing_words import rank_words
from medperf_git.leaderboard.steps import Step
from medperf_git.leaderboard.text import listing, some
from medperf_git.records import folds, layout, models
from medperf_git.records.digests import Digest
from medperf_git.records.layout import Kind
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, record_at, stored_at

MOST_RECORDS = 60  # of one step that are told one by one
MOST_SITES = 12  # of a larger step whose results are counted one by one
_DECIDED = {
    "request": "asked to take part in",
    "approve": "was admitted to",
    "reject": "was not admitted to",
    "withdraw": "left",
}
_SAID = {
    "withdraw": "withdrew",
    "reinstate": "reinstated",
    "dispute": "disputed",
    "resolve": "settled the dispute about",
}
_ROLES = {"model": "the model", "data-preparator": "the data preparator", "metrics": "the metrics"}


@dataclass(frozen=True, slots=True)
class News:
    """One sentence: of which step, about which page (none: no page), resting on which records.

    `key` tells it from others of its step where no record was read; it does not change when a title does.
    """

    commit: str
    time: str
    text: str
    url: str
    records: tuple[tuple[str, Digest], ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Looks titles and ranks up."""

    view: RecordView
    analyses: Mapping[Ref, Analysis]

    def member(self, name: str) -> str:
        state = folds.member_state(self.view, name)
        return state.title if state else name

    def benchmark(self, ref: Ref) -> str:
        known = self.analyses.get(ref)
        return known.table.title if known else str(ref)

    def model(self, ref: Ref) -> str:
        record = record_at(self.view, layout.cube_path(ref), models.Cube)
        return record.title if record else str(ref)

    def dataset(self, ref: Ref) -> str:
        record = record_at(self.view, layout.dataset_path(ref), models.Dataset)
        return record.title if record else str(ref)

    def rank(self, benchmark: Ref, model: Ref) -> str:
        known = self.analyses.get(benchmark)
        if known is None:
            return ""
        standing = next((one for one in known.standings if one.model.ref == model), None)
        return rank_words(known, standing) if standing and standing.rank is not None else ""


def iter_news(view: RecordView, analyses: Sequence[Analysis], steps: Iterable[Step]) -> Iterator[News]:
    """Say what the steps did, in the order of the steps given (the newest first); reads a step when it is asked for."""
    reader = _Reader(view, {analysis.table.ref: analysis for analysis in analyses})
    for step in steps:
        yield from _of_step(reader, step)


def _of_step(reader: _Reader, step: Step) -> Iterator[News]:
    paths = [path for path in step.paths if layout.place_of(path)]
    if len(paths) > MOST_RECORDS:
        for text, url, key in _counted(reader, paths):
            yield News(step.commit, step.time, text, url, key=key)
        return
    by_kind: dict[Kind, list[Stored]] = defaultdict(list)
    lost = []
    for path in paths:
        stored = stored_at(reader.view, path)
        if stored is None:
            lost.append(path)
        else:
            by_kind[stored.place.kind].append(stored)
    for kind, tell in _TELLERS.items():
        for text, url, told in tell(reader, by_kind.get(kind, [])):
            yield News(step.commit, step.time, text, url, tuple((one.path, one.digest) for one in told))
    if lost:
        verb = "counts as absent or cannot be read" if len(lost) == 1 else "count as absent or cannot be read"
        text = f"{some(len(lost), 'record')} that {verb}: {listing(lost, most=3)}."
        yield News(step.commit, step.time, text, "", key="lost")
    if not paths:
        yield News(step.commit, step.time, _without_records(step), "")


def _counted(reader: _Reader, paths: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Say how many results each site published, and how many other records came at once, without reading them."""
    places = [place for path in paths if (place := layout.place_of(path))]
    sites = Counter(tuple(place.path.split("/")[1:5]) for place in places if place.kind is Kind.RESULT)
    told = sorted(sites.items())[:MOST_SITES]
    for (member, name, version, dataset), number in told:
        benchmark, ref = Ref.parse(f"{member}/{name}@{version}"), Ref.from_folder(dataset)
        text = f"{reader.member(ref.member)} published {some(number, 'result')} on {reader.benchmark(benchmark)}."
        yield text, urls.site_url(ref), f"{benchmark} {ref}"
    kinds = Counter(place.kind for place in places)
    kinds[Kind.RESULT] -= sum(number for _, number in told)
    rest = [some(number, f"{kind} record") for kind, number in sorted(kinds.items()) if number]
    if rest:
        yield f"At once came {'also ' if told else ''}{listing(rest, most=12)}.", "", "rest"


def _without_records(step: Step) -> str:
    bundles = [path for path in step.paths if layout.split_bundle(path)]
    return "Signatures were added to records that were there." if bundles else "Files of the house changed."


_Told = Iterator[tuple[str, str, list[Stored]]]


def _registries(reader: _Reader, found: list[Stored]) -> _Told:  # noqa: ARG001 - one form for all tellers
    for stored in found:
        first = stored.place.number == 1
        yield (
            "The registry was founded." if first else "The maintainers changed the registry’s own record.",
            "",
            [stored],
        )


def _members(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        member = stored.record
        if isinstance(member, models.Member):
            yield f"{member.title} {_what_changed(reader, stored, member)}.", urls.member_url(member.member), [stored]


def _what_changed(reader: _Reader, stored: Stored, member: models.Member) -> str:
    if stored.place.number == 1:
        return "joined"
    before = record_at(reader.view, layout.member_path(member.member, stored.place.number - 1), models.Member)
    if member.status == "retired" and before and before.status == "active":
        return "retired"
    if len(member.revoked or ()) > len((before.revoked if before else None) or ()):
        return "revoked a key"
    return "changed its record" if before and before.keys == member.keys else "changed its keys"


def _cubes(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        cube = stored.record
        if isinstance(cube, models.Cube):
            url = urls.model_url(cube.ref) if cube.role == "model" else urls.member_url(cube.member)
            what = f"{_ROLES[cube.role]} {cube.title}"
            yield f"{reader.member(cube.member)} registered {what}{_version(cube.version)}.", url, [stored]


def _datasets(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        data = stored.record
        if isinstance(data, models.Dataset):
            text = f"{reader.member(data.member)} registered the dataset {data.title}{_version(data.version)}"
            yield f"{text}: {data.cases} cases.", urls.site_url(data.ref), [stored]


def _version(number: int) -> str:
    return f", version {number}" if number > 1 else ""


def _benchmarks(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        made = stored.record
        if isinstance(made, models.Benchmark):
            text = f"{reader.member(made.member)} opened the benchmark {made.title}{_version(made.version)}."
            yield text, urls.benchmark_url(made.ref), [stored]


def _policies(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        policy = stored.record
        if isinstance(policy, models.Policy) and stored.place.number > 1:
            ref = policy.benchmark.ref
            text = f"The committee changed the policy of {reader.benchmark(ref)}."
            yield text, _page_of(reader, ref), [stored]


def _associations(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        event = stored.record
        if not isinstance(event, models.Association):
            continue
        ref, is_data = event.subject.ref, event.subject.kind == "dataset"
        what = f"the dataset {reader.dataset(ref)}" if is_data else f"the model {reader.model(ref)}"
        where, url = reader.benchmark(event.benchmark.ref), urls.site_url(ref) if is_data else urls.model_url(ref)
        if event.event == "prioritise":
            yield f"The committee of {where} gave {what} another place in the order.", url, [stored]
        elif event.event == "request" and event.side == "committee":
            yield f"The committee of {where} invited {what}.", url, [stored]
        else:
            yield f"{what[:1].upper()}{what[1:]} {_DECIDED[event.event]} {where}.", url, [stored]


def _results(reader: _Reader, found: list[Stored]) -> _Told:
    """Tell results together that one site published in one benchmark at once."""
    groups: dict[tuple[Ref, Ref], list[Stored]] = defaultdict(list)
    for stored in found:
        if isinstance(stored.record, models.Result):
            groups[stored.record.benchmark.ref, stored.record.dataset.ref].append(stored)
    for (benchmark, dataset), group in groups.items():
        site, where = reader.member(dataset.member), reader.benchmark(benchmark)
        if len(group) == 1:
            yield f"{site} {_one_result(reader, group[0], where)}.", _result_url(reader, group[0]), group
        else:
            refs = [one.record.model.ref for one in group if isinstance(one.record, models.Result)]
            names = listing([reader.model(ref) for ref in refs], most=5)
            yield (
                f"{site} published results of {some(len(group), 'model')} on {where}: {names}.",
                urls.site_url(dataset),
                group,
            )


def _one_result(reader: _Reader, stored: Stored, where: str) -> str:
    result = stored.record
    assert isinstance(result, models.Result)  # noqa: S101 - narrowed by the caller
    model = reader.model(result.model.ref)
    if result.outcome == "failed":
        why = f": {REASONS.get(result.reason, result.reason)}" if result.reason else ""
        return f"reported that {model} failed on {where}{why}"
    newer = "a newer result" if stored.place.number > 1 else "a result"
    rank = reader.rank(result.benchmark.ref, result.model.ref)
    return f"published {newer} of {model} on {where}" + (f": {rank}" if rank else "")


def _result_url(reader: _Reader, stored: Stored) -> str:
    result = stored.record
    known = isinstance(result, models.Result) and result.benchmark.ref in reader.analyses
    return stored.path.removesuffix(".yaml") + ".html" if known else ""


def _comparisons(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        one = stored.record
        if isinstance(one, models.Comparison):
            who, where = reader.member(one.dataset.ref.member), reader.benchmark(one.benchmark.ref)
            text = f"{who} compared {some(len(one.models), 'model')} case by case on {where}, by {one.metric}."
            yield text, urls.site_url(one.dataset.ref), [stored]


def _notices(reader: _Reader, found: list[Stored]) -> _Told:
    for stored in found:
        said = stored.record
        if isinstance(said, models.Notice):
            what, url = _about(reader, said.record.path)
            why = f" ({said.reason.replace('-', ' ')})" if said.reason else ""
            yield f"{reader.member(said.by)} {_SAID[said.event]} {what}{why}.", url, [stored]


def _about(reader: _Reader, path: str) -> tuple[str, str]:
    """Say what a notice is about, and where its page is."""
    stored = stored_at(reader.view, path)
    match stored.record if stored else None:
        case models.Result(model=model, benchmark=benchmark, dataset=dataset):
            what = f"the result of {reader.model(model.ref)} at {reader.dataset(dataset.ref)}"
            known = benchmark.ref in reader.analyses
            return f"{what} on {reader.benchmark(benchmark.ref)}", path.removesuffix(".yaml") + ".html" if known else ""
        case models.Cube() as cube:
            url = urls.model_url(cube.ref) if cube.role == "model" else urls.member_url(cube.member)
            return f"{_ROLES[cube.role]} {cube.title}", url
        case models.Dataset() as data:
            return f"the dataset {data.title}", urls.site_url(data.ref)
        case models.Benchmark() as made:
            return f"the benchmark {made.title}", _page_of(reader, made.ref)
        case models.Comparison() as one:
            return f"a comparison at {reader.dataset(one.dataset.ref)}", urls.site_url(one.dataset.ref)
    return f"the record {path}", ""


def _page_of(reader: _Reader, benchmark: Ref) -> str:
    return urls.benchmark_url(benchmark) if benchmark in reader.analyses else ""


def _quarantines(reader: _Reader, found: list[Stored]) -> _Told:  # noqa: ARG001 - one form for all tellers
    for stored in found:
        yield "The maintainers set an invalid step aside.", "", [stored]


_TELLERS: Mapping[Kind, Callable[[_Reader, list[Stored]], _Told]] = {
    Kind.REGISTRY: _registries,
    Kind.QUARANTINE: _quarantines,
    Kind.MEMBER: _members,
    Kind.CUBE: _cubes,
    Kind.DATASET: _datasets,
    Kind.BENCHMARK: _benchmarks,
    Kind.POLICY: _policies,
    Kind.ASSOCIATION: _associations,
    Kind.RESULT: _results,
    Kind.COMPARISON: _comparisons,
    Kind.NOTICE: _notices,
}
