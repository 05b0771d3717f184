"""The page of one result: its values, where they come from, and how to check them without trust.

Rules kept here: there may be 100 000 of these, so plain code writes them and a template only the frame around;
every text passes `_safe` on its way into a page; no commit stands in it, so that it keeps its bytes from commit to
commit.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache, partial
from html import escape

from markupsafe import Markup

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.identified import has_ids
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    Cell,
    CellState,
    Measured,
    MetricInfo,
    Reference,
    ResultEntry,
    Signature,
)
from medperf_git.leaderboard.text import NOTHING, fixed
from medperf_git.leaderboard.words import KINDS, Context
from medperf_git.records.view import RecordView

TEMPLATE = "result.html"
ASSURANCE = {
    "self-attested": "Self-attested: the site vouches for it with its signature; nobody else saw it run.",
}
_STANDS = {
    CellState.PARTIAL: "; the run was partial",
    CellState.WITHDRAWN: "; withdrawn since, and not counted",
    CellState.DISPUTED: "; disputed by the committee, and not counted until that is resolved",
}
_ROOT = "../" * 6  # a result lies as deep as its record, and that depth is fixed

_safe = lru_cache(maxsize=8192)(escape)


class ResultPages:
    """Writes what the pages of a benchmark's results say."""

    def __init__(self, table: BenchmarkTable, view: RecordView) -> None:
        self._table = table
        self._view = view
        self._metrics = {metric.id: metric for metric in table.metrics}
        self._leading = self._metrics[table.ranking.metrics[0]]
        self._models = {model.ref: _safe(model.title) for model in table.models}
        self._sites = {site.ref: _safe(site.title) for site in table.sites}

    def iter_pages(self, cell: Cell) -> Iterator[Page]:
        """Yield the page of every result of a cell, oldest first."""
        if cell.result is not None:
            chain = (*cell.earlier, cell.result)
            for entry in chain:
                yield Page(entry.url, TEMPLATE, partial(self.context, cell, chain, entry))

    def context(self, cell: Cell, chain: tuple[ResultEntry, ...], entry: ResultEntry) -> Context:
        """Say one result; `chain` holds every result of this model on this dataset, oldest first."""
        model, site = (
            self._models.get(entry.model) or _safe(str(entry.model)),
            self._sites.get(entry.dataset) or _safe(str(entry.dataset)),
        )
        name = entry.source.id
        main = (
            self._opening(cell, entry, model, site, live=chain[-1]),
            self._values(entry),
            _origin(entry, self._blob_id(entry.source.path)),
            _signed(entry.source.signatures),
            _rests_on(entry.references),
            _links(chain, entry),
            _notices(entry),
            _check(entry),
        )
        return {
            "title": Markup(f"Result {name}: {model} at {site}"),  # noqa: S704 - escaped above
            "trail": [{"url": self._table.url, "text": self._table.title}, {"url": "", "text": f"Result {name}"}],
            "main": Markup("".join(main)),  # noqa: S704 - escaped piece by piece
        }

    def _blob_id(self, path: str) -> str:
        if has_ids(self._view):
            return (self._view.blob_id(path) or b"").hex()
        return blob_id(self._view.blob(path))

    def _opening(self, cell: Cell, entry: ResultEntry, model: str, site: str, *, live: ResultEntry) -> str:
        marks = [*([] if live is entry else ["superseded"]), *cell.marks]
        tags = "".join(f' <span class="tag warn">{_safe(mark)}</span>' for mark in marks)
        superseded = ""
        if live is not entry:
            link = f'<a class="id" href="{_ROOT}{_safe(live.url)}">{live.source.id}</a>'
            superseded = f'<p class="callout">This result is superseded by {link}; it counts in no ranking.</p>\n'
        return (
            f'<header class="opening">\n<p class="eyebrow">Result <span class="ref">{entry.source.id}</span> '
            f'<span class="tag {KINDS[entry.state]}">{entry.state}</span>{tags}</p>\n'
            f'<h1><a href="{_ROOT}{urls.model_url(entry.model)}">{model}</a> <span class="at">at</span> '
            f'<a href="{_ROOT}{urls.site_url(entry.dataset)}">{site}</a></h1>\n'
            f'<p class="lead">{_safe(self._sentence(entry))}</p>\n'
            f'<p class="basis">{_safe(ASSURANCE.get(entry.assurance, entry.assurance))}</p>\n</header>\n{superseded}'
        )

    def _sentence(self, entry: ResultEntry) -> str:
        if not entry.values:
            return f"The run failed: {entry.reason}." if entry.reason else "The run failed."
        measured = entry.values.get(self._leading.id)
        value = fixed(measured.value if measured else None, self._leading.decimals)
        told = f"{self._leading.title} {value}" if value != NOTHING else f"{self._leading.title} is undefined here"
        return f"{told}, over {entry.cases} cases{_STANDS.get(entry.state, '')}."

    def _values(self, entry: ResultEntry) -> str:
        if not entry.values:
            return ""
        rows = "".join(_value(name, measured, self._metrics.get(name)) for name, measured in entry.values.items())
        head = '<th scope="col" class="num">'
        return (
            '<section aria-labelledby="values">\n<h2 id="values">Values</h2>\n'
            '<div class="scroll" role="region" aria-label="Table of values" tabindex="0">\n<table class="plain">\n'
            f"<caption>What left the site: {_safe(entry.cases)} cases, summarised.</caption>\n"
            f'<thead><tr><th scope="col">Metric</th>{head}Value</th>{head}SD</th>{head}Cases</th>'
            f"{head}Failed</th>{head}Undefined</th></tr></thead>\n<tbody>{rows}</tbody>\n</table>\n</div>\n</section>\n"
        )


