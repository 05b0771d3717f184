#!/usr/bin/env python3
"""Make docs/theme/world.json, the outline and the middles of countries that site_map.py draws with.

npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz && pip install babel && scripts/world.py package

The geometry is Natural Earth's (naturalearthdata.com), which is in the public domain: the coast at 1 : 110 million,
countries at 1 : 50 million. Of a country only one point is kept, the middle of its largest piece of land, so that
France lies in Europe and nothing finer than a country can be drawn. Babel knows the two letters to each number of
ISO 3166-1.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "docs/theme/world.json"
Ring = list[tuple[float, float]]


def main() -> int:
    """Write the file."""
    from babel.core import get_global  # noqa: PLC0415 - needed here alone, and no dependency of the project

    letters = {number: names[0] for number, names in get_global("territory_aliases").items() if number.isdigit()}
    folder = Path(sys.argv[1])
    land = json.loads((folder / "land-110m.json").read_text(encoding="utf-8"))
    world = json.loads((folder / "countries-50m.json").read_text(encoding="utf-8"))
    coast = [ring for shape in land["objects"]["land"]["geometries"] for ring in _outer_rings(shape, _arcs(land))]
    countries = world["objects"]["countries"]["geometries"]
    middles = {letters[one["id"]]: _middle(one, _arcs(world)) for one in countries if one.get("id") in letters}
    made = {
        "source": "Natural Earth 4.1.0 (public domain), by world-atlas 2.0.2; made by scripts/world.py",
        "coast": [[[round(x, 1), round(y, 1)] for x, y in ring] for ring in coast],
        "middles": dict(sorted(middles.items())),
    }
    OUT.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n")
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB, {len(middles)} countries")
    return 0


def _arcs(topology: dict[str, Any]) -> list[Ring]:
    (across, up), (west, south) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for right, above in arc:  # each point is told by its distance from the one before (TopoJSON, 2.1.4)
            x, y = x + right, y + above
            line.append((x * across + west, y * up + south))
        arcs.append(line)
    return arcs


def _outer_rings(shape: dict[str, Any], arcs: list[Ring]) -> Iterator[Ring]:
    if shape["type"] == "GeometryCollection":
        for inner in shape["geometries"]:
            yield from _outer_rings(inner, arcs)
        return
    for polygon in shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]:
        ring: Ring = []
        for number in polygon[0]:  # ~n is arc n backwards; the first point of each arc is the last of the one before
            line = arcs[number] if number >= 0 else arcs[~number][::-1]
            ring += line[1:] if ring else line
        yield ring


def _middle(shape: dict[str, Any], arcs: list[Ring]) -> list[float]:
    area, x, y = max(_centroid(ring) for ring in _outer_rings(shape, arcs))
    assert area > 0
    return [round(x, 1), round(y, 1)]


def _centroid(ring: Ring) -> tuple[float, float, float]:
    """Return area, x and y of the centroid of a ring in degrees (the shoelace formula)."""
    twice = x = y = 0.0
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = x0 * y1 - x1 * y0
        twice, x, y = twice + cross, x + (x0 + x1) * cross, y + (y0 + y1) * cross
    return abs(twice / 2), x / (3 * twice), y / (3 * twice)


if __name__ == "__main__":
    sys.exit(main())
