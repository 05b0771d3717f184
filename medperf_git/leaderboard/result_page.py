"""What the page of one result says: its values, where they come from, and how to check them without trust."""

from medperf_git.leaderboard.tables import BenchmarkTable, CellState, ResultEntry, Signature
from medperf_git.leaderboard.text import NOTHING, fixed
from medperf_git.leaderboard.words import KINDS, Context

ASSURANCE = {
    "self-attested": "self-attested: the site vouches for it with its signature; nobody else saw it run",
}
RECIPE = """\
git show {commit}:{record} > record.yaml
git show {commit}:{bundle} > bundle.json
echo '{key}' > key.pub
jq -r .dsseEnvelope.payload bundle.json | base64 -d > statement.json
jq -r .dsseEnvelope.signatures[0].sig bundle.json | base64 -d > signature
# the statement is about these bytes: both lines are the same
jq -r .subject[0].digest.sha256 statement.json
sha256sum < record.yaml | cut -c 1-64
# and the key signed the statement
{{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < statement.json)"; cat statement.json; }} > signed
{{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
  cut -d ' ' -f 2 key.pub | base64 -d | tail -c 32; }} > key.der
openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature"""


def result_context(
    table: BenchmarkTable, chain: tuple[ResultEntry, ...], entry: ResultEntry, *, commit: str
) -> Context:
    """Say one result; `chain` holds every result of this model on this dataset, oldest first."""
    superseded = chain[-1] if chain[-1] is not entry else None
    model, site = table.model_title(entry.model), table.site_title(entry.dataset)
    cell = table.cells[entry.model, entry.dataset]
    return {
        "trail": [{"url": table.url, "text": table.title}, {"url": "", "text": f"Result {entry.source.id}"}],
        "entry": {"id": entry.source.id},
        "model": model,
        "site": site,
        "state": {"kind": KINDS[entry.state], "text": str(entry.state)},
        "marks": [*(["superseded"] if superseded else []), *cell.marks],
        "sentence": _sentence(table, entry),
        "vouched": ASSURANCE.get(entry.assurance, entry.assurance)[:1].upper()
        + ASSURANCE.get(entry.assurance, entry.assurance)[1:]
        + ".",
        "superseded_by": {"url": superseded.url, "id": superseded.source.id} if superseded else None,
        "values": _values(table, entry),
        "cases": entry.cases,
        "facts": _facts(entry),
        "signatures": [_signature(signature) for signature in entry.source.signatures],
        "references": [
            {
                "role": reference.role,
                "ref": reference.ref,
                "digest": reference.digest,
                "match": _match(reference.digest, reference.now),
                "kind": "good" if reference.digest == reference.now else "bad",
            }
            for reference in entry.references
        ],
        "chain": [_link(link, entry, chain[-1]) for link in chain] if len(chain) > 1 else [],
        "notices": entry.notices,
        "recipe": _recipe(entry, commit),
    }


def _sentence(table: BenchmarkTable, entry: ResultEntry) -> str:
    metric = table.metric(table.ranking.metrics[0])
    measured = entry.values.get(metric.id)
    if not entry.values:
        return f"The run failed: {entry.reason}." if entry.reason else "The run failed."
    value = fixed(measured.value if measured else None, metric.decimals)
    told = f"{metric.title} {value}" if value != NOTHING else f"{metric.title} is undefined here"
    stands = {
        CellState.PARTIAL: "; the run was partial",
        CellState.WITHDRAWN: "; withdrawn since, and not counted",
        CellState.DISPUTED: "; disputed by the committee, and not counted until that is resolved",
    }
    return f"{told}, over {entry.cases} cases{stands.get(entry.state, '')}."


def _values(table: BenchmarkTable, entry: ResultEntry) -> list[Context]:
    known = {metric.id: metric for metric in table.metrics}
    rows = []
    for name, measured in entry.values.items():
        metric = known.get(name)
        decimals = metric.decimals if metric else 9
        rows.append(
            {
                "title": metric.title if metric else name,
                "arrow": metric.arrow if metric else "",
                "value": "undefined" if measured.value is None else fixed(measured.value, decimals),
                "sd": NOTHING if measured.sd is None else fixed(measured.sd, decimals),
                "n": _count(measured.n),
                "failed": _count(measured.n_failed),
                "undefined": _count(measured.n_undefined),
            }
        )
    return rows


def _count(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def _facts(entry: ResultEntry) -> list[Context]:
    plain = [
        ("Ran", f"{entry.started} to {entry.finished}, attempt {entry.attempt}"),
        ("Sandbox", f"profile {entry.sandbox}, on {entry.engine}"),
        ("Client", entry.client),
        ("Written", entry.created),
    ]
    exact = [("Record", entry.source.path), ("SHA-256 of the record", entry.source.digest)]
    exact += [
        (f"Image of the {'model' if role == 'model' else 'metrics'}", image) for role, image in entry.images.items()
    ]
    exact += [(f"Parameters of the {role}", digest) for role, digest in entry.parameters.items()]
    pairs = [{"name": name, "text": text, "mono": False} for name, text in plain]
    return pairs + [{"name": name, "text": text, "mono": True} for name, text in exact]


def _signature(signature: Signature) -> Context:
    if not signature.signer:
        return {"who": "unreadable bundle", "key": "", "when": "", "head": "", "path": signature.path}
    return {
        "who": signature.signer,
        "key": signature.key,
        "when": f"says it signed {signature.signed_at}",
        "head": f"having seen commit {signature.head[:12]}",
        "path": signature.path,
    }


def _match(named: str, now: str) -> str:
    if not now:
        return "absent"
    return "same bytes" if named == now else "other bytes"


def _link(link: ResultEntry, here: ResultEntry, live: ResultEntry) -> Context:
    stands = "live" if link is live else "superseded"
    return {
        "here": link is here,
        "url": link.url,
        "id": link.source.id,
        "text": f"{link.source.path.rpartition('/')[2]}, {link.created}: {link.state}, {stands}",
    }


def _recipe(entry: ResultEntry, commit: str) -> str:
    known = [signature for signature in entry.source.signatures if signature.public_key]
    if not known:
        return ""
    bundle = known[0]
    return RECIPE.format(commit=commit, record=entry.source.path, bundle=bundle.path, key=bundle.public_key)