def _value(name: str, measured: Measured, metric: MetricInfo | None) -> str:
    decimals = metric.decimals if metric else 9
    value = "undefined" if measured.value is None else fixed(measured.value, decimals)
    spread = NOTHING if measured.sd is None else fixed(measured.sd, decimals)
    counts = "".join(f'<td class="num">{_count(n)}</td>' for n in (measured.n, measured.n_failed, measured.n_undefined))
    return (
        f'<tr><th scope="row">{_safe(metric.title if metric else name)} '
        f'<span class="arrow">{metric.arrow if metric else ""}</span></th>'
        f'<td class="num score">{value}</td><td class="num">{spread}</td>{counts}</tr>'
    )


def _count(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def blob_id(data: bytes | None) -> str:
    """Give the id that Git gives to a file's bytes, empty where there are none (Pro Git, 10.2)."""
    if data is None:
        return ""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def _origin(entry: ResultEntry, blob: str) -> str:
    source = entry.source
    plain = (
        _pair("Benchmark", f'<a href="{_ROOT}{urls.benchmark_url(entry.benchmark)}">{entry.benchmark}</a>'),
        _pair("Ran", f"{_safe(entry.started)} to {_safe(entry.finished)}, attempt {entry.attempt}"),
        _pair("Sandbox", f"profile {_safe(entry.sandbox)}, on {_safe(entry.engine)}"),
        _pair("Client", _safe(entry.client)),
        _pair("Written", _safe(entry.created)),
        _pair("Record", _safe(source.path), mono=True),
        _pair("SHA-256 of the record", source.digest, mono=True),
        _pair("Git blob", blob or NOTHING, mono=True),
        *(_pair(f"Image of the {_safe(role)}", _safe(image), mono=True) for role, image in entry.images.items()),
        *(_pair(f"Parameters of the {_safe(role)}", _safe(d), mono=True) for role, d in entry.parameters.items()),
    )
    return (
        '<section aria-labelledby="source">\n<h2 id="source">Where it comes from</h2>\n'
        f'<dl class="pairs">\n{"".join(plain)}</dl>\n'
    )


def _pair(name: str, text: str, *, mono: bool = False) -> str:
    """Write a name and a text that is safe already."""
    kind = ' class="mono"' if mono else ""
    return f"<div><dt>{name}</dt><dd{kind}>{text}</dd></div>\n"


def _signed(signatures: tuple[Signature, ...]) -> str:
    if not signatures:
        return "<h3>Signed by</h3>\n<p>No signature lies beside this record.</p>\n"
    return f'<h3>Signed by</h3>\n<ul class="list digests">{"".join(map(_signature, signatures))}</ul>\n'


def _signature(one: Signature) -> str:
    path = f' <code class="digest">{_safe(one.path)}</code></li>\n'
    if not one.signer:
        return f"<li><span>unreadable bundle</span>{path}"
    return (
        f"<li><span>{_safe(one.signer)}</span> <code>{_safe(one.key)}</code> "
        f'<span class="fine">says it signed {_safe(one.signed_at)}; having seen commit {_safe(one.head[:12])}</span>'
        f"{path}"
    )


def _rests_on(references: tuple[Reference, ...]) -> str:
    rows = "".join(map(_reference, references))
    return (
        "<h3>The records it rests on</h3>\n"
        '<div class="scroll" role="region" aria-label="The records it rests on" tabindex="0">\n'
        '<table class="plain digests">\n'
        "<caption>The digest this result names for each, beside the file of now.</caption>\n"
        '<thead><tr><th scope="col">Role</th><th scope="col">Record</th><th scope="col">SHA-256 of its file</th>'
        f'<th scope="col">Now</th></tr></thead>\n<tbody>{rows}</tbody>\n</table>\n</div>\n'
    )


@lru_cache(maxsize=4096)  # the same few records stand behind most results
def _reference(one: Reference) -> str:
    match = "absent" if not one.now else "same bytes" if one.digest == one.now else "other bytes"
    kind = "good" if one.digest == one.now else "bad"
    return (
        f'<tr><th scope="row">{_safe(one.role)}</th><td><code>{one.ref}</code></td>'
        f'<td><code class="digest">{_safe(one.digest)}</code></td>'
        f'<td><span class="tag {kind}">{match}</span></td></tr>\n'
    )


def _links(chain: tuple[ResultEntry, ...], here: ResultEntry) -> str:
    if len(chain) == 1:
        return ""
    rows = "".join(_link(link, here=link is here, live=link is chain[-1]) for link in chain)
    return f'<h3>All results of this model on this dataset</h3>\n<ol class="list">{rows}</ol>\n'


def _link(link: ResultEntry, *, here: bool, live: bool) -> str:
    name = link.source.id
    who = f'<b class="id">{name}</b>' if here else f'<a class="id" href="{_ROOT}{_safe(link.url)}">{name}</a>'
    stands = "live" if live else "superseded"
    file = link.source.path.rpartition("/")[2]
    return f"<li>{who} {_safe(file)}, {_safe(link.created)}: {link.state}, {stands}</li>\n"


def _notices(entry: ResultEntry) -> str:
    if not entry.notices:
        return ""
    rows = "".join(
        f"<li>{_safe(one.created)}: {_safe(one.event)} by {_safe(one.by)}: {_safe(one.reason)} "
        f"<code>{_safe(one.path)}</code></li>\n"
        for one in entry.notices
    )
    return f'<h3>Notices</h3>\n<ul class="list">{rows}</ul>\n'


def _check(entry: ResultEntry) -> str:
    known = next((one for one in entry.source.signatures if one.public_key), None)
    by_hand = ""
    if known is not None:
        by_hand = (
            f"<p>Without it, in a clone of the registry: these three lines, then "
            f'<a href="{_ROOT}{urls.METHODS}#by-hand">the same few for every record</a>. The key is the one in the '
            "signer’s member record: compare it with one you got from the signer.</p>\n"
            f"<pre><code>record={_safe(entry.source.path)}\n"
            f"bundle=$record{_safe(known.path.removeprefix(entry.source.path))}\n"
            f"key=&#x27;{_safe(known.public_key)}&#x27;</code></pre>\n"
        )
    return (
        '</section>\n<section aria-labelledby="check">\n<h2 id="check">Check it yourself</h2>\n'
        "<p>With this software, in a copy of the registry:</p>\n"
        f"<pre><code>medperf-git verify {entry.source.id}</code></pre>\n{by_hand}</section>\n"
    )
