"""What the leaderboard costs, beside pandas and DuckDB doing the same sums.

python benchmarks/bench_leaderboard.py                                    # 41 models at 32 sites, as in FeTS 2022
python benchmarks/bench_leaderboard.py --sizes 1312 10000 100000 --rounds 3
python benchmarks/bench_leaderboard.py --sizes 1000000 --rounds 1         # making the registry takes its time

Ours reads signed records out of Git and writes a page for each; the others read one CSV file of the values and give
the mean over sites and the rank of every model, and pandas once from the records as files (libyaml), which is where
anybody would have to begin. Nothing here resamples but ours, whose pages have intervals.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import peers
from benchmarks.measure import ROOT, Table, environment, options
from benchmarks.registry import Made, made
from medperf_git.leaderboard.reading import read_tables
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot

FETS = 1312  # results of 41 models at 32 sites
MERGES = 60  # results that were merged one by one at last, as they are in life
_YAML_UP_TO = 10_000

_PANDAS = """
import sys
import pandas as pd
values = pd.read_csv(sys.argv[1])
wide = values.pivot(index="model", columns="site", values="auroc").dropna(axis=1)
score = wide.mean(axis=1).round(12)
table = pd.DataFrame({"score": score, "rank": score.rank(ascending=False, method="min").astype(int)})
table.sort_values("rank").to_csv(sys.argv[2])
"""
_DUCKDB = """
import sys
import duckdb
duckdb.sql(f'''copy (
    with everywhere as (
        select site from read_csv('{sys.argv[1]}') group by site
        having count(auroc) = (select count(distinct model) from read_csv('{sys.argv[1]}'))
    ), score as (
        select model, round(avg(auroc), 12) as score from read_csv('{sys.argv[1]}')
        where site in (select site from everywhere) group by model
    ) select model, score, rank() over (order by score desc) as rank from score order by rank, model
) to '{sys.argv[2]}' (header)''')
"""
_YAML = """
import pathlib, sys
import pandas as pd, yaml
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
rows = []
for path in pathlib.Path(sys.argv[1]).rglob("*.yaml"):
    with path.open("rb") as file:
        record = yaml.load(file, loader)
    rows.append((record["model"]["ref"], record["dataset"]["ref"], record["values"]["auroc"]["value"]))
values = pd.DataFrame(rows, columns=["model", "site", "auroc"])
wide = values.pivot(index="model", columns="site", values="auroc").dropna(axis=1)
score = wide.mean(axis=1).round(12)
pd.DataFrame({"score": score, "rank": score.rank(ascending=False, method="min")}).to_csv(sys.argv[2])
"""


def main() -> int:
    """One table for each size."""
    wanted = options(__doc__, sizes=(FETS,), rounds=3)
    for size in wanted.sizes:
        one = made(size, merges=MERGES, varied=True, sites=32 if size == FETS else 0)
        with tempfile.TemporaryDirectory() as scratch:
            measure(one, Path(scratch), wanted.rounds, with_peers=wanted.peers)
    return 0


def command(one: Made, do: str, scratch: Path, *more: str) -> list[str]:
    """Return the command line of our build; see `leaderboard.py`."""
    program = [sys.executable, "-P", str(ROOT / "benchmarks" / "leaderboard.py"), do, str(one.path)]
    main = one.git("rev-parse", "main").decode().strip()
    return [*program, main, one.head, "--out", str(scratch / "site"), "--home", str(scratch / "home"), *more]


def measure(one: Made, scratch: Path, rounds: int, *, with_peers: bool) -> None:
    """Print the table of one registry, and how large its site is."""
    home = environment(scratch / "home")
    table = Table(f"leaderboard of {one.results} results", rounds)
    table.add("whole, 1 process", command(one, "whole", scratch, "--processes", "1"), environ=home)
    table.add("whole, 2 processes", command(one, "whole", scratch), environ=home)
    table.add("again, nothing new", command(one, "again", scratch), environ=home)
    table.add("one result more", command(one, "next", scratch), environ=home)
    table.add("read and rank alone", command(one, "rank", scratch), environ=home)
    if with_peers:
        values, out = scratch / "values.csv", scratch / "ranks.csv"
        write_values(one, values)
        table.add("pandas, from one CSV", peers.tables_script(_PANDAS, values, out))
        table.add("DuckDB, from one CSV", peers.tables_script(_DUCKDB, values, out))
        if one.results <= _YAML_UP_TO:
            table.add("pandas, from the records", peers.tables_script(_YAML, peers.files_of(one), out))
    table.run()
    files = [path.stat().st_size for path in (scratch / "site").rglob("*") if path.is_file()]
    print(f"the site: {len(files)} files, {sum(files) / 1e6:.1f} MB, the largest {max(files) / 1e6:.2f} MB")


def write_values(one: Made, path: Path) -> None:
    """Write what the peers read: one line for each result."""
    store = Store.open(one.path)
    (table,) = read_tables(Snapshot.at(store, one.git("rev-parse", "main").decode().strip())).benchmarks
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("model", "site", "auroc"))
        for model, row in zip(table.models, table.values("auroc").tolist(), strict=True):
            for site, value in zip(table.sites, row, strict=True):
                if value == value:
                    writer.writerow((model.ref, site.ref, value))


if __name__ == "__main__":
    sys.exit(main())
