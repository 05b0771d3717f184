"""What the pages of models, datasets and members share: facts of a record as plain values for a template."""

from collections.abc import Callable, Sequence

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.catalogue import MemberCard
from medperf_git.leaderboard.tables import Notice, Source
from medperf_git.leaderboard.text import fixed, whole
from medperf_git.leaderboard.words import Context
from medperf_git.records import models
from medperf_git.records.canonical import format_number
from medperf_git.records.names import Ref

_POWERS = ("bytes", "kB", "MB", "GB", "TB")


def pairs(rows: Sequence[tuple[str, str, bool]]) -> list[Context]:
    """Give name, text and whether it is machine text; what is empty is left out."""
    return [{"name": name, "text": text, "mono": mono} for name, text, mono in rows if text]


def owner_step(name: str, owner: MemberCard | None) -> Context:
    """Give the step of the trail that leads to a thing's owner."""
    return {"url": urls.member_url(name) if owner else "", "text": owner.title if owner else name}


def described(text: str | None) -> list[str]:
    """Split a description into paragraphs."""
    return [part.strip() for part in (text or "").split("\n\n") if part.strip()]


def image_facts(record: models.Cube | None, source: Source | None) -> list[Context]:
    """Say licence, image and what a container needs."""
    if record is None:
        return []
    image, needs = record.image, record.resources or models.Resources()
    tested = record.tested
    return pairs(
        [
            ("Licence", record.license or "none is named", False),
            ("Registered", record.created, False),
            ("Image", f"{image.type}, {image.platform}", False),
            ("Where it may be had", image.reference, True),
            ("Image id", image.id, True),
            ("Manifest", image.manifest or "", True),
            ("Archive", _asset(image.archive), True),
            ("Further files", _asset(record.additional_files), True),
            ("Needs", _needs(needs), False),
            ("Tested by its owner", f"{tested.outcome}, on demo data {tested.data}" if tested else "", True),
            *record_facts(source),
        ]
    )


def record_facts(source: Source | None) -> list[tuple[str, str, bool]]:
    """Say where a record lies and what its bytes are."""
    return [("Record", source.path, True), ("SHA-256 of the record", source.digest, True)] if source else []


def _asset(asset: models.Asset | None) -> str:
    return f"{asset.url}, {size(asset.size)}, {asset.digest}" if asset else ""


def _needs(needs: models.Resources) -> str:
    told = [
        f"{format_number(needs.seconds_per_case)} s a case" if needs.seconds_per_case is not None else "",
        f"{size(needs.peak_memory_bytes)} of memory" if needs.peak_memory_bytes is not None else "",
        f"{size(needs.disk_bytes)} of disk" if needs.disk_bytes is not None else "",
        {True: "a GPU", False: "no GPU", None: ""}[needs.gpu],
    ]
    return ", ".join(filter(None, told))


def size(number: int) -> str:
    """Write a number of bytes with three digits at most."""
    power = 0
    amount = float(number)
    while amount >= 1000 and power + 1 < len(_POWERS):
        amount, power = amount / 1000, power + 1
    return f"{fixed(amount, 1 if power and amount < 100 else 0)}\N{NO-BREAK SPACE}{_POWERS[power]}"


def signers(source: Source | None) -> list[Context]:
    """Say who signed a record, with which key, and when that was by their word."""
    return [
        {"who": one.signer or "unreadable bundle", "key": one.key, "when": one.signed_at, "path": one.path}
        for one in (source.signatures if source else ())
    ]


def notice_rows(notices: Sequence[Notice]) -> list[Context]:
    """Say every notice about a record."""
    return [
        {
            "created": one.created,
            "event": one.event,
            "by": one.by,
            "reason": one.reason.replace("-", " "),
            "path": one.path,
        }
        for one in notices
    ]


def versions_of(refs: Sequence[Ref], here: Ref, url_of: Callable[[Ref], str]) -> list[Context]:
    """List the versions of one thing, newest first; nothing where there is only this one."""
    if len(refs) < 2:
        return []
    return [{"ref": ref, "url": url_of(ref), "here": ref == here} for ref in reversed(refs)]


def statistics_rows(statistics: dict[str, models.Number] | None) -> list[Context]:
    """Say the statistics that a site chose to publish."""
    return [
        {"name": name.replace("_", " "), "text": whole(number) if isinstance(number, int) else format_number(number)}
        for name, number in (statistics or {}).items()
    ]
