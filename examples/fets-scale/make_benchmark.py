"""Write what the committee declares about the benchmark: six region-metrics, the FeTS 2022 ranking, a BIAS description.

python make_benchmark.py --out benchmark.yaml
"""

import argparse
import json
from pathlib import Path

REGIONS = {"et": "enhancing tumour", "tc": "tumour core", "wt": "whole tumour"}
TITLE = "A simulated challenge of the size of FeTS 2022"
DESCRIPTION = (
    "SIMULATED: no patient, no image and no real model is behind any number. 41 made-up models are run at 32 made-up "
    "sites on tumours that are three nested balls; every value was really computed at the site from predictions and "
    "labels, reduced, reviewed, signed, judged and merged. Where a result gives the version of its engine as 'none: "
    "plain processes', the programs ran in no container. This shows what a challenge of this size asks of the software."
)
BIAS = {
    "challenge-name": "A simulated challenge of the size of the Federated Tumor Segmentation (FeTS) challenge 2022",
    "challenge-organization": "A made-up committee; it is played by a program, examples/fets-scale/play.py",
    "life-cycle-type": "One event, simulated on one day",
    "venue-and-platform": "One machine that plays all members, each with own keys and an own copy of the registry",
    "participation-policies": "Ten made-up teams, and the committee whose reference model is ranked too",
    "submission-method": "Containers, one image with other parameters for each model; no model is changed afterwards",
    "schedule": "Open from the moment it was registered, without an end",
    "ethics-approval": "None is needed: there are no people behind the data",
    "data-usage-agreement": "The data are made by a program of this repository, under its licence",
    "code-availability": "Everything lies in examples/fets-scale: data, preparator, models, metrics, and the play",
    "conflicts-of-interest": "None: who wins was decided by a random number generator with a fixed seed",
    "field-of-application": "Testing of software for federated evaluation; nothing follows for medicine",
    "task-category": "Segmentation of three nested regions",
    "target-cohort": "None; the challenge that lent the numbers of sites, models and cases is about adult glioma",
    "challenge-cohort": "2 625 simulated cases at 32 simulated sites; eight sites have sizes that were published",
    "imaging-modality": "None; a scan is a line of a table with the tumour's geometry, a difficulty and a noise",
    "context-information": "The scanner's name, its slice thickness, the site's noise, the case's difficulty",
    "target-entity": "Three nested balls, called enhancing tumour, tumour core and whole tumour as in BraTS",
    "assessment-aim": "How close the region found is to the region annotated, in overlap and in distance",
    "data-source": "make_data.py with a fixed seed: radii and difficulties log-normal, 6 % without enhancing tumour",
    "case-characteristics": "One tumour a case; each case is independent of all others",
    "annotation-characteristics": "Exact by construction: the annotation is the geometry from which the scan was made",
    "data-preprocessing": "The preparator checks that the balls are nested, and sorts cases by name",
    "sources-of-error": "None in the annotations; the error is the models', drawn as model/infer.py declares",
    "metrics": "Dice and the 95th percentile of the Hausdorff distance (HD95) of each region, as in BraTS. A region "
    "that only one of prediction and label has counts Dice 0 and HD95 374 mm, one that neither has Dice 1 and HD95 0; "
    "a case without a prediction counts Dice 0 and HD95 374 mm",
    "ranking-method": "fets-2022: within each site and region-metric the mean rank over cases is ranked; these "
    "ranks are averaged over sites and region-metrics and ranked. A site where some model has no result is left out",
    "statistical-analyses": "Sites are resampled; pairs of models are compared by signed ranks added up over sites",
    "further-analyses": "The ranks under every other rule stand beside the registered one",
}


def metric(region: str, kind: str) -> dict[str, object]:
    """Return the definition of one region-metric, with BraTS's penalty as its worst value."""
    dice = kind == "dice"
    return {
        "id": f"{kind}-{region}",
        "title": f"{'Dice' if dice else 'HD95'}, {REGIONS[region]}",
        "path": f"/cases/*/{kind}_{region}",
        "unit": "1" if dice else "mm",
        "range": {"min": 0, "max": 1 if dice else 374},
        "direction": "higher" if dice else "lower",
        "decimals": 4 if dice else 2,
        "undefined": "worst",
        "worst": 0 if dice else 374,
        "reduction": "mean",
        "sd": True,
    }


def declared() -> dict[str, object]:
    """Return the committee's part of the benchmark."""
    metrics = [metric(region, kind) for kind in ("dice", "hd95") for region in REGIONS]
    return {
        "title": TITLE,
        "description": DESCRIPTION,
        "metrics": metrics,
        "ranking": {
            "rule": "fets-2022",
            "version": 1,
            "metrics": [one["id"] for one in metrics],
            "weights": "equal",
            "missing": "exclude-site",
            "seed": 2022,
        },
        "partial": False,
        "visibility": "public",
        "comparisons": True,
        "bias": BIAS,
    }


def main() -> None:
    """Write the file; JSON is YAML as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in declared().items()]
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
