"""Rank the models anew from the values by case, with pandas alone, and see that the leaderboard says the same.

    python check_ranking.py fets-out

It shares no code with medperf_git. It reads the results files that the runs left at the sites (which never leave a real
site) and follows the ranking of the FeTS challenge 2022, task 2: at each site and in each region-metric the models are
ranked within each case, these ranks are averaged over the cases and ranked; the ranks are averaged over sites and
region-metrics, and ranked. A case without a prediction has Dice 0 and HD95 374 mm; a site at which some model has no
result is left out; ties share the smallest rank.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import yaml

METRICS = {f"{kind}_{region}": kind == "dice" for kind in ("dice", "hd95") for region in ("et", "tc", "wt")}
WORST = {"dice": 0.0, "hd95": 374.0}
DIGITS = 9  # of mean ranks: what differs by less is rounding


def read_values(out: Path) -> pd.DataFrame:
    """Return one row for each site, model and case, with a column for each region-metric."""
    rows = []
    for path in sorted(out.glob("people/site-*/state/runs/*/models/*/results")):
        site = path.relative_to(out).parts[1]
        model = path.parent.name
        for case, values in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["cases"].items():
            found = values or {name: WORST[name.partition("_")[0]] for name in METRICS}
            rows.append({"site": site, "model": model, "case": case, **found})
    return pd.DataFrame(rows)


def ranks_by_site(values: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rank of each model (row) by site and region-metric (columns), and the sites that are left out."""
    every = set(values["model"])
    columns, out = {}, []
    for site, here in values.groupby("site"):
        if set(here["model"]) != every:
            out.append(str(site))
            continue
        for name, more_is_better in METRICS.items():
            cases = here.pivot_table(index="model", columns="case", values=name, aggfunc="first").round(12)
            within = cases.rank(axis=0, method="min", ascending=not more_is_better)
            columns[site, name] = within.mean(axis=1).round(DIGITS).rank(method="min")
    return pd.DataFrame(columns), out


def rank(values: pd.DataFrame) -> tuple[pd.Series, pd.Series, list[str]]:
    """Return the rank and the mean rank of each model, and the sites that are left out."""
    by_site, out = ranks_by_site(values)
    mean = by_site.mean(axis=1).round(DIGITS)
    return mean.rank(method="min").astype(int), mean, out


def shown(site: Path) -> tuple[dict[str, int], list[str]]:
    """Return the rank of each model on the leaderboard, and the sites that it left out."""
    index = json.loads((site / "index.json").read_text())
    ranking = json.loads((site / index["benchmarks"][0]["table"]).read_text())["ranking"]
    assert ranking["rule"]["name"] == "fets-2022", ranking["rule"]
    ranks = {folder_name(one["model"]): one["rank"] for one in ranking["models"]}
    return ranks, sorted(one["dataset"].partition("/")[0] for one in ranking["sites_left_out"])


def folder_name(ref: str) -> str:
    """Return how a run's folder writes a reference: owner.name.version."""
    return ref.replace("/", ".").replace("@", ".")


def main() -> None:
    """Compare, and end with 1 where anything differs."""
    out = Path(sys.argv[1])
    values = read_values(out)
    ranks, mean, left_out = rank(values)
    there, left_out_there = shown(out / "site")
    differing = sorted(model for model in there.keys() | ranks.keys() if there.get(model) != ranks.get(model))
    print(f"{len(values)} values by case and model, {len(ranks)} models; left out: {', '.join(left_out) or 'no site'}")
    for model in mean.sort_values().index[:5]:
        print(f"  {ranks[model]:3d}  {model:32s} mean rank {mean[model]:.4f}")
    if differing or sorted(left_out) != left_out_there:
        sys.exit(f"NOT equal: models {differing}; sites {left_out} here, {left_out_there} on the leaderboard")
    print(f"the leaderboard's fets-2022 ranking of {len(there)} models is equal")


if __name__ == "__main__":
    main()
