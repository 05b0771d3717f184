"""Play the pilots of the MedPerf paper in one registry on this machine, and build one site with all their leaderboards.

make pilots                                    # images, then this
python examples/pilots.py --only chest-xray --reduced --out /somewhere
"""

import argparse
from pathlib import Path

from kit.pilot import CONSORTIUM, Pilot, play
from kit.story import ROOT, Story

PILOTS = ("brain-tumour", "pancreas", "surgical-phases", "chest-xray")


def main() -> None:
    """Play every pilot that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "pilots-out", help="where to play; emptied first")
    parser.add_argument("--only", action="append", choices=PILOTS, help="play this pilot alone; may be repeated")
    parser.add_argument("--reduced", action="store_true", help="fewer sites and cases, as the tests play it")
    arguments = parser.parse_args()
    story = Story.at(arguments.out)
    story.chapter("A registry is made", "A consortium makes one bare Git repository for all the benchmarks.")
    name = ("--name", "pilots", "--title", "Pilots of federated evaluation, on synthetic data")
    story.run(CONSORTIUM, "init", story.registry, *name, "--as", CONSORTIUM, "--yes")
    pilots = [Pilot.load(name, reduced=arguments.reduced) for name in arguments.only or PILOTS]
    for pilot in pilots:
        play(pilot, story)
    publish(story, [pilot.benchmark for pilot in pilots])
    story.timings()
    print(f"\nThe leaderboards are here: {story.out / 'site' / 'index.html'}")


def publish(story: Story, benchmarks: list[str]) -> None:
    """A reader who is no member judges the whole history and builds the site."""
    story.chapter("The leaderboards", "A reader judges the whole history and builds the site from it.")
    story.run("reader", "registry", "add", story.registry)
    story.run("reader", "audit", show=4)
    for benchmark in benchmarks:
        story.run("reader", "leaderboard", "show", benchmark, show=20)
    story.run("reader", "leaderboard", "build", "--out", story.out / "site")


if __name__ == "__main__":
    main()
