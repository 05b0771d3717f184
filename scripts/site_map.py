#!/usr/bin/env python3
"""Draw where the sites of a registry are, as far as their members say: one dot in the middle of each country, no finer.

scripts/site_map.py pilots-out/registry.git --out docs/images/sites.svg --note "All sites are made up."

A site is a member that owns a dataset. Its country is the two letters in its member record; a member without one is
counted below the map. The outline is Natural Earth's, in the public domain; the projection is Equal Earth (Šavrič,
Patterson and Jenny, International Journal of Geographical Information Science 33, 2019).
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import yaml

WORLD = Path(__file__).resolve().parents[1] / "docs/theme/world.json"
WIDTH, NORTH, SOUTH = 960, 84.0, -57.0  # px, degrees: Antarctica has no hospital
A = (1.340264, -0.081106, 0.000893, 0.003796)
STYLE = """\
.sea{fill:#eef2f6}.land{fill:#cfd7df}.dot{fill:#3949ab;fill-opacity:.85;stroke:#fff}.count{fill:#fff;font-weight:700}
text{font:13px system-ui,sans-serif;fill:#37414b}.count{text-anchor:middle;font-size:12px}
@media (prefers-color-scheme:dark){.sea{fill:#1b222a}.land{fill:#39444f}.dot{fill:#8c9eff;stroke:#1b222a}
text{fill:#d7dde4}.count{fill:#10151a}}"""


@dataclass(frozen=True)
class Site:
    """A member that owns a dataset."""

    name: str
    title: str
    country: str | None


def sites_of(registry: Path) -> list[Site]:
    """Return the members that own a dataset on the main line, each by its newest record."""
    paths = _git(registry, "ls-tree", "-r", "--name-only", "main", "members", "datasets").decode().splitlines()
    owners = {path.split("/")[1] for path in paths if path.startswith("datasets/")}
    newest = {
        path.split("/")[1]: path for path in sorted(paths) if path.startswith("members/") and path.endswith(".yaml")
    }
    records = {name: yaml.safe_load(_git(registry, "show", f"main:{newest[name]}")) for name in sorted(owners)}
    return [Site(name, record["title"], record.get("country")) for name, record in records.items()]


def _git(registry: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(registry), *words], check=True, capture_output=True).stdout


def project(longitude: float, latitude: float) -> tuple[float, float]:
    """Return the Equal Earth coordinates of a point in degrees, for a sphere of radius 1."""
    a1, a2, a3, a4 = A
    t = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    t2, t6 = t * t, t**6
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(t)
    x /= 3 * (9 * a4 * t6 * t2 + 7 * a3 * t6 + 3 * a2 * t2 + a1)
    return x, t * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))


def place(longitude: float, latitude: float) -> tuple[float, float]:
    """Return where a point lies in the picture, in px."""
    scale = WIDTH / (2 * project(180, 0)[0])
    x, y = project(longitude, min(NORTH, max(SOUTH, latitude)))
    return WIDTH / 2 + x * scale, (project(0, NORTH)[1] - y) * scale


def draw(sites: list[Site], *, note: str, world: Path = WORLD) -> str:
    """Return the SVG; raise ValueError where a country has no middle in `world`."""
    geometry = json.loads(world.read_text(encoding="utf-8"))
    known = [site for site in sites if site.country]
    if strange := sorted({site.country for site in known if site.country} - set(geometry["middles"])):
        raise ValueError(f"no such country: {', '.join(strange)}")
    by_country = {country: [site for site in known if site.country == country] for country in _order(known)}
    height = place(0, SOUTH)[1]
    land = "".join(_path(ring) for ring in geometry["coast"] if max(y for _, y in ring) > SOUTH)
    dots = "\n".join(_dot(country, found, geometry["middles"][country]) for country, found in by_country.items())
    said = "; ".join(f"{country}: {', '.join(site.title for site in found)}" for country, found in by_country.items())
    silent = len(sites) - len(known)
    below = f"{_counted(len(known), 'site')} in {_counted(len(by_country), 'country')}"
    below += f", {silent} that {'does' if silent == 1 else 'do'} not say where" if silent else ""
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 30:.0f}" role="img" aria-labelledby="t d">
<title id="t">Map of sites: {escape(below)}</title><desc id="d">{escape(f"{said}. {note}".strip(". ") + ".")}</desc>
<style>{STYLE}</style>
<rect class="sea" width="{WIDTH}" height="{height:.0f}" rx="8"/>
<path class="land" d="{land}"/>
{dots}
<text x="4" y="{height + 20:.0f}">{escape(f"{below}. {note}".strip())}</text>
</svg>
"""


def _order(sites: Iterable[Site]) -> list[str]:
    return sorted({site.country for site in sites if site.country})


def _path(ring: list[list[float]]) -> str:
    return "".join(f"M{'L'.join(dict.fromkeys(map(_point, piece)))}Z" for piece in _pieces(ring))


def _point(point: list[float]) -> str:
    return "{:.1f} {:.1f}".format(*place(*point))


def _pieces(ring: list[list[float]]) -> list[list[list[float]]]:
    """Cut a ring where it leaves the map on one side and comes back on the other."""
    pieces: list[list[list[float]]] = [[]]
    for before, point in zip([ring[-1], *ring], ring, strict=False):
        if abs(point[0] - before[0]) > 180:
            pieces.append([])
        pieces[-1].append(point)
    first, *others = pieces
    return [[*others[-1], *first], *others[:-1]] if others else pieces


def _dot(country: str, sites: list[Site], middle: list[float]) -> str:
    x, y = place(*middle)
    named = escape(f"{country}: {', '.join(site.title for site in sites)}")
    radius = 9 + 2 * math.sqrt(len(sites))
    return (
        f'<g><title>{named}</title><circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
        f'<text class="count" x="{x:.1f}" y="{y + 4:.1f}">{len(sites)}</text></g>'
    )


def _counted(number: int, noun: str) -> str:
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"


def main() -> int:
    """Draw the map of one registry."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("registry", type=Path, help="a Git repository that holds the registry's main")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--note", default="", help="a sentence below the map, such as that all sites are made up")
    asked = parser.parse_args()
    sites = sites_of(asked.registry)
    asked.out.write_text(draw(sites, note=asked.note), encoding="utf-8", newline="\n")
    print(f"{asked.out}: {asked.out.stat().st_size / 1000:.0f} kB, {len(sites)} sites")
    return 0


if __name__ == "__main__":
    sys.exit(main())
