"""The pages of members: who they are, which keys vouch for them, what they brought; and the list of all."""

from collections.abc import Iterator
from functools import partial

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.card_words import pairs, signers
from medperf_git.leaderboard.catalogue import Catalogue, MemberCard
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.standing_words import rank_words
from medperf_git.leaderboard.tables import BenchmarkTable
from medperf_git.leaderboard.text import NOTHING, some, whole
from medperf_git.leaderboard.words import Context
from medperf_git.records.names import Ref

_MOST = 100  # of one kind on one page; there is a limit of names for each member anyway
MOST_MEMBERS = 2000  # in the list, some 700 kB; the records hold them all


def member_pages(catalogue: Catalogue) -> Iterator[Page]:
    """Give the list of members, and a page for each."""
    yield Page(urls.MEMBERS, "members.html", partial(members_context, catalogue))
    for name, card in catalogue.members.items():
        yield Page(urls.member_url(name), "member.html", partial(member_context, card, catalogue))


def members_context(catalogue: Catalogue) -> Context:
    """Say who is here, and in which countries where members say so."""
    cards = list(catalogue.members.values())
    return {
        "trail": [{"url": "", "text": "Members"}],
        "sentence": f"{some(len(cards), 'member')}, {some(len(catalogue.sites), 'dataset')}, "
        f"{some(len(catalogue.models), 'model')}.",
        "rows": [_listed(card) for card in cards[:MOST_MEMBERS]],
        "note": f"The first {whole(MOST_MEMBERS)} of {some(len(cards), 'member')}, by name: more would make this page "
        "too large; each has a page of its own."
        if len(cards) > MOST_MEMBERS
        else "",
        "countries": _countries(catalogue),
    }


def _listed(card: MemberCard) -> Context:
    return {
        "name": card.name,
        "title": card.title,
        "url": urls.member_url(card.name),
        "country": (card.record.country if card.record else None) or NOTHING,
        "joined": {"full": card.joined, "day": card.joined[:10] or NOTHING},
        "retired": bool(card.record and card.record.status == "retired"),
        "counts": [
            whole(number)
            for number in (len(card.benchmarks), len(card.models), len(card.datasets), card.results, card.scored)
        ],
    }


def _countries(catalogue: Catalogue) -> list[Context]:
    """Count members and datasets by country; nothing where nobody names one."""
    named = {
        name: card.record.country for name, card in catalogue.members.items() if card.record and card.record.country
    }
    if not named:
        return []
    rows = [(country, [name for name in named if named[name] == country]) for country in sorted(set(named.values()))]
    silent = [name for name in catalogue.members if name not in named]
    return [
        _country(catalogue, country, names) for country, names in [*rows, *([("not told", silent)] if silent else [])]
    ]


def _country(catalogue: Catalogue, country: str, names: list[str]) -> Context:
    cards = [catalogue.members[name] for name in names]
    return {
        "country": country,
        "members": whole(len(cards)),
        "datasets": whole(sum(len(card.datasets) for card in cards)),
        "results": whole(sum(card.results for card in cards)),
    }


def member_context(card: MemberCard, catalogue: Catalogue) -> Context:
    """Say one member."""
    record = card.record
    return {
        "trail": [{"url": urls.MEMBERS, "text": "Members"}, {"url": "", "text": card.title}],
        "name": card.name,
        "title": card.title,
        "retired": bool(record and record.status == "retired"),
        "sentence": _sentence(card),
        "facts": _facts(card),
        "keys": card.keys,
        "unreadable": record is None,
        "benchmarks": [_benchmark(table) for table in card.benchmarks[:_MOST]],
        "committees": [_benchmark(table) for table in card.committees[:_MOST]],
        "models": [_model(catalogue, ref) for ref in card.models[:_MOST]],
        "datasets": [_dataset(catalogue, ref) for ref in card.datasets[:_MOST]],
        "containers": [
            {"title": cube.title, "ref": cube.ref, "role": cube.role.replace("-", " ")}
            for cube in card.containers[:_MOST]
        ],
        "records": [
            {"path": source.path, "digest": source.digest, "signers": signers(source)} for source in card.sources
        ],
    }


def _sentence(card: MemberCard) -> str:
    parts = [
        some(len(card.benchmarks), "benchmark") if card.benchmarks else "",
        some(len(card.models), "model") if card.models else "",
        some(len(card.datasets), "dataset") if card.datasets else "",
    ]
    brought = ", ".join(filter(None, parts)) or "Nothing brought yet"
    results = f"; {some(card.results, 'result')} measured on its data" if card.results else ""
    scored = f"; {some(card.scored, 'result')} of its models" if card.scored else ""
    return f"{brought}{results}{scored}."


def _facts(card: MemberCard) -> list[Context]:
    record = card.record
    if record is None:
        return []
    wants = record.cosigning
    own = f"{some(wants.dataset, 'key')} on a dataset, {some(wants.result, 'key')} on a result" if wants else ""
    return pairs(
        [
            ("Joined", card.joined, False),
            ("Country", record.country or "", False),
            ("Website", record.website or "", False),
            ("Maintains", "this registry" if card.maintainer else "", False),
            ("Signs itself", own, False),
            ("New keys", "announced, and waiting" if record.pending else "", False),
            ("Recovered", f"its keys, since the step {record.recovered.since[:12]}" if record.recovered else "", False),
        ]
    )


def _benchmark(table: BenchmarkTable) -> Context:
    return {"title": table.title, "url": table.url, "ref": table.ref, "text": ""}


def _model(catalogue: Catalogue, ref: Ref) -> Context:
    card = catalogue.models[ref]
    ranks = [f"{stand.table.title}: {rank_words(stand.analysis, stand.standing)}" for stand in card.stands[:6]]
    return {"title": card.title, "url": urls.model_url(card.ref), "ref": card.ref, "text": "; ".join(ranks)}


def _dataset(catalogue: Catalogue, ref: Ref) -> Context:
    card = catalogue.sites[ref]
    cases = f"{card.record.cases} cases" if card.record else ""
    return {"title": card.title, "url": urls.site_url(card.ref), "ref": card.ref, "text": cases}
