"""What a person types → the page on which it can be looked at, and that page in the browser.

On a forge that is the host's own page of the record or the proposal. Plain Git has no pages: there the leaderboard of
the verified head is built into the home folder, and its page of the thing is shown.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from medperf_git import __version__
from medperf_git.errors import UsageProblem
from medperf_git.flows.home import Damaged, locked, private_folder, read_json, write_json
from medperf_git.flows.naming import Found, find, find_result
from medperf_git.flows.sites import site_cache, write_from_store
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.pages import file_page
from medperf_git.records import layout
from medperf_git.records.digests import short
from medperf_git.records.folds import member_state
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.names import name_fault
from medperf_git.records.view import RecordView, chain

Browser: TypeAlias = Callable[[str], bool]
Named: TypeAlias = Found[Cube] | Found[Dataset] | Found[Benchmark]
_DIGITS = re.compile(r"(?:submit/)?[0-9a-f]{4,64}")
_SEARCHES: Mapping[str, Callable[[RecordView, str, str | None], Named]] = {
    "cube": lambda view, text, member: find(view, Cube, text, member=member),
    "dataset": lambda view, text, member: find(view, Dataset, text, member=member),
    "benchmark": lambda view, text, member: find(view, Benchmark, text, member=member),
}
_SHOWN = (*_SEARCHES, "member", "result")  # the kinds that have a command `show`


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that can be looked at: the path of its record, or an open proposal."""

    kind: str
    name: str
    path: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a thing can be looked at; `note` says what the page is, where it is not the thing's own."""

    address: str
    note: str = ""


def find_target(workspace: Workspace, text: str) -> Target:
    """Return what `text` names: a cube, dataset, benchmark, member, result, open proposal, or a record's path.

    UsageProblem when it names nothing, or several things.
    """
    found = [*_by_path(workspace, text), *_by_digits(workspace, text), *_by_name(workspace, text)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{one.kind} {one.name}" for one in found)
        hint = "write the path of its record, or submit/… for a proposal"
        raise UsageProblem(f"{text!r} names several things: {listed}", hint=hint)
    hint = "`cube ls`, `dataset ls`, `benchmark ls`, `member ls`, `result ls` and `inbox --all` list what there is"
    raise UsageProblem(f"nothing here is called {text!r}", hint=hint)


def page_of(workspace: Workspace, target: Target) -> Page:
    """Return the page of a thing; on plain Git its leaderboard is built, unless it stands there already."""
    if target.proposal:
        page = workspace.forge.page_of(target.proposal)
        if page.startswith("https://"):
            return Page(page)
        note = f"plain Git has no page for a proposal; look at it with: medperf-git sign {target.name} --dry-run"
        return Page((_local_site(workspace) / "index.html").as_uri(), note)
    page_on_host = file_page(workspace.known.kind, workspace.url, target.path)
    return Page(page_on_host) if page_on_host else _local_page(workspace, target)


def leaderboard_page(workspace: Workspace, benchmark: str | None) -> Page:
    """Return the page of a benchmark, or the index, in the leaderboard of this machine; built unless it stands there.

    UsageProblem when `benchmark` names none.
    """
    if benchmark is None:
        return Page((_local_site(workspace) / "index.html").as_uri())
    found = find(workspace.view, Benchmark, benchmark, member=workspace.member)
    return _local_page(workspace, Target("benchmark", str(found.ref), found.stored.path))


def show(page: Page, *, browser: Browser | None = None) -> bool:
    """Open a page in the browser; tell whether one could be opened."""
    import webbrowser  # noqa: PLC0415  (reads the environment when it is first used)

    try:
        return (browser or webbrowser.open)(page.address)
    except (webbrowser.Error, OSError):
        return False


def _by_path(workspace: Workspace, text: str) -> list[Target]:
    place = layout.place_of(text)
    if place is None or workspace.view.blob(text) is None:
        return []
    return [Target(str(place.kind), text, text)]


def _by_digits(workspace: Workspace, text: str) -> list[Target]:
    """Find the open proposals and the result that begin with these digits."""
    if not _DIGITS.fullmatch(text):
        return []
    digits = text.removeprefix("submit/")
    found = [
        Target("proposal", proposal[:12], proposal=proposal)
        for proposal in sorted(workspace.proposals())
        if proposal.startswith(digits)
    ]
    if text == digits:
        with suppress(UsageProblem):
            stored = find_result(workspace.view, text)
            found.append(Target("result", short(stored.digest), stored.path))
    return found


def _by_name(workspace: Workspace, text: str) -> list[Target]:
    found = []
    for kind, search in _SEARCHES.items():
        try:
            one = search(workspace.view, text, workspace.member)
        except UsageProblem:
            continue
        found.append(Target(kind, str(one.ref), one.stored.path))
    if not name_fault(text) and member_state(workspace.view, text) is not None:
        newest = chain(workspace.view, layout.member_folder(text))[-1]
        found.append(Target("member", text, newest.path))
    return found


def _local_page(workspace: Workspace, target: Target) -> Page:
    """Return the page of a thing in the leaderboard of this machine, or the index with a word about it."""
    site = _local_site(workspace)
    record = target.path.removesuffix(".yaml")
    own = {
        "benchmark": target.path.replace("/benchmark.yaml", "/index.html"),
        "result": f"{record}.html",
        "cube": f"{record.replace('cubes/', 'models/', 1)}/index.html",
        "dataset": f"{record.replace('datasets/', 'sites/', 1)}/index.html",
        "member": f"{record.rpartition('/')[0]}/index.html",
    }.get(target.kind, "")
    if own and (site / own).is_file():
        return Page((site / own).as_uri())
    shows = f"; `medperf-git {target.kind} show {target.name}` shows its record" if target.kind in _SHOWN else ""
    return Page((site / "index.html").as_uri(), f"the leaderboard has no page of a {target.kind}: its index{shows}")


def _local_site(workspace: Workspace) -> Path:
    """Return the folder of the leaderboard of the verified head; built once for each commit and version."""
    folder = private_folder(workspace.context.home / "cache" / "sites")
    site, marker = folder / workspace.alias, folder / f"{workspace.alias}.json"
    built = {"commit": workspace.head, "version": __version__}
    with locked(folder / f"{workspace.alias}.lock"):
        if not site.is_dir() or _read(marker) != built:
            workspace.context.say(f"building the leaderboard of {workspace.head[:12]}")
            cache = site_cache(workspace.context.home, site)
            registry = workspace.registry_id
            write_from_store(workspace.store, commit=workspace.head, registry=registry, out=site, cache=cache)
            write_json(marker, built)
    return site


def _read(marker: Path) -> dict[str, Any]:
    """Return what a site was built from; nothing where that cannot be read: then it is built again."""
    try:
        return read_json(marker)
    except Damaged:
        return {}
